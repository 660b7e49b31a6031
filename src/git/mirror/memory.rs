//! What a mirror remembers of how it is filled. Written before a fetch, read by the next one. It never holds where the
//! mirror comes from: a program that is run inside it by a person must not be able to ask anybody.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

/// The file beside git's own.
const FILE: &str = "keytrail.json";

/// What is left out of a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Filter {
    /// Folders and files: only commits and tags are there.
    #[serde(rename = "tree:0")]
    Trees,
    /// Files.
    #[serde(rename = "blob:none")]
    Blobs,
    /// Nothing.
    #[serde(rename = "everything")]
    Everything,
}

impl Filter {
    /// How git calls it; `None` for no filter.
    pub const fn specification(self) -> Option<&'static str> {
        match self {
            Self::Trees => Some("tree:0"),
            Self::Blobs => Some("blob:none"),
            Self::Everything => None,
        }
    }

    /// What is asked for when this one is refused.
    pub(in crate::git) const fn next(self) -> Option<Self> {
        match self {
            Self::Trees => Some(Self::Blobs),
            Self::Blobs => Some(Self::Everything),
            Self::Everything => None,
        }
    }
}

/// Who fills a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransportKind {
    /// The git program.
    GitProgram,
    /// This process, with libgit2.
    InProcess,
}

/// How a mirror is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::git) struct Memory {
    pub(in crate::git) transport: TransportKind,
    pub(in crate::git) filter: Filter,
}

pub(super) fn read(mirror: &Path) -> io::Result<Option<Memory>> {
    match fs::read(mirror.join(FILE)) {
        // Replaced as a whole: what cannot be read is no accident of ours.
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn write(mirror: &Path, memory: Memory) -> io::Result<()> {
    // Configuration first: a mirror that promises to be filled later, and needs not, does no harm.
    super::replace(&mirror.join("config"), configuration(memory.filter).as_bytes())?;
    super::replace(&mirror.join(FILE), &serde_json::to_vec(&memory).map_err(io::Error::other)?)
}

/// git's own configuration of a mirror. The remote has no URL here; a fetch gives it.
pub(super) fn configuration(filter: Filter) -> String {
    let core = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n\tlogAllRefUpdates = false\n";
    match filter.specification() {
        None => core.to_owned(),
        Some(filter) => format!(
            "{core}[extensions]\n\tpartialClone = origin\n[remote \"origin\"]\n\tpromisor = true\n\tpartialclonefilter = {filter}\n"
        ),
    }
}
