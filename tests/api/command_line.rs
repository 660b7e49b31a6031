//! The real program as a command: what it prints, what it ends with, what it waits for.

use std::{ffi::OsString, os::unix::ffi::OsStringExt, path::Path, time::Duration};

use keytrail_test_support::server::{Home, Options};
use serde_json::{Value, json};

use crate::repository;

const PROGRAM: &str = env!("CARGO_BIN_EXE_keytrail");

fn home() -> Home {
    Home::new(PROGRAM, Options::default())
}

/// Runs it where it must succeed. What it printed.
#[track_caller]
pub(crate) fn done((code, printed, complained): (Option<i32>, String, String)) -> String {
    assert_eq!(code, Some(0), "{printed}{complained}");
    printed
}

/// Runs it where it must end with this code. What it complained about.
#[track_caller]
pub(crate) fn failed((code, printed, complained): (Option<i32>, String, String), wanted: i32) -> String {
    assert_eq!(code, Some(wanted), "{printed}{complained}");
    assert!(!complained.contains("panicked"), "{complained}");
    complained
}

pub(crate) fn lines(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_run_that_found_something_is_replayed_by_its_id() {
    let server = home().start().await;
    let path = server.home().folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    let summary = done(server.home().run(["index", text(&path), "--json"]).await);
    let run = lines(&summary)[0]["run"].as_str().expect("a run").to_owned();
    let replayed = lines(&done(server.home().run(["events", "--json", "--stream", &run]).await));
    let names: Vec<_> = replayed.iter().filter_map(|event| event["event_type"].as_str()).collect();
    assert_eq!(names, ["index_run.requested", "index_run.started", "index_run.completed"]);
    assert!(replayed.iter().all(|event| event["state"].is_object() || event["state"].is_string()), "{replayed:?}");
    let nobody = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    failed(server.home().run(["events", "--stream", nobody]).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_indexed_anew_after_its_integration_was_moved_there() {
    let server = home().start().await;
    let (one, two) = (server.home().folder().join("one"), server.home().folder().join("two"));
    repository::with_commits(&one, &["ONE-1 begins"]);
    repository::with_commits(&two, &["TWO-1 begins"]);
    let first = lines(&done(server.home().run(["index", text(&one), "--json"]).await)).remove(0);
    let all = lines(&done(server.home().run(["integration", "list", "--json"]).await));
    let id = all[0]["id"].as_str().expect("an id");
    let moved =
        lines(&done(server.home().run(["integration", "move", id, text(&two), "--yes", "--json"]).await)).remove(0);
    assert_eq!(moved["location"].as_str(), two.canonicalize().expect("it is there").to_str());
    let second = lines(&done(server.home().run(["index", text(&two), "--json"]).await)).remove(0);
    assert_ne!(first["repository"], second["repository"]);
    assert_eq!(second["projects"][0]["project"], "TWO");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_apps_have_is_said_to_be_theirs() {
    let server = home().start().await;
    let path = server.home().folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    done(server.home().run(["index", text(&path)]).await);
    let all = lines(&done(server.home().run(["integration", "list", "--json"]).await));
    let id = all[0]["id"].as_str().expect("an id");
    let said = failed(server.home().run(["installation", "show", id]).await, 3);
    assert!(said.contains("`github_app` has one; `keytrail integration list` tells the kinds"), "{said}");
    let none = done(server.home().run(["issue", "pull-requests", "SHOP-1"]).await);
    assert_eq!(none, "no pull request names SHOP-1; only GitHub Apps tell of pull requests\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_not_utf_8_is_refused_in_words() {
    let server = home().start().await;
    let home = server.home();
    let path = home.folder().join(OsString::from_vec(b"caf\xe9".to_vec()));
    repository::empty(&path);
    let add = ["integration".into(), "add".into(), path.clone().into_os_string(), "--name".into(), "x".into()];
    let refused: [Vec<OsString>; 2] = [add.into(), vec!["index".into(), path.into_os_string()]];
    for command in refused {
        let said = failed(home.run(command).await, 2);
        assert!(said.contains("is not UTF-8"), "{said}");
    }
}

/// In an answer that takes its time.
const SLOWLY: &str = "X-Slowly: yes\r\nConnection:";

/// Plays a server of this home: each request gets the next answer whose path is in its address; the last one stays.
pub(crate) async fn play(home: &Home, script: Vec<(&'static str, Vec<String>)>) -> tokio::task::JoinHandle<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::fs::create_dir_all(home.data()).expect("a folder");
    let endpoint = json!({ "url": url, "token": "kt_played", "pid": 1 });
    std::fs::write(home.data().join("server.json"), endpoint.to_string()).expect("a file");
    let mut script: Vec<_> = script.into_iter().map(|(part, answers)| (part, answers.into_iter().peekable())).collect();
    tokio::spawn(async move {
        let mut last = vec![String::new(); script.len()];
        while let Ok((mut stream, _)) = listener.accept().await {
            // Requests are small, and each comes on a connection of its own.
            let mut bytes = vec![0; 65_536];
            let read = stream.read(&mut bytes).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&bytes[..read]).into_owned();
            let line = request.lines().next().unwrap_or_default();
            let answer = match script.iter_mut().zip(&mut last).find(|((part, _), _)| line.contains(part)) {
                Some(((_, answers), last)) => {
                    *last = answers.next().unwrap_or_else(|| last.clone());
                    last.clone()
                }
                None => answered("200 OK", "", &json!({ "status": "live" })),
            };
            if answer.contains(SLOWLY) {
                tokio::time::sleep(Duration::from_secs(4)).await;
            }
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    })
}

fn answered(status: &str, headers: &str, body: &Value) -> String {
    let kind = if body["code"].is_string() { "application/problem+json" } else { "application/json" };
    let body = body.to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n{body}"
    )
}

fn problem(status: &str, code: &str, retry: bool) -> String {
    let body = json!({ "code": code, "title": "A title.", "detail": "A detail.", "position": 1 });
    answered(status, if retry { "Retry-After: 1\r\n" } else { "" }, &body)
}

pub(crate) fn fine(body: &Value) -> String {
    answered("200 OK", "", body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_is_not_there_yet_is_waited_for() {
    let home = home();
    let view = vec![
        problem("503 Service Unavailable", "view_building", true),
        problem("202 Accepted", "view_behind", true),
        fine(&json!({ "items": [{ "id": "x" }], "next": null })),
    ];
    let playing = play(&home, vec![("/api/v1/integrations", view)]).await;
    let (code, printed, said) = home.run(["integration", "list", "--json"]).await;
    assert_eq!((code, printed.trim()), (Some(0), r#"{"id":"x"}"#), "{said}");
    assert!(said.contains("waiting for the server. A title. A detail."), "{said}");
    playing.abort();
    // What trying again cannot mend is not waited for.
    let faulted = vec![problem("503 Service Unavailable", "view_faulted", false)];
    let playing = play(&home, vec![("/api/v1/integrations", faulted)]).await;
    assert!(failed(home.run(["integration", "list"]).await, 5).contains("view_faulted"));
    playing.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_and_not_shown_yet_is_said_to_be_recorded() {
    let home = home();
    let id = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let body = json!({ "id": id, "position": 7 });
    let pending = answered("202 Accepted", "Retry-After: 1\r\n", &body);
    let keys = json!([{ "algorithm": "ssh-ed25519", "fingerprint_sha256": "SHA256:1" }]);
    let shown = fine(&json!({ "host": "git.example.com", "port": 22, "keys": keys, "offered": keys }));
    let mut script: Vec<_> =
        ["/host-keys/scan", "GET /api/v1/host-keys"].map(|part| (part, vec![shown.clone()])).into();
    script.extend(["/issues/", "/integrations/", "/host-keys"].map(|part| (part, vec![pending.clone()])));
    let playing = play(&home, script).await;
    let sha = "1".repeat(40);
    let commands: [&[&str]; 7] = [
        &["host-key", "trust", "git.example.com", "--yes", "--fingerprint", "SHA256:1"],
        &["host-key", "accept", "git.example.com", "--yes", "--fingerprint", "SHA256:1"],
        &["host-key", "refuse", "git.example.com"],
        &["issue", "restore", "SHOP-1", &sha, "--repository", id, "--yes"],
        &["issue", "unlink", "SHOP-1", &sha, "--repository", id, "--yes"],
        &["issue", "link", "SHOP-1", &sha, "--repository", id],
        &["integration", "pause", id],
    ];
    for command in commands {
        let said = done(home.run(command.iter().copied()).await);
        assert!(said.contains("it is recorded, and shown in a moment"), "{command:?}: {said}");
        let told = done(home.run(command.iter().copied().chain(["--json"])).await);
        assert_eq!(lines(&told), std::slice::from_ref(&body), "{command:?}");
    }
    playing.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_anybody_loses_something_is_decided_by_what_holds_now() {
    let home = home();
    let id = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let explained = |candidate: &str| {
        let steps = ["linked_by_hand", candidate, "project_counts", "not_denied"].map(|code| json!({ "code": code }));
        fine(&json!({ "repository": { "id": id, "name": "shop" }, "also_in": [], "steps": steps }))
    };
    // Not ready, and it says all the same how far it is.
    let readiness = json!({ "ready": false, "head": 41 });
    let script = vec![
        ("/readyz", vec![answered("503 Service Unavailable", "Retry-After: 5\r\n", &readiness)]),
        ("min_position=41", vec![explained("not_named")]),
        // As it was before: nobody would have lost anything, and nobody would be asked.
        ("/explain", vec![explained("named_in_subject")]),
    ];
    let playing = play(&home, script).await;
    let sha = "1".repeat(40);
    let said = failed(home.run(["issue", "restore", "SHOP-1", &sha, "--repository", id]).await, 2);
    assert!(said.contains("to nobody any more") && said.contains("--yes"), "{said}");
    playing.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_whose_run_is_tried_again_says_why() {
    let home = home();
    let id = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let row = json!({ "id": id, "name": "shop", "state": "indexing", "last_run": id });
    let script = vec![
        ("/index-runs/", vec![fine(&json!({ "id": id, "tried_again": "The host is not known." }))]),
        ("/repositories/", vec![fine(&row)]),
    ];
    let playing = play(&home, script).await;
    let said = done(home.run(["repository", "show", id]).await);
    assert!(said.contains("tried again  The host is not known."), "{said}");
    // Programs are told what the server says of the repository, and no more.
    assert_eq!(lines(&done(home.run(["repository", "show", id, "--json"]).await)), [row]);
    playing.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_busy_is_waited_for_and_a_run_that_no_view_shows_yet() {
    let home = home();
    let path = home.folder().join("shop");
    repository::empty(&path);
    let nothing = fine(&json!({ "items": [], "next": null }));
    let found = json!({ "id": "r", "state": "discovered", "location": text(&path), "last_run": "run" });
    let looks = vec![
        nothing.clone(),
        nothing.replace("Connection:", SLOWLY),
        nothing,
        fine(&json!({ "items": [found], "next": null })),
    ];
    let counts = json!({ "commits": 0, "keyed": 0, "keys": 0, "refs": 0 });
    let script = vec![
        ("/repositories", looks),
        ("POST /api/v1/integrations", vec![answered("202 Accepted", "", &json!({ "id": "i", "position": 1 }))]),
        ("/api/v1/integrations/i", vec![fine(&json!({ "id": "i", "state": "active" }))]),
        (
            "/api/v1/index-runs/run",
            vec![
                fine(&json!({ "id": "run", "position": 7 })),
                fine(&json!({ "id": "run", "state": "completed", "counts": counts })),
            ],
        ),
        ("/api/v1/projects", vec![fine(&json!({ "items": [], "next": null }))]),
    ];
    let playing = play(&home, script).await;
    let (code, printed, said) = home.run(["index", text(&path)]).await;
    assert_eq!(code, Some(0), "{printed}{said}");
    assert!(said.contains("waiting for a worker"), "{said}");
    playing.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_newest_event_is_what_it_found_is_replayed_too() {
    let home = home();
    let of = |kind: &str| vec![fine(&json!({ "items": [{ "stream_type": kind }], "next": null }))];
    // The log is told newest first unless it is asked otherwise.
    let script = vec![
        ("/streams/index_run/", vec![fine(&json!({ "items": [{ "position": 1 }], "next": null }))]),
        ("/streams/", vec![problem("422 Unprocessable Entity", "stream_not_shown", false)]),
        ("order=asc", of("index_run")),
        ("/api/v1/events", of("index_batch")),
    ];
    let playing = play(&home, script).await;
    let run = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    assert_eq!(lines(&done(home.run(["events", "--json", "--stream", run]).await))[0]["position"], 1);
    playing.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn long_work_is_listed_shown_and_stopped() {
    let server = home().start().await;
    let home = server.home();
    assert_eq!(done(home.run(["operation", "list", "--json"]).await), "");
    let path = home.folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    done(home.run(["index", text(&path)]).await);
    let all = lines(&done(home.run(["repository", "list", "--json"]).await));
    let id = all[0]["id"].as_str().expect("an id");
    let look = lines(&done(home.run(["repository", "fetch", id, "--no-wait", "--json"]).await)).remove(0);
    let operation = look["operation"]["id"].as_str().expect("an id").to_owned();
    let listed = lines(&done(home.run(["operation", "list", "--json"]).await));
    assert!(listed.iter().any(|one| one["id"] == operation.as_str()), "{listed:?}");
    let shown = lines(&done(home.run(["operation", "show", &operation, "--json"]).await)).remove(0);
    assert_eq!(shown["kind"], "fetch_repository");
    assert!(done(home.run(["operation", "show", &operation]).await).contains(&operation));
    // What ends by itself is not stopped, and says so.
    let said = failed(home.run(["operation", "cancel", &operation]).await, 4);
    assert!(said.contains("operation_not_cancellable"), "{said}");

    let verifying = server.client().post("/api/v1/views/verify", None, &json!({})).await.expect("it runs");
    let verification = verifying.body["id"].as_str().expect("an id").to_owned();
    // It is small, and may have ended before it was stopped.
    match home.run(["operation", "cancel", &verification, "--json"]).await {
        (Some(0), printed, _) => assert_eq!(lines(&printed)[0]["id"], verification.as_str()),
        ended => assert!(failed(ended, 4).contains("operation_not_cancellable")),
    }
    let nobody = "index_run.0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    failed(home.run(["operation", "show", nobody]).await, 3);
    for bad in ["../tokens", "a/b", "..", ""] {
        let said = failed(home.run(["operation", "show", bad]).await, 2);
        assert!(said.contains("operation list"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_the_data_folder_is_for_its_owner_alone_and_goes_with_its_server() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = home();
    // However open the place is where it is made.
    std::fs::set_permissions(home.folder(), std::fs::Permissions::from_mode(0o777)).expect("it is ours");
    let token_of = |home: &Home| {
        let file = home.data().join("server.json");
        let mode = std::fs::metadata(&file).expect("it is there").permissions().mode() & 0o777;
        let endpoint = lines(&std::fs::read_to_string(&file).expect("it can be read")).remove(0);
        (mode, endpoint["token"].as_str().expect("a token").to_owned())
    };
    let server = home.start().await;
    let (mode, first) = token_of(server.home());
    assert_eq!(mode, 0o600);
    let folder = std::fs::metadata(server.home().data()).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(folder, 0o700);
    let (home, _) = server.terminate().await;
    assert!(!home.data().join("server.json").exists());
    let server = home.start().await;
    let (mode, second) = token_of(server.home());
    assert_eq!(mode, 0o600);
    assert_ne!(first, second, "each start has its own");
}
