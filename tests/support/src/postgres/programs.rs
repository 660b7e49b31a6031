//! Where PostgreSQL's programs are, and as whom they run: the server refuses to run as root.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The folder with `initdb`, `pg_ctl` and `postgres`, and the user to run them as.
pub(super) struct Programs {
    folder: PathBuf,
    /// `None`: as whoever runs the tests.
    pub(super) user: Option<(u32, u32)>,
}

impl Programs {
    /// Looks along `PATH`, then where Debian puts them, newest version first.
    ///
    /// # Panics
    /// When they are not there, or when root finds no other user to run them as.
    #[expect(clippy::disallowed_methods, reason = "programs are found along PATH")]
    pub(super) fn find() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
            .collect();
        versions.sort();
        folders.extend(versions.into_iter().rev().map(|(_, folder)| folder));
        let complete =
            |folder: &&PathBuf| ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).exists());
        let folder = folders.iter().find(complete).cloned().unwrap_or_else(|| {
            panic!(
                "these tests need PostgreSQL 15 or newer and found no initdb, pg_ctl and postgres on PATH or in \
                 /usr/lib/postgresql: install the Debian package `postgresql` (apt-get install postgresql), or name a \
                 running cluster in {}",
                super::SHARED
            )
        });
        // They find each other and their libraries from where they really are.
        let folder = folder
            .join("postgres")
            .canonicalize()
            .ok()
            .and_then(|file| file.parent().map(Path::to_owned))
            .unwrap_or(folder);
        Self { folder, user: user() }
    }

    /// A command that runs one of them as the right user, without input, with its output kept.
    pub(super) fn command(&self, program: &str) -> Command {
        self.as_user(&self.path(program))
    }

    pub(super) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }

    pub(super) fn as_user(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command.stdin(Stdio::null()).current_dir("/");
        command
    }
}

/// Somebody to run as when we are root.
fn user() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let me = std::fs::metadata("/proc/self").expect("/proc tells who we are").uid();
    if me != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("root can read the list of users");
    let find = |name: &str| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(name)).then_some(())?;
            Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
        })
    };
    let found = find("postgres").or_else(|| find("nobody"));
    assert!(found.is_some(), "PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`");
    found
}
