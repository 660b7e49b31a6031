//! A fetch in this process.

use std::collections::BTreeSet;

use keytrail_domain::index_run::batch::CommitSha;

use super::{
    FetchError,
    fetch::{Attempt, FetchRequest},
};
use crate::git::GitError;

pub(super) async fn fetch(
    _request: &FetchRequest<'_>,
    _missing: &BTreeSet<CommitSha>,
    _kept: &BTreeSet<CommitSha>,
) -> Result<Attempt, GitError> {
    Err(FetchError::GitMissing.into())
}
