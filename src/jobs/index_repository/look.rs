//! A look at a repository: which refs it has now. And, where a copy is kept, the fetch of what they lead to. Called by
//! index runs, and by polls for the look alone.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use keytrail_domain::index_run::batch::CommitSha;

use super::{Failure, blocking};
use crate::{
    git::{
        self, GitError, Graph, Mirror, OpenedRepository, Ref, RefList,
        remote::{Listed, Remote, RemoteTrouble, list_remote_refs},
        transport::{self, FetchError, FetchProgress, FetchRequest, FetchSource, Fetched, WantedRef},
    },
    jobs::{
        GitSettings,
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

/// Lists the refs of a repository; `graph` is what is known of it, so that known tags are not read again.
pub(in crate::jobs) async fn look(
    cancel: &AtomicBool,
    source: RepositorySource,
    graph: Graph,
) -> Result<Look, Failure> {
    let RepositorySource { source, refs: selection, folder } = source;
    let (keep, connection) = match source {
        Source::InPlace(connection) => (true, connection),
        Source::Copied(connection) => (false, connection),
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
    blocking(move || {
        let opened = connection.open().map_err(|error| because(error, folder))?;
        let refs = git::list_refs(&opened, &graph, &selection, git::MAX_REFS)?;
        let place = if keep { Place::Original(opened) } else { Place::CopyOf(Elsewhere::Local(connection)) };
        Ok(Look { refs, place, graph })
    })
    .await
}

/// A repository that is not there is no news when all of its tracked folder is not there.
fn because(error: GitError, folder: Option<PathBuf>) -> GitError {
    match (error, folder) {
        (GitError::NotARepository { .. }, Some(path)) if !path.is_dir() => GitError::FolderAbsent { path },
        (error, _) => error,
    }
}

async fn stopped(cancel: &AtomicBool) {
    while !cancel.load(Ordering::Relaxed) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Look {
    /// Makes what these tips lead to readable on this machine: in the mirror in `folder`, unless it is read in place.
    /// Tips that turn out to lead to no commit are dropped. What a run before this one looked at comes, too, if it is to be
    /// had: `before`, of which the node may know nothing. `beside` bytes are kept of the repository elsewhere.
    pub(super) async fn fetch(
        self,
        tips: &mut RefList,
        before: &[Ref],
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
        let limits = settings.limits;
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
            before.iter().map(|item| item.commit).filter(|sha| !graph.contains(*sha)).collect();
        let copy = mirror.clone();
        let lacking = blocking(move || copy.lacking(unknown)).await?;
        fetch_what_is_left(&request, lacking).await?;
        // A tag of a folder is listed as the folder, which a copy of commits alone does not have.
        let wanted: Vec<CommitSha> =
            tips.refs.iter().map(|tip| tip.commit).filter(|sha| !graph.contains(*sha)).collect();
        let (opened, absent) = blocking(move || {
            // What was fetched is there, and what was fetched before should be.
            let lacking = mirror.lacking(wanted_refs.iter().map(|wanted| wanted.target))?;
            match lacking.first() {
                Some(sha) => Err(GitError::MissingObject { sha: *sha }),
                None => Ok((mirror.open()?, mirror.lacking(wanted)?)),
            }
        })
        .await?;
        let all = tips.refs.len();
        tips.refs.retain(|tip| !absent.contains(&tip.commit));
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
async fn fetch_what_is_left(request: &FetchRequest<'_>, lacking: BTreeSet<CommitSha>) -> Result<(), GitError> {
    let lacking: Vec<CommitSha> = lacking.into_iter().collect();
    let mut groups = if lacking.is_empty() { Vec::new() } else { vec![&lacking[..]] };
    for _ in 0..MOST_FETCHES {
        let Some(group) = groups.pop() else { return Ok(()) };
        let wanted: Vec<WantedRef> =
            group.iter().map(|sha| WantedRef { name: sha.to_string().into_bytes(), target: *sha }).collect();
        match transport::fetch(&FetchRequest { wanted: &wanted, ..*request }).await {
            Ok(fetched) => count(&fetched),
            Err(error) if is_refusal(&error) && group.len() > 1 => {
                let (one, other) = group.split_at(group.len() / 2);
                groups.extend([other, one]);
            }
            Err(error) if is_refusal(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether a remote that gave all its refs led to would not give this. Servers say so in many ways, or just hang up.
const fn is_refusal(error: &GitError) -> bool {
    match error {
        GitError::MissingObject { .. } => true,
        GitError::Fetch(error) => matches!(
            error,
            FetchError::RefsMoved | FetchError::Refused { .. } | FetchError::Incomplete | FetchError::BrokeOff
        ),
        GitError::Remote(error) => matches!(
            error.trouble,
            RemoteTrouble::ServerError { .. }
                | RemoteTrouble::Protocol { .. }
                | RemoteTrouble::Forbidden
                | RemoteTrouble::NotFound
        ),
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
