//! How long it takes to answer which commits name an issue, on the embedded engine: in process, beside the driver alone
//! with the same text on the same file.
//!
//! `cargo bench --bench issue_commits -- [--links 100000] [--reads 20000] [--rounds 5]`

#[path = "measure/flags.rs"]
mod flags;
#[path = "measure/links.rs"]
mod links;
#[path = "measure/server.rs"]
mod server;
#[path = "measure/table.rs"]
mod table;

use std::{path::Path, sync::Arc, time::Instant};

use flags::Flags;
use keytrail::app::App;
use keytrail_projections::{issue_commits::commits_of_issue, value::Value};
use links::Dice;
use rusqlite::{ToSql, types::ValueRef};
use table::{Table, median, seconds};

/// What a page holds.
const PAGE: u32 = 50;

#[tokio::main]
async fn main() {
    let flags = Flags::read();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let app = server::start(folder.path(), None).await;
    let links = links::append(&app.log, flags.or("links", 100_000), 1).await;
    let head = app.log.feed().head().position;
    while app.views.wait_for("issue_commits", head).await.is_err() {}
    let table = Table::new();
    in_process(&flags, &table, &app, folder.path(), links).await;
    app.stop().await;
}

async fn in_process(flags: &Flags, table: &Table, app: &Arc<App>, folder: &Path, links: u64) {
    let (reads, issues) = (flags.or("reads", 20_000), (links / 5).max(1));
    let views = rusqlite::Connection::open(folder.join("data/views.db")).expect("the views are there");
    let (mut halves, mut ends, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let mut found = 0;
    // The first round fills the caches of both.
    for round in 0..=flags.or("rounds", 5) {
        let mut dice = Dice(round);
        let (mut ours_took, mut theirs_took) = (Vec::with_capacity(reads), Vec::with_capacity(reads));
        for _ in 0..reads {
            let key = links::key(dice.issue(issues));
            let started = Instant::now();
            let commits = app.read(commits_of_issue(&key, None, None, PAGE)).await.expect("the view answers");
            ours_took.push(seconds(started.elapsed()) * 1e6);
            let started = Instant::now();
            let rows = by_driver(&views, &key);
            theirs_took.push(seconds(started.elapsed()) * 1e6);
            assert_eq!(commits.len(), rows);
            found += rows;
        }
        if round > 0 {
            halves.push(quantile(&mut ours_took, 0.5));
            ends.push(quantile(&mut ours_took, 0.99));
            theirs.push(quantile(&mut theirs_took, 0.5));
        }
    }
    let (half, end, theirs) = (median(halves), median(ends), median(theirs));
    table.line(
        &format!("commits of an issue, in process, {links} links, {:.1} rows", found as f64 / (reads * 6) as f64),
        &format!("p50 {half:.1} µs, p99 {end:.1} µs"),
        &format!("the driver alone, prepared: p50 {theirs:.1} µs"),
        &format!("{:.2}", half / theirs),
        "p50 <= 40 µs",
    );
}

/// The same question, with nothing of ours around it but the text.
fn by_driver(views: &rusqlite::Connection, key: &keytrail_domain::issue_key::IssueKey) -> usize {
    let read = commits_of_issue(key, None, None, PAGE);
    // A new store's first build of every view is number 1.
    let mut select = views.prepare_cached(&read.sql.replace('@', "__1").replace('$', "?")).expect("good SQL");
    let args: Vec<Box<dyn ToSql>> = read
        .args
        .into_iter()
        .map(|arg| -> Box<dyn ToSql> {
            match arg {
                Value::Null => Box::new(rusqlite::types::Null),
                Value::Int(number) => Box::new(number),
                Value::Text(text) => Box::new(text),
                Value::Bytes(bytes) => Box::new(bytes.to_vec()),
            }
        })
        .collect();
    let mut rows = select.query(rusqlite::params_from_iter(args)).expect("it can be asked");
    let mut count = 0;
    while let Some(row) = rows.next().expect("it answers") {
        count += usize::from(row.get_ref(8).is_ok_and(|subject| matches!(subject, ValueRef::Text(_))));
    }
    count
}

fn quantile(figures: &mut [f64], part: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[(figures.len() as f64 * part) as usize]
}
