//! The way through all operations that their examples are recorded on: a repository is connected, indexed, looked at, moved
//! and taken away. Repositories, names and times are the same on every tour.

use std::net::TcpListener;

use keytrail::{
    secrets::Secret,
    ssh_keys::{self, Target},
};
use keytrail_test_support::sshd::{self, HostKeyKind, Sshd};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    commit_changes::with_files,
    examples::Tour,
    host_keys::KNOWN,
    repository,
    server::{Answer, Server, answer, soon},
    ssh_key_files::put,
    ssh_keys::written,
};

/// Calls every operation at least once. What is recorded is the first call of each.
pub(crate) async fn walk(tour: &mut Tour, server: &Server) {
    let (shop, archive) = (server.root.join("shop"), server.root.join("archive"));
    let [_, commit, _] = with_files(&shop);
    repository::git(&shop, &["branch", "feature/SHOP-1-cart"]);
    repository::empty(&archive);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let repository = connect(tour, server, &shop.display().to_string()).await;
    look(tour, &repository, &commit).await;
    decide(tour, &repository, &commit).await;
    change(tour, server, &repository, &archive.display().to_string()).await;
    cancel(tour, server, &silent).await;
    administer(tour).await;
    keep_keys(tour, server).await;
    know_servers(tour).await;
    crate::examples_of_apps::walk(tour, server).await;
}

/// Connects a repository and waits for its first run. The repository's id.
async fn connect(tour: &mut Tour, server: &Server, path: &str) -> String {
    let place = json!({ "kind": "path", "path": path });
    let body = json!({ "name": "shop", "connection": place });
    let added = tour.call("AddIntegration", &[("Idempotency-Key", "add-the-shop")], Some(body)).await;
    let integration = added.id();
    soon("it is indexed", || async { server.get("/api/v1/repositories?state=indexed").await.items().len() == 1 }).await;
    let tried = json!({ "url": "git@no-such-host.invalid:shop/api.git" });
    tour.call("TestConnection", &[], Some(tried)).await;
    tour.call("ListIntegrations", &[("limit", "10"), ("state", "active")], None).await;
    tour.call("GetIntegration", &[("id", &integration)], None).await;
    tour.call("ListIntegrationRepositories", &[("id", &integration)], None).await.items()[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned()
}

/// Reads what was found.
async fn look(tour: &mut Tour, repository: &str, commit: &str) {
    tour.call("ListRepositories", &[("limit", "10")], None).await;
    let shown = tour.call("GetRepository", &[("id", repository)], None).await;
    tour.call("ListIndexRuns", &[("repository", repository)], None).await;
    tour.call("GetIndexRun", &[("id", &shown.text_of("last_run"))], None).await;
    tour.listen("WatchIndexRun", &[("id", &shown.text_of("last_run"))]).await;
    tour.call("GetIssue", &[("key", "SHOP-1")], None).await;
    tour.call("ListIssueCommits", &[("key", "SHOP-1"), ("limit", "2")], None).await;
    tour.call("ListIssueBranches", &[("key", "SHOP-1")], None).await;
    tour.call("ListProjects", &[], None).await;
    tour.call("ListIndexRunEvents", &[("id", &shown.text_of("last_run"))], None).await;
    tour.call("SearchIssues", &[("words", "begins"), ("project", "shop")], None).await;
    let of_repository = [("id", repository), ("sha", commit)];
    tour.call("GetCommit", &of_repository, None).await;
    tour.call("ListCommitRefs", &of_repository, None).await;
    tour.call("ListCommitFiles", &of_repository, None).await;
    tour.call("GetCommitDiff", &of_repository, None).await;
}

/// Decides otherwise than the index.
async fn decide(tour: &mut Tour, repository: &str, commit: &str) {
    tour.call("ExplainCommit", &[("commit", commit), ("issue", "SHOP-1"), ("repository", repository)], None).await;
    let link = [("key", "SHOP-1"), ("repository", repository), ("commit", commit)];
    tour.call("LinkCommit", &link, None).await;
    tour.call("UnlinkCommit", &link, None).await;
    tour.call("RestoreCommitLink", &link, None).await;
    tour.call("GetProjectRules", &[], None).await;
    let rules = json!({ "known": ["SHOP"], "denied": ["UTF", "SHOP-404"] });
    tour.call("SetProjectRules", &[("If-Match", "*")], Some(rules)).await;
    let people = tour.call("ListPeople", &[("limit", "10")], None).await;
    let person = people.items()[0]["id"].as_str().expect("an id").to_owned();
    tour.call("GetPerson", &[("id", &person)], None).await;
    tour.call("ForgetPerson", &[("id", &person), ("Idempotency-Key", "forget-ada")], None).await;
}

/// Indexes anew, and changes the integration until it is gone.
async fn change(tour: &mut Tour, server: &Server, repository: &str, elsewhere: &str) {
    let of_repository = [("id", repository), ("Idempotency-Key", "once")];
    tour.call("FetchRepository", &[("id", repository)], None).await;
    settled(server).await;
    tour.call("RequestIndex", &of_repository, None).await;
    settled(server).await;
    tour.call("ResetIndex", &of_repository, None).await;
    settled(server).await;
    let list = server.get("/api/v1/integrations?state=active").await;
    let integration = list.items()[0]["id"].as_str().expect("an id");
    let changed = [("id", integration), ("If-Match", "*")];
    tour.call("PauseIntegration", &changed, None).await;
    tour.call("ResumeIntegration", &changed, None).await;
    settled(server).await;
    let asked = [("id", integration), ("Idempotency-Key", "all-again")];
    let indexing = tour.call("ReindexIntegration", &asked, None).await;
    succeeded(server, &indexing.id()).await;
    let resetting = tour.call("ResetIntegration", &asked, None).await;
    succeeded(server, &resetting.id()).await;
    tour.listen("WatchOperation", &[("id", &resetting.id())]).await;
    tour.call("RenameIntegration", &changed, Some(json!({ "name": "store" }))).await;
    let links = json!({ "by": "templates", "commit": "https://code.example.com/shop/commit/${rev}" });
    tour.call("SetWebLinks", &changed, Some(links)).await;
    let place = json!({ "connection": { "kind": "path", "path": elsewhere } });
    tour.call("ChangeConnection", &changed, Some(place)).await;
    settled(server).await;
    tour.call("RemoveIntegration", &[("id", integration), ("If-Match", "*"), ("mirrors", "deleted")], None).await;
}

/// Gives a run up that waits for a server which never answers.
async fn cancel(tour: &mut Tour, server: &Server, silent: &TcpListener) {
    let url = format!("http://{}/shop.git", silent.local_addr().expect("an address"));
    let added = server.connect("silent", json!({ "kind": "git", "url": url })).await.with(StatusCode::CREATED);
    soon("it is asked", || async { server.get("/api/v1/index-runs?state=running").await.items().len() == 1 }).await;
    let runs = server.get("/api/v1/index-runs?state=running").await;
    let run = [("id", runs.items()[0]["id"].as_str().expect("an id"))];
    tour.call("CancelIndex", &run, None).await;
    tour.call("RetryIndex", &run, None).await;
    let operations = tour.call("ListOperations", &[], None).await;
    let going_on = operations.items().iter().find(|one| one["kind"] == "index_run" && one["ended_at"].is_null());
    let operation = [("id", going_on.expect("the new run")["id"].as_str().expect("an id"))];
    tour.call("GetOperation", &operation, None).await;
    tour.call("CancelOperation", &operation, None).await;
    let at = format!("/api/v1/integrations/{}", added.id());
    answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await.with(StatusCode::OK);
}

/// Keeps keys of SSH.
async fn keep_keys(tour: &mut Tour, server: &Server) {
    let key = ssh_keys::ed25519(Secret::new(vec![1; 32]), "build").expect("a key");
    let body = json!({ "name": "deploy", "private_key": written(&key, Target::OpenSsh, Some("a passphrase")),
        "passphrase": "a passphrase" });
    let added = tour.call("AddSshKey", &[("Idempotency-Key", "add-deploy")], Some(body)).await;
    let body = json!({ "name": "azure", "host": "azure_devops" });
    let made = tour.call("GenerateSshKey", &[("Idempotency-Key", "make-azure")], Some(body)).await;
    tour.call("ListSshKeys", &[("state", "active"), ("limit", "10")], None).await;
    tour.call("GetSshKey", &[("id", &made.id())], None).await;
    tour.call("GetSshKeyPublic", &[("id", &added.id())], None).await;
    let changed = [("id", &*added.id()), ("If-Match", "*")].map(|(name, value)| (name, value.to_owned()));
    let changed: Vec<_> = changed.iter().map(|(name, value)| (*name, value.as_str())).collect();
    tour.call("RenameSshKey", &changed, Some(json!({ "name": "build" }))).await;
    tour.call("ShareSshKey", &changed, Some(json!({ "common": false }))).await;
    let over_ssh = json!({ "kind": "git", "url": "ssh://git@127.0.0.1:1/kept.git" });
    let integration = server.connect("kept", over_ssh).await.with(StatusCode::CREATED).id();
    let list = format!("/api/v1/integrations/{integration}/repositories");
    soon("it is seen", || async { !server.get(&list).await.items().is_empty() }).await;
    let repositories = json!({ "repositories": [server.get(&list).await.items()[0]["id"]] });
    tour.call("AssociateSshKey", &[("id", &added.id())], Some(repositories.clone())).await;
    tour.call("DissociateSshKey", &[("id", &added.id())], Some(repositories)).await;
    let at = format!("/api/v1/integrations/{integration}");
    answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await.with(StatusCode::OK);
    let rotation = tour.call("RotateSshKey", &[("id", &made.id())], Some(json!({ "to": added.id() }))).await;
    succeeded(server, &rotation.id()).await;
    tour.call("RetireSshKey", &changed, None).await;
    let key = ssh_keys::ed25519(Secret::new(vec![2; 32]), "mirror").expect("a key");
    put(server, "id_ed25519", &written(&key, Target::OpenSsh, None));
    put(server, "old_key", &written(&key, Target::Pem, Some("a passphrase")));
    tour.call("ListSshKeyFiles", &[], None).await;
    let body = json!({ "name": "mirror", "fingerprint_sha256": key.public().sha256() });
    tour.call("RegisterSshKey", &[("Idempotency-Key", "register-mirror")], Some(body)).await;
}

/// Meets an SSH server, which changes its key twice.
async fn know_servers(tour: &mut Tour) {
    let only = sshd::Config { host_keys: vec![HostKeyKind::Ed25519], ..sshd::Config::default() };
    let mut sshd = Sshd::start(only).expect("sshd runs: install the Debian package openssh-server");
    let server = json!({ "host": "127.0.0.1", "port": sshd.port });
    let fingerprints = |answer: &Answer, member: &str| vec![answer.body[member][0]["fingerprint_sha256"].clone()];
    let scanned = tour.call("ScanHostKeys", &[], Some(server.clone())).await;
    let mut body = server.clone();
    body["fingerprints"] = fingerprints(&scanned, "keys").into();
    let trusted = tour.call("TrustHostKeys", &[("Idempotency-Key", "trust-git")], Some(body)).await;
    let file = format!("{KNOWN}*.example.com {}", KNOWN.split_once(' ').expect("a line").1);
    let body = json!({ "known_hosts": file, "hosts": ["git.example.com:2222"] });
    tour.call("ImportKnownHosts", &[], Some(body)).await;
    let id = trusted.id();
    sshd.replace_host_key(HostKeyKind::Ed25519).expect("it starts again");
    tour.call("ScanHostKeys", &[], Some(server.clone())).await;
    tour.call("ListHostKeys", &[("state", "changed"), ("limit", "10")], None).await;
    let changed = tour.call("GetHostKeys", &[("id", &id)], None).await;
    let body = json!({ "fingerprints": fingerprints(&changed, "offered") });
    tour.call("AcceptHostKeyChange", &[("id", &id), ("Idempotency-Key", "accept-git")], Some(body)).await;
    sshd.replace_host_key(HostKeyKind::Ed25519).expect("it starts again");
    tour.call("ScanHostKeys", &[], Some(server)).await;
    tour.call("RefuseHostKeyChange", &[("id", &id), ("Idempotency-Key", "refuse-git")], None).await;
    tour.call("ForgetHostKeys", &[("id", &id), ("If-Match", "*")], None).await;
}

/// What administrators and auditors do.
async fn administer(tour: &mut Tour) {
    let body =
        json!({ "name": "the build server", "role": "viewer", "scopes": ["issues:read"], "expires_in_days": 90 });
    let token = tour.call("IssueToken", &[("Idempotency-Key", "build-server")], Some(body)).await;
    tour.call("ListTokens", &[("limit", "10")], None).await;
    tour.call("GetToken", &[("id", &token.id())], None).await;
    tour.call("RevokeToken", &[("id", &token.id()), ("If-Match", "*")], None).await;
    let event = tour.call("ListEvents", &[("type", "integration."), ("order", "asc"), ("limit", "2")], None).await;
    tour.listen("FollowEvents", &[("type", "integration."), ("after", "0")]).await;
    let of = |member: &str| event.items()[0][member].as_str().expect("a text").to_owned();
    let (kind, id) = (of("stream_type"), of("stream_id"));
    tour.call("ListStreamEvents", &[("type", &kind), ("id", &id), ("limit", "2")], None).await;
    tour.call("ListViews", &[], None).await;
    tour.call("RebuildView", &[("name", "issue_commits")], None).await;
    tour.call("VerifyViews", &[], None).await;
    tour.call("GetDoctor", &[], None).await;
    tour.call("GetSupport", &[], None).await;
    tour.call("GetSupport", &[], None).await;
    tour.call("GetLiveness", &[], None).await;
    tour.call("GetReadiness", &[], None).await;
}

/// Waits until an operation has ended well.
async fn succeeded(server: &Server, operation: &str) {
    let at = format!("/api/v1/operations/{operation}");
    soon("the operation ends", || async { server.get(&at).await.body["state"] == "succeeded" }).await;
}

/// Waits until no run is under way.
async fn settled(server: &Server) {
    let active = |state: &str| format!("/api/v1/index-runs?state={state}");
    soon("no run is under way", || async {
        let (waiting, running) = (server.get(&active("requested")).await, server.get(&active("running")).await);
        waiting.items().is_empty() && running.items().is_empty()
    })
    .await;
}
