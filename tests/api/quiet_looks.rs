//! Looks at repositories where nothing is new: by the server's own counters they read no object and write no row. Where one
//! commit is, not many are read for it.

use std::{collections::BTreeSet, path::Path};

use keytrail_test_support::{
    postgres,
    repositories::Repository,
    server::{Home, Options, Server},
    web_server::WebServer,
};
use serde_json::{Value, json};

use crate::{
    metrics::{metrics, value},
    server::soon,
    transports::{Transport, by_both_transports},
};

pub(crate) const READ: &str = "keytrail_git_objects_read_total{by=\"poll\"}";
pub(crate) const NOTHING: &str = "keytrail_polls_total{outcome=\"nothing\"}";

/// Branches, and tags of both sorts.
pub(crate) fn made(path: &Path) -> Repository {
    let repository = Repository::init(path, &["--bare"]).expect("a repository");
    let base = repository.commit("refs/heads/main", "SHOP-1 begins", &[]).expect("a commit");
    repository.commit("refs/heads/more", "SHOP-2 goes on", &[&base]).expect("a commit");
    repository.git(&["tag", "plain", &base]).expect("a tag");
    repository.git(&["tag", "-a", "-m", "one", "annotated", &base]).expect("a tag");
    repository.git(&["pack-refs", "--all"]).expect("git works");
    repository
}

/// What was written, by every counter that tells: rows of views, events, and on the embedded store each transaction.
pub(crate) fn written(text: &str, is_embedded: bool) -> BTreeSet<&str> {
    let told = ["keytrail_view_rows_written_total{", "keytrail_events_appended_total{", "keytrail_log_position "];
    let commits = is_embedded.then_some("keytrail_store_commits_total{area=\"log\"}");
    let told: Vec<&str> = told.into_iter().chain(commits).collect();
    text.lines().filter(|line| told.iter().any(|name| line.starts_with(name))).collect()
}

/// The looks that found something, or could not look.
pub(crate) fn otherwise(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|line| line.starts_with("keytrail_polls_total{") && !line.starts_with(NOTHING)).collect()
}

async fn nothing_is_read_or_written(
    database_url: Option<String>,
    transport: Transport,
    place: impl Fn(&Repository, &WebServer) -> Value,
) {
    let is_embedded = database_url.is_none();
    let set = |name: &str, value: &str| (format!("KEYTRAIL__GIT__{name}"), value.to_owned());
    let env = [("HOSTS", "[\"127.0.0.1\"]"), ("ALLOW_HTTP", "true"), ("FREE_BYTES", "0")];
    let seconds = [("SHORTEST_POLL_SECONDS", "1"), ("LONGEST_POLL_SECONDS", "1")];
    let env = env.into_iter().chain(seconds).map(|(name, value)| set(name, value));
    let env = env.chain(transport.environment()).collect();
    let home = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options { database_url, env, ..Options::default() });
    let repository = made(&home.folder().join("served/shop.git"));
    let web = WebServer::start(&home.folder().join("served"));
    let server = home.start().await;
    let body = json!({ "name": "shop", "connection": place(&repository, &web) });
    let added = server.client().post("/api/v1/integrations", None, &body).await.expect("the server serves");
    assert!(added.is_done(), "{}", added.body);
    soon("it is indexed", || async {
        server.client().list("/api/v1/repositories?state=indexed").await.is_ok_and(|all| all.len() == 1)
    })
    .await;
    looked_at(&server, 2).await;
    let before = metrics(&server).await;
    assert_eq!(value(&before, READ), 0.0, "all that there is was read by the run");
    looked_at(&server, 3).await;
    // Its files are new, so that it is looked into; its refs lead where they led.
    repository.git(&["pack-refs", "--all"]).expect("git works");
    looked_at(&server, 3).await;
    let after = metrics(&server).await;
    assert_eq!(value(&after, READ), 0.0);
    assert_eq!(written(&before, is_embedded), written(&after, is_embedded));
    assert_eq!(otherwise(&before), otherwise(&after), "every look found nothing");

    // The counters do count: what moves is written.
    let tip = repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
    repository.commit("refs/heads/main", "SHOP-3 is new", &[&tip]).expect("a commit");
    soon("it is written", || async {
        let text = metrics(&server).await;
        text.contains("keytrail_polls_total{outcome=\"moved\"}")
            && value(&text, "keytrail_log_position") > value(&after, "keytrail_log_position")
    })
    .await;
    soon("the commit is counted", || async {
        let all = server.client().list("/api/v1/repositories?state=indexed").await.unwrap_or_default();
        all.first().is_some_and(|row| row["commits"] == 3)
    })
    .await;
    let read = objects_read(&metrics(&server).await) - objects_read(&after);
    assert!((1.0..=4.0).contains(&read), "{read} objects for one commit and one branch");
    let (_, ended) = server.terminate().await;
    assert!(ended.success());
}

/// Objects that were read, by whomever.
fn objects_read(text: &str) -> f64 {
    let lines = text.lines().filter(|line| line.starts_with("keytrail_git_objects_read_total{"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Until so many more looks found nothing.
pub(crate) async fn looked_at(server: &Server, times: u32) {
    let looks = async || {
        let text = metrics(server).await;
        if text.contains(NOTHING) { value(&text, NOTHING) } else { 0.0 }
    };
    let before = looks().await;
    soon("it is looked at", || async { looks().await >= before + f64::from(times) }).await;
}

fn local(reading: &'static str) -> impl Fn(&Repository, &WebServer) -> Value {
    move |repository, _| json!({ "kind": "path", "path": repository.path, "reading": reading })
}

fn over_http(_: &Repository, web: &WebServer) -> Value {
    json!({ "kind": "git", "url": web.url("shop.git") })
}

async fn a_look_over_http_that_finds_nothing_reads_no_object_and_writes_no_row(transport: Transport) {
    nothing_is_read_or_written(None, transport, over_http).await;
}

async fn a_look_over_http_that_finds_nothing_reads_no_object_and_writes_no_row_on_postgresql(transport: Transport) {
    let database = postgres::database().await;
    nothing_is_read_or_written(Some(database.url()), transport, over_http).await;
}

async fn a_look_at_what_is_copied_that_finds_nothing_reads_no_object_and_writes_no_row(transport: Transport) {
    nothing_is_read_or_written(None, transport, local("mirrored")).await;
}

by_both_transports!(
    a_look_over_http_that_finds_nothing_reads_no_object_and_writes_no_row,
    a_look_over_http_that_finds_nothing_reads_no_object_and_writes_no_row_on_postgresql,
    a_look_at_what_is_copied_that_finds_nothing_reads_no_object_and_writes_no_row,
);

#[tokio::test(flavor = "multi_thread")]
async fn a_look_in_place_that_finds_nothing_reads_no_object_and_writes_no_row() {
    nothing_is_read_or_written(None, Transport::GitProgram, local("in_place")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_in_place_that_finds_nothing_reads_no_object_and_writes_no_row_on_postgresql() {
    let database = postgres::database().await;
    nothing_is_read_or_written(Some(database.url()), Transport::GitProgram, local("in_place")).await;
}
