//! Every read of what the views say waits, when it is asked to, until they have come to a position.

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    access::{Operation, operations},
    description::DESCRIPTION,
    repository,
    server::{Server, on_both_engines},
};

/// Reads that do not wait for views, each with the reason.
const OTHERS: &[(&str, &str)] = &[
    ("ListStreamEvents", "reads the log itself"),
    ("GetProjectRules", "reads its own stream of the log"),
    ("FollowEvents", "begins after a position by itself: `after`"),
    ("WatchIndexRun", "goes on until the run has ended"),
    ("WatchOperation", "goes on until the operation has ended"),
    ("ListCommitFiles", "reads the repository"),
    ("GetCommitDiff", "reads the repository"),
    ("ListDeliveries", "reads the inbox, where a delivery is before it is answered"),
    ("GetDelivery", "as ListDeliveries"),
    ("ListSshKeyFiles", "reads a folder of the node"),
    ("ListViews", "tells where the views stand"),
    ("GetDoctor", "tells where the views stand, among others"),
    ("GetSupport", "as GetDoctor"),
    ("GetLiveness", "says whether the process lives"),
    ("GetReadiness", "says whether the views can be read"),
    ("GetMetrics", "tells where the views stand, among others"),
];

/// Every read, and whether the description says that it waits.
fn reads() -> Vec<(Operation, bool)> {
    let waits = |name: &str| {
        let items = DESCRIPTION["paths"].as_object().expect("paths").values();
        let mut all = items.flat_map(|item| item.as_object().expect("operations").values());
        let found = all.find(|operation| operation["operationId"] == name).expect("it is described");
        found["parameters"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "min_position"))
    };
    let gets = operations().into_iter().filter(|one| one.method == Method::GET);
    gets.map(|operation| (waits(&operation.name), operation)).map(|(waits, operation)| (operation, waits)).collect()
}

#[test]
fn every_read_of_a_view_takes_a_position_and_the_others_say_why_not() {
    for (read, waits) in reads() {
        let excused = OTHERS.iter().any(|(name, _)| *name == read.name);
        assert!(waits != excused, "{}: min_position, or a line in OTHERS, and not both", read.name);
    }
    for (name, _) in OTHERS {
        assert!(reads().iter().any(|(read, _)| read.name == *name), "there is no read {name}");
    }
}

fn at(read: &Operation) -> String {
    let run = "/operations/index_run.0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let path = read.path.replace("/operations/0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", run);
    match read.name.as_str() {
        "ExplainCommit" => format!("{path}?commit=0123456&issue=ABC-1&min_position="),
        _ => format!("{path}?min_position="),
    }
}

async fn a_position_that_is_not_reached_is_told_and_one_that_is_changes_nothing(server: Server) {
    repository::with_commits(&server.root.join("shop"), &["SHOP-1 begins"]);
    server.add("shop", &server.root.join("shop")).await.with(StatusCode::CREATED);
    let waiting: Vec<_> = reads().into_iter().filter(|(_, waits)| *waits).map(|(read, _)| read).collect();
    assert!(waiting.len() >= 20, "{}", waiting.len());
    let far = server.app.log.feed().head().position + 1_000;
    // Each waits for a while: they do so together.
    let behind = join_all(waiting.iter().map(|read| {
        let (server, path) = (&server, format!("{}{far}", at(read)));
        async move { server.get(&path).await }
    }));
    for (read, answer) in waiting.iter().zip(behind.await) {
        let answer = answer.refused(202, "view_behind");
        assert_eq!(answer.body["min_position"], json!(far), "{}: {}", read.name, answer.text);
        assert!(answer.headers.contains_key("retry-after"), "{}", read.name);
    }
    for read in &waiting {
        let answer = server.get(&format!("{}1", at(read))).await;
        assert_ne!(answer.body["code"], "view_behind", "{}", read.name);
        assert!([StatusCode::OK, StatusCode::NOT_FOUND].contains(&answer.status), "{}: {}", read.name, answer.text);
        let refused = server.get(&format!("{}x", at(read))).await.refused(400, "query_invalid");
        assert_ne!(refused.body["detail"], Value::Null);
    }
}

on_both_engines!(a_position_that_is_not_reached_is_told_and_one_that_is_changes_nothing);
