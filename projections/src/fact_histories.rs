//! Histories for tests: hand-made ones, and random ones that the aggregates themselves allow, with some facts that they
//! would not.

use std::{collections::HashMap, sync::Arc};

use keytrail_domain::{
    access::{self, Role, Scope, Scopes},
    aggregate::Aggregate,
    commit_link::{self, LinkedCommit},
    display_text::DisplayText,
    fact::Fact,
    id::{EventId, IntegrationId, RepositoryId, TokenId},
    index_run::{
        self, Cause, Counts, FailureCode,
        batch::{self, Commit, CommitBatch, CommitSet, CommitSha, Cursor, Places, RefBatch, RefMove},
    },
    integration::{self, IntegrationName},
    issue_key::{IssueKey, Letters, scan},
    metadata::{Actor, Causation, Metadata, Source},
    person::{self, PersonId},
    project_rules,
    recorded::{Position, Recorded, StreamId},
    repository,
    service::Connection,
    stamped::Stamped,
    timestamp::Timestamp,
};
use proptest::prelude::*;
use uuid::Uuid;

/// A log in memory. The fact at position P was accepted at second P and recorded a microsecond later.
#[derive(Debug, Default)]
pub(crate) struct Log {
    facts: Vec<Recorded<Fact>>,
    sequences: HashMap<StreamId, i64>,
}

/// The thing number `n` of the kind.
pub(crate) fn id(kind: u64, n: u64) -> Uuid {
    Uuid::from_u64_pair(kind, n)
}

/// The place number `n`.
pub(crate) fn place(n: u64) -> Connection {
    Connection::path(format!("/srv/git/{n}"))
}

/// A name of an integration.
pub(crate) fn name(text: &str) -> IntegrationName {
    IntegrationName::parse(text).expect("a good name")
}

/// The commit number `n`.
pub(crate) const fn sha(n: u8) -> CommitSha {
    CommitSha([n; 20])
}

/// A commit with these keys in its subject.
pub(crate) fn commit(n: u8, subject: &str) -> Commit {
    Commit {
        sha: sha(n),
        author: PersonId(id(9, u64::from(n % 3))),
        authored_at: 1000,
        committed_at: 1000 + i64::from(n),
        subject: DisplayText::clean(subject),
        introduced_by: Arc::from(if n.is_multiple_of(2) { "refs/heads/main" } else { "refs/heads/topic" }),
        keys: scan(subject, Letters::Upper).keys.into_iter().map(|(key, _)| (key, Places::SUBJECT)).collect(),
    }
}

/// A batch of commits.
pub(crate) fn commits(repository: Uuid, number: Position, walked: u64, commits: Vec<Commit>) -> Fact {
    Fact::IndexBatch(batch::Event::CommitsRecorded(CommitBatch {
        repository: RepositoryId(repository),
        number,
        extractor: 1,
        cursor: Cursor::default(),
        walked,
        default_branch: Some(Arc::from("refs/heads/main")),
        commits,
    }))
}

/// A batch of refs: name and where it points, if anywhere.
pub(crate) fn refs(repository: Uuid, number: Position, refs: &[(&str, Option<CommitSha>)]) -> Fact {
    Fact::IndexBatch(batch::Event::RefsMoved(RefBatch {
        repository: RepositoryId(repository),
        number,
        extractor: 1,
        refs: refs
            .iter()
            .map(|(name, to)| RefMove {
                name: DisplayText::clean(name),
                from: None,
                to: *to,
                keys: scan(name, Letters::AnyCase).keys.into_iter().map(|(key, _)| key).collect(),
            })
            .collect(),
    }))
}

/// A repository was discovered.
pub(crate) fn discovered(integration: Uuid, name: &str, place: Connection) -> Fact {
    Fact::Repository(repository::Event::Discovered {
        integration: IntegrationId(integration),
        name: DisplayText::clean(name),
        location: place,
    })
}

/// An index run was asked for.
pub(crate) fn requested(repository: Uuid, cause: Cause) -> Fact {
    Fact::IndexRun(index_run::Event::Requested { repository: RepositoryId(repository), cause })
}

/// An index run completed after this many commits, half of them with keys.
pub(crate) fn completed(repository: Uuid, commits: u64) -> Fact {
    let counts = Counts { commits, keyed: commits / 2, keys: commits, refs: 1, bounded: 0, lost_refs: 0 };
    Fact::IndexRun(index_run::Event::Completed { repository: RepositoryId(repository), counts })
}

/// An index run completed that could not tell which of these commits were new.
pub(crate) fn completed_anew(repository: Uuid, commits: u64) -> Fact {
    let counts = Counts { commits, keyed: commits / 2, keys: commits, refs: 1, bounded: 0, lost_refs: 1 };
    Fact::IndexRun(index_run::Event::Completed { repository: RepositoryId(repository), counts })
}

impl Log {
    /// Appends the fact to its stream; its position.
    pub(crate) fn append(&mut self, stream: Uuid, fact: Fact) -> Position {
        let position = self.facts.len() as Position + 1;
        let metadata = Metadata {
            at: Timestamp::from_seconds(position),
            actor: match position % 4 {
                0 => Actor::Local,
                1 => Actor::server("index_on_discover"),
                2 => Actor::service("build"),
                _ => Actor::Token { id: TokenId(id(5, 1)), name: "ann".to_owned() },
            },
            source: Source::Api,
            request_id: (position % 2 == 0).then(|| id(7, position.unsigned_abs())),
            causation: (position > 1).then_some(Causation::Event(position - 1)),
            trace: None,
        };
        self.append_by(stream, fact, metadata)
    }

    /// Appends the fact with this metadata; its position.
    pub(crate) fn append_by(&mut self, stream: Uuid, fact: Fact, metadata: Metadata) -> Position {
        let position = self.facts.len() as Position + 1;
        let stream = StreamId::new(stream_type(&fact), stream);
        let sequence = self.sequences.entry(stream).or_default();
        *sequence += 1;
        self.facts.push(Recorded {
            position,
            stream,
            sequence: *sequence,
            recorded_at: metadata.at.plus_micros(1),
            event_id: EventId(id(8, position.unsigned_abs())),
            metadata,
            fact,
        });
        position
    }

    /// Appends what the command leads to, after all that its stream holds.
    fn decide<A: Aggregate>(
        &mut self,
        stream: Uuid,
        read: fn(&Fact) -> Option<&A::Event>,
        wrap: fn(A::Event) -> Fact,
        command: A::Command,
    ) {
        let mut state = A::default();
        let own = self.facts.iter().filter(|fact| fact.stream == StreamId::new(A::TYPE, stream));
        own.filter_map(|fact| read(&fact.fact)).for_each(|event| state.evolve(event));
        let at = Timestamp::from_seconds(self.facts.len() as i64 + 1);
        for event in state.decide(Stamped { command, at }).unwrap_or_default() {
            self.append(stream, wrap(event));
        }
    }

    /// Decides about the commit number `n` of a repository.
    pub(crate) fn link(&mut self, of: u64, n: u8, command: commit_link::Command) {
        self.decide::<commit_link::CommitLink>(
            commit_link::CommitLink::id(RepositoryId(id(2, of)), sha(n)),
            |fact| if let Fact::CommitLink(event) = fact { Some(event) } else { None },
            Fact::CommitLink,
            command,
        );
    }

    /// All facts.
    pub(crate) fn facts(&self) -> &[Recorded<Fact>] {
        &self.facts
    }

    /// The present number of a repository, whether it was forgotten or not.
    fn number(&self, repository: Uuid) -> Position {
        let is_number = |fact: &&Recorded<Fact>| match &fact.fact {
            Fact::Repository(repository::Event::Discovered { .. }) => fact.stream.id == repository,
            Fact::IndexRun(index_run::Event::Requested { repository: reset, cause: Cause::Reset }) => {
                reset.0 == repository
            }
            _ => false,
        };
        self.facts.iter().rev().find(is_number).map_or(0, |fact| fact.position)
    }
}

const fn stream_type(fact: &Fact) -> &'static str {
    match fact {
        Fact::Integration(_) => integration::Integration::TYPE,
        Fact::Repository(_) => repository::Repository::TYPE,
        Fact::IndexRun(_) => index_run::IndexRun::TYPE,
        Fact::IndexBatch(_) => batch::STREAM_TYPE,
        Fact::Access(_) => access::Access::TYPE,
        Fact::ProjectRules(_) => project_rules::ProjectRules::TYPE,
        Fact::CommitLink(_) => commit_link::CommitLink::TYPE,
        Fact::Person(_) => person::Person::TYPE,
    }
}

/// What may be done next, over a few things of each kind so that histories meet.
#[derive(Clone, Debug)]
enum Step {
    Integration(u64, integration::Command),
    Repository(u64, repository::Command),
    Run(u64, index_run::Command),
    Token(u64, access::Command),
    Forget(u64),
    /// Of a repository in a run: commits, under the present or a stale number.
    Commits(u64, u64, bool, Vec<(u8, usize)>),
    /// Of a repository in a run: refs with where they point, 0 for nowhere.
    Refs(u64, u64, Vec<(usize, u8)>),
    /// Of a repository in a run: commits that no ref leads to any more, or again.
    Stand(u64, u64, bool, Vec<u8>),
    Rules(project_rules::Command),
    /// Of a commit of a repository.
    Link(u64, u8, commit_link::Command),
    /// A fact so far is said again, whether its aggregate would or not.
    Again(usize),
}

const SUBJECTS: &[&str] = &["ALPHA-1 begin", "ALPHA-1 and BETA-2", "BETA-2 fix", "ALPHA-3", "no key", "UTF-8 BETA-2"];
const REFS: &[&str] = &[
    "refs/heads/ALPHA-1",
    "refs/heads/beta-2-and-alpha-1",
    "refs/heads/main",
    "refs/heads/é-BETA-2",
    "refs/tags/ALPHA-1",
];

const PROJECTS: &[&str] = &["ALPHA", "BETA", "UTF", "GAMMA"];
const DENIED: &[&str] = &["UTF", "BETA", "ALPHA-1", "SHA"];

/// A wish about the commit number `n` of a repository.
pub(crate) fn link(of: u64, n: u8, number: u64, wish: u8) -> commit_link::Command {
    let (repository, sha) = (RepositoryId(id(2, of)), sha(n));
    let issue = IssueKey { project: "ALPHA".into(), number: number + 1 };
    match wish {
        0 => {
            let Commit { author, authored_at, committed_at, subject, .. } = commit(n, "no key");
            let commit =
                LinkedCommit { author, authored_at, committed_at, subject, introduced_by: None, on_default: false };
            commit_link::Command::Link { repository, sha, issue, commit }
        }
        1 => commit_link::Command::Unlink { repository, sha, issue, named: true },
        _ => commit_link::Command::Restore { repository, sha, issue },
    }
}

fn steps() -> impl Strategy<Value = Step> {
    let integration = prop_oneof![
        (0..3_u64, 0..3_u64).prop_map(|(n, at)| integration::Command::Add {
            name: name(&format!("Service {n}")),
            connection: place(at)
        }),
        (0..3_u64).prop_map(|n| integration::Command::Rename { name: name(&format!("Renamed {n}")) }),
        (0..3_u64).prop_map(|at| integration::Command::ChangeConnection { connection: place(at) }),
        Just(integration::Command::Pause),
        Just(integration::Command::Resume),
        Just(integration::Command::Remove { mirrors: integration::MirrorsAfter::Deleted }),
    ];
    let repository = prop_oneof![
        3 => (0..3_u64, 0..3_u64).prop_map(|(of, n)| repository::Command::Discover {
            integration: IntegrationId(id(1, of)),
            name: DisplayText::clean(&format!("repository {n}")),
            location: place(n),
        }),
        1 => Just(repository::Command::Forget),
    ];
    let cause = prop_oneof![Just(Cause::Discovered), Just(Cause::Asked), Just(Cause::Reset)];
    let run = prop_oneof![
        3 => (0..3_u64, cause).prop_map(|(of, cause)| index_run::Command::Request { repository: RepositoryId(id(2, of)), cause }),
        2 => (1..9_i64).prop_map(|number| index_run::Command::Start { number }),
        2 => (0..50_u64).prop_map(|commits| index_run::Command::Complete {
            counts: Counts { commits, keyed: commits / 2, ..Counts::default() }
        }),
        1 => Just(index_run::Command::Fail { code: FailureCode::Denied, text: DisplayText::clean("may not read it") }),
        1 => Just(index_run::Command::Cancel),
    ];
    let token = prop_oneof![
        (1..9_i64).prop_map(|n| access::Command::IssueToken {
            name: DisplayText::clean("laptop"),
            role: Role::Auditor,
            scopes: (n % 2 == 0).then(|| Scopes::of([Scope::IssuesRead, Scope::EventsRead])).flatten(),
            expires_at: Timestamp::from_seconds(1000 + n),
            prefix: format!("kt_{n}"),
        }),
        Just(access::Command::RevokeToken),
    ];
    let rules = (prop::collection::btree_set(0..4_usize, 0..3), prop::collection::btree_set(0..4_usize, 0..3));
    let rules = rules.prop_map(|(known, denied)| project_rules::Command::Set {
        known: known.into_iter().map(|n| PROJECTS[n].parse().expect("a project")).collect(),
        denied: denied.into_iter().map(|n| DENIED[n].parse().expect("it can be denied")).collect(),
    });
    prop_oneof![
        2 => (0..3_u64, integration).prop_map(|(n, command)| Step::Integration(n, command)),
        3 => (0..3_u64, repository).prop_map(|(n, command)| Step::Repository(n, command)),
        4 => (0..5_u64, run).prop_map(|(n, command)| Step::Run(n, command)),
        1 => (0..2_u64, token).prop_map(|(n, command)| Step::Token(n, command)),
        1 => (0..3_u64).prop_map(Step::Forget),
        3 => (0..3_u64, 0..5_u64, any::<bool>(), prop::collection::vec((0..9_u8, 0..SUBJECTS.len()), 0..4))
            .prop_map(|(of, run, stale, commits)| Step::Commits(of, run, stale, commits)),
        4 => (0..3_u64, 0..5_u64, prop::collection::vec((0..REFS.len(), 0..4_u8), 0..4))
            .prop_map(|(of, run, refs)| Step::Refs(of, run, refs)),
        3 => (0..3_u64, 0..5_u64, any::<bool>(), prop::collection::vec(0..9_u8, 0..4))
            .prop_map(|(of, run, over, commits)| Step::Stand(of, run, over, commits)),
        1 => rules.prop_map(Step::Rules),
        2 => (0..3_u64, 0..9_u8, 0..2_u64, 0..3_u8).prop_map(|(of, n, number, wish)| Step::Link(of, n, link(of, n, number, wish))),
        1 => any::<prop::sample::Index>().prop_map(|index| Step::Again(index.index(1000))),
    ]
}

/// A random history of up to 60 steps.
pub(crate) fn histories() -> impl Strategy<Value = Log> {
    prop::collection::vec(steps(), 1..60).prop_map(|steps| {
        let mut log = Log::default();
        steps.into_iter().for_each(|step| log.take(step));
        log
    })
}

impl Log {
    fn take(&mut self, step: Step) {
        match step {
            Step::Integration(n, command) => self.decide::<integration::Integration>(
                id(1, n),
                |fact| if let Fact::Integration(event) = fact { Some(event) } else { None },
                Fact::Integration,
                command,
            ),
            Step::Repository(n, command) => self.decide::<repository::Repository>(
                id(2, n),
                |fact| if let Fact::Repository(event) = fact { Some(event) } else { None },
                Fact::Repository,
                command,
            ),
            Step::Run(n, command) => self.decide::<index_run::IndexRun>(
                id(3, n),
                |fact| if let Fact::IndexRun(event) = fact { Some(event) } else { None },
                Fact::IndexRun,
                command,
            ),
            Step::Token(n, command) => self.decide::<access::Access>(
                id(4, n),
                |fact| if let Fact::Access(event) = fact { Some(event) } else { None },
                Fact::Access,
                command,
            ),
            Step::Rules(command) => self.decide::<project_rules::ProjectRules>(
                project_rules::ProjectRules::ID,
                |fact| if let Fact::ProjectRules(event) = fact { Some(event) } else { None },
                Fact::ProjectRules,
                command,
            ),
            Step::Link(of, n, command) => self.link(of, n, command),
            Step::Forget(n) => self.decide::<person::Person>(
                id(9, n),
                |fact| if let Fact::Person(event) = fact { Some(event) } else { None },
                Fact::Person,
                person::Command::Forget,
            ),
            Step::Commits(of, run, stale, found) => {
                let repository = id(2, of);
                let number = if stale { 1 } else { self.number(repository) };
                let found = found.into_iter().map(|(n, subject)| commit(n, SUBJECTS[subject])).collect();
                self.append(id(3, run), commits(repository, number, self.facts.len() as u64, found));
            }
            Step::Refs(of, run, moved) => {
                let repository = id(2, of);
                let moved: Vec<_> = moved.iter().map(|(name, to)| (REFS[*name], (*to > 0).then(|| sha(*to)))).collect();
                let fact = refs(repository, self.number(repository), &moved);
                self.append(id(3, run), fact);
            }
            Step::Stand(of, run, over, commits) => {
                let repository = RepositoryId(id(2, of));
                let commits = commits.into_iter().map(sha).collect();
                let set = CommitSet { repository, number: self.number(repository.0), commits };
                let event = if over { batch::Event::CommitsSuperseded } else { batch::Event::CommitsRestored };
                self.append(id(3, run), Fact::IndexBatch(event(set)));
            }
            Step::Again(index) => {
                if let Some(fact) = self.facts.get(index % self.facts.len().max(1)).cloned() {
                    self.append(fact.stream.id, fact.fact);
                }
            }
        }
    }
}
