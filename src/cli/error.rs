//! Why a command failed, and the exit code it ends with.

use std::{io, path::PathBuf, process::ExitCode};

use crate::{boot::BootError, config::ConfigError, http::BadAccess};

/// Speaks to the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The server did not start.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// What is said of access.
    #[error(transparent)]
    Access(#[from] BadAccess),
    /// The server refused.
    #[error("{detail} ({code})")]
    Problem {
        /// HTTP status.
        status: u16,
        /// The stable code.
        code: String,
        /// In the server's words.
        detail: String,
    },
    /// The server did not answer as one of ours does.
    #[error("the server at {url} did not answer: {source}")]
    NoAnswer {
        /// Where.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// Nothing runs, and the command does not start it.
    #[error(
        "no server runs on the data folder {}, and this command needs one that goes on. Start it:\n  {start_with}\n\
         or name one elsewhere with --server URL",
        .folder.display()
    )]
    NoServer {
        /// Where it was looked for.
        folder: PathBuf,
        /// What starts it.
        start_with: String,
    },
    /// Some other program answers there.
    #[error(
        "what answers at {url} is no Keytrail server: it said {status} in words that are not ours. Check the address, and \
         the proxy before the server"
    )]
    NotOurs {
        /// Where.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// What was given cannot be read, or not be done.
    #[error("{0}")]
    Input(String),
    /// Something was named that is not there.
    #[error("{0}")]
    Missing(String),
    /// The work that was waited for did not succeed.
    #[error("{0}")]
    Failed(String),
    /// The operating system.
    #[error("could not {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

impl CliError {
    /// 1 the work failed; 2 the command or the configuration is wrong, or cannot be read; 3 not found; 4 refused; 5 the server is not
    /// available.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) | Self::System { .. } => 1,
            // What the server cannot read was not asked for by anybody.
            Self::Config(_) | Self::Access(_) | Self::Input(_) | Self::Problem { status: 400, .. } => 2,
            Self::Missing(_) | Self::Problem { status: 404, .. } => 3,
            Self::Problem { status: 500.., .. }
            | Self::NoAnswer { .. }
            | Self::NoServer { .. }
            | Self::NotOurs { .. }
            | Self::Boot(_) => 5,
            Self::Problem { .. } => 4,
        })
    }
}
