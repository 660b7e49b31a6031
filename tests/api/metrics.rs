//! What `/metrics` shows after real work, against the list of metrics, the code and docs/operations.md.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    pin::pin,
    time::Duration,
};

use keytrail::{app::App, gauges, jobs::Kind, telemetry::METRICS};
use keytrail_test_support::{
    postgres,
    server::{Home, Options, Server},
};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};

use crate::{repository, server::soon};

/// Name and labels as they stand in the text format; a histogram is one metric.
pub(crate) fn shown(text: &str) -> BTreeMap<String, BTreeSet<BTreeSet<String>>> {
    let mut all: BTreeMap<String, BTreeSet<BTreeSet<String>>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (series, _) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|ending| name.strip_suffix(ending));
        let name = histogram.filter(|name| name.ends_with("_seconds")).unwrap_or(name);
        let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| label.split_once('='));
        let labels = labels.map(|(label, _)| label.to_owned()).filter(|label| label != "le").collect();
        all.entry(name.to_owned()).or_default().insert(labels);
    }
    all
}

/// How metrics begin that an app makes.
pub(crate) const OF_APPS: [&str; 2] = ["keytrail_github_", "keytrail_webhooks_"];

/// Asked with the token of the data folder: nothing becomes of it.
pub(crate) async fn metrics(server: &Server) -> String {
    let endpoint = std::fs::read(server.home().data().join("server.json")).expect("it is there");
    let endpoint: Value = serde_json::from_slice(&endpoint).expect("JSON");
    let token = endpoint["token"].as_str().expect("a token");
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let got = http.get(format!("{}/metrics", server.client().url())).bearer_auth(token).send().await;
    let got = got.expect("an answer");
    assert_eq!(got.status(), 200);
    got.text().await.expect("a text")
}

/// What is measured of a server of this process, whoever else measures beside it.
pub(crate) async fn measured(app: &App) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    let mut measuring = pin!(gauges::set(app));
    // A task may go on in another thread after each wait.
    poll_fn(|context| ::metrics::with_local_recorder(&recorder, || measuring.as_mut().poll(context))).await;
    recorder.handle().render()
}

pub(crate) fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
    let line = line.unwrap_or_else(|| panic!("no {series} in {text}"));
    line.rsplit(' ').next().expect("a value").parse().expect("a number")
}

async fn worked(server: &Server) -> String {
    let client = server.client();
    let path = server.home().folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins", "SHOP-2 more", "nothing"]);
    let place = json!({ "kind": "path", "path": path, "reading": "mirrored" });
    let added = client.post("/api/v1/integrations", None, &json!({ "name": "shop", "connection": place })).await;
    assert!(added.expect("the server runs").is_done());
    let bad = server.home().folder().join("gone");
    repository::with_commits(&bad, &["GONE-1 begins"]);
    let place = json!({ "kind": "path", "path": bad });
    client.post("/api/v1/integrations", None, &json!({ "name": "gone", "connection": place })).await.expect("it runs");
    soon("both are indexed", || async {
        client.list("/api/v1/repositories?state=indexed").await.is_ok_and(|all| all.len() == 2)
    })
    .await;
    std::fs::remove_dir_all(&bad).expect("a folder");
    let all = client.list("/api/v1/repositories").await.expect("the server runs");
    let gone = all.iter().find(|row| row["name"] == "gone").expect("it is there")["id"].as_str().expect("an id");
    client.post(&format!("/api/v1/repositories/{gone}/index-runs"), None, &json!({})).await.expect("it runs");
    soon("a run failed", || async {
        client.list("/api/v1/index-runs?state=failed").await.is_ok_and(|all| !all.is_empty())
    })
    .await;
    soon("nothing waits", || async {
        let text = metrics(server).await;
        let kinds = text.lines().filter(|line| line.starts_with("keytrail_jobs{"));
        kinds.clone().count() == 2 * Kind::ALL.len() && kinds.clone().all(|line| line.ends_with(" 0"))
    })
    .await;
    let stranger = client.with_token("kt_of_nobody").get("/api/v1/integrations").await.expect("the server runs");
    assert_eq!(stranger.status, 401);
    soon("repositories were looked at", || async { metrics(server).await.contains("keytrail_polls_total{") }).await;
    metrics(server).await
}

async fn look(server: Server, engine: &str) {
    let text = worked(&server).await;
    let shown = shown(&text);
    let known: BTreeMap<_, _> = METRICS.iter().map(|metric| (metric.name, metric)).collect();
    for (name, labels) in &shown {
        let metric = known.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not in METRICS"));
        let wanted: BTreeSet<String> = metric.labels.iter().map(|label| (*label).to_owned()).collect();
        assert_eq!(labels, &BTreeSet::from([wanted]), "{name}");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} has no words");
    }
    // These need an hour, a full cache, or somebody who looks at a commit; those of apps are shown by `metrics_of_apps`.
    let rare = ["keytrail_mirror", "keytrail_diff"];
    let elsewhere = |name: &str| rare.iter().chain(&OF_APPS).any(|others| name.starts_with(others));
    for name in known.keys().filter(|name| !elsewhere(name)) {
        assert!(shown.contains_key(*name), "{name} is not shown after work:\n{text}");
    }
    for view in ["issue_commits", "audit_trail"] {
        assert_eq!(value(&text, &format!("keytrail_view_lag_seconds{{view=\"{view}\"}}")), 0.0);
        assert!(value(&text, &format!("keytrail_view_rows_written_total{{view=\"{view}\"}}")) > 0.0);
    }
    assert_eq!(value(&text, "keytrail_events_appended_total{type=\"index_run.completed\"}"), 2.0);
    assert!(value(&text, "keytrail_events_appended_total{type=\"index_run.failed\"}") >= 1.0);
    assert!(text.contains("keytrail_index_run_failures_total{code=\""), "{text}");
    assert!(value(&text, "keytrail_git_objects_read_total{by=\"walk\"}") >= 3.0);
    assert!(value(&text, "keytrail_fetched_bytes_total") > 0.0);
    assert!(value(&text, "keytrail_store_commits_total{area=\"log\"}") > 3.0);
    assert!(value(&text, "keytrail_process_resident_bytes") > 1e6);
    assert!(text.contains(&format!("engine=\"{engine}\"")), "{text}");
    assert!(!text.contains("shop") && !text.contains("SHOP"), "a metric names a thing");
}

fn home(database_url: Option<String>) -> Home {
    let env = [("KEYTRAIL__GIT__FREE_BYTES", "0"), ("KEYTRAIL__GIT__SHORTEST_POLL_SECONDS", "1")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Home::new(env!("CARGO_BIN_EXE_keytrail"), Options { database_url, env, ..Options::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn after_work_every_metric_is_shown_with_its_labels_on_the_embedded_store() {
    look(home(None).start().await, "sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_work_every_metric_is_shown_with_its_labels_on_postgresql() {
    let database = postgres::database().await;
    look(home(Some(database.url())).start().await, "postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_commits_nothing_to_the_log() {
    let server = home(None).start().await;
    let commits = async || value(&metrics(&server).await, "keytrail_store_commits_total{area=\"log\"}");
    // What a start has to do is done.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = commits().await;
    // Longer than any lease is renewed after.
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(commits().await, before);
}

#[test]
fn the_code_and_the_documents_know_the_same_metrics() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut used, mut folders) = (BTreeSet::new(), vec![root.join("src")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let text = std::fs::read_to_string(&entry).expect("a text");
            for word in ["counter!(", "gauge!(", "histogram!("] {
                let named = text.split(word).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
                used.extend(named.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
            }
        }
    }
    let listed: BTreeSet<_> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(used, listed, "src/telemetry/described.rs");
    let document = std::fs::read_to_string(root.join("docs/operations.md")).expect("a text");
    let rows: Vec<_> = METRICS
        .iter()
        .map(|metric| {
            let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            format!("| `{}` | {} | {} |", metric.name, labels.join(", "), metric.about)
        })
        .collect();
    let there: Vec<_> = document.lines().filter(|line| line.starts_with("| `keytrail_")).collect();
    assert_eq!(there, rows, "docs/operations.md, What to watch:\n{}", rows.join("\n"));
}
