//! Places on the server's own disk: a repository, or a folder of them. Over HTTP only what lies below a configured root
//! may be added, and nothing is given away of what lies elsewhere.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use crate::{
    git::{GitError, Steps, transport::LocalRepository},
    http::{
        Api,
        auth::Caller,
        error::{ApiError, Code, sentence},
    },
    jobs::{PathTrouble, held_to_roots, read_path},
};

/// The longest path that Linux takes.
const MOST_BYTES: usize = 4096;

/// What must be at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A repository that this server can index.
    Repository,
    /// A folder, whatever is in it.
    Folder,
}

/// The path with links resolved, when what is wanted is there and this caller may add it.
pub(super) async fn checked(api: &Api, caller: &Caller, path: &str, wanted: Wanted) -> Result<String, ApiError> {
    if path.chars().any(char::is_control) || path.len() > MOST_BYTES {
        let detail = "A path has at most 4096 bytes and no control characters.";
        return Err(ApiError::new(Code::PathInvalid, detail));
    }
    if !path.starts_with('/') {
        return Err(ApiError::new(Code::PathRelative, "Give the whole path, from / on."));
    }
    let path = check(api, Path::new(path), caller.is_local(), wanted).await?;
    path.into_os_string().into_string().map_err(|_| {
        ApiError::new(Code::PathInvalid, "With its links resolved the path is not UTF-8. Rename its folders.")
    })
}

/// Who is on this machine may add what lies anywhere; what lies below a root must not lead out of it for them, either:
/// it is held to that whenever it is read.
async fn check(api: &Api, path: &Path, local: bool, wanted: Wanted) -> Result<PathBuf, ApiError> {
    let roots = api.app.jobs.git.roots.clone();
    let real = real_path(api, path, local).await?;
    if !local && !is_approved(api, real.clone()).await? {
        return Err(outside(&roots));
    }
    let repository = match wanted {
        Wanted::Repository => Some(held_to_roots(&api.app, real.clone()).await?),
        Wanted::Folder => None,
    };
    let place = real.clone();
    let look = move |steps: &Arc<Steps>| -> Result<(), ApiError> {
        is_readable(&place, wanted)?;
        steps.step();
        // What makes the repository may lie elsewhere than its working tree.
        match repository.map(|repository| repository.open_telling(steps)) {
            None | Some(Ok(_)) => Ok(()),
            Some(Err(GitError::OutsideRoots { .. })) if !local => Err(outside(&roots)),
            Some(Err(error)) => Err(refused(&error)),
        }
    };
    read_path(&api.app, &real, look).await??;
    Ok(real)
}

/// The path with links resolved. Why it cannot be had is told only to who may learn what lies there.
async fn real_path(api: &Api, path: &Path, local: bool) -> Result<PathBuf, ApiError> {
    let asked = path.to_owned();
    let (why, at) = match read_path(&api.app, path, move |_| resolved(&asked)).await {
        Ok(Ok(real)) => return Ok(real),
        Ok(Err(Missing { error, below })) => (not_there(&error), below),
        // Whether it leads elsewhere is not known: it counts as it is written.
        Err(trouble) => {
            let trouble = match trouble {
                // Nor is it told to where: it may be outside the roots.
                PathTrouble::Silent(_) if !local => PathTrouble::Silent(format!(
                    "the file system that {} leads to does not answer; look at its disk, or at the server of the share \
                     and the way to it",
                    path.display()
                )),
                trouble => trouble,
            };
            (ApiError::from(trouble), is_plain(path).then(|| path.to_owned()))
        }
    };
    let may_be_told = match at {
        _ if local => true,
        Some(at) => is_approved(api, at).await?,
        None => false,
    };
    if may_be_told {
        return Err(why);
    }
    tracing::debug!(error = %why, "a path outside the roots was asked for");
    Err(outside(&api.app.jobs.git.roots))
}

async fn is_approved(api: &Api, path: PathBuf) -> Result<bool, ApiError> {
    Ok(matches!(held_to_roots(&api.app, path).await?, LocalRepository::BelowRoots { .. }))
}

/// Why there is no path with links resolved.
struct Missing {
    error: io::Error,
    /// The deepest part of the path that is there. Nothing where the next part is a link, which could point anywhere.
    below: Option<PathBuf>,
}

fn resolved(path: &Path) -> Result<PathBuf, Missing> {
    fs::canonicalize(path).map_err(|error| Missing { error, below: deepest(path) })
}

fn deepest(path: &Path) -> Option<PathBuf> {
    let mut missing = path;
    for ancestor in path.ancestors().skip(1) {
        if let Ok(real) = fs::canonicalize(ancestor) {
            let link = fs::symlink_metadata(missing).is_ok_and(|found| found.file_type().is_symlink());
            return (is_plain(path) && !link).then_some(real);
        }
        missing = ancestor;
    }
    None
}

/// Whether it goes down only.
fn is_plain(path: &Path) -> bool {
    path.components().all(|part| !matches!(part, Component::ParentDir))
}

fn is_readable(real: &Path, wanted: Wanted) -> Result<(), ApiError> {
    match (fs::read_dir(real), wanted) {
        (Err(error), _) if error.kind() == io::ErrorKind::PermissionDenied => Err(not_there(&error)),
        (Err(_), Wanted::Folder) => {
            let detail = "Give the path of a folder. A repository in a single file, such as a bundle, is not read.";
            Err(ApiError::new(Code::NotAFolder, detail))
        }
        (Ok(_), _) | (Err(_), Wanted::Repository) => Ok(()),
    }
}

impl From<PathTrouble> for ApiError {
    fn from(trouble: PathTrouble) -> Self {
        let detail = sentence(&trouble.to_string());
        match trouble {
            PathTrouble::Silent(_) | PathTrouble::SilentRoot(_) => {
                Self::new(Code::FileSystemSilent, detail).retry_after(10)
            }
            PathTrouble::Busy => Self::new(Code::Busy, detail).retry_after(2),
            PathTrouble::Stopped => Self::new(Code::Busy, detail).retry_after(1),
        }
    }
}

/// The same words whether there is something at the path or not.
fn outside(roots: &[PathBuf]) -> ApiError {
    let detail = if roots.is_empty() {
        "No folder may be added over HTTP. Set `roots` in the section [git] of the configuration, or add the path with \
         the command line on the server."
    } else {
        "Only what lies below the configured roots may be added over HTTP. Use such a path, add its root to `roots` in \
         the section [git] of the configuration, or use the command line on the server."
    };
    ApiError::new(Code::PathOutsideRoots, detail)
}

fn not_there(error: &io::Error) -> ApiError {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let detail = "Let the server's user read the folder and enter those above it, then try again.";
            ApiError::new(Code::PathUnreadable, detail)
        }
        _ => ApiError::new(Code::PathNotFound, "Check its spelling on the machine that the server runs on."),
    }
}

fn refused(error: &GitError) -> ApiError {
    let Some(code) = error.failure_code() else {
        return ApiError::new(Code::Busy, "The server is stopping. Try again.").retry_after(5);
    };
    let word = serde_json::to_value(code).ok();
    let code = word.as_ref().and_then(serde_json::Value::as_str).and_then(Code::parse);
    match code {
        Some(code) if code != Code::Internal => ApiError::new(code, sentence(&error.to_string())),
        _ => ApiError::internal(error),
    }
}
