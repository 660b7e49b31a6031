//! A fetch without the git program: our own few sentences of git's protocol over connections that we checked, and
//! libgit2, which puts together what comes. Called by the fetch of the transports, which holds the mirror's lock. It
//! fetches everything, moves no ref, and runs no program but the one that speaks SSH.
//!
//! libgit2's own transports are not used: they connect to whatever a name means at that moment, follow redirects to
//! other ports, and read the configuration of the user and of the machine.

mod advertisement;
mod answer;
mod folder;
mod git_stream;
mod http;
mod incoming;
mod new_objects;
mod pack_gauge;
mod pack_sink;
mod pack_writer;
mod pulse;
mod question;
mod source_objects;

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use keytrail_domain::{index_run::batch::CommitSha, remote_url::Scheme};
use tokio::sync::mpsc;

pub(super) use self::http::diagnose;
use self::{
    answer::{Part, Parts},
    pack_sink::{PackSink, Shared},
    question::Question,
};
use super::{
    FetchError, FetchPhase,
    fetch::{Attempt, FetchRequest, FetchSource, Fetched},
    pace::Pace,
};
use crate::git::{GitError, Mirror, remote::RemoteTrouble};

/// Parts of a pack that wait to be written: 64 KiB each at most.
const PARTS_AHEAD: usize = 64;
/// Objects that are asked for at once: 50 bytes each, and many a server takes no more than a megabyte.
const MOST_WANTS: usize = 8192;
/// A server that says more words than these beside the pack says them to keep us busy.
const MOST_WORDS: u64 = 100_000;
/// How often somebody looks whether to stop.
const TICK: Duration = Duration::from_millis(50);

/// The bytes of an answer, as they come.
trait Incoming {
    /// Appends what comes next; `false` at the end.
    async fn fill(&mut self, buffer: &mut Vec<u8>) -> Result<bool, GitError>;
}

/// What the thread that writes is given.
enum Work {
    Part(Vec<u8>),
    /// The server said that this is all.
    End,
}

pub(super) async fn fetch(
    request: &FetchRequest<'_>,
    missing: &BTreeSet<CommitSha>,
    kept: &BTreeSet<CommitSha>,
) -> Result<Attempt, GitError> {
    request.progress.enter(FetchPhase::Asking);
    let shared = Arc::new(Shared::new(request));
    // Whoever drops this future wants no more of it: the thread must not go on alone.
    let _stops = StopsWhenDropped(shared.clone());
    let brought = {
        let work = work(request, missing, kept, &shared);
        let mut work = std::pin::pin!(work);
        let mut ticks = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                done = &mut work => break done?,
                _ = ticks.tick() => {
                    shared.tell(request.progress);
                    if request.cancel.load(Ordering::Relaxed) {
                        return Err(GitError::Cancelled);
                    }
                }
            }
        }
    };
    shared.tell(request.progress);
    Ok(Attempt::Done(brought))
}

struct StopsWhenDropped(Arc<Shared>);

impl Drop for StopsWhenDropped {
    fn drop(&mut self) {
        self.0.stop();
    }
}

async fn work(
    request: &FetchRequest<'_>,
    missing: &BTreeSet<CommitSha>,
    kept: &BTreeSet<CommitSha>,
    shared: &Arc<Shared>,
) -> Result<Fetched, GitError> {
    let remote = match request.source {
        FetchSource::Remote(remote) => remote,
        FetchSource::Local(source) => return folder::fetch(source, request, missing, shared).await,
    };
    let mut all = Fetched::default();
    let mut pace = Pace::new(request);
    let mut kept = kept.clone();
    let missing: Vec<CommitSha> = missing.iter().copied().collect();
    // What came with one question is told with the next.
    for wants in missing.chunks(MOST_WANTS) {
        let question = Question { wants, haves: question::haves(request.mirror, &kept, shared).await? };
        pace.ask();
        let brought = match remote.url.scheme() {
            Scheme::Http | Scheme::Https => {
                let greeted = http::greet(remote, request).await?;
                let received = receive(request, wants, greeted.ask(&question).await?, shared, &mut pace).await;
                match received {
                    Err(GitError::Fetch(FetchError::LacksHistory { .. }))
                        if greeted.is_old() && http::is_shallow(remote, request).await =>
                    {
                        return Err(remote.trouble(RemoteTrouble::Shallow));
                    }
                    received => received?,
                }
            }
            // Over SSH by the program that encrypts; what is said through it is our own.
            Scheme::Git | Scheme::Ssh => {
                let (bound, waited) = (remote.limits.listing, remote.waited());
                let asked = loop {
                    match remote.within(bound, git_stream::ask(remote, &question, request)).await {
                        // What came with the questions before would be thrown away.
                        Some(Err(GitError::HostBusy { .. })) if all.objects > 0 => {}
                        asked => break asked,
                    }
                };
                let incoming = asked.unwrap_or_else(|| Err(remote.trouble(RemoteTrouble::Slow { bound })))?;
                pace.waited(remote.waited().saturating_sub(waited));
                receive(request, wants, incoming, shared, &mut pace).await?
            }
        };
        all = Fetched { bytes: all.bytes + brought.bytes, objects: all.objects + brought.objects };
        kept.extend(wants);
    }
    Ok(all)
}

/// Takes the pack out of an answer and has it written.
async fn receive(
    request: &FetchRequest<'_>,
    wants: &[CommitSha],
    mut incoming: impl Incoming,
    shared: &Arc<Shared>,
    pace: &mut Pace,
) -> Result<Fetched, GitError> {
    let FetchSource::Remote(remote) = request.source else { return Err(FetchError::BrokeOff.into()) };
    let (sender, receiver) = mpsc::channel(PARTS_AHEAD);
    let (mirror, wants, theirs) = (request.mirror.clone(), wants.to_vec(), shared.clone());
    let writing = tokio::task::spawn_blocking(move || write(&mirror, &wants, receiver, &theirs));
    let mut parts = Parts::default();
    let (mut begun, mut words) = (false, 0);
    let ended = 'receive: loop {
        let left = tokio::time::timeout(pace.patience(), incoming.fill(parts.buffer())).await;
        match left {
            Err(_) => {
                // What came last may have been written meanwhile.
                pace.bytes(shared.received());
                match pace.trouble() {
                    Some(trouble) => break Err(remote.trouble(trouble)),
                    None => continue,
                }
            }
            Ok(Err(error)) => break Err(error),
            Ok(Ok(false)) => break Err(FetchError::BrokeOff.into()),
            Ok(Ok(true)) => {}
        }
        loop {
            let sent = match parts.next() {
                Err(what) => break 'receive Err(what.error(remote)),
                Ok(None) => break,
                Ok(Some(Part::Word)) => {
                    words += 1;
                    if words > MOST_WORDS {
                        break 'receive Err(remote.trouble(RemoteTrouble::Silent));
                    }
                    if !begun {
                        pace.word();
                    }
                    continue;
                }
                Ok(Some(Part::Pack(bytes))) => {
                    begun = true;
                    pace.begin();
                    sender.send(Work::Part(bytes)).await
                }
                Ok(Some(Part::End)) => break 'receive Ok(sender.send(Work::End).await.is_ok()),
            };
            if sent.is_err() {
                // Whoever writes knows why it wants no more.
                break 'receive Ok(false);
            }
        }
        pace.bytes(shared.received());
        if let Some(trouble) = pace.trouble() {
            break Err(remote.trouble(trouble));
        }
    };
    drop(sender);
    let written = writing.await.map_err(|error| GitError::transient("writing what was fetched", error))?;
    match (ended, written) {
        (Err(error), _) | (Ok(_), Err(error)) => Err(error),
        (Ok(_), Ok(Some(brought))) => Ok(brought),
        (Ok(_), Ok(None)) => Err(FetchError::BrokeOff.into()),
    }
}

/// On a thread of its own. `None` when the parts ended before the pack did: nothing of it is kept.
fn write(
    mirror: &Mirror,
    wants: &[CommitSha],
    mut parts: mpsc::Receiver<Work>,
    shared: &Arc<Shared>,
) -> Result<Option<Fetched>, GitError> {
    let mut sink = PackSink::new(mirror, shared)?;
    while let Some(work) = parts.blocking_recv() {
        match work {
            Work::Part(bytes) => sink.write(&bytes)?,
            Work::End => return sink.finish(wants).map(Some),
        }
    }
    Ok(None)
}
