//! `keytrail doctor --bundle`: what is in it, and what is not. Whatever names somebody or something is planted everywhere,
//! and searched for.

use std::{collections::BTreeMap, io::Read as _, os::unix::fs::PermissionsExt, path::Path};

use keytrail::ssh_keys::Target;
use keytrail_test_support::{
    postgres,
    server::{Home, Options},
};
use serde_json::{Value, json};

use crate::{
    command_line::{failed, text},
    elsewhere::{Elsewhere, url_of},
    repository::{self, git},
    server::soon,
    ssh_keys,
};

const CANARY: &str = "canary";

pub(crate) fn unpacked(file: &Path) -> BTreeMap<String, String> {
    let archive = flate2::read::GzDecoder::new(std::fs::File::open(file).expect("it is there"));
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().expect("a tar file");
    entries
        .map(|entry| {
            let mut entry = entry.expect("an entry");
            let name = entry.path().expect("a path").display().to_string();
            let mut content = String::new();
            entry.read_to_string(&mut content).expect("a text");
            (name.trim_start_matches("keytrail-support/").to_owned(), content)
        })
        .collect()
}

#[track_caller]
fn is_clean(files: &BTreeMap<String, String>, secrets: &[String]) {
    for (name, content) in files {
        let lower = content.to_lowercase();
        let at = lower.find(CANARY).map(|at| &content[at.saturating_sub(80)..(at + 40).min(content.len())]);
        assert_eq!(at, None, "{name}");
        for secret in secrets {
            assert!(!content.contains(secret.as_str()), "{name} holds a secret");
        }
    }
}

async fn bundled(home: &Home, name: &str) -> BTreeMap<String, String> {
    let file = home.folder().join(name);
    let (_, printed, said) = home.run(["doctor", "--bundle", text(&file)]).await;
    assert!(printed.contains(name) && !said.contains("panicked"), "{printed}{said}");
    assert_eq!(std::fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    let before = std::fs::read(&file).expect("bytes");
    assert!(failed(home.run(["doctor", "--bundle", text(&file)]).await, 2).contains("nothing is overwritten"));
    assert!(before == std::fs::read(&file).expect("bytes"));
    unpacked(&file)
}

async fn planted(database_url: Option<String>) {
    let beside = tempfile::tempdir().expect("a folder");
    let env = [
        ("KEYTRAIL__GIT__HOSTS", r#"["canary.example", "127.0.0.1"]"#),
        ("KEYTRAIL__GIT__ALLOW_HTTP", "true"),
        ("KEYTRAIL__GIT__ROOTS", r#"["/srv/canary"]"#),
        ("KEYTRAIL__STORE__NODE", "canary-node"),
        ("KEYTRAIL__GIT__FREE_BYTES", "0"),
        ("KEYTRAIL__LOG__LEVEL", "keytrail=trace"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let data = Some(beside.path().join("canary-data"));
    let home = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options { database_url, env, data, ..Options::default() });
    let server = home.start().await;
    let client = server.client();
    let path = home.folder().join("canary-repository");
    repository::with_commits(&path, &["CANARY-1 canary begins"]);
    git(
        &path,
        &[
            "-c",
            "user.email=canary@example.org",
            "-c",
            "user.name=Canary",
            "commit",
            "-q",
            "--allow-empty",
            "--author",
            "Canary <canary@example.org>",
            "-m",
            "CANARY-2 canary goes on",
        ],
    );
    git(&path, &["branch", "canary-branch"]);
    let place = json!({ "kind": "path", "path": path });
    let body = json!({ "name": "canary integration", "connection": place });
    assert!(client.post("/api/v1/integrations", Some("canary-key"), &body).await.expect("it runs").is_done());
    let remote = json!({ "kind": "git", "url": "http://127.0.0.1:1/canary.git",
        "credential": { "user": "canary", "password": "canary-password" } });
    let body = json!({ "name": "canary far", "connection": remote });
    client.post("/api/v1/integrations", None, &body).await.expect("it runs");
    // A key that is opened by what was said, one that is not, and one that the server makes.
    let key = ssh_keys::written(&ssh_keys::key(0xC7), Target::Pem, Some("canary-passphrase"));
    for (name, word, code) in [
        ("canary wrong", "canary-another", Some("ssh_key_passphrase_wrong")),
        ("canary key", "canary-passphrase", None),
    ] {
        let body = json!({ "name": name, "private_key": key, "passphrase": word });
        let said = client.post("/api/v1/ssh-keys", None, &body).await.expect("it runs").body;
        assert_eq!(said["code"].as_str(), code, "{said}");
    }
    let made = client.post("/api/v1/ssh-keys/generate", None, &json!({ "name": "canary made" })).await;
    let made = made.expect("it runs").body["public_key"].clone();
    let token = json!({ "name": "canary token", "role": "admin", "expires_in_days": 2 });
    let token = client.post("/api/v1/tokens", None, &token).await.expect("it runs").body["token"].clone();
    soon("it is indexed", || async {
        client.list("/api/v1/repositories?state=indexed").await.is_ok_and(|all| !all.is_empty())
    })
    .await;
    client.get("/api/v1/issues/CANARY-1").await.expect("it runs");
    // So that the doctor has something to say of things by name.
    std::fs::remove_dir_all(&path).expect("a folder");
    let all = client.list("/api/v1/repositories?state=indexed").await.expect("it runs");
    let id = all[0]["id"].as_str().expect("an id").to_owned();
    client.post(&format!("/api/v1/repositories/{id}/index-runs"), None, &json!({})).await.expect("it runs");
    soon("the trouble is told", || async {
        client.list("/api/v1/index-runs?state=failed").await.is_ok_and(|all| !all.is_empty())
    })
    .await;
    let endpoint = std::fs::read_to_string(home.data().join("server.json")).expect("it is there");
    let endpoint: Value = serde_json::from_str(&endpoint).expect("JSON");
    let mut secrets = vec![endpoint["token"].as_str().expect("a token").to_owned()];
    secrets.push(token.as_str().expect("a token").to_owned());
    secrets.push(std::fs::read_to_string(home.root_key()).expect("it is there").trim().to_owned());
    secrets.push(text(home.folder()).to_owned());
    secrets.extend(key.lines().filter(|line| line.len() > 40).map(str::to_owned));
    let plain = ssh_keys::written(&ssh_keys::key(0xC7), Target::OpenSsh, None);
    secrets.extend(ssh_keys::private_lines(&plain).filter(|line| line.len() > 40));
    // Of what it made even the public half is no matter of whoever reads the archive.
    let made = made.as_str().expect("a public half").split(' ').nth(1).expect("a key");
    secrets.extend([made.to_owned(), "PRIVATE KEY".to_owned()]);

    let files = bundled(&home, "running.tar.gz").await;
    is_clean(&files, &secrets);
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    assert_eq!(names, ["README.txt", "configuration.json", "findings.json", "log.jsonl", "metrics.txt", "server.json"]);
    let told: Value = serde_json::from_str(&files["server.json"]).expect("JSON");
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    assert!(told["events"]["integration.added"].as_i64().is_some_and(|count| count > 0), "{told}");
    assert!(told["tables"]["events"].as_i64().is_some_and(|bytes| bytes > 0), "{told}");
    assert_eq!(told["positions"]["head"], told["positions"]["newest_event"]);
    assert_eq!(told["configuration"]["git.hosts"], "(2 set)");
    assert!(files["metrics.txt"].contains("keytrail_log_position"));
    assert!(files["log.jsonl"].lines().count() > 5 && files["log.jsonl"].contains("keytrail serves"));
    let findings: Vec<Value> = serde_json::from_str(&files["findings.json"]).expect("JSON");
    let found = |id: &str| findings.iter().find(|one| one["id"] == id).unwrap_or_else(|| panic!("no {id}"));
    assert!(found("repositories")["details"].as_i64() > Some(0) && found("tokens")["details"].as_i64() > Some(0));

    // From another machine, which does not know the places of this one.
    let away = Elsewhere::new();
    let file = away.folder().join("far.tar.gz");
    let arguments = ["doctor", "--bundle", text(&file), "--server", &url_of(&server)];
    let (_, printed, said) = away.run(&arguments, Some(token.as_str().expect("a token"))).await;
    assert!(printed.contains("far.tar.gz"), "{printed}{said}");
    let far = unpacked(&file);
    secrets.push(text(away.folder()).to_owned());
    is_clean(&far, &secrets);
    let findings: Vec<Value> = serde_json::from_str(&far["findings.json"]).expect("JSON");
    let sentence = |id: &str| findings.iter().find(|one| one["id"] == id).expect("a finding")["sentence"].to_string();
    assert!(sentence("data_folder").contains("(data folder) is there"), "{findings:?}");
    assert!(sentence("mirrors").contains("(data folder)/"), "{findings:?}");
    assert!(sentence("root_key").contains("(root key file) is"), "{findings:?}");
    assert_eq!(far["configuration.json"], files["configuration.json"], "the server's");
    assert!(far["log.jsonl"].contains("the server is elsewhere") && far["log.jsonl"].lines().count() == 1);

    let (home, _) = server.terminate().await;
    let files = bundled(&home, "stopped.tar.gz").await;
    is_clean(&files, &secrets);
    assert!(files["log.jsonl"].contains("no server runs") && files.contains_key("server.json"));
    // And where no server can start.
    std::fs::set_permissions(home.root_key(), PermissionsExt::from_mode(0o644)).expect("it is ours");
    let files = bundled(&home, "broken.tar.gz").await;
    is_clean(&files, &secrets);
    assert!(!files.contains_key("server.json") && files["findings.json"].contains("root_key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_an_embedded_server_names_nobody_and_nothing() {
    planted(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_a_server_on_postgresql_names_nobody_and_nothing() {
    let database = postgres::database().await;
    // The cluster trusts whoever comes: any password will do.
    let url = database.url().replacen("keytrail@", "keytrail:canary-secret@", 1);
    planted(Some(url)).await;
}
