//! By what an operation is named: its kind, and the id of what is worked on. Made and read by whoever tells of long work.

use std::{fmt, str::FromStr};

use keytrail_domain::{
    id::{IndexRunId, IntegrationId, RepositoryId, SshKeyId},
    recorded::Position,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which operation. As text `index_run.ID`, `rebuild_view.NAME.NUMBER` and so on. Lists have them from behind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum OperationId {
    /// An index run.
    IndexRun(IndexRunId),
    /// The latest look at a repository that somebody asked for, on the node that was asked.
    FetchRepository(RepositoryId),
    /// Looking which repositories an integration sees.
    DiscoverRepositories(IntegrationId),
    /// Forgetting the repositories of an integration.
    ForgetRepositories(IntegrationId),
    /// Indexing the repositories of an integration again, asked for at this position.
    ReindexIntegration(IntegrationId, Position),
    /// Resetting the repositories of an integration, asked for at this position.
    ResetIntegration(IntegrationId, Position),
    /// A build of a view, by its number.
    RebuildView(String, i64),
    /// A verification of the views, on the node that was asked.
    VerifyViews(Uuid),
    /// Putting another key of SSH in the place of this one, asked for at this position.
    RotateSshKey(SshKeyId, Position),
}

/// The text names no operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an operation is named by its kind, a dot and an id")]
pub struct NoSuchOperation;

impl OperationId {
    /// The id of what is worked on, where it has one.
    pub(super) const fn thing(&self) -> Option<Uuid> {
        match self {
            Self::IndexRun(id) => Some(id.0),
            Self::FetchRepository(id) => Some(id.0),
            Self::DiscoverRepositories(id)
            | Self::ForgetRepositories(id)
            | Self::ReindexIntegration(id, _)
            | Self::ResetIntegration(id, _) => Some(id.0),
            Self::RebuildView(..) => None,
            Self::VerifyViews(id) => Some(*id),
            Self::RotateSshKey(id, _) => Some(id.0),
        }
    }

    /// Of which integration, and where, all was asked to be indexed again.
    pub(super) const fn request(&self) -> Option<(IntegrationId, Position)> {
        match self {
            Self::ReindexIntegration(id, asked) | Self::ResetIntegration(id, asked) => Some((*id, *asked)),
            _ => None,
        }
    }

    /// The stable word of its kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::IndexRun(_) => "index_run",
            Self::FetchRepository(_) => "fetch_repository",
            Self::DiscoverRepositories(_) => "discover_repositories",
            Self::ForgetRepositories(_) => "forget_repositories",
            Self::ReindexIntegration(..) => "reindex_integration",
            Self::ResetIntegration(..) => "reset_integration",
            Self::RebuildView(..) => "rebuild_view",
            Self::VerifyViews(_) => "verify_views",
            Self::RotateSshKey(..) => "rotate_ssh_key",
        }
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Self::IndexRun(id) => write!(f, "{kind}.{id}"),
            Self::FetchRepository(id) => write!(f, "{kind}.{id}"),
            Self::DiscoverRepositories(id) | Self::ForgetRepositories(id) => write!(f, "{kind}.{id}"),
            Self::ReindexIntegration(id, asked) | Self::ResetIntegration(id, asked) => {
                write!(f, "{kind}.{id}.{asked}")
            }
            Self::RebuildView(view, number) => write!(f, "{kind}.{view}.{number}"),
            Self::VerifyViews(id) => write!(f, "{kind}.{id}"),
            Self::RotateSshKey(id, asked) => write!(f, "{kind}.{id}.{asked}"),
        }
    }
}

impl From<OperationId> for String {
    fn from(id: OperationId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for OperationId {
    type Error = NoSuchOperation;

    fn try_from(text: String) -> Result<Self, NoSuchOperation> {
        text.parse()
    }
}

impl FromStr for OperationId {
    type Err = NoSuchOperation;

    fn from_str(text: &str) -> Result<Self, NoSuchOperation> {
        let (kind, rest) = text.split_once('.').ok_or(NoSuchOperation)?;
        let id = || rest.parse::<Uuid>().map_err(|_| NoSuchOperation);
        Ok(match kind {
            "index_run" => Self::IndexRun(IndexRunId(id()?)),
            "fetch_repository" => Self::FetchRepository(RepositoryId(id()?)),
            "discover_repositories" => Self::DiscoverRepositories(IntegrationId(id()?)),
            "forget_repositories" => Self::ForgetRepositories(IntegrationId(id()?)),
            "reindex_integration" => {
                asked(rest).map(|(id, asked)| Self::ReindexIntegration(IntegrationId(id), asked))?
            }
            "reset_integration" => asked(rest).map(|(id, asked)| Self::ResetIntegration(IntegrationId(id), asked))?,
            "rebuild_view" => {
                let (view, number) = rest.split_once('.').ok_or(NoSuchOperation)?;
                Self::RebuildView(view.to_owned(), number.parse().map_err(|_| NoSuchOperation)?)
            }
            "verify_views" => Self::VerifyViews(id()?),
            "rotate_ssh_key" => asked(rest).map(|(id, asked)| Self::RotateSshKey(SshKeyId(id), asked))?,
            _ => return Err(NoSuchOperation),
        })
    }
}

/// What something was asked of, and the position at which it was.
fn asked(text: &str) -> Result<(Uuid, Position), NoSuchOperation> {
    let (id, position) = text.split_once('.').ok_or(NoSuchOperation)?;
    let id = id.parse().map_err(|_| NoSuchOperation)?;
    // As it was written: one operation has one name.
    let is_plain = position.bytes().all(|byte| byte.is_ascii_digit()) && !position.starts_with('0');
    let position = position.parse().ok().filter(|_| is_plain).ok_or(NoSuchOperation)?;
    Ok((id, position))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_found_again_by_its_name() {
        let id = Uuid::from_u128(7);
        for operation in [
            OperationId::IndexRun(IndexRunId(id)),
            OperationId::FetchRepository(RepositoryId(id)),
            OperationId::DiscoverRepositories(IntegrationId(id)),
            OperationId::ForgetRepositories(IntegrationId(id)),
            OperationId::ReindexIntegration(IntegrationId(id), 7),
            OperationId::ResetIntegration(IntegrationId(id), 70),
            OperationId::RebuildView("issue_commits".into(), 7),
            OperationId::VerifyViews(id),
            OperationId::RotateSshKey(SshKeyId(id), 700),
        ] {
            assert_eq!(operation.to_string().parse(), Ok(operation));
        }
        for bad in [
            "",
            "index_run",
            "index_run.7",
            "rebuild_view.x",
            "rebuild_view.x.y",
            "other.1",
            ".",
            "reset_integration.7.7",
            "rotate_ssh_key.00000000-0000-0000-0000-000000000007",
            "rotate_ssh_key.00000000-0000-0000-0000-000000000007.07",
        ] {
            assert_eq!(bad.parse::<OperationId>(), Err(NoSuchOperation), "{bad}");
        }
    }
}
