//! The server's inside: what routes, the command line and the reactors call.
//!
//! It dispatches commands and reads views; it knows no HTTP and no SQL.

mod context;
mod dispatch;
mod indexing_again;
mod operation;
mod operation_id;
mod operations;
mod rotations;
mod turns;
mod verifications;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use keytrail_domain::recorded::Position;
use keytrail_projections::{issue_commits::OfIssue, registry::VIEWS, view::Read};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

pub use self::{
    context::Context,
    dispatch::{DispatchError, States},
    operation::{Operation, OperationProgress, OperationResult, OperationState},
    operation_id::{NoSuchOperation, OperationId},
    operations::OperationTrouble,
    turns::{Busy, Turn, Turns},
    verifications::{Verification, VerificationEnd},
};
use self::{dispatch::Gates, verifications::Verifications};
use crate::{
    clock::Clock,
    config::Config,
    inbox::Inbox,
    jobs::{Caches, GitSettings, Jobs},
    log::{Log, OnFatal},
    public_address::PublicAddress,
    secrets::{People, ServerSecrets, Tokens, Vault},
    store::{Db, FolderLock, StoreError},
    views::{self, ViewError, Views},
};

/// Reads at once that look at much.
const ASIDES: usize = 4;
/// Questions that go through all repositories at once.
const SCANS: usize = 2;
/// How long somebody waits to be one of a few.
const SOON: Duration = Duration::from_secs(2);

/// What an app is made with.
pub struct Parts {
    /// The migrated store.
    pub db: Arc<Db>,
    /// Tells the time.
    pub clock: Clock,
    /// Which node this is, among those of one database.
    pub node: String,
    /// The data folder, where the store has not locked it itself.
    pub lock: Option<FolderLock>,
    /// The vault, already opened with the root key.
    pub vault: Vault,
    /// The server's own keys.
    pub keys: ServerSecrets,
    /// Where caches of repositories are kept.
    pub caches: Caches,
    /// How repositories are reached.
    pub git: GitSettings,
    /// How many jobs run at once on this node.
    pub workers: usize,
    /// Whether policies react and jobs are done. Who only looks starts an app that does neither.
    pub works: bool,
    /// What it was started with.
    pub config: Arc<Config>,
    /// How it is reached from outside.
    pub public_address: PublicAddress,
    /// What to do when the process must not go on.
    pub on_fatal: OnFatal,
}

/// One running server, without its doors.
pub struct App {
    /// The store.
    pub db: Arc<Db>,
    /// Tells the time.
    pub clock: Clock,
    /// The log.
    pub log: Log,
    /// The views.
    pub views: Views,
    /// The jobs.
    pub jobs: Jobs,
    /// What git services delivered.
    pub inbox: Inbox,
    /// Sealed secrets.
    pub vault: Arc<Vault>,
    /// The server's own keys.
    pub keys: ServerSecrets,
    /// Who is behind a `PersonId`.
    pub people: People,
    /// Who may come in.
    pub tokens: Tokens,
    /// Where caches of repositories are kept.
    pub caches: Caches,
    /// What it was started with: for who shows or examines it, nobody decides by it here.
    pub config: Arc<Config>,
    /// How this server is reached from outside.
    pub public_address: PublicAddress,
    /// Whether policies react and jobs are done here.
    pub works: bool,
    /// Reads that look at much of a view, or at a whole repository: [`App::read_aside`].
    pub asides: Turns,
    /// Questions that go through all repositories, for who waits.
    pub scans: Turns,
    states: States,
    gates: Gates,
    verifications: Verifications,
    stop: CancellationToken,
    lock: Mutex<Option<FolderLock>>,
}

impl App {
    /// Starts it: from here on views follow the log, and, where it works, policies react and jobs are done.
    pub async fn start(parts: Parts) -> Result<Arc<Self>, StoreError> {
        let Parts { db, clock, node, lock, vault, keys, caches, git, workers, works, config, public_address, on_fatal } =
            parts;
        let stop = CancellationToken::new();
        let log = Log::open(db.clone(), clock.clone(), on_fatal).await?;
        let views = Views::start(db.clone(), log.feed().clone(), clock.clone(), &node, VIEWS, works, &stop);
        let jobs = Jobs::new(db.clone(), node.clone(), git);
        let inbox = Inbox::open(db.clone(), &node);
        let states = States::of(&db);
        let (people, tokens) = (People::new(db.clone()), Tokens::new(db.clone()));
        let app = Arc::new(Self {
            db,
            clock,
            log,
            views,
            jobs,
            inbox,
            vault: Arc::new(vault),
            keys,
            people,
            tokens,
            caches,
            config,
            public_address,
            works,
            asides: Turns::new(ASIDES, SOON),
            scans: Turns::new(SCANS, SOON),
            states,
            gates: Gates::default(),
            verifications: Verifications::default(),
            stop: stop.clone(),
            lock: Mutex::new(lock),
        });
        if works {
            crate::reactors::start(&app, &node, &stop).await?;
            crate::jobs::start(&app, workers, &stop).await?;
            tokio::spawn(app.clone().write_token_uses());
        }
        Ok(app)
    }

    /// The views that a start on `db`, which is migrated, would build anew in the place of what another version shows.
    pub async fn replaced_views(db: &Db) -> Result<Vec<&'static str>, StoreError> {
        views::replaced(db, VIEWS).await
    }

    /// Reads a view as it is now.
    pub async fn read<T>(&self, read: Read<T>) -> Result<Vec<T>, ViewError> {
        self.views.read(read).await
    }

    /// Reads what looks at much: not on a thread that others wait for, and a few at a time. [`ViewError::Busy`] when there
    /// was no turn in time.
    pub async fn read_aside<T, F>(
        self: &Arc<Self>,
        reading: impl FnOnce(Arc<Self>) -> F + Send + 'static,
    ) -> Result<T, ViewError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ViewError>>,
    {
        let turn = self.asides.take().await?;
        let (app, here) = (self.clone(), Handle::current());
        let read = tokio::task::spawn_blocking(move || {
            // Until it is done, also when nobody waits for it any more.
            let _turn = turn;
            here.block_on(reading(app))
        });
        read.await.unwrap_or_else(|error| {
            Err(ViewError::Store(if error.is_panic() {
                StoreError::Wrong(format!("a read ended before it was done: {error}"))
            } else {
                StoreError::Unavailable("the server is stopping".into())
            }))
        })
    }

    /// Reads a view that stands at `position` or beyond.
    pub async fn read_at_least<T>(&self, position: Position, read: Read<T>) -> Result<Vec<T>, ViewError> {
        self.views.wait_for(read.view.name(), position).await?;
        self.views.read(read).await
    }

    /// Asks about an issue, the plain way first. The rows, and whether they are those of an issue about whose commits persons
    /// may have decided something.
    pub async fn read_of_issue<T>(&self, asked: OfIssue<T>) -> Result<(Vec<T>, bool), ViewError> {
        let found = self.read(asked.plain).await?;
        if found.is_empty() { Ok((self.read(asked.decided).await?, true)) } else { Ok((found, false)) }
    }

    /// Writes down now and then which tokens were used.
    async fn write_token_uses(self: Arc<Self>) {
        const PAUSE: Duration = Duration::from_secs(60);
        loop {
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = self.stop.cancelled() => return,
            }
            if let Err(error) = self.tokens.write_uses().await {
                tracing::warn!(%error, "when tokens were last used is not written yet");
            }
        }
    }

    /// For how many seconds the first event after `position` has waited to be followed; nothing when there is none. By this
    /// node's clock.
    pub async fn lag_seconds(&self, position: Position) -> Result<Option<i64>, StoreError> {
        if position >= self.log.feed().head().position {
            return Ok(None);
        }
        let recorded = self.log.recorded_after(position).await?;
        Ok(recorded.map(|recorded| (self.clock.now().seconds() - recorded.seconds()).max(0)))
    }

    /// Becomes true when the server stops; long work looks at it.
    pub const fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Stops what goes on by itself, and closes the store. What was acknowledged is on disk.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.jobs.stopped().await;
        self.views.stopped().await;
        // Of no weight: a store that cannot take it now has told so elsewhere.
        let _ = self.tokens.write_uses().await;
        self.log.stop();
        self.db.close().await;
        // Only now another process may be this node.
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}
