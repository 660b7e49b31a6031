//! Folds a page of facts into a build: load the rows it touches, fold in memory, write the difference and the
//! checkpoint in one transaction.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use keytrail_domain::{
    fact::Fact,
    recorded::{Position, Recorded},
};
use keytrail_projections::{
    rows::{Keys, Rows, TableChanges},
    value::Row,
    view::View,
};

use super::build::{self, Held};
use crate::{
    clock::Clock,
    store::{Area, Db, Statement, StoreError, schema},
};

/// Why a page could not be folded.
#[derive(Debug, thiserror::Error)]
pub(super) enum FoldError {
    /// The fold panicked: a defect of the view.
    #[error("its fold failed at events {first} to {last}: {text}")]
    Panicked { first: i64, last: i64, text: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The statements that bring a build over `page`. Nothing is written yet.
async fn fold(
    db: &Arc<Db>,
    view: &'static dyn View,
    suffix: &str,
    page: Arc<[Recorded<Fact>]>,
) -> Result<Vec<Statement>, FoldError> {
    let wanted = {
        let page = page.clone();
        guarded(&page.clone(), move || {
            let mut keys = Keys::default();
            page.iter().for_each(|fact| view.keys(fact, &mut keys));
            keys.into_tables().map(|(table, keys)| (table, keys.into_iter().collect::<Vec<Row>>())).collect::<Vec<_>>()
        })
        .await?
    };
    let mut rows = Rows::default();
    for (table, keys) in wanted {
        let found = db.lookup(table, suffix, keys.clone()).await?;
        keys.into_iter().for_each(|key| rows.load(table, key, None));
        found.into_iter().for_each(|row| rows.load(table, row[..table.key].to_vec(), Some(row)));
    }
    let changes: Vec<TableChanges> = {
        let page = page.clone();
        guarded(&page.clone(), move || {
            for fact in page.iter() {
                rows.at(fact.position);
                view.fold(&mut rows, fact);
            }
            rows.into_changes()
        })
        .await?
    };
    let rows =
        changes.iter().map(|table| table.deletes.len() + table.inserts.len() + table.upserts.len()).sum::<usize>();
    metrics::counter!("keytrail_view_rows_written_total", "view" => view.name()).increment(rows as u64);
    Ok(changes.into_iter().flat_map(|changes| schema::write_changes(changes, suffix)).collect())
}

/// Runs work of a view on a thread that may be busy for a while; a panic is an error of this view only.
async fn guarded<R: Send + 'static>(
    page: &[Recorded<Fact>],
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, FoldError> {
    let result = if page.len() < 64 {
        catch_unwind(AssertUnwindSafe(work))
    } else {
        tokio::task::spawn_blocking(|| catch_unwind(AssertUnwindSafe(work)))
            .await
            .map_err(|_| StoreError::Unavailable("the server is stopping".into()))?
    };
    result.map_err(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no reason given".into());
        FoldError::Panicked {
            first: page.first().map_or(0, |fact| fact.position),
            last: page.last().map_or(0, |fact| fact.position),
            text,
        }
    })
}

/// Folds a page that begins after `from` into a build, and moves its checkpoint with it.
pub(super) async fn apply(
    db: &Arc<Db>,
    view: &'static dyn View,
    held: Held,
    from: Position,
    page: Arc<[Recorded<Fact>]>,
    clock: &Clock,
) -> Result<(), FoldError> {
    let Some(last) = page.last().map(|fact| fact.position) else { return Ok(()) };
    let mut statements = vec![held.advance(db, from, last, clock.now())];
    statements.extend(fold(db, view, &build::suffix(held.number), page).await?);
    db.write(Area::Views, statements).await?;
    Ok(())
}
