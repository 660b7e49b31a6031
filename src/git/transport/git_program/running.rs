//! Runs one call of the git program, and ends it with all its children when it is dropped or told to. Called by the
//! fetch and by `tend`. It holds a bounded part of what the program says, and decides nothing about it.

use std::{future::Future, io, path::Path, process::ExitStatus, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStderr},
    runtime::Handle,
    sync::OwnedSemaphorePermit,
    time::MissedTickBehavior,
};

use super::{invocation::Invocation, memory};

/// How often whoever watches is asked.
pub(super) const TICK: Duration = Duration::from_millis(50);
/// How long a process that was killed is waited for.
const DIES: Duration = Duration::from_secs(5);
/// What is kept of the standard output; the rest is read and dropped.
const MOST_OUTPUT: usize = 64 * 1024 * 1024;

/// How a call ended.
pub(in crate::git) struct Ending {
    pub(in crate::git) success: bool,
    pub(in crate::git) stdout: Vec<u8>,
    /// The end came by this signal and not by us.
    pub(in crate::git) signal: Option<i32>,
}

/// Looks at a running call.
pub(in crate::git) trait Watch {
    /// Why it was stopped.
    type Stop;
    /// A part of what it says on its standard error.
    fn said(&mut self, bytes: &[u8]) -> Result<(), Self::Stop>;
    /// Comes about every 50 ms.
    fn tick(&mut self) -> Result<(), Self::Stop>;
}

/// The call could not be made, or was stopped.
pub(in crate::git) enum Unended<S> {
    System(io::Error),
    Stopped(S),
}

/// Ends all processes of a group when it is dropped.
pub(in crate::git) struct Group(Option<rustix::process::Pid>);

impl Group {
    pub(in crate::git) fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())))
    }

    /// The leader has ended by itself: its id may be another's soon.
    pub(in crate::git) fn ended(&mut self) {
        self.0 = None;
    }

    /// Ends all of them.
    pub(in crate::git) fn kill(&mut self) {
        if let Some(group) = self.0.take() {
            // It may have ended meanwhile.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }

    /// Which; `None` once it has ended.
    pub(in crate::git) const fn id(&self) -> Option<rustix::process::Pid> {
        self.0
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The processes of a call, and the place at a host that they have. They are ended with the value.
struct Processes {
    group: Group,
    /// Where all of them say what goes wrong; until it is known that none is left.
    stderr: Option<ChildStderr>,
    place: Option<Arc<OwnedSemaphorePermit>>,
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.group.kill();
        if let (Some(mut stderr), Some(place), Ok(runtime)) =
            (self.stderr.take(), self.place.take(), Handle::try_current())
        {
            // What is killed has its connection for a moment more, and no child of ours has it. This has an end when the
            // last of them is gone.
            runtime.spawn(async move {
                let mut rest = [0; 1024];
                while let Ok(1..) = stderr.read(&mut rest).await {}
                drop(place);
            });
        }
    }
}

/// Makes the call. When it is stopped, or the future is dropped, no process of it is left.
pub(in crate::git) async fn run<W: Watch>(
    program: &Path,
    invocation: &Invocation,
    watch: &mut W,
) -> Result<Ending, Unended<W::Stop>> {
    let mut child = invocation.command(program).spawn().map_err(Unended::System)?;
    let (group, stderr) = (Group::of(&child), child.stderr.take());
    let mut processes = Processes { group, stderr, place: invocation.place.clone() };
    if let Some(attendant) = &invocation.attendant {
        attendant.send_replace(processes.group.0);
    }
    if let (Some(bytes), Some(group)) = (invocation.memory, processes.group.0) {
        // Whom nobody holds does not run: the drop ends it.
        memory::hold(group, bytes).map_err(Unended::System)?;
    }
    let mut input = child.stdin.take();
    let (Some(mut stdout), Some(stderr)) = (child.stdout.take(), processes.stderr.as_mut()) else {
        return Err(Unended::System(io::Error::other("the program has no output")));
    };
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let feed = async move {
        if let Some(input) = &mut input {
            // Who does not read to the end says why elsewhere.
            let _ = input.write_all(&invocation.input).await;
        }
        drop(input);
    };
    let output = async move {
        let mut kept = Vec::new();
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = stdout.read(&mut buffer).await {
            let room = MOST_OUTPUT.saturating_sub(kept.len()).min(count);
            kept.extend_from_slice(&buffer[..room]);
        }
        kept
    };
    let rest = async { tokio::join!(feed, output).1 };
    let ended = watched(rest, stderr, &mut ticks, watch).await;
    let stdout = match ended {
        Ok(stdout) => stdout,
        Err(stop) => {
            drop(processes);
            dead(&mut child).await;
            return Err(Unended::Stopped(stop));
        }
    };
    // Whoever had the other end is gone, but for who closed it and goes on.
    processes.stderr = None;
    let status = wait(&mut child, &mut ticks, watch).await;
    match status {
        Ok(status) => {
            processes.group.ended();
            use std::os::unix::process::ExitStatusExt as _;
            Ok(Ending { success: status.success(), stdout, signal: status.signal() })
        }
        Err(unended) => {
            drop(processes);
            dead(&mut child).await;
            Err(unended)
        }
    }
}

/// Waits for the leader only to leave no dead entry. It cannot resist, but the kernel may have it wait for a file system that
/// does not answer; then it is gone when that does.
async fn dead(child: &mut Child) {
    let _ = tokio::time::timeout(DIES, child.wait()).await;
}

/// Until both outputs are closed.
async fn watched<W: Watch, T>(
    rest: impl Future<Output = T>,
    stderr: &mut (impl AsyncRead + Unpin),
    ticks: &mut tokio::time::Interval,
    watch: &mut W,
) -> Result<T, W::Stop> {
    let mut rest = std::pin::pin!(rest);
    let (mut output, mut silent) = (None, false);
    let mut buffer = vec![0; 16 * 1024];
    loop {
        if silent && let Some(output) = output.take() {
            return Ok(output);
        }
        tokio::select! {
            done = &mut rest, if output.is_none() => output = Some(done),
            count = stderr.read(&mut buffer), if !silent => match count {
                Ok(count @ 1..) => watch.said(&buffer[..count])?,
                Ok(0) | Err(_) => silent = true,
            },
            _ = ticks.tick() => watch.tick()?,
        }
    }
}

/// A program that closed its outputs may still go on.
async fn wait<W: Watch>(
    child: &mut Child,
    ticks: &mut tokio::time::Interval,
    watch: &mut W,
) -> Result<ExitStatus, Unended<W::Stop>> {
    loop {
        tokio::select! {
            status = child.wait() => return status.map_err(Unended::System),
            _ = ticks.tick() => watch.tick().map_err(Unended::Stopped)?,
        }
    }
}

/// What a short call writes to its standard output.
pub(in crate::git) async fn output(program: &Path, invocation: &Invocation, takes: Duration) -> io::Result<Ending> {
    struct Deaf;
    impl Watch for Deaf {
        type Stop = std::convert::Infallible;
        fn said(&mut self, _: &[u8]) -> Result<(), Self::Stop> {
            Ok(())
        }
        fn tick(&mut self) -> Result<(), Self::Stop> {
            Ok(())
        }
    }
    match tokio::time::timeout(takes, run(program, invocation, &mut Deaf)).await {
        Ok(Ok(ending)) => Ok(ending),
        Ok(Err(Unended::System(error))) => Err(error),
        Ok(Err(Unended::Stopped(never))) => match never {},
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
