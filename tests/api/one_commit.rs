//! One commit alone: who made it, which issues it names, and which refs lead to it; in place and in a copy.

use keytrail_test_support::{
    repositories::Repository,
    server::{Home, Options},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    command_line::{done, failed, lines, text},
    indexing::{indexed, indexed_again},
    metrics::metrics,
    remotes::served,
    repository::{self, git},
    server::{Server, on_both_engines, soon},
};

fn name(path: &std::path::Path, revision: &str) -> String {
    Repository { path: path.to_owned() }.git_line(&["rev-parse", revision]).expect("a name")
}

fn names(answer: &crate::server::Answer) -> Vec<&str> {
    answer.items().iter().map(|item| item["name"].as_str().expect("a name")).collect()
}

async fn a_commit_is_shown_with_its_issues_and_refs(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins\n\nAnd UTF-8, OTHER-2 and SHOP-1.", "no key"]);
    git(&path, &["tag", "-a", "-m", "one", "v1", "HEAD~1"]);
    git(&path, &["checkout", "-q", "-b", "side", "HEAD~1"]);
    repository::commit(&path, "side");
    git(&path, &["checkout", "-q", "main"]);
    git(&path, &["checkout", "-q", "--orphan", "other"]);
    repository::commit(&path, "OTHER-1 elsewhere");
    git(&path, &["checkout", "-q", "main"]);
    let repository = indexed(&server, "shop", &path).await;
    let id = repository["id"].as_str().expect("an id");
    let at = |sha: &str| format!("/api/v1/repositories/{id}/commits/{sha}");
    let (first, second) = (name(&path, "main~1"), name(&path, "main"));

    let shown = server.get(&at(&first)).await.with(StatusCode::OK);
    assert_eq!((shown.text_of("sha"), shown.text_of("subject")), (first.clone(), "SHOP-1 begins".into()));
    assert_eq!((&shown.body["author"]["name"], &shown.body["committer"]["name"]), (&json!("Ada"), &json!("Ada")));
    assert_eq!(shown.body["author"]["id"], shown.body["committer"]["id"]);
    assert_eq!(shown.body["parents"], json!([]));
    let issues: Vec<_> = shown.body["issues"].as_array().expect("issues").iter().collect();
    let brief = |issue: &&Value| json!([issue["key"], issue["places"]]);
    assert_eq!(
        issues.iter().map(brief).collect::<Vec<_>>(),
        [
            // UTF-8 is none: the rules leave it out.
            json!(["OTHER-2", ["body"]]),
            json!(["SHOP-1", ["subject", "body"]]),
        ]
    );
    assert_eq!(shown.body["superseded_position"], Value::Null);
    assert!(!shown.text.contains("ada@example.org"), "addresses are not shown");
    for link in ["files", "diff", "refs"] {
        let address = shown.body["links"][link].as_str().expect("an address");
        server.get(address).await.with(StatusCode::OK);
    }

    // One without a key is known from the repository alone.
    let plain = server.get(&at(&second)).await.with(StatusCode::OK);
    assert_eq!((plain.text_of("subject"), &plain.body["issues"]), ("no key".into(), &json!([])));
    assert_eq!((&plain.body["parents"], &plain.body["introduced_by"]), (&json!([first]), &Value::Null));
    assert_eq!(plain.body["author"], json!({ "id": shown.body["author"]["id"], "name": "Ada" }));

    let refs = server.get(&format!("{}/refs", at(&first))).await.with(StatusCode::OK);
    assert_eq!(names(&refs), ["refs/heads/main", "refs/heads/side", "refs/tags/v1"]);
    assert_eq!((&refs.body["total"], &refs.body["undecided"]), (&json!(3), &json!(0)));
    let some = server.get(&format!("{}/refs?limit=1", at(&first))).await.with(StatusCode::OK);
    assert_eq!((names(&some), &some.body["total"]), (vec!["refs/heads/main"], &json!(3)));
    let next = some.text_of("next");
    let rest = server.get(&format!("{}/refs?limit=2&cursor={next}", at(&first))).await.with(StatusCode::OK);
    assert_eq!(names(&rest), ["refs/heads/side", "refs/tags/v1"]);
    assert_eq!((&rest.body["total"], &rest.body["next"]), (&json!(3), &Value::Null));
    server.get(&format!("{}/refs?cursor={next}", at(&second))).await.refused(400, "cursor_other_list");
    let refs = server.get(&format!("{}/refs", at(&second))).await.with(StatusCode::OK);
    assert_eq!(names(&refs), ["refs/heads/main"]);

    for rest in ["", "/refs"] {
        server.get(&format!("{}{rest}", at(&"1".repeat(40)))).await.refused(404, "commit_unknown");
        server.get(&format!("{}{rest}", at("main"))).await.refused(400, "parameter_invalid");
        let nobody = "/api/v1/repositories/0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
        server.get(&format!("{nobody}/commits/{first}{rest}")).await.refused(404, "repository_unknown");
    }
    // While another's graph is loaded nobody waits without an end, and then it goes on.
    let turn = server.app.jobs.graph_loads.take().await.expect("nobody asks");
    let busy = server.get(&format!("{}/refs", at(&first))).await.refused(503, "busy");
    assert!(busy.headers.contains_key("retry-after"));
    drop(turn);
    server.get(&format!("{}/refs", at(&first))).await.with(StatusCode::OK);
    // Without the repository what the log says is left; and without what runs remember, nobody knows where refs lead.
    std::fs::rename(&path, server.root.join("elsewhere")).expect("a folder");
    let left = server.get(&at(&first)).await.with(StatusCode::OK);
    assert_eq!((&left.body["committer"], &left.body["parents"]), (&Value::Null, &Value::Null));
    assert_eq!(left.body["issues"], shown.body["issues"]);
    server.get(&at(&second)).await.refused(502, "repository_unreadable");
    std::fs::remove_file(server.app.caches.graph(id.parse().map(keytrail_domain::id::RepositoryId).expect("an id")))
        .expect("what runs remember");
    let refs = server.get(&format!("{}/refs", at(&first))).await.with(StatusCode::OK);
    assert_eq!((refs.items().len(), &refs.body["undecided"]), (0, &json!(4)));
}

async fn a_superseded_commit_says_so_and_no_ref_leads_to_it(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["begins", "SHOP-1 goes", "goes, too"]);
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();
    let gone = [name(&path, "main~1"), name(&path, "main")];
    git(&path, &["reset", "-q", "--hard", "HEAD~2"]);
    let ended = indexed_again(&server, &id).await;
    for sha in gone {
        let at = format!("/api/v1/repositories/{id}/commits/{sha}");
        let shown = server.get(&format!("{at}?min_position={}", ended["position"])).await.with(StatusCode::OK);
        assert!(shown.body["superseded_position"].is_i64(), "{}", shown.text);
        assert_eq!(server.get(&format!("{at}/refs")).await.with(StatusCode::OK).body["total"], 0);
    }
}

on_both_engines!(a_commit_is_shown_with_its_issues_and_refs, a_superseded_commit_says_so_and_no_ref_leads_to_it);

async fn a_commit_of_a_copy_is_shown_as_one_in_place(server: Server) {
    let web = served(&server, &["SHOP-1 begins", "no key"]);
    let url = web.url_at(keytrail_test_support::web_server::Door::Open, "shop.git");
    let added = server.connect("shop", json!({ "kind": "git", "url": url })).await.with(StatusCode::CREATED);
    let list = format!("/api/v1/integrations/{}/repositories", added.id());
    soon("it is indexed", || async {
        server.get(&list).await.items().first().is_some_and(|row| row["state"] == "indexed")
    })
    .await;
    let id = server.get(&list).await.items()[0]["id"].as_str().expect("an id").to_owned();
    let head = server.app.log.feed().head().position;
    let commits = server.get(&format!("/api/v1/issues/SHOP-1/commits?min_position={head}")).await;
    let sha = commits.items()[0]["sha"].as_str().expect("a name").to_owned();
    let at = format!("/api/v1/repositories/{id}/commits/{sha}");
    let shown = server.get(&format!("{at}?min_position={head}")).await.with(StatusCode::OK);
    assert_eq!((&shown.body["committer"]["name"], &shown.body["parents"]), (&json!("Ada"), &json!([])));
    assert_eq!(names(&server.get(&format!("{at}/refs")).await.with(StatusCode::OK)), ["refs/heads/main"]);
}

mod remote {
    use super::*;

    crate::server::on_both_engines!(reaching_this_machine; a_commit_of_a_copy_is_shown_as_one_in_place);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_and_its_refs_are_printed() {
    let server = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default()).start().await;
    let path = server.home().folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins", "no key"]);
    let (first, second) = (name(&path, "main~1"), name(&path, "main"));
    done(server.home().run(["index", text(&path)]).await);
    let printed = done(server.home().run(["commit", "show", &first]).await);
    assert!(printed.starts_with(&format!("{first} in shop\n  SHOP-1 begins\n  written by Ada at ")), "{printed}");
    assert!(printed.ends_with("  names SHOP-1 in its subject\n"), "{printed}");
    let printed = done(server.home().run(["commit", "show", &second]).await);
    assert!(printed.contains(&format!("  after {first}\n")) && printed.ends_with("  names no issue\n"), "{printed}");
    assert_eq!(done(server.home().run(["commit", "refs", &second]).await), "refs/heads/main\n");
    // As `issue show` prints them.
    assert_eq!(done(server.home().run(["commit", "show", &second[..7]]).await), printed);
    assert_eq!(done(server.home().run(["commit", "refs", &second[..12]]).await), "refs/heads/main\n");
    failed(server.home().run(["commit", "show", &"1".repeat(7)]).await, 3);
    let json = lines(&done(server.home().run(["commit", "refs", &first, "--json"]).await)).remove(0);
    assert_eq!(json["total"], 1);
    failed(server.home().run(["commit", "show", &"1".repeat(40)]).await, 3);
    failed(server.home().run(["commit", "refs", "main"]).await, 2);
    let found = done(server.home().run(["search", "begins", "--key", "shop"]).await);
    assert!(found.lines().nth(1).is_some_and(|line| line.starts_with("SHOP-1  ")), "{found}");
    assert_eq!(lines(&done(server.home().run(["search", "nothing", "--json"]).await)).len(), 0);
    assert!(
        failed(server.home().run(["search", "--sha", "xyz"]).await, 2).contains("A flag or a word cannot be read.")
    );
    // What looks like a key or a name of a commit is searched for as such.
    for asked in ["shop-1", &first] {
        let found = done(server.home().run(["search", asked]).await);
        assert!(found.lines().nth(1).is_some_and(|line| line.starts_with("SHOP-1  ")), "{asked}: {found}");
    }
    let none = done(server.home().run(["search", "nothing", "SHOP-9"]).await);
    assert_eq!(none, "no issue was found; SHOP-9 was taken for a key: --key SHOP-9\n");
    assert!(failed(server.home().run(["search", "x"]).await, 2).contains("one letter is no word"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_one_of_many_repositories_is_found_with_two_requests() {
    let server = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default()).start().await;
    let home = server.home();
    let paths: Vec<_> = (0..4).map(|n| home.folder().join(format!("r{n}"))).collect();
    for (n, path) in paths.iter().enumerate() {
        repository::with_commits(path, &[&format!("SHOP-{n} begins"), &format!("{n} without a key")]);
        done(home.run(["index", text(path)]).await);
    }
    let requests = async || {
        let told = metrics(&server).await;
        let counts = told.lines().filter(|line| line.starts_with("keytrail_http_request_seconds_count{"));
        let ours = counts.filter(|line| line.contains("/api/v1/") && line.contains("method=\"GET\""));
        ours.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum::<u64>()
    };
    for path in &paths {
        let sha = name(path, "main");
        for command in ["show", "refs", "files", "diff"] {
            let before = requests().await;
            let printed = done(home.run(["commit", command, &sha, "--json"]).await);
            assert!(lines(&printed).len() == 1, "{printed}");
            assert_eq!(requests().await - before, 2, "{command}");
        }
        let shown = lines(&done(home.run(["commit", "show", &sha, "--json"]).await)).remove(0);
        assert_eq!(shown["repository"]["name"].as_str(), path.file_name().and_then(|name| name.to_str()));
    }
    let said = failed(home.run(["commit", "show", &"1".repeat(40)]).await, 3);
    assert!(said.contains("no indexed repository has the commit"), "{said}");
}
