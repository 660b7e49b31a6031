//! Where a node keeps what can be made again of repositories: copies, what runs remember of commits, files of diffs. The
//! only place that names them.

use std::path::{Path, PathBuf};

use keytrail_domain::id::RepositoryId;

/// The folder of caches of this node.
#[derive(Clone, Debug)]
pub struct Caches(PathBuf);

impl Caches {
    /// In this folder, which exists.
    pub const fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// All of them.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The commits of a repository that were looked at.
    pub fn graph(&self, repository: RepositoryId) -> PathBuf {
        self.0.join(format!("{repository}.graph"))
    }

    /// The copies of repositories.
    pub fn mirrors(&self) -> PathBuf {
        self.0.join("mirrors")
    }

    /// The copy of a repository.
    pub fn mirror(&self, repository: RepositoryId) -> PathBuf {
        self.mirrors().join(format!("{repository}.git"))
    }

    /// What belongs to connections over SSH that are open: sockets, and public halves. Nothing in it outlives them.
    pub fn ssh(&self) -> PathBuf {
        self.0.join("ssh")
    }

    /// Files and folders that were fetched for diffs.
    pub fn objects(&self) -> PathBuf {
        self.0.join("objects")
    }

    /// Those of a repository.
    pub fn objects_of(&self, repository: RepositoryId) -> PathBuf {
        self.objects().join(format!("{repository}.git"))
    }
}
