//! How soon a server answers that starts on a log of many events, what memory it holds when nobody asks, and what the
//! command line adds to an answer of its server. With `--demo`, how soon the demo is whole instead, so many times. The
//! program is started as it is shipped.
//!
//! `cargo bench --bench start -- [--events 100000] [--rounds 5] [--reads 50] [--demo 5]`

#[path = "measure/event.rs"]
mod event;
#[path = "measure/flags.rs"]
mod flags;
#[path = "measure/server.rs"]
mod server;
#[path = "measure/table.rs"]
mod table;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use event::event;
use flags::Flags;
use futures::StreamExt;
use keytrail::{
    app::App,
    ids,
    log::{Append, Lane},
};
use keytrail_domain::{
    display_text::DisplayText,
    fact::Fact,
    id::{IntegrationId, RepositoryId},
    index_run::FailureCode,
    recorded::StreamId,
    repository,
    service::Connection,
};
use table::{Table, median, seconds};

const PROGRAM: &str = env!("CARGO_BIN_EXE_keytrail");
/// Events of each repository.
const EACH: usize = 10;

#[tokio::main]
async fn main() {
    let flags = Flags::read();
    let demos = flags.or("demo", 0);
    if demos > 0 {
        return demo(&Table::new(), demos);
    }
    let (events, rounds) = (flags.or("events", 100_000), flags.or("rounds", 5));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let app = server::start(folder.path(), None).await;
    // What is discovered here is nowhere: nothing is to be done about it.
    app.jobs.set_outdated();
    append(&app, events / EACH).await;
    let head = app.log.feed().head().position;
    while app.views.wait_for("repository_list", head).await.is_err() {}
    // What the reactor asked for is nobody's business: it would be tried again and again.
    app.stop().await;
    drop(app);
    forget_jobs(folder.path());

    let table = Table::new();
    let (mut ready, mut resident, mut own) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (mut child, took) = start(folder.path());
        ready.push(seconds(took) * 1e3);
        tokio::time::sleep(Duration::from_secs(3)).await;
        resident.push(megabytes(&child, "VmRSS:"));
        own.push(megabytes(&child, "RssAnon:"));
        stop(&mut child);
    }
    let mut empty = Vec::new();
    for _ in 0..rounds {
        let place = tempfile::tempdir().expect("a temporary folder");
        let (mut child, took) = start(place.path());
        empty.push(seconds(took) * 1e3);
        stop(&mut child);
    }
    let (ready, empty) = (median(ready), median(empty));
    table.line(
        &format!("from the start to ready, {events} events"),
        &format!("{ready:.0} ms"),
        &format!("in an empty folder, the store made {empty:.0} ms"),
        &format!("{:.2}", ready / empty),
        "<= 1 s",
    );
    let (resident, own) = (median(resident), median(own));
    // What is its own counts: the rest is the program's text and mapped files, which the system may take back.
    table.line(
        "memory of its own (RssAnon) of a server that nobody asks, the same log",
        &format!("{own:.1} MB"),
        &format!("all that is resident (VmRSS) {resident:.1} MB"),
        &format!("{:.2}", own / resident),
        "<= 40 MB",
    );
    command_line(&table, folder.path(), flags.or("reads", 50)).await;
}

/// Repositories that can be reached and not, in turn.
async fn append(app: &App, repositories: usize) {
    let integration = IntegrationId(ids::new_id());
    let appends = (0..repositories).map(|nth| {
        let name = format!("shop {nth}");
        let discovered = repository::Event::Discovered {
            integration,
            name: DisplayText::clean(&name),
            location: Connection::path(format!("/srv/git/shop-{nth}")),
        };
        let later = (1..EACH).map(|turn| {
            if turn % 2 == 0 {
                return repository::Event::Reachable {};
            }
            let text = DisplayText::clean("there is no such folder");
            repository::Event::Unreachable { code: FailureCode::Denied, text }
        });
        let events = std::iter::once(discovered).chain(later).map(|happened| event(&Fact::Repository(happened)));
        Append {
            stream: StreamId::new("repository", RepositoryId(ids::new_id()).0),
            after: 0,
            events: events.collect(),
            claims: Vec::new(),
            idempotency: None,
            companions: Vec::new(),
        }
    });
    let appender = app.log.appender();
    let mut appended = futures::stream::iter(appends.map(|append| appender.append(Lane::Bulk, append))).buffered(64);
    while let Some(done) = appended.next().await {
        done.expect("it is appended");
    }
}

fn forget_jobs(folder: &Path) {
    let log = rusqlite::Connection::open(folder.join("data/log.db")).expect("the log is there");
    log.execute("DELETE FROM jobs", []).expect("jobs can be deleted");
}

/// The program as a person starts it, and how long it took until it is ready.
fn start(folder: &Path) -> (Child, Duration) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr()).expect("a port").port();
    let began = Instant::now();
    let child = program(folder)
        .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let ready = format!("http://127.0.0.1:{port}/readyz");
    while !Command::new("curl").args(["-sf", "-o", "/dev/null", &ready]).status().expect("curl is installed").success()
    {
        assert!(began.elapsed() < Duration::from_secs(60), "the server does not come up");
    }
    (child, began.elapsed())
}

/// From the start of the program to a demo that is whole, as `scripts/run` starts it.
fn demo(table: &Table, rounds: usize) {
    let (mut serves, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(PROGRAM);
        command
            .args(["serve", "--demo", "--listen", "127.0.0.1:0"])
            .env("HOME", home.path())
            .env("TMPDIR", home.path());
        command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let began = Instant::now();
        let mut child = command.spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
        let mut until = |words: &str| {
            assert!(lines.any(|line| line.starts_with(words)), "the demo ends before it says {words:?}");
            seconds(began.elapsed())
        };
        serves.push(until("keytrail serves on"));
        // The last line of what it says once everything is there.
        whole.push(until("Ctrl-C"));
        stop(&mut child);
    }
    let (serves, whole) = (median(serves), median(whole));
    table.line(
        "from the start of the program to a demo that is whole",
        &format!("{whole:.1} s"),
        &format!("until it serves {serves:.2} s"),
        &format!("{:.1}", whole / serves),
        "",
    );
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env("HOME", folder).env("KEYTRAIL__STORE__FOLDER", folder.join("data"));
    command.env("KEYTRAIL__SECRETS__ROOT_KEY_FILE", folder.join("secrets/root.key"));
    command.stdout(Stdio::null());
    command
}

fn stop(child: &mut Child) {
    let asked = Command::new("kill").arg(child.id().to_string()).status();
    assert!(asked.expect("kill is installed").success());
    child.wait().expect("a child can be waited for");
}

fn megabytes(child: &Child, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux says it");
    line.split_whitespace().next().and_then(|number| number.parse::<f64>().ok()).expect("a number") / 1024.0
}

/// A list at the command line, beside the same list asked for over one kept connection.
async fn command_line(table: &Table, folder: &Path, reads: usize) {
    let (mut child, _) = start(folder);
    let endpoint = fs::read_to_string(folder.join("data/server.json")).expect("what the server tells its own user");
    let endpoint: serde_json::Value = serde_json::from_str(&endpoint).expect("JSON");
    let word = |name: &str| endpoint[name].as_str().expect("a text").to_owned();
    let (url, token) = (format!("{}/api/v1/integrations", word("url")), word("token"));
    let client = reqwest::Client::new();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..reads {
        let began = Instant::now();
        let status = program(folder).args(["integration", "list"]).status().expect("it starts");
        assert!(status.success(), "the command line says {status}");
        ours.push(seconds(began.elapsed()) * 1e3);
        let began = Instant::now();
        let answer = client.get(&url).bearer_auth(&token).send().await.expect("the server answers");
        assert_eq!(answer.status(), 200);
        answer.bytes().await.expect("an answer has a body");
        theirs.push(seconds(began.elapsed()) * 1e3);
    }
    stop(&mut child);
    let (ours, theirs) = (median(ours), median(theirs));
    table.line(
        "the integrations at the command line",
        &format!("{ours:.1} ms"),
        &format!("the server alone {theirs:.1} ms, so {:.1} ms besides", ours - theirs),
        &format!("{:.1}", ours / theirs),
        "<= 50 ms besides",
    );
}
