//! Nodes over one database, each with a folder with keys of its own: the doctor of any of them says what another lacks.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use keytrail::{
    app::{App, Context},
    clock::Clock,
    doctor::{self, Finding, State},
    ids, jobs,
    ssh_keys::Target,
};
use keytrail_domain::{
    display_text::DisplayText,
    ssh_key::{Algorithm, Command, Format, PublicKey, SshKey, SshKeyName},
};
use keytrail_test_support::postgres::database;

use crate::{
    nodes::node_with,
    server::soon,
    ssh_keys::{key, written},
};

/// A node called `name`, with a folder for keys.
async fn node(folder: &Path, url: &str, name: &str) -> Arc<App> {
    let keys = folder.join("keys");
    fs::create_dir_all(&keys).expect("a folder");
    node_with(folder, Some(url), Clock::System, |config| {
        config.ssh_keys.folder = Some(keys);
        config.store.node = Some(name.to_owned());
    })
    .await
}

fn put(folder: &Path, name: &str, n: u8) {
    let path = folder.join("keys").join(name);
    fs::write(&path, written(&key(n), Target::OpenSsh, None)).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("it is ours");
}

async fn finding(app: &Arc<App>, id: &str) -> Option<Finding> {
    let all = doctor::examine(app).await;
    all.into_iter().map(|(_, finding)| finding).find(|finding| finding.id == id)
}

async fn states(app: &Arc<App>) -> (Option<State>, Option<State>) {
    let state = async |id: &str| finding(app, id).await.map(|finding| finding.state);
    (state("key_folder").await, state("key_folders_of_nodes").await)
}

/// How many nodes said what they found, and how many live.
async fn told(app: &App) -> (usize, usize) {
    let told = jobs::keys_of_nodes(&app.db).await.expect("rows");
    (told.len(), jobs::nodes(&app.db).await.expect("rows").len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lacks_a_key_is_told_by_the_doctor_of_each_node() {
    let database = database().await;
    let url = database.url();
    let (folder, other) =
        (tempfile::tempdir().expect("a temporary folder"), tempfile::tempdir().expect("a temporary folder"));
    fs::create_dir(folder.path().join("keys")).expect("a folder");
    put(folder.path(), "deploy", 1);
    put(folder.path(), "mirror", 2);
    let first = node(folder.path(), &url, "one").await;
    soon("it says what it found", || async { told(&first).await == (1, 1) }).await;
    assert_eq!(states(&first).await, (Some(State::Ok), None), "with one node there is nothing to compare");
    let half = key(1);
    let command = Command::Register {
        name: SshKeyName::parse("deploy").expect("a name"),
        public: PublicKey {
            algorithm: Algorithm::Ed25519,
            bits: 256,
            comment: DisplayText::default(),
            sha256: half.public().sha256(),
            md5: half.public().md5(),
            blob: half.public().base64(),
        },
        format: Format::OpenSsh,
        common: true,
        path: DisplayText::clean("/srv/keys/deploy"),
    };
    first.dispatch::<SshKey>(ids::new_id(), command, Context::server("case", 0), Vec::new()).await.expect("it is new");

    fs::copy(folder.path().join("root.key"), other.path().join("root.key")).expect("a root key");
    let second = node(other.path(), &url, "two").await;
    soon("both say what they found", || async { told(&second).await == (2, 2) }).await;
    // The views of the second node come to what the first one recorded.
    soon("the second one lacks it", || async { states(&second).await == (Some(State::Fail), Some(State::Fail)) }).await;
    let lacks = finding(&second, "key_folders_of_nodes").await.expect("they are compared").details;
    assert_eq!(lacks.len(), 1, "{lacks:?}");
    assert!(lacks[0].starts_with("two-") && lacks[0].contains(" lacks deploy ("), "{lacks:?}");
    assert_eq!(states(&first).await, (Some(State::Ok), Some(State::Fail)), "and the first one knows");
    // The own folder is looked at now.
    put(other.path(), "under another name", 1);
    assert_eq!(states(&second).await, (Some(State::Ok), Some(State::Warn)));
    let differs = finding(&second, "key_folders_of_nodes").await.expect("they are compared").details;
    let wanted = format!("{} is not on two-", key(2).public().sha256());
    assert!(differs.len() == 1 && differs[0].starts_with(&wanted), "{differs:?}");
    put(other.path(), "mirror", 2);
    assert_eq!(states(&second).await, (Some(State::Ok), Some(State::Ok)));
    fs::remove_dir_all(other.path().join("keys")).expect("it is ours");
    assert_eq!(states(&second).await, (Some(State::Fail), Some(State::Fail)));
    second.stop().await;
    first.stop().await;
}
