//! The git services that an integration can be connected to, and where a connection leads.

use serde::{Deserialize, Serialize};

/// Where an integration finds its repositories. Holds no credential; those are named by `SecretRef`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Connection {
    /// One repository on this machine, read in place.
    Path {
        /// Absolute, with links resolved, when the integration was added.
        path: String,
    },
}

impl Connection {
    /// The service's stable word, as in the API and in views.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Path { .. } => "path",
        }
    }

    /// The same place is connected once: what `claims` holds it by.
    pub fn natural_key(&self) -> String {
        match self {
            Self::Path { path } => format!("path:{path}"),
        }
    }

    /// What a person is shown as the place.
    pub fn location(&self) -> &str {
        match self {
            Self::Path { path } => path,
        }
    }
}
