//! Keys that lie in the folder of the server's account: found, told, registered, used from their files at a real OpenSSH
//! server, and missed when they go. No file is ever changed, and nothing of one is sealed.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use keytrail::{secrets::ssh_private_keys, ssh_keys::Target};
use keytrail_domain::id::SshKeyId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    doctor::found,
    server::{Answer, Server, answer, on_both_engines, soon},
    ssh_keys::{key, private_lines, written},
    ssh_transport::{Served, TEST, id, is_in_trouble, is_indexed, repository_of, trust},
};

const FILES: &str = "/api/v1/ssh-key-files";
const REGISTER: &str = "/api/v1/ssh-keys/register";
const KEYS: &str = "/api/v1/ssh-keys";

/// Where a file of the folder with keys is.
fn place(server: &Server, name: &str) -> PathBuf {
    server.elsewhere.join("keys").join(name)
}

/// Puts a file into the folder with keys, for its owner's eyes only.
pub(crate) fn put(server: &Server, name: &str, text: &str) -> PathBuf {
    let path = place(server, name);
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
    path
}

fn plain(n: u8) -> String {
    written(&key(n), Target::OpenSsh, None)
}

fn sha256(n: u8) -> String {
    key(n).public().sha256()
}

async fn register(server: &Server, name: &str, n: u8) -> Answer {
    server.post(REGISTER, json!({ "name": name, "fingerprint_sha256": sha256(n) })).await
}

async fn files(server: &Server) -> Vec<Value> {
    let told = server.get(FILES).await.with(StatusCode::OK);
    told.body["files"].as_array().expect("a list").clone()
}

async fn no_folder_is_looked_into_before_one_is_named(server: Server) {
    let told = server.get(FILES).await.with(StatusCode::OK);
    assert_eq!((&told.body["folder"], &told.body["files"]), (&Value::Null, &json!([])), "{}", told.text);
    register(&server, "deploy", 1).await.refused(409, "ssh_key_folder_off");
    let doctor = server.get("/api/v1/doctor").await.with(StatusCode::OK);
    assert_eq!(found(doctor.items(), "key_folder")["state"], "ok");
    let viewer = server.token("viewer").await;
    answer(server.request(Method::GET, FILES).bearer_auth(&viewer)).await.refused(403, "role_insufficient");
    let asked = server.request(Method::POST, REGISTER).bearer_auth(viewer);
    let body = json!({ "name": "deploy", "fingerprint_sha256": sha256(1) });
    answer(asked.json(&body)).await.refused(403, "role_insufficient");
}

on_both_engines!(no_folder_is_looked_into_before_one_is_named);

async fn what_lies_in_the_folder_is_told_with_what_is_wrong_and_what_mends_it(server: Server) {
    let public = key(1).public().openssh("ann@laptop");
    put(&server, "a key", &plain(1));
    put(&server, "a key.pub", &public);
    put(&server, "known_hosts", &format!("git.example.com {public}\n"));
    put(&server, "cut", &plain(2)[..200]);
    let open = put(&server, "open", &written(&key(3), Target::Pem, None));
    fs::set_permissions(open, fs::Permissions::from_mode(0o644)).expect("it is ours");
    put(&server, "sealed", &written(&key(4), Target::OpenSsh, Some("a passphrase")));
    let told = server.get(FILES).await.with(StatusCode::OK);
    let folder = server.elsewhere.join("keys");
    assert_eq!((&told.body["folder"], &told.body["more"]), (&json!(folder), &json!(false)), "{}", told.text);
    let all = files(&server).await;
    let names = ["a key", "cut", "open", "sealed"];
    let paths: Vec<_> = all.iter().map(|file| file["path"].clone()).collect();
    assert_eq!(paths, names.map(|name| json!(place(&server, name))));
    let half = key(1);
    for (member, wanted) in [
        ("usable", json!(true)),
        ("problem", Value::Null),
        ("warning", Value::Null),
        ("format", json!("openssh")),
        ("encryption", Value::Null),
        ("algorithm", json!("ssh-ed25519")),
        ("bits", json!(256)),
        // An e-mail address is left out, as of every key.
        ("comment", json!("ann@laptop for …")),
        ("fingerprint_sha256", json!(half.public().sha256())),
        ("fingerprint_md5", json!(half.public().md5())),
        ("ssh_key", Value::Null),
    ] {
        assert_eq!(all[0][member], wanted, "{member} of {}", all[0]);
    }
    let of = |n: usize| (all[n]["usable"] == true, all[n]["problem"]["code"].as_str().unwrap_or("none"));
    assert_eq!((of(1), of(2)), ((false, "ssh_key_truncated"), (true, "none")));
    assert_eq!(of(3), (false, "ssh_key_passphrase_needed"));
    assert!(all[2]["warning"].as_str().is_some_and(|warning| warning.contains("chmod 600")), "{}", all[2]);
    // What stands outside of what is encrypted is told, and where the key belongs.
    assert_eq!(all[3]["fingerprint_sha256"], sha256(4));
    assert_eq!(all[3]["problem"]["commands"], json!(["keytrail ssh-key add FILE --name NAME"]));
    let doctor = server.get("/api/v1/doctor").await.with(StatusCode::OK);
    let finding = found(doctor.items(), "key_folder");
    assert_eq!((&finding["state"], &finding["details"]), (&json!("warn"), &json!([place(&server, "open")])));

    let refused = register(&server, "sealed", 4).await.refused(422, "ssh_key_file_unusable");
    assert_eq!(refused.body["problem"]["code"], "ssh_key_passphrase_needed", "{}", refused.text);
    register(&server, "none", 9).await.refused(422, "ssh_key_file_unknown");
    register(&server, " ", 1).await.refused(422, "name_invalid");
    // With its passphrase it is added, and the file and the key of the pool know of each other.
    let body = json!({ "name": "sealed", "private_key": written(&key(4), Target::OpenSsh, Some("a passphrase")),
        "passphrase": "a passphrase" });
    let added = server.post(KEYS, body).await.with(StatusCode::CREATED);
    assert_eq!(files(&server).await[3]["ssh_key"], added.id());

    fs::remove_dir_all(server.elsewhere.join("keys")).expect("it is ours");
    for refused in [server.get(FILES).await, register(&server, "deploy", 1).await] {
        refused.refused(409, "ssh_key_folder_unreadable");
    }
}

async fn a_registered_key_is_one_of_the_pool_and_its_file_stays_as_it_is(server: Server) {
    let path = put(&server, "deploy", &plain(1));
    let send = || {
        let body = json!({ "name": "Deploy", "fingerprint_sha256": sha256(1) });
        answer(server.local(Method::POST, REGISTER).header("Idempotency-Key", "once").json(&body))
    };
    let registered = send().await.with(StatusCode::CREATED);
    for (member, wanted) in [
        ("name", json!("Deploy")),
        ("state", json!("active")),
        ("origin", json!("on_disk")),
        ("path", json!(path)),
        ("format", json!("openssh")),
        ("had_passphrase", json!(false)),
        ("fingerprint_sha256", json!(sha256(1))),
        ("never_used", json!(true)),
        ("common", json!(true)),
        ("version", json!(1)),
    ] {
        assert_eq!(registered.body[member], wanted, "{member} of {}", registered.text);
    }
    assert!(registered.text_of("halves").contains("stays there"), "{}", registered.text);
    let again = send().await.with(StatusCode::CREATED);
    assert_eq!((again.id(), again.header("idempotency-replayed")), (registered.id(), "true".into()));
    let at = registered.header("location");
    assert_eq!(server.get(&at).await.with(StatusCode::OK).body, registered.body);
    assert_eq!(files(&server).await[0]["ssh_key"], registered.id());
    let taken = register(&server, "Other", 1).await.refused(409, "ssh_key_taken");
    assert_eq!(taken.text_of("ssh_key"), registered.id());
    put(&server, "other", &plain(2));
    register(&server, "DEPLOY", 2).await.refused(409, "ssh_key_name_taken");
    // Nothing of it is sealed, and nothing of the private half is told or recorded.
    let owner = ssh_private_keys::owner(registered.id().parse::<SshKeyId>().expect("an id"));
    let sealed = server.app.vault.open_field(owner, ssh_private_keys::PRIVATE_KEY).await.expect("it can be looked for");
    assert!(sealed.is_none());
    let stream = format!("/api/v1/streams/ssh_key/{}/events?state=true", registered.id());
    for told in [FILES, &at, &stream, "/api/v1/doctor"] {
        let told = server.get(told).await.with(StatusCode::OK);
        for line in private_lines(&plain(1)) {
            assert!(!told.text.contains(&line), "{}", told.text);
        }
    }

    // Where it lies is for who may change the server.
    let place = path.display().to_string();
    for role in ["viewer", "auditor"] {
        let token = server.token(role).await;
        let get = async |path: &str| answer(server.request(Method::GET, path).bearer_auth(&token)).await;
        let (one, list) = (get(&at).await.with(StatusCode::OK), get(KEYS).await.with(StatusCode::OK));
        assert_eq!((&one.body["path"], &one.body["name"]), (&Value::Null, &json!("Deploy")), "{}", one.text);
        assert!(!one.text.contains(&place) && !list.text.contains(&place), "{} {}", one.text, list.text);
        get(FILES).await.refused(403, "role_insufficient");
    }
    let token = server.token("admin").await;
    let one = answer(server.request(Method::GET, &at).bearer_auth(&token)).await.with(StatusCode::OK);
    assert_eq!(one.body["path"], json!(path));
    assert_eq!(server.get(KEYS).await.items()[0]["path"], json!(path));

    let rename = server.local(Method::PUT, &format!("{at}/name")).header("If-Match", "*");
    let renamed = answer(rename.json(&json!({ "name": "Mirror" }))).await.with(StatusCode::OK);
    assert_eq!(renamed.body["path"], json!(path));
    let retired = answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await.with(StatusCode::OK);
    assert_eq!(retired.text_of("state"), "retired");
    assert!(retired.text_of("halves").contains("stays where it is"), "{}", retired.text);
    assert_eq!(fs::read_to_string(&path).expect("it is there"), plain(1));
    assert_eq!(files(&server).await[0]["ssh_key"], Value::Null);
    let body = json!({ "name": "Deploy", "fingerprint_sha256": sha256(1), "common": false });
    let back = server.post(REGISTER, body).await.with(StatusCode::CREATED);
    assert_ne!(back.id(), registered.id());
    assert_eq!(back.body["common"], false, "{}", back.text);
}

async fn a_key_is_used_from_its_file_and_one_that_goes_is_told_by_its_code(server: Server) {
    let served = Served::new(&server, &[]);
    let path = put(&server, "deploy", &plain(1));
    let (used, other) = (
        register(&server, "deploy", 1).await.with(StatusCode::CREATED).body,
        crate::ssh_transport::key(&server, "other").await,
    );
    // The host would take the other one, too.
    served.lets_in(&[&used, &other]);
    trust(&server, &served.sshd).await;
    let url = served.url("shop.git");
    let connection = json!({ "kind": "git", "url": url, "ssh_key": used["id"] });
    let integration = server.connect("shop", connection).await.with(StatusCode::CREATED).id();
    is_indexed(&server, &integration).await;
    let ssh = repository_of(&server, &integration).await["ssh"].clone();
    assert_eq!((&ssh["offered"], &ssh["accepted"]), (&json!([used["id"]]), &used["id"]), "{ssh}");
    let told = server.get(&format!("{KEYS}/{}", id(&used))).await.with(StatusCode::OK);
    assert_eq!(told.body["never_used"], false, "{}", told.text);

    let why = async || {
        let body = json!({ "url": url, "ssh_key": used["id"] });
        let tested = server.post(TEST, body).await.with(StatusCode::OK);
        let step =
            tested.body["steps"].as_array().expect("steps").iter().find(|step| step["state"] == "failed").cloned();
        let step = step.unwrap_or_default();
        (step["step"].clone(), step["code"].clone(), step["text"].as_str().unwrap_or_default().to_owned())
    };
    let folder = server.elsewhere.join("keys").display().to_string();
    let is_missed = async |says: &str| {
        let (step, code, text) = why().await;
        assert_eq!((&step, &code), (&json!("authentication"), &json!("ssh_key_not_on_this_node")), "{text}");
        assert!(!text.contains(&folder), "{text}");
        assert!(text.contains(says) && text.contains("no other key is offered in its place"), "{text}");
    };
    let away = server.elsewhere.join("away");
    fs::rename(&path, &away).expect("it is ours");
    served.commit("SHOP-3 is new");
    is_in_trouble(&server, &integration, "ssh_key_not_on_this_node").await;
    // What was begun before that came to its end.
    server.look_behind().await;
    let row = repository_of(&server, &integration).await;
    assert_eq!(row["ssh"]["offered"], json!([used["id"]]), "{row}");
    assert!(!row.to_string().contains(&folder), "who sees the repository may not know where keys lie: {row}");
    is_missed("no file in").await;
    let doctor = server.get("/api/v1/doctor").await.with(StatusCode::OK);
    let finding = found(doctor.items(), "key_folder");
    assert!(finding["state"] == "fail" && finding["details"][0].as_str().is_some_and(|one| one.contains("deploy")));
    // Another key in its place is not taken for it, and nobody types a passphrase.
    put(&server, "deploy", &plain(2));
    is_missed("no file in").await;
    put(&server, "deploy", &written(&key(1), Target::OpenSsh, Some("a passphrase")));
    is_missed("holds it with a passphrase").await;
    // It is the same key under any name.
    fs::rename(&away, place(&server, "renamed")).expect("it is ours");
    let repository = id(&repository_of(&server, &integration).await);
    server.post(&format!("/api/v1/repositories/{repository}/fetch"), json!({})).await.with(StatusCode::ACCEPTED);
    soon("it is read again", || async {
        let row = repository_of(&server, &integration).await;
        row["trouble"].is_null() && server.get("/api/v1/issues/SHOP-3").await.body["commits"] == 1
    })
    .await;
    server.look_behind().await;
}

on_both_engines!(
    key_folder;
    what_lies_in_the_folder_is_told_with_what_is_wrong_and_what_mends_it,
    a_registered_key_is_one_of_the_pool_and_its_file_stays_as_it_is,
    a_key_is_used_from_its_file_and_one_that_goes_is_told_by_its_code,
);
