//! Work that takes time: a table of jobs, workers that do them, and one file per kind of job. Beside them what is no job:
//! timers that look at repositories, the upkeep of the caches, and what commits changed, for who waits.
//!
//! Jobs are enqueued by the reactors. All of it dispatches commands and reads views through `app`, and is what calls
//! `git`, beside the doctor and the checks of the API.

mod admission;
mod app_access;
mod app_webhooks;
mod approved_roots;
mod backlog;
mod caches;
mod cancel_indexing;
mod changed_hosts;
mod commit_diff;
mod commit_lookup;
mod connection_test;
mod discover_repositories;
mod folder_scans;
mod forget_repositories;
mod git_settings;
mod index_again;
mod index_progress;
mod index_repository;
mod installation_listing;
mod installation_turns;
mod key_folders_of_nodes;
mod keys_on_disk;
mod kind;
mod known_obstacles;
mod left_behind;
mod list_pull_requests;
mod look_now;
mod looks;
mod missed_deliveries;
mod mounts;
mod one_by_one;
mod paths_to_add;
mod queue;
mod reconcile_installation;
mod refs_of_commit;
mod reindex_integration;
mod removed_app;
mod repository_source;
mod request_index;
mod reset_integration;
mod rotate_ssh_key;
mod runner;
mod schedule;
mod shards;
mod ssh_access;
mod ssh_key_uses;
#[cfg(test)]
mod tests;
mod upkeep;
mod way;
mod webhook_secrets;
mod work_off;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use keytrail_domain::{id::RepositoryId, index_run::FailureCode, timestamp::Timestamp};
use tokio::{sync::Notify, task::JoinHandle};
use uuid::Uuid;

pub use self::{
    app_access::{
        Allowed, AskError, access as app_access, allowed as installation_allowed, installation as installation_of,
        key_opens as app_key_opens, place as github_place,
    },
    app_webhooks::{mend_webhook, prove_webhooks},
    backlog::{Backlog, STATES, backlog, nodes, put_back, runs_without_job},
    caches::Caches,
    commit_diff::{Asked, CommitChanges, CommitDiffs, DiffTrouble, Part, commit_changes},
    commit_lookup::{Called, LookedUp, commit_called, commit_called_in, look_up},
    connection_test::{KeysToTry, TestStep, Tested, test_connection},
    git_settings::{GitSettings, SshSettings},
    index_progress::ProgressNow,
    installation_listing::preview as preview_filter,
    key_folders_of_nodes::{NodeKeys, keys_of_nodes},
    keys_on_disk::{DiskTrouble, KeysOnDisk},
    kind::Kind,
    list_pull_requests::soon_statement as list_pull_requests_soon,
    looks::{Look, LookOutcome},
    paths_to_add::{PathTrouble, held_to_roots, read_path},
    queue::{NewJob, Standing as JobStanding, TakenJob, cancel},
    reconcile_installation::{ask_after_by_jobs, reconcile},
    refs_of_commit::{RefsOfCommit, RefsTrouble, refs_of_commit},
    removed_app::{end_what_is_left_of, forgotten_at_once},
    repository_source::{RepositorySource, Source, source_of},
    runner::start,
    schedule::ask_after,
    ssh_access::OpenKey,
    ssh_key_uses::{
        Offers, last_taken_at as ssh_key_last_taken_at, last_uses as last_ssh_key_uses, offers_of as ssh_offers_of,
        refused_at as ssh_key_refused_at, taken_at as ssh_key_taken_at,
    },
    upkeep::{Kept, Standing, Survey, standing_of},
    webhook_secrets::{LiveSecrets, WebhookSecrets, webhook_secrets},
};
use self::{
    approved_roots::ApprovedRoots,
    changed_hosts::HostScans,
    folder_scans::FolderScans,
    index_progress::IndexProgress,
    index_repository::{DoubtedMirrors, Outgrown},
    installation_listing::Passes,
    installation_turns::InstallationTurns,
    left_behind::LeftBehind,
    looks::Looks,
    one_by_one::OneByOne,
    ssh_access::CommonKeys,
};
use crate::{
    app::Turns,
    git::{
        GitError,
        services::github::{Budgets, Tokens},
    },
    store::{Db, StoreError},
};

/// How a job ended.
#[derive(Debug)]
pub enum JobError {
    /// It may work later.
    Later(String),
    /// It may work later, and not before this time is over: somebody asked for that.
    NotBefore(Duration, String),
    /// It has not been tried, or not to its end: what it needs is in use by others. It comes again soon, which is no try.
    NoPlace(String),
    /// It does not work, and will not by itself: why, for machines and for people.
    Failed(FailureCode, String),
    /// It panicked: it may have been chance, but not for ever.
    Panicked(String),
    /// The server stops, or another worker has it: it is left as it is.
    Left,
}

impl From<tokio::task::JoinError> for JobError {
    fn from(error: tokio::task::JoinError) -> Self {
        if error.is_panic() { Self::Panicked(error.to_string()) } else { Self::Later(error.to_string()) }
    }
}

impl From<GitError> for JobError {
    fn from(error: GitError) -> Self {
        match (&error, error.retry_after()) {
            (GitError::Cancelled, _) => Self::Left,
            (GitError::HostBusy { .. }, _) => Self::NoPlace(error.to_string()),
            (_, Some(wait)) => Self::NotBefore(wait, error.to_string()),
            (_, None) => Self::Later(error.to_string()),
        }
    }
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Fenced => Self::Left,
            error => Self::Later(error.to_string()),
        }
    }
}

impl From<crate::app::DispatchError> for JobError {
    fn from(error: crate::app::DispatchError) -> Self {
        match error {
            crate::app::DispatchError::Store(error) => error.into(),
            error => Self::Later(error.to_string()),
        }
    }
}

impl From<crate::views::ViewError> for JobError {
    fn from(error: crate::views::ViewError) -> Self {
        Self::Later(error.to_string())
    }
}

/// How long after its end a run may take to remember its commits.
const RUN_ENDS: Duration = Duration::from_secs(2);

/// How long somebody waits until a graph may be loaded for them.
const GRAPH_WAITS: Duration = Duration::from_secs(5);

/// Connections that are tried out at once.
const TESTS_AT_ONCE: usize = 4;

/// How often something is tried that may go away by itself, before it is given up.
const MOST_TRIES: i64 = 8;

/// What a job sees of its worker.
pub struct Running {
    /// Becomes true when the job is not wanted any more, or the server stops.
    pub cancel: AtomicBool,
    /// How far it is, as JSON; the worker writes it down every second.
    pub progress: Mutex<Option<Arc<dyn Fn() -> String + Send + Sync>>>,
}

/// The jobs of this node.
pub struct Jobs {
    /// How repositories are reached.
    pub git: GitSettings,
    /// Looks at commits, for who waits.
    pub diffs: CommitDiffs,
    /// Tokens of the installations of our apps.
    pub app_tokens: Tokens,
    /// What deliveries of our apps are signed with.
    pub webhook_secrets: WebhookSecrets,
    /// What is left of the budgets of these installations.
    pub budgets: Budgets,
    /// When each app is asked after next by this node.
    pub installation_turns: InstallationTurns,
    one_by_one: OneByOne,
    goodbyes: OneByOne,
    listings: OneByOne,
    passes: Passes,
    db: Arc<Db>,
    node: String,
    wake: Notify,
    running: Mutex<HashMap<(Kind, String), Arc<Running>>>,
    graphs: Mutex<HashMap<RepositoryId, Arc<tokio::sync::Mutex<()>>>>,
    /// Graphs that are loaded for who asks, at once: each takes 28 bytes a commit.
    pub graph_loads: Turns,
    /// Connections that are tried out for who waits, at once.
    pub connection_tests: Turns,
    doubted: DoubtedMirrors,
    folder_scans: FolderScans,
    left_behind: Arc<LeftBehind>,
    approved_roots: ApprovedRoots,
    common_keys: CommonKeys,
    host_scans: HostScans,
    paths_to_add: Arc<LeftBehind>,
    outgrown: Outgrown,
    wanted: Mutex<Vec<RepositoryId>>,
    looks: Looks,
    wanted_soon: Notify,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    outdated: AtomicBool,
}

impl Jobs {
    /// None are done until [`start`].
    pub fn new(db: Arc<Db>, node: String, git: GitSettings) -> Self {
        Self {
            git,
            diffs: CommitDiffs::new(),
            app_tokens: Tokens::default(),
            webhook_secrets: WebhookSecrets::default(),
            budgets: Budgets::default(),
            installation_turns: InstallationTurns::default(),
            one_by_one: OneByOne::default(),
            goodbyes: OneByOne::default(),
            listings: OneByOne::default(),
            passes: Passes::default(),
            db,
            node,
            wake: Notify::new(),
            running: Mutex::default(),
            graphs: Mutex::default(),
            graph_loads: Turns::new(1, GRAPH_WAITS),
            connection_tests: Turns::new(TESTS_AT_ONCE, GRAPH_WAITS),
            doubted: DoubtedMirrors::default(),
            folder_scans: FolderScans::default(),
            left_behind: Arc::new(LeftBehind::new()),
            approved_roots: ApprovedRoots::default(),
            common_keys: CommonKeys::default(),
            host_scans: HostScans::default(),
            paths_to_add: Arc::new(LeftBehind::new()),
            outgrown: Outgrown::default(),
            wanted: Mutex::default(),
            looks: Looks::default(),
            wanted_soon: Notify::new(),
            tasks: Mutex::default(),
            outdated: AtomicBool::new(false),
        }
    }

    /// Held by who works with what this node remembers of a repository's commits. A run's end is durable before its
    /// commits are remembered: the next run waits for that, and does not look at everything again.
    fn graph_of(&self, repository: RepositoryId) -> Arc<tokio::sync::Mutex<()>> {
        self.graphs.lock().unwrap_or_else(PoisonError::into_inner).entry(repository).or_default().clone()
    }

    /// Which node this is.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The log holds an event that this build does not know: no job is taken any more.
    pub fn set_outdated(&self) {
        self.outdated.store(true, Ordering::Relaxed);
    }

    /// Whether it does.
    pub fn is_outdated(&self) -> bool {
        self.outdated.load(Ordering::Relaxed)
    }

    /// The repository is looked at as soon as may be, by the node that looks after it.
    pub fn look_now(&self, repository: RepositoryId, now: Timestamp) {
        self.looks.ask(repository, now);
        self.look_later(repository);
        self.wanted_soon.notify_one();
    }

    /// The repository is looked at when the schedule comes by again.
    fn look_later(&self, repository: RepositoryId) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).push(repository);
    }

    /// The latest look at a repository that somebody asked this node for.
    pub fn look_at(&self, repository: RepositoryId) -> Option<Look> {
        self.looks.of(repository)
    }

    /// The looks that somebody asked this node for.
    pub fn looks(&self) -> Vec<(RepositoryId, Look)> {
        self.looks.list()
    }

    /// How a job stands that has not been done; `None` when there is none.
    pub async fn standing(&self, kind: Kind, key: &str) -> Result<Option<JobStanding>, StoreError> {
        queue::standing(&self.db, kind, key).await
    }

    /// The jobs of a kind that have not been done, from this key down; `most` at most.
    pub async fn standings(&self, kind: Kind, from: Uuid, most: u32) -> Result<Vec<JobStanding>, StoreError> {
        queue::standings(&self.db, kind, &from.to_string(), most).await
    }

    /// The repositories that were wanted since the last time.
    fn take_wanted(&self) -> HashSet<RepositoryId> {
        let wanted = std::mem::take(&mut *self.wanted.lock().unwrap_or_else(PoisonError::into_inner));
        wanted.into_iter().collect()
    }

    /// Until one is wanted.
    async fn wanted_soon(&self) {
        self.wanted_soon.notified().await;
    }

    /// There is something to do.
    pub fn wake(&self) {
        self.wake.notify_waiters();
        self.wake.notify_one();
    }

    /// Stops a job at once, if it runs on this node; another node sees it in the table.
    pub fn cancel_here(&self, kind: Kind, key: &str) {
        if let Some(running) = self.running().get(&(kind, key.to_owned())) {
            running.cancel.store(true, Ordering::Relaxed);
        }
    }

    /// How far a job is: as it is now when it runs here, else as last written down.
    pub async fn progress(&self, kind: Kind, key: &str) -> Result<Option<String>, StoreError> {
        let here = self.running().get(&(kind, key.to_owned())).cloned();
        let tell = here.and_then(|running| running.progress.lock().unwrap_or_else(PoisonError::into_inner).clone());
        match tell {
            Some(tell) => Ok(Some(tell())),
            None => queue::progress(&self.db, kind, key).await,
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<(Kind, String), Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for this task, too, when the server stops.
    pub fn keep(&self, task: JoinHandle<()>) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// Waits until the workers have ended; the stop token tells them to.
    pub async fn stopped(&self) {
        self.running().values().for_each(|running| running.cancel.store(true, Ordering::Relaxed));
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // One that panicked has said so already.
            let _ = task.await;
        }
    }
}
