//! Programs that tests start and that end with their value, and at the latest with this process, however it ends. Called
//! by the fixtures of servers.

use std::{
    ffi::OsStr,
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a server may take to listen, or to be gone.
const WITHIN: Duration = Duration::from_secs(20);

/// Ends the server when its input ends, and before it what serves its connections: each of them left the group.
const SERVING: &str = "\
    exec 3<&0; \
    tree() { for child in $(cat /proc/$1/task/$1/children 2>/dev/null); do tree $child; done; kill -KILL $1 2>/dev/null; }; \
    \"$@\" 3<&- & daemon=$!; \
    (cat <&3 >/dev/null; tree $daemon; kill -KILL 0) & \
    wait $daemon; kill -KILL 0";

/// A shell that waits for the end of its input, and ends what it started when that comes.
pub(crate) struct ProcessGroup(Child);

impl ProcessGroup {
    /// Runs a script of `/bin/sh` in a process group of its own; `arguments` are its `$0`, `$1` and so on. The script ends
    /// its group when its input ends.
    pub(crate) fn start<A: AsRef<OsStr>>(
        script: &str,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(&str, &str)],
    ) -> io::Result<Self> {
        Command::new("/bin/sh")
            .args(["-c", script])
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map(Self)
    }

    /// Runs a server that forks for each connection, and waits until it listens on this port of 127.0.0.1. `None` where it
    /// ends before, as when somebody took the port.
    pub(crate) fn serving(words: &[&str], environment: &[(&str, &str)], port: u16) -> io::Result<Option<Self>> {
        let mut group = Self::start(SERVING, ["sh"].iter().chain(words), environment)?;
        let since = Instant::now();
        while since.elapsed() < WITHIN {
            if group.has_ended()? {
                return Ok(None);
            }
            if is_open(port) && !group.has_ended()? {
                return Ok(Some(group));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(None)
    }

    /// Whether it ended by itself.
    pub(crate) fn has_ended(&mut self) -> io::Result<bool> {
        self.0.try_wait().map(|status| status.is_some())
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // One that was killed has nothing more to say.
        let _ = self.0.wait();
    }
}

/// A port of 127.0.0.1 that nobody has. Another program may take it before it is used.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Waits until nobody listens there: what was killed is gone a moment later.
pub(crate) fn wait_until_closed(port: u16) {
    let since = Instant::now();
    while since.elapsed() < WITHIN && is_open(port) {
        thread::sleep(Duration::from_millis(5));
    }
}

/// What a program printed, which must end well.
pub(crate) fn said(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complained = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("{}: {complained}", command.get_program().to_string_lossy())))
}

fn is_open(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}
