//! Paths of this machine that somebody wants to add, which may lie on a share that does not answer. Called by the checks of
//! the API before an integration is added or changed; it ends no thread, because nobody can.
//!
//! What hangs here is kept apart from the repositories of integrations: whoever tries paths that hang holds up no run.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use keytrail_domain::id::{IntegrationId, RepositoryId};
use uuid::Uuid;

use super::{DiffTrouble, approved_roots::SilentRoot, mounts::Mounts, way::Way};
use crate::{
    app::App,
    git::{Steps, transport::LocalRepository},
};

/// Why nobody can be told what lies at a path.
#[derive(Debug, thiserror::Error)]
pub enum PathTrouble {
    /// Its file system does not answer. Says which, and what to do.
    #[error("{0}")]
    Silent(String),
    /// An approved folder does not, and the path may lie below it.
    #[error(
        "the approved folder {} does not answer, so it cannot be told whether the path lies below it; look at its disk or \
         share, or take it out of `roots` in [git]",
        .0.display()
    )]
    SilentRoot(PathBuf),
    /// Somebody else looks at the same path, or many at its file system.
    #[error("somebody else looks at the same path, or many at its file system; try again in a moment")]
    Busy,
    /// The server stops, or failed.
    #[error("the server stopped looking before it was done; try again")]
    Stopped,
}

impl From<DiffTrouble> for PathTrouble {
    fn from(trouble: DiffTrouble) -> Self {
        match trouble {
            DiffTrouble::Unreadable { text, .. } => Self::Silent(text),
            DiffTrouble::Busy => Self::Busy,
            DiffTrouble::CommitUnknown { .. }
            | DiffTrouble::NoSuchParent { .. }
            | DiffTrouble::ObjectGone
            | DiffTrouble::Forgotten
            | DiffTrouble::HostBusy { .. }
            | DiffTrouble::Stopped => Self::Stopped,
        }
    }
}

impl From<SilentRoot> for PathTrouble {
    fn from(silent: SilentRoot) -> Self {
        Self::SilentRoot(silent.root)
    }
}

/// Reads at this path, on a thread that is waited for as long as it makes steps. Of all who come while the path falls silent
/// one hangs, and whoever comes later is told at once.
pub async fn read_path<R: Send + 'static>(
    app: &App,
    path: &Path,
    work: impl FnOnce(&Arc<Steps>) -> R + Send + 'static,
) -> Result<R, PathTrouble> {
    // Written with a slash more it is the same.
    let path: PathBuf = path.components().collect();
    // No integration has it yet.
    let of_none = RepositoryId::of(IntegrationId(Uuid::nil()), &path.to_string_lossy());
    let silence = app.jobs.git.limits.silence;
    let left = &app.jobs.paths_to_add;
    // Where a link leads to a share that hangs, others beside the link are well.
    let mut way = Way::of(&path);
    while let Some(next) = way.next_part() {
        let turn = left.turn(&next, of_none, silence).await?;
        let goes_on = move |steps: &Arc<Steps>| {
            way.go_on(&Mounts::read(), steps);
            Ok(way)
        };
        way = turn.read(goes_on).await?;
    }
    let turn = left.turn(&way.leads_to(), of_none, silence).await?;
    Ok(turn.read(move |steps| Ok(work(steps))).await?)
}

/// The repository at this path, links resolved, held to the approved roots if it lies below one. It opens nothing.
pub async fn held_to_roots(app: &App, path: PathBuf) -> Result<LocalRepository, PathTrouble> {
    Ok(app.jobs.approved_roots.repository(path, &app.jobs.git.roots).await?)
}
