//! Commits that persons linked to issues lead to these as those do that name them, and what was decided is kept: it tells
//! which commit of an issue is its last. Called by the fold of the view.
//!
//! A link outlives a reset of its repository's index, and so the repository's number: its rows carry a number that is made
//! of the repository's id and counts while the repository is there. What leads to an issue stays when it was unlinked or
//! taken back: whoever shows what was found asks `issue_commits` for that.

use keytrail_domain::{
    commit_link::Event,
    fact::Fact,
    id::RepositoryId,
    index_run::batch::CommitSha,
    issue_key::IssueKey,
    recorded::{Position, Recorded},
    repository,
};
use uuid::Uuid;

use super::{
    Leading,
    schema::{DECISIONS, REPOSITORIES},
    seconds,
    words::words_beside,
};
use crate::{
    row,
    rows::{Keys, Rows},
    value::{Row, Value},
};

/// The number of the links of a repository. Below all positions, so that it is no repository's number. Should two
/// repositories share one, an issue is found that has nothing to show, and is not shown.
pub(super) const fn number(repository: RepositoryId) -> Position {
    let (_, low) = repository.0.as_u64_pair();
    (low as i64) | i64::MIN
}

/// Under which id `search_repositories` has that number: all bits the other way round, which no repository's id has.
const fn row_id(repository: RepositoryId) -> RepositoryId {
    RepositoryId(Uuid::from_u128(!repository.0.as_u128()))
}

/// The key of what was decided.
fn decision(issue: &IssueKey, repository: RepositoryId, sha: CommitSha) -> Row {
    row![issue.project.clone(), issue.number, repository, sha]
}

/// Asks for the rows that the fact is about.
pub(super) fn keys(fact: &Recorded<Fact>, keys: &mut Keys) {
    match &fact.fact {
        Fact::Repository(
            repository::Event::Discovered { .. } | repository::Event::Moved { .. } | repository::Event::Forgotten {},
        ) => {
            keys.add(&REPOSITORIES, row![row_id(RepositoryId(fact.stream.id))]);
        }
        Fact::CommitLink(
            Event::Linked { issue, repository, sha, .. }
            | Event::Unlinked { issue, repository, sha }
            | Event::Restored { issue, repository, sha },
        ) => keys.add(&DECISIONS, decision(issue, *repository, *sha)),
        Fact::Repository(
            repository::Event::Refused { .. }
            | repository::Event::Unreachable { .. }
            | repository::Event::Reachable {}
            | repository::Event::Archived {}
            | repository::Event::Unarchived {},
        )
        | Fact::Integration(_)
        | Fact::IndexRun(_)
        | Fact::IndexBatch(_)
        | Fact::Access(_)
        | Fact::ProjectRules(_)
        | Fact::Person(_)
        | Fact::Installation(_)
        | Fact::PullRequest(_)
        | Fact::SshKey(_)
        | Fact::HostKey(_)
        | Fact::AccessSettings(_) => {}
    }
}

/// Keeps what leads to an issue that a commit was linked to.
pub(super) fn fold(rows: &mut Rows, fact: &Recorded<Fact>) {
    match &fact.fact {
        Fact::Repository(repository::Event::Discovered { integration, name, .. }) => {
            let id = RepositoryId(fact.stream.id);
            rows.put(&REPOSITORIES, row![row_id(id), number(id), *integration, name]);
        }
        Fact::Repository(repository::Event::Moved { name, .. }) => {
            if let Some(mut row) =
                rows.get(&REPOSITORIES, &row![row_id(RepositoryId(fact.stream.id))]).map(<[Value]>::to_vec)
            {
                row[3] = name.into();
                rows.put(&REPOSITORIES, row);
            }
        }
        Fact::Repository(repository::Event::Forgotten {}) => {
            rows.end(&REPOSITORIES, &row![row_id(RepositoryId(fact.stream.id))]);
        }
        Fact::CommitLink(Event::Linked { issue, repository, sha, commit }) => {
            let mut row = decision(issue, *repository, *sha);
            row.extend(row![true, seconds(commit.committed_at)]);
            rows.put(&DECISIONS, row);
            let words: Vec<Value> = words_beside(&commit.subject, &[]).into_iter().map(Value::from).collect();
            let (author, committed_at) = (commit.author, commit.committed_at);
            Leading { sha: *sha, author, committed_at, words: &words }.lead(rows, issue, number(*repository));
        }
        Fact::CommitLink(Event::Unlinked { issue, repository, sha }) => {
            let mut row = decision(issue, *repository, *sha);
            row.extend(row![false, 0_i64]);
            rows.put(&DECISIONS, row);
        }
        // What the index finds counts again, as if nobody had decided.
        Fact::CommitLink(Event::Restored { issue, repository, sha }) => {
            rows.end(&DECISIONS, &decision(issue, *repository, *sha));
        }
        Fact::Repository(
            repository::Event::Refused { .. }
            | repository::Event::Unreachable { .. }
            | repository::Event::Reachable {}
            | repository::Event::Archived {}
            | repository::Event::Unarchived {},
        )
        | Fact::Integration(_)
        | Fact::IndexRun(_)
        | Fact::IndexBatch(_)
        | Fact::Access(_)
        | Fact::ProjectRules(_)
        | Fact::Person(_)
        | Fact::Installation(_)
        | Fact::PullRequest(_)
        | Fact::SshKey(_)
        | Fact::HostKey(_)
        | Fact::AccessSettings(_) => {}
    }
}
