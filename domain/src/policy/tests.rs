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
    id::{EventId, IndexRunId, IntegrationId, RepositoryId},
    index_run::{
        self, Cause, Counts, FailureCode,
        batch::{self, CommitSet, CommitSha, RefBatch},
    },
    integration::{self, IntegrationName, MirrorsAfter},
    issue_key::IssueKey,
    metadata::{Actor, Metadata, Source},
    person::{self, PersonId},
    project_rules,
    recorded::{Recorded, StreamId},
    repository,
    service::Connection,
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

/// Every kind of fact, and what follows: the policy and its intent.
fn table() -> Vec<(Fact, Option<(&'static str, Intent)>)> {
    let integration = IntegrationId(ID);
    let discover = || Some(("discover_on_add", Intent::DiscoverRepositories(integration)));
    let mut table: Vec<(Fact, _)> = Vec::new();
    {
        use integration::Event::{
            Added, ConnectionChanged, Paused, ReindexRequested, Removed, Renamed, ResetRequested, Resumed,
        };
        let again = |intent| Some(("index_again_on_request", intent));
        let forget = Some(("forget_on_remove", Intent::ForgetRepositories(integration)));
        table.extend(
            [
                (Added { name: name(), connection: place() }, discover()),
                (Renamed { name: name(), previous: name() }, None),
                (ConnectionChanged { connection: place(), previous: place() }, discover()),
                (Paused {}, None),
                (Resumed {}, discover()),
                (ReindexRequested {}, again(Intent::ReindexIntegration(integration))),
                (ResetRequested {}, again(Intent::ResetIntegration(integration))),
                (Removed { name: name(), connection: place(), mirrors: MirrorsAfter::Deleted }, forget),
            ]
            .map(|(event, follows)| (Fact::Integration(event), follows)),
        );
    }
    {
        use repository::Event::{Discovered, Forgotten, Reachable, Refused, Unreachable};
        let index = Some(("index_on_discover", Intent::RequestIndex(RepositoryId(ID))));
        let discovered = Discovered { integration, name: DisplayText::clean("kafka"), location: place() };
        let refused = Refused {
            integration,
            name: DisplayText::clean("kafka"),
            location: place(),
            code: FailureCode::Denied,
            text: DisplayText::clean("no"),
        };
        let unreachable = Unreachable { code: FailureCode::Denied, text: DisplayText::clean("no") };
        table.extend(
            [(discovered, index), (Forgotten {}, None), (unreachable, None), (Reachable {}, None), (refused, None)]
                .map(|(event, follows)| (Fact::Repository(event), follows)),
        );
    }
    {
        use index_run::Event::{Cancelled, Completed, Failed, Requested, Started};
        let run = Some(("run_on_request", Intent::IndexRepository(IndexRunId(ID), REPOSITORY)));
        let stop = Some(("stop_on_cancel", Intent::StopIndexing(IndexRunId(ID))));
        let text = DisplayText::clean("no");
        table.extend(
            [
                (Requested { repository: REPOSITORY, cause: Cause::Reset }, run),
                (Started { number: 5 }, None),
                (Completed { repository: REPOSITORY, counts: Counts::default() }, None),
                (Failed { repository: REPOSITORY, code: FailureCode::Denied, text }, None),
                (Cancelled { repository: REPOSITORY }, stop),
            ]
            .map(|(event, follows)| (Fact::IndexRun(event), follows)),
        );
    }
    let refs = RefBatch { repository: REPOSITORY, number: 5, extractor: 1, refs: Vec::new() };
    table.push((Fact::IndexBatch(batch::Event::RefsMoved(refs)), None));
    let set = CommitSet { repository: REPOSITORY, number: 5, commits: Vec::new() };
    table.push((Fact::IndexBatch(batch::Event::CommitsSuperseded(set.clone())), None));
    table.push((Fact::IndexBatch(batch::Event::CommitsRestored(set)), None));
    let issued = access::Event::TokenIssued {
        scopes: None,
        name: DisplayText::clean("ci"),
        role: Role::Viewer,
        expires_at: Timestamp::from_seconds(2_000_000),
        prefix: "kt_abcdef".into(),
    };
    table.push((Fact::Access(issued), None));
    table.push((Fact::Access(access::Event::TokenRevoked {}), None));
    let none = BTreeSet::new;
    let changed = project_rules::Event::Changed {
        known: none(),
        no_longer_known: none(),
        denied: BTreeSet::new(),
        no_longer_denied: BTreeSet::new(),
    };
    table.push((Fact::ProjectRules(changed), None));
    table.extend(links().map(|event| (Fact::CommitLink(event), None)));
    table.push((Fact::Person(person::Event::Forgotten {}), None));
    table.push((Fact::AccessSettings(access_settings::Event::Changed { services: None }), None));
    table
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
        assert_eq!(followed, Vec::from_iter(expected), "after {}", recorded.fact.name());
    }
}

#[test]
fn the_table_names_every_policy_and_every_event_but_found_commits() {
    let named: HashSet<_> = table().iter().map(|(fact, _)| fact.name()).collect();
    let unnamed: Vec<_> = Fact::types().map(|(name, _)| name).filter(|name| !named.contains(name)).collect();
    assert_eq!(unnamed, ["index_batch.commits_recorded"]);
    let used: HashSet<_> = table().iter().filter_map(|(_, follows)| Some(follows.as_ref()?.0)).collect();
    assert_eq!(used, POLICIES.iter().map(|(name, _)| *name).collect());
}
