//! What the doctor finds, by the API and by the command line.

use std::path::Path;

use keytrail_test_support::server::{Home, Options};
use reqwest::StatusCode;
use serde_json::Value;

use crate::{
    command_line::{done, lines, text},
    repository,
    server::{Server, on_both_engines, soon},
};

/// The finding with this word.
#[track_caller]
pub(crate) fn found<'a>(findings: &'a [Value], id: &str) -> &'a Value {
    findings.iter().find(|finding| finding["id"] == id).unwrap_or_else(|| panic!("no {id} in {findings:?}"))
}

async fn everything_is_looked_at(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    server.add("shop", &path).await.with(StatusCode::CREATED);
    let doctor = server.get("/api/v1/doctor").await.with(StatusCode::OK);
    for id in [
        "git_program",
        "git_transport",
        "ssh_program",
        "git_addresses",
        "git_schemes",
        "mirrors",
        "mirrors_transports",
        "mirrors_kept",
        "mirrors_open",
        "mirrors_leftovers",
        "mirrors_handed_over",
        "disk",
        "repositories",
    ] {
        let finding = found(doctor.items(), id);
        assert!(finding["sentence"].as_str().is_some_and(|sentence| sentence.len() > 10), "{finding}");
        assert_eq!(finding["state"] == "ok", finding["remedy"].is_null(), "{finding}");
    }
    let ids: std::collections::BTreeSet<_> = doctor.items().iter().filter_map(|one| one["id"].as_str()).collect();
    assert!(ids.len() >= 25, "checks that speak on this engine: {ids:?}");
    assert_eq!(ids.len(), doctor.items().len(), "each says one thing");
    assert_eq!(found(doctor.items(), "git_schemes")["state"], "ok");
    assert_eq!(found(doctor.items(), "repositories")["state"], "ok");

    soon("it is indexed", || async {
        server.get("/api/v1/repositories").await.items().first().is_some_and(|row| row["state"] == "indexed")
    })
    .await;
    std::fs::write(server.app.caches.mirrors().join("of a person"), "x").expect("a file");
    std::fs::remove_dir_all(&path).expect("a folder");
    let id = server.get("/api/v1/repositories").await.items()[0]["id"].as_str().expect("an id").to_owned();
    server.post(&format!("/api/v1/repositories/{id}/index-runs"), serde_json::json!({})).await;
    soon("the trouble is found", || async {
        let doctor = server.get("/api/v1/doctor").await;
        let trouble = found(doctor.items(), "repositories");
        trouble["state"] == "warn" && trouble["details"].to_string().contains(&id)
    })
    .await;
    let doctor = server.get("/api/v1/doctor").await;
    assert_eq!(found(doctor.items(), "mirrors_foreign")["state"], "warn");
}

on_both_engines!(everything_is_looked_at);

pub(crate) async fn doctor(home: &Home) -> (Option<i32>, Vec<Value>) {
    let (code, printed, said) = home.run(["doctor", "--json"]).await;
    assert!(!said.contains("panicked"), "{said}");
    (code, lines(&printed))
}

/// A home whose store is there: a command has started a server of its own on it.
pub(crate) async fn begun(env: &[(&str, &str)]) -> Home {
    let home = home(env);
    done(home.run(["token", "list"]).await);
    home
}

pub(crate) fn home(env: &[(&str, &str)]) -> Home {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Home::new(env!("CARGO_BIN_EXE_keytrail"), Options { env, ..Options::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_fails_when_something_does() {
    let well = begun(&[("KEYTRAIL__GIT__FREE_BYTES", "0")]).await;
    let (code, findings) = doctor(&well).await;
    assert_eq!((code, &found(&findings, "disk")["state"]), (Some(0), &Value::from("ok")));
    let said = done(well.run(["doctor"]).await);
    assert!(said.contains("git_program") && said.contains("disk"), "{said}");

    let full = begun(&[("KEYTRAIL__GIT__FREE_BYTES", "9000000000000000000")]).await;
    let (code, findings) = doctor(&full).await;
    assert_eq!((code, &found(&findings, "disk")["state"]), (Some(1), &Value::from("fail")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_cannot_be_used_is_told_with_what_it_costs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let old = folder.path().join("git");
    script(&old, "#!/bin/sh\necho git version 2.47.1\n");
    let (code, findings) = doctor(&begun(&[("KEYTRAIL__GIT__PROGRAM", old.to_str().expect("UTF-8"))]).await).await;
    assert_eq!(code, Some(0), "it works all the same");
    let (program, way) = (found(&findings, "git_program"), found(&findings, "git_transport"));
    assert_eq!((&program["state"], &way["state"]), (&Value::from("warn"), &Value::from("warn")));
    assert!(program["sentence"].as_str().is_some_and(|sentence| sentence.contains("2.47.1")), "{program}");
    assert!(program["remedy"].as_str().is_some_and(|remedy| remedy.contains("2.47.3")), "{program}");
    assert!(way["sentence"].as_str().is_some_and(|sentence| sentence.contains("whole")), "{way}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ssh_that_cannot_be_used_is_told_with_what_it_costs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let old = folder.path().join("ssh");
    for (says, word) in [("OpenSSH_6.6.1p1 Debian", "6.6"), ("Dropbear v2022.83", "cannot be used")] {
        script(&old, &format!("#!/bin/sh\necho {says} >&2\n"));
        let (code, findings) = doctor(&begun(&[("KEYTRAIL__SSH__PROGRAM", old.to_str().expect("UTF-8"))]).await).await;
        assert_eq!(code, Some(0), "it works all the same");
        let program = found(&findings, "ssh_program");
        assert_eq!(program["state"], "warn", "{program}");
        let sentence = program["sentence"].as_str().unwrap_or_default();
        assert!(sentence.contains(word) && sentence.contains("no second way"), "{program}");
    }
    let (_, findings) = doctor(&begun(&[("KEYTRAIL__SSH__PROGRAM", "/nowhere/ssh")]).await).await;
    let program = found(&findings, "ssh_program");
    assert!(program["sentence"].as_str().is_some_and(|text| text.contains("there is no ssh program")), "{program}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_somebody_vouches_for_is_used_and_warned_of() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mended = folder.path().join("git");
    script(&mended, "#!/bin/sh\necho git version 2.39.5\n");
    let trusted = ("KEYTRAIL__GIT__PROGRAM_TRUSTED", "true");
    let named = begun(&[("KEYTRAIL__GIT__PROGRAM", mended.to_str().expect("UTF-8")), trusted]).await;
    let (_, findings) = doctor(&named).await;
    let (program, way) = (found(&findings, "git_program"), found(&findings, "git_transport"));
    assert_eq!((&program["state"], &way["state"]), (&Value::from("warn"), &Value::from("ok")));
    assert!(program["sentence"].as_str().is_some_and(|text| text.contains("git.program_trusted")), "{program}");

    for (wrong, key) in
        [(trusted, "git.program_trusted"), (("KEYTRAIL__GIT__MEMORY_BYTES", "1000"), "git.memory_bytes")]
    {
        let refused = home(&[wrong]).try_start().await.err().expect("nothing can be meant by it");
        assert!(refused.said.contains(key), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ssh_that_does_not_run_for_the_servers_user_is_told_in_its_words() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ssh = folder.path().join("ssh");
    script(&ssh, "#!/bin/sh\necho 'No user exists for uid 10001' >&2\nexit 255\n");
    let (_, findings) = doctor(&begun(&[("KEYTRAIL__SSH__PROGRAM", text(&ssh))]).await).await;
    let program = found(&findings, "ssh_program");
    let says = |member: &str, what: &str| program[member].as_str().is_some_and(|said| said.contains(what));
    assert!(program["state"] == "warn" && says("sentence", "No user exists for uid 10001"), "{program}");
    assert!(says("remedy", "/etc/passwd"), "{program}");
    // One that runs says what it is.
    let usual = doctor(&begun(&[]).await).await.1;
    let program = found(&usual, "ssh_program");
    assert!(program["sentence"].as_str().is_some_and(|said| said.contains(" is OpenSSH ")), "{program}");
}

pub(crate) fn script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).expect("a file");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a file of ours");
}
