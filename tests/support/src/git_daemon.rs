//! A real `git daemon`: the server of `git://`. Called by tests of fetching; however the process ends, nothing of it is
//! left behind.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::process_group::ProcessGroup;

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
    group: ProcessGroup,
    port: u16,
}

impl GitDaemon {
    /// Serves every repository below this folder, on a free port of 127.0.0.1.
    pub fn start(root: &Path) -> io::Result<Self> {
        for _ in 0..5 {
            // Another program may take the port between this line and the next.
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            let mut arguments = vec!["sh", "-c", "safe.directory=*", "-c", "uploadpack.allowFilter=true"];
            arguments.extend(["daemon", "--reuseaddr", "--listen=127.0.0.1", "--export-all"]);
            let (port_option, folder) = (format!("--port={port}"), format!("--base-path={}", root.display()));
            arguments.extend([port_option.as_str(), &folder]);
            let environment = [("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")];
            let mut daemon = Self { group: ProcessGroup::start(SCRIPT, arguments, &environment)?, port };
            if daemon.listens()? {
                return Ok(daemon);
            }
        }
        Err(io::Error::other("git daemon does not listen; is it installed beside git?"))
    }

    fn listens(&mut self) -> io::Result<bool> {
        let since = Instant::now();
        while since.elapsed() < STARTS_WITHIN {
            if self.group.has_ended()? {
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
