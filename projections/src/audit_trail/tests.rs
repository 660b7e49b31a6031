//! Sentences, and the rest of a row.

use std::collections::BTreeSet;

use keytrail_domain::{
    access::{self, Role, Scope, Scopes},
    access_settings::{self, Algorithm, KeyFingerprint, Services, TrustedKey},
    commit_link,
    display_text::DisplayText,
    host_key,
    id::{RepositoryId, SshKeyId, TokenId},
    index_run::{self, Cause, FailureCode},
    integration,
    metadata::{Actor, Causation, Metadata, Source},
    person, project_rules, pull_request,
    ref_selection::RefSelection,
    repository,
    service::{Connection, Reading},
    ssh_key,
    timestamp::Timestamp,
    trace_parent::TraceParent,
    web_links::{Preset, WebLinks},
};

use super::{summary::summary, *};
use crate::{
    fact_histories::{
        Log, commit, commits, completed, discovered, endpoint, id, key_name, name, place, public_key, refs, requested,
        sealed, sha,
    },
    fake_store::{FakeStore, check_columns, check_read},
};

#[test]
fn every_event_is_a_sentence() {
    let run = |event| Fact::IndexRun(event);
    let folder =
        |depth, refs| Connection::Folder { path: "/srv/git".to_owned(), depth, reading: Reading::InPlace, refs };
    let (tools, next, expiry) = (RepositoryId(id(2, 1)), SshKeyId(id(6, 2)), Timestamp::from_seconds(0));
    let text = DisplayText::clean("the folder may not be read");
    let heads = [("refs/heads/a", Some(sha(1))), ("refs/heads/b", None)];
    let key = |kid: Option<&str>, algorithm, byte| TrustedKey {
        kid: kid.map(DisplayText::clean),
        algorithm,
        fingerprint: KeyFingerprint([byte; 32]),
    };
    let services = Services {
        issuer: DisplayText::clean("https://issuer.example"),
        audience: DisplayText::clean("keytrail"),
        role_claim: DisplayText::clean("role"),
        roles: [(DisplayText::clean("ops"), Role::Admin)].into(),
        leeway_seconds: 60,
        keys: [key(None, Algorithm::Hs256, 1), key(Some("2026"), Algorithm::Rs256, 2)].into(),
    };
    let many = (0..=255).map(|n| commit(n, "KEY-1")).collect();
    for (fact, sentence) in [
        (
            Fact::Integration(integration::Event::Added { name: name("Office"), connection: place(1) }),
            "added the integration Office, connected to path /srv/git/1",
        ),
        (
            Fact::Integration(integration::Event::Renamed { name: name("New"), previous: name("Old") }),
            "renamed the integration Old to New",
        ),
        (
            Fact::Integration(integration::Event::ConnectionChanged { connection: place(2), previous: place(1) }),
            "connected the integration to path /srv/git/2 instead of path /srv/git/1",
        ),
        (
            Fact::Integration(integration::Event::ConnectionChanged {
                connection: folder(2, RefSelection::new(true, false, Vec::new()).expect("no patterns")),
                previous: folder(1, RefSelection::default()),
            }),
            "connected the integration to folder /srv/git in another way: 2 folders deep instead of 1, with branches and \
             tags and notes instead of branches and tags",
        ),
        (Fact::Integration(integration::Event::Paused {}), "paused the integration"),
        (Fact::Integration(integration::Event::Resumed {}), "resumed the integration"),
        (
            Fact::Integration(integration::Event::Removed {
                name: name("Office"),
                connection: place(1),
                mirrors: integration::MirrorsAfter::Deleted,
                secrets: integration::SecretsAfter::Forgotten,
            }),
            "removed the integration Office, connected to path /srv/git/1",
        ),
        (discovered(id(1, 1), "tools", place(1)), "discovered the repository tools at path /srv/git/1"),
        (Fact::Repository(repository::Event::Forgotten {}), "forgot the repository"),
        (
            requested(id(2, 1), Cause::Discovered),
            "asked for the first index of repository 00000000-0000-0002-0000-000000000001",
        ),
        (requested(id(2, 1), Cause::Asked), "asked for an index of repository 00000000-0000-0002-0000-000000000001"),
        (
            requested(id(2, 1), Cause::Reset),
            "reset the index of repository 00000000-0000-0002-0000-000000000001 and asked for a new one",
        ),
        (run(index_run::Event::Started { number: 7 }), "started to index repository number 7"),
        (
            completed(id(2, 1), 1_234_567),
            "completed the index run: 1,234,567 commits looked at, 617,283 with issue keys, 1 ref moved",
        ),
        (
            run(index_run::Event::Failed { repository: tools, code: FailureCode::Denied, text }),
            "could not finish the index run: the folder may not be read",
        ),
        (run(index_run::Event::Cancelled { repository: tools }), "cancelled the index run"),
        (commits(id(2, 1), 1, 10_000, many), "recorded 256 commits with issue keys, 10,000 looked at so far"),
        (refs(id(2, 1), 1, &heads), "recorded 1 ref that is new or moved, 1 gone"),
        (
            Fact::Access(access::Event::TokenIssued {
                name: DisplayText::clean("laptop"),
                role: Role::Admin,
                scopes: None,
                expires_at: expiry,
                prefix: "kt_abc".to_owned(),
            }),
            "issued the token laptop with the role admin, valid until 1970-01-01T00:00:00.000000Z",
        ),
        (
            Fact::Access(access::Event::TokenIssued {
                name: DisplayText::clean("report"),
                role: Role::Auditor,
                scopes: Scopes::of([Scope::EventsRead, Scope::IssuesRead]),
                expires_at: expiry,
                prefix: "kt_abc".to_owned(),
            }),
            "issued the token report with the role auditor for issues:read events:read only, valid until \
             1970-01-01T00:00:00.000000Z",
        ),
        (Fact::Access(access::Event::TokenRevoked {}), "revoked the token"),
        (
            Fact::ProjectRules(project_rules::Event::Changed {
                known: ["SHOP".parse().expect("a project")].into(),
                no_longer_known: BTreeSet::new(),
                denied: ["SHOP-404".parse().expect("an issue")].into(),
                no_longer_denied: (1..=12).map(|n| format!("P{n:02}").parse().expect("a project")).collect(),
            }),
            "changed which projects count: known are SHOP; denied are SHOP-404; \
             denied no more are P01, P02, P03, P04, P05, P06, P07, P08, P09, P10 and 2 more",
        ),
        (
            Fact::CommitLink(commit_link::Event::Unlinked {
                repository: tools,
                sha: sha(1),
                issue: "SHOP-1".parse().expect("a key"),
            }),
            "unlinked the commit 0101010101010101010101010101010101010101 of repository \
             00000000-0000-0002-0000-000000000001 from SHOP-1",
        ),
        (Fact::Person(person::Event::Forgotten {}), "forgot who a person is"),
        (
            Fact::Integration(integration::Event::ReindexRequested {}),
            "asked for an index of each repository of the integration",
        ),
        (
            Fact::Integration(integration::Event::WebLinksSet {
                web_links: WebLinks::Preset { preset: Preset::AzureDevops },
            }),
            "gave the commits, files and refs of the integration links as azure_devops has them",
        ),
        (
            Fact::Integration(integration::Event::ResetRequested {}),
            "asked for a reset of each repository of the integration",
        ),
        (
            Fact::Integration(integration::Event::IndexingCancelled { asked: 17 }),
            "cancelled what was asked of each repository of the integration by event 17",
        ),
        (
            Fact::AccessSettings(access_settings::Event::Changed { services: None }),
            "let no service come in with a signed token any more",
        ),
        (
            Fact::AccessSettings(access_settings::Event::Changed { services: Some(services) }),
            "let services come in with tokens of https://issuer.example for keytrail, signed with the HS256 key \
             without a name (0101010101010101), the RS256 key \"2026\" (0202020202020202)",
        ),
        (
            Fact::PullRequest(pull_request::Event::Deleted { repository: tools, number: 7 }),
            "learned that the pull request 7 of repository 00000000-0000-0002-0000-000000000001 was deleted",
        ),
        (
            Fact::SshKey(ssh_key::Event::Added {
                name: key_name("Deploy"),
                public: public_key(1),
                intake: ssh_key::Intake {
                    origin: ssh_key::Origin::Pasted,
                    format: ssh_key::Format::Pkcs1,
                    had_passphrase: true,
                },
                common: true,
                secret: sealed(1),
            }),
            "added the SSH key Deploy, Ed25519 with 256 bits in PEM (PKCS#1): SHA256:1",
        ),
        (
            Fact::SshKey(ssh_key::Event::Generated {
                name: key_name("Deploy"),
                public: public_key(1),
                rsa_because: Some(ssh_key::RsaReason::AwsCodecommit),
                common: false,
                secret: sealed(1),
            }),
            "generated the SSH key Deploy, Ed25519 with 256 bits, as AWS CodeCommit takes RSA only: SHA256:1; it is \
             not common",
        ),
        (
            Fact::SshKey(ssh_key::Event::Registered {
                name: key_name("Deploy"),
                public: public_key(1),
                format: ssh_key::Format::OpenSsh,
                common: false,
                path: DisplayText::clean("/srv/keys/deploy"),
            }),
            "registered the SSH key Deploy, Ed25519 with 256 bits, in the file /srv/keys/deploy: SHA256:1; it is not \
             common",
        ),
        (
            Fact::SshKey(ssh_key::Event::Renamed { name: key_name("Build"), previous: key_name("Deploy") }),
            "renamed the SSH key Deploy to Build",
        ),
        (
            Fact::SshKey(ssh_key::Event::Shared { common: true }),
            "made the SSH key common: it is offered where no key was chosen",
        ),
        (
            Fact::SshKey(ssh_key::Event::Shared { common: false }),
            "made the SSH key one that is not common: it is offered only where it was chosen",
        ),
        (
            Fact::SshKey(ssh_key::Event::Associated { repositories: vec![tools] }),
            "associated the SSH key with repository 00000000-0000-0002-0000-000000000001: no other is offered there",
        ),
        (
            Fact::SshKey(ssh_key::Event::Dissociated { repositories: vec![tools; 1200] }),
            "took the SSH key from 1,200 repositories",
        ),
        (
            Fact::SshKey(ssh_key::Event::RotationBegun { to: next }),
            "asked for SSH key 00000000-0000-0006-0000-000000000002 in the place of this one, where all repositories take it",
        ),
        (
            Fact::SshKey(ssh_key::Event::RotationRefused { to: next, not_taken: Vec::new(), others: 1100 }),
            "left the SSH key where it is: 1,100 of its repositories did not take SSH key \
             00000000-0000-0006-0000-000000000002",
        ),
        (Fact::SshKey(ssh_key::Event::RotationCancelled {}), "stopped trying another SSH key in the place of this one"),
        (
            Fact::SshKey(ssh_key::Event::RotationAccepted { to: next, repositories: Vec::new() }),
            "offers SSH key 00000000-0000-0006-0000-000000000002 from now on wherever this one was offered",
        ),
        (
            Fact::SshKey(ssh_key::Event::Rotated {
                to: next,
                name: key_name("Build"),
                sha256: "SHA256:1".to_owned(),
                repositories: Vec::new(),
            }),
            "put SSH key 00000000-0000-0006-0000-000000000002 in the place of Build and forgot the private half of that: \
             SHA256:1",
        ),
        (
            Fact::SshKey(ssh_key::Event::Retired { name: key_name("Build"), sha256: "SHA256:1".to_owned() }),
            "retired the SSH key Build, with which nothing is read any more: SHA256:1",
        ),
    ] {
        assert_eq!(summary(&fact), sentence);
    }
}

#[test]
fn every_event_of_a_host_key_is_a_sentence_with_the_fingerprints() {
    use host_key::Event::{ChangeAccepted, ChangeRefused, Changed, Revoked, Seen, Trusted};
    let at = || endpoint(1);
    let (one, other) = (crate::fact_histories::host_key("ssh-rsa", 1), crate::fact_histories::host_key("ssh-rsa", 2));
    let (old, new) = (format!("ssh-rsa {}", one.sha256()), format!("ssh-rsa {}", other.sha256()));
    let (one, other) = (|| vec![one.clone()], || vec![other.clone()]);
    for (event, sentence) in [
        (Seen { at: at(), keys: one() }, format!("met the SSH server host1:22, which shows {old}")),
        (
            Trusted { at: at(), keys: one(), how: host_key::How::KnownHosts },
            format!("trusted {old} of the SSH server host1:22, by a known_hosts file"),
        ),
        (
            Changed { at: at(), expected: one(), offered: other(), proved: false },
            format!("stopped before the SSH server host1:22, which showed {new} instead of {old}"),
        ),
        (
            ChangeAccepted { at: at(), keys: other(), replaced: one() },
            format!("accepted {new} of the SSH server host1:22 instead of {old}"),
        ),
        (
            ChangeAccepted { at: at(), keys: other(), replaced: Vec::new() },
            format!("accepted {new} of the SSH server host1:22"),
        ),
        (ChangeRefused { at: at(), keys: other() }, format!("refused {new} of the SSH server host1:22")),
        (Revoked { at: at(), keys: one() }, format!("forgot the SSH server host1:22 and trusts no more {old}")),
        (Revoked { at: at(), keys: Vec::new() }, "forgot what the SSH server host1:22 showed".to_owned()),
    ] {
        assert_eq!(summary(&Fact::HostKey(event)), sentence);
    }
}

#[test]
fn a_row_tells_who_when_and_why() {
    let mut log = Log::default();
    let metadata = Metadata {
        at: Timestamp::from_seconds(50),
        actor: Actor::Token { id: TokenId(id(5, 1)), name: "ann".to_owned() },
        source: Source::Console,
        request_id: Some(id(7, 1)),
        causation: Some(Causation::Event(17)),
        trace: TraceParent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    };
    log.append_by(id(1, 1), Fact::Integration(integration::Event::Paused {}), metadata);
    let rows: Vec<_> = FakeStore::folded(&AuditTrail, log.facts(), 1).stored(&ENTRIES).cloned().collect();
    let reader = page(&AuditFilter::default(), Order::OldestFirst, 1).row;
    let expected = AuditEntry {
        position: 1,
        recorded_at: Timestamp(50_000_001),
        at: Timestamp(50_000_000),
        actor_kind: "token".to_owned(),
        actor_name: "ann".to_owned(),
        actor_id: Some(TokenId(id(5, 1))),
        source: Source::Console,
        stream_type: "integration".to_owned(),
        stream_id: id(1, 1),
        sequence: 1,
        event_type: "integration.paused".to_owned(),
        summary: "paused the integration".to_owned(),
        causation: Some("event 17".to_owned()),
        request_id: Some(id(7, 1)),
        trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
    };
    assert_eq!(reader(&mut crate::value::Cells::of(&rows[0])), Ok(expected));
}

#[test]
fn reads_fit_their_table() {
    let all = AuditFilter::default();
    let full = AuditFilter {
        stream: Some(id(1, 1)),
        event_type: Some(EventType::StartingWith("integration.".to_owned())),
        actor_name: Some("ann".to_owned()),
        after: Some(3),
        until: Some(9),
    };
    let typed = AuditFilter { event_type: Some(EventType::Exactly("x.y".to_owned())), ..all.clone() };
    let by = AuditFilter { actor_name: Some("ann".to_owned()), ..all.clone() };
    for filter in [all, full, typed, by] {
        for order in [Order::OldestFirst, Order::NewestFirst] {
            let read = page(&filter, order, 10);
            check_read(&read);
            check_columns(&read, &ENTRIES, "");
        }
    }
}
