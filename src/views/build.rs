//! One build of a view: its tables, and its row in `view_builds` with the checkpoint and who may move it.

use std::sync::Arc;

use keytrail_domain::{recorded::Position, timestamp::Timestamp};
use keytrail_projections::{
    value::{BadRow, Cells, Row, Value},
    view::View,
};

use crate::{
    clock::Clock,
    log::Feed,
    store::{Area, Db, Statement, StoreError, schema},
};

/// How long a node that falls silent keeps a build, in microseconds.
pub(super) const LEASE_MICROS: i64 = 15_000_000;
/// A lease that ends later than a new one would by more than this was given before the clock was put back: it does not
/// count.
const SKEW_MICROS: i64 = 60_000_000;

/// Where a build is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BuildStatus {
    /// It is being folded from the beginning; nobody reads it yet.
    Building,
    /// It is what readers see.
    Live,
    /// It was live until its fold failed: it stays where it is. One whose fold fails before that goes on building, with
    /// an error.
    Faulted,
    /// Another one has taken its place; its tables are being taken away.
    Retired,
}

impl BuildStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Live => "live",
            Self::Faulted => "faulted",
            Self::Retired => "retired",
        }
    }
}

/// A row of `view_builds`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Build {
    pub(super) number: i64,
    pub(super) version: u32,
    pub(super) status: BuildStatus,
    pub(super) position: Position,
    pub(super) error: Option<String>,
}

/// What follows the names of a build's tables.
pub(super) fn suffix(build: i64) -> String {
    if build < 0 { format!("__verify{}", build.unsigned_abs()) } else { format!("__{build}") }
}

/// The builds of a view, newest first.
pub(super) async fn builds(db: &Db, view: &str) -> Result<Vec<Build>, StoreError> {
    let sql = "SELECT build, version, status, position, error FROM view_builds WHERE view = $1 AND build > 0 ORDER BY build DESC";
    let rows = db.read(Area::Views, sql, &[Value::from(view)]).await?;
    let read = |row: &Row| -> Result<Build, BadRow> {
        let mut cells = Cells::of(row);
        Ok(Build {
            number: cells.int()?,
            version: u32::try_from(cells.int()?).map_err(|_| BadRow)?,
            status: match cells.text()? {
                "building" => BuildStatus::Building,
                "live" => BuildStatus::Live,
                "faulted" => BuildStatus::Faulted,
                "retired" => BuildStatus::Retired,
                _ => return Err(BadRow),
            },
            position: cells.int()?,
            error: cells.maybe_text()?.map(str::to_owned),
        })
    };
    rows.iter().map(|row| read(row).map_err(|error| StoreError::Corrupt(error.to_string()))).collect()
}

/// Whether a newer version of the program keeps this view for itself, so that an older node leaves it alone. Only nodes of
/// one database meet others; the embedded store has one process, which builds what it needs.
pub(super) fn overtaken(db: &Db, builds: &[Build], version: u32) -> bool {
    let going = || builds.iter().filter(|build| build.status != BuildStatus::Retired);
    // A build of ours that serves goes on until it is retired; one that was begun after theirs was asked for.
    let newest = |theirs: bool| going().filter(|b| (b.version > version) == theirs).map(|b| b.number).max();
    let serves = |build: &Build| build.version == version && build.status != BuildStatus::Building;
    matches!(db, Db::Postgres(_))
        && !going().any(serves)
        && newest(true).is_some_and(|theirs| Some(theirs) > newest(false))
}

/// Whether a build of this version, once it is made, takes the place of one of another version that readers see.
pub(super) fn replaces(db: &Db, builds: &[Build], version: u32) -> bool {
    let is_read = |build: &&Build| matches!(build.status, BuildStatus::Live | BuildStatus::Faulted);
    let serves = |ours: bool| builds.iter().filter(is_read).any(|build| (build.version == version) == ours);
    serves(false) && !serves(true) && !overtaken(db, builds, version)
}

/// The builds that one of this version may take the place of: what a newer version has built is its own. Left behind in the
/// embedded store, it is nobody's.
pub(super) fn replaceable(db: &Db, builds: &[Build], version: u32) -> Vec<Build> {
    let ours = |build: &&Build| build.version <= version || matches!(db, Db::Sqlite(_));
    builds.iter().filter(ours).cloned().collect()
}

/// The numbers of the builds of verifications, under way or left by a crash.
pub(super) async fn scratches(db: &Db, view: &str) -> Result<Vec<i64>, StoreError> {
    let sql = "SELECT build FROM view_builds WHERE view = $1 AND build < 0";
    let rows = db.read(Area::Views, sql, &[Value::from(view)]).await?;
    let number = |row: &Row| Cells::of(row).int().map_err(|error| StoreError::Corrupt(error.to_string()));
    rows.iter().map(number).collect()
}

/// Makes the tables of a new build, empty and not yet read. Another node may be faster: then nothing is done. Given the
/// time, it is held as if it had just been renewed; otherwise it is left to whoever comes.
pub(super) async fn begin(
    db: &Db,
    view: &dyn View,
    number: i64,
    held_since: Option<Timestamp>,
) -> Result<(), StoreError> {
    let mut args = vec![Value::from(view.name()), Value::Int(number), Value::from(view.version())];
    let lease_until = match held_since {
        Some(now) => {
            let now = db.lease_clock(&mut args, now);
            format!("{now} + {LEASE_MICROS}")
        }
        None => "0".to_owned(),
    };
    let sql = format!(
        "INSERT INTO view_builds (view, build, version, status, position, epoch, lease_until) \
         VALUES ($1, $2, $3, 'building', 0, 0, {lease_until})"
    );
    let mut statements = vec![Statement::new(sql, args)];
    let suffix = suffix(number);
    for table in view.tables() {
        statements.extend(schema::create_table(db, table, &suffix).into_iter().map(|sql| Statement::new(sql, vec![])));
    }
    match db.write(Area::Views, statements).await {
        Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Becomes the one who moves the checkpoint, unless another node is alive and does. The epoch, and where it stands.
pub(super) async fn lease(
    db: &Db,
    view: &str,
    number: i64,
    node: &str,
    now: Timestamp,
) -> Result<Option<(i64, Position)>, StoreError> {
    let mut args = vec![Value::from(view), Value::Int(number), Value::from(node)];
    let now = db.lease_clock(&mut args, now);
    let free = match db {
        // Only one process has the embedded store: what another one held, it holds no more.
        Db::Sqlite(_) => "1 = 1".to_owned(),
        Db::Postgres(_) => {
            format!("(lease_until < {now} OR lease_until > {now} + {LEASE_MICROS} + {SKEW_MICROS} OR owner = $3)")
        }
    };
    let sql = format!(
        "UPDATE view_builds SET owner = $3, epoch = epoch + 1, lease_until = {now} + {LEASE_MICROS} \
         WHERE view = $1 AND build = $2 AND {free} RETURNING epoch, position"
    );
    let answers = db.write(Area::Views, vec![Statement::new(sql, args)]).await?;
    let Some(row) = answers.first().and_then(|rows| rows.first()) else { return Ok(None) };
    let mut cells = Cells::of(row);
    let mut next = || cells.int().map_err(|error| StoreError::Corrupt(error.to_string()));
    Ok(Some((next()?, next()?)))
}

/// Becomes the one who moves the checkpoint, whoever does now: what that one writes from here on is refused.
pub(super) async fn seize(db: &Db, view: &str, number: i64, node: &str, now: Timestamp) -> Result<(), StoreError> {
    let mut args = vec![Value::from(view), Value::Int(number), Value::from(node)];
    let now = db.lease_clock(&mut args, now);
    let sql = format!(
        "UPDATE view_builds SET owner = $3, epoch = epoch + 1, lease_until = {now} + {LEASE_MICROS} \
         WHERE view = $1 AND build = $2"
    );
    db.write(Area::Views, vec![Statement::new(sql, args)]).await.map(|_| ())
}

/// Leaves a build to whoever wants it, if this node moves it.
pub(super) async fn leave(db: &Db, view: &str, number: i64, node: &str) -> Result<(), StoreError> {
    let sql = "UPDATE view_builds SET lease_until = 0, owner = NULL WHERE view = $1 AND build = $2 AND owner = $3";
    let args = vec![Value::from(view), Value::Int(number), Value::from(node)];
    db.write(Area::Views, vec![Statement::new(sql, args)]).await.map(|_| ())
}

/// A build that this node moves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) view: &'static str,
    pub(super) number: i64,
    pub(super) epoch: i64,
}

impl Held {
    fn args(&self) -> Vec<Value> {
        vec![Value::from(self.view), Value::Int(self.number), Value::Int(self.epoch)]
    }

    /// Moves the checkpoint. Changes no row, and so takes the transaction down with it, once another holds the build.
    pub(super) fn advance(&self, db: &Db, from: Position, to: Position, now: Timestamp) -> Statement {
        let mut args = self.args();
        args.extend([Value::Int(from), Value::Int(to)]);
        let now = db.lease_clock(&mut args, now);
        let sql = format!(
            "UPDATE view_builds SET position = $5, lease_until = {now} + {LEASE_MICROS} \
             WHERE view = $1 AND build = $2 AND epoch = $3 AND position = $4"
        );
        Statement::new(sql, args).expecting(1)
    }

    /// Says that the node is alive.
    pub(super) async fn renew(&self, db: &Db, now: Timestamp) -> Result<(), StoreError> {
        let mut args = self.args();
        let now = db.lease_clock(&mut args, now);
        let sql = format!(
            "UPDATE view_builds SET lease_until = {now} + {LEASE_MICROS} \
             WHERE view = $1 AND build = $2 AND epoch = $3"
        );
        db.write(Area::Views, vec![Statement::new(sql, args).expecting(1)]).await.map(|_| ())
    }

    /// Leaves the build to whoever wants it.
    pub(super) async fn release(&self, db: &Db) -> Result<(), StoreError> {
        let sql = "UPDATE view_builds SET lease_until = 0, owner = NULL WHERE view = $1 AND build = $2 AND epoch = $3";
        db.write(Area::Views, vec![Statement::new(sql, self.args())]).await.map(|_| ())
    }

    /// Notes how the build stands.
    pub(super) async fn note(&self, db: &Db, status: BuildStatus, error: Option<&str>) -> Result<(), StoreError> {
        let mut args = self.args();
        args.extend([Value::from(status.as_str()), Value::from(error)]);
        let sql = "UPDATE view_builds SET status = $4, error = $5 WHERE view = $1 AND build = $2 AND epoch = $3";
        db.write(Area::Views, vec![Statement::new(sql, args).expecting(1)]).await.map(|_| ())
    }

    /// Makes this build the one that readers see, and retires `others`. `Fenced` when another one of this version stands
    /// further: readers never go back.
    pub(super) async fn swap_in(&self, db: &Db, view: &dyn View, others: &[Build]) -> Result<(), StoreError> {
        let suffix_ = suffix(self.number);
        let mut statements: Vec<Statement> = view
            .tables()
            .iter()
            .flat_map(|table| schema::create_indexes(table, &suffix_))
            .map(|sql| Statement::new(sql, vec![]))
            .collect();
        statements.push(
            Statement::new(
                "UPDATE view_builds SET status = 'live', error = NULL WHERE view = $1 AND build = $2 AND epoch = $3 \
                 AND position >= (SELECT MAX(position) FROM view_builds WHERE view = $1 AND version = $4 AND build > 0)",
                [self.args(), vec![Value::from(view.version())]].concat(),
            )
            .expecting(1),
        );
        for other in others.iter().filter(|other| other.number != self.number) {
            statements.push(retire(self.view, other.number));
        }
        db.write(Area::Views, statements).await.map(|_| ())
    }
}

/// From here on nobody reads it or moves it.
fn retire(view: &'static str, number: i64) -> Statement {
    Statement::new(
        "UPDATE view_builds SET status = 'retired', epoch = epoch + 1 WHERE view = $1 AND build = $2",
        vec![Value::from(view), Value::Int(number)],
    )
}

/// Takes away what stands beyond the log: the log is an older one, of a backup, and will say something else at the
/// positions that were folded. `opened` is where it stood when this node came. `false` when another node that may live
/// holds such a build: ask again.
pub(super) async fn discard_beyond(
    db: &Arc<Db>,
    feed: &Feed,
    view: &dyn View,
    opened: Position,
    node: &str,
    clock: &Clock,
) -> Result<bool, StoreError> {
    let builds = builds(db, view.name()).await?;
    let head = match &**db {
        // This process appends already, perhaps beyond where the views stand.
        Db::Sqlite(_) => opened,
        // Other nodes go on. Asked after the builds: what those folded is in the log by now.
        Db::Postgres(_) => feed.stored_head().await?.position,
    };
    let mut gone = true;
    for build in builds.iter().filter(|build| build.position > head) {
        match lease(db, view.name(), build.number, node, clock.now()).await? {
            Some((_, position)) if position > head => {
                tracing::warn!(view = view.name(), position, head, "a view is beyond the log, and is built anew");
                discard(db, view, build.number).await?;
            }
            // Another node was faster, and began a new one under this number.
            Some(_) => leave(db, view.name(), build.number, node).await?,
            None => gone = false,
        }
    }
    Ok(gone)
}

/// Takes a build and its tables away. Each table goes on its own: a reader that is still at work may hold one of them
/// and want another.
pub(super) async fn discard(db: &Arc<Db>, view: &dyn View, number: i64) -> Result<(), StoreError> {
    db.write(Area::Views, vec![retire(view.name(), number)]).await?;
    let suffix = suffix(number);
    for table in view.tables() {
        db.write(Area::Views, vec![Statement::new(schema::drop_table(table, &suffix), vec![])]).await?;
    }
    // The row goes last: until then a node that comes after a crash knows what is left to do.
    let delete = Statement::new(
        "DELETE FROM view_builds WHERE view = $1 AND build = $2",
        vec![Value::from(view.name()), Value::Int(number)],
    );
    db.write(Area::Views, vec![delete]).await.map(|_| ())
}

/// Says that a view was built. Of nothing it is no news: at the first start there would be a line for each view.
pub(super) fn tell(view: &dyn View, build: i64, position: i64) {
    if position > 0 {
        tracing::info!(view = view.name(), build, position, "a view was built");
    } else {
        tracing::debug!(view = view.name(), build, position, "a view was built");
    }
}
