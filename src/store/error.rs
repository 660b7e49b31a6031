//! What can go wrong with a store, whichever engine it is.

/// Why the store did not do it. `Display` speaks to the operator; it holds no values of rows.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique constraint refused it.
    #[error("a row with this key is there already ({constraint})")]
    Conflict {
        /// The constraint's name, as the engine tells it.
        constraint: String,
    },
    /// Somebody else holds what we thought was ours: nothing was written.
    #[error("another node has taken this over")]
    Fenced,
    /// The database does not answer, or is busy for too long. Trying again may help.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Two transactions waited for each other, and this one was undone, as a whole. The same again may work.
    #[error("another transaction was in the way: {0}")]
    Undone(String),
    /// There is no space left for it.
    #[error("there is no space left on the database's disk")]
    Full,
    /// The disk failed. What is in memory may differ from what is on disk: the process must not go on.
    #[error("the disk failed: {0}")]
    Disk(String),
    /// What is stored is not what was written, or not of this program.
    #[error("the database is damaged or not ours: {0}")]
    Corrupt(String),
    /// The statement is wrong: a bug of this program.
    #[error("the database did not understand: {0}")]
    Wrong(String),
}

impl StoreError {
    /// Whether the same may work a little later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Undone(_) | Self::Full)
    }

    /// Whether it speaks of the statements of one command, so that other commands may go on: not of the store as a whole.
    pub(crate) fn is_of_one_command(&self) -> bool {
        matches!(self, Self::Conflict { .. } | Self::Fenced | Self::Wrong(_))
    }
}
