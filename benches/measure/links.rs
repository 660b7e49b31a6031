//! A log with as many links as are asked for: one integration, one repository, one run, and its batches as a walk makes
//! them.

#[path = "event.rs"]
pub(crate) mod event;

use std::sync::Arc;

use event::event;
use keytrail::{
    ids,
    log::{Append, Lane, Log},
};
use keytrail_domain::{
    display_text::DisplayText,
    fact::Fact,
    id::{IndexRunId, IntegrationId, RepositoryId},
    index_run::{
        self, Cause,
        batch::{self, Commit, CommitBatch, CommitSha, Cursor, Places},
    },
    issue_key::IssueKey,
    person::PersonId,
    recorded::{Position, Sequence, StreamId},
    repository,
    service::Connection,
};

/// Commits in a batch, as a walk makes them.
const BATCH: u64 = 1_000;
const PROJECTS: [&str; 8] = ["KAFKA", "SHOP", "BILLING", "SEARCH", "OPS", "MOBILE", "DATA", "WEB"];

/// Numbers that look random and are the same in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// The next number (SplitMix64).
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// An issue among `issues` that a commit names.
    pub(crate) fn issue(&mut self, issues: u64) -> (usize, u64) {
        place(self.next() % issues)
    }
}

/// The project and number of the `nth` issue.
pub(crate) const fn place(nth: u64) -> (usize, u64) {
    ((nth % PROJECTS.len() as u64) as usize, nth / PROJECTS.len() as u64 + 1)
}

/// The key of an issue.
pub(crate) fn key((project, number): (usize, u64)) -> IssueKey {
    IssueKey { project: PROJECTS[project].into(), number }
}

/// Who wrote the commits.
pub(crate) fn people() -> impl Iterator<Item = PersonId> {
    (0..2_000).map(|n| PersonId(uuid::Uuid::from_u128(n)))
}

/// Appends it all; how many links there are then. Issues have about five commits each.
pub(crate) async fn append(log: &Log, links: u64, keys_per_commit: u64) -> u64 {
    let (integration, run) = (IntegrationId(ids::new_id()), IndexRunId(ids::new_id()));
    let repository = RepositoryId(ids::new_id());
    let discovered = repository::Event::Discovered {
        integration,
        name: DisplayText::clean("shop"),
        location: Connection::path("/srv/git/shop".to_owned()),
    };
    let number = one(log, StreamId::new("repository", repository.0), 0, Fact::Repository(discovered)).await;
    let requested = index_run::Event::Requested { repository, cause: Cause::Discovered };
    one(log, StreamId::new("index_run", run.0), 0, Fact::IndexRun(requested)).await;
    let projects: Vec<Arc<str>> = PROJECTS.iter().map(|project| (*project).into()).collect();
    let people: Vec<PersonId> = people().collect();
    let (mut dice, mut made, mut walked, mut sequence) = (Dice(7), 0, 0, 0);
    let issues = (links / 5).max(1);
    while made < links {
        let mut commits = Vec::new();
        for _ in 0..BATCH.min((links - made).div_ceil(keys_per_commit)) {
            let mut keys: Vec<(IssueKey, Places)> = Vec::new();
            while (keys.len() as u64) < keys_per_commit {
                let (project, number) = dice.issue(issues);
                let key = IssueKey { project: projects[project].clone(), number };
                if keys.iter().all(|(known, _)| *known != key) {
                    keys.push((key, Places::SUBJECT));
                }
            }
            made += keys_per_commit;
            walked += 1;
            commits.push(commit(&mut dice, walked, &people, keys));
        }
        sequence += 1;
        let batch = CommitBatch {
            repository,
            number,
            extractor: 1,
            cursor: Cursor { generation: walked as u32, sha: commits[commits.len() - 1].sha },
            walked,
            default_branch: Some("refs/heads/trunk".into()),
            commits,
        };
        let stream = StreamId::new(batch::STREAM_TYPE, run.0);
        one(log, stream, sequence - 1, Fact::IndexBatch(batch::Event::CommitsRecorded(batch))).await;
    }
    made
}

fn commit(dice: &mut Dice, nth: u64, people: &[PersonId], keys: Vec<(IssueKey, Places)>) -> Commit {
    let mut sha = [0; 20];
    sha.chunks_mut(8).for_each(|part| part.copy_from_slice(&dice.next().to_le_bytes()[..part.len()]));
    let at = 1_300_000_000 + nth as i64 * 400;
    let introduced_by = match dice.next() % 3 {
        0 => "refs/heads/trunk".into(),
        _ => format!("refs/pull/{}/head", nth / 4).into(),
    };
    let subject = format!("{}: Let the broker wait for {:x} replicas at most", keys[0].0, dice.next() >> 40);
    Commit {
        sha: CommitSha(sha),
        author: people[(dice.next() % people.len() as u64) as usize],
        authored_at: at - (dice.next() % 100) as i64,
        committed_at: at,
        subject: DisplayText::clean(&subject),
        introduced_by,
        keys,
    }
}

async fn one(log: &Log, stream: StreamId, after: Sequence, fact: Fact) -> Position {
    let append = Append {
        stream,
        after,
        events: vec![event(&fact)],
        claims: Vec::new(),
        idempotency: None,
        companions: Vec::new(),
    };
    log.appender().append(Lane::Bulk, append).await.expect("it is appended").last
}
