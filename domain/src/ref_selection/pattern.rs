//! A pattern of names of refs, such as `refs/pull-requests/*/from`. Called by the selection.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::{is_left_out, is_ref_name};

/// A full name with at most one star, which is a whole segment: in the middle it stands for one segment, at the end
/// for everything below.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RefPattern(String);

/// Why a text is no pattern of refs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// It does not begin with `refs/`.
    #[error("a pattern of refs begins with refs/, such as refs/pull-requests/*/from")]
    NotBelowRefs,
    /// More than one star, or one beside other characters.
    #[error("a pattern of refs has at most one star, which stands alone between slashes or at the end")]
    BadStar,
    /// Not what a ref can be called.
    #[error("a pattern of refs must be a name that git accepts, without blanks, `..`, leading dashes or dots")]
    BadName,
    /// Longer than the bound.
    #[error("a pattern of refs has at most {} bytes", RefPattern::MAX_BYTES)]
    TooLong,
    /// It could name nothing but what is never looked at.
    #[error("refs of stashes, remotes and trial merges are never looked at")]
    LeftOut,
}

impl RefPattern {
    /// The bound in bytes.
    pub const MAX_BYTES: usize = 256;

    /// Checks it.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        if text.len() > Self::MAX_BYTES {
            return Err(BadPattern::TooLong);
        }
        if !text.starts_with("refs/") {
            return Err(BadPattern::NotBelowRefs);
        }
        if text.contains('*') && text.split('/').filter(|part| part.contains('*')).ne(["*"]) {
            return Err(BadPattern::BadStar);
        }
        let name = text.replace('*', "1");
        if !is_ref_name(name.as_bytes()) || name.split('/').any(|part| part.starts_with('-')) {
            return Err(BadPattern::BadName);
        }
        if is_left_out(name.as_bytes()) {
            return Err(BadPattern::LeftOut);
        }
        Ok(Self(text.to_owned()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What every matching name begins with.
    pub(super) fn prefix(&self) -> &str {
        self.0.split('*').next().unwrap_or_default()
    }

    pub(super) fn matches(&self, name: &[u8]) -> bool {
        match self.0.split_once('*') {
            None => name == self.0.as_bytes(),
            Some((before, "")) => name.len() > before.len() && name.starts_with(before.as_bytes()),
            Some((before, after)) => {
                let middle = name.strip_prefix(before.as_bytes());
                let middle = middle.and_then(|rest| rest.strip_suffix(after.as_bytes()));
                middle.is_some_and(|middle| !middle.is_empty() && !middle.contains(&b'/'))
            }
        }
    }
}

impl fmt::Display for RefPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RefPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
