//! Clients that change integrations without a pause and keep a ledger of what was acknowledged. A request without an
//! answer is sent again, with the same key, to whichever server runs then.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use keytrail_test_support::server::{Answer, Client, PATIENCE};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet};

use crate::stage::{Chance, connect};

/// A server that may be away.
pub(crate) type Node = watch::Receiver<Option<Client>>;

/// Something that was acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Where it was asked.
    pub(crate) path: String,
    /// The key of the request; none where the method needs none.
    pub(crate) key: Option<String>,
    /// What was asked.
    pub(crate) body: Value,
    /// What happened.
    pub(crate) event_type: &'static str,
    /// The integration.
    pub(crate) id: String,
    /// Where it stands in the log.
    pub(crate) position: i64,
    /// Where it stands in its stream, when the answer said so.
    pub(crate) version: Option<i64>,
    /// The name that it must hold.
    pub(crate) name: Option<String>,
}

/// What the clients share.
struct Shared {
    nodes: Vec<Node>,
    ledger: Mutex<Vec<Entry>>,
    stop: AtomicBool,
    unanswered: AtomicU64,
    refused: AtomicU64,
}

/// Clients at work.
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

impl Load {
    /// Each client has a repository of its own, which it connects and disconnects, and rests for up to `rest_millis` now
    /// and then: index runs come after short work, so clients that never rest leave them no room.
    pub(crate) fn start(nodes: Vec<Node>, repositories: Vec<PathBuf>, rest_millis: u64, chance: &mut Chance) -> Self {
        let shared = Arc::new(Shared {
            nodes,
            ledger: Mutex::default(),
            stop: AtomicBool::new(false),
            unanswered: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        let mut clients = JoinSet::new();
        for (number, repository) in repositories.into_iter().enumerate() {
            let (shared, chance) = (shared.clone(), Chance::of_its_own(chance));
            let worker = Worker { shared, number, repository, rest_millis, chance, requests: 0 };
            clients.spawn(worker.run());
        }
        Self { shared, clients }
    }

    /// What was acknowledged so far.
    pub(crate) fn ledger(&self) -> Vec<Entry> {
        self.shared.ledger.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells the clients to come to an end, and waits for them: a server must run. The whole ledger.
    pub(crate) async fn finish(mut self) -> Vec<Entry> {
        self.shared.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("no client met what it must not meet");
        }
        self.ledger()
    }

    /// Fails when a client has.
    pub(crate) fn check(&mut self) {
        if let Some(ended) = self.clients.try_join_next() {
            ended.expect("no client met what it must not meet");
        }
    }

    /// How it went, in figures.
    pub(crate) fn figures(&self) -> String {
        let (unanswered, refused) =
            (self.shared.unanswered.load(Ordering::Relaxed), self.shared.refused.load(Ordering::Relaxed));
        let acknowledged = self.shared.ledger.lock().unwrap_or_else(PoisonError::into_inner).len();
        format!("{acknowledged} commands acknowledged, {unanswered} without an answer, {refused} put off")
    }
}

impl Chance {
    fn of_its_own(chance: &mut Self) -> Self {
        Self::of_seed(chance.next())
    }
}

/// Sends each of these acknowledged requests once more: the outcome must be the same.
pub(crate) async fn repeat(client: &Client, entries: &[Entry], chance: &mut Chance, times: usize) {
    let keyed: Vec<&Entry> = entries.iter().filter(|entry| entry.key.is_some()).collect();
    for _ in 0..times.min(keyed.len()) {
        let entry = keyed[chance.below(keyed.len() as u64) as usize];
        let answer = loop {
            let answer = client.post(&entry.path, entry.key.as_deref(), &entry.body).await.expect("the server runs");
            if answer.status != 503 {
                break answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert!(answer.is_done(), "{entry:?} was acknowledged, and now: {} {}", answer.status, answer.body);
        assert_eq!((answer.id(), answer.position), (&*entry.id, entry.position), "{entry:?}");
        assert!(answer.replayed, "{entry:?} was done a second time");
    }
}

struct Worker {
    shared: Arc<Shared>,
    number: usize,
    repository: PathBuf,
    rest_millis: u64,
    chance: Chance,
    requests: u64,
}

/// What a client asks for.
#[derive(Clone, Copy)]
enum Verb {
    Post,
    Put,
    Delete,
}

impl Worker {
    async fn run(mut self) {
        while !self.is_stopped() {
            self.one_life().await;
        }
    }

    fn is_stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    /// From adding an integration to removing it.
    async fn one_life(&mut self) {
        let name = self.name();
        let body = connect(&name, &self.repository);
        let added = self.ask(Verb::Post, "/api/v1/integrations", body, "integration.added", Some(name)).await;
        let path = format!("/api/v1/integrations/{}", added.id());
        for _ in 0..1 + self.chance.below(4) {
            let rest = self.chance.millis(1, self.rest_millis);
            tokio::time::sleep(rest).await;
            match self.chance.below(2) {
                0 => {
                    let name = self.name();
                    let body = json!({ "name": name });
                    self.ask(Verb::Put, &format!("{path}/name"), body, "integration.renamed", Some(name)).await;
                }
                _ => {
                    self.ask(Verb::Post, &format!("{path}/pause"), json!({}), "integration.paused", None).await;
                    self.ask(Verb::Post, &format!("{path}/resume"), json!({}), "integration.resumed", None).await;
                }
            }
        }
        self.ask(Verb::Delete, &path, Value::Null, "integration.removed", None).await;
    }

    fn name(&mut self) -> String {
        self.requests += 1;
        format!("client {} name {}", self.number, self.requests)
    }

    /// Asks until there is an answer, and writes it into the ledger.
    async fn ask(
        &mut self,
        verb: Verb,
        path: &str,
        body: Value,
        event_type: &'static str,
        name: Option<String>,
    ) -> Answer {
        self.requests += 1;
        let key =
            matches!(verb, Verb::Post).then(|| format!("{}-{}-{:x}", self.number, self.requests, self.chance.next()));
        let mut unanswered = false;
        loop {
            let client = self.client().await;
            let answer = match verb {
                Verb::Post => client.post(path, key.as_deref(), &body).await,
                Verb::Put => client.put(path, &body).await,
                Verb::Delete => client.delete(path).await,
            };
            let Ok(answer) = answer else {
                self.shared.unanswered.fetch_add(1, Ordering::Relaxed);
                unanswered = true;
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            match answer.status {
                200..=202 => {
                    // Without a key, an answer to what was sent before says nothing of the first time.
                    if !unanswered || key.is_some() {
                        let version = answer.body["version"].as_i64();
                        let entry = Entry {
                            path: path.to_owned(),
                            key: key.clone(),
                            body: body.clone(),
                            event_type,
                            id: answer.id().to_owned(),
                            position: answer.position,
                            // Of a repeated request the row is today's.
                            version: version.filter(|_| !unanswered),
                            name: name.clone(),
                        };
                        self.shared.ledger.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
                    }
                    return answer;
                }
                503 | 507 => {
                    self.shared.refused.fetch_add(1, Ordering::Relaxed);
                    // It may have been done all the same: the connection to the database broke after the commit.
                    unanswered = true;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                409 if unanswered && answer.code() == "integration_removed" => return answer,
                status => panic!("{path} {body}: {status} {}", answer.body),
            }
        }
    }

    /// One of the servers that run.
    async fn client(&mut self) -> Client {
        let mut waited = Duration::ZERO;
        loop {
            let first = self.chance.below(self.shared.nodes.len() as u64) as usize;
            let mut nodes = self.shared.nodes.iter().cycle().skip(first).take(self.shared.nodes.len());
            if let Some(client) = nodes.find_map(|node| node.borrow().clone()) {
                return client;
            }
            assert!(waited < PATIENCE, "no server came back");
            let pause = Duration::from_millis(5);
            tokio::time::sleep(pause).await;
            waited += pause;
        }
    }
}
