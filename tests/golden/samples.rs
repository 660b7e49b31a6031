//! One example of every event that this build writes, from which a missing golden file is made. A file that is there is
//! never made again, so an example may change.

use keytrail_domain::{
    access::{self, Role, Scope, Scopes},
    access_settings::{self, KeyFingerprint, Services, TrustedKey},
    commit_link::{self, LinkedCommit},
    display_text::DisplayText,
    fact::Fact,
    host_key::{self, Endpoint, HostPublicKey},
    id::{IntegrationId, RepositoryId, SshKeyId, TokenId},
    index_run::{
        self, Cause, Counts, FailureCode,
        batch::{self, Commit, CommitBatch, CommitSet, CommitSha, Cursor, Places, RefBatch, RefMove},
    },
    integration::{self, IntegrationName, MirrorsAfter},
    issue_key::IssueKey,
    metadata::{Actor, Causation, Metadata, Source},
    person::{self, PersonId},
    project_rules,
    pull_request::{self, Places as PullPlaces, Review, Snapshot, State, Verdict},
    repository,
    secret_ref::SecretRef,
    service::Connection,
    ssh_key::{self, SshKeyName},
    timestamp::Timestamp,
    web_links::{Preset, WebLinks},
};
use uuid::Uuid;

use crate::installations;

const REPOSITORY: RepositoryId = RepositoryId(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0002));

fn text(text: &str) -> DisplayText {
    DisplayText::clean(text)
}

fn name(name: &str) -> IntegrationName {
    IntegrationName::parse(name).expect("a good name")
}

fn place(path: &str) -> Connection {
    Connection::path(path)
}

fn integration_events() -> Vec<integration::Event> {
    use integration::Event::{
        Added, ConnectionChanged, IndexingCancelled, Paused, ReindexRequested, Removed, Renamed, ResetRequested,
        Resumed, WebLinksSet,
    };
    vec![
        Added { name: name("Kafka \"main\" é 漢"), connection: place("/srv/git/kafka.git") },
        Renamed { name: name("Kafka"), previous: name("Kafka \"main\" é 漢") },
        ConnectionChanged { connection: place("/srv/git/kafka"), previous: place("/srv/git/kafka.git") },
        WebLinksSet { web_links: WebLinks::Preset { preset: Preset::BitbucketDataCenter } },
        Paused {},
        Resumed {},
        ReindexRequested {},
        ResetRequested {},
        IndexingCancelled { asked: 17 },
        Removed {
            name: name("Kafka"),
            connection: place("/srv/git/kafka"),
            mirrors: MirrorsAfter::Deleted,
            secrets: Default::default(),
        },
    ]
}

fn repository_events() -> Vec<repository::Event> {
    use repository::Event::{Archived, Discovered, Forgotten, Moved, Reachable, Refused, Unarchived, Unreachable};
    let integration = IntegrationId(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001));
    vec![
        Discovered { integration, name: text("kafka"), location: place("/srv/git/kafka.git") },
        Moved { name: text("apache/streams"), location: place("/srv/git/streams.git") },
        Refused {
            integration,
            name: text("streams"),
            location: place("/srv/git/streams.git"),
            code: FailureCode::Shallow,
            text: text("/srv/git/streams.git is a shallow clone"),
        },
        Forgotten {},
        Unreachable { code: FailureCode::Denied, text: text("/srv/git/kafka.git may not be read") },
        Reachable {},
        Archived {},
        Unarchived {},
    ]
}

fn index_run_events() -> Vec<index_run::Event> {
    use index_run::Event::{Cancelled, Completed, Failed, Requested, Started};
    vec![
        Requested { repository: REPOSITORY, cause: Cause::Discovered },
        Started { number: 2 },
        Completed {
            repository: REPOSITORY,
            counts: Counts { commits: 17_482, keyed: 14_021, keys: 14_566, refs: 402, bounded: 1, lost_refs: 0 },
        },
        Failed {
            repository: REPOSITORY,
            code: FailureCode::NotARepository,
            text: text("/srv/git/kafka.git is not a git repository"),
        },
        Cancelled { repository: REPOSITORY },
    ]
}

fn key(project: &str, number: u64) -> IssueKey {
    IssueKey { project: project.into(), number }
}

fn commits() -> CommitBatch {
    let person = |id: u128| PersonId(Uuid::from_u128(0xab00_0000_0000_8000_8000_0000_0000_0000 + id));
    let commit = |sha, author, authored_at, committed_at, subject, keys| Commit {
        sha: CommitSha([sha; 20]),
        author: person(author),
        authored_at,
        committed_at,
        subject: text(subject),
        introduced_by: "refs/heads/trunk".into(),
        keys,
    };
    CommitBatch {
        repository: REPOSITORY,
        number: 2,
        extractor: 1,
        cursor: Cursor { generation: 4, sha: CommitSha([0x44; 20]) },
        walked: 4,
        default_branch: Some("refs/heads/trunk".into()),
        commits: vec![
            commit(0x11, 1, 1_700_000_000, 1_700_000_000, "KAFKA-1: begin", vec![(key("KAFKA", 1), Places::SUBJECT)]),
            commit(0x22, 2, -1, 1_700_000_060, "Wörter \"漢\" \\", vec![(key("KAFKA", 2), Places::BODY)]),
            commit(
                0x33,
                1,
                1_699_999_000,
                1_700_000_030,
                "KAFKA-1 and A_B-18",
                vec![
                    (key("KAFKA", 1), Places::SUBJECT.and(Places::BODY)),
                    (key("A_B", 999_999_999_999_999_999), Places::SUBJECT),
                ],
            ),
        ],
    }
}

fn refs() -> RefBatch {
    let moved = |name, from: Option<u8>, to: Option<u8>, keys| RefMove {
        name: text(name),
        from: from.map(|byte| CommitSha([byte; 20])),
        to: to.map(|byte| CommitSha([byte; 20])),
        keys,
    };
    RefBatch {
        repository: REPOSITORY,
        number: 2,
        extractor: 1,
        refs: vec![
            moved("refs/heads/feature/kafka-1-è", None, Some(0x11), vec![key("KAFKA", 1)]),
            moved("refs/heads/feature/kafka-1-é", Some(0x11), None, vec![key("KAFKA", 1)]),
            moved("refs/heads/trunk", Some(0x22), Some(0x33), Vec::new()),
        ],
    }
}

fn access_events() -> Vec<access::Event> {
    use access::Event::{TokenIssued, TokenRevoked};
    let expires_at = Timestamp::from_seconds(1_800_000_000);
    vec![
        TokenIssued {
            name: text("nightly report"),
            role: Role::Auditor,
            scopes: Scopes::of([Scope::IssuesRead, Scope::EventsRead]),
            expires_at,
            prefix: "kt_3fA9".into(),
        },
        TokenRevoked {},
    ]
}

fn project_rules_events() -> Vec<project_rules::Event> {
    let projects = |keys: &[&str]| keys.iter().map(|key| key.parse().expect("a project")).collect();
    let entries = |keys: &[&str]| keys.iter().map(|key| key.parse().expect("it can be denied")).collect();
    vec![project_rules::Event::Changed {
        known: projects(&["KAFKA", "A_B"]),
        no_longer_known: projects(&["SHOP"]),
        denied: entries(&["HTTP", "KAFKA-404"]),
        no_longer_denied: entries(&["UTF"]),
    }]
}

fn commit_link_events() -> Vec<commit_link::Event> {
    use commit_link::Event::{Linked, Restored, Unlinked};
    let sha = CommitSha([0x11; 20]);
    let commit = LinkedCommit {
        author: PersonId(Uuid::from_u128(0xab00_0000_0000_8000_8000_0000_0000_0001)),
        authored_at: -1,
        committed_at: 1_700_000_000,
        subject: text("Wörter \"漢\" \\"),
        introduced_by: Some("refs/heads/trunk".into()),
        on_default: true,
    };
    vec![
        Linked { repository: REPOSITORY, sha, issue: key("A_B", 999_999_999_999_999_999), commit },
        Unlinked { repository: REPOSITORY, sha, issue: key("KAFKA", 1) },
        Restored { repository: REPOSITORY, sha, issue: key("KAFKA", 1) },
    ]
}

fn pull_request_events() -> Vec<pull_request::Event> {
    use pull_request::Event::{Deleted, Recorded, Reviewed};
    let person = |id: u128| PersonId(Uuid::from_u128(0xab00_0000_0000_8000_8000_0000_0000_0000 + id));
    let at = |seconds: i64| Timestamp::from_seconds(1_700_000_000 + seconds);
    let latest = Snapshot {
        updated_at: at(60),
        state: State::Merged,
        draft: false,
        title: text("KAFKA-1: Wörter \"漢\" \\"),
        source: text("feature/kafka-1-é"),
        target: text("trunk"),
        author: Some(person(1)),
        created_at: at(0),
        merged_at: Some(at(60)),
        closed_at: Some(at(60)),
        extractor: 1,
        keys: [(key("KAFKA", 1), PullPlaces(5)), (key("A_B", 999_999_999_999_999_999), PullPlaces::BODY)].into(),
    };
    let review = |id: u64, reviewer, verdict| Review { id, reviewer, verdict, at: at(30) };
    let reviews = vec![
        review(1, Some(person(2)), Verdict::Approved),
        review(2, None, Verdict::Commented),
        review(3, Some(person(2)), Verdict::ChangesRequested),
        review(u64::MAX, Some(person(1)), Verdict::Dismissed),
    ];
    let (repository, number) = (REPOSITORY, 7);
    let named_no_more = [key("KAFKA", 2)].into();
    vec![
        Recorded { repository, number, latest: Box::new(latest), named_no_more },
        Reviewed { repository, number, reviews },
        Deleted { repository, number },
    ]
}

/// Every kind of actor, door and cause, one after the other.
fn metadata(row: usize) -> Metadata {
    let id = |id: u128| Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + id);
    let actors = [
        Actor::Token { id: TokenId(id(3)), name: "nightly \"report\"".into() },
        Actor::Local,
        Actor::server("index_on_discover"),
        Actor::service("build"),
    ];
    let sources = [Source::Api, Source::Cli, Source::Job, Source::Console, Source::Webhook, Source::Import];
    let causes = [None, Some(Causation::Event(41)), Some(Causation::Delivery(id(4)))];
    Metadata {
        at: Timestamp(1_700_000_000_123_456),
        actor: actors[row % actors.len()].clone(),
        source: sources[row % sources.len()],
        request_id: row.is_multiple_of(2).then(|| id(5)),
        causation: causes[row % causes.len()],
        trace: None,
    }
}

fn access_settings() -> access_settings::Event {
    let key = |kid: Option<&str>, algorithm, byte| TrustedKey {
        kid: kid.map(text),
        algorithm,
        fingerprint: KeyFingerprint([byte; 32]),
    };
    let services = Services {
        issuer: text("https://issuer.example"),
        audience: text("keytrail"),
        role_claim: text("role"),
        roles: [(text("developers"), Role::Viewer), (text("platform-admins"), Role::Admin)].into(),
        leeway_seconds: 60,
        keys: [
            key(None, access_settings::Algorithm::Hs256, 1),
            key(Some("2026"), access_settings::Algorithm::Rs256, 2),
            key(Some("e"), access_settings::Algorithm::Es256, 0xab),
        ]
        .into(),
    };
    access_settings::Event::Changed { services: Some(services) }
}

fn ssh_key_events() -> Vec<ssh_key::Event> {
    use ssh_key::Event::{
        Added, Associated, Dissociated, Generated, Registered, Renamed, Retired, Rotated, RotationAccepted,
        RotationBegun, RotationCancelled, RotationRefused, Shared,
    };
    let name = |name: &str| SshKeyName::parse(name).expect("a good name");
    let secret = |n: u128| SecretRef(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0100 + n));
    let ed25519 = ssh_key::PublicKey {
        algorithm: ssh_key::Algorithm::Ed25519,
        bits: 256,
        comment: text("ann@laptop"),
        sha256: "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8".to_owned(),
        md5: "MD5:65:96:2d:fc:e8:d5:a9:11:64:0c:0f:ea:00:6e:5b:bd".to_owned(),
        blob: "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl".to_owned(),
    };
    let to = SshKeyId(secret(4).0);
    let rsa = ssh_key::PublicKey { algorithm: ssh_key::Algorithm::Rsa, bits: 4096, ..ed25519.clone() };
    let intake =
        ssh_key::Intake { origin: ssh_key::Origin::Pasted, format: ssh_key::Format::PpkV3, had_passphrase: true };
    vec![
        Added { name: name("Deploy é 漢"), public: ed25519.clone(), intake, common: true, secret: secret(1) },
        Generated {
            name: name("Azure"),
            public: rsa,
            rsa_because: Some(ssh_key::RsaReason::AzureDevops),
            common: true,
            secret: secret(2),
        },
        Registered {
            name: name("Mirror"),
            public: ed25519.clone(),
            format: ssh_key::Format::OpenSsh,
            common: true,
            path: text("/home/keytrail/.ssh/id_ed25519"),
        },
        Renamed { name: name("Deploy"), previous: name("Deploy é 漢") },
        Shared { common: false },
        Associated { repositories: vec![REPOSITORY, RepositoryId(secret(3).0)] },
        Dissociated { repositories: vec![REPOSITORY] },
        RotationBegun { to },
        RotationRefused {
            to,
            not_taken: vec![ssh_key::NotTaken {
                repository: REPOSITORY,
                name: text("shop é 漢"),
                code: FailureCode::SshAuthFailed,
                text: text("the host takes none of the keys"),
            }],
            others: 2,
        },
        RotationCancelled {},
        RotationAccepted { to, repositories: vec![REPOSITORY] },
        Rotated { to, name: name("Deploy"), sha256: ed25519.sha256.clone(), repositories: vec![REPOSITORY] },
        Retired { name: name("Deploy"), sha256: ed25519.sha256 },
    ]
}

fn host_key_events() -> Vec<host_key::Event> {
    use host_key::Event::{ChangeAccepted, ChangeRefused, Changed, Revoked, Seen, Trusted};
    let at = || Endpoint { host: Endpoint::host_of("git.example.com").expect("a host"), port: 2222 };
    let key = |base64| HostPublicKey::read("ssh-ed25519", base64).expect("a key");
    let one = || vec![key("AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB")];
    let other = || vec![key("AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC")];
    vec![
        Seen { at: at(), keys: one() },
        Trusted { at: at(), keys: one(), how: host_key::How::KnownHosts },
        Changed { at: at(), expected: one(), offered: other(), proved: true },
        ChangeAccepted { at: at(), keys: other(), replaced: one() },
        ChangeRefused { at: at(), keys: other() },
        Revoked { at: at(), keys: one() },
    ]
}

/// The examples.
pub(crate) fn samples() -> Vec<(Fact, Metadata)> {
    let set =
        |sha| CommitSet { repository: REPOSITORY, number: 2, commits: vec![CommitSha([sha; 20]), CommitSha([7; 20])] };
    let batches = [
        batch::Event::RefsMoved(refs()),
        batch::Event::CommitsRecorded(commits()),
        batch::Event::CommitsSuperseded(set(1)),
        batch::Event::CommitsRestored(set(2)),
    ];
    let facts = integration_events().into_iter().map(Fact::Integration);
    let facts = facts.chain(repository_events().into_iter().map(Fact::Repository));
    let facts = facts.chain(index_run_events().into_iter().map(Fact::IndexRun));
    let facts = facts.chain(batches.into_iter().map(Fact::IndexBatch));
    let facts = facts.chain(access_events().into_iter().map(Fact::Access));
    let facts = facts.chain(project_rules_events().into_iter().map(Fact::ProjectRules));
    let facts = facts.chain(commit_link_events().into_iter().map(Fact::CommitLink));
    let facts = facts.chain(installations::events().into_iter().map(Fact::Installation));
    let facts = facts.chain([Fact::Person(person::Event::Forgotten {})]);
    let facts = facts.chain([Fact::AccessSettings(access_settings())]);
    let facts = facts.chain(pull_request_events().into_iter().map(Fact::PullRequest));
    let facts = facts.chain(ssh_key_events().into_iter().map(Fact::SshKey));
    let facts = facts.chain(host_key_events().into_iter().map(Fact::HostKey));
    facts.enumerate().map(|(row, fact)| (fact, metadata(row))).collect()
}
