//! What a check found, and the words for it.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is as it should be.
    Ok,
    /// It works, but not as well as it could, or it needs a look.
    Warn,
    /// Something does not work.
    Fail,
}

/// What a check is about. A person reads the findings in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// What was set, and where from.
    Configuration,
    /// The folder of everything that is kept.
    DataFolder,
    /// Memory, open files, disks.
    Machine,
    /// Who can reach the server.
    Network,
    /// The engine below.
    Store,
    /// The log, and what must agree with it.
    Log,
    /// What is shown.
    Views,
    /// Policies, jobs, runs.
    Work,
    /// What is sealed, and who may come in.
    Secrets,
    /// How repositories are reached.
    Git,
    /// Repositories and their copies.
    Repositories,
}

impl Subject {
    /// All of them, in order.
    pub const ALL: [Self; 11] = [
        Self::Configuration,
        Self::DataFolder,
        Self::Machine,
        Self::Network,
        Self::Store,
        Self::Log,
        Self::Views,
        Self::Work,
        Self::Secrets,
        Self::Git,
        Self::Repositories,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::DataFolder => "data_folder",
            Self::Machine => "machine",
            Self::Network => "network",
            Self::Store => "store",
            Self::Log => "log",
            Self::Views => "views",
            Self::Work => "work",
            Self::Secrets => "secrets",
            Self::Git => "git",
            Self::Repositories => "repositories",
        }
    }
}

/// What was found by one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The stable word of the check.
    pub id: &'static str,
    /// How bad it is.
    pub state: State,
    /// What is so: figures, settings, paths of the server; never the name of a thing or a person.
    pub sentence: String,
    /// Which things: their names and what is wrong with each. Not part of a support archive.
    pub details: Vec<String>,
    /// What to do; nothing when all is well.
    pub remedy: Option<String>,
}

impl Finding {
    pub(super) fn ok(id: &'static str, sentence: impl Into<String>) -> Self {
        Self { id, state: State::Ok, sentence: sentence.into(), details: Vec::new(), remedy: None }
    }

    pub(super) fn warn(id: &'static str, sentence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Warn, remedy: Some(remedy.into()), ..Self::ok(id, sentence) }
    }

    pub(super) fn fail(id: &'static str, sentence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Fail, ..Self::warn(id, sentence, remedy) }
    }

    /// The same, with the things that it is about.
    pub(super) fn of(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }
}
