//! What keys are used for: when a host last took each, and the integrations for which it was chosen. Asked for before a key
//! is told of, and before one is retired; it changes nothing.

use std::collections::HashMap;

use keytrail_domain::{id::SshKeyId, recorded::Position, timestamp::Timestamp};
use keytrail_projections::{
    integration_list::{self, IntegrationList},
    view::View as _,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    http::{
        Api,
        error::{ApiError, Code},
    },
    jobs,
};

/// So many integrations are named; the others are counted.
const NAMED: u32 = 50;
/// So many stand in a sentence.
const TOLD: usize = 5;

/// An integration for which a key was chosen.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = SshKeyUse)]
pub(in crate::http) struct KeyUse {
    /// Which.
    id: Uuid,
    /// What people call it.
    name: String,
}

/// What keys are used for.
#[derive(Default)]
pub(super) struct Uses {
    last: HashMap<SshKeyId, Timestamp>,
    counts: HashMap<SshKeyId, u64>,
    named: Vec<KeyUse>,
}

impl Uses {
    /// Of the keys from the first id to the last.
    pub(super) async fn between(
        api: &Api,
        ids: Option<(SshKeyId, SshKeyId)>,
        min_position: Option<Position>,
    ) -> Result<Self, ApiError> {
        let Some((first, last)) = ids else { return Ok(Self::default()) };
        let counts = api.read(min_position, integration_list::ssh_key_uses(first, last)).await?;
        Ok(Self {
            last: jobs::last_ssh_key_uses(&api.app.db, first, last).await?,
            counts: counts.into_iter().collect(),
            named: Vec::new(),
        })
    }

    /// Of one key, with the names of the integrations.
    pub(super) async fn of(api: &Api, id: SshKeyId, min_position: Option<Position>) -> Result<Self, ApiError> {
        let counted = Self::between(api, Some((id, id)), min_position).await?;
        let rows = api.app.read(integration_list::by_ssh_key(id, NAMED)).await?;
        let named = rows.into_iter().map(|row| KeyUse { id: row.id.0, name: row.name }).collect();
        Ok(Self { named, ..counted })
    }

    /// The same, where the log stood at `head` or later: for what is decided by it.
    pub(super) async fn at(api: &Api, id: SshKeyId, head: Position) -> Result<Self, ApiError> {
        api.app.views.wait_for(IntegrationList.name(), head).await?;
        Self::of(api, id, None).await
    }

    /// When a host last took a key, if one did.
    pub(super) fn last_at(&self, id: SshKeyId) -> Option<Timestamp> {
        self.last.get(&id).copied()
    }

    /// For how many integrations it was chosen.
    pub(super) fn count(&self, id: SshKeyId) -> u64 {
        self.counts.get(&id).copied().unwrap_or(0)
    }

    /// The integrations for which the one key was chosen.
    pub(super) fn named(&self) -> &[KeyUse] {
        &self.named
    }

    /// Why a key that was chosen is not retired before somebody says that this is meant, of more than they were `told` of.
    pub(super) fn in_the_way(&self, id: SshKeyId, told: u64) -> Option<ApiError> {
        let count = self.count(id).max(self.named.len() as u64);
        if count <= told {
            return None;
        }
        let mut names: Vec<_> = self.named.iter().take(TOLD).map(|one| one.name.clone()).collect();
        let others = count.saturating_sub(names.len() as u64);
        names.extend((others > 0).then(|| format!("{others} more")));
        let detail = format!(
            "It is chosen for {}. Nothing was changed. Choose another key for them, or send `confirmed=true` (`--yes`): \
             their repositories are then not read until a person chooses another key, or none.",
            names.join(", ")
        );
        let named = serde_json::to_value(&self.named).unwrap_or_default();
        Some(ApiError::new(Code::SshKeyInUse, detail).with("used_by", count).with("integrations", named))
    }
}
