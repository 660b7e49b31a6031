//! One key in the place of another: the new one is tried at every repository that is read with the old one, and takes its place
//! where all of them let it in, or nowhere.

use serde::{Deserialize, Serialize};

use super::Event;
use crate::{
    display_text::DisplayText,
    id::{RepositoryId, SshKeyId},
    index_run::FailureCode,
};

/// Where a rotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// The key that is to take the place.
    pub to: SshKeyId,
    /// Whether all repositories took it: then there is no way back.
    pub accepted: bool,
}

impl Rotation {
    /// The key that takes the place, while it is tried.
    pub(super) fn is_tried(rotation: Option<&Self>, key: SshKeyId) -> bool {
        rotation.is_some_and(|rotation| rotation.to == key && !rotation.accepted)
    }
}

/// A repository that did not take the new key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotTaken {
    /// Which.
    pub repository: RepositoryId,
    /// What people call it.
    pub name: DisplayText,
    /// Why, for machines.
    pub code: FailureCode,
    /// Why, for people.
    pub text: DisplayText,
}

impl NotTaken {
    /// So many are named in an event; the others are counted.
    pub const MOST: usize = 50;
}

impl Event {
    /// Whether a rotation ends with it.
    pub const fn ends_a_rotation(&self) -> bool {
        matches!(self, Self::RotationRefused { .. } | Self::RotationCancelled {} | Self::Rotated { .. })
    }
}
