//! Compares a live view, row by row, with one that is folded anew from the log.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use keytrail_domain::recorded::Position;
use keytrail_projections::{value::Cells, view::Table};
use tokio_util::sync::CancellationToken;

use super::{
    Status, Views,
    build::{self, BuildStatus, Held},
    fold::{FoldError, apply},
    projector::{Projector, RENEW},
};
use crate::{
    ids::random_bytes,
    log::FeedError,
    store::{Area, StoreError},
};

/// What came of comparing one view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Which view.
    pub view: &'static str,
    /// At which position.
    pub position: Position,
    /// Table by table.
    pub tables: Vec<TableVerdict>,
}

impl Verdict {
    /// Whether live and rebuilt are the same.
    pub fn same(&self) -> bool {
        self.tables.iter().all(|table| table.missing == 0 && table.surplus == 0)
    }
}

/// What came of comparing one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableVerdict {
    /// Which table.
    pub table: &'static str,
    /// Rows in the live view.
    pub rows: i64,
    /// Rows that the rebuilt view has and the live one has not, or has otherwise.
    pub missing: i64,
    /// Rows that the live view has and the rebuilt one has not, or has otherwise.
    pub surplus: i64,
}

/// Why a view could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It is not live.
    #[error("the view {0} is not live; only a live view can be verified")]
    NotLive(&'static str),
    /// It moved on every time it was compared; another node moves it.
    #[error("the view {0} moved on while it was compared; try again when there is less to do")]
    Moving(&'static str),
    /// The rebuilt one could not be folded.
    #[error("the view could not be folded anew: {0}")]
    Fold(String),
    /// It ended before it was done, by a mistake that the log of the server has.
    #[error("the verification ended before it was done; the log of the server says why")]
    Broken,
    /// Nobody wants it any more.
    #[error("the verification was cancelled")]
    Cancelled,
    /// The log could not be read.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The number of one verification's build. Negative, so that nobody takes it for one to be read; random, so that
/// verifications at the same time, also on other nodes, do not fold into each other's tables.
struct Scratch<'a> {
    number: i64,
    under_way: &'a Mutex<HashSet<i64>>,
}

impl<'a> Scratch<'a> {
    fn new(under_way: &'a Mutex<HashSet<i64>>) -> Self {
        // 48 bits keep the names of tables short.
        let [a, b, c, d, e, f] = random_bytes();
        let number = -1 - i64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
        Self { number, under_way }
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

impl Views {
    /// Compares each view; the live ones stand still only for the last step of their own comparison.
    pub async fn verify(&self) -> Result<Vec<Verdict>, VerifyError> {
        let (mut verdicts, never) = (Vec::new(), CancellationToken::new());
        for name in self.names() {
            verdicts.push(self.verify_one(name, &never).await?);
        }
        Ok(verdicts)
    }

    /// Compares one view, until it is not wanted any more.
    pub async fn verify_one(&self, name: &'static str, cancel: &CancellationToken) -> Result<Verdict, VerifyError> {
        let projector = self.each.get(name).ok_or(VerifyError::NotLive(name))?;
        let live = {
            let state = projector.state.borrow();
            state.build.filter(|_| state.status == Status::Live).ok_or(VerifyError::NotLive(name))?
        };
        self.clean_scratches(projector).await?;
        let scratch = Scratch::new(&self.scratches);
        let number = scratch.number;
        build::begin(&self.db, projector.view, number, Some(self.clock.now())).await?;
        let verdict = tokio::select! {
            verdict = self.compare(name, live, number) => verdict,
            lost = self.keep_scratch(name, number) => Err(lost.into()),
            () = cancel.cancelled() => Err(VerifyError::Cancelled),
        };
        build::discard(&self.db, projector.view, number).await?;
        verdict
    }

    /// Takes away what verifications left that were cut off: ones of this process are not under way any more, ones of
    /// other nodes have fallen silent.
    async fn clean_scratches(&self, projector: &Projector) -> Result<(), StoreError> {
        let name = projector.view.name();
        for number in build::scratches(&self.db, name).await? {
            let under_way = self.scratches.lock().unwrap_or_else(PoisonError::into_inner).contains(&number);
            if !under_way && build::lease(&self.db, name, number, &projector.node, self.clock.now()).await?.is_some() {
                build::discard(&self.db, projector.view, number).await?;
            }
        }
        Ok(())
    }

    /// Says that the comparison goes on, also while the database counts for long. Ends when it is another's.
    async fn keep_scratch(&self, view: &'static str, number: i64) -> StoreError {
        let held = Held { view, number, epoch: 0 };
        loop {
            tokio::time::sleep(RENEW).await;
            match held.renew(&self.db, self.clock.now()).await {
                Err(StoreError::Fenced) => return StoreError::Fenced,
                Err(error) => tracing::warn!(view, %error, "a verification cannot say that it goes on"),
                Ok(()) => {}
            }
        }
    }

    async fn compare(&self, name: &'static str, live: i64, scratch: i64) -> Result<Verdict, VerifyError> {
        let projector = self.each.get(name).ok_or(VerifyError::NotLive(name))?;
        let mut at = self.catch_up(name, scratch, 0, self.position_of(name, live).await?).await?;
        for _ in 0..5 {
            let _still = projector.gate.lock().await;
            let target = self.position_of(name, live).await?;
            at = self.catch_up(name, scratch, at, target).await?;
            let mut tables = Vec::new();
            for table in projector.view.tables() {
                tables.push(self.compare_table(table, live, scratch).await?);
            }
            if self.position_of(name, live).await? == target && at == target {
                return Ok(Verdict { view: name, position: at, tables });
            }
        }
        Err(VerifyError::Moving(name))
    }

    async fn position_of(&self, name: &'static str, number: i64) -> Result<Position, VerifyError> {
        let builds = build::builds(&self.db, name).await?;
        let live = |build: &&build::Build| build.number == number && build.status == BuildStatus::Live;
        let build = builds.iter().find(live).ok_or(VerifyError::NotLive(name))?;
        Ok(build.position)
    }

    async fn catch_up(
        &self,
        name: &'static str,
        scratch: i64,
        mut at: Position,
        target: Position,
    ) -> Result<Position, VerifyError> {
        let view = self.each.get(name).ok_or(VerifyError::NotLive(name))?.view;
        let held = Held { view: name, number: scratch, epoch: 0 };
        while at < target {
            let page = self.feed.page_apart(at).await?;
            let page: std::sync::Arc<[_]> = page.iter().filter(|fact| fact.position <= target).cloned().collect();
            let Some(last) = page.last().map(|fact| fact.position) else { break };
            apply(&self.db, view, held, at, page, &self.clock).await.map_err(|error| match error {
                FoldError::Store(error) => VerifyError::Store(error),
                error @ FoldError::Panicked { .. } => VerifyError::Fold(error.to_string()),
            })?;
            at = last;
        }
        Ok(at)
    }

    async fn compare_table(&self, table: &'static Table, live: i64, scratch: i64) -> Result<TableVerdict, VerifyError> {
        let columns: Vec<_> = table.stored_columns().iter().map(|(column, _)| *column).collect();
        let columns = columns.join(", ");
        let name = |build: i64| format!("{}{}", table.name, build::suffix(build));
        let without = |one: i64, other: i64| {
            format!(
                "SELECT COUNT(*) FROM (SELECT {columns} FROM {} EXCEPT SELECT {columns} FROM {}) AS d",
                name(one),
                name(other)
            )
        };
        Ok(TableVerdict {
            table: table.name,
            rows: self.count(format!("SELECT COUNT(*) FROM {}", name(live))).await?,
            missing: self.count(without(scratch, live)).await?,
            surplus: self.count(without(live, scratch)).await?,
        })
    }

    async fn count(&self, sql: String) -> Result<i64, StoreError> {
        let rows = self.db.read_long(Area::Views, sql, Vec::new()).await?;
        rows.first()
            .and_then(|row| Cells::of(row).int().ok())
            .ok_or_else(|| StoreError::Corrupt("a count is missing".into()))
    }
}
