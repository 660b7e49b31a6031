//! Given, when, then.

use proptest::{collection::vec, prelude::*};
use uuid::Uuid;

use super::{Command, CommitLink, Error, Event, LinkedCommit};
use crate::{
    display_text::DisplayText, given::given, histories, id::RepositoryId, index_run::batch::CommitSha,
    issue_key::IssueKey, person::PersonId,
};

const REPOSITORY: RepositoryId = RepositoryId(Uuid::from_u128(2));
const SHA: CommitSha = CommitSha([7; 20]);

fn issue(number: u64) -> IssueKey {
    IssueKey { project: "SHOP".into(), number }
}

fn commit() -> LinkedCommit {
    LinkedCommit {
        author: PersonId(Uuid::from_u128(9)),
        authored_at: 1,
        committed_at: 2,
        subject: DisplayText::clean("no key"),
        introduced_by: None,
        on_default: false,
    }
}

fn link(number: u64) -> Command {
    Command::Link { repository: REPOSITORY, sha: SHA, issue: issue(number), commit: commit() }
}

fn unlink(number: u64, named: bool) -> Command {
    Command::Unlink { repository: REPOSITORY, sha: SHA, issue: issue(number), named }
}

fn restore(number: u64) -> Command {
    Command::Restore { repository: REPOSITORY, sha: SHA, issue: issue(number) }
}

fn linked(number: u64) -> Event {
    Event::Linked { repository: REPOSITORY, sha: SHA, issue: issue(number), commit: commit() }
}

fn unlinked(number: u64) -> Event {
    Event::Unlinked { repository: REPOSITORY, sha: SHA, issue: issue(number) }
}

fn restored(number: u64) -> Event {
    Event::Restored { repository: REPOSITORY, sha: SHA, issue: issue(number) }
}

#[test]
fn a_commit_is_linked_once_to_each_issue() {
    given::<CommitLink>(&[]).when(link(1)).then(&[linked(1)]);
    given::<CommitLink>(&[linked(1)]).when(link(1)).then_nothing();
    given::<CommitLink>(&[linked(1)]).when(link(2)).then(&[linked(2)]);
}

#[test]
fn what_is_named_or_was_linked_can_be_unlinked() {
    given::<CommitLink>(&[]).when(unlink(1, true)).then(&[unlinked(1)]);
    given::<CommitLink>(&[]).when(unlink(1, false)).then_refused("commit_not_linked");
    given::<CommitLink>(&[linked(1)]).when(unlink(1, false)).then(&[unlinked(1)]);
    given::<CommitLink>(&[linked(1)]).when(unlink(2, false)).then_refused("commit_not_linked");
    for named in [true, false] {
        given::<CommitLink>(&[unlinked(1)]).when(unlink(1, named)).then_nothing();
    }
    given::<CommitLink>(&[unlinked(1)]).when(link(1)).then(&[linked(1)]);
    histories::refusals_differ(&[Error::NotLinked]);
}

#[test]
fn what_was_decided_can_be_taken_back() {
    given::<CommitLink>(&[]).when(restore(1)).then_nothing();
    for decided in [linked(1), unlinked(1)] {
        given::<CommitLink>(std::slice::from_ref(&decided)).when(restore(1)).then(&[restored(1)]);
        given::<CommitLink>(std::slice::from_ref(&decided)).when(restore(2)).then_nothing();
        given::<CommitLink>(&[decided, restored(1)]).when(restore(1)).then_nothing();
    }
    given::<CommitLink>(&[linked(1), restored(1)]).when(link(1)).then(&[linked(1)]);
}

#[test]
fn a_stream_is_a_commit_of_a_repository() {
    // Ids stand in the log: how they are made never changes.
    assert_eq!(CommitLink::id(REPOSITORY, SHA).to_string(), "7907a777-aaa9-5860-92e9-719def2b2086");
    assert_ne!(CommitLink::id(REPOSITORY, SHA), CommitLink::id(RepositoryId(Uuid::from_u128(3)), SHA));
    assert_ne!(CommitLink::id(REPOSITORY, SHA), CommitLink::id(REPOSITORY, CommitSha([8; 20])));
}

proptest! {
    #[test]
    fn any_history_of_wishes_folds(
        commands in vec(
            prop_oneof![
                (1..3_u64).prop_map(link),
                (1..3_u64, any::<bool>()).prop_map(|(number, named)| unlink(number, named)),
                (1..3_u64).prop_map(restore),
            ],
            0..30,
        )
    ) {
        histories::fold::<CommitLink>(commands)?;
    }
}
