//! The name of an account of GitHub: an organisation or a person.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Letters, digits, hyphens and underscores, as it was written. Case makes no difference to GitHub.
///
/// Reading one from the log trusts it: it was checked when it came in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Login(String);

/// The text is no name of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of an organisation has 1 to {} letters, digits, hyphens or underscores, and does not begin with a \
     hyphen; it is the last part of its address, as in https://github.com/apache",
    Login::MAX_BYTES
)]
pub struct BadLogin;

impl Login {
    /// The bound in bytes. GitHub's own is 39; managed users and old servers go beyond it.
    pub const MAX_BYTES: usize = 100;

    /// Reads the name alone; an address is not taken apart.
    pub fn parse(text: &str) -> Result<Self, BadLogin> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let known = (1..=Self::MAX_BYTES).contains(&text.len()) && !text.starts_with('-') && text.bytes().all(good);
        if known { Ok(Self(text.to_owned())) } else { Err(BadLogin) }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What makes two names the same.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// Whether both name one account.
    pub fn is(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
