//! What the holder of a token may do.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// From the most to the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Admin,
    /// Reads everything, the history included; changes nothing.
    Auditor,
    /// Reads issues, repositories and integrations.
    Viewer,
}

impl Role {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Auditor => "auditor",
            Self::Viewer => "viewer",
        }
    }

    /// Whether it allows all that `other` allows.
    pub const fn is_at_least(self, other: Self) -> bool {
        const fn rank(role: Role) -> u8 {
            match role {
                Role::Viewer => 0,
                Role::Auditor => 1,
                Role::Admin => 2,
            }
        }
        rank(self) >= rank(other)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No such role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is one of admin, auditor, viewer")]
pub struct NoSuchRole;

impl FromStr for Role {
    type Err = NoSuchRole;

    fn from_str(text: &str) -> Result<Self, NoSuchRole> {
        match text {
            "admin" => Ok(Self::Admin),
            "auditor" => Ok(Self::Auditor),
            "viewer" => Ok(Self::Viewer),
            _ => Err(NoSuchRole),
        }
    }
}
