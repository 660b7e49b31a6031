//! Several nodes over one database: when the one that looks after a repository dies another goes on so that nobody could
//! tell, from caches that know nothing of it.

mod stage;
mod whose;

use keytrail::{
    app::App,
    store::{Area, Statement},
};

use self::stage::{Stage, Way, counts, is, is_indexed, only, remembers, run, share, told};
use crate::{nodes::connect, server::soon};

/// The node falls silent; its leases end a moment later.
async fn dies(app: &App, survivor: &App) {
    app.stop().await;
    let now = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
    let dead = format!("UPDATE poll_shards SET owner = 'dead', lease_until = {now} + 2000000 WHERE owner IS NULL");
    survivor.db.write(Area::Log, vec![Statement::new(dead, vec![])]).await.expect("a change by hand");
}

async fn another_node_goes_on(way: Way) {
    let stage = Stage::set(way).await;
    let alone = stage.node("alone", false).await;
    let (first, second) = (stage.node("first", true).await, stage.node("second", true).await);
    share(&first).await;
    connect(&alone, "shop", stage.connection()).await;
    connect(&first, "shop", stage.connection()).await;
    is_indexed(&alone).await;
    is_indexed(&first).await;
    let id = only(&first).await.expect("a repository").repository.id;
    let tip = stage.repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch").trim().to_owned();
    let thrown = stage.moves("refs/heads/main", "SHOP-1 thrown away", &tip);
    for app in [&alone, &first] {
        soon("it is seen", || is(app, "SHOP-1", false)).await;
    }
    let instead = stage.moves("refs/heads/main", "SHOP-2 instead", &tip);
    for app in [&alone, &first] {
        soon("it is thrown away", || async { is(app, "SHOP-1", true).await && is(app, "SHOP-2", false).await }).await;
        is_indexed(app).await;
    }
    // Not before a run that completed is remembered.
    soon("one node remembers", || async { remembers(&first, id) || remembers(&second, id) }).await;
    assert!(!(remembers(&first, id) && remembers(&second, id)), "{way:?}: one node does the runs of a repository");
    let (owner, survivor) = if remembers(&first, id) { (&first, &second) } else { (&second, &first) };
    stage.moves("refs/heads/main", "no key at all", &instead);
    let all = stage.repository.git_line(&["rev-list", "--all", "--count"]).expect("a count");
    let all = all.trim().parse::<u64>().expect("a number") + 1;
    for app in [&alone, survivor] {
        soon("it is counted", || async { only(app).await.is_some_and(|row| row.commits == all) }).await;
        is_indexed(app).await;
    }

    dies(owner, survivor).await;
    stage.moves("refs/heads/main", "SHOP-3 in the end", &tip);
    stage.repository.git(&["update-ref", "refs/heads/back", &thrown]).expect("a branch");
    for app in [&alone, survivor] {
        soon("all of it is seen", || async {
            is(app, "SHOP-3", false).await && is(app, "SHOP-2", true).await && is(app, "SHOP-1", false).await
        })
        .await;
        is_indexed(app).await;
    }
    let (seen, expected) = (told(survivor).await, told(&alone).await);
    assert_eq!(seen, expected, "{way:?}");
    assert_eq!((seen.0, seen.2.len()), (all + 1, 2), "what names no issue is superseded, too");
    assert!(counts(survivor).await.iter().all(|counts| counts.lost_refs == 0));
    assert!(remembers(survivor, id));
    survivor.stop().await;
    alone.stop().await;
}

async fn what_is_gone_is_counted_anew_and_told(way: Way) {
    let stage = Stage::set(way).await;
    let first = stage.node("first", true).await;
    connect(&first, "shop", stage.connection()).await;
    is_indexed(&first).await;
    let tip = stage.repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch").trim().to_owned();
    let thrown = stage.moves("refs/heads/main", "SHOP-1 thrown away", &tip);
    soon("it is seen", || is(&first, "SHOP-1", false)).await;
    is_indexed(&first).await;
    first.stop().await;

    stage.moves("refs/heads/main", "SHOP-2 instead", &tip);
    stage.repository.git(&["reflog", "expire", "--expire=now", "--all"]).expect("git works");
    stage.repository.git(&["gc", "-q", "--prune=now"]).expect("git works");
    assert!(stage.repository.git(&["cat-file", "-e", &thrown]).is_err(), "nobody has it any more");
    let second = stage.node("second", true).await;
    soon("what is new is seen", || is(&second, "SHOP-2", false)).await;
    is_indexed(&second).await;
    assert!(is(&second, "SHOP-1", true).await, "{way:?}: no ref can lead to it");
    soon("the run says so", || async { counts(&second).await.iter().any(|counts| counts.lost_refs > 0) }).await;
    let row = only(&second).await.expect("a repository");
    let there = stage.names(&["rev-list", "--all"]).len() as u64;
    assert_eq!((row.commits, row.keyed), (there, stage.keyed()), "{way:?}: nothing is counted twice");

    // From here on it is as it was.
    stage.moves("refs/heads/more", "SHOP-3 goes on", &tip);
    soon("it goes on", || is(&second, "SHOP-3", false)).await;
    is_indexed(&second).await;
    let row = only(&second).await.expect("a repository");
    assert_eq!((row.commits, row.keyed), (there + 1, stage.keyed()), "{way:?}");
    let lost: u64 = counts(&second).await.iter().map(|counts| counts.lost_refs).sum();
    assert_eq!(lost, 1, "{way:?}: it is said once");
    second.stop().await;
}

/// A node alone that lost what it remembered catches up like another one.
async fn a_lost_memory_costs_a_walk_and_nothing_else(way: Way) {
    let stage = Stage::set(way).await;
    let app = stage.node("first", true).await;
    connect(&app, "shop", stage.connection()).await;
    is_indexed(&app).await;
    let id = only(&app).await.expect("a repository").repository.id;
    let tip = stage.repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch").trim().to_owned();
    stage.moves("refs/heads/main", "SHOP-1 thrown away", &tip);
    soon("it is seen", || is(&app, "SHOP-1", false)).await;
    let instead = stage.moves("refs/heads/main", "SHOP-2 instead", &tip);
    soon("it is thrown away", || is(&app, "SHOP-1", true)).await;
    is_indexed(&app).await;
    soon("it is remembered", || async { remembers(&app, id) }).await;
    std::fs::remove_file(app.caches.graph(id)).expect("a file");
    stage.moves("refs/heads/main", "SHOP-3 goes on", &instead);
    soon("it goes on", || is(&app, "SHOP-3", false)).await;
    is_indexed(&app).await;
    let row = only(&app).await.expect("a repository");
    let there = stage.names(&["rev-list", "--all"]).len() as u64;
    assert_eq!((row.commits, row.keyed), (there + 1, stage.keyed() + 1), "{way:?}: with the one that was thrown away");
    assert!(is(&app, "SHOP-1", true).await && is(&app, "SHOP-2", false).await);
    assert!(counts(&app).await.iter().all(|counts| counts.lost_refs == 0));
    app.stop().await;
}

#[test]
fn when_a_node_dies_another_goes_on_in_place_so_that_nobody_can_tell() {
    run(another_node_goes_on(Way::InPlace));
}

#[test]
fn when_a_node_dies_another_goes_on_with_a_copy_of_its_own_so_that_nobody_can_tell() {
    run(another_node_goes_on(Way::CopiedByGit));
}

#[test]
fn when_a_node_dies_another_goes_on_over_http_so_that_nobody_can_tell() {
    run(another_node_goes_on(Way::OverHttpByGit));
}

#[test]
fn when_a_node_dies_another_goes_on_over_http_without_git_so_that_nobody_can_tell() {
    run(another_node_goes_on(Way::OverHttpInProcess));
}

#[test]
fn what_is_gone_when_a_node_takes_over_in_place_is_counted_anew_and_told() {
    run(what_is_gone_is_counted_anew_and_told(Way::InPlace));
}

#[test]
fn what_is_gone_when_a_node_takes_over_over_http_is_counted_anew_and_told() {
    run(what_is_gone_is_counted_anew_and_told(Way::OverHttpByGit));
}

#[test]
fn a_lost_memory_of_what_is_read_in_place_costs_a_walk_and_nothing_else() {
    run(a_lost_memory_costs_a_walk_and_nothing_else(Way::InPlace));
}

#[test]
fn a_lost_memory_of_what_is_copied_costs_a_walk_and_nothing_else() {
    run(a_lost_memory_costs_a_walk_and_nothing_else(Way::OverHttpByGit));
}
