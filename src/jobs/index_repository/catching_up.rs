//! Brings what this node remembers of a repository to where the log is, before a run looks for what is new. Where it is
//! there already, as nearly always, this costs a look at the names of refs. It is not after another node did the last runs,
//! or when what was remembered was lost. It records nothing: what it meets was recorded by the runs before.

use std::collections::{BTreeSet, HashSet};

use keytrail_domain::index_run::{Counts, batch::CommitSha};

use super::{Failure, Indexing, blocking};
use crate::{
    git::{self, GitError, Graph, OpenedRepository, Ref, RefList, WalkRequest, Walked},
    jobs::JobError,
};

/// What the log knows of a repository.
pub(super) struct Known<'a> {
    /// The refs as they were when a run last completed.
    pub(super) before: &'a [Ref],
    /// The commits that count as superseded.
    pub(super) superseded: &'a [CommitSha],
    /// Those that did until this run.
    pub(super) restored: &'a [CommitSha],
}

impl Indexing {
    /// Walks from what was known before to what the graph knows, as far as it is to be had, and has the graph remember it.
    ///
    /// The counts are zero unless refs were lost: then they are of all that was met, and the graph began from nothing.
    pub(super) async fn catch_up(
        &self,
        opened: OpenedRepository,
        graph: Graph,
        known: Known<'_>,
        now: &RefList,
    ) -> Result<(OpenedRepository, Graph, Counts), Failure> {
        let commits = known.before.iter().map(|item| &item.commit).chain(known.superseded).chain(known.restored);
        let unknown: BTreeSet<CommitSha> = commits.filter(|sha| !graph.contains(**sha)).copied().collect();
        if unknown.is_empty() {
            return Ok((opened, graph, Counts::default()));
        }
        let (app, running, progress) = (self.app.clone(), self.running.clone(), self.progress.clone());
        let tips: HashSet<CommitSha> = now.refs.iter().map(|item| item.commit).collect();
        let catching_up = blocking(move || {
            let gone = opened.lacking(unknown.iter().copied());
            let here: Vec<CommitSha> = unknown.difference(&gone).copied().collect();
            let identify = |email: &[u8]| app.keys.people.person_id(email);
            let walk = |from: &[CommitSha]| -> Result<Walked, GitError> {
                let refs = from.iter().map(|commit| Ref { name: "".into(), commit: *commit }).collect();
                let request = WalkRequest {
                    refs: &RefList { refs, ..RefList::default() },
                    known: &graph,
                    after: None,
                    identify: &identify,
                    cancel: &running.cancel,
                    progress: &progress.catching_up,
                    bounds: git::Bounds::default(),
                };
                git::walk(&opened, &request, &mut |_| Ok(()))
            };
            let walked = match walk(&here) {
                // Somewhere behind what nobody leads to any more. What is led to now must be whole.
                Err(GitError::MissingObject { .. } | GitError::CorruptObject { .. }) => {
                    walk(&here.into_iter().filter(|sha| tips.contains(sha)).collect::<Vec<_>>())?
                }
                walked => walked?,
            };
            Ok((opened, graph, walked))
        });
        let (opened, graph, walked) = self.heed(catching_up).await??;
        let mut lost: HashSet<CommitSha> =
            known.before.iter().map(|item| item.commit).filter(|sha| !graph.contains(*sha)).collect();
        walked.new.shas().for_each(|sha| {
            lost.remove(&sha);
        });
        let lost_refs = known.before.iter().filter(|item| lost.contains(&item.commit)).count() as u64;
        let (path, number, repository) =
            (self.app.caches.graph(self.recorder.repository), self.recorder.number, self.recorder.repository);
        if lost_refs > 0 && !graph.is_empty() {
            // Which commits are new cannot be told any more, so all are counted: from nothing, once.
            tracing::warn!(%repository, lost_refs, "what was remembered of a repository's commits is behind and is dropped");
            let path = path.clone();
            return blocking(move || Graph::forget(&path)).await.and_then(|()| {
                Err(JobError::Later("the commits of the repository have to be looked at from the beginning".into())
                    .into())
            });
        }
        let counts = match lost_refs {
            0 => Counts::default(),
            _ => Counts {
                commits: walked.commits,
                keyed: walked.keyed,
                keys: walked.keys,
                refs: 0,
                bounded: walked.bounded,
                lost_refs,
            },
        };
        tracing::info!(%repository, commits = walked.commits, lost_refs, "a repository was caught up with");
        let graph = blocking(move || {
            graph.append(&walked.new)?;
            Ok(Graph::load(&path, number))
        })
        .await?;
        Ok((opened, graph, counts))
    }
}
