//! What happens to the rules.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    project_key::{Denied, ProjectKey},
    stored_events,
};

/// Stored events of the stream `project_rules`. They say the difference, so that what the program brings along may grow
/// beside what a person decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Other candidates count from now on.
    Changed {
        /// Projects that are known from now on.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        known: BTreeSet<ProjectKey>,
        /// Projects that are known no more.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        no_longer_known: BTreeSet<ProjectKey>,
        /// What is left out from now on.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        denied: BTreeSet<Denied>,
        /// What is left out no more.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        no_longer_denied: BTreeSet<Denied>,
    },
}

stored_events!(Event {
    Changed => "project_rules.changed" v "1",
});
