//! The commands that have no test of their own elsewhere: what they print, as JSON, too, and what they end with.

use keytrail_test_support::server::{Home, Options};
use serde_json::Value;

use crate::{
    command_line::{done, failed, lines, text},
    commit_links, repository,
};

fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_is_added_and_listed_and_what_it_found_is_shown() {
    let server = home().start().await;
    let home = server.home();
    let path = home.folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins", "SHOP-1 goes on"]);
    repository::git(&path, &["branch", "SHOP-1-one"]);
    repository::git(&path, &["branch", "SHOP-1-two"]);
    let add = ["integration", "add", text(&path), "--name", "shop"];
    let added = lines(&done(home.run(add.into_iter().chain(["--json"])).await)).remove(0);
    assert!(failed(home.run(add).await, 4).contains("(connection_taken)"));
    failed(home.run(["integration", "add", text(home.folder()), "--name", "x"]).await, 4);
    failed(home.run(["integration", "add"]).await, 2);
    failed(home.run(["integration", "show", "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"]).await, 3);
    let listed = lines(&done(home.run(["integration", "list", "--json"]).await)).remove(0);
    assert_eq!((&listed["id"], &listed["name"]), (&added["id"], &"shop".into()));
    assert!(done(home.run(["integration", "list"]).await).starts_with("ID "));

    done(home.run(["index", text(&path)]).await);
    let issue = lines(&done(home.run(["issue", "show", "shop-1", "--json"]).await)).remove(0);
    assert_eq!((&issue["issue"]["key"], issue["commits"].as_array().map(Vec::len)), (&"SHOP-1".into(), Some(2)));
    let said = done(home.run(["issue", "show", "SHOP-1"]).await);
    assert!(said.starts_with("SHOP-1: 2 commits\n") && said.contains("\n2 branches\n"), "{said}");
    failed(home.run(["issue", "show", "no key"]).await, 2);

    let events = lines(&done(home.run(["events", "--json", "--last", "0"]).await));
    assert_eq!(events[0]["event_type"], "integration.added");
    let told = done(home.run(["events"]).await);
    assert_eq!(told.lines().count(), events.len());
    let stream = format!("integration/{}", added["id"].as_str().expect("an id"));
    assert!(told.lines().next().is_some_and(|line| line.ends_with(&stream)), "to what it happened: {told}");
    let verdicts = lines(&done(home.run(["views", "verify", "--json"]).await));
    assert!(!verdicts.is_empty() && verdicts.iter().all(|verdict| verdict["same"] == true), "{verdicts:?}");
    assert!(failed(home.run(["vault", "rotate-root-key"]).await, 5).contains("keytrail: "));
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_and_links_are_changed_and_explained() {
    let server = home().start().await;
    let home = server.home();
    let path = home.folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 in UTF-8", "no key"]);
    let (named, plain) = (commit_links::name(&path, "HEAD~1"), commit_links::name(&path, "HEAD"));
    let said = done(home.run(["index", text(&path)]).await);
    assert!(said.contains("left out, by the rules of projects: UTF"), "{said}");

    assert!(done(home.run(["project", "rules"]).await).starts_with("known:  every project\ndenied: ASCII "));
    // The first known project hides all others; who looks first is told which.
    let would = done(home.run(["project", "allow", "utf", "--dry-run"]).await);
    assert!(would.contains("only UTF counts") && would.contains("1 issue of SHOP with 1 link"), "{would}");
    assert!(failed(home.run(["project", "allow", "shop", "utf"]).await, 2).contains("--yes"));
    let allowed = done(home.run(["project", "allow", "shop", "utf", "--yes"]).await);
    assert!(allowed.starts_with("known:  SHOP UTF\ndenied: ASCII "), "{allowed}");
    let rules = lines(&done(home.run(["project", "rules", "--json"]).await)).remove(0);
    assert!(!rules["denied"].as_array().expect("a list").contains(&"UTF".into()), "what is allowed is denied no more");
    done(home.run(["project", "deny", "utf", "SHOP-404", "--yes"]).await);
    done(home.run(["project", "undeny", "SHOP-404"]).await);
    let listed = done(home.run(["project", "list"]).await);
    assert!(listed.contains("SHOP") && !listed.contains("UTF"), "{listed}");
    assert!(done(home.run(["project", "list", "--all"]).await).contains("project denied"));
    assert!(done(home.run(["project", "disallow", "SHOP"]).await).starts_with("known:  every project\n"));
    // What is no project is refused by its rule, and whoever only looks is told so, too.
    for (word, entry, rule) in [
        ("allow", "SHOP-1", "begins with a letter"),
        ("disallow", "1", "begins with a letter"),
        ("deny", "SHOP-0", "or an issue key"),
    ] {
        for way in ["--yes", "--dry-run"] {
            let said = failed(home.run(["project", word, entry, way]).await, 4);
            assert!(said.contains(rule) && said.contains("(project_invalid)"), "{said}");
        }
    }
    failed(home.run(["project", "undeny", "SHOP-0"]).await, 4);

    let explained = done(home.run(["explain", &plain, "SHOP-1"]).await);
    assert!(explained.starts_with("SHOP-1 does not show the commit: The commit does not name SHOP-1."), "{explained}");
    assert!(explained.contains("what to do: Link it by hand"), "{explained}");
    let linked = lines(&done(home.run(["issue", "link", "shop-1", &plain[..8], "--json"]).await)).remove(0);
    assert_eq!((&linked["manual"], &linked["sha"]), (&true.into(), &plain.as_str().into()));
    assert!(done(home.run(["explain", &plain, "SHOP-1"]).await).starts_with("SHOP-1 shows the commit\n"));
    let shown = done(home.run(["issue", "show", "SHOP-1"]).await);
    assert!(shown.starts_with("SHOP-1: 2 commits\n") && shown.contains("linked by hand: local, "), "{shown}");
    let when = shown.lines().find_map(|line| line.split_once("linked by hand: local, ")).expect("a line").1;
    assert!(when.len() == 16 && when.as_bytes()[10] == b' ', "as in tables: {when}");
    done(home.run(["issue", "unlink", "SHOP-1", &named, "--yes"]).await);
    let explained = lines(&done(home.run(["explain", &named, "SHOP-1", "--json"]).await)).remove(0);
    assert_eq!(explained["because"]["code"], "unlinked_by_hand");
    assert!(!done(home.run(["issue", "show", "SHOP-1"]).await).contains("in UTF-8"));
    assert!(done(home.run(["issue", "show", "SHOP-1", "--unlinked"]).await).contains("unlinked by hand: local, "));
    let already = done(home.run(["issue", "unlink", "SHOP-1", &named, "--dry-run"]).await);
    assert!(already.contains("nothing would change"), "{already}");
    let again = done(home.run(["issue", "restore", "SHOP-1", &named, "--dry-run"]).await);
    assert!(again.contains("again: the commit names it"), "{again}");
    done(home.run(["issue", "restore", "SHOP-1", &named]).await);
    failed(home.run(["issue", "restore", "SHOP-2", &named, "--dry-run"]).await, 3);
    // A link that the rules hide is taken away like any other, and whoever looks first is told so.
    let hidden = ["issue", "unlink", "UTF-8", &named];
    let would = done(home.run(hidden.into_iter().chain(["--dry-run"])).await);
    assert!(would.contains("the rules of projects") && would.contains("nothing was done"), "{would}");
    assert!(failed(home.run(hidden).await, 2).contains("--yes"));
    done(home.run(hidden.into_iter().chain(["--yes"])).await);
    let would = done(home.run(hidden.into_iter().chain(["--dry-run"])).await);
    assert!(would.contains("nothing would change"), "{would}");
    assert!(done(home.run(["issue", "show", "SHOP-1"]).await).contains("in UTF-8"));
    for way in [None, Some("--dry-run"), Some("--yes")] {
        failed(home.run(["issue", "unlink", "SHOP-2", &named].into_iter().chain(way)).await, 3);
    }
    failed(home.run(["issue", "link", "SHOP-1", "main"]).await, 2);
    failed(home.run(["issue", "link", "SHOP-1", &"1".repeat(40)]).await, 3);
    failed(home.run(["explain", "main", "SHOP-1"]).await, 2);

    let other = home.folder().join("other");
    repository::git(home.folder(), &["clone", "-q", "shop", "other"]);
    done(home.run(["index", text(&other)]).await);
    assert!(failed(home.run(["issue", "link", "SHOP-2", &plain]).await, 2).contains("--repository"));
    let id = linked["repository"].as_str().expect("an id");
    done(home.run(["issue", "link", "SHOP-2", &plain, "--repository", id]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_migrated_and_its_root_key_replaced_without_a_server() {
    let home = home();
    assert!(done(home.run(["migrate", "--dry-run"]).await).starts_with("would run: "));
    assert!(done(home.run(["migrate"]).await).starts_with("ran: "));
    assert_eq!(done(home.run(["migrate", "--dry-run"]).await), "the store is up to date\n");
    done(home.run(["token", "issue", "--name", "x"]).await);
    let before = std::fs::read(home.root_key()).expect("a root key");
    assert!(done(home.run(["vault", "rotate-root-key"]).await).contains("now under a new root key"));
    assert_ne!(std::fs::read(home.root_key()).expect("a root key"), before);
    done(home.run(["views", "verify"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_need_a_token_have_the_times_of_requests_and_hold_no_token() {
    let server = home().start().await;
    let endpoint = std::fs::read_to_string(server.home().data().join("server.json")).expect("a file");
    let endpoint = lines(&endpoint).remove(0);
    let token = endpoint["token"].as_str().expect("a token");
    let at = format!("{}/metrics", endpoint["url"].as_str().expect("an address"));
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    assert_eq!(client.get(&at).send().await.expect("an answer").status(), 401);
    let viewer = lines(&done(server.home().run(["token", "issue", "--name", "v", "--json"]).await)).remove(0);
    let viewer = viewer["token"].as_str().expect("a token");
    assert_eq!(client.get(&at).bearer_auth(viewer).send().await.expect("an answer").status(), 403);
    let answered = client.get(&at).bearer_auth(token).send().await.expect("an answer");
    assert_eq!(answered.status(), 200);
    let text = answered.text().await.expect("a text");
    assert!(text.contains("_seconds_bucket{") && text.contains("/api/v1/tokens"), "{text}");
    assert!(!text.contains(&token[3..]) && !text.contains(&viewer[3..]) && !text.contains("kt_"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_something_prints_json_when_it_is_asked_for() {
    let server = home().start().await;
    let home = server.home();
    let path = home.folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    done(home.run(["index", text(&path)]).await);
    let one = async |arguments: &[&str]| {
        let printed = done(home.run(arguments.iter().copied().chain(["--json"])).await);
        assert_eq!(printed.lines().count(), 1, "{arguments:?}: {printed}");
        lines(&printed).remove(0)
    };
    let id = one(&["integration", "show", "Shop"]).await["id"].as_str().expect("an id").to_owned();
    assert_eq!(one(&["integration", "pause", "shop"]).await["state"], "paused");
    assert_eq!(one(&["integration", "resume", &id]).await["state"], "active");
    assert_eq!(one(&["integration", "rename", "SHOP", "store"]).await["name"], "store");
    let repository = lines(&done(home.run(["repository", "list", "--json"]).await)).remove(0);
    let repository = repository["id"].as_str().expect("an id").to_owned();
    assert_eq!(one(&["repository", "reset", &repository, "--dry-run"]).await["done"], false);
    assert_eq!(one(&["project", "deny", "utf", "--yes"]).await["denied"].as_array().map(Vec::is_empty), Some(false));
    let rebuilt = one(&["views", "rebuild", "token_list"]).await;
    assert!(rebuilt["id"].as_str().is_some_and(|id| id.starts_with("rebuild_view.token_list.")), "{rebuilt}");
    let token = one(&["token", "issue", "--name", "ci"]).await["id"].as_str().expect("an id").to_owned();
    assert_eq!(one(&["token", "revoke", &token, "--dry-run"]).await["done"], false);
    assert_eq!(one(&["token", "revoke", &token, "--yes"]).await["state"], "revoked");
    assert_eq!(one(&["integration", "remove", "store", "--dry-run"]).await["done"], false);
    assert_eq!(one(&["integration", "remove", "store", "--yes"]).await["state"], "removed");
    let (home, _) = server.terminate().await;
    let ran = lines(&done(home.run(["migrate", "--json"]).await)).remove(0);
    assert_eq!(ran, serde_json::json!({ "ran": true, "migrations": [] }));
    let rotated = lines(&done(home.run(["vault", "rotate-root-key", "--json"]).await)).remove(0);
    assert!(rotated["data_keys"].as_u64().is_some_and(|keys| keys > 0), "{rotated}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_ends_with_3_and_what_cannot_be_read_with_2() {
    let server = home().start().await;
    let home = server.home();
    let path = home.folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    done(home.run(["index", text(&path)]).await);
    let (nobody, unseen) = ("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "1".repeat(40));
    let named = commit_links::name(&path, "HEAD");
    let missing: [&[&str]; 28] = [
        &["integration", "show", "nope"],
        &["integration", "show", nobody],
        &["integration", "pause", "nope"],
        &["integration", "resume", "nope"],
        &["integration", "rename", "nope", "other"],
        &["integration", "move", "nope", text(&path), "--yes"],
        &["integration", "reindex", "nope"],
        &["integration", "reset", "nope", "--yes"],
        &["integration", "remove", "nope", "--yes"],
        &["repository", "show", "nope"],
        &["repository", "fetch", nobody],
        &["repository", "index", "nope"],
        &["repository", "reset", nobody, "--dry-run"],
        &["run", "show", "nope"],
        &["run", "log", nobody],
        &["run", "retry", nobody],
        &["run", "cancel", nobody],
        &["operation", "show", "nope"],
        &["commit", "show", &unseen],
        &["commit", "diff", &unseen],
        &["issue", "link", "SHOP-1", &unseen],
        &["issue", "restore", "SHOP-2", &named],
        &["events", "--stream", nobody],
        &["person", "forget", "Nobody", "--yes"],
        &["person", "forget", nobody, "--dry-run"],
        &["token", "revoke", "nope", "--dry-run"],
        &["views", "rebuild", "nope"],
        &["views", "rebuild", "NOPE"],
    ];
    for command in missing {
        let said = failed(home.run(command.iter().copied()).await, 3);
        assert!(said.starts_with("keytrail: ") && said.lines().count() < 4, "{command:?}: {said}");
    }
    let unreadable: [&[&str]; 12] = [
        &["issue", "show", "nope"],
        &["issue", "commits", "nope"],
        &["issue", "branches", "no key"],
        &["issue", "link", "SHOP-1", "main"],
        &["explain", "main", "SHOP-1"],
        &["commit", "show", "main"],
        &["events", "--stream", "nope"],
        &["operation", "show", "a/b"],
        &["token", "issue", "--name", "x", "--role", "owner"],
        &["token", "issue", "--name", "x", "--scope", "everything"],
        &["search", "--sort", "size"],
        &["completions", "cmd"],
    ];
    for command in unreadable {
        let said = failed(home.run(command.iter().copied()).await, 2);
        assert!(!said.is_empty(), "{command:?}");
    }
    // What can be read and is refused is another thing.
    failed(home.run(["integration", "add", text(&path), "--name", "again"]).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_only_one_has_is_as_good_as_an_id() {
    let server = home().start().await;
    let home = server.home();
    for folder in ["one/web", "two/web", "api"] {
        let path = home.folder().join(folder);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        repository::with_commits(&path, &["SHOP-1 begins"]);
        done(home.run(["index", text(&path)]).await);
    }
    let shown = done(home.run(["repository", "show", "API"]).await);
    assert!(shown.starts_with("id  ") && shown.contains("\nname ") && !shown.contains('{'), "{shown}");
    let all = lines(&done(home.run(["repository", "list", "--json"]).await));
    let webs: Vec<_> = all.iter().filter(|row| row["name"] == "web").collect();
    let said = failed(home.run(["repository", "show", "web"]).await, 2);
    assert!(said.contains("means 2 repositories"), "{said}");
    for web in &webs {
        let id = web["id"].as_str().expect("an id");
        assert!(said.contains(id) && said.contains(web["location"].as_str().expect("a place")), "{said}");
        // Ids that were made in the same second begin alike.
        let beginning = (8..36).map(|length| &id[..length]).find(|beginning| {
            all.iter().filter(|row| row["id"].as_str().expect("an id").starts_with(beginning)).count() == 1
        });
        let found = done(home.run(["repository", "show", beginning.expect("they differ"), "--json"]).await);
        assert_eq!(lines(&found)[0]["id"], id);
    }
    for name in ["laptop", "build", "build"] {
        done(home.run(["token", "issue", "--name", name, "--quiet"]).await);
    }
    assert!(failed(home.run(["token", "revoke", "build", "-y"]).await, 2).contains("means 2 tokens"));
    assert_eq!(done(home.run(["token", "revoke", "Laptop", "-y"]).await), "revoked\n");
    assert_eq!(done(home.run(["person", "forget", "ada", "-y"]).await), "forgotten\n");
}

/// The commands that an explanation advises.
fn advised(told: &Value) -> Vec<String> {
    let next = told["because"]["next"].as_str().unwrap_or_else(|| panic!("{told}"));
    next.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_explanation_advises_can_be_typed_until_the_commit_is_shown() {
    let server = home().start().await;
    let home = server.home();
    let path = home.folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins", "no key"]);
    let (named, plain) = (commit_links::name(&path, "HEAD~1"), commit_links::name(&path, "HEAD"));
    done(home.run(["index", text(&path)]).await);
    done(home.run(["project", "allow", "SHOP", "--yes"]).await);
    done(home.run(["project", "deny", "SHOP-2", "--yes"]).await);
    done(home.run(["issue", "unlink", "SHOP-1", &named, "--yes"]).await);
    let typed = async |sha: &str, issue: &str| {
        let mut typed: Vec<String> = Vec::new();
        // More rounds than steps, since a view may be a moment behind.
        for _ in 0..20 {
            let told = lines(&done(home.run(["explain", sha, issue, "--json"]).await)).remove(0);
            if told["shown"] == true {
                return typed;
            }
            for command in advised(&told) {
                let words: Vec<&str> = command.split(' ').collect();
                assert_eq!(words[0], "keytrail", "{told}");
                done(home.run(words[1..].to_vec()).await);
                if typed.last() != Some(&command) {
                    typed.push(command);
                }
            }
        }
        panic!("{issue} never shows {sha}: {typed:?}");
    };
    let link = |issue: &str| format!("keytrail issue link {issue} {plain}");
    // Where the rules leave an issue out a link would be refused: they are changed first.
    assert_eq!(
        typed(&plain, "UTF-8").await,
        ["keytrail project undeny UTF", "keytrail project allow UTF", &link("UTF-8")]
    );
    assert_eq!(typed(&plain[..9], "NEW-1").await, ["keytrail project allow NEW", &link("NEW-1")]);
    assert_eq!(typed(&plain, "SHOP-2").await, ["keytrail project undeny SHOP-2", &link("SHOP-2")]);
    assert_eq!(typed(&named, "SHOP-1").await, [format!("keytrail issue restore SHOP-1 {named}")]);

    let other = home.folder().join("other");
    repository::git(home.folder(), &["clone", "-q", "shop", "other"]);
    done(home.run(["index", text(&other)]).await);
    let typed = typed(&plain, "SHOP-3").await;
    assert!(typed.len() == 1 && typed[0].starts_with(&format!("{} --repository ", link("SHOP-3"))), "{typed:?}");
}
