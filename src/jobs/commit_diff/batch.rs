//! Answers requests for one repository together: at most a request for trees and one for files goes to its server.
//! Called by one task at a time for a repository. Only when the server lacks something, or all is too much at once, are
//! they asked for in halves.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    sync::Arc,
};

use keytrail_domain::index_run::batch::CommitSha;
use keytrail_projections::{issue_search, repository_list::Repository};
use tokio::sync::oneshot;

use super::{
    Answer, Ask, Asked, CommitChanges, DiffTrouble, Key, Part,
    place::{Place, Unfetched},
};
use crate::{
    app::App,
    git::{
        GitError, Graph,
        diff::{ChangedFiles, Comparison, Content, DiffBounds, DiffObjects, Looked, compare},
        object_cache,
        transport::FetchError,
    },
    jobs::{RUN_ENDS, Source, shards},
};

/// Requests for objects that one batch makes at most, when they are asked for in halves.
const MOST_FETCHES: usize = 24;

/// A commit and those it is compared with.
const WITH_PARENTS: u8 = 2;

/// A question of the batch, and who waits for its answer.
struct Question {
    key: Key,
    tell: Vec<oneshot::Sender<Answer>>,
    /// What is not here yet.
    lacking: BTreeSet<CommitSha>,
    /// Its files were too many bytes to be fetched.
    is_too_much: bool,
}

impl Question {
    fn tell(self, answer: &Answer) {
        for tell in self.tell {
            // Who does not wait any more need not be told.
            let _ = tell.send(answer.clone());
        }
    }
}

/// Answers all of them.
pub(super) async fn answer(app: &Arc<App>, repository: &Repository, asks: Vec<Ask>) {
    let mut questions: HashMap<Key, Question> = HashMap::new();
    for Ask { key, tell, .. } in asks {
        let new = || Question { key: key.clone(), tell: Vec::new(), lacking: BTreeSet::new(), is_too_much: false };
        questions.entry(key.clone()).or_insert_with(new).tell.push(tell);
    }
    let (mut open, diffs) = (Vec::new(), &app.jobs.diffs);
    for (key, question) in questions {
        // Who asked the same before may have been answered meanwhile.
        let known = diffs.results().get(&key);
        match known {
            Some(found) => question.tell(&Ok(found)),
            None => open.push(question),
        }
    }
    if open.is_empty() {
        return;
    }
    let place = match Place::of(app, repository).await {
        Ok(place) => Arc::new(place),
        Err(trouble) => return open.into_iter().for_each(|question| question.tell(&Err(trouble.clone()))),
    };
    let uses = diffs.use_of(repository.id).lock_owned().await;
    if let Err(trouble) = place.clear(app).await {
        return open.into_iter().for_each(|question| question.tell(&Err(trouble.clone())));
    }
    let mut batch = Batch { app, place, open, fetches: 0 };
    batch.admit(repository).await;
    if !matches!(batch.place.source, Source::InPlace(_)) {
        // Where this node has no copy, or one that is behind, since another node indexes the repository.
        batch.look_for(Stage::Commits).await;
        batch.fetch(Stage::Commits).await;
    }
    batch.look_for(Stage::Trees).await;
    batch.fetch(Stage::Trees).await;
    batch.look_for(Stage::Files).await;
    batch.fetch(Stage::Files).await;
    let has_fetched = batch.fetches > 0;
    batch.conclude().await;
    drop(uses);
    if has_fetched {
        make_room(app).await;
    }
}

async fn make_room(app: &Arc<App>) {
    let (folder, most) = (app.caches.objects(), app.jobs.git.diff_cache_bytes);
    let is_too_much = {
        let folder = folder.clone();
        blocking(move || Ok(object_cache::bytes(&folder)? > most)).await
    };
    let gone = match is_too_much {
        Ok(true) => {
            let app = app.clone();
            // One that is in use stays: who uses it comes here, too.
            let alone = move |cache: &Path| {
                let id = cache.file_stem().and_then(|name| name.to_str()?.parse().ok())?;
                app.jobs.diffs.try_alone(id)
            };
            blocking(move || Ok(object_cache::keep_room(&folder, most, alone)?)).await
        }
        other => other.map(|_| 0),
    };
    match gone {
        Ok(bytes) => metrics::counter!("keytrail_diff_cache_evicted_bytes_total").increment(bytes),
        Err(error) => tracing::warn!(%error, "no room could be made among the caches of files"),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Commits,
    Trees,
    Files,
}

struct Batch<'a> {
    app: &'a Arc<App>,
    place: Arc<Place>,
    open: Vec<Question>,
    fetches: usize,
}

impl Batch<'_> {
    /// Only commits that the index knows are told of.
    async fn admit(&mut self, repository: &Repository) {
        let unknown = self.unknown().await;
        if unknown.is_empty() {
            return;
        }
        // A run's end is known a moment before its commits are remembered, and who saw it may ask at once.
        let lock = self.app.jobs.graph_of(repository.id);
        drop(tokio::time::timeout(RUN_ENDS, lock.lock()).await);
        let (db, node) = (&self.app.db, &self.app.jobs.node);
        let mine = shards::of_node(db, node, self.app.clock.now()).await;
        // Of commits that name no issue only the node knows that indexes the repository.
        let elsewhere = mine.is_ok_and(|mine| !mine.has(db, repository.id));
        for key in self.unknown().await {
            let read = issue_search::holders_of_commit(key.2.commit.into(), Some(key.1), 1);
            // A run that goes on has recorded it: it is seen where its issue is shown.
            if self.app.read(read).await.is_ok_and(|found| !found.is_empty()) {
                continue;
            }
            if let Some(at) = self.open.iter().position(|question| question.key == key) {
                self.open.swap_remove(at).tell(&Err(DiffTrouble::CommitUnknown { elsewhere }));
            }
        }
    }

    /// Those that no completed run has seen.
    async fn unknown(&self) -> Vec<Key> {
        let graph = self.place.graph.clone();
        let mut keys: Vec<Key> = self.open.iter().map(|question| question.key.clone()).collect();
        let look = move || {
            keys.retain(|(_, number, asked)| !Graph::knows(&graph, *number, asked.commit));
            Ok(keys)
        };
        let all = || self.open.iter().map(|question| question.key.clone()).collect();
        // When nobody can look, nothing is known.
        blocking(look).await.unwrap_or_else(|_| all())
    }

    /// Finds out what each question lacks, and answers those that have no answer.
    async fn look_for(&mut self, stage: Stage) {
        let bounds = self.app.jobs.diffs.bounds;
        let keys: Vec<Key> = self.open.iter().map(|question| question.key.clone()).collect();
        let looked = self.place.read(self.app, move |objects| {
            let look = |key: &Key| match stage {
                Stage::Commits => lacking_commits(objects, key),
                Stage::Trees => lacking_trees(objects, key),
                Stage::Files => lacking_files(objects, key, &bounds),
            };
            Ok(keys.iter().map(look).collect::<Vec<_>>())
        });
        let looked = looked.await.unwrap_or_else(|trouble| vec![Err(trouble); self.open.len()]);
        for (mut question, looked) in std::mem::take(&mut self.open).into_iter().zip(looked) {
            match looked {
                Ok(lacking) => {
                    question.lacking = lacking;
                    self.open.push(question);
                }
                Err(trouble) => question.tell(&Err(trouble)),
            }
        }
    }

    /// Fetches what they lack, for all of them at once. Those whose objects do not come are told.
    async fn fetch(&mut self, stage: Stage) {
        if matches!(self.place.source, Source::InPlace(_)) {
            // What is not there is nowhere else: of files that is said one by one.
            return;
        }
        let lacking: Vec<usize> = (0..self.open.len()).filter(|at| !self.open[*at].lacking.is_empty()).collect();
        let mut groups = if lacking.is_empty() { Vec::new() } else { vec![lacking] };
        let mut troubles: HashMap<usize, DiffTrouble> = HashMap::new();
        while let Some(group) = groups.pop() {
            if self.fetches == MOST_FETCHES {
                troubles.extend(group.into_iter().map(|at| (at, DiffTrouble::Busy)));
                continue;
            }
            self.fetches += 1;
            let wanted = group.iter().flat_map(|at| self.open[*at].lacking.iter().copied()).collect();
            let error =
                match self.place.fetch(self.app, &wanted, (stage == Stage::Commits).then_some(WITH_PARENTS)).await {
                    Ok(()) => continue,
                    Err(Unfetched::Trouble(trouble)) => {
                        troubles.extend(group.into_iter().map(|at| (at, trouble.clone())));
                        continue;
                    }
                    Err(Unfetched::Git(error)) => error,
                };
            let is_too_much = matches!(
                &error,
                GitError::Fetch(FetchError::QuotaExceeded { .. } | FetchError::PackNeedsMemory { .. })
            );
            let is_gone = matches!(&error, GitError::Fetch(FetchError::RefsMoved));
            if (is_too_much || is_gone) && group.len() > 1 {
                let (one, other) = group.split_at(group.len() / 2);
                groups.extend([other.to_vec(), one.to_vec()]);
                continue;
            }
            if stage == Stage::Files && (is_too_much || is_gone) {
                // The files are told of all the same, without their lines.
                group.into_iter().for_each(|at| self.open[at].is_too_much = is_too_much);
                continue;
            }
            let trouble = DiffTrouble::from(error);
            troubles.extend(group.into_iter().map(|at| (at, trouble.clone())));
        }
        for (at, question) in std::mem::take(&mut self.open).into_iter().enumerate() {
            match troubles.remove(&at) {
                Some(trouble) => question.tell(&Err(trouble)),
                None => self.open.push(question),
            }
        }
    }

    /// Answers what is left, one after the other.
    async fn conclude(mut self) {
        let diffs = &self.app.jobs.diffs;
        for question in std::mem::take(&mut self.open) {
            let (bounds, asked, is_too_much) = (diffs.bounds, question.key.2.clone(), question.is_too_much);
            let changes = self.place.read(self.app, move |objects| changes(objects, &asked, &bounds, is_too_much));
            let answer = changes.await.map(Arc::new);
            if let Ok(changes) = &answer {
                diffs.results().put(question.key.clone(), changes.clone());
            }
            question.tell(&answer);
        }
    }
}

/// The commit, when it or a parent is not here.
fn lacking_commits(objects: &mut DiffObjects, (_, _, asked): &Key) -> Result<BTreeSet<CommitSha>, DiffTrouble> {
    if !objects.lacking([asked.commit]).is_empty() {
        return Ok(BTreeSet::from([asked.commit]));
    }
    let parents = objects.parents(asked.commit)?;
    Ok(if objects.lacking(parents).is_empty() { BTreeSet::new() } else { BTreeSet::from([asked.commit]) })
}

fn lacking_trees(objects: &mut DiffObjects, (_, _, asked): &Key) -> Result<BTreeSet<CommitSha>, DiffTrouble> {
    match compare(objects, asked.commit, asked.parent)? {
        Looked::Compared(_) => Ok(BTreeSet::new()),
        Looked::Lacking(trees) => Ok(trees),
    }
}

fn lacking_files(
    objects: &mut DiffObjects,
    (_, _, asked): &Key,
    bounds: &DiffBounds,
) -> Result<BTreeSet<CommitSha>, DiffTrouble> {
    let compared = compared(objects, asked)?;
    Ok(objects.lacking(compared.files(bounds, asked.path())))
}

/// Trees were fetched before: those that did not come are nowhere.
fn compared(objects: &mut DiffObjects, asked: &Asked) -> Result<Comparison, DiffTrouble> {
    match compare(objects, asked.commit, asked.parent)? {
        Looked::Compared(compared) => Ok(compared),
        Looked::Lacking(_) => Err(DiffTrouble::ObjectGone),
    }
}

fn changes(
    objects: &mut DiffObjects,
    asked: &Asked,
    bounds: &DiffBounds,
    is_too_much: bool,
) -> Result<CommitChanges, DiffTrouble> {
    let compared = compared(objects, asked)?;
    let mut files = ChangedFiles::of(objects, &compared, bounds, asked.path())?;
    if is_too_much {
        files.files.iter_mut().filter(|file| file.content == Content::Absent).for_each(|file| {
            file.content = Content::NotRead;
        });
    }
    let lines = if asked.part == Part::Files { Vec::new() } else { files.hunks(objects, bounds)? };
    Ok(CommitChanges { files, lines })
}

/// Runs work of git on a thread that may be busy for a while.
pub(in crate::jobs) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, DiffTrouble> + Send + 'static,
) -> Result<R, DiffTrouble> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "looking at a commit failed");
        DiffTrouble::Stopped
    })?
}
