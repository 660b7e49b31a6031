//! What stands in the way of an installation, who found it, and for how long it has been there.

use serde::{Deserialize, Serialize};

use super::Cause;
use crate::id::IntegrationId;

/// What stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// What.
    pub cause: Cause,
    /// Whether for too long.
    pub stuck: bool,
    /// Whether who lists the repositories found it: asking for the app alone does not show that it is over.
    #[serde(default)]
    pub listing: bool,
    /// Which integration has what this one wants.
    #[serde(default)]
    pub holder: Option<IntegrationId>,
}

impl Diagnosis {
    /// What was found when GitHub was asked for the app.
    pub const fn of(cause: Cause, stuck: bool) -> Self {
        Self { cause, stuck, listing: false, holder: None }
    }

    /// What was found when the repositories were listed.
    pub const fn by_listing(cause: Cause) -> Self {
        Self { cause, stuck: false, listing: true, holder: None }
    }

    /// Another integration has the organisation.
    pub const fn taken(holder: Option<IntegrationId>, stuck: bool) -> Self {
        Self { cause: Cause::OrganisationTaken, stuck, listing: false, holder }
    }

    /// Whether only who lists the repositories of an installation can tell that it is over.
    pub const fn is_of_listing(self) -> bool {
        self.listing || matches!(self.cause, Cause::FilterInvalid | Cause::AddressNotAllowed { .. })
    }

    /// Whether another way of asking met the same trouble, and tells nothing new of it: only who asks for the app knows
    /// that it has been there for too long.
    pub(super) fn is_met_again_as(self, found: Self) -> bool {
        let is_same = self.cause == found.cause && self.holder == found.holder;
        is_same && self.listing != found.listing && (self.stuck || !found.stuck)
    }
}
