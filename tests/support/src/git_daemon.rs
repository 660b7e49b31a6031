//! A real `git daemon`: the server of `git://`. Called by tests of fetching; however the process ends, nothing of it is
//! left behind.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long the daemon may take to listen.
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// Ends the whole group when its input ends, which it does with our process, or when the daemon does.
const SCRIPT: &str = "\
    exec 3<&0; \
    git \"$@\" 3<&- & daemon=$!; \
    (cat <&3 >/dev/null; kill -KILL 0) & \
    wait $daemon; kill -KILL 0";

/// A running daemon.
pub struct GitDaemon {
    child: Child,
    port: u16,
}

impl GitDaemon {
    /// Serves every repository below this folder, on a free port of 127.0.0.1.
    pub fn start(root: &Path) -> io::Result<Self> {
        for _ in 0..5 {
            // Another program may take the port between this line and the next.
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            let child = Command::new("/bin/sh")
                .args(["-c", SCRIPT, "sh"])
                .args(["-c", "safe.directory=*", "-c", "uploadpack.allowFilter=true"])
                .args(["daemon", "--reuseaddr", "--listen=127.0.0.1", "--export-all"])
                .args([format!("--port={port}"), format!("--base-path={}", root.display())])
                .env("GIT_CONFIG_NOSYSTEM", "1")
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()?;
            let mut daemon = Self { child, port };
            if daemon.listens()? {
                return Ok(daemon);
            }
        }
        Err(io::Error::other("git daemon does not listen; is it installed beside git?"))
    }

    fn listens(&mut self) -> io::Result<bool> {
        let since = Instant::now();
        while since.elapsed() < STARTS_WITHIN {
            if self.child.try_wait()?.is_some() {
                return Ok(false);
            }
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(false)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The URL of a repository below the root.
    pub fn url(&self, name: &str) -> String {
        format!("git://127.0.0.1:{}/{name}", self.port)
    }
}

impl Drop for GitDaemon {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
