//! Turns facts into work: runs the policies over every new event, once, and enqueues the jobs they ask for together with
//! the checkpoint. A replay or a rebuild never comes here.

use std::{sync::Arc, time::Duration};

use keytrail_domain::{
    fact::Fact,
    id::{IntegrationId, RepositoryId},
    index_run::{self, Cause},
    metadata::Source,
    policy::{Intent, POLICIES},
    recorded::{Position, Recorded, StreamId},
    repository::Repository,
};
use keytrail_projections::value::{Cells, Value};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    jobs::{Kind, NewJob},
    log::FeedError,
    store::{Area, Db, Statement, StoreError},
};

/// The row in `reactor_checkpoints`.
const NAME: &str = "policies";
/// How long a node that falls silent keeps the checkpoint, in microseconds.
const LEASE_MICROS: i64 = 15_000_000;
/// A lease that ends later than a new one would by more than this was given before the clock was put back: it does not
/// count.
const SKEW_MICROS: i64 = 60_000_000;
/// How often a node says that it lives, or looks whether the other one does.
const RENEW: Duration = Duration::from_secs(5);

/// Starts the reactor. A checkpoint that is missing begins at the head: what was before is not reacted to.
pub async fn start(app: &Arc<App>, node: &str, stop: &CancellationToken) -> Result<(), StoreError> {
    let make = "INSERT INTO reactor_checkpoints (name, position, epoch, lease_until) \
                SELECT $1, position, 0, 0 FROM log_head WHERE id = 0 ON CONFLICT (name) DO NOTHING";
    app.db.write(Area::Log, vec![Statement::new(make, vec![Value::from(NAME)])]).await?;
    let reactor = Reactor { app: app.clone(), node: node.to_owned() };
    let stop = stop.clone();
    app.jobs.keep(tokio::spawn(async move {
        tokio::select! {
            () = reactor.run() => {}
            () = stop.cancelled() => {}
        }
        reactor.leave().await;
    }));
    Ok(())
}

/// Why it does not react any more.
enum Ended {
    /// It may go on later, or another node does.
    Troubled(StoreError),
    /// The log holds an event of a newer version.
    Outdated(String),
}

impl Ended {
    fn of(error: FeedError) -> Self {
        match error {
            FeedError::Store(error) => Self::Troubled(error),
            error if error.is_of_the_future() => Self::Outdated(error.to_string()),
            error @ FeedError::Unreadable { .. } => Self::Troubled(StoreError::Corrupt(error.to_string())),
        }
    }
}

struct Reactor {
    app: Arc<App>,
    node: String,
}

impl Reactor {
    /// Leaves the checkpoint to whoever comes next, at once.
    async fn leave(&self) {
        let sql = "UPDATE reactor_checkpoints SET lease_until = 0, owner = NULL WHERE name = $1 AND owner = $2";
        let args = vec![Value::from(NAME), Value::from(self.node.as_str())];
        if let Err(error) = self.app.db.write(Area::Log, vec![Statement::new(sql, args)]).await {
            tracing::warn!(%error, "the reactor could not leave its place; another one waits until the lease runs out");
        }
    }

    async fn run(&self) {
        let mut looked = self.app.log.feed().head().position;
        loop {
            let ended = match self.lease().await {
                Ok(Some((epoch, position))) => self.follow(epoch, position).await,
                Ok(None) => match self.stand_by(&mut looked).await {
                    Ok(()) => continue,
                    Err(ended) => ended,
                },
                Err(error) => Ended::Troubled(error),
            };
            match ended {
                Ended::Troubled(StoreError::Fenced) => {}
                Ended::Troubled(error) => {
                    tracing::warn!(%error, "the reactor stands still; trying again");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Ended::Outdated(reason) => {
                    tracing::error!(reason, "this node is outdated: it reacts to nothing and takes no jobs any more");
                    self.app.jobs.set_outdated();
                    self.leave().await;
                    // Only another build knows the event.
                    return std::future::pending().await;
                }
            }
        }
    }

    /// Another node reacts. Looks meanwhile whether this one knows what comes; workers must not act on what it does not.
    async fn stand_by(&self, looked: &mut Position) -> Result<(), Ended> {
        let feed = self.app.log.feed();
        let until = tokio::time::Instant::now() + RENEW;
        while tokio::time::timeout_at(until, feed.wait_beyond(*looked)).await.is_ok() {
            let page = feed.page(*looked).await.map_err(Ended::of)?;
            *looked = page.last().map_or(*looked, |fact| fact.position);
        }
        Ok(())
    }

    async fn lease(&self) -> Result<Option<(i64, Position)>, StoreError> {
        let db = &self.app.db;
        let mut args = vec![Value::from(NAME), Value::from(self.node.as_str())];
        let now = db.lease_clock(&mut args, self.app.clock.now());
        let free = match **db {
            // Only one process has the embedded store.
            Db::Sqlite(_) => "1 = 1".to_owned(),
            Db::Postgres(_) => {
                format!("(lease_until < {now} OR lease_until > {now} + {LEASE_MICROS} + {SKEW_MICROS} OR owner = $2)")
            }
        };
        let sql = format!(
            "UPDATE reactor_checkpoints SET owner = $2, epoch = epoch + 1, lease_until = {now} + {LEASE_MICROS} \
             WHERE name = $1 AND {free} RETURNING epoch, position"
        );
        let answers = db.write(Area::Log, vec![Statement::new(sql, args)]).await?;
        let Some(row) = answers.first().and_then(|rows| rows.first()) else { return Ok(None) };
        let mut cells = Cells::of(row);
        let mut next = || cells.int().map_err(|error| StoreError::Corrupt(error.to_string()));
        Ok(Some((next()?, next()?)))
    }

    /// Reacts until it cannot.
    async fn follow(&self, epoch: i64, mut position: Position) -> Ended {
        let feed = self.app.log.feed();
        loop {
            if feed.head().position <= position {
                tokio::select! {
                    () = feed.wait_beyond(position) => {}
                    () = tokio::time::sleep(RENEW) => {
                        // On the embedded engine nobody else can come: an idle server writes nothing.
                        if let Db::Postgres(_) = *self.app.db
                            && let Err(error) = self.commit(epoch, position, position, Vec::new()).await
                        {
                            return Ended::Troubled(error);
                        }
                        continue;
                    }
                }
            }
            let page = match feed.page(position).await {
                Ok(page) => page,
                // Views say so, too; nothing may be skipped.
                Err(error) => return Ended::of(error),
            };
            let Some(last) = page.last().map(|fact| fact.position) else { continue };
            let (mut jobs, mut stopped, mut besides) = (Vec::new(), Vec::new(), Vec::new());
            for recorded in page.iter() {
                for (policy, rule) in POLICIES {
                    let Some(intent) = rule(recorded) else { continue };
                    tracing::debug!(policy, ?intent, position = recorded.position, "a policy reacts");
                    let integration = self.integration_of(&intent).await;
                    match carried_out(intent) {
                        Means::Job(kind, key, repository) => {
                            let (caused_by, is_urgent) = (recorded.position, is_urgent(recorded));
                            jobs.push(NewJob { kind, key, repository, integration, caused_by, is_urgent });
                        }
                        Means::Stop(kind, key) => stopped.push((kind, key)),
                        Means::Write(statement) => besides.push(statement),
                    }
                }
            }
            let now = self.app.clock.now();
            let mut statements: Vec<_> = jobs.iter().map(|job| job.enqueue(&self.app.db, now)).collect();
            statements.extend(stopped.iter().map(|(kind, key)| crate::jobs::cancel(*kind, key)));
            statements.extend(besides);
            let idle = statements.is_empty();
            if let Err(error) = self.commit(epoch, position, last, statements).await {
                return Ended::Troubled(error);
            }
            if !idle {
                stopped.iter().for_each(|(kind, key)| self.app.jobs.cancel_here(*kind, key));
                self.app.jobs.wake();
            }
            position = last;
        }
    }

    /// Whose job it is, for the order among those that wait: what cannot be told now is nobody's.
    async fn integration_of(&self, intent: &Intent) -> Option<IntegrationId> {
        let repository = match intent {
            Intent::DiscoverRepositories(integration)
            | Intent::ForgetRepositories(integration)
            | Intent::ReindexIntegration(integration)
            | Intent::ResetIntegration(integration)
            | Intent::CancelIndexing(integration)
            | Intent::ListPullRequests(integration)
            | Intent::ReconcileInstallation(integration) => {
                return Some(*integration);
            }
            Intent::RequestIndex(repository) | Intent::IndexRepository(_, repository) => repository,
            Intent::StopIndexing(_) | Intent::RotateSshKey(_) => return None,
        };
        match self.app.load::<Repository>(StreamId::new("repository", repository.0)).await {
            Ok((Repository::Known { integration, .. }, _)) => Some(integration),
            Ok((Repository::Absent | Repository::Refused { .. } | Repository::Forgotten, _)) | Err(_) => None,
        }
    }

    async fn commit(
        &self,
        epoch: i64,
        from: Position,
        to: Position,
        mut statements: Vec<Statement>,
    ) -> Result<(), StoreError> {
        let mut args = vec![Value::from(NAME), Value::Int(epoch), Value::Int(from), Value::Int(to)];
        let now = self.app.db.lease_clock(&mut args, self.app.clock.now());
        let sql = format!(
            "UPDATE reactor_checkpoints SET position = $4, lease_until = {now} + {LEASE_MICROS} \
             WHERE name = $1 AND epoch = $2 AND position = $3"
        );
        statements.insert(0, Statement::new(sql, args).expecting(1));
        self.app.db.write(Area::Log, statements).await.map(|_| ())
    }
}

/// How far the policies have read the log: what follows from events up to there is in the table of jobs, or was done.
pub async fn position(db: &Db) -> Result<Position, StoreError> {
    let sql = "SELECT position FROM reactor_checkpoints WHERE name = $1";
    let rows = db.read(Area::Log, sql, &[Value::from(NAME)]).await?;
    let Some(row) = rows.first() else { return Ok(0) };
    Cells::of(row).int().map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// What somebody asked for, or what came a moment ago, goes before the first index of what is old. Not what was asked for
/// of all repositories of an integration at once: nobody waits for ten thousand runs.
fn is_urgent(recorded: &Recorded<Fact>) -> bool {
    match &recorded.fact {
        Fact::IndexRun(index_run::Event::Requested { cause: Cause::Asked, .. }) => {
            recorded.metadata.source != Source::Job
        }
        Fact::IndexRun(index_run::Event::Requested { cause: Cause::Moved, .. }) => true,
        _ => false,
    }
}

/// By what an intent is carried out.
enum Means {
    /// This job, for this key; of a repository, its node does it.
    Job(Kind, String, Option<RepositoryId>),
    /// That job is stopped.
    Stop(Kind, String),
    /// This is written, with the checkpoint.
    Write(Statement),
}

fn carried_out(intent: Intent) -> Means {
    let of_all = |kind, integration: IntegrationId| Means::Job(kind, integration.to_string(), None);
    match intent {
        Intent::DiscoverRepositories(integration) => of_all(Kind::DiscoverRepositories, integration),
        Intent::RequestIndex(repository) => Means::Job(Kind::RequestIndex, repository.to_string(), None),
        Intent::IndexRepository(run, repository) => {
            Means::Job(Kind::IndexRepository, run.to_string(), Some(repository))
        }
        Intent::ForgetRepositories(integration) => of_all(Kind::ForgetRepositories, integration),
        Intent::ReconcileInstallation(integration) => of_all(Kind::ReconcileInstallation, integration),
        Intent::ReindexIntegration(integration) => of_all(Kind::ReindexIntegration, integration),
        Intent::ResetIntegration(integration) => of_all(Kind::ResetIntegration, integration),
        Intent::CancelIndexing(integration) => of_all(Kind::CancelIndexing, integration),
        Intent::StopIndexing(run) => Means::Stop(Kind::IndexRepository, run.to_string()),
        Intent::RotateSshKey(key) => Means::Job(Kind::RotateSshKey, key.to_string(), None),
        // Whoever looks next asks for the jobs: which repositories there are is not known here.
        Intent::ListPullRequests(integration) => Means::Write(crate::jobs::list_pull_requests_soon(integration)),
    }
}
