//! In which order the search tells of issues after persons linked and unlinked their commits.

use reqwest::{Method, StatusCode};

use crate::{
    commit_links::{name, reset},
    indexing::indexed,
    repository::{self, git},
    search::search,
    server::{Server, answer, on_both_engines},
};

async fn an_issue_stands_where_the_last_commit_that_it_shows_puts_it(server: Server) {
    let path = server.root.join("shop");
    repository::empty(&path);
    let ada = "Ada <ada@example.org>";
    for (day, message) in
        [(1, "SHOP-1 first"), (2, "SHOP-2 only"), (3, "SHOP-3 only"), (4, "no key"), (5, "SHOP-1 last")]
    {
        repository::commit_at(&path, ada, 1_700_000_000 + day * 86_400, message);
    }
    git(&path, &["branch", "shop-2-size"]);
    let [plain, last, second] = ["HEAD~1", "HEAD", "HEAD~3"].map(|revision| name(&path, revision));
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();
    let decide = async |method: Method, key: &str, rest: &str| {
        let at = format!("/api/v1/issues/{key}/commits/{id}/{rest}");
        answer(server.local(method, &at)).await.with(StatusCode::OK);
    };
    // One by one, so that the cursor is tried at each, and whichever way they are found.
    let order = async |query: &str| {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = search(&server, &format!("limit=1{query}{cursor}")).await;
            found.extend(page.items().iter().map(|hit| hit["key"].as_str().expect("a key").to_owned()));
            match page.body["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found.join(" "),
            }
        }
    };
    assert_eq!(order("").await, "SHOP-1 SHOP-3 SHOP-2");
    let (restored, came_back) = (format!("{plain}/restore"), format!("{last}/restore"));
    for (method, key, at, expected) in [
        (Method::POST, "SHOP-2", &plain, "SHOP-1 SHOP-2 SHOP-3"),
        (Method::DELETE, "SHOP-2", &plain, "SHOP-1 SHOP-3 SHOP-2"),
        (Method::POST, "SHOP-2", &restored, "SHOP-1 SHOP-3 SHOP-2"),
        (Method::DELETE, "SHOP-1", &last, "SHOP-3 SHOP-2 SHOP-1"),
    ] {
        decide(method, key, at).await;
        for query in ["", "&author=ada", "&project=SHOP"] {
            assert_eq!(order(query).await, expected, "{key} {at} {query}");
        }
    }
    assert_eq!(order("&words=only").await, "SHOP-3 SHOP-2");
    decide(Method::DELETE, "SHOP-2", &second).await;
    assert_eq!(order("").await, "SHOP-3 SHOP-1 SHOP-2", "a branch alone comes last");
    reset(&server, &id).await;
    assert_eq!(order("").await, "SHOP-3 SHOP-1 SHOP-2", "a reset changes nothing");
    decide(Method::POST, "SHOP-1", &came_back).await;
    assert_eq!(order("").await, "SHOP-1 SHOP-3 SHOP-2");
    assert_eq!(order("&sort=key").await, "SHOP-1 SHOP-2 SHOP-3");
}

on_both_engines!(an_issue_stands_where_the_last_commit_that_it_shows_puts_it);
