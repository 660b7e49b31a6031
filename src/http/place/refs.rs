//! Which refs are looked at, as the API takes it and shows it.

use keytrail_domain::ref_selection::{RefPattern, RefSelection};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::error::{ApiError, Code, sentence};

/// Which refs are looked at beside branches, tags and the heads of pull and merge requests.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = RefSelection)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct Refs {
    /// Whether `refs/notes/*` is.
    #[schema(default = false)]
    notes: bool,
    /// Whether `refs/changes/*` is, where Gerrit keeps what is under review.
    #[schema(default = false)]
    changes: bool,
    /// Which others are: at most 20 names below `refs/`, each with at most one star that is a whole part of it.
    #[schema(example = json!(["refs/pull-requests/*/from"]))]
    patterns: Vec<String>,
}

impl Refs {
    pub(super) fn checked(&self) -> Result<RefSelection, ApiError> {
        let refused = |text: String| ApiError::new(Code::RefsInvalid, sentence(&text));
        let patterns = self.patterns.iter().map(|text| RefPattern::parse(text).map_err(|bad| refused(bad.to_string())));
        RefSelection::new(self.notes, self.changes, patterns.collect::<Result<_, _>>()?)
            .map_err(|bad| refused(bad.to_string()))
    }

    pub(super) fn of(selection: &RefSelection) -> Self {
        let patterns = selection.patterns().iter().map(|pattern| pattern.as_str().to_owned()).collect();
        Self { notes: selection.notes(), changes: selection.changes(), patterns }
    }
}
