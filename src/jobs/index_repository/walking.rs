//! The walk of a run, on threads of its own, and the recording of what it finds: a batch at a time, in the walk's order.

use std::sync::Arc;

use keytrail_domain::{
    index_run::batch::{CommitBatch, Event},
    issue_key::EXTRACTOR_VERSION,
};

use super::{Failure, Indexing, recorder::Recorded};
use crate::{
    git::{self, GitError, Graph, OpenedRepository, RefList, WalkRequest, WalkedBatch},
    jobs::JobError,
    secrets::Person,
};

/// Batches that are walked while one is being written.
const WALKED_AHEAD: usize = 4;

impl Indexing {
    /// Walks on threads of its own, and records what comes.
    pub(super) async fn walk(
        &mut self,
        opened: OpenedRepository,
        graph: Graph,
        refs: Arc<RefList>,
        default_branch: Option<Arc<str>>,
        recorded: &Recorded,
    ) -> Result<(git::Walked, Graph), Failure> {
        let (sender, mut batches) = tokio::sync::mpsc::channel::<WalkedBatch>(WALKED_AHEAD);
        let (app, running, progress) = (self.app.clone(), self.running.clone(), self.progress.clone());
        let after = recorded.commits.as_ref().map(|reached| reached.cursor);
        let walking = tokio::task::spawn_blocking(move || {
            let identify = |email: &[u8]| app.keys.people.person_id(email);
            let request = WalkRequest {
                refs: &refs,
                known: &graph,
                after,
                identify: &identify,
                cancel: &running.cancel,
                progress: &progress.walking,
                bounds: git::Bounds::default(),
            };
            let mut emit = |batch| sender.blocking_send(batch).map_err(|_| git::Stop);
            let walked = git::walk(&opened, &request, &mut emit)?;
            Ok::<_, GitError>((walked, graph))
        });
        // Only while nothing waits to be written: then it is the repository that is waited for.
        while let Some(batch) = self.heed(batches.recv()).await? {
            // Before the batch: an id that the log knows has its row.
            let people = batch.people.into_iter().map(|met| (met.id, Person { name: met.name, email: met.email }));
            self.app.people.remember(people).await?;
            let batch = CommitBatch {
                repository: self.recorder.repository,
                number: self.recorder.number,
                extractor: EXTRACTOR_VERSION,
                cursor: batch.cursor,
                walked: batch.walked,
                default_branch: default_branch.clone(),
                commits: batch.commits,
            };
            self.recorder.record(Event::CommitsRecorded(batch)).await?;
        }
        Ok(self.heed(walking).await?.map_err(JobError::from)??)
    }
}
