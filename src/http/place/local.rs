//! Places on the server's own disk: a repository, or a folder of them. Over HTTP only what lies below a configured root
//! may be added, and nothing is given away of what lies elsewhere.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    git::{GitError, transport},
    http::{
        Api,
        auth::Caller,
        error::{ApiError, Code, sentence},
    },
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
    let (roots, local) = (api.app.jobs.git.roots.clone(), caller.is_local());
    let path = path.to_owned();
    let checked = tokio::task::spawn_blocking(move || check(Path::new(&path), &roots, local, wanted)).await;
    let path = checked.map_err(|error| ApiError::internal(&error))??;
    path.into_os_string().into_string().map_err(|_| {
        ApiError::new(Code::PathInvalid, "With its links resolved the path is not UTF-8. Rename its folders.")
    })
}

/// Who is on this machine may add what lies anywhere; what lies below a root must not lead out of it for them, either:
/// it is held to that whenever it is read.
fn check(path: &Path, roots: &Arc<[PathBuf]>, local: bool, wanted: Wanted) -> Result<PathBuf, ApiError> {
    let real = match fs::canonicalize(path) {
        Ok(real) if !local && !is_below(&real, roots) => return Err(outside(roots)),
        Ok(real) => real,
        Err(error) if !local && !may_be_told(path, roots) => {
            tracing::debug!(%error, "a path outside the roots was asked for");
            return Err(outside(roots));
        }
        Err(error) => return Err(not_there(&error)),
    };
    match (fs::read_dir(&real), wanted) {
        (Err(error), _) if error.kind() == io::ErrorKind::PermissionDenied => return Err(not_there(&error)),
        (Ok(_), Wanted::Folder) => return Ok(real),
        (Err(_), Wanted::Folder) => {
            let detail = "Give the path of a folder. A repository in a single file, such as a bundle, is not read.";
            return Err(ApiError::new(Code::NotAFolder, detail));
        }
        (_, Wanted::Repository) => {}
    }
    // What makes the repository may lie elsewhere than its working tree.
    match transport::LocalRepository::local(real.clone(), roots).open() {
        Ok(_) => Ok(real),
        Err(GitError::OutsideRoots { .. }) if !local => Err(outside(roots)),
        Err(error) => Err(refused(&error)),
    }
}

fn is_below(real: &Path, roots: &[PathBuf]) -> bool {
    roots.iter().filter_map(|root| fs::canonicalize(root).ok()).any(|root| real.starts_with(root))
}

/// Whether a caller may learn that there is nothing at a path: the deepest part of it that is there lies below a root,
/// and the next part is no link, which could point anywhere.
fn may_be_told(path: &Path, roots: &[PathBuf]) -> bool {
    let plain = path.components().all(|part| !matches!(part, std::path::Component::ParentDir));
    let mut missing = path;
    for ancestor in path.ancestors().skip(1) {
        if let Ok(real) = fs::canonicalize(ancestor) {
            let link = fs::symlink_metadata(missing).is_ok_and(|found| found.file_type().is_symlink());
            return plain && !link && is_below(&real, roots);
        }
        missing = ancestor;
    }
    false
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
