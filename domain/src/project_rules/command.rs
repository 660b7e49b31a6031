//! What can be wished of the rules.

use std::collections::BTreeSet;

use crate::project_key::{Denied, ProjectKey};

/// In the API: SetProjectRules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Let the rules be these, whatever they were.
    Set {
        /// The projects that count; none for all.
        known: BTreeSet<ProjectKey>,
        /// What is left out.
        denied: BTreeSet<Denied>,
    },
}
