//! How long lists take over HTTP, on the embedded engine, one request after the other: repositories filtered and in any
//! order; issues searched by keys, words, names of commits and authors. Beside each a constant answer of the same size in
//! the same server.
//!
//! `cargo bench --bench lists -- [--repositories 10000] [--links 100000] [--reads 200] [--rounds 3]`

#[path = "measure/flags.rs"]
mod flags;
#[path = "measure/links.rs"]
mod links;
#[path = "measure/server.rs"]
mod server;
#[path = "measure/table.rs"]
mod table;

use std::{net::TcpListener, sync::Arc, sync::RwLock, time::Instant};

use actix_web::{HttpResponse, web};
use flags::Flags;
use futures::StreamExt;
use keytrail::{
    app::App,
    config,
    http::{Access, HttpSettings, LocalToken, serve_with},
    ids,
    log::{Append, Lane},
    secrets::Person,
};
use keytrail_domain::{
    display_text::DisplayText,
    fact::Fact,
    id::{IndexRunId, IntegrationId, RepositoryId},
    index_run::{self, Cause, Counts, FailureCode},
    person::PersonId,
    recorded::StreamId,
    repository,
    service::Connection,
};
use keytrail_projections::repository_list;
use links::{Dice, event::event};
use table::{Table, median, seconds};

/// What a person waits for at most, in milliseconds.
const MUST: &str = "p95 <= 50 ms";

#[tokio::main]
async fn main() {
    let flags = Flags::read();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let app = server::start(folder.path(), None).await;
    // What is discovered here is nowhere: nothing is to be done about it.
    app.jobs.set_outdated();
    let repositories = flags.or("repositories", 10_000);
    append_repositories(&app, repositories).await;
    let started = Instant::now();
    let links = links::append(&app.log, flags.or("links", 100_000), 1).await;
    let head = app.log.feed().head().position;
    for view in ["repository_list", "issue_search", "issue_commits"] {
        while app.views.wait_for(view, head).await.is_err() {}
        eprintln!("  {view} caught up after {:.1} s", seconds(started.elapsed()));
    }
    let named = |(n, person): (usize, PersonId)| {
        let text = |what: &str| DisplayText::clean(&format!("{what} {n}"));
        (person, Person { name: text("Person"), email: text("person") })
    };
    app.people.remember(links::people().enumerate().map(named)).await.expect("persons are written");

    let (local, local_token) = LocalToken::random();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    let constant = web::Data::new(RwLock::new(web::Bytes::new()));
    let settings = HttpSettings { workers: 1, local_token: Some(local_token), metrics: None, access: unlimited() };
    let answer = constant.clone();
    let serving = serve_with(app.clone(), settings, listener, move |services| {
        services.app_data(answer.clone()).route("/api/v1/constant", web::get().to(always));
    })
    .expect("it serves");
    let handle = serving.handle();
    let serving = tokio::spawn(serving);
    let asking = Asking {
        client: reqwest::Client::new(),
        url,
        token: local,
        constant,
        reads: flags.or("reads", 200),
        rounds: flags.or("rounds", 3),
        table: Table::new(),
    };
    asking.measure_repositories(repositories).await;
    asking.measure_search(&app, links).await;
    handle.stop(false).await;
    serving.await.expect("the server does not panic").expect("the server ends");
    app.stop().await;
}

/// Says the same whatever it is asked.
async fn always(answer: web::Data<RwLock<web::Bytes>>) -> HttpResponse {
    let answer = answer.read().expect("nobody panics").clone();
    HttpResponse::Ok().content_type("application/json").body(answer)
}

struct Asking {
    client: reqwest::Client,
    url: String,
    token: String,
    constant: web::Data<RwLock<web::Bytes>>,
    reads: usize,
    rounds: usize,
    table: Table,
}

impl Asking {
    async fn get(&self, path: &str) -> web::Bytes {
        let asked = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token).send().await;
        let answer = asked.expect("the server answers");
        assert_eq!(answer.status(), 200, "{path}");
        answer.bytes().await.expect("an answer has a body")
    }

    /// Milliseconds of each request.
    async fn times(&self, path: impl Fn(u64) -> String) -> Vec<f64> {
        let mut took = Vec::with_capacity(self.reads);
        for n in 0..self.reads as u64 {
            let path = path(n);
            let started = Instant::now();
            self.get(&path).await;
            took.push(seconds(started.elapsed()) * 1e3);
        }
        took.sort_by(f64::total_cmp);
        took
    }

    async fn line(&self, work: &str, path: impl Fn(u64) -> String) {
        let answer = self.get(&path(0)).await;
        let size = answer.len();
        *self.constant.write().expect("nobody panics") = answer;
        let at = |took: &[f64], part: f64| took[(took.len() as f64 * part) as usize];
        let (mut halves, mut ends, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let took = self.times(&path).await;
            halves.push(at(&took, 0.5));
            ends.push(at(&took, 0.95));
            theirs.push(at(&self.times(|_| "/api/v1/constant".to_owned()).await, 0.95));
        }
        let (half, end, theirs) = (median(halves), median(ends), median(theirs));
        self.table.line(
            work,
            &format!("p50 {half:.1} ms, p95 {end:.1} ms"),
            &format!("a constant answer of {size} bytes p95 {theirs:.1} ms"),
            &format!("{:.1}", end / theirs),
            MUST,
        );
    }

    async fn measure_repositories(&self, count: usize) {
        for query in [
            "sort=name",
            "sort=activity&order=desc",
            "sort=indexed&order=desc&state=indexed",
            "sort=state&trouble=true",
            "sort=name&name=shop%207",
        ] {
            self.line(&format!("{count} repositories, {query}"), |_| format!("/api/v1/repositories?{query}")).await;
        }
        let path = "/api/v1/repositories?sort=name&limit=500".to_owned();
        self.line(&format!("{count} repositories, sort=name, 500 of them"), |_| path.clone()).await;
    }

    async fn measure_search(&self, app: &App, links: u64) {
        let issues = (links / 5).max(1);
        let key = |n: u64| links::key(Dice(n).issue(issues));
        let work = |what: &str| format!("search of {links} links, {what}");
        let search = |query: String| format!("/api/v1/search?{query}");
        self.line(&work("the latest"), |_| search(String::new())).await;
        self.line(&work("a project"), |n| search(format!("project={}", key(n).project))).await;
        self.line(&work("the beginning of a project"), |n| search(format!("key={}", &key(n).project[..2]))).await;
        let beginning = |n: u64| key(n).to_string().chars().take(key(n).project.len() + 3).collect::<String>();
        self.line(&work("the beginning of a key"), |n| search(format!("key={}", beginning(n)))).await;
        self.line(&work("the beginning of a key, by key"), |n| search(format!("sort=key&key={}", beginning(n)))).await;
        self.line(&work("4 digits of a name"), |n| search(format!("sha={:04x}", Dice(n).next() & 0xffff))).await;
        let person = |n: u64| links::people().nth(n as usize % 2_000).expect("there are as many");
        self.line(&work("an author"), |n| search(format!("author={}", person(n).0))).await;
        self.line(&work("a part of 11 authors' names"), |n| search(format!("author=person%20{}", 100 + n % 90))).await;
        self.line(&work("a word of all"), |_| search("words=broker".to_owned())).await;
        self.line(&work("two words of all and an author"), |n| {
            search(format!("words=broker+replicas&author={}", person(n).0))
        })
        .await;
        self.line(&work("a word of all and one of none"), |_| search("words=broker+nothing".to_owned())).await;
        let rows = app.read(keytrail_projections::issue_commits::commits_of_issue(&key(1), None, None, 1)).await;
        let subject = rows.expect("the view answers").pop().map(|row| row.subject).unwrap_or_default();
        let rare =
            subject.split(' ').find(|word| word.chars().any(|digit| digit.is_ascii_digit()) && !word.contains('-'));
        let rare = rare.unwrap_or("0").to_owned();
        self.line(&work("a rare word and two of all"), |_| search(format!("words=broker+wait+{rare}"))).await;
        self.line(&work("the summary of an issue"), |n| format!("/api/v1/issues/{}", key(n))).await;
    }
}

/// Repositories of 100 integrations: of most a run completed, of some it failed, and some cannot be looked at.
async fn append_repositories(app: &Arc<App>, count: usize) {
    let integrations: Vec<_> = (0..100).map(|_| IntegrationId(ids::new_id())).collect();
    let one = |n: usize| {
        let (repository, run) = (RepositoryId(ids::new_id()), IndexRunId(ids::new_id()));
        let name = format!("{} {n}", ["shop", "billing", "search", "web"][n % 4]);
        let discovered = repository::Event::Discovered {
            integration: integrations[n % integrations.len()],
            name: DisplayText::clean(&name),
            location: Connection::path(format!("/srv/git/{n}")),
        };
        let mut facts = vec![(StreamId::new("repository", repository.0), vec![Fact::Repository(discovered)])];
        let counts = Counts { commits: n as u64, keyed: n as u64 / 2, ..Counts::default() };
        let ended = match n % 10 {
            0 => index_run::Event::Failed {
                repository,
                code: FailureCode::Denied,
                text: DisplayText::clean("the server may not read it"),
            },
            _ => index_run::Event::Completed { repository, counts },
        };
        let requested = index_run::Event::Requested { repository, cause: Cause::Discovered };
        let run_facts = [requested, ended].map(Fact::IndexRun).to_vec();
        facts.push((StreamId::new("index_run", run.0), run_facts));
        if n % 20 == 7 {
            let text = DisplayText::clean("the name has no address");
            let trouble = repository::Event::Unreachable { code: FailureCode::HostUnknown, text };
            facts.push((StreamId::new("repository", repository.0), vec![Fact::Repository(trouble)]));
        }
        facts
    };
    let at_once = futures::stream::iter((0..count).map(|n| async move {
        let mut repository_events = 0;
        for (stream, facts) in one(n) {
            let after = if stream.aggregate_type == "repository" { repository_events } else { 0 };
            repository_events += i64::from(stream.aggregate_type == "repository");
            let events = facts.iter().map(event).collect();
            let append =
                Append { stream, after, events, claims: Vec::new(), idempotency: None, companions: Vec::new() };
            app.log.appender().append(Lane::Bulk, append).await.expect("it is appended");
        }
    }));
    at_once.buffer_unordered(256).collect::<Vec<_>>().await;
    let position = app.log.feed().head().position;
    while app.views.wait_for("repository_list", position).await.is_err() {}
    let all = app.read(repository_list::page(None, None, None, count as u32 + 1)).await.expect("the view answers");
    assert_eq!(all.len(), count);
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
