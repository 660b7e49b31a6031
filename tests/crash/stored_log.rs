//! The log as it is stored, read past the server: what it promises of itself, and what is in it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
};

use keytrail::{
    log::leaf::Leaf,
    store::{Area, Db},
};
use keytrail_domain::{
    access::Access,
    access_settings::AccessSettings,
    aggregate::Aggregate,
    claim::ClaimChange,
    commit_link::CommitLink,
    fact::Fact,
    host_key::HostKeys,
    index_run::{IndexRun, batch::Event as Batch},
    installation::Installation,
    integration::Integration,
    person::Person,
    project_rules::ProjectRules,
    pull_request::PullRequest,
    repository::Repository,
    ssh_key::SshKey,
};
use keytrail_projections::value::{Cells, Row};

use crate::load::Entry;

/// One stored event.
pub(crate) struct StoredEvent {
    pub(crate) position: i64,
    pub(crate) stream_type: String,
    pub(crate) stream_id: String,
    pub(crate) sequence: i64,
    pub(crate) event_type: String,
    pub(crate) version: String,
    pub(crate) payload: String,
    pub(crate) metadata: String,
    pub(crate) event_id: String,
    pub(crate) recorded_at: i64,
    pub(crate) leaf: Vec<u8>,
}

/// All of it.
pub(crate) struct StoredLog {
    pub(crate) events: Vec<StoredEvent>,
    head: i64,
    claims: BTreeMap<(String, String), (String, String)>,
    /// Key, stream, last position of each remembered request.
    remembered: Vec<(String, String, i64)>,
}

async fn rows(db: &Db, sql: &str) -> Vec<Row> {
    db.read(Area::Log, sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

async fn head(db: &Db) -> i64 {
    Cells::of(&rows(db, "SELECT position FROM log_head").await[0]).int().expect("a position")
}

impl StoredLog {
    /// Of the embedded store in this folder, whose server has stopped.
    pub(crate) async fn of_folder(folder: &Path) -> Self {
        let db = Db::open_sqlite(folder).expect("nobody uses the folder");
        let log = Self::read(&db).await;
        db.close().await;
        log
    }

    /// Of a database: as it was at one moment.
    pub(crate) async fn of_database(url: &str) -> Self {
        let db = Db::open_postgres(url, 2).await.expect("the database answers");
        // What a server had sent before it was killed may be written while this reads.
        for _ in 0..100 {
            let before = head(&db).await;
            let log = Self::read(&db).await;
            if head(&db).await == before {
                db.close().await;
                return log;
            }
        }
        panic!("somebody writes without end");
    }

    async fn read(db: &Db) -> Self {
        let rows = async |sql: &str| rows(db, sql).await;
        let events = rows(
            "SELECT global_position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, \
             metadata, event_id, recorded_at, leaf_hash FROM events ORDER BY global_position",
        )
        .await;
        let head = head(db).await;
        let claims = rows("SELECT scope, claim_key, aggregate_type, aggregate_id FROM claims").await;
        let remembered = rows("SELECT idempotency_key, aggregate_id, last_position FROM command_log").await;
        Self {
            events: events.iter().map(event).collect(),
            head,
            claims: claims
                .iter()
                .map(|row| {
                    let mut cells = Cells::of(row);
                    let mut text = || cells.text().expect("a text").to_owned();
                    ((text(), text()), (text(), text()))
                })
                .collect(),
            remembered: remembered
                .iter()
                .map(|row| {
                    let mut cells = Cells::of(row);
                    let mut text = || cells.text().expect("a text").to_owned();
                    (text(), text(), cells.int().expect("a position"))
                })
                .collect(),
        }
    }

    /// What the log promises, whatever happened: no gap, no repetition, times in order, hashes that fit, claims that
    /// follow from the events, batches that name no commit twice.
    pub(crate) fn check(&self) {
        let mut sequences: HashMap<(&str, &str), i64> = HashMap::new();
        let mut recorded_at = i64::MIN;
        for (event, position) in self.events.iter().zip(1..) {
            assert_eq!(event.position, position, "the positions have a gap");
            let sequence = sequences.entry((&event.stream_type, &event.stream_id)).or_default();
            *sequence += 1;
            assert_eq!(event.sequence, *sequence, "the stream of event {position} has a gap");
            assert!(event.recorded_at > recorded_at, "the time of event {position} is not after the one before");
            recorded_at = event.recorded_at;
            assert_eq!(event.leaf, event.hash(), "the hash of event {position} is not of what is stored");
        }
        assert_eq!(self.head, self.events.len() as i64, "the head is not the last event");
        for (key, stream, last) in &self.remembered {
            let known = (1..=self.head).contains(last) || self.head == 0;
            assert!(known, "the request {key} of {stream} is remembered with position {last}, which is not there");
        }
        self.check_claims();
        self.check_batches();
    }

    fn check_claims(&self) {
        let mut claims: BTreeMap<(String, String), (String, String)> = BTreeMap::new();
        for event in &self.events {
            let Some(fact) = event.fact() else { continue };
            let holder = (event.stream_type.clone(), event.stream_id.clone());
            for change in claims_of(&fact) {
                let claim = change.claim();
                let key = (claim.scope.as_str().to_owned(), claim.key.clone());
                match change {
                    ClaimChange::Take(_) => {
                        let before = claims.insert(key, holder.clone());
                        let free = before.as_ref().is_none_or(|before| *before == holder);
                        assert!(free, "event {} takes what {before:?} holds", event.position);
                    }
                    ClaimChange::Release(_) => {
                        if claims.get(&key) == Some(&holder) {
                            claims.remove(&key);
                        }
                    }
                }
            }
        }
        assert_eq!(self.claims, claims, "the stored claims are not what the log says");
    }

    fn check_batches(&self) {
        let mut seen: HashMap<&str, (HashSet<_>, u64)> = HashMap::new();
        for event in self.events.iter().filter(|event| event.stream_type == "index_batch") {
            let Some(Fact::IndexBatch(Batch::CommitsRecorded(batch))) = event.fact() else { continue };
            let (commits, walked) = seen.entry(&event.stream_id).or_default();
            let at = event.position;
            assert!(batch.walked > *walked, "the batch at {at} begins before the end of the one before");
            *walked = batch.walked;
            for commit in batch.commits {
                assert!(commits.insert(commit.sha), "event {at} records {} a second time", commit.sha);
            }
        }
    }

    /// How many batches with commits a run has, and how many commits were walked at the end of each.
    pub(crate) fn batches_of(&self, run: &str) -> Vec<u64> {
        let batches = self.events.iter().filter(|event| event.stream_type == "index_batch" && event.stream_id == run);
        batches
            .filter_map(|event| match event.fact() {
                Some(Fact::IndexBatch(Batch::CommitsRecorded(batch))) => Some(batch.walked),
                _ => None,
            })
            .collect()
    }

    /// Everything that was acknowledged is there, as it was acknowledged.
    pub(crate) fn check_acknowledged(&self, entries: &[Entry]) {
        for entry in entries {
            let event = usize::try_from(entry.position - 1).ok().and_then(|at| self.events.get(at));
            let event = event.unwrap_or_else(|| panic!("acknowledged and lost: {entry:?}"));
            assert_eq!(
                (event.stream_id.as_str(), event.event_type.as_str()),
                (&*entry.id, entry.event_type),
                "{entry:?}"
            );
            if let Some(version) = entry.version {
                assert_eq!(event.sequence, version, "{entry:?}");
            }
            if let Some(name) = &entry.name {
                let payload: serde_json::Value = serde_json::from_str(&event.payload).expect("JSON");
                assert!(payload.to_string().contains(&format!("{name:?}")), "{payload} does not say {name}");
            }
        }
    }
}

impl StoredEvent {
    fn fact(&self) -> Option<Fact> {
        Fact::read(&self.stream_type, &self.event_type, &self.version, &self.payload).ok()
    }

    fn hash(&self) -> [u8; 32] {
        Leaf {
            event_id: &self.event_id,
            aggregate_type: &self.stream_type,
            aggregate_id: &self.stream_id,
            sequence: self.sequence,
            event_type: &self.event_type,
            event_version: &self.version,
            payload: &self.payload,
            metadata: &self.metadata,
        }
        .hash()
    }
}

fn event(row: &Row) -> StoredEvent {
    let mut cells = Cells::of(row);
    let position = cells.int().expect("a position");
    let mut text = || cells.text().expect("a text").to_owned();
    let (stream_type, stream_id) = (text(), text());
    let sequence = cells.int().expect("a sequence");
    let mut text = || cells.text().expect("a text").to_owned();
    let (event_type, version, payload, metadata, event_id) = (text(), text(), text(), text(), text());
    let recorded_at = cells.int().expect("a time");
    let leaf = cells.bytes().expect("a hash").to_vec();
    StoredEvent {
        position,
        stream_type,
        stream_id,
        sequence,
        event_type,
        version,
        payload,
        metadata,
        event_id,
        recorded_at,
        leaf,
    }
}

fn claims_of(fact: &Fact) -> Vec<ClaimChange> {
    match fact {
        Fact::Integration(event) => <Integration as Aggregate>::claims(event),
        Fact::Repository(event) => <Repository as Aggregate>::claims(event),
        Fact::IndexRun(event) => <IndexRun as Aggregate>::claims(event),
        Fact::Access(event) => <Access as Aggregate>::claims(event),
        Fact::ProjectRules(event) => <ProjectRules as Aggregate>::claims(event),
        Fact::CommitLink(event) => <CommitLink as Aggregate>::claims(event),
        Fact::Person(event) => <Person as Aggregate>::claims(event),
        Fact::Installation(event) => <Installation as Aggregate>::claims(event),
        Fact::AccessSettings(event) => <AccessSettings as Aggregate>::claims(event),
        Fact::PullRequest(event) => <PullRequest as Aggregate>::claims(event),
        Fact::SshKey(event) => <SshKey as Aggregate>::claims(event),
        Fact::HostKey(event) => <HostKeys as Aggregate>::claims(event),
        Fact::IndexBatch(_) => Vec::new(),
    }
}
