//! Where servers that tests start are: along PATH, then where Debian puts them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The programs of a web server before git.
pub(super) struct Programs {
    pub(super) nginx: PathBuf,
    pub(super) fcgiwrap: PathBuf,
    pub(super) http_backend: PathBuf,
}

impl Programs {
    /// # Panics
    /// When one is missing.
    pub(super) fn find() -> Self {
        let output = Command::new("git").arg("--exec-path").output().expect("git is on PATH");
        let folder = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        let http_backend = Path::new(&folder).join("git-http-backend");
        assert!(http_backend.exists(), "git has no git-http-backend in {folder}: install the whole of git");
        Self { nginx: program("nginx", "nginx-light"), fcgiwrap: program("fcgiwrap", "fcgiwrap"), http_backend }
    }
}

/// A program, by its name and the Debian package that brings it.
///
/// # Panics
/// When it is missing.
#[expect(clippy::disallowed_methods, reason = "programs are found along PATH")]
pub(crate) fn program(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // The second is on the path of root only.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file()).unwrap_or_else(|| {
        panic!("these tests need {name} and found none on PATH: install the Debian package {package}")
    })
}
