//! A commit and an issue about which a person decided something, and which the commit may name, too: what is shown, what is
//! said of it, and whether that is so once the decision is taken back.

use keytrail_test_support::server::{Home, Options};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::{
    command_line::{done, failed, lines, text},
    commit_links::name,
    explanations::{code, explained},
    indexing::indexed,
    project_rules, repository,
    server::{Server, answer, on_both_engines, soon},
};

/// A way to stand to each other: whether the commit names the issue, what is decided one after the other, and what is said.
struct Pair {
    is_named: bool,
    decisions: &'static [&'static str],
    decision: &'static str,
    without: &'static str,
}

static PAIRS: [Pair; 6] = [
    Pair { is_named: true, decisions: &[], decision: "nothing_decided", without: "No person decided otherwise." },
    Pair {
        is_named: false,
        decisions: &["link"],
        decision: "linked_by_hand",
        without: "The index does not find SHOP-1 in it: taken back, nothing links them.",
    },
    Pair {
        is_named: true,
        decisions: &["link"],
        decision: "linked_by_hand",
        without: "The commit names SHOP-1, too: taken back, they stay linked.",
    },
    Pair {
        is_named: true,
        decisions: &["unlink"],
        decision: "unlinked_by_hand",
        without: "The commit names SHOP-1: taken back, they are linked again.",
    },
    Pair {
        is_named: false,
        decisions: &["link", "unlink"],
        decision: "unlinked_by_hand",
        without: "The index does not find SHOP-1 in it: taken back, still nothing links them.",
    },
    Pair {
        is_named: true,
        decisions: &["link", "unlink"],
        decision: "unlinked_by_hand",
        without: "The commit names SHOP-1: taken back, they are linked again.",
    },
];

/// The views have come to where this change stands in the log.
async fn come_to(server: &Server, position: &str) {
    server.get(&format!("/api/v1/issues/SHOP-1?min_position={position}")).await.with(StatusCode::OK);
    server.get(&format!("/api/v1/search?min_position={position}")).await.with(StatusCode::OK);
}

fn step<'a>(told: &'a Value, name: &str) -> &'a Value {
    told["steps"].as_array().expect("steps").iter().find(|step| step["step"] == name).expect("the step")
}

async fn a_decision_is_told_with_what_is_shown_once_it_is_taken_back(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins", "no key"]);
    let (named, plain) = (name(&path, "HEAD~1"), name(&path, "HEAD"));
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();
    for (Pair { is_named, decisions, decision, without }, is_hidden) in
        PAIRS.iter().flat_map(|pair| [(pair, false), (pair, true)])
    {
        let sha = if *is_named { &named } else { &plain };
        let at = format!("/api/v1/issues/SHOP-1/commits/{id}/{sha}");
        let mut is_linked = *is_named;
        for word in *decisions {
            is_linked = *word == "link";
            let method = if is_linked { Method::POST } else { Method::DELETE };
            let decided = answer(server.local(method, &at)).await.with(StatusCode::OK);
            assert_eq!(decided.body["linked"], is_linked, "{}", decided.text);
        }
        if is_hidden {
            come_to(&server, &project_rules::set(&server, &["PAY"], &[]).await).await;
        }
        let told = explained(&server, sha, "SHOP-1", None).await;
        assert_eq!(told["shown"], is_linked && !is_hidden, "{told}");
        assert_eq!(code(&told, "decision"), *decision, "{told}");
        let said = step(&told, "decision")["sentence"].as_str().expect("a sentence");
        assert!(said.ends_with(*without), "{told}");
        assert_eq!(code(&told, "candidate") == "named_in_subject", *is_named, "{told}");
        // Advised is what shows the commit, and nothing that would leave it as it is.
        let next = step(&told, "decision")["next"].as_str().unwrap_or_default();
        let is_unlinked = *decision == "unlinked_by_hand";
        assert_eq!(next.contains("keytrail issue restore SHOP-1"), is_unlinked && *is_named, "{told}");
        assert_eq!(next.contains("keytrail issue link SHOP-1"), is_unlinked && !is_named && !is_hidden, "{told}");

        let restored = answer(server.local(Method::POST, &format!("{at}/restore"))).await.with(StatusCode::OK);
        assert_eq!(restored.body["linked"], *is_named, "{}", restored.text);
        let told = explained(&server, sha, "SHOP-1", None).await;
        assert_eq!(told["shown"], *is_named && !is_hidden, "{told}");
        assert_eq!(code(&told, "decision"), "nothing_decided");
        let said = step(&told, "decision")["sentence"].as_str().expect("a sentence");
        assert_eq!(said.starts_with("What was decided was taken back by local at "), !decisions.is_empty(), "{said}");
        if is_hidden {
            come_to(&server, &project_rules::set(&server, &[], &[]).await).await;
        }
    }
}

async fn a_link_by_hand_holds_although_no_run_sees_the_commit_any_more(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins", "no key"]);
    let plain = name(&path, "HEAD");
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();
    let at = format!("/api/v1/issues/SHOP-1/commits/{id}/{plain}");
    answer(server.local(Method::POST, &at)).await.with(StatusCode::OK);
    // What a run sees from the beginning has it no more.
    repository::git(&path, &["reset", "-q", "--hard", "HEAD~1"]);
    crate::commit_links::reset(&server, &id).await;
    let told = explained(&server, &plain, "SHOP-1", Some(&id)).await;
    assert_eq!((&told["shown"], code(&told, "seen")), (&true.into(), "not_asked"), "{told}");
    answer(server.local(Method::DELETE, &at)).await.with(StatusCode::OK);
    let told = explained(&server, &plain, "SHOP-1", Some(&id)).await;
    assert_eq!((&told["shown"], code(&told, "decision")), (&false.into(), "unlinked_by_hand"), "{told}");
}

on_both_engines!(
    a_decision_is_told_with_what_is_shown_once_it_is_taken_back,
    a_link_by_hand_holds_although_no_run_sees_the_commit_any_more,
);

#[tokio::test(flavor = "multi_thread")]
async fn who_unlinks_or_restores_is_told_before_what_is_shown_afterwards() {
    let server = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default()).start().await;
    let home = server.home();
    let path = home.folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins", "no key"]);
    let (named, plain) = (name(&path, "HEAD~1"), name(&path, "HEAD"));
    done(home.run(["index", text(&path)]).await);
    let would = async |word: &str, sha: &str| {
        let said = done(home.run(["issue", word, "SHOP-1", sha, "--dry-run"]).await);
        assert!(said.contains("nothing was done"), "{said}");
        said
    };
    let shows = async |sha: &str| {
        let told = done(home.run(["explain", sha, "SHOP-1", "--json"]).await);
        lines(&told)[0]["shown"] == true
    };
    // A rule is told of at once, and the view a moment later.
    let rules = async |command: &[&str], code: &str| {
        done(home.run(command.iter().copied()).await);
        soon("the rules hold", || async {
            let told = done(home.run(["explain", &named, "SHOP-1", "--json"]).await);
            told.contains(&format!("\"{code}\""))
        })
        .await;
    };
    let (restore, link) = ("until `keytrail issue restore` takes that back", "until `keytrail issue link` links it");

    // Named, and linked as well: whatever is taken back, it is shown.
    assert!(would("unlink", &named).await.contains(restore));
    done(home.run(["issue", "link", "SHOP-1", &named]).await);
    assert!(would("unlink", &named).await.contains(restore));
    assert!(would("restore", &named).await.contains("as before: the commit names it, too"));
    // Nobody loses anything, so nobody is asked.
    done(home.run(["issue", "restore", "SHOP-1", &named]).await);
    assert!(shows(&named).await);

    // Linked by hand alone: nothing is left of it once that is taken back.
    done(home.run(["issue", "link", "SHOP-1", &plain]).await);
    assert!(would("unlink", &plain).await.contains(&format!("to nobody any more, {link}")));
    assert!(would("restore", &plain).await.contains(&format!("to nobody any more, {link}")));
    assert!(failed(home.run(["issue", "restore", "SHOP-1", &plain]).await, 2).contains("--yes"));
    done(home.run(["issue", "unlink", "SHOP-1", &plain, "--yes"]).await);
    assert!(would("unlink", &plain).await.contains(&format!("to nobody already, {link}")));
    assert!(would("restore", &plain).await.contains(&format!("to nobody still, {link}")));
    done(home.run(["issue", "restore", "SHOP-1", &plain]).await);
    assert!(!shows(&plain).await);

    // Named and unlinked; then the rules leave the issue out.
    done(home.run(["issue", "unlink", "SHOP-1", &named, "--yes"]).await);
    assert!(would("restore", &named).await.contains("again: the commit names it"));
    rules(&["project", "deny", "SHOP-1", "--yes"], "issue_denied").await;
    assert!(would("unlink", &named).await.contains("once the rules of projects let it count, until `keytrail issue"));
    assert!(would("restore", &named).await.contains("to nobody until the rules of projects let it count"));
    done(home.run(["issue", "restore", "SHOP-1", &named]).await);
    assert!(!shows(&named).await);
    rules(&["project", "undeny", "SHOP-1"], "not_denied").await;
    assert!(shows(&named).await);
}
