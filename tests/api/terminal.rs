//! What a person at a terminal sees, and is asked: the real program on a terminal that the program `script` makes.

use std::process::Stdio;

use keytrail_test_support::server::{Home, Options};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
};

use crate::{
    command_line::{done, fine, lines, play, text},
    repository,
};

/// The terminal, and who sits there.
#[derive(Clone, Copy)]
struct Seat<'a> {
    columns: u16,
    types: &'a str,
    env: &'a [(&'a str, &'a str)],
}

const SEAT: Seat<'static> = Seat { columns: 80, types: "", env: &[] };

/// The program on a terminal of its own.
fn seated(home: &Home, seat: Seat<'_>, arguments: &[&str]) -> Child {
    let Seat { columns, types: _, env } = seat;
    let mut words = vec![env!("CARGO_BIN_EXE_keytrail")];
    let (data, key) = (home.data(), home.root_key());
    words.extend(["--data", text(&data), "--root-key-file", text(&key)]);
    words.extend(arguments);
    let line = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &format!("stty cols {columns}; exec {line}"), "/dev/null"]);
    command.env("HOME", home.folder()).env("TERM", "xterm-256color").env_remove("NO_COLOR");
    command.envs(env.iter().copied());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("these tests need `script`: install the Debian package `bsdutils`")
}

/// The exit code, and all that stood on the screen.
async fn on_a_terminal(home: &Home, seat: Seat<'_>, arguments: &[&str]) -> (Option<i32>, String) {
    let mut child = seated(home, seat, arguments);
    // Kept: the end of what is typed would end the terminal.
    let mut keys = child.stdin.take().expect("it is piped");
    keys.write_all(seat.types.as_bytes()).await.expect("it takes keys");
    let output = child.wait_with_output().await.expect("it ends");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_fits_the_terminal_and_is_whole_where_nobody_looks() {
    let server = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default()).start().await;
    let home = server.home();
    let long = "a-name-that-is-longer-than-half-of-the-room-there-is-日本語日本語日本語";
    let path = home.folder().join(long);
    repository::with_commits(&path, &["SHOP-1 begins"]);
    done(home.run(["index", text(&path)]).await);
    let (code, seen) = on_a_terminal(home, SEAT, &["integration", "list"]).await;
    let rows: Vec<_> = seen.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!((code, rows.len()), (Some(0), 2), "{seen}");
    assert!(rows.iter().all(|line| line.chars().count() <= 80) && rows[1].contains('…'), "{seen}");
    let id = lines(&done(home.run(["integration", "list", "--json"]).await))[0]["id"].clone();
    // The beginning of an id is shown, and taken for the whole one.
    let beginning = rows[1].split_whitespace().next().expect("a word");
    assert!(beginning.len() >= 8 && id.as_str().expect("an id").starts_with(beginning), "{seen}");
    assert!(done(home.run(["integration", "show", beginning]).await).contains(long));
    let (_, tokens) = on_a_terminal(home, SEAT, &["run", "list"]).await;
    let row = tokens.lines().find(|line| line.contains("completed")).expect("the run");
    assert!(row.chars().count() <= 80 && row.contains(" 20") && row.contains(':'), "its time is whole: {tokens}");
    let whole = done(home.run(["integration", "list"]).await);
    assert!(whole.contains(long) && !whole.contains('…'), "{whole}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_before_something_goes_and_no_means_no() {
    let server = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default()).start().await;
    let home = server.home();
    let issued = lines(&done(home.run(["token", "issue", "--name", "laptop", "--json"]).await)).remove(0);
    let revoke = ["token", "revoke", issued["id"].as_str().expect("an id")];
    let state = async || lines(&done(home.run(["token", "list", "--json"]).await))[0]["state"].clone();
    for answer in ["n\n", "\n", "nope\n"] {
        let (code, seen) = on_a_terminal(home, Seat { types: answer, ..SEAT }, &revoke).await;
        assert!(code == Some(0) && seen.contains("Go on? [y/N]") && seen.contains("nothing was done"), "{seen}");
        assert_eq!(state().await, "active");
    }
    let (code, seen) = on_a_terminal(home, Seat { types: "y\n", ..SEAT }, &revoke).await;
    assert!(code == Some(0) && seen.contains("laptop") && seen.contains("revoked"), "{seen}");
    assert_eq!(state().await, "revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_are_for_terminals_and_not_for_who_does_not_want_them() {
    let server = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default()).start().await;
    let home = server.home();
    let path = home.folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    std::fs::write(path.join("file"), "one\n").expect("a file");
    repository::git(&path, &["add", "file"]);
    repository::git(&path, &["commit", "-q", "-m", "SHOP-1 adds a file"]);
    done(home.run(["index", text(&path)]).await);
    let commits = lines(&done(home.run(["issue", "commits", "SHOP-1", "--json"]).await));
    let found = commits.iter().find(|commit| commit["subject"] == "SHOP-1 adds a file").expect("a commit");
    let diff = ["commit", "diff", found["sha"].as_str().expect("a name")];
    let (_, coloured) = on_a_terminal(home, SEAT, &diff).await;
    assert!(coloured.contains("\u{1b}[32m+one"), "{coloured:?}");
    let (_, plain) = on_a_terminal(home, Seat { env: &[("NO_COLOR", "1")], ..SEAT }, &diff).await;
    assert!(plain.contains("+one") && !plain.contains('\u{1b}'), "{plain:?}");
    assert!(!done(home.run(diff).await).contains('\u{1b}'));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_work_is_waited_for_with_a_bar_that_says_how_long_it_takes_from_now_on() {
    let home = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default());
    let operation = |state: &str| {
        let progress = json!({ "phase": "folding", "done": 400, "total": 1000, "unit": "events", "eta_seconds": 42 });
        json!({ "id": "rebuild_view.token_list.7", "state": state, "progress": progress, "verdicts": null })
    };
    let script = vec![
        ("/rebuild ", vec![fine(&json!({ "items": [], "operation": { "id": "rebuild_view.token_list.7" } }))]),
        ("/api/v1/operations/", vec![fine(&operation("running")), fine(&operation("succeeded"))]),
    ];
    let playing = play(&home, script).await;
    let (code, seen) = on_a_terminal(&home, SEAT, &["views", "rebuild", "token_list"]).await;
    assert_eq!(code, Some(0), "{seen}");
    assert!(seen.contains("400/1,000 events, 42 seconds left") && seen.contains("succeeded"), "{seen}");
    let (_, seen) = on_a_terminal(&home, SEAT, &["views", "rebuild", "token_list", "--no-wait"]).await;
    assert!(!seen.contains(" left") && seen.contains("operation show rebuild_view.token_list.7"), "{seen}");
    playing.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_says_how_many_of_its_repositories_are_indexed_and_how_long_the_others_take() {
    let home = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default());
    let shown = |eta: Option<u64>, failed: u64| {
        let indexing = json!({ "repositories": 15, "indexed": 8, "failed": failed, "waiting": 7, "eta_seconds": eta });
        fine(&json!({ "id": "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "name": "shop", "indexing": indexing }))
    };
    let id = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let playing = play(&home, vec![("/api/v1/integrations/", vec![shown(Some(34), 0), shown(None, 2)])]).await;
    let said = done(home.run(["integration", "show", id]).await);
    assert!(said.contains("8 of 15 repositories, about 34 s\n"), "{said}");
    let said = done(home.run(["integration", "show", id]).await);
    assert!(said.contains("8 of 15 repositories, 2 failed\n") && !said.contains("about"), "{said}");
    let said = lines(&done(home.run(["integration", "show", id, "--json"]).await));
    assert_eq!(said[0]["indexing"]["repositories"], 15, "programs get the numbers");
    playing.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_waited_for_with_a_bar_that_says_how_long_it_takes_from_now_on() {
    let home = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default());
    let id = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let run = |state: &str, phase: &str, total: u64, eta: Option<u64>| {
        let counts = json!({ "commits": 8, "keyed": 4, "keys": 4, "refs": 1 });
        let progress = json!({
            "phase": phase, "objects": 300, "objects_total": 1200, "bytes": 2048, "commits": 7000, "keyed": 3,
            "recorded": 2500, "total": total, "eta_seconds": eta,
        });
        fine(&json!({ "id": id, "state": state, "counts": counts, "progress": progress }))
    };
    let script = vec![
        ("/retry ", vec![fine(&json!({ "id": id }))]),
        (
            "/api/v1/index-runs/",
            vec![
                run("running", "fetching", 0, Some(42)),
                run("running", "discovering", 0, None),
                run("running", "recording", 10_000, Some(7)),
                run("completed", "done", 10_000, None),
            ],
        ),
    ];
    let playing = play(&home, script).await;
    let (code, seen) = on_a_terminal(&home, SEAT, &["run", "retry", id]).await;
    assert_eq!(code, Some(0), "{seen}");
    for told in
        ["300/1,200 objects, 2.00 KiB, 42 seconds left", "7,000 commits", "2,500/10,000 commits, 7 seconds left"]
    {
        assert!(seen.contains(told), "{told}: {seen}");
    }
    playing.abort();
}

/// All that a server says on a terminal, until somebody types Ctrl-C.
async fn served_on_a_terminal(home: &Home, env: &[(&str, &str)]) -> String {
    let mut child = seated(home, Seat { env, ..SEAT }, &["serve", "--listen", "127.0.0.1:0"]);
    let mut keys = child.stdin.take().expect("it is piped");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut seen = String::new();
    while let Some(line) = lines.next_line().await.expect("text") {
        seen.push_str(&format!("{line}\n"));
        if line.starts_with("keytrail serves on ") {
            keys.write_all(b"\x03").await.expect("it takes keys");
        }
    }
    assert_eq!(child.wait().await.expect("it ends").code(), Some(0), "{seen}");
    seen
}

/// What a server writes of itself into a pipe.
async fn served_into_a_file(format: &str) -> String {
    let env = vec![("KEYTRAIL__LOG__FORMAT".to_owned(), format.to_owned())];
    let server = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options { env, ..Options::default() }).start().await;
    server.terminate().await.0.log()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_pretty_on_a_terminal_and_json_in_a_pipe_unless_it_is_said_otherwise() {
    let home = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default());
    let seen = served_on_a_terminal(&home, &[]).await;
    assert!(seen.contains("INFO") && seen.contains('\u{1b}') && seen.contains("keytrail stops"), "{seen}");
    assert!(!seen.contains("{\"timestamp\""), "{seen}");
    let plain = served_on_a_terminal(&home, &[("NO_COLOR", "1")]).await;
    assert!(plain.contains("INFO") && !plain.contains('\u{1b}'), "{plain}");
    let machine = served_on_a_terminal(&home, &[("KEYTRAIL__LOG__FORMAT", "json")]).await;
    assert!(machine.contains("{\"timestamp\""), "{machine}");

    let piped = served_into_a_file("auto").await;
    let read: Vec<_> = lines(&piped);
    assert!(read.iter().any(|line| line["message"] == "keytrail stops"), "{piped}");
    let pretty = served_into_a_file("pretty").await;
    assert!(
        pretty.contains("INFO") && pretty.contains("keytrail stops") && !pretty.contains("{\"timestamp\""),
        "{pretty}"
    );
}
