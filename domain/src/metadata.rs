//! What every event says of itself besides what happened: when, who, through what, because of what.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{id::TokenId, recorded::Position, timestamp::Timestamp, trace_parent::TraceParent};

/// Who wished it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// The holder of an access token.
    Token {
        /// Which token.
        id: TokenId,
        /// Its name when it was used.
        name: String,
    },
    /// A program that showed a signed token of an issuer that this server trusts.
    Service {
        /// `service:` and the token's subject: no other actor is called so by the server.
        name: String,
    },
    /// Somebody who can read the server's data folder, by the command line.
    Local,
    /// The server itself: a policy, a job, its set-up. The word says which.
    Server {
        /// For example `index_on_discover`.
        part: String,
    },
}

impl Actor {
    /// The server itself, in the person of one of its parts.
    pub fn server(part: &str) -> Self {
        Self::Server { part: part.to_owned() }
    }

    /// The service with this subject.
    pub fn service(subject: &str) -> Self {
        Self::Service { name: format!("service:{subject}") }
    }

    /// The stable word of the kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Token { .. } => "token",
            Self::Service { .. } => "service",
            Self::Local => "local",
            Self::Server { .. } => "server",
        }
    }

    /// What a person is shown as the name.
    pub fn name(&self) -> &str {
        match self {
            Self::Token { name, .. } | Self::Service { name } => name,
            Self::Local => "local",
            Self::Server { part } => part,
        }
    }
}

/// Through which door it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The HTTP API.
    Api,
    /// The web console.
    Console,
    /// The command line.
    Cli,
    /// A delivery of a git service.
    Webhook,
    /// A job or a policy of the server.
    Job,
    /// An import of another log.
    Import,
}

impl Source {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Console => "console",
            Self::Cli => "cli",
            Self::Webhook => "webhook",
            Self::Job => "job",
            Self::Import => "import",
        }
    }
}

/// What led to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Causation {
    /// An earlier event.
    Event(Position),
    /// A stored delivery of a git service.
    Delivery(Uuid),
}

/// Stored beside the payload, and hashed with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// When the command was accepted.
    pub at: Timestamp,
    /// Who wished it.
    pub actor: Actor,
    /// Through which door.
    pub source: Source,
    /// The request, as logs name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Uuid>,
    /// What led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation: Option<Causation>,
    /// The trace that the request belongs to, when it came with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
}
