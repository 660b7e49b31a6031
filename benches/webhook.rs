//! Deliveries a second that are verified and on disk before they are answered: a push of 7 KB over 16 connections, on both
//! engines; beside them probot, which verifies and stores nothing. How long one takes at a steady rate. And how much
//! slower a read is while many that wait are worked off.
//!
//! `cargo bench --bench webhook -- [--seconds 5] [--rounds 3] [--waiting 10000] [--probot FOLDER]`; the folder is one in
//! which `npm ci` was run with `benches/webhook/package-lock.json`. Load comes from wrk and from this program once more,
//! which are given one core.

#[path = "measure/database.rs"]
mod database;
#[path = "measure/flags.rs"]
mod flags;
#[path = "webhook/ours.rs"]
mod ours;
#[expect(dead_code, reason = "this one is started with other settings")]
#[path = "measure/server.rs"]
mod server;
#[path = "webhook/steady.rs"]
mod steady;
#[path = "measure/table.rs"]
mod table;

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use flags::Flags;
use keytrail::git::services::github::webhook::signature;
use keytrail_test_support::{
    fake_github::{AppKeyPair, FakeGithub},
    postgres::Cluster,
    repositories::{Shape, generate},
};
use ours::Ours;
use steady::{Load, Steady};
use table::{Table, median, seconds};
use tokio::process::{Child, Command as Process};

const SECRET: &str = "a secret of the bench";
const PUSH: &str = include_str!("../tests/fixtures/github/webhooks/push.5.json");
/// Deliveries a second that nobody may wait long for.
const STEADY: u32 = 200;
/// Reads a second while others are worked off.
const READS: u32 = 100;
/// Longer than anything is worked off; it is ended before.
const LONG: u32 = 600;

#[tokio::main]
async fn main() {
    let flags = Flags::read();
    if steady::run(&flags).await {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (span, rounds): (u32, usize) = (flags.or("seconds", 5), flags.or("rounds", 3));
    let cluster = Cluster::start();
    let url = database::database(&cluster, "webhooks").await;
    let fake = FakeGithub::start().await;
    generate(&folder.path().join("shop"), &Shape { commits: 60, ..Shape::default() }).expect("a repository");
    for organisation in ["one", "two"] {
        fake.serve_repository(fake.add_repository(organisation, "shop"), &folder.path().join("shop"));
    }
    let embedded = Ours::start(&folder.path().join("embedded"), None, &fake, "one", PUSH).await;
    let postgres = Ours::start(&folder.path().join("postgres"), Some(url), &fake, "two", PUSH).await;
    let peer = match flags.get("probot") {
        Some(modules) => Some(Probot::start(Path::new(modules), folder.path()).await),
        None => None,
    };
    if peer.is_none() {
        println!("probot is missing: see benches/README.md, and give its folder as --probot FOLDER");
    }
    let (mut on_sqlite, mut on_postgres, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let mut measured =
            vec![(embedded.at(), &embedded.body, &mut on_sqlite), (postgres.at(), &postgres.body, &mut on_postgres)];
        if let Some(peer) = &peer {
            measured.push((peer.at.clone(), &embedded.body, &mut theirs));
        }
        for (at, body, rates) in measured {
            // Nobody works anything off while another one is measured.
            embedded.is_done().await;
            postgres.is_done().await;
            let script = folder.path().join("push.lua");
            std::fs::write(&script, requests(body, round)).expect("a file in our own folder");
            let Some(rate) = load(&at, &script, span).await else {
                println!("nothing is measured: wrk and taskset are wanted (apt-get install wrk)");
                return;
            };
            // The first round makes connections.
            if round > 0 {
                rates.push(rate);
            }
        }
    }
    let (table, bytes) = (Table::new(), embedded.body.len());
    let probot = if theirs.is_empty() { None } else { Some(median(theirs)) };
    for (engine, rates) in [("embedded", on_sqlite), ("PostgreSQL", on_postgres)] {
        let ours = median(rates);
        let against = probot.map_or_else(|| "probot is missing".to_owned(), |rate| format!("probot {rate:.0}/s"));
        let ratio = probot.map_or_else(String::new, |rate| format!("{:.2}", ours / rate));
        let work = format!("deliveries verified and on disk, {bytes} bytes, 16 connections, {engine}");
        table.line(&work, &format!("{ours:.0}/s"), &against, &ratio, ">= 1");
    }
    embedded.is_done().await;
    postgres.is_done().await;
    let theirs = match &peer {
        Some(peer) => Some(at_a_steady_rate(&peer.at, &embedded.body, folder.path(), span).await),
        None => None,
    };
    for (engine, ours) in [("embedded", &embedded), ("PostgreSQL", &postgres)] {
        let took = at_a_steady_rate(&ours.at(), &ours.body, folder.path(), span).await;
        ours.is_done().await;
        let said = |(p50, p99, most): (f64, f64, f64)| format!("p50 {p50:.1}, p99 {p99:.1}, most {most:.1} ms");
        let (against, ratio) = match theirs {
            Some(theirs) => (format!("probot {}", said(theirs)), format!("{:.2}", took.1 / theirs.1)),
            None => ("probot is missing".to_owned(), String::new()),
        };
        table.line(
            &format!("a delivery at {STEADY} a second, {engine}"),
            &said(took),
            &against,
            &ratio,
            "p99 <= 100 ms",
        );
    }
    let waiting = flags.or("waiting", 10_000);
    for (engine, ours) in [("embedded", &embedded), ("PostgreSQL", &postgres)] {
        work_off(&table, engine, ours, waiting, span).await;
    }
    if let Some(peer) = peer {
        peer.stop().await;
    }
    embedded.stop().await;
    postgres.stop().await;
}

/// The middle, the slowest hundredth and the slowest, in milliseconds.
async fn at_a_steady_rate(at: &str, body: &str, folder: &Path, span: u32) -> (f64, f64, f64) {
    let path: PathBuf = folder.join("push.json");
    std::fs::write(&path, body).expect("a file in our own folder");
    let load = Load::Deliveries { body: &path, secret: SECRET };
    // Makes connections.
    Steady::begin(at, STEADY, 1, &load).outcome().await;
    let outcome = Steady::begin(at, STEADY, span, &load).outcome().await;
    assert_eq!(outcome.sent, u64::from(STEADY * span), "all were sent");
    (outcome.p50, outcome.p99, outcome.most)
}

/// How long so many that wait take, and a read before and meanwhile.
async fn work_off(table: &Table, engine: &str, ours: &Ours, waiting: u32, span: u32) {
    ours.is_done().await;
    let (read, load) = (ours.read(), Load::Reads { token: &ours.token });
    Steady::begin(&read, READS, 1, &load).outcome().await;
    let before = Steady::begin(&read, READS, span, &load).outcome().await;
    let started = Instant::now();
    let reading = Steady::begin(&read, READS, LONG, &load);
    ours.put(waiting).await;
    let (put, left) = (seconds(started.elapsed()), ours.waiting(waiting).await);
    ours.is_done().await;
    let took = seconds(started.elapsed());
    let meanwhile = reading.end().await;
    let work = format!("{waiting} deliveries put and worked off, {engine}");
    table.line(&work, &format!("{took:.1} s; put after {put:.1} s, when {left} waited"), "", "", "");
    let (ours, against) =
        (format!("p99 {:.1} ms of {}", meanwhile.p99, meanwhile.sent), format!("before {:.1} ms", before.p99));
    let ratio = format!("{:.2}", meanwhile.p99 / before.p99);
    table.line(&format!("a read of the API meanwhile, {READS} a second, {engine}"), &ours, &against, &ratio, "<= 2");
}

/// A probot that listens.
struct Probot {
    at: String,
    process: Child,
}

impl Probot {
    async fn start(modules: &Path, folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it listens").port();
        drop(listener);
        let key = folder.join("probot.pem");
        std::fs::write(&key, AppKeyPair::new().pkcs1).expect("a file in our own folder");
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/webhook/probot.mjs");
        let mut node = Process::new("node");
        node.arg(program).arg(modules).arg(port.to_string()).arg(SECRET).arg(key).env("NODE_ENV", "production");
        let process = node.stdout(Stdio::null()).kill_on_drop(true).spawn().expect("node is on PATH");
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self { at: format!("http://127.0.0.1:{port}/api/github/webhooks"), process }
    }

    async fn stop(mut self) {
        self.process.kill().await.expect("it is our own process");
    }
}

/// What wrk sends: one body, and another id each time.
fn requests(body: &str, round: usize) -> String {
    format!(
        "local body = [==[{body}]==]\nlocal n = {round} * 100000000\n\
         request = function()\n n = n + 1\n local headers = {{ [\"Content-Type\"] = \"application/json\",\n \
         [\"X-GitHub-Event\"] = \"push\", [\"X-Hub-Signature-256\"] = \"{}\",\n \
         [\"X-GitHub-Delivery\"] = string.format(\"00000000-0000-4000-8000-%012d\", n) }}\n \
         return wrk.format(\"POST\", nil, headers, body)\nend\n",
        signature(SECRET.as_bytes(), body.as_bytes())
    )
}

/// Answers a second; `None` when there is no wrk.
async fn load(at: &str, script: &Path, span: u32) -> Option<f64> {
    let mut wrk = Process::new("taskset");
    wrk.args(["-c", "0", "wrk", "-t1", "-c16", "--latency", &format!("-d{span}s"), "-s"]).arg(script).arg(at);
    let said = wrk.output().await.ok()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    eprintln!("{said}");
    assert!(!said.contains("Non-2xx"), "{said}");
    said.lines().find_map(|line| line.strip_prefix("Requests/sec:"))?.trim().parse().ok()
}
