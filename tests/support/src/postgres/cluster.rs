//! A cluster in a temporary folder, reached by a socket in it. However the process ends, a keeper beside it stops the
//! server and removes the folder.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use super::programs::Programs;

/// The superuser of our clusters.
const USER: &str = "keytrail";

/// How a cluster of ours can be told from somebody else's.
pub(super) const NAME: &str = "keytrail-test";

/// What is durable must be: nothing here makes the server faster than it is.
const SETTINGS: &str = "
cluster_name = 'keytrail-test'
listen_addresses = ''
max_connections = 200
fsync = on
synchronous_commit = on
full_page_writes = on
shared_buffers = 64MB
max_wal_size = 4GB
checkpoint_timeout = 1h
log_min_messages = warning
logging_collector = off
";

/// A running PostgreSQL that belongs to this process.
pub struct Cluster {
    programs: Programs,
    folder: PathBuf,
    /// Ends when its input does: at the latest with this process.
    keeper: Mutex<Option<Child>>,
}

impl Cluster {
    /// Makes and starts one.
    ///
    /// # Panics
    /// When it does not start: with what its programs said.
    pub fn start() -> Self {
        let programs = Programs::find();
        let folder =
            tempfile::Builder::new().prefix("keytrail-postgres-").tempdir().expect("a temporary folder").keep();
        if let Some((user, group)) = programs.user {
            std::os::unix::fs::chown(&folder, Some(user), Some(group)).expect("root may give a folder away");
        }
        let mut initdb = programs.command("initdb");
        initdb.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--username", USER]).args(collation(&programs));
        run(initdb.arg("--pgdata").arg(folder.join("data")));
        let settings = folder.join("data/postgresql.conf");
        let defaults = std::fs::read_to_string(&settings).expect("initdb writes the settings");
        let sockets = format!("unix_socket_directories = '{}'\n", folder.display());
        std::fs::write(&settings, [&defaults, SETTINGS, &sockets].concat()).expect("we may write the settings");
        let keeper = keeper(&programs, &folder);
        let cluster = Self { programs, folder, keeper: Mutex::new(Some(keeper)) };
        cluster.start_again();
        cluster
    }

    /// The URL of one of its databases; `postgres` is there from the beginning.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@localhost/{database}?host={}", self.folder.display())
    }

    /// Starts a server that was killed; it recovers what was committed.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&self) {
        run(self.control("start").arg("--log").arg(self.folder.join("server.log")));
    }

    /// Ends all sessions as a power failure would, and starts the server again.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart_at_once(&self) {
        run(self.control("restart").args(["--mode", "immediate", "--log"]).arg(self.folder.join("server.log")));
    }

    /// Kills the server: nobody is told. [`Self::start_again`] brings it back.
    ///
    /// # Panics
    /// When it cannot be killed, or does not end.
    pub fn kill(&self) {
        let file = self.folder.join("data/postmaster.pid");
        let text = std::fs::read_to_string(&file).expect("a running server names itself");
        let server = text.lines().next().expect("its id is in the first line");
        run(self.programs.command("pg_ctl").args(["kill", "KILL", server]));
        let since = Instant::now();
        while Path::new(&format!("/proc/{server}/fd")).exists() {
            assert!(since.elapsed() < Duration::from_secs(10), "the server {server} was killed and did not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What the server wrote, for the message of a test that fails.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("server.log")).unwrap_or_default()
    }

    fn control(&self, action: &str) -> Command {
        let mut command = self.programs.command("pg_ctl");
        command.args([action, "--wait", "--silent", "--pgdata"]).arg(self.folder.join("data"));
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let keeper = self.keeper.get_mut().ok().and_then(Option::take);
        if let Some(mut keeper) = keeper {
            drop(keeper.stdin.take());
            // A keeper that was killed has nothing more to say.
            let _ = keeper.wait();
        }
    }
}

/// Databases sort as people do where that can be had: a column that forgets to sort bytewise is then found out.
fn collation(programs: &Programs) -> &'static [&'static str] {
    let help = programs.command("initdb").arg("--help").output().map(|output| output.stdout).unwrap_or_default();
    if String::from_utf8_lossy(&help).contains("--icu-locale") {
        &["--locale=C", "--locale-provider=icu", "--icu-locale=en-US"]
    } else {
        &["--locale=C"]
    }
}

fn keeper(programs: &Programs, folder: &Path) -> Child {
    const SCRIPT: &str = "cat; \"$0\" stop --silent --mode immediate --pgdata \"$1/data\"; rm -rf \"$1\"";
    programs
        .as_user(Path::new("/bin/sh"))
        .args(["-c", SCRIPT])
        .arg(programs.path("pg_ctl"))
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C ends the tests; their server is stopped after them.
        .process_group(0)
        .spawn()
        .expect("a shell starts")
}

fn run(command: &mut Command) {
    // The server outlives the command: it must not hold on to a pipe that is read here.
    let words = tempfile::tempfile().expect("a temporary file");
    let both = || words.try_clone().expect("a file has more than one handle");
    let status = command.stdout(both()).stderr(both()).status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    if !status.success() {
        use std::os::unix::fs::FileExt;
        let mut text = vec![0; 16 * 1024];
        let read = words.read_at(&mut text, 0).unwrap_or_default();
        panic!("{command:?} ended with {status}: {}", String::from_utf8_lossy(&text[..read]));
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, PgConnection};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_killed_cluster_comes_back_with_what_was_committed() {
        let cluster = Cluster::start();
        let mut connection = PgConnection::connect(&cluster.url("postgres")).await.expect("a connection");
        sqlx::raw_sql("CREATE TABLE t (n BIGINT); INSERT INTO t VALUES (7)")
            .execute(&mut connection)
            .await
            .expect("SQL");
        cluster.kill();
        assert!(PgConnection::connect(&cluster.url("postgres")).await.is_err(), "it is dead");
        cluster.start_again();
        let mut connection = PgConnection::connect(&cluster.url("postgres")).await.expect("a connection");
        let found: i64 = sqlx::query_scalar("SELECT n FROM t").fetch_one(&mut connection).await.expect("a row");
        assert_eq!(found, 7);
        cluster.restart_at_once();
        assert!(sqlx::query("SELECT 1").execute(&mut connection).await.is_err(), "the session is gone");
        let folder = cluster.folder.clone();
        drop(cluster);
        assert!(!folder.exists(), "nothing is left behind");
    }
}
