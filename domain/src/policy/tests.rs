//! Which fact leads to which intent, for every policy and every kind of fact.

use std::collections::{BTreeSet, HashSet};

use uuid::Uuid;

use super::{Intent, POLICIES};
use crate::{
    access::{self, Role},
    access_settings,
    commit_link::{self, LinkedCommit},
    display_text::DisplayText,
    fact::Fact,
    github::{GithubConnection, GithubHost, Login},
    host_key,
    id::{EventId, IndexRunId, IntegrationId, RepositoryId, SshKeyId},
    index_run::{
        self, Cause, Counts, FailureCode,
        batch::{self, CommitSet, CommitSha, RefBatch},
    },
    installation,
    integration::{self, IntegrationName, MirrorsAfter},
    issue_key::IssueKey,
    metadata::{Actor, Metadata, Source},
    person::{self, PersonId},
    project_rules, pull_request,
    recorded::{Recorded, StreamId},
    repository,
    service::Connection,
    ssh_key,
    timestamp::Timestamp,
};

const ID: Uuid = Uuid::from_u128(7);
const REPOSITORY: RepositoryId = RepositoryId(Uuid::from_u128(8));

fn recorded(fact: Fact) -> Recorded<Fact> {
    let at = Timestamp::from_seconds(1_000_000);
    let metadata =
        Metadata { at, actor: Actor::Local, source: Source::Cli, request_id: None, causation: None, trace: None };
    Recorded {
        position: 1,
        // Policies tell facts by their type, never by the word of the stream.
        stream: StreamId::new("any", ID),
        sequence: 1,
        recorded_at: at,
        event_id: EventId(Uuid::from_u128(9)),
        metadata,
        fact,
    }
}

fn name() -> IntegrationName {
    IntegrationName::parse("Kafka").expect("a good name")
}

fn place() -> Connection {
    Connection::path("/git/kafka")
}

/// Policies and their intents.
type Follows = Vec<(&'static str, Intent)>;

/// Every kind of fact, and what follows.
fn table() -> Vec<(Fact, Follows)> {
    let integration = IntegrationId(ID);
    let mut table: Vec<(Fact, Follows)> = Vec::new();
    {
        use integration::Event::{
            Added, ConnectionChanged, IndexingCancelled, Paused, ReindexRequested, Removed, Renamed, ResetRequested,
            Resumed, WebLinksSet,
        };
        let again = |intent| vec![("index_again_on_request", intent)];
        let discover = || vec![("discover_on_add", Intent::DiscoverRepositories(integration))];
        let forget = || vec![("forget_on_remove", Intent::ForgetRepositories(integration))];
        let reconcile = ("reconcile_on_wish", Intent::ReconcileInstallation(integration));
        let removed = |connection| Removed {
            name: name(),
            connection,
            mirrors: MirrorsAfter::Deleted,
            secrets: Default::default(),
        };
        table.extend(
            [
                (Added { name: name(), connection: place() }, discover()),
                (Renamed { name: name(), previous: name() }, Vec::new()),
                (ConnectionChanged { connection: place(), previous: place() }, discover()),
                (
                    ConnectionChanged { connection: github(), previous: github() },
                    [discover(), vec![reconcile.clone()]].concat(),
                ),
                (WebLinksSet { web_links: Default::default() }, Vec::new()),
                (Paused {}, Vec::new()),
                (Resumed {}, discover()),
                (ReindexRequested {}, again(Intent::ReindexIntegration(integration))),
                (ResetRequested {}, again(Intent::ResetIntegration(integration))),
                (
                    IndexingCancelled { asked: 3 },
                    vec![("stop_indexing_on_cancel", Intent::CancelIndexing(integration))],
                ),
                (removed(place()), forget()),
                (removed(github()), [forget(), vec![reconcile]].concat()),
            ]
            .map(|(event, follows)| (Fact::Integration(event), follows)),
        );
    }
    {
        use repository::Event::{Archived, Discovered, Forgotten, Moved, Reachable, Refused, Unarchived, Unreachable};
        let index = vec![("index_on_discover", Intent::RequestIndex(RepositoryId(ID)))];
        let discovered = Discovered { integration, name: DisplayText::clean("kafka"), location: place() };
        let refused = Refused {
            integration,
            name: DisplayText::clean("kafka"),
            location: place(),
            code: FailureCode::Denied,
            text: DisplayText::clean("no"),
        };
        let moved = Moved { name: DisplayText::clean("streams"), location: place() };
        let unreachable = Unreachable { code: FailureCode::Denied, text: DisplayText::clean("no") };
        table.extend(
            [
                (discovered, index),
                (moved, Vec::new()),
                (Forgotten {}, Vec::new()),
                (unreachable, Vec::new()),
                (Reachable {}, Vec::new()),
                (Archived {}, Vec::new()),
                (Unarchived {}, Vec::new()),
                (refused, Vec::new()),
            ]
            .map(|(event, follows)| (Fact::Repository(event), follows)),
        );
    }
    {
        use index_run::Event::{Cancelled, Completed, Failed, Requested, Started};
        let run = vec![("run_on_request", Intent::IndexRepository(IndexRunId(ID), REPOSITORY))];
        let stop = vec![("stop_on_cancel", Intent::StopIndexing(IndexRunId(ID)))];
        let text = DisplayText::clean("no");
        table.extend(
            [
                (Requested { repository: REPOSITORY, cause: Cause::Reset }, run),
                (Started { number: 5 }, Vec::new()),
                (Completed { repository: REPOSITORY, counts: Counts::default() }, Vec::new()),
                (Failed { repository: REPOSITORY, code: FailureCode::Denied, text }, Vec::new()),
                (Cancelled { repository: REPOSITORY }, stop),
            ]
            .map(|(event, follows)| (Fact::IndexRun(event), follows)),
        );
    }
    let refs = RefBatch { repository: REPOSITORY, number: 5, extractor: 1, refs: Vec::new() };
    table.push((Fact::IndexBatch(batch::Event::RefsMoved(refs)), Vec::new()));
    let set = CommitSet { repository: REPOSITORY, number: 5, commits: Vec::new() };
    table.push((Fact::IndexBatch(batch::Event::CommitsSuperseded(set.clone())), Vec::new()));
    table.push((Fact::IndexBatch(batch::Event::CommitsRestored(set)), Vec::new()));
    let issued = access::Event::TokenIssued {
        scopes: None,
        name: DisplayText::clean("ci"),
        role: Role::Viewer,
        expires_at: Timestamp::from_seconds(2_000_000),
        prefix: "kt_abcdef".into(),
    };
    table.push((Fact::Access(issued), Vec::new()));
    table.push((Fact::Access(access::Event::TokenRevoked {}), Vec::new()));
    let none = BTreeSet::new;
    let changed = project_rules::Event::Changed {
        known: none(),
        no_longer_known: none(),
        denied: BTreeSet::new(),
        no_longer_denied: BTreeSet::new(),
    };
    table.push((Fact::ProjectRules(changed), Vec::new()));
    table.extend(links().map(|event| (Fact::CommitLink(event), Vec::new())));
    table.push((Fact::Person(person::Event::Forgotten {}), Vec::new()));
    table.extend(installations(integration));
    table.push((Fact::AccessSettings(access_settings::Event::Changed { services: None }), Vec::new()));
    table.extend(pull_request::tests::one_of_each().into_iter().map(|event| (Fact::PullRequest(event), Vec::new())));
    table.extend(ssh_key::tests::one_of_each().into_iter().map(|event| {
        let follows = match &event {
            ssh_key::Event::RotationBegun { .. } => vec![("rotate_on_request", Intent::RotateSshKey(SshKeyId(ID)))],
            _ => Vec::new(),
        };
        (Fact::SshKey(event), follows)
    }));
    table.extend(host_key::tests::one_of_each().into_iter().map(|event| (Fact::HostKey(event), Vec::new())));
    table
}

fn github() -> Connection {
    let organisation = Login::parse("octo").expect("a name");
    Connection::GithubApp(Box::new(GithubConnection::of(GithubHost::cloud(), organisation)))
}

fn installations(integration: IntegrationId) -> Vec<(Fact, Follows)> {
    let events = installation::tests::one_of_each();
    let follows = |event: &installation::Event| {
        use installation::Event::{
            Adopted, AppRegistered, ConfirmationGiven, Installed, KeyAccepted, KeyRotated, PermissionsChanged,
            Reinstalled, Resumed, SelectionChanged, SuspensionLifted, SuspensionWished, WebhookSecretRotated,
            WebhookWished,
        };
        let discover = ("discover_on_installed", Intent::DiscoverRepositories(integration));
        let list = ("list_pull_requests_on_return", Intent::ListPullRequests(integration));
        let reconcile = ("reconcile_on_wish", Intent::ReconcileInstallation(integration));
        match event {
            Installed { .. } | ConfirmationGiven { .. } | SelectionChanged { .. } => vec![discover],
            Reinstalled { .. } | Resumed {} | KeyAccepted {} | PermissionsChanged { .. } => vec![discover, list],
            KeyRotated { .. } => vec![list, reconcile],
            AppRegistered { .. }
            | Adopted { .. }
            | SuspensionWished {}
            | SuspensionLifted {}
            | WebhookSecretRotated { .. }
            | WebhookWished {} => vec![reconcile],
            _ => Vec::new(),
        }
    };
    events.into_iter().map(|event| (Fact::Installation(event.clone()), follows(&event))).collect()
}

fn links() -> [commit_link::Event; 3] {
    use commit_link::Event::{Linked, Restored, Unlinked};
    let (repository, sha) = (REPOSITORY, CommitSha([1; 20]));
    let issue = || IssueKey { project: "SHOP".into(), number: 1 };
    let commit = LinkedCommit {
        author: PersonId(ID),
        authored_at: 1,
        committed_at: 1,
        subject: DisplayText::clean("no key"),
        introduced_by: None,
        on_default: false,
    };
    [
        Linked { repository, sha, issue: issue(), commit },
        Unlinked { repository, sha, issue: issue() },
        Restored { repository, sha, issue: issue() },
    ]
}

#[test]
fn each_fact_leads_to_its_intent_by_one_policy() {
    for (fact, expected) in table() {
        let recorded = recorded(fact);
        let followed: Vec<_> = POLICIES.iter().filter_map(|(name, policy)| Some((*name, policy(&recorded)?))).collect();
        assert_eq!(followed, expected, "after {}", recorded.fact.name());
    }
}

#[test]
fn the_table_names_every_policy_and_every_event_but_found_commits() {
    let named: HashSet<_> = table().iter().map(|(fact, _)| fact.name()).collect();
    let unnamed: Vec<_> = Fact::types().map(|(name, _)| name).filter(|name| !named.contains(name)).collect();
    assert_eq!(unnamed, ["index_batch.commits_recorded"]);
    let table = table();
    let used: HashSet<_> = table.iter().flat_map(|(_, follows)| follows.iter().map(|(policy, _)| *policy)).collect();
    assert_eq!(used, POLICIES.iter().map(|(name, _)| *name).collect());
}
