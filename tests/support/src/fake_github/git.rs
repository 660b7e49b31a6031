//! Git over HTTP with the token of an installation as a password, answered by `git http-backend` itself.

use std::{
    path::Path,
    process::Stdio,
    sync::{Mutex, PoisonError},
};

use actix_web::{HttpRequest, http::header, web::Bytes};
use tokio::{io::AsyncWriteExt as _, process::Command};

use super::{refusal::Refusal, reply::Reply, requests::Caller, world::World};

/// What a request may do, and where to.
enum Gate {
    Open { folder: std::path::PathBuf, rest: String },
    Refused(Reply),
}

pub(super) async fn serve(request: &HttpRequest, body: &Bytes, world: &Mutex<World>, repository: &str) -> Reply {
    let gate = gate(request, &mut world.lock().unwrap_or_else(PoisonError::into_inner), repository);
    match gate {
        Gate::Refused(reply) => reply,
        Gate::Open { folder, rest } => backend(request, body, &folder, &rest).await,
    }
}

fn gate(request: &HttpRequest, world: &mut World, repository: &str) -> Gate {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let fetcher = world.fetcher(given);
    let credential = Caller::credential(&fetcher);
    let whole = request.uri().to_string();
    let rest = request.path().splitn(4, '/').nth(3).unwrap_or_default().to_owned();
    let writes = rest == "git-receive-pack" || request.query_string() == "service=git-receive-pack";
    let owner = request.path().split('/').nth(1).unwrap_or_default();
    let name = repository.strip_suffix(".git").unwrap_or(repository);
    let failure = world.limits.failure(&whole);
    let found = world.repository_named(&format!("{owner}/{name}"));
    let found = found.map(|found| found.map(|one| one.id).map_err(|one| world.full_name(one)));
    let gate = match (fetcher, found) {
        _ if failure.is_some() => Gate::Refused(failure.map_or_else(|| Reply::empty(500), |failure| failure.reply())),
        (Err(Refusal::BadCredentials) | Ok(Caller::Nobody | Caller::App(_)), _) => Gate::Refused(sign_in()),
        (Err(refusal), _) => Gate::Refused(refusal.reply()),
        (Ok(Caller::Installation(id)), Some(Ok(repository))) => {
            let sees = world.sees(&world.installations[&id]).iter().any(|one| one.id == repository);
            let may_write = world.installations[&id].permissions.get("contents").is_some_and(|how| how == "write");
            let folder = world.folder_of(repository);
            if !sees || !folder.exists() {
                Gate::Refused(Reply::text(404, "remote: Repository not found."))
            } else if writes && !may_write {
                Gate::Refused(Reply::text(403, "remote: Write access to repository not granted."))
            } else {
                Gate::Open { folder, rest }
            }
        }
        // It is called something else now.
        (_, Some(Err(now))) => {
            let query = request.query_string();
            let mark = if query.is_empty() { "" } else { "?" };
            Gate::Refused(Reply::empty(301).with("location", format!("{}/{now}.git/{rest}{mark}{query}", world.web)))
        }
        (_, None) => Gate::Refused(Reply::text(404, "remote: Repository not found.")),
    };
    let status = match &gate {
        Gate::Open { .. } => 200,
        Gate::Refused(reply) => reply.status,
    };
    world.log(request.method(), &whole, (credential, None), status, String::new());
    gate
}

fn sign_in() -> Reply {
    let text = "remote: Invalid username or token. Password authentication is not supported for Git operations.";
    Reply::text(401, text).with("www-authenticate", "Basic realm=\"GitHub\"")
}

/// Whether the body is still as it came: what takes it in may have unpacked it, and the header stays.
fn is_packed(body: &[u8]) -> bool {
    body.starts_with(&[0x1f, 0x8b])
}

/// Asks `git http-backend` (git-http-backend(1)) as a web server does: by RFC 3875.
async fn backend(request: &HttpRequest, body: &Bytes, folder: &Path, rest: &str) -> Reply {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut child = Command::new("git")
        .args(["-c", "http.receivepack=true", "http-backend"])
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_PROJECT_ROOT", folder)
        .env("PATH_INFO", format!("/{rest}"))
        .env("QUERY_STRING", request.query_string())
        .env("REQUEST_METHOD", request.method().as_str())
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", if is_packed(body) { header("content-encoding") } else { "" })
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("REMOTE_USER", "x-access-token")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("git is on PATH");
    let mut input = child.stdin.take().expect("it is piped");
    let body = body.clone();
    let writing = actix_web::rt::spawn(async move {
        // It may not want all of it.
        let _ = input.write_all(&body).await;
    });
    let output = child.wait_with_output().await.expect("it ends");
    writing.abort();
    of_cgi(&output.stdout)
}

/// What a program of the common gateway interface wrote: headers, an empty line, the body.
fn of_cgi(output: &[u8]) -> Reply {
    let Some(end) = output.windows(4).position(|four| four == b"\r\n\r\n") else { return Reply::empty(500) };
    let (head, body) = (String::from_utf8_lossy(&output[..end]).into_owned(), &output[end + 4..]);
    let value = |name: &str| {
        head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let status = value("status").and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or(200);
    let reply = Reply { status, headers: Vec::new(), body: body.to_vec() };
    let reply = reply.with("cache-control", "no-cache");
    match value("content-type") {
        Some(kind) => reply.with("content-type", kind),
        None => reply,
    }
}
