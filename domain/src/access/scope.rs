//! What a token may be narrowed to: a part of what its role allows, named by a resource and a verb.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::access::Role;

macro_rules! scopes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal from $role:ident),* $(,)?) => {
        /// One resource, read or changed. The words are stored.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Scope {
            $($(#[$doc])* #[serde(rename = $word)] $variant),*
        }

        impl Scope {
            /// The whole list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The least role that has it at all.
            pub const fn least_role(self) -> Role {
                match self { $(Self::$variant => Role::$role),* }
            }
        }
    };
}

scopes! {
    /// Which commits and branches belong to an issue.
    IssuesRead = "issues:read" from Viewer,
    /// Link and unlink commits, and say which projects count.
    IssuesWrite = "issues:write" from Admin,
    /// What a commit changed: the source itself.
    CommitsRead = "commits:read" from Viewer,
    /// Repositories and their index runs.
    RepositoriesRead = "repositories:read" from Viewer,
    /// Fetch, index, reset, cancel.
    RepositoriesWrite = "repositories:write" from Admin,
    /// Integrations.
    IntegrationsRead = "integrations:read" from Viewer,
    /// Add, rename, connect, pause, remove.
    IntegrationsWrite = "integrations:write" from Admin,
    /// Keys of SSH, without their private halves, and those of SSH servers.
    SshKeysRead = "ssh_keys:read" from Viewer,
    /// Add, generate, rename, retire; look at SSH servers and trust theirs.
    SshKeysWrite = "ssh_keys:write" from Admin,
    /// Authors of commits.
    PeopleRead = "people:read" from Auditor,
    /// Forget them.
    PeopleWrite = "people:write" from Admin,
    /// The log.
    EventsRead = "events:read" from Auditor,
    /// Tokens, without the tokens themselves.
    TokensRead = "tokens:read" from Auditor,
    /// Issue and revoke tokens.
    TokensWrite = "tokens:write" from Admin,
    /// Views, findings and figures of the server.
    ServerRead = "server:read" from Auditor,
    /// Rebuild and verify views.
    ServerWrite = "server:write" from Admin,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No such scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scope is a resource and a verb, such as issues:read")]
pub struct NoSuchScope;

impl FromStr for Scope {
    type Err = NoSuchScope;

    fn from_str(text: &str) -> Result<Self, NoSuchScope> {
        Self::ALL.iter().find(|scope| scope.as_str() == text).copied().ok_or(NoSuchScope)
    }
}

/// Some scopes, each once, in one order. A token without any would be good for nothing: none at all stands for all that
/// the role allows, and is an `Option` around this.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Nothing when there are none.
    pub fn of(scopes: impl IntoIterator<Item = Scope>) -> Option<Self> {
        let scopes: BTreeSet<_> = scopes.into_iter().collect();
        (!scopes.is_empty()).then_some(Self(scopes))
    }

    /// Whether it is one of them.
    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Scope> + '_ {
        self.0.iter().copied()
    }

    /// Whether all of these are among `others`.
    pub fn within(&self, others: &Self) -> bool {
        self.0.is_subset(&others.0)
    }
}

/// The words with blanks between, as they are stored in rows and shown to people.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, scope) in self.iter().enumerate() {
            write!(f, "{}{scope}", if place == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl FromStr for Scopes {
    type Err = NoSuchScope;

    fn from_str(text: &str) -> Result<Self, NoSuchScope> {
        let scopes = text.split(' ').map(str::parse).collect::<Result<BTreeSet<_>, _>>()?;
        Ok(Self(scopes))
    }
}
