//! A look at a repository: which refs it has now. And, where a copy is kept, the fetch of what they lead to. Called by
//! index runs, and by polls for the look alone.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use keytrail_domain::index_run::batch::CommitSha;

use super::{Failure, blocking};
use crate::{
    git::{
        self, GitError, Graph, Mirror, OpenedRepository, RefList,
        remote::{Listed, Remote, list_remote_refs},
        transport::{self, FetchProgress, FetchRequest, FetchSource, WantedRef},
    },
    jobs::{
        GitSettings,
        repository_source::{RepositorySource, Source},
    },
};

/// How often a wish to stop is looked for while a remote is listed.
const LOOK_EVERY: Duration = Duration::from_millis(50);

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
    let RepositorySource { source, refs: selection } = source;
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
        let opened = connection.open()?;
        let refs = git::list_refs(&opened, &graph, &selection, git::MAX_REFS)?;
        let place = if keep { Place::Original(opened) } else { Place::CopyOf(Elsewhere::Local(connection)) };
        Ok(Look { refs, place, graph })
    })
    .await
}

async fn stopped(cancel: &AtomicBool) {
    while !cancel.load(Ordering::Relaxed) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Look {
    /// Makes what these tips lead to readable on this machine: in the mirror in `folder`, unless it is read in place.
    /// `beside` bytes are kept of the repository elsewhere. Tips that turn out to lead to no commit are dropped.
    pub(super) async fn fetch(
        self,
        tips: &mut RefList,
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
        let mirror = blocking(move || Mirror::open_or_make(&folder)).await?;
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
        metrics::counter!("keytrail_fetched_bytes_total").increment(fetched.bytes);
        metrics::counter!("keytrail_fetched_objects_total").increment(fetched.objects);
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
