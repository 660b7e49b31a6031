//! Random histories: integrations that come, change and go, and runs that find commits and move refs.

use std::sync::Arc;

use keytrail::{
    ids::new_id,
    log::{Lane, Log},
};
use keytrail_domain::{
    display_text::DisplayText,
    fact::Fact,
    id::RepositoryId,
    index_run::batch::{
        Commit, CommitBatch, CommitSha, Cursor, Event as Found, Places, RefBatch, RefMove, STREAM_TYPE,
    },
    integration::Event,
    issue_key::IssueKey,
    person::PersonId,
    recorded::{Sequence, StreamId},
};
use tokio::task::JoinSet;

use crate::samples::{added, new_stream, of_facts, place, removed, renamed};

/// Deterministic for a seed, so that a failure can be repeated.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Writers that append at the same time; each does this many appends.
pub(super) fn write(log: &Arc<Log>, writers: u64, appends: u64, seed: u64) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for n in 0..writers {
        let (log, dice) = (log.clone(), Dice(seed * 1_000 + n));
        if n % 2 == 0 {
            tasks.spawn(integrations(log, dice, appends, format!("{seed}-{n}")));
        } else {
            tasks.spawn(run(log, dice, appends, (seed * 1_000 + n) as i64));
        }
    }
    tasks
}

async fn append(log: &Log, lane: Lane, stream: StreamId, after: &mut Sequence, facts: &[Fact]) {
    let committed = log.appender().append(lane, of_facts(stream, *after, facts)).await.expect("nobody else does this");
    *after = committed.sequence;
}

async fn integrations(log: Arc<Log>, mut dice: Dice, appends: u64, tag: String) {
    let (mut stream, mut after, mut name, mut removals) = (new_stream(), 0, String::new(), 0);
    for n in 0..appends {
        let event = |event: Event| Fact::Integration(event);
        let facts = if after == 0 {
            name = format!("{tag} \u{e9} {removals}");
            vec![event(added(&name))]
        } else {
            let next = format!("{tag} \u{e9} {removals}.{n}");
            match dice.below(7) {
                0 => vec![event(Event::Paused {})],
                1 => vec![event(Event::Resumed {})],
                2 => vec![event(Event::ConnectionChanged { connection: place(&next), previous: place(&name) })],
                3 => vec![event(removed(&name))],
                4 => vec![event(renamed(&name, &next)), event(renamed(&next, &name))],
                5 => vec![event(Event::Paused {}), event(renamed(&name, &next)), event(Event::Resumed {})],
                _ => vec![event(renamed(&name, &next))],
            }
        };
        if let Some(Fact::Integration(Event::Renamed { name: last, .. })) =
            facts.iter().rfind(|fact| matches!(fact, Fact::Integration(Event::Renamed { .. })))
        {
            name = last.as_str().to_owned();
        }
        let gone = matches!(facts[0], Fact::Integration(Event::Removed { .. }));
        append(&log, Lane::Interactive, stream, &mut after, &facts).await;
        if gone {
            (stream, after, removals) = (new_stream(), 0, removals + 1);
        }
    }
}

fn sha(number: i64, n: u64) -> CommitSha {
    let mut sha = [number as u8; 20];
    sha[..8].copy_from_slice(&n.to_be_bytes());
    CommitSha(sha)
}

async fn run(log: Arc<Log>, mut dice: Dice, appends: u64, number: i64) {
    let (stream, repository) = (StreamId::new(STREAM_TYPE, new_id()), RepositoryId(new_id()));
    let (mut after, mut refs) = (0, std::collections::BTreeMap::new());
    for _ in 0..appends {
        let found = if dice.below(3) == 0 {
            let mut moves = std::collections::BTreeMap::new();
            for _ in 0..=dice.below(3) {
                let name = format!("refs/heads/b{}", dice.below(4));
                let to = (dice.below(4) > 0).then(|| sha(number, dice.below(60)));
                let from = refs.get(&name).copied();
                moves.entry(name).or_insert((from, to));
            }
            for (name, (_, to)) in &moves {
                match to {
                    Some(to) => refs.insert(name.clone(), *to),
                    None => refs.remove(name),
                };
            }
            let refs = moves.into_iter().map(|(name, (from, to))| {
                let keys = if dice.below(2) == 0 { Vec::new() } else { vec![key(&mut dice)] };
                RefMove { name: DisplayText::clean(&name), from, to, keys }
            });
            Found::RefsMoved(RefBatch { repository, number, extractor: 1, refs: refs.collect() })
        } else {
            Found::CommitsRecorded(CommitBatch {
                repository,
                number,
                extractor: 1,
                cursor: Cursor::default(),
                walked: 0,
                default_branch: None,
                // Commits come twice now and then, and come again when they are gone.
                commits: (0..dice.below(9)).map(|_| commit(number, &mut dice)).collect(),
            })
        };
        append(&log, Lane::Bulk, stream, &mut after, &[Fact::IndexBatch(found)]).await;
    }
}

fn key(dice: &mut Dice) -> IssueKey {
    IssueKey { project: "KEY".into(), number: 1 + dice.below(9) }
}

fn commit(number: i64, dice: &mut Dice) -> Commit {
    Commit {
        sha: sha(number, dice.below(60)),
        author: PersonId::of_keyed_hash(&[dice.below(4) as u8; 32]),
        authored_at: 1_700_000_000 + dice.below(1_000) as i64,
        committed_at: 1_700_000_000,
        subject: DisplayText::clean(&format!("KEY-1 change {}", dice.below(100))),
        introduced_by: format!("refs/heads/b{}", dice.below(4)).into(),
        keys: vec![(key(dice), Places::SUBJECT)],
    }
}
