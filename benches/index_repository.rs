//! A whole index run as a process of its own (a data folder made, every event durable, every view caught up) beside
//! `git log` into a file. Also bytes in the log per commit, and memory.
//!
//! `cargo bench --bench index_repository -- --repository PATH [--against PATH] [--rounds 5] [--program PATH/keytrail]`.
//! With `--against` both are measured in each round, and what a commit of the second costs beside one of the first. Without
//! `--program` the child is this file again, which does in process what `keytrail index PATH` does.

#[path = "measure/flags.rs"]
mod flags;
#[path = "measure/server.rs"]
mod server;
#[path = "measure/table.rs"]
mod table;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use flags::Flags;
use keytrail::app::{App, Context};
use keytrail_domain::{
    id::IndexRunId,
    integration::{self, Integration, IntegrationName},
    metadata::{Actor, Source},
    service::Connection,
};
use keytrail_projections::index_runs;
use rusqlite::OpenFlags;
use table::{Table, median, seconds};

fn main() {
    let flags = Flags::read();
    if let Some(repository) = flags.get("child") {
        return child(repository, Path::new(flags.get("folder").expect("a child is given a folder")));
    }
    let Some(repository) = flags.get("repository") else {
        println!("nothing is measured: say --repository PATH (the example generate_repository makes one)");
        return;
    };
    let (rounds, place) = (flags.or("rounds", 5), tempfile::tempdir().expect("a temporary folder"));
    let mut measured: Vec<_> = [Some(repository), flags.get("against")].into_iter().flatten().map(Rounds::of).collect();
    for round in 0..=rounds {
        for rounds in &mut measured {
            let log = git_log(rounds.repository, place.path());
            let folder = place.path().join("server");
            let run = index(&flags, rounds.repository, &folder);
            // The first round warms the caches of both.
            if round > 0 {
                rounds.git.push(seconds(log));
                rounds.ours.push(seconds(run.took));
                rounds.anonymous.push(run.anonymous);
                rounds.resident.push(run.resident);
            }
            rounds.stored = Some(stored(&folder));
            fs::remove_dir_all(&folder).expect("what was made can be removed");
        }
    }
    let table = Table::new();
    let each: Vec<f64> = measured.iter().map(|rounds| rounds.say(&table)).collect();
    if let [small, large] = each[..] {
        table.line(
            "a commit of the second repository",
            &format!("{:.2} µs", large * 1e6),
            &format!("a commit of the first {:.2} µs", small * 1e6),
            &format!("{:.2}", large / small),
            "<= 1.2",
        );
    }
}

/// What was measured of one repository.
struct Rounds<'a> {
    repository: &'a str,
    git: Vec<f64>,
    ours: Vec<f64>,
    anonymous: Vec<f64>,
    resident: Vec<f64>,
    stored: Option<Stored>,
}

impl<'a> Rounds<'a> {
    fn of(repository: &'a str) -> Self {
        let (git, ours, anonymous, resident) = Default::default();
        Self { repository, git, ours, anonymous, resident, stored: None }
    }

    /// Prints it; the seconds that a commit took.
    fn say(&self, table: &Table) -> f64 {
        let stored = self.stored.as_ref().expect("there was a round");
        eprintln!("{}", self.repository);
        let (git, ours) = (median(self.git.clone()), median(self.ours.clone()));
        let rate = stored.commits / ours;
        table.line(
            &format!("full index, whole process ({:.0} commits, {:.0} commits/s)", stored.commits, rate),
            &format!("{ours:.3} s"),
            &format!("git log into a file {git:.3} s"),
            &format!("{:.2}", ours / git),
            "<= 1.5",
        );
        table.line(
            "bytes of events per commit with a key",
            &format!("{:.0} B ({:.0} commits)", stored.bytes / stored.keyed, stored.keyed),
            &format!("log.db grows by {:.0} B", stored.file / stored.keyed),
            "",
            "<= 200 B",
        );
        let bound = 64.0 + stored.commits * 64.0 / f64::from(1 << 20);
        let (anonymous, resident) = (median(self.anonymous.clone()), median(self.resident.clone()));
        table.line(
            "memory of its own at most (RssAnon)",
            &format!("{anonymous:.0} MB"),
            &format!("VmHWM, mapped packs included: {resident:.0} MB"),
            &format!("{:.2}", anonymous / bound),
            &format!("<= 64 MB + 64 B a commit = {bound:.0} MB"),
        );
        ours / stored.commits
    }
}

fn git_log(repository: &str, place: &Path) -> Duration {
    let file = fs::File::create(place.join("log")).expect("a file in our own folder");
    let started = Instant::now();
    let status = Command::new("git")
        .args(["-C", repository, "log", "--all", "--format=%H%x00%an%x00%ae%x00%ct%x00%s%x00%b"])
        .stdout(file)
        .stderr(Stdio::null())
        .status()
        .expect("git is installed");
    assert!(status.success(), "git log: {status}");
    started.elapsed()
}

/// One run of ours.
struct Run {
    took: Duration,
    /// MB.
    anonymous: f64,
    /// MB.
    resident: f64,
}

fn index(flags: &Flags, repository: &str, folder: &Path) -> Run {
    let mut command = match flags.get("program") {
        Some(program) => {
            let mut command = Command::new(program);
            command.args(["index", repository]);
            command.env("KEYTRAIL__STORE__FOLDER", folder.join("data"));
            command.env("KEYTRAIL__SECRETS__ROOT_KEY_FILE", folder.join("secrets/root.key"));
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
        }
        None => {
            let mut command = Command::new(std::env::current_exe().expect("a running program has a file"));
            command.args(["--child", repository, "--folder"]).arg(folder);
            command
        }
    };
    let started = Instant::now();
    let mut child = command.spawn().expect("the child starts");
    let (mut anonymous, mut resident) = (0.0_f64, 0.0_f64);
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            assert!(status.success(), "the child ended with {status}");
            return Run { took: started.elapsed(), anonymous, resident };
        }
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let megabytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default() / 1024.0
        };
        anonymous = anonymous.max(megabytes("RssAnon:"));
        resident = resident.max(megabytes("VmHWM:"));
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// What a run left in the log.
struct Stored {
    commits: f64,
    keyed: f64,
    bytes: f64,
    file: f64,
}

fn stored(folder: &Path) -> Stored {
    let path = folder.join("data/log.db");
    let log = rusqlite::Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the log is there");
    let one = |sql: &str| log.query_row(sql, [], |row| row.get::<_, f64>(0)).expect("the log answers");
    let counted = |what: &str| {
        one(&format!(
            "SELECT CAST(json_extract(payload, '$.completed.counts.{what}') AS REAL) FROM events \
             WHERE event_type = 'index_run.completed'"
        ))
    };
    Stored {
        commits: counted("commits"),
        keyed: counted("keyed"),
        bytes: one("SELECT CAST(SUM(octet_length(payload) + octet_length(metadata)) AS REAL) FROM events"),
        file: fs::metadata(&path).map_or(0.0, |file| file.len() as f64),
    }
}

/// Does what the command line does, and says when what was done.
fn child(repository: &str, folder: &Path) {
    let started = Instant::now();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let said = runtime.block_on(whole(repository, folder, started));
    drop(runtime);
    eprintln!("  {said} ended {:.0} ms", seconds(started.elapsed()) * 1e3);
}

async fn whole(repository: &str, folder: &Path, started: Instant) -> String {
    let mut said = String::new();
    let mut say = |what: &str| said.push_str(&format!("{what} {:.0}, ", seconds(started.elapsed()) * 1e3));
    let app = server::start(folder, None).await;
    say("booted");
    let context = Context {
        actor: Actor::Local,
        source: Source::Cli,
        request_id: None,
        trace: None,
        causation: None,
        idempotency: None,
        if_match: None,
    };
    let name = IntegrationName::parse("bench").expect("a good name");
    let add = integration::Command::Add { name, connection: Connection::path(repository.to_owned()), web_links: None };
    app.dispatch::<Integration>(keytrail::ids::new_id(), add, context, Vec::new()).await.expect("it can be added");
    say("added");
    let (mut phase, mut run) = (String::new(), None);
    loop {
        let found = app
            .read(index_runs::page(index_runs::Filter::default(), index_runs::Order::NewestFirst, None, 1))
            .await
            .unwrap_or_default();
        if let Some(found) = found.first() {
            if run.is_none() {
                say("requested");
            }
            run = Some(found.id);
            if found.ended_at.is_some() {
                assert!(found.failure.is_none(), "{:?}", found.failure);
                break;
            }
        }
        if let Some(now) = phase_of(&app, run).await
            && now != phase
        {
            say(&now);
            phase = now;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    say("completed");
    let head = app.log.feed().head().position;
    for (view, ..) in app.views.states() {
        while let Err(error) = app.views.wait_for(view, head).await {
            assert!(matches!(error, keytrail::views::ViewError::Behind { .. }), "{error}");
        }
    }
    say("views");
    app.stop().await;
    say("stopped");
    said
}

async fn phase_of(app: &App, run: Option<IndexRunId>) -> Option<String> {
    let told = app.jobs.progress(keytrail::jobs::Kind::IndexRepository, &run?.to_string()).await.ok()??;
    Some(serde_json::from_str::<keytrail::jobs::ProgressNow>(&told).ok()?.phase)
}
