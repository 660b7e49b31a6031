//! A fetch by the git program. Called by the fetch of the transports, which holds the mirror's lock; it moves no ref,
//! and leaves nothing running.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use keytrail_domain::{index_run::batch::CommitSha, remote_url::Scheme};

use super::{
    GitProgram,
    invocation::Invocation,
    progress_line::{Lines, ProgressLine},
    running::{self, TICK, Unended, Watch},
    said,
    source::{self, Reached},
};
use crate::git::{
    GitError,
    mirror::{Filter, Pack},
    remote::RemoteTrouble,
    ssh::{Door, Knocking},
    transport::{
        FetchError, FetchPhase,
        fetch::{Attempt, FetchRequest, FetchSource, Fetched},
        in_process,
        pace::Pace,
        room,
    },
};

/// What is kept of lines that tell no progress, from the first on.
const MOST_SAID: usize = 16 * 1024;
/// A server that says more than this says it to keep us busy.
const MOST_HEARD: u64 = 256 * 1024 * 1024;
/// What git says when the server knows no filter at all; it then fetches everything.
const IGNORES_FILTERS: &str = "filtering not recognized by server";

/// What comes with an object that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::git::transport) enum Behind {
    /// The history of a commit. The other side has all of it, or is refused as a shallow clone.
    Everything,
    /// So many generations of a commit, itself included.
    Generations(u8),
    /// It is no commit.
    Nothing,
}

/// Fetches these objects, and what is behind them.
pub(in crate::git::transport) async fn fetch(
    program: &GitProgram,
    request: &FetchRequest<'_>,
    missing: &BTreeSet<CommitSha>,
    filter: Filter,
    behind: Behind,
) -> Result<Attempt, GitError> {
    let remote = match request.source {
        FetchSource::Remote(remote) if remote.url.scheme() == Scheme::Ssh => remote,
        FetchSource::Remote(_) | FetchSource::Local(_) => {
            return once(program, request, (missing, filter, behind), None).await;
        }
    };
    // Over SSH by one key after the other; the listing before has told which one is taken.
    let mut knocking = Knocking::at(remote).await?;
    loop {
        let door = tokio::select! {
            door = knocking.door() => door?,
            () = cancelled(request.cancel) => return Err(GitError::Cancelled),
        };
        let fetched = once(program, request, (missing, filter, behind), Some(&door)).await;
        let is_in = match &fetched {
            Ok(_) => true,
            Err(GitError::Remote(error)) => !matches!(
                error.trouble,
                RemoteTrouble::SshAuthFailed | RemoteTrouble::ConnectionLost | RemoteTrouble::Silent
            ),
            Err(_) => false,
        };
        if door.has_signed() && is_in {
            knocking.taken(&door);
        }
        match fetched {
            Err(GitError::Remote(error)) => knocking.failed(door, error.trouble)?,
            fetched => {
                // Also where it ended for a reason of ours.
                knocking.offered(&door);
                return fetched;
            }
        }
    }
}

/// One call of the program.
async fn once(
    program: &GitProgram,
    request: &FetchRequest<'_>,
    (missing, filter, behind): (&BTreeSet<CommitSha>, Filter, Behind),
    door: Option<&Door>,
) -> Result<Attempt, GitError> {
    let mirror = request.mirror;
    let before = mirror.whole_packs()?;
    let mut invocation = Invocation::new([
        "fetch",
        "--progress",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-auto-maintenance",
        "--no-recurse-submodules",
        "--no-show-forced-updates",
        "--stdin",
    ]);
    if let Some(filter) = filter.specification() {
        invocation = invocation.argument(format!("--filter={filter}"));
    }
    invocation = match behind {
        // Over some protocols git says nothing of it when the other side is a shallow clone. Told to take what that
        // gives, it always writes down where its history ends.
        Behind::Everything => invocation.argument("--update-shallow"),
        Behind::Generations(generations) => invocation.argument(format!("--depth={generations}")),
        Behind::Nothing => invocation,
    };
    // Objects by their names, without a ref to write: the server's refs are not listed again, and 23,000 of them fit.
    let names: String = missing.iter().map(|sha| format!("{sha}\n")).collect();
    let invocation = invocation.argument("--end-of-options").argument("origin").on(mirror.path());
    let invocation = invocation.within(request.limits.memory_bytes);
    source::compares_keys(program, request).await?;
    let Reached { invocation } = source::reach(invocation.input(names.into_bytes()), request, door).await?;
    let mut watch = FetchWatch::new(request, filter);
    let ending = match running::run(&program.path, &invocation, &mut watch).await {
        Ok(ending) => ending,
        Err(Unended::Stopped(Stop::FilterRefused)) => return Ok(Attempt::FilterRefused),
        Err(unended) => return Err(unended.into()),
    };
    let said = watch.said();
    if behind == Behind::Everything && mirror.is_cut() {
        return Err(match request.source {
            FetchSource::Remote(remote) => remote.trouble(RemoteTrouble::Shallow),
            FetchSource::Local(source) => GitError::Shallow { path: source.path().to_owned() },
        });
    }
    if !ending.success {
        if filter.specification().is_some() && said::refuses_filter(&said) {
            return Ok(Attempt::FilterRefused);
        }
        if ending.signal.is_some() {
            return Err(GitError::transient("running the git program", io::Error::other("it was killed")));
        }
        if let (Some(door), FetchSource::Remote(remote)) = (door, request.source)
            && let Some(trouble) = door.trouble_of_git(&said)
        {
            return Err(remote.trouble(trouble));
        }
        return Err(because(said::error(&said, request), request).await);
    }
    let new: Vec<Pack> = mirror.whole_packs()?.difference(&before).cloned().collect();
    // A pack without objects has 32 bytes.
    let has_objects = new.iter().any(|(_, bytes)| *bytes > 32);
    if request.progress.total() == 0 && (has_objects || has_loose_objects(mirror.path())?) {
        // The program downloads files, one by one and unfiltered, from a server that cannot do better.
        if let FetchSource::Remote(remote) = request.source {
            return Err(remote.trouble(RemoteTrouble::DumbServer));
        }
    }
    let bytes = new.iter().map(|(_, bytes)| bytes).sum();
    request.progress.set_bytes(bytes);
    // It may have come faster than anybody looked.
    room::check_quota(bytes, request.limits.quota_bytes)?;
    Ok(Attempt::Done(Fetched { bytes, objects: request.progress.objects() }))
}

/// What our own client says of a server that the program failed with: it tells more apart, and knows whoever asks a
/// proxy or another TLS library. The program's word stands for what it met while objects came.
async fn because(said: GitError, request: &FetchRequest<'_>) -> GitError {
    let of_server = matches!(said, GitError::Remote(_) | GitError::Fetch(FetchError::Refused { .. }));
    match request.source {
        FetchSource::Remote(remote) if of_server && matches!(remote.url.scheme(), Scheme::Http | Scheme::Https) => {
            tokio::select! {
                told = in_process::diagnose(remote, request) => told.unwrap_or(said),
                () = cancelled(request.cancel) => GitError::Cancelled,
            }
        }
        _ => said,
    }
}

async fn cancelled(cancel: &AtomicBool) {
    while !cancel.load(Ordering::Relaxed) {
        tokio::time::sleep(TICK).await;
    }
}

/// Objects outside packs, which a fetch never makes here.
fn has_loose_objects(mirror: &Path) -> Result<bool, GitError> {
    let folder = mirror.join("objects");
    let mut entries = fs::read_dir(&folder).map_err(|error| GitError::of_path(&folder, "listing objects", error))?;
    Ok(entries.any(|entry| entry.is_ok_and(|entry| entry.file_name().len() == 2)))
}

/// Why a fetch is stopped.
pub(super) enum Stop {
    FilterRefused,
    Error(GitError),
}

impl From<GitError> for Stop {
    fn from(error: GitError) -> Self {
        Self::Error(error)
    }
}

impl From<Unended<Stop>> for GitError {
    fn from(unended: Unended<Stop>) -> Self {
        match unended {
            Unended::System(error) => Self::transient("running the git program", error),
            Unended::Stopped(Stop::Error(error)) => error,
            Unended::Stopped(Stop::FilterRefused) => FetchError::MirrorUnusable.into(),
        }
    }
}

pub(super) struct FetchWatch<'a> {
    request: &'a FetchRequest<'a>,
    filter: Filter,
    packs: PathBuf,
    lines: Lines,
    said: Vec<u8>,
    heard: u64,
    /// The file that objects are written to; its name is found once.
    torn: Option<PathBuf>,
    pace: Pace,
    space_checked: Instant,
}

impl<'a> FetchWatch<'a> {
    pub(super) fn new(request: &'a FetchRequest<'a>, filter: Filter) -> Self {
        request.progress.enter(FetchPhase::Asking);
        Self {
            request,
            filter,
            packs: request.mirror.packs(),
            lines: Lines::default(),
            said: Vec::new(),
            heard: 0,
            torn: None,
            pace: Pace::new(request),
            space_checked: Instant::now(),
        }
    }

    /// All lines that tell no progress, as far as they were kept.
    pub(super) fn said(&self) -> String {
        let mut said = self.said.clone();
        said.extend_from_slice(self.lines.rest());
        String::from_utf8_lossy(&said).into_owned()
    }

    /// The bytes of the pack that is being written; `None` when there is none at this moment.
    fn received(&mut self) -> Option<u64> {
        if let Some(found) = self.torn.as_ref().and_then(|torn| fs::metadata(torn).ok()) {
            return Some(found.len());
        }
        // Under the mirror's lock, after leftovers were removed: the only one is that of this fetch.
        let mut entries = fs::read_dir(&self.packs).ok()?;
        let torn = entries.find_map(|entry| {
            let entry = entry.ok()?;
            entry.file_name().as_encoded_bytes().starts_with(b"tmp_pack_").then(|| entry.path())
        })?;
        let bytes = fs::metadata(&torn).ok()?.len();
        self.torn = Some(torn);
        Some(bytes)
    }
}

impl Watch for FetchWatch<'_> {
    type Stop = Stop;

    fn said(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.heard += bytes.len() as u64;
        self.request.progress.steps().step();
        if self.heard > MOST_HEARD {
            return Err(ended(self.request, RemoteTrouble::Silent).into());
        }
        let (progress, said) = (self.request.progress, &mut self.said);
        let (mut ignores_filters, mut resolves) = (false, false);
        self.lines.push(bytes, |line| match ProgressLine::parse(line) {
            Some(ProgressLine::Remote) => {}
            Some(ProgressLine::Receiving(objects, total)) => {
                progress.set_objects(objects, total);
                progress.enter(if objects < total { FetchPhase::Receiving } else { FetchPhase::Resolving });
            }
            Some(ProgressLine::Resolving) => {
                resolves = true;
                progress.enter(FetchPhase::Resolving);
            }
            None => {
                ignores_filters |= String::from_utf8_lossy(line).contains(IGNORES_FILTERS);
                let room = MOST_SAID.saturating_sub(said.len());
                // Lines that name what was fetched are many, and say nothing new.
                if line.len() < room && !line.starts_with(b" ") && !line.starts_with(b"From ") {
                    said.extend_from_slice(line);
                    said.push(b'\n');
                }
            }
        });
        if ignores_filters && self.filter.specification().is_some() {
            return Err(Stop::FilterRefused);
        }
        // While objects come, only objects count: git tells of a trickle once a second. Then only what is done on this
        // machine does: the server may go on talking.
        match progress.phase() {
            FetchPhase::Receiving => self.pace.begin(),
            FetchPhase::Resolving => self.pace.end(),
            FetchPhase::Waiting | FetchPhase::Asking | FetchPhase::Done => self.pace.word(),
        }
        if resolves {
            self.pace.word();
        }
        Ok(())
    }

    fn tick(&mut self) -> Result<(), Stop> {
        let request = self.request;
        if request.cancel.load(Ordering::Relaxed) {
            return Err(GitError::Cancelled.into());
        }
        if let Some(received) = self.received() {
            room::check_quota(received, request.limits.quota_bytes)?;
            if received > 0 {
                self.pace.begin();
            }
            if self.pace.bytes(received) {
                request.progress.set_bytes(received);
            }
        }
        if self.space_checked.elapsed().as_secs() >= 1 {
            self.space_checked = Instant::now();
            room::check_free(request.mirror.path(), request.limits.free_bytes)?;
        }
        if let Some(trouble) = self.pace.trouble() {
            return Err(ended(request, trouble).into());
        }
        Ok(())
    }
}

fn ended(request: &FetchRequest<'_>, trouble: RemoteTrouble) -> GitError {
    match request.source {
        FetchSource::Remote(remote) => remote.trouble(trouble),
        FetchSource::Local(source) => {
            let (place, seconds) = (source.path().display().to_string(), request.limits.silence.as_secs());
            GitError::FileSystemSilent { place, seconds }
        }
    }
}
