//! The changed files of a commit, with renames and counts of lines, and the lines of one of them or all. Called after
//! trees were compared and files fetched; reads files within bounds, and says of each what was left out.

use keytrail_domain::index_run::batch::CommitSha;

use super::{
    Comparison, DiffBounds, DiffObjects,
    lines::{Budget, Hunk, count, hunks},
    renames, shown_path,
    similarity::is_binary,
};
use crate::git::GitError;

/// What a path is before or after a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// As git writes it: 100644, 100755 (octal) a file, 120000 a symbolic link, 160000 a submodule.
    pub mode: u32,
    /// The object; of a submodule a commit elsewhere.
    pub id: CommitSha,
    /// Bytes; `None` of a submodule, and of what is not here.
    pub size: Option<u64>,
}

impl Side {
    /// A commit of another repository, of which nothing is read.
    pub const fn is_submodule(&self) -> bool {
        self.mode == 0o160_000
    }

    /// A usual file: no link, no submodule.
    pub(super) const fn is_file(&self) -> bool {
        self.mode & 0o170_000 == 0o100_000
    }
}

/// What happened to a file. A copy is an added file, as it is for git unless it is asked for copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is new.
    Added,
    /// Its bytes or its permissions are others.
    Modified,
    /// It is gone.
    Deleted,
    /// It had another path.
    Renamed {
        /// How much of it stayed, in percent.
        percent: u8,
    },
    /// A file became a link or a submodule, or the other way round.
    TypeChanged,
}

/// What can be said of a file's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// It has lines.
    Text {
        /// Lines that are new.
        added: u32,
        /// Lines that are gone.
        removed: u32,
    },
    /// It has a NUL among its first 8,000 bytes.
    Binary,
    /// It is larger than what is read of one file.
    TooLarge,
    /// The commit changes more than what is read of one commit.
    NotRead,
    /// The repository does not have its bytes.
    Absent,
}

/// A changed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFile {
    /// Its path, or the one that it had when it is gone.
    pub path: Vec<u8>,
    /// The path that it had before a rename.
    pub old_path: Option<Vec<u8>>,
    /// What happened.
    pub status: Status,
    /// Before; `None` of one that is new.
    pub old: Option<Side>,
    /// After; `None` of one that is gone.
    pub new: Option<Side>,
    /// Its lines.
    pub content: Content,
}

/// What a commit changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFiles {
    /// The commit.
    pub commit: CommitSha,
    /// What it is compared with; `None` is nothing.
    pub parent: Option<CommitSha>,
    /// How many parents it has.
    pub parents: usize,
    /// The first of them, in the order of paths.
    pub files: Vec<ChangedFile>,
    /// How many there are.
    pub total: usize,
    /// There are more than `total`.
    pub endless: bool,
    /// There were too many deleted and added files to find all renames.
    pub renames_limited: bool,
}

/// The lines of a changed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHunks {
    /// Which.
    pub file: ChangedFile,
    /// The changed places, with three lines around each.
    pub hunks: Vec<Hunk>,
    /// There are more lines than the bounds of one answer.
    pub cut: bool,
}

impl ChangedFiles {
    /// Makes the list, or that of one path, which may be given as it is shown. What is not here by now is said to be
    /// absent.
    pub fn of(
        objects: &mut DiffObjects,
        compared: &Comparison,
        bounds: &DiffBounds,
        path: Option<&str>,
    ) -> Result<Self, GitError> {
        let found = renames::find(objects, &compared.changes, bounds)?;
        let mut of_new = std::collections::HashMap::new();
        let mut gone = std::collections::HashSet::new();
        for rename in found.renames {
            gone.insert(rename.old);
            of_new.insert(rename.new, rename);
        }
        let mut files = Vec::new();
        let mut read = 0;
        for (place, change) in compared.changes.iter().enumerate().filter(|(place, _)| !gone.contains(place)) {
            if files.len() == bounds.files {
                break;
            }
            if !is_meant(&change.path, path) {
                continue;
            }
            let rename = of_new.get(&place);
            let before = rename.map_or(change, |rename| &compared.changes[rename.old]);
            let mut file = ChangedFile {
                path: change.path.clone(),
                old_path: rename.map(|_| before.path.clone()),
                status: status(before.old, change.new, rename.map(|rename| rename.percent)),
                old: before.old,
                new: change.new,
                content: Content::Absent,
            };
            for side in [&mut file.old, &mut file.new].into_iter().flatten().filter(|side| !side.is_submodule()) {
                side.size = objects.size(side.id)?;
            }
            let sides = Sides::read(objects, &file, bounds, &mut read)?;
            file.content = sides.content;
            if let Content::Text { added, removed } = &mut file.content {
                (*added, *removed) = count(&sides.old, &sides.new)?;
            }
            files.push(file);
        }
        Ok(Self {
            commit: compared.commit,
            parent: compared.parent,
            parents: compared.parents,
            files,
            total: compared.changes.len() - gone.len(),
            endless: compared.endless,
            renames_limited: found.limited,
        })
    }

    /// The lines of these files, until the bounds of an answer are reached.
    pub fn hunks(&self, objects: &mut DiffObjects, bounds: &DiffBounds) -> Result<Vec<FileHunks>, GitError> {
        let mut budget = Budget::new(bounds);
        let mut read = 0;
        let mut shown = Vec::new();
        for file in &self.files {
            let sides = Sides::read(objects, file, bounds, &mut read)?;
            let (mut found, mut cut) = (Vec::new(), false);
            if matches!(sides.content, Content::Text { .. }) {
                (found, cut) = hunks(&sides.old, &sides.new, &mut budget)?;
            }
            shown.push(FileHunks { file: file.clone(), hunks: found, cut });
        }
        Ok(shown)
    }
}

/// Whether a path is the wanted one, or one that looks the same.
pub(super) fn is_meant(path: &[u8], wanted: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| path == wanted.as_bytes() || shown_path(path) == wanted)
}

fn status(old: Option<Side>, new: Option<Side>, percent: Option<u8>) -> Status {
    const KIND: u32 = 0o170_000;
    match (old, new, percent) {
        (_, _, Some(percent)) => Status::Renamed { percent },
        (None, _, _) => Status::Added,
        (_, None, _) => Status::Deleted,
        (Some(old), Some(new), _) if old.mode & KIND != new.mode & KIND => Status::TypeChanged,
        _ => Status::Modified,
    }
}

/// The bytes of a file before and after.
struct Sides {
    old: Vec<u8>,
    new: Vec<u8>,
    content: Content,
}

impl Sides {
    /// `read` counts bytes over all files of a commit.
    fn read(
        objects: &mut DiffObjects,
        file: &ChangedFile,
        bounds: &DiffBounds,
        read: &mut u64,
    ) -> Result<Self, GitError> {
        let without = |content| Self { old: Vec::new(), new: Vec::new(), content };
        let unknown = Content::Text { added: 0, removed: 0 };
        // Nothing but the mode or the name changed: nobody needs the bytes.
        if let (Some(old), Some(new)) = (file.old, file.new)
            && old.id == new.id
        {
            return Ok(without(unknown));
        }
        let sizes = [file.old, file.new].into_iter().flatten().filter_map(|side| side.size);
        if sizes.clone().any(|size| size > bounds.file_bytes) {
            return Ok(without(Content::TooLarge));
        }
        *read += sizes.sum::<u64>();
        if *read > bounds.all_bytes {
            return Ok(without(Content::NotRead));
        }
        let (Some(old), Some(new)) = (bytes(objects, file.old)?, bytes(objects, file.new)?) else {
            return Ok(without(Content::Absent));
        };
        if is_binary(&old) || is_binary(&new) {
            return Ok(without(Content::Binary));
        }
        Ok(Self { old, new, content: unknown })
    }
}

/// Of nothing there are none; a submodule is the line that git makes of it.
fn bytes(objects: &mut DiffObjects, side: Option<Side>) -> Result<Option<Vec<u8>>, GitError> {
    match side {
        None => Ok(Some(Vec::new())),
        Some(side) if side.is_submodule() => Ok(Some(format!("Subproject commit {}\n", side.id).into_bytes())),
        Some(side) => objects.file(side.id),
    }
}
