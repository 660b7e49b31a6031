//! A commit and an issue that a person links and unlinks: what is shown then, what is refused, and what outlives a reset.

use std::path::Path;

use keytrail_test_support::repositories::Repository;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    indexing::indexed,
    project_rules,
    repository::{self, git},
    server::{Answer, Server, answer, on_both_engines},
};

/// The full name of a revision.
pub(crate) fn name(path: &Path, revision: &str) -> String {
    let repository = Repository { path: path.to_owned() };
    repository.git_line(&["rev-parse", revision]).expect("a name").trim().to_owned()
}

async fn send(server: &Server, method: Method, at: &str) -> Answer {
    answer(server.local(method, at)).await
}

/// The commits of an issue by their names.
async fn commits(server: &Server, key: &str, query: &str) -> Vec<Value> {
    server.get(&format!("/api/v1/issues/{key}/commits{query}")).await.with(StatusCode::OK).items().to_vec()
}

/// Waits until the index was reset and is complete again.
pub(crate) async fn reset(server: &Server, id: &str) {
    let asked = loop {
        let asked = server.post(&format!("/api/v1/repositories/{id}/reset"), json!({})).await;
        if asked.status == StatusCode::ACCEPTED {
            break asked.id();
        }
        let active = asked.refused(409, "index_run_active").text_of("index_run");
        server.get(&format!("/api/v1/index-runs/{active}?wait_ms=30000")).await.with(StatusCode::OK);
    };
    let run = server.get(&format!("/api/v1/index-runs/{asked}?wait_ms=30000")).await;
    assert_eq!(run.text_of("state"), "completed", "{}", run.text);
    let at = format!("/api/v1/issues/SHOP-1?min_position={}", run.body["position"]);
    server.get(&at).await.with(StatusCode::OK);
}

async fn a_commit_without_a_key_is_linked_by_hand_and_stays_so(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins", "no key here", "SHOP-1 goes on"]);
    let (plain, named) = (name(&path, "HEAD~1"), name(&path, "HEAD"));
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();
    let at = format!("/api/v1/issues/shop-1/commits/{id}/{plain}");
    let linked = send(&server, Method::POST, &at).await.with(StatusCode::OK);
    assert_eq!(
        (&linked.body["issue"], &linked.body["sha"], &linked.body["linked"], &linked.body["manual"]),
        (&json!("SHOP-1"), &json!(plain), &json!(true), &json!(true))
    );
    assert_eq!((&linked.body["places"], linked.header("etag")), (&json!([]), "\"1\"".into()));
    assert_eq!(
        (&linked.body["decision"]["state"], &linked.body["decision"]["by"]),
        (&json!("linked"), &json!("local"))
    );

    let shown = commits(&server, "SHOP-1", "").await;
    assert_eq!(shown.len(), 3);
    let by_hand = shown.iter().find(|commit| commit["sha"] == json!(plain)).expect("the commit");
    assert_eq!((&by_hand["manual"], &by_hand["subject"]), (&json!(true), &json!("no key here")));
    assert_eq!(by_hand["author"]["name"], "Ada", "who wrote it became known before the event");
    assert_eq!((&by_hand["introduced_by"], &by_hand["places"]), (&Value::Null, &json!([])));
    assert_eq!(by_hand["decision"], linked.body["decision"]);
    let found = shown.iter().find(|commit| commit["sha"] == json!(named)).expect("the commit");
    assert_eq!((&found["manual"], &found["decision"]), (&json!(false), &Value::Null));
    let issue = server.get("/api/v1/issues/SHOP-1").await;
    assert_eq!((&issue.body["commits"], &issue.body["repositories"][0]["commits"]), (&json!(3), &json!(3)));
    // Pages go through both kinds in one order.
    let mut paged = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("/api/v1/issues/SHOP-1/commits?limit=1{cursor}")).await.with(StatusCode::OK);
        paged.extend(page.items().to_vec());
        let Some(next) = page.body["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, shown);

    // Saying it again is no second fact; a beginning of the name will do.
    let head = || async { server.get("/api/v1/events?type=commit_link.linked").await.items().len() };
    let again = send(&server, Method::POST, &at.replace(&plain, &plain[..9])).await.with(StatusCode::OK);
    assert_eq!((again.body, head().await), (linked.body.clone(), 1));
    // Before it was linked it was not.
    let position = linked.header("x-log-position").parse::<i64>().expect("a number") - 1;
    assert_eq!(commits(&server, "SHOP-1", &format!("?as_of={position}")).await.len(), 2);

    // It outlives a reset, and a rebuild of the view.
    reset(&server, &id).await;
    let after = commits(&server, "SHOP-1", "").await;
    let shas = |all: &[Value]| all.iter().map(|commit| commit["sha"].clone()).collect::<Vec<_>>();
    assert_eq!(shas(&after), shas(&shown));
    let verified = send(&server, Method::POST, "/api/v1/views/verify?wait=true").await.with(StatusCode::OK);
    assert!(!verified.text.contains("\"same\":false"), "{}", verified.text);

    // And it can be taken back.
    let restored = send(&server, Method::POST, &format!("{at}/restore")).await.with(StatusCode::OK);
    assert_eq!((&restored.body["linked"], &restored.body["decision"]["state"]), (&json!(false), &json!("as_found")));
    assert_eq!(shas(&commits(&server, "SHOP-1", "").await).len(), 2);
    assert_eq!(server.get("/api/v1/issues/SHOP-1").await.body["commits"], 2);
    let again = send(&server, Method::POST, &format!("{at}/restore")).await.with(StatusCode::OK);
    assert_eq!(again.header("etag"), "\"2\"");
    send(&server, Method::DELETE, &at).await.refused(404, "commit_not_linked");
}

async fn a_commit_that_names_an_issue_is_unlinked_and_comes_back(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins", "SHOP-1 wrongly so"]);
    let sha = name(&path, "HEAD");
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();
    let at = format!("/api/v1/issues/SHOP-1/commits/{id}/{sha}");
    let admin = server.token("admin").await;
    let unlinked = answer(server.request(Method::DELETE, &at).bearer_auth(&admin)).await.with(StatusCode::OK);
    assert_eq!((&unlinked.body["linked"], &unlinked.body["places"]), (&json!(false), &json!(["subject"])));
    assert_eq!(unlinked.body["decision"]["by"], "a admin");
    assert_eq!(commits(&server, "SHOP-1", "").await.len(), 1);
    let all = commits(&server, "SHOP-1", "?unlinked=true").await;
    let hidden = all.iter().find(|commit| commit["sha"] == json!(sha)).expect("it is told of");
    assert_eq!((&hidden["decision"]["state"], &hidden["manual"]), (&json!("unlinked"), &json!(false)));
    assert_eq!((all.len(), &server.get("/api/v1/issues/SHOP-1").await.body["commits"]), (2, &json!(1)));
    reset(&server, &id).await;
    assert_eq!(commits(&server, "SHOP-1", "").await.len(), 1);
    send(&server, Method::DELETE, &at).await.with(StatusCode::OK);

    let stale = server.local(Method::POST, &format!("{at}/restore")).header("If-Match", "\"0\"");
    answer(stale).await.refused(412, "version_stale");
    let seen = server.local(Method::POST, &format!("{at}/restore")).header("If-Match", unlinked.header("etag"));
    assert_eq!(answer(seen).await.with(StatusCode::OK).body["linked"], true);
    assert_eq!(commits(&server, "SHOP-1", "").await.len(), 2);
    // One that names the issue and is linked, too, is shown once.
    let linked = send(&server, Method::POST, &at).await.with(StatusCode::OK);
    assert_eq!((&linked.body["manual"], &linked.body["places"]), (&json!(true), &json!(["subject"])));
    assert_eq!(commits(&server, "SHOP-1", "").await.len(), 2);
    assert_eq!(server.get("/api/v1/issues/SHOP-1").await.body["commits"], 2);
    let events = server.get("/api/v1/events?type=commit_link.unlinked").await;
    assert!(events.items().iter().any(|event| event["summary"].as_str().is_some_and(|said| said.contains(&sha))));

    // What is forgotten is not shown, and what was decided of it stays.
    let integration = server.get(&format!("/api/v1/repositories/{id}")).await.text_of("integration");
    let removed = server.local(Method::DELETE, &format!("/api/v1/integrations/{integration}")).header("If-Match", "*");
    answer(removed).await.with(StatusCode::OK);
    crate::server::soon("it is forgotten", || async { commits(&server, "SHOP-1", "").await.is_empty() }).await;
    send(&server, Method::POST, &at).await.refused(409, "repository_forgotten");
}

async fn a_copy_is_asked_for_a_commit_without_a_key(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins", "no key here"]);
    let plain = name(&path, "HEAD");
    let connection = json!({ "kind": "path", "path": path, "reading": "mirrored" });
    let id = crate::explanations::connected(&server, "shop", connection).await;
    // The copy has it, whatever becomes of the repository.
    std::fs::rename(&path, server.root.join("aside")).expect("it can be moved");
    let at = format!("/api/v1/issues/SHOP-1/commits/{id}/{plain}");
    let linked = send(&server, Method::POST, &at).await.with(StatusCode::OK);
    assert_eq!(linked.body["manual"], true);
    assert_eq!(commits(&server, "SHOP-1", "").await.len(), 2);
}

async fn what_cannot_be_linked_is_refused(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins", "no key"]);
    let plain = name(&path, "HEAD");
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();
    repository::commit(&path, "nobody looked at it yet");
    let later = name(&path, "HEAD");
    let at = |key: &str, id: &str, sha: &str| format!("/api/v1/issues/{key}/commits/{id}/{sha}");
    let nobody = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    for method in [Method::POST, Method::DELETE] {
        let ask = async |key: &str, id: &str, sha: &str| send(&server, method.clone(), &at(key, id, sha)).await;
        ask("SHOP-0", &id, &plain).await.refused(400, "issue_key_invalid");
        ask("SHOP-1", &id, "main").await.refused(400, "parameter_invalid");
        ask("SHOP-1", &id, &plain[..6]).await.refused(400, "parameter_invalid");
        ask("SHOP-1", "x", &plain).await.refused(400, "parameter_invalid");
        ask("SHOP-1", nobody, &plain).await.refused(404, "repository_unknown");
        ask("SHOP-1", &id, &"1".repeat(40)).await.refused(404, "commit_unknown");
        ask("SHOP-1", &id, &later).await.refused(404, "commit_unknown");
    }
    send(&server, Method::DELETE, &at("SHOP-1", &id, &plain)).await.refused(404, "commit_not_linked");
    let left_out = send(&server, Method::POST, &at("UTF-8", &id, &plain)).await.refused(409, "issue_left_out");
    assert_eq!(left_out.body["rule"], "project_denied");
    project_rules::set(&server, &["SHOP"], &["SHOP-404"]).await;
    for (key, rule) in [("PAY-1", "project_not_known"), ("SHOP-404", "issue_denied")] {
        let left_out = send(&server, Method::POST, &at(key, &id, &plain)).await.refused(409, "issue_left_out");
        assert_eq!(left_out.body["rule"], rule);
    }
    let auditor = server.token("auditor").await;
    let request = server.request(Method::POST, &at("SHOP-1", &id, &plain)).bearer_auth(auditor);
    answer(request).await.refused(403, "role_insufficient");
    assert_eq!(server.get("/api/v1/events?type=commit_link.linked").await.items().len(), 0);
    // Sending it again with the same key does it once.
    let once = || server.local(Method::POST, &at("SHOP-1", &id, &plain)).header("Idempotency-Key", "1");
    answer(once()).await.with(StatusCode::OK);
    send(&server, Method::POST, &format!("{}/restore", at("SHOP-1", &id, &plain))).await.with(StatusCode::OK);
    let again = answer(once()).await.with(StatusCode::OK);
    assert_eq!((again.header("idempotency-replayed"), &again.body["linked"]), ("true".into(), &json!(false)));
    let other = server.local(Method::POST, &at("SHOP-2", &id, &plain)).header("Idempotency-Key", "1");
    answer(other).await.refused(422, "idempotency_key_reused");
}

async fn a_request_that_is_sent_again_is_answered_as_before_whatever_is_gone_since(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins", "no key here"]);
    let plain = name(&path, "HEAD");
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();
    let at = |key: &str, sha: &str| format!("/api/v1/issues/{key}/commits/{id}/{sha}");
    let post = async |at: &str, key: &str| answer(server.local(Method::POST, at).header("Idempotency-Key", key)).await;
    // By the beginning of its name, which can be looked up only as long as the commit is there.
    let link = at("SHOP-1", &plain[..9]);
    let linked = post(&link, "link").await.with(StatusCode::OK);
    send(&server, Method::POST, &at("SHOP-2", &plain)).await.with(StatusCode::OK);
    let restore = format!("{}/restore", at("SHOP-2", &plain[..9]));
    let restored = post(&restore, "restore").await.with(StatusCode::OK);
    assert_eq!(restored.body["decision"]["state"], "as_found");

    let integration = server.get(&format!("/api/v1/repositories/{id}")).await.text_of("integration");
    let removed = server.local(Method::DELETE, &format!("/api/v1/integrations/{integration}")).header("If-Match", "*");
    answer(removed).await.with(StatusCode::OK);
    crate::server::soon("it is forgotten", || async { commits(&server, "SHOP-1", "").await.is_empty() }).await;
    std::fs::remove_dir_all(&path).expect("a folder");
    for (place, key, before) in [(&link, "link", &linked), (&restore, "restore", &restored)] {
        post(place, "another").await.refused(409, "repository_forgotten");
        let again = post(place, key).await.with(StatusCode::OK);
        assert_eq!((&again.body, again.header("idempotency-replayed")), (&before.body, "true".into()));
        for header in ["etag", "x-log-position"] {
            assert_eq!(again.header(header), before.header(header), "{header}");
        }
    }
    post(&at("SHOP-3", &plain), "link").await.refused(422, "idempotency_key_reused");
}

/// Two commits whose names begin with the same seven digits; their names.
pub(crate) fn twins(path: &Path) -> [String; 2] {
    repository::empty(path);
    git(path, &["hash-object", "-t", "tree", "-w", "/dev/null"]);
    let head = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\
                author Ada <ada@example.org> 1700000000 +0000\ncommitter Ada <ada@example.org> 1700000000 +0000\n\n";
    let made =
        [(293, "abeb8945eb29dc354b064ce067e100a276621dc8"), (13_196, "abeb8942989610dbb83fba2be41f82fad53bd4c2")];
    made.map(|(number, sha)| {
        let file = path.join(".git/twin");
        std::fs::write(&file, format!("{head}SHOP-1 number {number}\n")).expect("a file");
        git(path, &["hash-object", "-t", "commit", "-w", ".git/twin"]);
        git(path, &["update-ref", &format!("refs/heads/twin-{number}"), sha]);
        sha.to_owned()
    })
}

async fn the_beginning_of_two_names_is_refused_with_both(server: Server) {
    let path = server.root.join("shop");
    let [one, other] = twins(&path);
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();
    let ask = |sha: &str| format!("/api/v1/issues/SHOP-2/commits/{id}/{sha}");
    let refused = send(&server, Method::POST, &ask(&one[..7])).await.refused(409, "commit_ambiguous");
    assert_eq!(refused.body["candidates"], json!([other, one]));
    let linked = send(&server, Method::POST, &ask(&one[..8])).await.with(StatusCode::OK);
    assert_eq!(linked.body["sha"], one);
    assert_eq!(commits(&server, "SHOP-2", "").await[0]["introduced_by"], "refs/heads/twin-293", "as the index has it");
    let explain = format!("/api/v1/explain?issue=SHOP-1&commit={}", &one[..7]);
    server.get(&explain).await.refused(409, "commit_ambiguous");
    // Wherever a commit is named its beginning will do.
    for rest in ["", "/refs", "/files", "/diff"] {
        let at = |sha: &str| format!("/api/v1/repositories/{id}/commits/{sha}{rest}");
        let refused = server.get(&at(&one[..7])).await.refused(409, "commit_ambiguous");
        assert_eq!(refused.body["candidates"], json!([other, one]));
        let found = server.get(&at(&one[..8])).await.with(StatusCode::OK);
        assert_eq!(found.body, server.get(&at(&one)).await.body, "{rest}");
        server.get(&at(&"1".repeat(7))).await.refused(404, "commit_unknown");
        server.get(&at(&one[..6])).await.refused(400, "parameter_invalid");
    }
}

on_both_engines!(
    a_commit_without_a_key_is_linked_by_hand_and_stays_so,
    a_commit_that_names_an_issue_is_unlinked_and_comes_back,
    a_copy_is_asked_for_a_commit_without_a_key,
    what_cannot_be_linked_is_refused,
    a_request_that_is_sent_again_is_answered_as_before_whatever_is_gone_since,
    the_beginning_of_two_names_is_refused_with_both,
);
