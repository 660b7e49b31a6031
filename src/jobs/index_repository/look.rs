//! A look at a repository: which refs it has now. And, where a copy is kept, the fetch of what they lead to. Called by
//! index runs, and by polls for the look alone.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use keytrail_domain::index_run::{FailureCode, batch::CommitSha};

use super::{Failure, blocking};
use crate::{
    git::{
        self, GitError, Graph, Mirror, OpenedRepository, Ref, RefList, Steps,
        remote::{Listed, Remote, RemoteTrouble, list_remote_refs},
        transport::{self, FetchError, FetchProgress, FetchRequest, FetchSource, Fetched, WantedRef},
    },
    jobs::{
        GitSettings, JobError, left_behind,
        repository_source::{RepositorySource, Source},
    },
};

/// How often a wish to stop is looked for while a remote is listed.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Requests at most for what a run before looked at and no ref leads to any more.
const MOST_FETCHES: usize = 24;

/// What a look found.
pub(in crate::jobs) struct Look {
    /// The refs that are selected.
    pub(in crate::jobs) refs: RefList,
    place: Place,
    graph: Graph,
}

/// Where to read from what the refs name.
enum Place {
    /// From the repository itself.
    Original(OpenedRepository),
    /// From a copy of this.
    CopyOf(Elsewhere),
}

/// What is copied.
enum Elsewhere {
    Local(transport::LocalRepository),
    Remote(Box<Remote>, Listed),
}

/// What a run before this one looked at, of which the node may know nothing.
#[derive(Clone, Copy)]
pub(super) struct Former<'a> {
    pub(super) refs: &'a [Ref],
    /// The run is tried no more after this.
    pub(super) is_last_try: bool,
}

/// Lists the refs of a repository; `graph` is what is known of it, so that known tags are not read again. What reads a file
/// system of this machine tells `steps`, and holds them.
pub(in crate::jobs) async fn look(
    cancel: &AtomicBool,
    source: RepositorySource,
    graph: Graph,
    steps: &Arc<Steps>,
) -> Result<Look, Failure> {
    let RepositorySource { source, refs: selection, folder } = source;
    let (keep, connection) = match source {
        Source::InPlace(connection) => (true, connection),
        Source::Copied(connection) => (false, connection),
        Source::Held(text) => return Err(JobError::Failed(FailureCode::InstallationHeld, text).into()),
        Source::Remote(remote) => {
            let listed = tokio::select! {
                listed = list_remote_refs(&remote, &selection, git::MAX_REFS) => listed?,
                () = stopped(cancel) => return Err(GitError::Cancelled.into()),
            };
            let refs = RefList::of_remote(&listed);
            // A fetch follows no redirect; the listing may have, within the same server.
            let remote = Box::new(Remote { url: listed.final_url.clone(), ..*remote });
            return Ok(Look { refs, place: Place::CopyOf(Elsewhere::Remote(remote, listed)), graph });
        }
    };
    // A share that hangs holds its thread, which only reads, and nobody else.
    let steps = steps.clone();
    let looked = blocking(move || {
        let opened = connection.open_telling(&steps).map_err(|error| because(error, folder))?;
        let refs = git::list_refs(&opened, &graph, &selection, git::MAX_REFS)?;
        let place = if keep { Place::Original(opened) } else { Place::CopyOf(Elsewhere::Local(connection)) };
        Ok(Look { refs, place, graph })
    });
    tokio::select! {
        looked = looked => looked,
        () = stopped(cancel) => Err(GitError::Cancelled.into()),
    }
}

/// A repository that is not there is no news when all of its tracked folder is not there.
fn because(error: GitError, folder: Option<PathBuf>) -> GitError {
    match (error, folder) {
        (GitError::NotARepository { .. }, Some(path)) if !path.is_dir() => GitError::FolderAbsent { path },
        (error, _) => error,
    }
}

/// Returns when it is to stop.
pub(in crate::jobs) async fn stopped(cancel: &AtomicBool) {
    while !cancel.load(Ordering::Relaxed) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Look {
    /// Makes what these tips lead to readable on this machine: in the mirror in `folder`, unless it is read in place.
    /// Tips that turn out to lead to no commit are dropped. What a run before this one looked at comes, too, if it is to be
    /// had. `beside` bytes are kept of the repository elsewhere.
    pub(super) async fn fetch(
        self,
        tips: &mut RefList,
        before: Former<'_>,
        (folder, beside): (&Path, u64),
        settings: &GitSettings,
        progress: &FetchProgress,
        cancel: &AtomicBool,
    ) -> Result<(OpenedRepository, Graph), Failure> {
        let Self { place, graph, .. } = self;
        let elsewhere = match place {
            Place::Original(opened) => return Ok((opened, graph)),
            Place::CopyOf(elsewhere) => elsewhere,
        };
        let (source, listed) = match &elsewhere {
            Elsewhere::Local(connection) => (FetchSource::Local(connection), None),
            Elsewhere::Remote(remote, listed) => (FetchSource::Remote(remote), Some(listed)),
        };
        let wanted_refs = wanted(tips, listed, &graph);
        let folder = folder.to_owned();
        let mirror = blocking(move || {
            let mirror = Mirror::open_or_make(&folder)?;
            mirror.note_used()?;
            Ok(mirror)
        })
        .await?;
        let program = settings.program.as_ref();
        let mut limits = settings.limits;
        if matches!(source, FetchSource::Local(_)) {
            limits.silence = left_behind::patience(limits.silence);
        }
        let wanted = &wanted_refs[..];
        let request = FetchRequest { mirror: &mirror, source, wanted, program, limits, beside, progress, cancel };
        let fetched = match transport::fetch(&request).await {
            Ok(fetched) => fetched,
            // What git says of a damaged mirror blames the server.
            Err(error @ (GitError::Fetch(_) | GitError::Transient { .. })) => {
                return blocking(move || Err(mirror.damage()?.unwrap_or(error))).await;
            }
            Err(error) => return Err(error.into()),
        };
        count(&fetched);
        let unknown: Vec<CommitSha> =
            before.refs.iter().map(|item| item.commit).filter(|sha| !graph.contains(*sha)).collect();
        let copy = mirror.clone();
        let lacking = blocking(move || copy.lacking(unknown)).await?;
        fetch_what_is_left(&request, lacking, before.is_last_try).await?;
        // A tag of a folder or a file is listed as that: no commit, and nothing to walk from.
        let wanted: Vec<CommitSha> =
            tips.refs.iter().map(|tip| tip.commit).filter(|sha| !graph.contains(*sha)).collect();
        let (opened, others) = blocking(move || {
            // What was fetched is there, and what was fetched before should be.
            let lacking = mirror.lacking(wanted_refs.iter().map(|wanted| wanted.target))?;
            match lacking.first() {
                Some(sha) => Err(GitError::MissingObject { sha: *sha }),
                None => {
                    let opened = mirror.open()?;
                    let others = opened.no_commits(wanted);
                    Ok((opened, others))
                }
            }
        })
        .await?;
        let all = tips.refs.len();
        tips.refs.retain(|tip| !others.contains(&tip.commit));
        tips.not_commits += (all - tips.refs.len()) as u64;
        Ok((opened, graph))
    }
}

fn count(fetched: &Fetched) {
    metrics::counter!("keytrail_fetched_bytes_total").increment(fetched.bytes);
    metrics::counter!("keytrail_fetched_objects_total").increment(fetched.objects);
}

/// Fetches those of these commits that the remote still gives, though no ref need lead to them. One that it does not give
/// spoils a whole request: then they are asked for in halves, up to a bound.
///
/// A failure that may pass ends the run, which is tried again: what is taken for lost once stays lost. A remote that lists its
/// refs on every try of a run, and breaks off whenever it is asked for these, does not give them: some refuse like this.
async fn fetch_what_is_left(
    request: &FetchRequest<'_>,
    lacking: BTreeSet<CommitSha>,
    is_last_try: bool,
) -> Result<(), GitError> {
    let lacking: Vec<CommitSha> = lacking.into_iter().collect();
    let mut groups = if lacking.is_empty() { Vec::new() } else { vec![&lacking[..]] };
    for _ in 0..MOST_FETCHES {
        let Some(group) = groups.pop() else { return Ok(()) };
        let wanted: Vec<WantedRef> =
            group.iter().map(|sha| WantedRef { name: sha.to_string().into_bytes(), target: *sha }).collect();
        match transport::fetch(&FetchRequest { wanted: &wanted, ..*request }).await {
            Ok(fetched) => count(&fetched),
            Err(error) if !is_refusal(&error, is_last_try) => return Err(error),
            Err(_) if group.len() > 1 => {
                let (one, other) = group.split_at(group.len() / 2);
                groups.extend([other, one]);
            }
            Err(_) => {}
        }
    }
    Ok(())
}

/// Whether a remote that gave all its refs led to would not give this. Servers say so in many ways; what may as well be a
/// passing failure counts on the last try only.
const fn is_refusal(error: &GitError, is_last_try: bool) -> bool {
    match error {
        GitError::MissingObject { .. } => true,
        GitError::Fetch(error) => match error {
            FetchError::RefsMoved
            | FetchError::Refused { .. }
            | FetchError::Incomplete
            | FetchError::LacksHistory { .. } => true,
            FetchError::BrokeOff => is_last_try,
            _ => false,
        },
        GitError::Remote(error) => match error.trouble {
            RemoteTrouble::Protocol { .. } | RemoteTrouble::Forbidden | RemoteTrouble::NotFound => true,
            RemoteTrouble::ServerError { status } => status < 500 || is_last_try,
            _ => false,
        },
        _ => false,
    }
}

/// What is not known yet, by the names under which the remote has it: of an annotated tag the tag.
fn wanted(tips: &RefList, listed: Option<&Listed>, graph: &Graph) -> Vec<WantedRef> {
    let unknown = tips.refs.iter().filter(|tip| !graph.contains(tip.commit));
    let mut wanted: Vec<_> =
        unknown.map(|tip| WantedRef { name: tip.name.as_bytes().to_vec(), target: tip.commit }).collect();
    if let Some(listed) = listed {
        let tags: std::collections::HashMap<_, _> = listed
            .refs
            .iter()
            .filter(|item| item.peeled.is_some())
            .map(|item| (item.leads_to(), item.target))
            .collect();
        for want in &mut wanted {
            if let Some(tag) = tags.get(&want.target) {
                want.target = *tag;
            }
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use keytrail_domain::remote_url::Host;

    use super::*;
    use crate::git::remote::RemoteError;

    #[test]
    fn what_may_pass_is_a_refusal_only_when_it_is_so_on_the_last_try() {
        let host = Host::parse("git.example.org").expect("a host");
        let of_remote = |trouble| GitError::from(RemoteError { host: host.clone(), trouble });
        let status = |status| of_remote(RemoteTrouble::ServerError { status });
        for (error, at_once, at_last) in [
            (FetchError::RefsMoved.into(), true, true),
            (status(418), true, true),
            (FetchError::BrokeOff.into(), false, true),
            (status(503), false, true),
            // It says nothing of what was asked for, on any try.
            (of_remote(RemoteTrouble::ConnectionRefused), false, false),
            (of_remote(RemoteTrouble::Silent), false, false),
            (FetchError::DiskFull.into(), false, false),
            (GitError::Cancelled, false, false),
        ] {
            assert_eq!((is_refusal(&error, false), is_refusal(&error, true)), (at_once, at_last), "{error}");
        }
    }
}
