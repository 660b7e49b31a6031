//! Refs that moved, as rows and as columns.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    super::columns::{FrontCoded, Shas},
    CommitSha, Dictionary, Misfit,
};
use crate::{display_text::DisplayText, id::RepositoryId, issue_key::IssueKey, recorded::Position};

/// A ref that is new, moved, or gone. git's null name (all zero) names no commit: it is `None` here, and read back so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefMove {
    /// Its full name.
    pub name: DisplayText,
    /// The commit it named before; `None` when it is new.
    pub from: Option<CommitSha>,
    /// The commit it names now, annotated tags peeled; `None` when it is gone.
    pub to: Option<CommitSha>,
    /// The candidates in its name.
    pub keys: Vec<IssueKey>,
}

impl RefMove {
    /// The issues whose branch it is. A tag that names an issue is no branch of it.
    pub fn branch_of(&self) -> &[IssueKey] {
        if self.name.as_str().starts_with("refs/heads/") { &self.keys } else { &[] }
    }
}

/// Refs that moved, in bytewise order of their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "RefColumns", try_from = "RefColumns")]
pub struct RefBatch {
    /// Of which repository.
    pub repository: RepositoryId,
    /// The repository's number.
    pub number: Position,
    /// Which version of the grammar found the candidates.
    pub extractor: u32,
    /// The refs.
    pub refs: Vec<RefMove>,
}

#[derive(Serialize, Deserialize)]
struct RefColumns {
    repository: RepositoryId,
    number: Position,
    extractor: u32,
    names: FrontCoded,
    /// All zero for none.
    to: Shas,
    /// Absent when all refs are new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Shas>,
    projects: Vec<Arc<str>>,
    /// Row, project and number of each candidate.
    keys: Vec<(usize, usize, u64)>,
}

const NONE: CommitSha = CommitSha([0; 20]);

impl From<RefBatch> for RefColumns {
    fn from(batch: RefBatch) -> Self {
        let mut projects = Dictionary::new();
        let refs = &batch.refs;
        Self {
            repository: batch.repository,
            number: batch.number,
            extractor: batch.extractor,
            names: FrontCoded::encode(refs.iter().map(|moved| moved.name.as_str())),
            to: Shas(refs.iter().map(|moved| moved.to.unwrap_or(NONE)).collect()),
            from: refs
                .iter()
                .any(|moved| moved.from.is_some())
                .then(|| Shas(refs.iter().map(|moved| moved.from.unwrap_or(NONE)).collect())),
            keys: refs
                .iter()
                .enumerate()
                .flat_map(|(row, moved)| moved.keys.iter().map(move |key| (row, key)))
                .map(|(row, key)| (row, projects.number(&key.project), key.number))
                .collect(),
            projects: projects.values,
        }
    }
}

impl TryFrom<RefColumns> for RefBatch {
    type Error = Misfit;

    fn try_from(columns: RefColumns) -> Result<Self, Misfit> {
        let names = columns.names.decode().map_err(Misfit)?;
        let count = names.len();
        let from = columns.from.map_or_else(|| vec![NONE; count], |shas| shas.0);
        if [columns.to.0.len(), from.len()] != [count; 2] {
            return Err(Misfit("lengths differ"));
        }
        let some = |sha| (sha != NONE).then_some(sha);
        let mut refs: Vec<RefMove> = names
            .into_iter()
            .zip(from.into_iter().zip(columns.to.0))
            .map(|(name, (from, to))| RefMove {
                name: DisplayText::stored(name),
                from: some(from),
                to: some(to),
                keys: Vec::new(),
            })
            .collect();
        for (row, project, number) in columns.keys {
            let project = columns.projects.get(project).ok_or(Misfit("no such project"))?.clone();
            refs.get_mut(row).ok_or(Misfit("no such ref"))?.keys.push(IssueKey { project, number });
        }
        Ok(Self { repository: columns.repository, number: columns.number, extractor: columns.extractor, refs })
    }
}
