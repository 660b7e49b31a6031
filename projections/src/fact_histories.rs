//! Histories for tests: hand-made ones, and random ones that the aggregates themselves allow, with some facts that they
//! would not.

mod steps;

use std::{collections::HashMap, sync::Arc};

use keytrail_domain::{
    access::{self, Role, Scope, Scopes},
    access_settings,
    aggregate::Aggregate,
    commit_link::{self, LinkedCommit},
    display_text::DisplayText,
    fact::Fact,
    host_key::{self, Endpoint, HostPublicKey},
    id::{EventId, IntegrationId, RepositoryId, TokenId},
    index_run::{
        self, Cause, Counts, FailureCode,
        batch::{self, Commit, CommitBatch, CommitSet, CommitSha, Cursor, Places, RefBatch, RefMove},
    },
    installation,
    integration::{self, IntegrationName},
    issue_key::{IssueKey, Letters, scan},
    metadata::{Actor, Causation, Metadata, Source},
    person::{self, PersonId},
    project_rules,
    pull_request::{self, How, Review, Snapshot, Verdict, named_by},
    recorded::{Position, Recorded, StreamId},
    repository,
    secret_ref::SecretRef,
    service::Connection,
    ssh_key::{self, Algorithm as KeyAlgorithm, PublicKey, SshKeyName},
    stamped::Stamped,
    timestamp::Timestamp,
};
use proptest::prelude::*;
use uuid::Uuid;

pub(crate) use self::steps::histories;

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

    /// Tells of the pull request number `n` of a repository.
    pub(crate) fn pull(&mut self, of: u64, n: u64, command: pull_request::Command) {
        self.decide::<pull_request::PullRequest>(
            pull_request::PullRequest::id(RepositoryId(id(2, of)), n),
            |fact| if let Fact::PullRequest(event) = fact { Some(event) } else { None },
            Fact::PullRequest,
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
        Fact::Installation(_) => installation::Installation::TYPE,
        Fact::AccessSettings(_) => access_settings::AccessSettings::TYPE,
        Fact::PullRequest(_) => pull_request::PullRequest::TYPE,
        Fact::SshKey(_) => ssh_key::SshKey::TYPE,
        Fact::HostKey(_) => host_key::HostKeys::TYPE,
    }
}

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

/// A name of a key.
pub(crate) fn key_name(text: &str) -> SshKeyName {
    SshKeyName::parse(text).expect("a name")
}

/// What may be seen of the key number `n`.
pub(crate) fn public_key(n: u64) -> PublicKey {
    PublicKey {
        algorithm: KeyAlgorithm::Ed25519,
        bits: 256,
        comment: DisplayText::clean("keytrail"),
        sha256: format!("SHA256:{n}"),
        md5: format!("MD5:{n}"),
        blob: format!("AAAA{n}"),
    }
}

/// The SSH server number `n`.
pub(crate) fn endpoint(n: u64) -> Endpoint {
    Endpoint { host: Endpoint::host_of(&format!("host{n}")).expect("a host"), port: 22 }
}

/// The host key number `n` of this kind.
pub(crate) fn host_key(kind: &str, n: u8) -> HostPublicKey {
    let blob = [&(kind.len() as u32).to_be_bytes()[..], kind.as_bytes(), &[0, 0, 0, 1, n]].concat();
    HostPublicKey { algorithm: kind.to_owned(), blob }
}

/// Where the private half of the key number `n` is sealed.
pub(crate) fn sealed(n: u64) -> SecretRef {
    SecretRef(id(8, 1000 + n))
}

/// What is told of the pull request number `number` of a repository.
pub(crate) fn pull(of: u64, number: u64, title: &str, second: i64, wish: u8) -> pull_request::Command {
    let repository = RepositoryId(id(2, of));
    if wish == 3 {
        return pull_request::Command::Delete { repository, number };
    }
    let at = Timestamp::from_seconds(second);
    let state = if second == 3 { pull_request::State::Merged } else { pull_request::State::Open };
    let snapshot = Snapshot {
        updated_at: at,
        state,
        draft: second == 0,
        title: DisplayText::clean(title),
        source: DisplayText::clean("topic"),
        target: DisplayText::clean("main"),
        author: Some(PersonId(id(9, number))),
        created_at: Timestamp::from_seconds(0),
        merged_at: (second == 3).then_some(at),
        closed_at: (second == 3).then_some(at),
        extractor: 1,
        keys: named_by(title, "", "topic"),
    };
    let verdict = if wish == 1 { Verdict::Approved } else { Verdict::Dismissed };
    let review = Review { id: 1, reviewer: Some(PersonId(id(9, 2))), verdict, at };
    let reviews = if wish == 0 { Vec::new() } else { vec![review] };
    let how = if wish == 2 { How::Read } else { How::Heard };
    pull_request::Command::Record { repository, number, snapshot: Box::new(snapshot), reviews, how }
}
