//! What keys are used for: when a host last took each, the integrations for which it was chosen, and the repositories that it
//! is associated with. Asked for before a key is told of, and before one is retired; it changes nothing.

use std::collections::HashMap;

use keytrail_domain::{id::SshKeyId, recorded::Position, timestamp::Timestamp};
use keytrail_projections::{
    integration_list::{self, IntegrationList},
    repository_list,
    ssh_key_list::{self, SshKeyList},
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

/// So many integrations, and so many repositories, are named; the others are counted.
const NAMED: u32 = 50;
/// So many stand in a sentence.
const TOLD: usize = 5;

/// An integration for which a key was chosen, or a repository that it is associated with.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = SshKeyUse)]
pub(in crate::http) struct KeyUse {
    /// Which.
    id: Uuid,
    /// What people call it.
    name: String,
}

/// Of how many uses somebody was told, before they said that a key is to be retired all the same.
#[derive(Clone, Copy, Default)]
pub(super) struct Told {
    /// How many integrations for which it was chosen.
    pub(super) used_by: u64,
    /// How many repositories that it is associated with.
    pub(super) associated: u64,
}

/// What keys are used for.
#[derive(Default)]
pub(super) struct Uses {
    last: HashMap<SshKeyId, Timestamp>,
    counts: HashMap<SshKeyId, u64>,
    named: Vec<KeyUse>,
    associated: HashMap<SshKeyId, u64>,
    repositories: Vec<KeyUse>,
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
        let associated = api.read(min_position, ssh_key_list::association_counts(first, last)).await?;
        Ok(Self {
            last: jobs::last_ssh_key_uses(&api.app.db, first, last).await?,
            counts: counts.into_iter().collect(),
            named: Vec::new(),
            associated: associated.into_iter().collect(),
            repositories: Vec::new(),
        })
    }

    /// Of one key, with the names of the integrations and of the repositories.
    pub(super) async fn of(api: &Api, id: SshKeyId, min_position: Option<Position>) -> Result<Self, ApiError> {
        let counted = Self::between(api, Some((id, id)), min_position).await?;
        let rows = api.app.read(integration_list::by_ssh_key(id, NAMED)).await?;
        let named = rows.into_iter().map(|row| KeyUse { id: row.id.0, name: row.name }).collect();
        let mut repositories = Vec::new();
        for one in api.app.read(ssh_key_list::associations(id, NAMED)).await? {
            let row = api.app.read(repository_list::by_id(one.repository)).await?.into_iter().next();
            let name = row.map(|row| row.repository.name).unwrap_or_default();
            repositories.push(KeyUse { id: one.repository.0, name });
        }
        Ok(Self { named, repositories, ..counted })
    }

    /// The same, where the log stood at `head` or later: for what is decided by it.
    pub(super) async fn at(api: &Api, id: SshKeyId, head: Position) -> Result<Self, ApiError> {
        for view in [IntegrationList.name(), SshKeyList.name()] {
            api.app.views.wait_for(view, head).await?;
        }
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

    /// With how many repositories it is associated.
    pub(super) fn associated(&self, id: SshKeyId) -> u64 {
        self.associated.get(&id).copied().unwrap_or(0)
    }

    /// The repositories that the one key is associated with.
    pub(super) fn repositories(&self) -> &[KeyUse] {
        &self.repositories
    }

    /// Why a key that is in use is not retired before somebody says that this is meant, of more uses than they were `told` of.
    /// Its own stream says with how many repositories it is associated.
    pub(super) fn in_the_way(&self, id: SshKeyId, associated: u64, told: Told) -> Option<ApiError> {
        let count = self.count(id).max(self.named.len() as u64);
        if count <= told.used_by && associated <= told.associated {
            return None;
        }
        let uses = [("chosen for", count, &self.named), ("associated with", associated, &self.repositories)];
        let uses: Vec<_> = uses
            .into_iter()
            .filter(|(_, count, _)| *count > 0)
            .map(|(how, count, named)| format!("{how} {}", names(count, named)))
            .collect();
        let detail = format!(
            "It is {}. Nothing was changed. Give them another key, or send `confirmed=true` (`--yes`): what is there is then \
             not read until a person chooses another key, or none.",
            uses.join(", and ")
        );
        let [named, repositories] =
            [&self.named, &self.repositories].map(|named| serde_json::to_value(named).unwrap_or_default());
        Some(
            ApiError::new(Code::SshKeyInUse, detail)
                .with("used_by", count)
                .with("integrations", named)
                .with("associated", associated)
                .with("repositories", repositories),
        )
    }
}

/// The first names, and how many there are besides.
fn names(count: u64, named: &[KeyUse]) -> String {
    let mut names: Vec<_> = named.iter().take(TOLD).map(|one| one.name.clone()).collect();
    let others = count.saturating_sub(names.len() as u64);
    names.extend((others > 0).then(|| format!("{others} more")));
    names.join(", ")
}
