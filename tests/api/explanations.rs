//! Why an issue shows a commit or does not: each step is brought in the way for real, and named.

use std::path::Path;

use keytrail_test_support::web_server::{Fault, Relay, WebServer};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    commit_links::name,
    indexing::indexed,
    project_rules,
    repository::{self, git},
    server::{Server, answer, on_both_engines, soon},
};

const NOBODY: &str = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";

/// Connects to a place with one repository, and waits until it is indexed; the repository.
pub(crate) async fn connected(server: &Server, name: &str, connection: Value) -> String {
    let added = server.connect(name, connection).await.with(StatusCode::CREATED);
    let list = format!("/api/v1/integrations/{}/repositories", added.id());
    soon("it is indexed", || async {
        server.get(&list).await.items().first().is_some_and(|row| row["state"] == "indexed")
    })
    .await;
    server.get(&list).await.items()[0]["id"].as_str().expect("an id").to_owned()
}

pub(crate) async fn explained(server: &Server, commit: &str, issue: &str, repository: Option<&str>) -> Value {
    let mut at = format!("/api/v1/explain?commit={commit}&issue={issue}");
    if let Some(id) = repository {
        at.push_str(&format!("&repository={id}"));
    }
    let told = server.get(&at).await.with(StatusCode::OK).body;
    let steps = told["steps"].as_array().expect("steps");
    let order: Vec<_> = steps.iter().map(|step| step["step"].as_str().expect("a word")).collect();
    let wanted = [
        "repository",
        "fetched",
        "seen",
        "scanned",
        "grammar",
        "candidate",
        "project_rule",
        "deny_rule",
        "decision",
        "superseded",
        "visible",
    ];
    assert_eq!(order, wanted, "{told}");
    assert!(steps.iter().all(|step| step["sentence"].as_str().is_some_and(|said| said.ends_with('.'))), "{told}");
    // What is said agrees with what is shown.
    if told["shown"] == true {
        assert_eq!(told["because"], Value::Null, "{told}");
        assert!(steps.iter().all(|step| step["state"] == "ok" || step["state"] == "skipped"), "{told}");
        let id = &told["repository"]["id"];
        let list = server.get(&format!("/api/v1/issues/{issue}/commits?limit=500")).await;
        let has = |row: &Value| row["sha"] == told["commit"] && row["repository"]["id"] == *id;
        assert!(list.items().iter().any(has), "{told}");
    } else {
        assert!(told["because"]["next"].as_str().is_some_and(|next| next.ends_with('.')), "{told}");
        let first = steps
            .iter()
            .find(|step| step["state"] == "failed")
            .or(steps.iter().find(|step| step["state"] == "unknown"));
        assert_eq!(first, Some(&told["because"]), "{told}");
    }
    told
}

/// The step and the code that is in the way.
async fn because(server: &Server, commit: &str, issue: &str, repository: Option<&str>) -> (String, String) {
    let told = explained(server, commit, issue, repository).await;
    let word = |member: &str| told["because"][member].as_str().unwrap_or_else(|| panic!("{told}")).to_owned();
    (word("step"), word("code"))
}

fn is(step: &str, code: &str) -> (String, String) {
    (step.to_owned(), code.to_owned())
}

/// The code of a step.
pub(crate) fn code<'a>(told: &'a Value, step: &str) -> &'a str {
    let steps = told["steps"].as_array().expect("steps");
    steps.iter().find(|found| found["step"] == step).and_then(|found| found["code"].as_str()).expect("the step")
}

/// Commits a message that is too large for an argument.
fn commit_file(path: &Path, message: &str) -> String {
    let file = path.join(".git/message");
    std::fs::write(&file, message).expect("a file");
    git(path, &["commit", "-q", "--allow-empty", "-F", ".git/message"]);
    name(path, "HEAD")
}

async fn what_the_message_says_decides(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 subject", "no key\n\nSee SHOP-1.", "SHOP-1 both\n\nSHOP-1"]);
    let [both, body, subject] = ["HEAD", "HEAD~1", "HEAD~2"].map(|revision| name(&path, revision));
    let far = commit_file(&path, &format!("far\n\n{}\nSHOP-1\n", "words and words\n".repeat(5_000)));
    let many = commit_file(
        &path,
        &format!("many\n\n{}\nSHOP-1\n", (1..=600).map(|n| format!("MANY-{n} ")).collect::<String>()),
    );
    let zero = commit_file(&path, "SHOP-001 has zeros");
    let word = commit_file(&path, "SHOP-1st");
    let before = commit_file(&path, "修复SHOP-1问题");
    let lower = commit_file(&path, "fix shop-1");
    let longer = commit_file(&path, "MY_SHOP-1");
    let other = commit_file(&path, "PAY-2 and PAY-3");
    git(&path, &["branch", "pay-9-cart"]);
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();

    for (sha, found) in [(&subject, "named_in_subject"), (&body, "named_in_body"), (&both, "named_in_subject_and_body")]
    {
        let told = explained(&server, sha, "shop-1", None).await;
        assert_eq!((&told["shown"], code(&told, "candidate")), (&json!(true), found), "{told}");
        assert_eq!((code(&told, "scanned"), code(&told, "fetched")), ("message_scanned", "read_in_place"));
        assert_eq!((&told["commit"], &told["repository"]["id"]), (&json!(sha), &json!(id)));
    }
    let told = explained(&server, &subject[..7], "SHOP-1", Some(&id)).await;
    assert_eq!((&told["shown"], &told["commit"]), (&json!(true), &json!(subject)));
    assert_eq!((code(&told, "superseded"), code(&told, "visible")), ("reachable", "visible"));

    assert_eq!(because(&server, &far, "SHOP-1", None).await, is("scanned", "beyond_bounds"));
    assert_eq!(because(&server, &many, "SHOP-1", None).await, is("scanned", "beyond_bounds"));
    assert_eq!(because(&server, &far, "SHOP-2", None).await, is("candidate", "not_named"));
    for (sha, why) in [
        (&zero, "leading_zero"),
        (&word, "letter_after"),
        (&before, "letter_before"),
        (&lower, "lower_case"),
        (&longer, "longer_project"),
    ] {
        assert_eq!(because(&server, sha, "SHOP-1", None).await, is("grammar", why));
    }
    let told = explained(&server, &zero, "SHOP-1", None).await;
    assert!(told["because"]["sentence"].as_str().is_some_and(|said| said.contains("\"SHOP-001\"")), "{told}");
    for (asked, why) in
        [("SHOP-007", "leading_zero"), ("SHOP", "no_hyphen"), ("S-1", "project_too_short"), ("SHOP-1x", "letter_after")]
    {
        assert_eq!(because(&server, &subject, asked, None).await, is("grammar", why));
    }
    let told = explained(&server, &other, "SHOP-1", None).await;
    assert_eq!(code(&told, "candidate"), "not_named");
    assert!(told["because"]["sentence"].as_str().is_some_and(|said| said.contains("PAY-2, PAY-3")), "{told}");
    assert_eq!(because(&server, &other, "PAY-9", None).await, is("candidate", "named_by_branch"));

    for (commit, code) in [("main", "parameter_invalid"), ("abc", "parameter_invalid")] {
        server.get(&format!("/api/v1/explain?issue=SHOP-1&commit={commit}")).await.refused(400, code);
    }
    server.get("/api/v1/explain?issue=SHOP-1").await.refused(400, "query_invalid");
    server.get(&format!("/api/v1/explain?issue=SHOP-1&commit={zero}&repository=x")).await.refused(400, "query_invalid");
}

async fn rules_and_decisions_are_named(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 in UTF-8", "no key"]);
    let (named, plain) = (name(&path, "HEAD~1"), name(&path, "HEAD"));
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();
    assert_eq!(because(&server, &named, "UTF-8", None).await, is("deny_rule", "project_denied"));
    project_rules::set(&server, &["PAY"], &[]).await;
    soon("the rules hold", || async { server.get("/api/v1/issues/SHOP-1").await.body["rule"] != "counts" }).await;
    assert_eq!(because(&server, &named, "SHOP-1", None).await, is("project_rule", "project_not_known"));
    project_rules::set(&server, &["SHOP"], &["SHOP-1"]).await;
    soon("the rules hold", || async { server.get("/api/v1/issues/SHOP-1").await.body["rule"] == "issue_denied" }).await;
    assert_eq!(because(&server, &named, "SHOP-1", None).await, is("deny_rule", "issue_denied"));
    project_rules::set(&server, &[], &[]).await;
    soon("the rules hold", || async { server.get("/api/v1/issues/SHOP-1").await.body["rule"] == "counts" }).await;

    let at = |sha: &str, rest: &str| format!("/api/v1/issues/SHOP-1/commits/{id}/{sha}{rest}");
    answer(server.local(Method::DELETE, &at(&named, ""))).await.with(StatusCode::OK);
    let told = explained(&server, &named, "SHOP-1", None).await;
    assert_eq!((code(&told, "decision"), code(&told, "candidate")), ("unlinked_by_hand", "named_in_subject"));
    assert!(
        told["because"]["sentence"].as_str().is_some_and(|said| said.starts_with("Unlinked by local at 2026-")),
        "{told}"
    );
    answer(server.local(Method::POST, &at(&named, "/restore"))).await.with(StatusCode::OK);
    assert_eq!(code(&explained(&server, &named, "SHOP-1", None).await, "decision"), "nothing_decided");
    answer(server.local(Method::POST, &at(&plain, ""))).await.with(StatusCode::OK);
    let told = explained(&server, &plain, "SHOP-1", None).await;
    assert_eq!((&told["shown"], code(&told, "decision")), (&json!(true), "linked_by_hand"));
    assert_eq!(code(&told, "candidate"), "not_asked");

    // A forced push leaves the commit behind; it is shown and says so.
    git(&path, &["commit", "-q", "--amend", "--allow-empty", "-m", "another"]);
    let run = server.post(&format!("/api/v1/repositories/{id}/index-runs"), json!({})).await;
    let run = if run.status == StatusCode::ACCEPTED { run.id() } else { run.text_of("index_run") };
    server.get(&format!("/api/v1/index-runs/{run}?wait_ms=30000")).await.with(StatusCode::OK);
    soon("it is superseded", || async {
        code(&explained(&server, &plain, "SHOP-1", None).await, "superseded") == "no_ref_leads_to_it"
    })
    .await;
}

async fn what_no_run_has_seen_is_told_why(server: Server) {
    let (path, other) = (server.root.join("shop"), server.root.join("other"));
    repository::with_commits(&path, &["SHOP-1 begins"]);
    let seen = name(&path, "HEAD");
    git(&path, &["update-ref", "refs/custom/one", "HEAD"]);
    git(&path, &["checkout", "-q", "--detach"]);
    let aside = commit_file(&path, "SHOP-1 aside");
    git(&path, &["update-ref", "refs/custom/one", "HEAD"]);
    git(&path, &["checkout", "-q", "main"]);
    let connection = json!({ "kind": "path", "path": path });
    let id = connected(&server, "shop", connection).await;
    assert_eq!(because(&server, &seen, "SHOP-1", Some(NOBODY)).await, is("repository", "repository_unknown"));
    // The only repository is meant.
    assert_eq!(because(&server, &aside, "SHOP-1", None).await, is("seen", "commit_not_reached"));
    assert_eq!(because(&server, &"1".repeat(40), "SHOP-1", None).await, is("seen", "commit_absent"));
    assert_eq!(because(&server, "1111111", "SHOP-1", None).await, is("seen", "commit_absent"));

    let clone = ["clone", "-q", path.to_str().expect("plain"), other.to_str().expect("plain")];
    git(&server.root, &clone);
    let copied = json!({ "kind": "path", "path": other, "reading": "mirrored" });
    let copy = connected(&server, "other", copied).await;
    let told = explained(&server, &seen, "SHOP-1", None).await;
    assert_eq!((&told["repository"]["id"], &told["also_in"]), (&json!(id), &json!([copy])));
    let told = explained(&server, &seen, "SHOP-1", Some(&copy)).await;
    assert_eq!((code(&told, "fetched"), &told["also_in"]), ("copied", &json!([])));
    assert_eq!(because(&server, &aside, "SHOP-1", None).await, is("repository", "repository_not_named"));
    assert_eq!(because(&server, &aside, "SHOP-1", Some(&copy)).await, is("seen", "commit_absent"));

    // The repository is away: what was seen is shown, and what was not seen is not.
    std::fs::rename(&path, server.root.join("away")).expect("it can be moved");
    soon("its trouble is told", || async {
        server.post(&format!("/api/v1/repositories/{id}/fetch"), json!({})).await.with(StatusCode::ACCEPTED);
        !server.get(&format!("/api/v1/repositories/{id}")).await.body["trouble"].is_null()
    })
    .await;
    assert_eq!(explained(&server, &seen, "SHOP-1", Some(&id)).await["shown"], true);
    let told = explained(&server, &aside, "SHOP-1", Some(&id)).await;
    assert_eq!((code(&told, "fetched"), code(&told, "seen")), ("not_fetched", "commit_unchecked"));
    let told = explained(&server, &seen, "SHOP-2", Some(&id)).await;
    assert_eq!((&told["because"]["code"], &told["because"]["state"]), (&json!("message_unread"), &json!("unknown")));

    let integration = server.get(&format!("/api/v1/repositories/{id}")).await.text_of("integration");
    let removed = server.local(Method::DELETE, &format!("/api/v1/integrations/{integration}")).header("If-Match", "*");
    answer(removed).await.with(StatusCode::OK);
    soon("it is forgotten", || async {
        server.get(&format!("/api/v1/repositories/{id}")).await.body["state"] == "forgotten"
    })
    .await;
    assert_eq!(because(&server, &seen, "SHOP-1", Some(&id)).await, is("repository", "repository_forgotten"));
}

async fn only_a_few_go_through_all_repositories_at_once(server: Server) {
    let (shop, tools) = (server.root.join("shop"), server.root.join("tools"));
    repository::with_commits(&shop, &["SHOP-1 begins", "no key"]);
    repository::with_commits(&tools, &["other"]);
    let (named, plain) = (name(&shop, "HEAD~1"), name(&shop, "HEAD"));
    let id = indexed(&server, "shop", &shop).await["id"].as_str().expect("an id").to_owned();
    indexed(&server, "tools", &tools).await;
    let head = server.app.log.feed().head().position;
    server.get(&format!("/api/v1/search?min_position={head}")).await.with(StatusCode::OK);
    let turns = [server.app.scans.take().await.expect("a turn"), server.app.scans.take().await.expect("a turn")];
    // What the search knows needs no turn, and neither does who names the repository.
    for commit in [&named[..], &named[..9]] {
        let told = explained(&server, commit, "SHOP-1", None).await;
        assert_eq!((&told["shown"], &told["commit"]), (&json!(true), &json!(named)), "{told}");
    }
    assert_eq!(because(&server, &plain, "SHOP-1", Some(&id)).await, is("candidate", "not_named"));
    let at = format!("/api/v1/explain?commit={plain}&issue=SHOP-1");
    assert!(server.get(&at).await.refused(503, "busy").headers.contains_key("retry-after"));
    drop(turns);
    assert_eq!(because(&server, &plain, "SHOP-1", None).await, is("candidate", "not_named"));
}

async fn a_repository_that_was_not_read_is_told_why(server: Server) {
    let folder = server.root.join("all");
    let whole = server.elsewhere.join("whole");
    repository::with_commits(&whole, &["SHOP-1 begins", "SHOP-1 ends"]);
    let sha = name(&whole, "HEAD");
    std::fs::create_dir(&folder).expect("a folder");
    let from = format!("file://{}", whole.display());
    git(&folder, &["clone", "-q", "--depth", "1", &from, "shallow"]);
    let broken = folder.join("broken");
    repository::with_commits(&broken, &["SHOP-1 begins", "SHOP-1 goes on", "SHOP-1 ends"]);
    let object = name(&broken, "HEAD~2");
    std::fs::remove_file(broken.join(".git/objects").join(&object[..2]).join(&object[2..])).expect("an object");
    server.connect("all", json!({ "kind": "folder", "path": folder })).await.with(StatusCode::CREATED);
    let row = async |state: &str| {
        let list = server.get(&format!("/api/v1/repositories?state={state}")).await;
        list.items().first().map(|row| row["id"].as_str().expect("an id").to_owned())
    };
    soon("both are told of", || async { row("refused").await.is_some() && row("failed").await.is_some() }).await;
    let (refused, failed) = (row("refused").await.expect("a repository"), row("failed").await.expect("a repository"));
    assert_eq!(because(&server, &sha, "SHOP-1", Some(&refused)).await, is("repository", "repository_refused"));
    assert_eq!(because(&server, &sha, "SHOP-1", Some(&failed)).await, is("fetched", "index_failed"));
}

async fn a_run_that_goes_on_or_never_ended_is_told(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    git(&server.root, &["clone", "-q", "--bare", "shop", "shop.git"]);
    let sha = name(&path, "HEAD");
    let web = WebServer::start(&server.root);
    let relay = Relay::start(web.address(), Fault::Stalls(0));
    let url = relay.url(&web.url("shop.git"));
    let added = server.connect("shop", json!({ "kind": "git", "url": url })).await.with(StatusCode::CREATED);
    let list = format!("/api/v1/integrations/{}/repositories", added.id());
    soon("it is being indexed", || async {
        server.get(&list).await.items().first().is_some_and(|row| row["state"] == "indexing")
    })
    .await;
    let row = server.get(&list).await.items()[0].clone();
    let (id, run) = (row["id"].as_str().expect("an id"), row["last_run"].as_str().expect("a run"));
    let told = explained(&server, &sha, "SHOP-1", Some(id)).await;
    assert_eq!((code(&told, "fetched"), code(&told, "seen")), ("indexing", "commit_absent"));
    server.post(&format!("/api/v1/index-runs/{run}/cancel"), json!({})).await.with(StatusCode::OK);
    soon("it waits", || async { server.get(&list).await.items()[0]["state"] != "indexing" }).await;
    assert_eq!(because(&server, &sha, "SHOP-1", Some(id)).await, is("fetched", "never_indexed"));
    relay.set(Fault::None);
    soon("it is indexed", || async {
        server.post(&format!("/api/v1/repositories/{id}/index-runs"), json!({})).await;
        explained(&server, &sha, "SHOP-1", Some(id)).await["shown"] == true
    })
    .await;
    // A run that was asked for last ends before its git server does.
    server.look_behind().await;
}

on_both_engines!(
    what_the_message_says_decides,
    rules_and_decisions_are_named,
    what_no_run_has_seen_is_told_why,
    only_a_few_go_through_all_repositories_at_once,
    a_repository_that_was_not_read_is_told_why,
);

mod remote {
    use super::a_run_that_goes_on_or_never_ended_is_told;
    use crate::server::on_both_engines;

    on_both_engines!(reaching_this_machine; a_run_that_goes_on_or_never_ended_is_told);
}
