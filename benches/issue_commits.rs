//! How long it takes to answer which commits name an issue, on the embedded engine: in process, beside the driver alone
//! with the same text on the same file; over HTTP, beside a constant answer of the same size in the same server.
//!
//! `cargo bench --bench issue_commits -- [--links 100000] [--reads 20000] [--rounds 5] [--seconds 2]`. Over HTTP it needs
//! wrk, which is given one core.

#[path = "measure/flags.rs"]
mod flags;
#[path = "measure/links.rs"]
mod links;
#[path = "measure/server.rs"]
mod server;
#[path = "measure/table.rs"]
mod table;

use std::{net::TcpListener, path::Path, process::Command, sync::Arc, time::Instant};

use actix_web::{HttpResponse, web};
use flags::Flags;
use keytrail::{
    app::App,
    config,
    http::{Access, HttpSettings, LocalToken, serve_with},
    secrets::Person,
};
use keytrail_domain::{display_text::DisplayText, person::PersonId};
use keytrail_projections::{issue_commits::commits_of_issue, value::Value};
use links::Dice;
use rusqlite::{Connection, OpenFlags, ToSql, types::ValueRef};
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
    let named = |person: PersonId| {
        let text = DisplayText::clean(&format!("Person {}", person.0.as_u128()));
        (person, Person { name: text.clone(), email: text })
    };
    app.people.remember(links::people().map(named)).await.expect("persons are written");
    let table = Table::new();
    in_process(&flags, &table, &app, folder.path(), links).await;
    over_http(&flags, &table, &app, folder.path(), links).await;
    app.stop().await;
}

async fn in_process(flags: &Flags, table: &Table, app: &Arc<App>, folder: &Path, links: u64) {
    let (reads, issues) = (flags.or("reads", 20_000), (links / 5).max(1));
    let views = Connection::open_with_flags_and_vfs(folder.join("data/views.db"), OpenFlags::default(), "unix-excl");
    let views = views.expect("the views are there");
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
fn by_driver(views: &Connection, key: &keytrail_domain::issue_key::IssueKey) -> usize {
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

async fn over_http(flags: &Flags, table: &Table, app: &Arc<App>, folder: &Path, links: u64) {
    let issues = (links / 5).max(1);
    let (local, local_token) = LocalToken::random();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("it listens"));
    let answer = web::Data::new(std::sync::OnceLock::<web::Bytes>::new());
    let constant = answer.clone();
    let settings = HttpSettings { workers: 1, local_token: Some(local_token), metrics: None, access: unlimited() };
    let server = serve_with(app.clone(), settings, listener, move |services| {
        services.app_data(constant.clone()).route("/api/v1/constants/{key}/commits", web::get().to(always));
    })
    .expect("it serves");
    let handle = server.handle();
    let serving = tokio::spawn(server);
    let path = format!("{address}/api/v1/issues/{}/commits", links::key(Dice(1).issue(issues)));
    // As consumers come in: by a token that is looked up each time.
    let client = reqwest::Client::new();
    let wish = serde_json::json!({ "name": "bench", "role": "viewer", "expires_in_days": 1 });
    let issued = client.post(format!("{address}/api/v1/tokens")).bearer_auth(&local).json(&wish);
    let issued: serde_json::Value =
        issued.send().await.expect("the server answers").json().await.expect("a token is issued");
    let token = issued["token"].as_str().expect("a token is shown once").to_owned();
    let shown = client.get(&path).bearer_auth(&token).send().await.expect("the server answers");
    assert_eq!(shown.status(), 200);
    let shown = shown.bytes().await.expect("an answer has a body");
    let size = shown.len();
    answer.set(shown).expect("it is set once");

    let script = folder.join("keys.lua");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=flags.or("rounds", 5) {
        for (of, rates) in [("issues", &mut ours), ("constants", &mut theirs)] {
            std::fs::write(&script, keys(of, round, issues, &token)).expect("a file in our own folder");
            let Some(rate) = load(&address, &script, flags.or("seconds", 2)).await else {
                println!("nothing is measured over HTTP: wrk and taskset are wanted (apt-get install wrk)");
                return;
            };
            if round > 0 {
                rates.push(rate);
            }
        }
    }
    let (ours, theirs) = (median(ours), median(theirs));
    table.line(
        &format!("commits of an issue, over HTTP, {links} links, 16 connections"),
        &format!("{ours:.0}/s"),
        &format!("a constant answer of {size} bytes {theirs:.0}/s"),
        &format!("{:.2}", ours / theirs),
        ">= 0.5",
    );
    handle.stop(false).await;
    serving.await.expect("the server does not panic").expect("the server ends");
}

/// Says the same whatever it is asked.
async fn always(answer: web::Data<std::sync::OnceLock<web::Bytes>>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(answer.get().cloned().unwrap_or_default())
}

/// What wrk asks for: the same issues of both, so that it does the same work for both.
fn keys(of: &str, round: u64, issues: u64, token: &str) -> String {
    let mut dice = Dice(round);
    let keys: Vec<String> = (0..5_000).map(|_| format!("\"{}\"", links::key(dice.issue(issues)))).collect();
    format!(
        "local keys = {{{}}}\nlocal at = 0\nlocal headers = {{ [\"Authorization\"] = \"Bearer {token}\" }}\n\
         request = function()\n at = at % #keys + 1\n\
         return wrk.format(\"GET\", \"/api/v1/{of}/\" .. keys[at] .. \"/commits\", headers)\nend\n",
        keys.join(",")
    )
}

/// Answers a second; `None` when there is no wrk.
async fn load(address: &str, script: &Path, seconds: u32) -> Option<f64> {
    let mut wrk = Command::new("taskset");
    wrk.args(["-c", "0", "wrk", "-t1", "-c16", &format!("-d{seconds}s"), "-s"]).arg(script).arg(address);
    let said = tokio::task::spawn_blocking(move || wrk.output()).await.ok()?.ok()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(!said.contains("Non-2xx"), "{said}");
    said.lines().find_map(|line| line.strip_prefix("Requests/sec:"))?.trim().parse().ok()
}

fn quantile(figures: &mut [f64], part: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[(figures.len() as f64 * part) as usize]
}

/// What asks here asks more often than anybody may.
fn unlimited() -> Access {
    let most = config::Access {
        requests_per_minute: u32::MAX,
        address_requests_per_minute: u32::MAX,
        ..config::Access::default()
    };
    Access::open(&most).expect("the defaults name no file, network or origin")
}
