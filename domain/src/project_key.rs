//! The key of a Jira project, and what a rule can leave out: a project or a single issue. Read from what a person types;
//! whether such a project exists is not known here.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::issue_key::{IssueKey, is_project};

/// A project key in upper case, such as `KAFKA`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProjectKey(Arc<str>);

/// The text names no project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a project key begins with a letter and goes on with 1 to 254 letters, digits or underscores, such as KAFKA")]
pub struct NotAProject;

impl ProjectKey {
    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ProjectKey {
    type Err = NotAProject;

    /// The whole text, whatever its case.
    fn from_str(text: &str) -> Result<Self, NotAProject> {
        if is_project(text) { Ok(Self(text.to_ascii_uppercase().into())) } else { Err(NotAProject) }
    }
}

/// What a rule leaves out: every issue of a project, or one. In events and answers it is its text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Denied {
    /// A whole project, such as `UTF`.
    Project(ProjectKey),
    /// One issue, such as `KAFKA-404`.
    Issue(IssueKey),
}

/// The text names neither a project nor an issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what is denied is a project key, such as UTF, or an issue key, such as KAFKA-404")]
pub struct NotDeniable;

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(project) => project.fmt(f),
            Self::Issue(issue) => issue.fmt(f),
        }
    }
}

impl From<Denied> for String {
    fn from(denied: Denied) -> Self {
        denied.to_string()
    }
}

impl FromStr for Denied {
    type Err = NotDeniable;

    fn from_str(text: &str) -> Result<Self, NotDeniable> {
        let issue = || text.parse().map(Self::Issue).map_err(|_| NotDeniable);
        text.parse().map(Self::Project).or_else(|_| issue())
    }
}

impl TryFrom<String> for Denied {
    type Error = NotDeniable;

    fn try_from(text: String) -> Result<Self, NotDeniable> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_read_in_any_case_and_only_by_the_grammar_of_keys() {
        assert_eq!("kafka".parse::<ProjectKey>().expect("a project").as_str(), "KAFKA");
        assert_eq!("a_1".parse::<ProjectKey>().expect("a project").as_str(), "A_1");
        for text in ["", "A", "1A", "_A", "A-1", "ÄB", "A B", "KAFKA ", &"A".repeat(256)] {
            assert_eq!(text.parse::<ProjectKey>(), Err(NotAProject), "{text}");
        }
    }

    #[test]
    fn what_is_denied_is_a_project_or_an_issue_and_survives_its_text() {
        for (text, shown) in [("utf", "UTF"), ("shop-404", "SHOP-404")] {
            let denied: Denied = text.parse().expect("it can be denied");
            assert_eq!(denied.to_string(), shown);
            let json = serde_json::to_string(&denied).expect("JSON");
            assert_eq!(json, format!("\"{shown}\""));
            assert_eq!(serde_json::from_str::<Denied>(&json).expect("what was written"), denied);
        }
        for text in ["", "SHOP-0", "SHOP-*", "SHOP-1 SHOP-2"] {
            assert_eq!(text.parse::<Denied>(), Err(NotDeniable), "{text}");
        }
    }
}
