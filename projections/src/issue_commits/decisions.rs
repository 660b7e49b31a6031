//! What persons decided about commits and issues, as rows. Called by the fold of the view.

use keytrail_domain::{
    commit_link::Event, fact::Fact, id::RepositoryId, index_run::batch::CommitSha, issue_key::IssueKey,
    recorded::Recorded,
};

use super::{schema::DECISIONS, seconds};
use crate::{
    row,
    rows::{Keys, Rows},
    value::{Row, Value},
    word::words,
};

words! {
    /// What a person decided last about a commit and an issue.
    LinkState {
        /// It belongs to the issue, whether it names it or not.
        Linked = "linked",
        /// It does not belong to the issue, whether it names it or not.
        Unlinked = "unlinked",
        /// What was decided was taken back: what the commit names counts.
        AsFound = "as_found",
    }
}

fn key(issue: &IssueKey, repository: RepositoryId, sha: CommitSha) -> Row {
    row![issue.project.clone(), issue.number, repository, sha]
}

/// Asks for the decision that the event is about.
pub(super) fn keys(event: &Event, keys: &mut Keys) {
    let (Event::Linked { issue, repository, sha, .. }
    | Event::Unlinked { issue, repository, sha }
    | Event::Restored { issue, repository, sha }) = event;
    keys.add(&DECISIONS, key(issue, *repository, *sha));
}

/// Keeps the decision, with who made it and when.
pub(super) fn fold(rows: &mut Rows, fact: &Recorded<Fact>, event: &Event) {
    let (mut row, state, commit) = match event {
        Event::Linked { issue, repository, sha, commit } => {
            let shown: Row = row![
                seconds(commit.committed_at),
                seconds(commit.authored_at),
                commit.author,
                &commit.subject,
                commit.introduced_by.clone(),
                commit.on_default,
            ];
            (key(issue, *repository, *sha), LinkState::Linked, shown)
        }
        Event::Unlinked { issue, repository, sha } => {
            (key(issue, *repository, *sha), LinkState::Unlinked, nothing_shown())
        }
        Event::Restored { issue, repository, sha } => {
            (key(issue, *repository, *sha), LinkState::AsFound, nothing_shown())
        }
    };
    row.push(state.into());
    row.extend(commit);
    let metadata = &fact.metadata;
    row.extend(row![metadata.actor.name(), metadata.at, fact.sequence]);
    rows.put(&DECISIONS, row);
}

/// Of a commit that a decision does not add.
fn nothing_shown() -> Row {
    row![0_i64, 0_i64, Value::Null, "", Value::Null, false]
}
