//! A PostgreSQL cluster of the bench's own: fsync on, reached by a socket in a temporary folder, gone with the value.

use std::{
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What is durable must be: nothing here makes the server faster than it is.
const SETTINGS: &str = "\nlisten_addresses = ''\nmax_connections = 200\nfsync = on\nsynchronous_commit = on\n\
                        full_page_writes = on\nshared_buffers = 256MB\nmax_wal_size = 2GB\n";

/// A running cluster.
pub(crate) struct Cluster {
    programs: PathBuf,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// Makes and starts one; `None` when there is no PostgreSQL here.
    pub(crate) fn start() -> Option<Self> {
        let programs = programs()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        if let Some(user) = other_user() {
            chown(folder.path(), Some(user), Some(user)).expect("root may give a folder away");
        }
        let cluster = Self { programs, folder };
        cluster.run("initdb", &["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username=keytrail"]);
        let file = cluster.folder.path().join("data/postgresql.conf");
        let defaults = std::fs::read_to_string(&file).expect("initdb writes the settings");
        let sockets = format!("unix_socket_directories = '{}'\n", cluster.folder.path().display());
        std::fs::write(&file, [&defaults, SETTINGS, &sockets].concat()).expect("they can be written");
        let log = cluster.folder.path().join("server.log").display().to_string();
        cluster.run("pg_ctl", &["start", "--wait", "--silent", "--log", &log]);
        Some(cluster)
    }

    /// A new, empty database.
    pub(crate) async fn database(&self, name: &str) -> String {
        let url = |name: &str| format!("postgres://keytrail@localhost/{name}?host={}", self.folder.path().display());
        let server = sqlx::PgPool::connect(&url("postgres")).await.expect("the cluster answers");
        sqlx::query(&format!("CREATE DATABASE {name}")).execute(&server).await.expect("a database can be made");
        server.close().await;
        url(name)
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).arg("--pgdata").arg(self.folder.path().join("data"));
        command.current_dir(self.folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(user) = other_user() {
            command.uid(user).gid(user);
        }
        let status = command.status().expect("the programs of PostgreSQL can be run");
        assert!(status.success(), "{program} ended with {status}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.run("pg_ctl", &["stop", "--mode", "immediate", "--silent"]);
    }
}

/// Where `initdb` and `pg_ctl` are.
fn programs() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.insert(0, "/usr/local/pgsql/bin".into());
    folders.into_iter().rev().find(|folder| folder.join("initdb").exists())
}

/// PostgreSQL does not run as root: somebody who is nobody.
fn other_user() -> Option<u32> {
    const NOBODY: u32 = 65_534;
    let ours = std::fs::metadata(Path::new("/proc/self")).ok()?;
    (std::os::unix::fs::MetadataExt::uid(&ours) == 0).then_some(NOBODY)
}
