//! Repositories that cannot be read, or not to their end: what is said, and that nothing stays in the way.

use std::{fs, os::unix::fs::chown, path::Path};

use keytrail_test_support::server::{Home, Options};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    repository::{self, git},
    server::{Server, on_both_engines, soon},
};

/// The file of a commit's object.
fn object(path: &Path, revision: &str) -> std::path::PathBuf {
    let output =
        std::process::Command::new("git").args(["rev-parse", revision]).current_dir(path).output().expect("git runs");
    let sha = String::from_utf8(output.stdout).expect("ASCII");
    path.join(".git/objects").join(&sha[..2]).join(sha[2..].trim())
}

/// Spoils the oldest of three commits, and looks at what comes of it before and after it is mended.
async fn a_run_fails_with(server: Server, code: &str, spoil: impl Fn(&Path)) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins", "SHOP-2 goes on", "SHOP-3 ends"]);
    git(&path, &["config", "gc.auto", "0"]);
    let object = object(&path, "HEAD~2");
    let whole = fs::read(&object).expect("an object");
    // Git makes its objects read-only.
    fs::remove_file(&object).expect("it can be taken away");
    spoil(&object);
    let added = server.add("shop", &path).await.with(StatusCode::CREATED);
    let list = format!("/api/v1/integrations/{}/repositories", added.id());
    soon("the run has failed", || async {
        server.get(&list).await.items().first().is_some_and(|row| row["state"] == "failed")
    })
    .await;
    let row = server.get(&list).await.items()[0].clone();
    assert_eq!(row["failure"]["code"], code, "{row}");
    assert!(row["failure"]["text"].as_str().is_some_and(|text| text.contains("git fsck")), "{row}");
    assert_eq!((&row["commits"], &row["keyed"], &row["indexed_at"]), (&json!(0), &json!(0), &Value::Null));
    // The run gave its claim back: another can be asked for, and fails in the same way.
    let request = format!("/api/v1/repositories/{}/index-runs", row["id"].as_str().expect("an id"));
    let again = server.post(&request, json!({})).await.with(StatusCode::ACCEPTED);
    let run = server.get(&format!("/api/v1/index-runs/{}?wait_ms=30000", again.id())).await.with(StatusCode::OK);
    assert_eq!((&run.body["state"], &run.body["failure"]["code"]), (&json!("failed"), &json!(code)), "{}", run.text);
    let position = &run.body["position"];
    for key in ["SHOP-1", "SHOP-2", "SHOP-3"] {
        let issue = server.get(&format!("/api/v1/issues/{key}?min_position={position}")).await.with(StatusCode::OK);
        assert_eq!(issue.body["commits"], 0, "{}", issue.text);
    }
    let _ = fs::remove_file(&object);
    fs::write(&object, whole).expect("it is mended");
    let mended = server.post(&request, json!({})).await.with(StatusCode::ACCEPTED);
    let run = server.get(&format!("/api/v1/index-runs/{}?wait_ms=30000", mended.id())).await.with(StatusCode::OK);
    assert_eq!((&run.body["state"], &run.body["counts"]["commits"]), (&json!("completed"), &json!(3)), "{}", run.text);
    let at = format!("/api/v1/issues/SHOP-1?min_position={}", run.body["position"]);
    assert_eq!(server.get(&at).await.with(StatusCode::OK).body["commits"], 1);
}

async fn a_corrupt_object_fails_the_run_and_nothing_half_made_shows(server: Server) {
    a_run_fails_with(server, "corrupt_object", |object| fs::write(object, "no object").expect("a file")).await;
}

async fn a_missing_object_fails_the_run_and_nothing_half_made_shows(server: Server) {
    a_run_fails_with(server, "missing_object", |_| {}).await;
}

/// Needs root, which may give a folder away; says so when it is not.
async fn a_repository_of_another_owner_is_refused(server: Server) {
    let path = server.root.join("shop");
    repository::empty(&path);
    if chown(path.join(".git"), Some(12_345), None).is_err() {
        println!("ran without the change of owner: the test does not run as root");
        return;
    }
    let refused = server.add("shop", &path).await.refused(422, "denied");
    assert!(refused.text_of("detail").contains("belongs to another user"), "{}", refused.text);
    assert!(server.get("/api/v1/integrations").await.items().is_empty());
}

on_both_engines!(
    a_corrupt_object_fails_the_run_and_nothing_half_made_shows,
    a_missing_object_fails_the_run_and_nothing_half_made_shows,
    a_repository_of_another_owner_is_refused,
);

/// Root may enter every folder, so as root the program runs as somebody else; it says when it cannot.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_may_not_be_entered_is_refused_on_the_command_line() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let home = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default());
    let locked = home.folder().join("locked");
    repository::empty(&locked.join("shop"));
    let theirs = home.folder().join("theirs");
    repository::empty(&theirs);
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).expect("it is ours");
    let root = fs::metadata(home.folder()).expect("it is there").uid() == 0;
    if root {
        for part in [home.folder().to_owned(), home.root_key().parent().expect("a folder").to_owned()] {
            chown(part, Some(65_534), Some(65_534)).expect("root");
        }
    }
    let run = |path: &Path| {
        let mut command = home.command(["index".as_ref(), path.as_os_str()]);
        if root {
            command.uid(65_534).gid(65_534);
        }
        command
    };
    match run(&locked.join("shop")).output().await {
        Err(error) => println!("ran without a folder that may not be entered: {error}"),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.code() == Some(4) && said.contains("(path_unreadable)"), "{said}");
            if root {
                let output = run(&theirs).output().await.expect("it ran before");
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.code() == Some(4) && said.contains("(denied)"), "{said}");
            }
        }
    }
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).expect("we may");
}
