//! What a commit changed, looked up on demand: where the repository lies, or fetched from its server. Only commits that
//! the index knows; nothing is recorded.

use std::rc::Rc;

use actix_web::{
    HttpResponse, get,
    web::{Data, Path, Query},
};
use keytrail_domain::web_links::Templates;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Api,
    auth::Viewer,
    commit_place::place,
    error::{ApiError, Code, sentence},
    issues::RepositoryName,
    links::PageLinks,
};
use crate::{
    git::diff::{ChangedFile, ChangedFiles, Content, FileHunks, Hunk, Line, LineKind, Side, Status, shown_path},
    jobs::{Asked, CommitChanges, DiffTrouble, Part, commit_changes},
};

/// What a commit changed.
#[derive(Serialize, ToSchema)]
pub(super) struct CommitFiles {
    #[serde(flatten)]
    commit: Compared,
    /// The first 3,000 of them, in the order of paths.
    files: Vec<File>,
}

/// What a commit changed, line by line.
#[derive(Serialize, ToSchema)]
pub(super) struct CommitDiff {
    #[serde(flatten)]
    commit: Compared,
    /// With `path` the files of that path; else the first 3,000 of them.
    files: Vec<FileDiff>,
}

/// A commit and what it is compared with.
#[derive(Serialize, ToSchema)]
struct Compared {
    /// The commit, 40 hexadecimal digits.
    commit: String,
    /// The parent that it is compared with; nothing for a commit without parents, all of whose files are new.
    parent: Option<String>,
    /// How many parents it has.
    parents: usize,
    /// How many files it changes.
    total: usize,
    /// Whether it changes more files than were counted.
    more: bool,
    /// Whether there were too many deleted and added files to compare each with each; some renames look like a deleted
    /// and an added file then.
    renames_limited: bool,
}

/// A changed file.
#[derive(Serialize, ToSchema)]
#[schema(as = CommitFile)]
struct File {
    /// Its path, or the one it had when it is gone. What is no text is shown as `�`.
    path: String,
    /// Where a browser finds it as the commit left it, or of one that is gone as the parent had it; nothing where the
    /// repository has no such link.
    url: Option<String>,
    /// The path that it had before it was renamed.
    old_path: Option<String>,
    /// What happened to it. A copy is an added file.
    #[schema(pattern = "^(added|modified|deleted|renamed|type_changed)$")]
    status: &'static str,
    /// Of a renamed file, how much of it stayed the same, in percent.
    similarity: Option<u8>,
    /// Before; nothing of a new file.
    old: Option<FileSide>,
    /// After; nothing of a deleted file.
    new: Option<FileSide>,
    /// Whether its lines are known: `text` when they are, `binary`, `too_large` beyond 1 MiB, `not_read` when the commit
    /// changes too much, `absent` when the repository lacks its bytes.
    #[schema(pattern = "^(text|binary|too_large|not_read|absent)$")]
    content: &'static str,
    /// Lines that are new, when they are known.
    added: Option<u32>,
    /// Lines that are gone, when they are known.
    removed: Option<u32>,
}

/// A file before or after a commit.
#[derive(Serialize, ToSchema)]
struct FileSide {
    /// As git writes it: 100644 or 100755 a file, 120000 a symbolic link, 160000 a submodule.
    #[schema(example = "100644")]
    mode: String,
    /// The name of the object; of a submodule a commit of another repository.
    id: String,
    /// Bytes, when they are known.
    size: Option<u64>,
}

/// The changed lines of a file.
#[derive(Serialize, ToSchema)]
struct FileDiff {
    #[serde(flatten)]
    file: File,
    /// The changed places, each with up to three lines around it.
    hunks: Vec<DiffHunk>,
    /// Whether lines were left out: an answer has at most 20,000, and 256 KiB.
    cut: bool,
}

/// A changed place of a file.
#[derive(Serialize, ToSchema)]
struct DiffHunk {
    /// Its first line before; 0 when there is none.
    old_start: u32,
    /// Lines before.
    old_lines: u32,
    /// Its first line after; 0 when there is none.
    new_start: u32,
    /// Lines after.
    new_lines: u32,
    /// The lines.
    lines: Vec<DiffLine>,
}

/// A line of a changed place.
#[derive(Serialize, ToSchema)]
struct DiffLine {
    /// `context`, `added` or `removed`.
    #[schema(pattern = "^(context|added|removed)$")]
    kind: &'static str,
    /// Its number before.
    old: Option<u32>,
    /// Its number after.
    new: Option<u32>,
    /// Without its end of line. What is no UTF-8 is `�`; control characters are pictures, such as `␍`.
    text: String,
    /// Whether the line is longer: 4 KiB are shown.
    cut: bool,
    /// Whether it is the last line and does not end.
    no_newline: bool,
    /// Which parts of the text differ from the line that it stands for: pairs of the first character and the one behind
    /// the last, counted from 0 in Unicode scalar values. Empty when the whole line counts as changed.
    changed: Vec<(u32, u32)>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FilesQuery {
    /// The parent to compare with: 1, which is taken when nothing is said, 2 and so on of a merge.
    #[param(minimum = 1, maximum = 65535)]
    parent: Option<u16>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DiffQuery {
    /// The parent to compare with: 1, which is taken when nothing is said, 2 and so on of a merge.
    #[param(minimum = 1, maximum = 65535)]
    parent: Option<u16>,
    /// One file only, by its path as the list of files shows it.
    path: Option<String>,
}

/// Which files a commit changed, and how many lines of each. Fetched from the repository's server when they are not here.
#[utoipa::path(tag = "repositories", operation_id = "ListCommitFiles", security(("bearer" = ["viewer"])),
    params(("id" = Uuid, Path, description = "The repository."),
        ("sha" = String, Path, description = "The commit: 7 to 40 hexadecimal digits."), FilesQuery),
    responses((status = 200, description = "The files.", body = CommitFiles),
        (status = 409,
            description = "No integration sees the repository any more, or several commits begin with these digits."),
        (status = 410, description = "The repository has no such object any more."),
        (status = 502, description = "The repository, or the server that it is on, cannot be read.")))]
#[get("/api/v1/repositories/{id}/commits/{sha}/files")]
pub(super) async fn list_commit_files(
    _: Viewer,
    api: Data<Api>,
    at: Path<(Uuid, String)>,
    query: Query<FilesQuery>,
) -> Result<HttpResponse, ApiError> {
    let (changes, links) = changes(&api, at.into_inner(), query.parent, Part::Files).await?;
    let files = changes.files.files.iter().map(|one| file(one, &changes.files, &links)).collect();
    Ok(HttpResponse::Ok().json(CommitFiles { commit: compared(&changes.files), files }))
}

/// Which lines a commit changed, in one file or in all.
#[utoipa::path(tag = "repositories", operation_id = "GetCommitDiff", security(("bearer" = ["viewer"])),
    params(("id" = Uuid, Path, description = "The repository."),
        ("sha" = String, Path, description = "The commit: 7 to 40 hexadecimal digits."), DiffQuery),
    responses((status = 200, description = "The lines.", body = CommitDiff),
        (status = 409,
            description = "No integration sees the repository any more, or several commits begin with these digits."),
        (status = 410, description = "The repository has no such object any more."),
        (status = 502, description = "The repository, or the server that it is on, cannot be read.")))]
#[get("/api/v1/repositories/{id}/commits/{sha}/diff")]
pub(super) async fn get_commit_diff(
    _: Viewer,
    api: Data<Api>,
    at: Path<(Uuid, String)>,
    query: Query<DiffQuery>,
) -> Result<HttpResponse, ApiError> {
    let DiffQuery { parent, path } = query.into_inner();
    let is_one = path.is_some();
    let (changes, links) = changes(&api, at.into_inner(), parent, path.map_or(Part::Lines, Part::LinesOf)).await?;
    if is_one && changes.lines.is_empty() {
        let detail = "Take a path as GET …/files shows it, for the same parent.";
        return Err(ApiError::new(Code::PathUnchanged, detail));
    }
    let files = changes.lines.iter().map(|one| file_diff(one, &changes.files, &links)).collect();
    Ok(HttpResponse::Ok().json(CommitDiff { commit: compared(&changes.files), files }))
}

async fn changes(
    api: &Api,
    at: (Uuid, String),
    parent: Option<u16>,
    part: Part,
) -> Result<(std::sync::Arc<CommitChanges>, Rc<Templates>), ApiError> {
    let (repository, commit) = place(api, at).await?;
    let asked = Asked { commit, parent: parent.map(usize::from), part };
    let changes = commit_changes(&api.app, &repository, asked).await.map_err(problem)?;
    let links = PageLinks::of(api, [repository.integration]).await?;
    let (id, integration) = (repository.id.0, repository.integration.0);
    Ok((changes, links.at(&RepositoryName { id, name: repository.name, integration })))
}

/// Why nobody can be told of a commit.
pub(super) fn problem(trouble: DiffTrouble) -> ApiError {
    let detail = sentence(&trouble.to_string());
    match trouble {
        DiffTrouble::CommitUnknown { .. } => ApiError::new(Code::CommitUnknown, detail),
        DiffTrouble::NoSuchParent { parents } => ApiError::new(Code::ParentUnknown, detail).with("parents", parents),
        DiffTrouble::ObjectGone => ApiError::new(Code::ObjectGone, detail),
        DiffTrouble::Forgotten => ApiError::new(Code::RepositoryForgotten, detail),
        DiffTrouble::Unreadable { code, is_transient, .. } => {
            let reason = code.and_then(|code| serde_json::to_value(code).ok()).unwrap_or_default();
            let error = ApiError::new(Code::RepositoryUnreadable, detail).with("reason", reason);
            if is_transient { error.retry_after(10) } else { error }
        }
        DiffTrouble::Busy | DiffTrouble::HostBusy { .. } => ApiError::new(Code::Busy, detail).retry_after(2),
        DiffTrouble::Stopped => ApiError::new(Code::Busy, detail).retry_after(1),
    }
}

fn compared(files: &ChangedFiles) -> Compared {
    Compared {
        commit: files.commit.to_string(),
        parent: files.parent.map(|parent| parent.to_string()),
        parents: files.parents,
        total: files.total,
        more: files.endless,
        renames_limited: files.renames_limited,
    }
}

fn file(file: &ChangedFile, of: &ChangedFiles, links: &Templates) -> File {
    let at = if file.new.is_some() { Some(of.commit) } else { of.parent };
    let (status, similarity) = match file.status {
        Status::Added => ("added", None),
        Status::Modified => ("modified", None),
        Status::Deleted => ("deleted", None),
        Status::Renamed { percent } => ("renamed", Some(percent)),
        Status::TypeChanged => ("type_changed", None),
    };
    let (content, lines) = match file.content {
        Content::Text { added, removed } => ("text", Some((added, removed))),
        Content::Binary => ("binary", None),
        Content::TooLarge => ("too_large", None),
        Content::NotRead => ("not_read", None),
        Content::Absent => ("absent", None),
    };
    let side = |side: Side| FileSide { mode: format!("{:06o}", side.mode), id: side.id.to_string(), size: side.size };
    File {
        path: shown_path(&file.path),
        url: at.and_then(|at| links.file_url(&at.to_string(), &file.path)),
        old_path: file.old_path.as_deref().map(shown_path),
        status,
        similarity,
        old: file.old.map(side),
        new: file.new.map(side),
        content,
        added: lines.map(|(added, _)| added),
        removed: lines.map(|(_, removed)| removed),
    }
}

fn file_diff(shown: &FileHunks, of: &ChangedFiles, links: &Templates) -> FileDiff {
    let hunk = |hunk: &Hunk| DiffHunk {
        old_start: hunk.old_start,
        old_lines: hunk.old_lines,
        new_start: hunk.new_start,
        new_lines: hunk.new_lines,
        lines: hunk.lines.iter().map(line).collect(),
    };
    FileDiff { file: file(&shown.file, of, links), hunks: shown.hunks.iter().map(hunk).collect(), cut: shown.cut }
}

fn line(line: &Line) -> DiffLine {
    DiffLine {
        kind: match line.kind {
            LineKind::Context => "context",
            LineKind::Added => "added",
            LineKind::Removed => "removed",
        },
        old: line.old,
        new: line.new,
        text: line.text.clone(),
        cut: line.cut,
        no_newline: line.no_newline,
        changed: line.changed.clone(),
    }
}
