//! The embedded engine: two files, one thread that writes each, readers beside them.
//!
//! One connection does all writes and all checkpoints of a file. That is how a defect of the engine (a WAL reset while
//! another connection commits, versions before 3.51.3) cannot happen, and why a second process is refused.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
};

use hashbrown::HashMap;
use keytrail_projections::value::{BadRow, Cells, Row, Value};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use tokio::sync::oneshot;

use super::{
    error::StoreError,
    folder_lock::FolderLock,
    statement::{Area, Body, Statement, markers},
};

mod rows;

use self::rows::bound;
pub use self::rows::{rows, rows_until};

type Task = Box<dyn FnOnce(&mut Connection) + Send>;

/// The embedded store of one data folder.
pub struct Sqlite {
    log: Lane,
    views: Lane,
    on_disk_failure: Arc<OnceLock<OnDiskFailure>>,
    /// Held as long as the store is open: a second process is refused.
    _lock: FolderLock,
}

/// What is done when a write or a sync failed.
pub type OnDiskFailure = Box<dyn Fn(&StoreError) + Send + Sync>;

/// One file: its writer and its readers.
struct Lane {
    path: PathBuf,
    vfs: &'static str,
    /// The most that each reader keeps of the file in memory.
    reader_cache_kib: u32,
    tasks: Mutex<Option<Sender<Task>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    idle_readers: Mutex<Vec<Connection>>,
    translated: RwLock<HashMap<String, Arc<str>>>,
}

impl Sqlite {
    /// Opens or makes the store in `folder`.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let lock = FolderLock::take(folder)?;
        Ok(Self {
            // The log is read along, or a short stream of it: what was read once is seldom wanted again.
            log: Lane::open(folder.join("log.db"), "FULL", "unix", 4 << 10)?,
            // This process alone opens the file, and that is known to the engine: what its readers share stays in
            // memory, and a read begins and ends without asking the operating system for a lock.
            // What people ask for again and again stays in memory, also over a million links; it is filled by reads
            // alone, and a reader is opened only while all others are busy.
            views: Lane::open(folder.join("views.db"), "NORMAL", "unix-excl", 64 << 10)?,
            on_disk_failure: Arc::default(),
            _lock: lock,
        })
    }

    /// Says what is done when a write or a sync fails: memory and disk may differ from then on. Said once.
    pub fn on_disk_failure(&self, act: OnDiskFailure) {
        // Said before: the first one stays.
        let _ = self.on_disk_failure.set(act);
    }

    const fn lane(&self, area: Area) -> &Lane {
        match area {
            Area::Log => &self.log,
            Area::Views => &self.views,
        }
    }

    /// Runs `work` on the file's writing thread, after what was asked before.
    pub async fn write_with<R, F>(&self, area: Area, work: F) -> Result<R, StoreError>
    where
        R: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<R, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let on_disk_failure = self.on_disk_failure.clone();
        let task: Task = Box::new(move |connection| {
            let before = connection.total_changes();
            let result = work(connection);
            if result.is_ok() && connection.total_changes() != before {
                super::committed(area);
            }
            let folded = fold_in(connection, area);
            // Before anybody is told anything, and before the next task: nothing is acknowledged after a failed sync.
            for error in [result.as_ref().err(), folded.as_ref().err()].into_iter().flatten() {
                if let (StoreError::Disk(_), Some(act)) = (error, on_disk_failure.get()) {
                    act(error);
                }
            }
            // Nobody waits for the answer any more: the work is done all the same.
            let _ = reply.send(result);
        });
        let closed = || StoreError::Unavailable("the store is closing".into());
        let sender = lock(&self.lane(area).tasks).clone().ok_or_else(closed)?;
        sender.send(task).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Runs the statements as one transaction.
    pub(super) async fn write(&self, area: Area, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, StoreError> {
        self.write_with(area, move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failure)?;
            let answers = statements.iter().map(|statement| run(&transaction, statement)).collect::<Result<_, _>>()?;
            transaction.commit().map_err(failure)?;
            Ok(answers)
        })
        .await
    }

    /// Reads on the calling thread: for reads along an index that take microseconds, a hop to another thread would be
    /// most of the work.
    pub(super) fn read(&self, area: Area, sql: &str, args: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.read_with(area, |connection, lane| rows(connection, &lane.translate(sql), args))
    }

    /// The same, with what `row` makes of each.
    pub(super) fn read_as<T>(
        &self,
        area: Area,
        sql: &str,
        args: &[Value],
        row: fn(&mut Cells<'_>) -> Result<T, BadRow>,
    ) -> Result<Vec<T>, StoreError> {
        self.read_with(area, |connection, lane| rows::read_as(connection, &lane.translate(sql), args, row))
    }

    /// Runs `work` with a reading connection, on the calling thread.
    fn read_with<R>(
        &self,
        area: Area,
        work: impl FnOnce(&Connection, &Lane) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let lane = self.lane(area);
        let idle = lock(&lane.idle_readers).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => lane.open_reader()?,
        };
        let result = work(&connection, lane);
        lock(&lane.idle_readers).push(connection);
        result
    }

    /// Runs `work` with a reading connection, on the calling thread; for readers that stop early.
    pub fn read_rows<R>(
        &self,
        area: Area,
        work: impl FnOnce(&Connection) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.read_with(area, |connection, _| work(connection))
    }

    /// Ends the writers after what was asked; the last connection to close folds the WAL in.
    pub fn close(&self) {
        for lane in [&self.log, &self.views] {
            lock(&lane.idle_readers).clear();
            lock(&lane.tasks).take();
            if let Some(thread) = lock(&lane.thread).take() {
                // A writer that panicked has said so already.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.close();
    }
}

impl Lane {
    fn open(path: PathBuf, synchronous: &str, vfs: &'static str, reader_cache_kib: u32) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags_and_vfs(&path, flags, vfs).map_err(failure)?;
        // Without recursive triggers the rows that an INSERT OR REPLACE takes away go without a word of the triggers that
        // refuse it.
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON;
                 PRAGMA busy_timeout = 5000; PRAGMA journal_size_limit = 1048576; PRAGMA temp_store = MEMORY;
                 PRAGMA wal_autocheckpoint = 0; PRAGMA recursive_triggers = ON;"
            ))
            .map_err(failure)?;
        connection.set_prepared_statement_cache_capacity(128);
        let (tasks, inbox): (Sender<Task>, Receiver<Task>) = channel();
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let thread = std::thread::Builder::new()
            .name(format!("{name}-writer"))
            .spawn(move || inbox.into_iter().for_each(|task| task(&mut connection)))
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self {
            path,
            vfs,
            reader_cache_kib,
            tasks: Mutex::new(Some(tasks)),
            thread: Mutex::new(Some(thread)),
            idle_readers: Mutex::default(),
            translated: RwLock::default(),
        })
    }

    fn open_reader(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags_and_vfs(&self.path, flags, self.vfs).map_err(failure)?;
        connection
            .execute_batch(&format!(
                "PRAGMA query_only = 1; PRAGMA wal_autocheckpoint = 0; PRAGMA busy_timeout = 5000;
                 PRAGMA cache_size = -{};",
                self.reader_cache_kib
            ))
            .map_err(failure)?;
        connection.set_prepared_statement_cache_capacity(128);
        Ok(connection)
    }

    /// The text with `?n` for `$n`: the engine numbers `$n` by first appearance.
    fn translate(&self, sql: &str) -> Arc<str> {
        if let Some(known) = self.translated.read().unwrap_or_else(PoisonError::into_inner).get(sql) {
            return known.clone();
        }
        let mut known = self.translated.write().unwrap_or_else(PoisonError::into_inner);
        // Texts are constants times a few builds of views; this only guards against a mistake.
        if known.len() > 4096 {
            known.clear();
        }
        known.entry(sql.to_owned()).or_insert_with(|| question_marks(sql).into()).clone()
    }
}

/// Folds the write-ahead log into the database once it has grown. The engine would do so by itself, and would keep to
/// itself that a sync failed in it.
fn fold_in(connection: &Connection, area: Area) -> Result<(), StoreError> {
    // Views are written in large transactions that touch the same pages again: folding them in later saves writes.
    let grown_bytes: u64 = match area {
        Area::Log => 4 << 20,
        Area::Views => 32 << 20,
    };
    let wal = connection.path().map(|path| format!("{path}-wal"));
    let grown = wal.and_then(|path| std::fs::metadata(path).ok()).is_some_and(|wal| wal.len() > grown_bytes);
    // When all of it is folded in, the next write begins at its start and cuts the file to `journal_size_limit`.
    // Nobody waits for it: readers that are in the way, or a full disk, only mean that it is tried again.
    if grown { connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).map_err(failure) } else { Ok(()) }
}

fn question_marks(sql: &str) -> String {
    sql.replace('$', "?")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs one statement. What it returns are the rows of `RETURNING`, or of a query.
pub fn run(transaction: &Connection, statement: &Statement) -> Result<Vec<Row>, StoreError> {
    let before = transaction.total_changes();
    let mut answer = Vec::new();
    match &statement.body {
        Body::One { sql, args } => answer = rows(transaction, &question_marks(sql), args)?,
        Body::Insert { head, rows, tail, kinds } => {
            let sql = question_marks(&format!("{head} VALUES ({}) {tail}", markers(kinds.len())));
            let mut prepared = transaction.prepare_cached(&sql).map_err(failure)?;
            for row in rows {
                prepared.execute(bound(row)).map_err(failure)?;
            }
        }
        Body::Delete { table, columns, rows, .. } => {
            let conditions: Vec<_> =
                columns.iter().enumerate().map(|(n, column)| format!("{column} = ?{}", n + 1)).collect();
            let sql = format!("DELETE FROM {table} WHERE {}", conditions.join(" AND "));
            let mut prepared = transaction.prepare_cached(&sql).map_err(failure)?;
            for row in rows {
                prepared.execute(bound(row)).map_err(failure)?;
            }
        }
    }
    match statement.expect {
        Some(expected) if transaction.total_changes() - before != expected => Err(StoreError::Fenced),
        _ => Ok(answer),
    }
}

/// Our words for the driver's.
pub fn failure(error: rusqlite::Error) -> StoreError {
    const SHM_SIZE: i32 = rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
    let text = error.to_string();
    let rusqlite::Error::SqliteFailure(failure, message) = error else { return StoreError::Wrong(text) };
    match failure.code {
        ErrorCode::ConstraintViolation => StoreError::Conflict { constraint: message.unwrap_or(text) },
        ErrorCode::DiskFull => StoreError::Full,
        ErrorCode::SystemIoFailure if failure.extended_code == SHM_SIZE => StoreError::Full,
        ErrorCode::SystemIoFailure => StoreError::Disk(text),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Corrupt(text),
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::OutOfMemory
        | ErrorCode::CannotOpen
        | ErrorCode::ReadOnly
        | ErrorCode::PermissionDenied => StoreError::Unavailable(text),
        _ => StoreError::Wrong(text),
    }
}

/// The version of the engine that is linked in.
pub fn embedded_version() -> &'static str {
    rusqlite::version()
}
