//! Issues are found by what is known of them, whatever is combined, page by page; and told in figures.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    commit_links::{name, reset},
    indexing::{indexed, indexed_again},
    project_rules,
    repository::{self, git},
    server::{Answer, Server, answer, on_both_engines, soon},
};

/// Commits as this person, at this second.
fn commit_as(path: &std::path::Path, name: &str, email: &str, second: u32, message: &str) {
    let author = format!("{name} <{email}>");
    let date = format!("{} +0000", 1_700_000_000 + second);
    git(path, &["commit", "-q", "--allow-empty", "--author", &author, "--date", &date, "-m", message]);
}

/// Two repositories that name some of the same issues.
async fn two(server: &Server) -> [Value; 2] {
    let (shop, tools) = (server.root.join("shop"), server.root.join("tools"));
    repository::empty(&shop);
    for (second, (name, email, message)) in [
        ("Ada", "ada@example.org", "SHOP-1 Fix the login page"),
        ("Ada", "ada@example.org", "SHOP-12: größe ÄNDERN in login"),
        ("Bob", "bob@lee.example", "SHOP-120 fix nothing\n\nAlso SHOP-1."),
        ("Bob", "bob@lee.example", "OTHER-1 and SHOP-2 begin"),
        ("Ann Lee", "ann@example.org", "SHOPPING-1 more"),
    ]
    .into_iter()
    .enumerate()
    {
        commit_as(&shop, name, email, second as u32, message);
    }
    git(&shop, &["branch", "shop-12-size"]);
    let first = indexed(server, "shop", &shop).await;
    repository::empty(&tools);
    commit_as(&tools, "Ada", "ada@example.org", 99, "SHOP-2 logout");
    git(&tools, &["branch", "shop-2-a"]);
    git(&tools, &["branch", "shop-500"]);
    [first, indexed(server, "tools", &tools).await]
}

fn keys(found: &Answer) -> Vec<&str> {
    found.items().iter().map(|hit| hit["key"].as_str().expect("a key")).collect()
}

pub(crate) async fn search(server: &Server, query: &str) -> Answer {
    let head = server.app.log.feed().head().position;
    server.get(&format!("/api/v1/search?min_position={head}&{query}")).await.with(StatusCode::OK)
}

async fn issues_are_found_by_keys_words_names_and_authors(server: Server) {
    let [shop, _] = two(&server).await;
    let by_key = |query: &'static str| {
        let server = server.clone();
        async move { keys(&search(&server, &format!("sort=key&{query}")).await).join(" ") }
    };
    assert_eq!(by_key("").await, "OTHER-1 SHOP-1 SHOP-2 SHOP-12 SHOP-120 SHOP-500 SHOPPING-1");
    for (query, expected) in [
        ("key=shop", "SHOP-1 SHOP-2 SHOP-12 SHOP-120 SHOP-500 SHOPPING-1"),
        ("key=SHOP-", "SHOP-1 SHOP-2 SHOP-12 SHOP-120 SHOP-500"),
        ("key=SHOP-5", "SHOP-500"),
        ("key=Shop-12", "SHOP-12 SHOP-120"),
        ("key=SHOP-3", ""),
        ("project=shop", "SHOP-1 SHOP-2 SHOP-12 SHOP-120 SHOP-500"),
        ("project=SHO", ""),
        ("words=fix", "SHOP-1 SHOP-120"),
        ("words=FIX+login", "SHOP-1"),
        ("words=login", "SHOP-1 SHOP-12"),
        ("words=log", ""),
        ("words=%C3%A4ndern", "SHOP-12"),
        ("words=shop", ""),
        ("author=bob", "OTHER-1 SHOP-1 SHOP-2 SHOP-120"),
        ("author=lee", "OTHER-1 SHOP-1 SHOP-2 SHOP-120 SHOPPING-1"),
        ("author=nobody", ""),
        ("author=ada&words=login&project=SHOP&key=", ""),
        ("author=ada&words=login&project=SHOP", "SHOP-1 SHOP-12"),
        ("author=ada&project=SHOP", "SHOP-1 SHOP-2 SHOP-12"),
    ] {
        if query.ends_with("key=") {
            server.get(&format!("/api/v1/search?{query}")).await.refused(400, "query_invalid");
            continue;
        }
        assert_eq!(by_key(query).await, expected, "{query}");
    }
    // Who may not see addresses may not ask for them.
    let viewer = server.token("viewer").await;
    let asked = server.request(reqwest::Method::GET, "/api/v1/search?sort=key&author=lee").bearer_auth(&viewer);
    assert_eq!(keys(&answer(asked).await.with(StatusCode::OK)), ["SHOPPING-1"]);

    let commits = server.get("/api/v1/issues/SHOP-12/commits").await;
    let commit = &commits.items()[0];
    let (sha, author) = (commit["sha"].as_str().expect("a name"), commit["author"]["id"].as_str().expect("an id"));
    assert_eq!(keys(&search(&server, &format!("sha={}", &sha[..4].to_uppercase())).await), ["SHOP-12"]);
    assert_eq!(keys(&search(&server, &format!("sha={sha}&sort=key")).await), ["SHOP-12"]);
    assert_eq!(keys(&search(&server, &format!("sha={}&words=fix", &sha[..7])).await), [] as [&str; 0]);
    assert_eq!(keys(&search(&server, &format!("author={author}&sort=key")).await), ["SHOP-1", "SHOP-2", "SHOP-12"]);

    let busiest = search(&server, "").await;
    let newest: Vec<_> = busiest.items().iter().map(|hit| hit["last_commit_at"].as_str()).collect();
    assert!(newest.is_sorted_by(|one, other| one >= other), "{newest:?}");
    let last = busiest.items().last().expect("some");
    let told = ["key", "commits", "branches", "last_commit_at"].map(|member| last[member].clone());
    assert_eq!(told, [json!("SHOP-500"), json!(0), json!(1), Value::Null], "those that only branches name come last");
    let two = busiest.items().iter().find(|hit| hit["key"] == "SHOP-2").expect("it is there");
    let figures = ["commits", "superseded", "authors", "repositories", "branches"].map(|member| two[member].clone());
    assert_eq!(figures, [2, 0, 2, 2, 1].map(|figure| json!(figure)));
    assert_eq!(two["complete"], true);

    let at = format!("/api/v1/integrations/{}", shop["integration"].as_str().expect("an id"));
    let removed = answer(server.local(reqwest::Method::DELETE, &at).header("If-Match", "*")).await;
    removed.with(StatusCode::OK);
    let id = at.rsplit('/').next().expect("an id");
    let forgetting = format!("/api/v1/operations/forget_repositories.{id}");
    soon("its repository is forgotten", || async { server.get(&forgetting).await.body["state"] == "succeeded" }).await;
    assert_eq!(by_key("").await, "SHOP-2 SHOP-500", "what a repository that is gone said is not found");
    assert_eq!(by_key("words=fix").await, "");
    assert_eq!(keys(&search(&server, &format!("sha={sha}")).await), [] as [&str; 0]);
}

async fn what_persons_linked_is_found_and_what_they_unlinked_is_not(server: Server) {
    let path = server.root.join("shop");
    repository::empty(&path);
    commit_as(&path, "Ada", "ada@example.org", 1, "SHOP-1 begins");
    commit_as(&path, "Bob", "bob@lee.example", 2, "the plain one");
    commit_as(&path, "Bob", "bob@lee.example", 3, "SHOP-1 ends late");
    commit_as(&path, "Bob", "bob@lee.example", 4, "SHOP-2 only this");
    let [plain, late, only] = ["HEAD~2", "HEAD~1", "HEAD"].map(|revision| name(&path, revision));
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();
    let decide = async |method: Method, key: &str, rest: &str| {
        let at = format!("/api/v1/issues/{key}/commits/{id}/{rest}");
        answer(server.local(method, &at)).await.with(StatusCode::OK);
    };
    decide(Method::POST, "NEW-9", &plain).await;
    decide(Method::DELETE, "SHOP-1", &late).await;
    decide(Method::DELETE, "SHOP-2", &only).await;
    let asked = async |query: &str| keys(&search(&server, &format!("sort=key&{query}")).await).join(" ");
    for round in ["at first", "after a reset"] {
        for (query, expected) in [
            ("", "NEW-9 SHOP-1"),
            ("key=new", "NEW-9"),
            ("words=plain", "NEW-9"),
            (&format!("sha={}", &plain[..12]), "NEW-9"),
            ("author=bob", "NEW-9"),
            ("author=ada", "SHOP-1"),
            ("words=begins", "SHOP-1"),
            ("words=late", ""),
            ("words=begins+late", ""),
            (&format!("sha={late}"), ""),
            ("key=SHOP-2", ""),
            ("words=only", ""),
        ] {
            assert_eq!(asked(query).await, expected, "{query} {round}");
        }
        for key in ["NEW-9", "SHOP-1"] {
            let found = search(&server, &format!("key={key}")).await;
            let issue = server.get(&format!("/api/v1/issues/{key}")).await;
            for member in ["commits", "last_commit_at"] {
                assert_eq!(found.items()[0][member], issue.body[member], "{member} of {key} {round}");
            }
            assert_eq!(found.items()[0]["commits"], 1, "{key} {round}");
        }
        // What is not shown takes no room of a page, and is no further page.
        let first = server.get("/api/v1/search?sort=key&limit=1").await.with(StatusCode::OK);
        let next = first.body["next"].as_str().expect("more");
        let last = server.get(&format!("/api/v1/search?sort=key&limit=1&cursor={next}")).await.with(StatusCode::OK);
        assert_eq!((keys(&last), &last.body["next"]), (vec!["SHOP-1"], &Value::Null), "{round}");
        if round == "at first" {
            reset(&server, &id).await;
        }
    }
    decide(Method::POST, "NEW-9", &format!("{plain}/restore")).await;
    decide(Method::POST, "SHOP-2", &format!("{only}/restore")).await;
    assert_eq!(asked("author=bob").await, "SHOP-2");
    // The commit itself tells of its link once.
    decide(Method::POST, "NEW-9", &plain).await;
    let commit = server.get(&format!("/api/v1/repositories/{id}/commits/{plain}")).await.with(StatusCode::OK);
    assert_eq!(commit.body["issues"].as_array().map(Vec::len), Some(1), "{}", commit.text);
}

async fn an_issue_that_only_branches_name_is_found_while_one_of_them_is_there(server: Server) {
    let (shop, tools) = (server.root.join("shop"), server.root.join("tools"));
    for path in [&shop, &tools] {
        repository::with_commits(path, &["SHOP-1 begins"]);
        git(path, &["branch", "new-9-one"]);
    }
    git(&shop, &["branch", "new-9-two"]);
    git(&shop, &["branch", "new-10"]);
    let first = indexed(&server, "shop", &shop).await["id"].as_str().expect("an id").to_owned();
    let second = indexed(&server, "tools", &tools).await["id"].as_str().expect("an id").to_owned();
    let found = async |query: &str| {
        let hits = search(&server, query).await;
        let brief =
            |hit: &Value| format!("{} {}/{}", hit["key"].as_str().expect("a key"), hit["commits"], hit["branches"]);
        hits.items().iter().map(brief).collect::<Vec<_>>().join(", ")
    };
    for (query, expected) in [
        ("sort=key", "NEW-9 0/3, NEW-10 0/1, SHOP-1 2/0"),
        ("", "SHOP-1 2/0, NEW-10 0/1, NEW-9 0/3"),
        ("key=new", "NEW-10 0/1, NEW-9 0/3"),
        ("project=new&sort=key", "NEW-9 0/3, NEW-10 0/1"),
        ("key=new&words=begins", ""),
        ("key=new&author=ada", ""),
    ] {
        assert_eq!(found(query).await, expected, "{query}");
    }
    // Page by page, over the border between those with commits and those without.
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/api/v1/search?limit=1{cursor}")).await.with(StatusCode::OK);
        pages.extend(keys(&page).into_iter().map(str::to_owned));
        let Some(next) = page.body["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(pages, ["SHOP-1", "NEW-10", "NEW-9"]);
    git(&shop, &["branch", "-q", "-D", "new-9-one", "new-9-two", "new-10"]);
    indexed_again(&server, &first).await;
    assert_eq!(found("key=new").await, "NEW-9 0/1", "another repository has one");
    repository::commit(&shop, "NEW-10 begins");
    indexed_again(&server, &first).await;
    assert_eq!(found("key=new").await, "NEW-10 1/0, NEW-9 0/1");
    project_rules::set(&server, &[], &["NEW-9"]).await;
    assert_eq!(found("key=new").await, "NEW-10 1/0");
    project_rules::set(&server, &[], &[]).await;
    reset(&server, &second).await;
    assert_eq!(found("key=new").await, "NEW-10 1/0, NEW-9 0/1", "after a reset");
    let verified = server.post("/api/v1/views/verify?wait=true", json!({})).await.with(StatusCode::OK);
    assert_eq!(verified.body["same"], true, "{}", verified.text);
}

async fn pages_of_a_search_follow_each_other(server: Server) {
    two(&server).await;
    for sort in ["activity", "key"] {
        for filter in ["", "&words=login", "&author=ada", "&key=shop"] {
            let whole = search(&server, &format!("sort={sort}{filter}")).await;
            let (mut found, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = server.get(&format!("/api/v1/search?sort={sort}{filter}&limit=1{cursor}")).await;
                found.extend(page.with(StatusCode::OK).body["items"].as_array().expect("items").clone());
                let page = server.get(&format!("/api/v1/search?sort={sort}{filter}&limit=1{cursor}")).await;
                let Some(next) = page.body["next"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(found, whole.items(), "{sort}{filter}");
        }
    }
    // Another Ada comes to be known between two pages.
    let page = server.get("/api/v1/search?limit=1&author=ada").await.with(StatusCode::OK);
    let next = format!("/api/v1/search?limit=1&author=ada&cursor={}", page.body["next"].as_str().expect("more"));
    let more = server.root.join("more");
    repository::empty(&more);
    commit_as(&more, "Adam", "adam@example.org", 7, "MORE-1 begins");
    indexed(&server, "more", &more).await;
    assert_eq!(search(&server, "author=ada&key=MORE-1").await.items().len(), 1);
    server.get(&next).await.with(StatusCode::OK);

    let page = server.get("/api/v1/search?limit=1").await;
    let cursor = page.body["next"].as_str().expect("more");
    server.get(&format!("/api/v1/search?limit=1&sort=key&cursor={cursor}")).await.refused(400, "cursor_other_list");
    server.get(&format!("/api/v1/search?project=SHOP&cursor={cursor}")).await.refused(400, "cursor_other_list");
    for bad in [
        "key=SHOP-0",
        "key=%25",
        "key=",
        "project=SHOP-1",
        "sha=abc",
        "sha=zzzz",
        "words=-",
        "words=a+b",
        "author=",
        "words=aa+bb+cc+dd+ee+ff+gg",
        "sort=luck",
        "key=SHOP&project=SHOP",
        "other=1",
    ] {
        server.get(&format!("/api/v1/search?{bad}")).await.refused(400, "query_invalid");
    }
}

async fn a_part_of_a_name_that_fits_too_many_is_refused(server: Server) {
    let path = server.root.join("crowd");
    repository::empty(&path);
    for n in 0..17 {
        commit_as(&path, &format!("Clone {n}"), &format!("c{n}@example.org"), n, "CROWD-1 one more");
    }
    indexed(&server, "crowd", &path).await;
    server.get("/api/v1/search?author=clone").await.refused(422, "author_ambiguous");
    assert_eq!(keys(&search(&server, "author=clone%2016").await), ["CROWD-1"]);
}

async fn an_issue_is_told_in_figures(server: Server) {
    let [shop, tools] = two(&server).await;
    let head = server.app.log.feed().head().position;
    let two = server.get(&format!("/api/v1/issues/SHOP-2?min_position={head}")).await.with(StatusCode::OK);
    let figures = ["commits", "superseded", "authors", "branches"].map(|member| two.body[member].clone());
    assert_eq!(figures, [2, 0, 2, 1].map(|figure| json!(figure)));
    assert_eq!(two.body["complete"], true);
    let places = two.body["repositories"].as_array().expect("repositories");
    let brief =
        |place: &Value| json!([place["repository"]["id"], place["commits"], place["authors"], place["branches"]]);
    assert_eq!(
        places.iter().map(brief).collect::<Vec<_>>(),
        [json!([shop["id"], 1, 1, 0]), json!([tools["id"], 1, 1, 1])]
    );
    assert_eq!(places[1]["last_commit_at"], two.body["last_commit_at"]);
    let only = server.get("/api/v1/issues/SHOP-500").await.with(StatusCode::OK);
    assert_eq!((&only.body["commits"], &only.body["branches"]), (&json!(0), &json!(1)));
    assert_eq!(only.body["repositories"][0]["first_commit_at"], Value::Null);
    let nothing = server.get("/api/v1/issues/SHOP-999").await.with(StatusCode::OK);
    assert_eq!((&nothing.body["authors"], &nothing.body["repositories"]), (&json!(0), &json!([])));
}

async fn superseded_commits_are_counted_apart(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 stays", "SHOP-1 goes"]);
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();
    git(&path, &["reset", "-q", "--hard", "HEAD~1"]);
    let ended = indexed_again(&server, &id).await;
    let at = format!("/api/v1/issues/SHOP-1?min_position={}", ended["position"]);
    let issue = server.get(&at).await.with(StatusCode::OK);
    assert_eq!((&issue.body["commits"], &issue.body["superseded"]), (&json!(2), &json!(1)));
    assert_eq!(issue.body["repositories"][0]["superseded"], 1);
    let found = search(&server, "key=SHOP-1").await;
    assert_eq!((&found.items()[0]["commits"], &found.items()[0]["superseded"]), (&json!(2), &json!(1)));
}

async fn only_a_few_look_at_much_at_once(server: Server) {
    two(&server).await;
    let mut turns = Vec::new();
    while turns.len() < 4 {
        turns.push(server.app.asides.take().await.expect("a turn"));
    }
    for path in ["/api/v1/search?words=login", "/api/v1/projects"] {
        assert!(server.get(path).await.refused(503, "busy").headers.contains_key("retry-after"), "{path}");
    }
    // Others do not wait for them.
    server.get("/api/v1/issues/SHOP-1/commits").await.with(StatusCode::OK);
    drop(turns);
    for path in ["/api/v1/search?words=login", "/api/v1/projects"] {
        server.get(path).await.with(StatusCode::OK);
    }
}

on_both_engines!(
    only_a_few_look_at_much_at_once,
    issues_are_found_by_keys_words_names_and_authors,
    what_persons_linked_is_found_and_what_they_unlinked_is_not,
    an_issue_that_only_branches_name_is_found_while_one_of_them_is_there,
    pages_of_a_search_follow_each_other,
    a_part_of_a_name_that_fits_too_many_is_refused,
    an_issue_is_told_in_figures,
    superseded_commits_are_counted_apart,
);
