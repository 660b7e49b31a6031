//! Programs that tests start and that end with their value, and at the latest with this process, however it ends. Called
//! by the fixtures of servers.

use std::{
    ffi::OsStr,
    io,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
};

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
