//! What can be wrong with a git server, and the code by which its run and its repository say so: one table, gone through by
//! each transport on each engine. The codes are those of `docs/errors.md`.

use std::path::{Path, PathBuf};

use keytrail::{
    clock::Clock,
    git::MAX_REFS,
    jobs::{Asked, DiffTrouble, Part, commit_changes},
    store::{Area, Statement},
};
use keytrail_domain::{git_remote::GitRemote, index_run::FailureCode, remote_url::RemoteUrl, service::Connection};
use keytrail_projections::repository_list::{self, Repository as Listed, RepositoryState};
use keytrail_test_support::{
    git_daemon::GitDaemon,
    repositories::{Repository, Shape, generate},
    web_server::{Door, Ending, Fault, Relay, Scripted, Shown, WebServer},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    nodes::{connect, node_with},
    server::{Server, reaching_this_machine, soon},
    transports::{Transport, by_both_transports},
};

const CODES: &str = include_str!("../../docs/errors.md");
/// The type of what a git server says first.
const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";
/// Bytes of an answer: more than a list of refs has, less than all objects.
const PART: u64 = 20_000;

/// Repositories in every state that a server may have them in.
fn repositories(root: &Path) {
    let shape = Shape { commits: 800, files_per_commit: 1, ..Shape::default() };
    let made = generate(&root.join("made.git"), &shape).expect("git works");
    made.git(&["update-server-info"]).expect("the files of a dumb server");
    let (from, to) = (format!("file://{}", made.path.display()), root.join("shallow.git"));
    let clone = ["clone", "--quiet", "--bare", "--depth=2", &from, to.to_str().expect("UTF-8")];
    made.git(&clone).expect("a clone");
    // Of one branch: another could lead to what the graft hides.
    let alone = Shape { commits: 20, heads: 0, tags: 0, pull_requests: 0, ..Shape::default() };
    let grafted = generate(&root.join("grafted.git"), &alone).expect("git works");
    let tip = grafted.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
    std::fs::create_dir_all(grafted.path.join("info")).expect("a folder");
    std::fs::write(grafted.path.join("info/grafts"), format!("{}\n", tip.trim())).expect("a file");
    let sha256 = Repository::init(&root.join("sha256.git"), &["--bare", "--object-format=sha256"]).expect("git works");
    sha256.commit("refs/heads/main", "SHOP-1 begins", &[]).expect("a commit");
}

/// Servers that answer what no real one does, and where nobody answers.
struct Odd {
    sign_in: Scripted,
    nonsense: Scripted,
    breaks_off: Scripted,
    silent: Scripted,
    silent_daemon: Scripted,
    dies: Relay,
    closed: String,
}

impl Odd {
    fn start(web: &WebServer) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {ADVERTISEMENT}\r\n");
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        Self {
            sign_in: Scripted::answering("200 OK", "text/html", b"<h1>Sign in</h1>"),
            nonsense: Scripted::answering("200 OK", ADVERTISEMENT, b"zzzz"),
            breaks_off: Scripted::start(format!("{head}Content-Length: 100\r\n\r\n0").as_bytes(), Ending::Closes),
            silent: Scripted::start(format!("{head}\r\n").as_bytes(), Ending::Stays),
            silent_daemon: Scripted::unasked(b"", Ending::Stays),
            dies: Relay::start(web.address(), Fault::Dies(PART)),
            closed: listener.local_addr().expect("an address").to_string(),
        }
    }
}

/// What is wrong, how it is connected to, and the code.
type Row = (&'static str, Value, &'static str);

/// The table.
fn table(web: &WebServer, daemon: &GitDaemon, odd: &Odd) -> Vec<Row> {
    let at = |url: String| json!({ "kind": "git", "url": url });
    let door = |door| at(web.url_at(door, "made.git"));
    let trusting = |shown, trust: Value| json!({ "kind": "git", "url": web.tls_url_at(shown, Door::Open, "made.git"), "trust": trust });
    let authority = json!({ "kind": "authority", "pem": &*web.ca_pem() });
    let other = json!({ "kind": "authority", "pem": &*web.other_ca_pem() });
    let pinned = json!({ "kind": "pinned", "key": "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" });
    let proxied =
        json!({ "kind": "git", "url": web.url("proxied.git"), "proxy": { "url": format!("http://{}", odd.closed) } });
    let git = |url: String| url.replacen("http://", "git://", 1);
    vec![
        ("a name that nobody has", at("http://no-such-host.invalid/made.git".into()), "host_unknown"),
        ("nobody listens", at(format!("http://{}/made.git", odd.closed)), "connection_refused"),
        ("no daemon listens", at(format!("git://{}/daemon.git", odd.closed)), "connection_refused"),
        ("it breaks off", at(odd.breaks_off.url("made.git")), "connection_lost"),
        ("a proxy that is not there", proxied, "proxy_failed"),
        ("a name of a private address", at(web.url("made.git").replace("127.0.0.1", "localhost")), "address_denied"),
        ("a redirect elsewhere", door(Door::Away), "redirected_away"),
        ("redirects without end", door(Door::Loop), "redirected_away"),
        ("nobody vouches for it", trusting(Shown::Good, json!({ "kind": "web_pki" })), "tls_untrusted"),
        (
            "another authority",
            {
                let mut other = trusting(Shown::Good, other);
                other["url"] = json!(web.tls_url_at(Shown::Good, Door::NoFilter, "made.git"));
                other
            },
            "tls_untrusted",
        ),
        ("a certificate of long ago", trusting(Shown::Expired, authority.clone()), "tls_expired"),
        ("a certificate of another", trusting(Shown::WrongName, authority), "tls_wrong_host"),
        (
            "another key",
            {
                let mut other = trusting(Shown::Good, pinned);
                other["url"] = json!(web.tls_url_at(Shown::Good, Door::Old, "made.git"));
                other
            },
            "tls_pin_mismatch",
        ),
        ("no TLS", at(web.url("no-tls.git").replacen("http://", "https://", 1)), "tls_failed"),
        ("401", door(Door::Private), "unauthorized"),
        ("403", door(Door::Forbidden), "forbidden"),
        ("404", at(web.url("absent.git")), "remote_not_found"),
        ("a daemon that has no such repository", at(daemon.url("absent.git")), "remote_not_found"),
        ("429", door(Door::RateLimited), "rate_limited"),
        ("500", door(Door::Failing), "remote_error"),
        ("503", door(Door::Unavailable), "remote_error"),
        ("a page to sign in", door(Door::SignIn), "not_git"),
        ("another page", at(odd.sign_in.url("made.git")), "not_git"),
        ("files only", door(Door::Dumb), "dumb_server"),
        ("nonsense", at(odd.nonsense.url("made.git")), "protocol"),
        ("silence", at(odd.silent.url("made.git")), "remote_silent"),
        ("a silent daemon", at(git(odd.silent_daemon.url("made.git"))), "remote_silent"),
        ("it dies in the middle of a pack", at(odd.dies.url(&web.url("made.git"))), "fetch_broke_off"),
        ("a shallow clone", at(web.url("shallow.git")), "shallow"),
        ("a shallow clone of an old server", at(web.url_at(Door::Old, "shallow.git")), "shallow"),
        ("a shallow clone of a daemon", at(daemon.url("shallow.git")), "shallow"),
        ("grafts", at(web.url("grafted.git")), "missing_object"),
        ("grafts of a daemon", at(daemon.url("grafted.git")), "missing_object"),
        ("SHA-256", at(web.url("sha256.git")), "sha256_unsupported"),
    ]
}

/// Nobody waits for pauses that double: what was tried is tried once more, and then no more.
async fn tries_end(server: &Server) {
    let last = "UPDATE jobs SET attempts = 7, run_after = 0 \
                WHERE kind = 'index_repository' AND state = 'waiting' AND attempts > 0";
    server.app.db.write(Area::Log, vec![Statement::new(last, vec![])]).await.expect("a change by hand");
    server.app.jobs.wake();
}

/// The failure of the only repository of this integration, once its run has ended.
async fn failure(server: &Server, integration: &str) -> Option<(Value, Value)> {
    let list = format!("/api/v1/integrations/{integration}/repositories");
    let row = server.get(&list).await.with(StatusCode::OK).items().first().cloned()?;
    let run = row["last_run"].as_str().filter(|_| row["state"] == "failed")?;
    let run = server.get(&format!("/api/v1/index-runs/{run}")).await.with(StatusCode::OK).body;
    // Another view, which may be a moment behind.
    (run["state"] == "failed").then(|| (row["failure"].clone(), run["failure"].clone()))
}

/// Longer than any of the table takes, on a machine that does much else.
async fn comes_to_fail(server: &Server, integration: &str, what: &str) -> (Value, Value) {
    for _ in 0..900 {
        if let Some(failure) = failure(server, integration).await {
            return failure;
        }
        tries_end(server).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{what}: its run does not fail");
}

async fn whatever_is_wrong_with_a_server_has_its_code_in_the_run_and_the_repository(server: Server) {
    let root: PathBuf = server.elsewhere.join("served");
    std::fs::create_dir(&root).expect("a folder");
    repositories(&root);
    let (web, daemon) = (WebServer::start(&root), GitDaemon::start(&root).expect("git daemon runs"));
    let odd = Odd::start(&web);
    each_fails_by_its_code(&server, &table(&web, &daemon, &odd)).await;
}

async fn each_fails_by_its_code(server: &Server, table: &[Row]) {
    let mut ids = Vec::new();
    for (what, connection, _) in table {
        ids.push(server.connect(what, connection.clone()).await.with(StatusCode::CREATED).id());
    }
    for ((what, _, code), id) in table.iter().zip(&ids) {
        let (of_row, of_run) = comes_to_fail(server, id, what).await;
        assert_eq!((&of_row["code"], &of_run["code"]), (&json!(code), &json!(code)), "{what}: {of_row}");
        assert!(CODES.contains(&format!("`{code}`")), "{code} is explained");
        for (member, failure) in [("text", &of_row), ("text", &of_run), ("next", &of_row)] {
            assert!(failure[member].as_str().is_some_and(|text| !text.is_empty()), "{what}: {failure}");
        }
    }
    // Nobody tries again while the servers go.
    for id in ids {
        server.post(&format!("/api/v1/integrations/{id}/pause"), json!({})).await.with(StatusCode::OK);
    }
    server.look_behind().await;
}

by_both_transports!(
    reaching_this_machine_impatiently;
    whatever_is_wrong_with_a_server_has_its_code_in_the_run_and_the_repository,
);

async fn a_list_that_comes_steadily_and_never_ends_is_slow(server: Server) {
    let root = server.elsewhere.join("served");
    std::fs::create_dir(&root).expect("a folder");
    generate(&root.join("made.git"), &Shape { commits: 20, ..Shape::default() }).expect("git works");
    let web = WebServer::start(&root);
    let trickles = Relay::start(web.address(), Fault::Trickles(400));
    let url = trickles.url(&web.url_at(Door::Old, "made.git"));
    each_fails_by_its_code(&server, &[("a trickle", json!({ "kind": "git", "url": url }), "remote_slow")]).await;
}

mod of_slow_lists {
    use super::a_list_that_comes_steadily_and_never_ends_is_slow;
    use crate::transports::by_both_transports;

    by_both_transports!(
        reaching_this_machine_to_list_for_a_moment;
        a_list_that_comes_steadily_and_never_ends_is_slow,
    );
}

/// One more than the bound, in the file that git packs them in. They lead to one commit.
fn with_too_many_refs(path: &Path) {
    use std::fmt::Write as _;
    let repository = Repository::init(path, &["--bare"]).expect("a repository");
    let tip = repository.commit("refs/heads/main", "SHOP-1 begins", &[]).expect("a commit");
    let mut packed = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
    for number in 0..MAX_REFS {
        writeln!(packed, "{} refs/heads/of/{number:06}", tip.trim()).expect("a string takes it");
    }
    std::fs::write(path.join("packed-refs"), packed).expect("a file");
}

async fn more_refs_than_the_bound_are_refused_over_http_and_over_git(server: Server) {
    let root = server.elsewhere.join("served");
    std::fs::create_dir(&root).expect("a folder");
    with_too_many_refs(&root.join("many.git"));
    let (web, daemon) = (WebServer::start(&root), GitDaemon::start(&root).expect("git daemon runs"));
    for (what, url) in [("http", web.url("many.git")), ("git", daemon.url("many.git"))] {
        let id = server.connect(what, json!({ "kind": "git", "url": url })).await.with(StatusCode::CREATED).id();
        let (of_row, of_run) = comes_to_fail(&server, &id, what).await;
        assert_eq!((&of_row["code"], &of_run["code"]), (&json!("too_many_refs"), &json!("too_many_refs")), "{of_row}");
        assert!(of_row["text"].as_str().is_some_and(|text| text.contains("500000")), "{of_row}");
        server.post(&format!("/api/v1/integrations/{id}/pause"), json!({})).await.with(StatusCode::OK);
    }
    server.look_behind().await;
}

mod of_many_refs {
    use super::more_refs_than_the_bound_are_refused_over_http_and_over_git;
    use crate::transports::by_both_transports;

    by_both_transports!(
        reaching_this_machine;
        more_refs_than_the_bound_are_refused_over_http_and_over_git,
    );
}

/// A program that says that it is a git of long ago.
fn old_program(folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("old-git");
    std::fs::write(&path, "#!/bin/sh\necho git version 2.30.2\n").expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a file of ours");
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_git_began_says_that_it_needs_git_and_which() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("root");
    let repository = generate(&root.join("shop.git"), &Shape { files_per_commit: 1, ..Shape::default() });
    let repository = repository.expect("git works");
    let web = WebServer::start(&root);
    let node = async |program: Option<PathBuf>| {
        node_with(folder.path(), None, Clock::System, |config| {
            reaching_this_machine(&mut config.git);
            (config.git.shortest_poll_seconds, config.git.longest_poll_seconds) = (1, 1);
            match program {
                Some(path) if path == Path::new("none") => Transport::InProcess.set(&mut config.git),
                program => config.git.program = program,
            }
        })
        .await
    };
    let is = async |app: &keytrail::app::App, what: &str, is: &dyn Fn(&Listed) -> bool| {
        soon(what, || async {
            let rows = app.read(repository_list::page(None, None, None, 10)).await.unwrap_or_default();
            rows.first().is_some_and(|listed| is(&listed.repository))
        })
        .await;
    };
    let app = node(None).await;
    Transport::GitProgram.is_used_by(&app);
    let url = RemoteUrl::parse(&web.url("shop.git")).expect("a URL").url;
    connect(&app, "shop", Connection::git(GitRemote::at(url))).await;
    is(&app, "it is indexed", &|row| row.state == RepositoryState::Indexed).await;
    app.stop().await;
    drop(app);
    let first = repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch").trim().to_owned();
    for (program, of_run, of_diff) in [
        (PathBuf::from("none"), FailureCode::MirrorNeedsGit, FailureCode::GitMissing),
        (old_program(folder.path()), FailureCode::GitTooOld, FailureCode::GitTooOld),
    ] {
        let tip = repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
        repository.commit("refs/heads/main", "SHOP-1 more", &[tip.trim()]).expect("a commit");
        let app = node(Some(program)).await;
        let failed = |row: &Listed| row.failure.as_ref().is_some_and(|(code, _)| *code == of_run);
        is(&app, &format!("{of_run:?} is told"), &failed).await;
        let rows = app.read(repository_list::page(None, None, None, 10)).await.expect("the view is live");
        let asked = Asked { commit: first.parse().expect("a name"), parent: None, part: Part::Files };
        let refused = commit_changes(&app, &rows[0].repository, asked).await.expect_err("its files are not here");
        assert!(matches!(refused, DiffTrouble::Unreadable { code: Some(code), .. } if code == of_diff), "{refused:?}");
        app.stop().await;
    }
    let app = node(None).await;
    is(&app, "it goes on with git", &|row| row.state == RepositoryState::Indexed && row.failure.is_none()).await;
    app.stop().await;
}
