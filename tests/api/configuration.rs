//! `keytrail config`: what is set and where from, every mistake, the default file.

use std::path::Path;

use keytrail_test_support::server::{Home, Options};
use serde_json::{Value, json};

use crate::command_line::{done, lines, text};

fn home(env: &[(&str, &str)]) -> Home {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Home::new(env!("CARGO_BIN_EXE_keytrail"), Options { env, ..Options::default() })
}

#[track_caller]
fn at<'a>(settings: &'a [Value], key: &str) -> &'a Value {
    settings.iter().find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("no {key} in {settings:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_setting_is_shown_with_where_it_comes_from_and_no_secret() {
    let home = home(&[("KEYTRAIL__JOBS__WORKERS", "5"), ("KEYTRAIL__GIT__HOSTS", r#"["git.example"]"#)]);
    let file = home.folder().join("keytrail.toml");
    let toml =
        "[store]\ndatabase_url = \"postgres://u:hunter2@h/x\"\n\n[git]\nallow_http = true\n[jobs]\nworkers = 3\n";
    std::fs::write(&file, toml).expect("a file");
    let shown = done(home.run(["config", "show", "--origin", "--json", "--config", text(&file)]).await);
    assert!(!shown.contains("hunter2"), "{shown}");
    let all = lines(&shown);
    let file_at = |line: u32| json!({ "kind": "file", "path": text(&file), "line": line });
    for (key, value, origin) in [
        ("jobs.workers", json!(5), json!({ "kind": "variable", "name": "KEYTRAIL__JOBS__WORKERS" })),
        ("git.hosts", json!(["git.example"]), json!({ "kind": "variable", "name": "KEYTRAIL__GIT__HOSTS" })),
        ("git.allow_http", json!(true), file_at(5)),
        ("store.database_url", json!("(set)"), file_at(2)),
        ("store.folder", json!(home.data()), json!({ "kind": "flag", "name": "--data" })),
        ("git.quota_bytes", json!(20_000_000_000_u64), json!({ "kind": "default" })),
        ("git.program", json!(null), json!({ "kind": "default" })),
    ] {
        assert_eq!((&at(&all, key)["value"], &at(&all, key)["origin"]), (&value, &origin), "{key}");
    }
    let table = done(home.run(["config", "show", "--origin", "--config", text(&file)]).await);
    assert!(table.contains("KEYTRAIL__JOBS__WORKERS") && table.contains("keytrail.toml:5"), "{table}");
    assert!(!table.contains("hunter2") && !home.data().exists(), "it only reads");
    assert!(!done(home.run(["config", "show"]).await).contains("ORIGIN"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_told_at_once() {
    let well = home(&[]);
    assert!(done(well.run(["config", "check"]).await).contains("can be used"));
    let home =
        home(&[("KEYTRAIL__JOBS__WORKERS", "many"), ("KEYTRAIL__STORE__FOLDR", "/x"), ("KEYTRAIL_LOG_LEVEL", "debug")]);
    let file = home.folder().join("keytrail.toml");
    std::fs::write(&file, "[git]\nallow_htp = true\n[store]\ndatabase_url = [\"hunter2\"]\n").expect("a file");
    let (code, printed, _) = home.run(["config", "check", "--json", "--config", text(&file)]).await;
    assert_eq!(code, Some(2), "{printed}");
    let found = lines(&printed);
    let keys: Vec<_> = found.iter().filter_map(|mistake| mistake["key"].as_str()).collect();
    assert_eq!(keys, ["git.allow_htp", "store.database_url", "jobs.workers", "store.foldr"], "{printed}");
    assert_eq!((&found[0]["suggestion"], &found[0]["origin"]["line"]), (&json!("git.allow_http"), &json!(2)));
    assert_eq!(found[3]["suggestion"], "store.folder");
    assert!(!printed.contains("hunter2"), "{printed}");
    let (code, printed, _) = home.run(["config", "check", "--config", text(&file)]).await;
    assert_eq!(code, Some(2));
    assert!(printed.contains("did you mean git.allow_http?") && printed.lines().count() == 4, "{printed}");
    // The server says the same, and does not start.
    let (code, _, said) = home.run(["serve", "--config", text(&file)]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("git.allow_htp") && said.contains("jobs.workers") && !said.contains("hunter2"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_the_right_form_and_cannot_be_meant_is_told_too() {
    let home = home(&[
        ("KEYTRAIL__GIT__HOSTS", r#"["not a host", "git.example", "-"]"#),
        ("KEYTRAIL__GIT__NETWORKS", r#"["10.0.0.0/99"]"#),
        ("KEYTRAIL__GIT__SHORTEST_POLL_SECONDS", "0"),
        ("KEYTRAIL__SSH_KEYS__FOLDER", "keys"),
        ("KEYTRAIL__LOG__LEVEL", "keytrail=loud"),
        ("KEYTRAIL_LOG_LEVEL", "debug"),
    ]);
    let (code, printed, _) = home.run(["config", "check", "--json"]).await;
    assert_eq!(code, Some(2), "{printed}");
    let found = lines(&printed);
    let keys: Vec<_> = found.iter().map(|mistake| mistake["key"].as_str().unwrap_or("")).collect();
    let expected =
        ["git.hosts", "git.hosts", "git.networks", "git.shortest_poll_seconds", "ssh_keys.folder", "log.level", ""];
    assert_eq!(keys, expected, "{printed}");
    assert_eq!(found[0]["origin"]["name"], "KEYTRAIL__GIT__HOSTS");
    assert_eq!(found[6]["suggestion"], "KEYTRAIL__LOG__LEVEL");
    let (code, printed, _) = home.run(["config", "check", "--config", "/nowhere/keytrail.toml"]).await;
    assert!(code == Some(2) && printed.contains("(/nowhere/keytrail.toml)"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_file_can_be_used_as_it_is() {
    let home = home(&[]);
    let file = home.folder().join("keytrail.toml");
    std::fs::write(&file, done(home.run(["config", "default"]).await)).expect("a file");
    done(home.run(["config", "check", "--config", text(&file)]).await);
    let values = |printed: String| -> Vec<(Value, Value)> {
        lines(&printed).iter().map(|one| (one["key"].clone(), one["value"].clone())).collect()
    };
    let with = values(done(home.run(["config", "show", "--json", "--config", text(&file)]).await));
    let without = values(done(home.run(["config", "show", "--json"]).await));
    assert_eq!(with, without);
    let told = lines(&done(home.run(["config", "default", "--json"]).await));
    assert_eq!(told.len(), with.len());
    assert!(told.iter().all(|key| key["about"].as_str().is_some_and(|about| about.ends_with('.'))), "{told:?}");
    assert!(Path::new(&file).exists());
}
