//! What keys are used for: when a host last took each, the integrations for which it was chosen, the repositories that it
//! is associated with, and those that are read with it as a common key. Asked for before a key is told of, and before one is
//! retired; it changes nothing.

use std::collections::{HashMap, HashSet};

use keytrail_domain::{
    claim::ClaimScope,
    id::{IntegrationId, RepositoryId, SshKeyId},
    recorded::{Position, StreamId},
    remote_url::Scheme,
    service::Connection,
    ssh_key::SshKey,
    timestamp::Timestamp,
};
use keytrail_projections::{
    integration_list::{self, IntegrationList, IntegrationState, MOST_IDS},
    repository_list::{self, MOST_NAMED, Named, RepositoryState},
    ssh_key_list::{self, KeyState, SshKeyList},
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
/// So many repositories that are read with a common key are counted: those where it was taken last.
const COUNTED: u32 = 1_000;
/// So many stand in a sentence.
const TOLD: usize = 5;

/// An integration for which a key was chosen, or a repository that it is associated with or that is read with it.
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
    /// How many repositories that are read with it as a common key.
    pub(super) common_for: u64,
}

/// What keys are used for.
#[derive(Default)]
pub(super) struct Uses {
    last: HashMap<SshKeyId, Timestamp>,
    last_for: Option<KeyUse>,
    counts: HashMap<SshKeyId, u64>,
    named: Vec<KeyUse>,
    associated: HashMap<SshKeyId, u64>,
    repositories: Vec<KeyUse>,
    common_for: u64,
    common_repositories: Vec<KeyUse>,
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
            associated: associated.into_iter().collect(),
            ..Self::default()
        })
    }

    /// Of one key, with the names of the integrations and of the repositories, and those that are read with it as a common key.
    pub(super) async fn of(api: &Api, id: SshKeyId, min_position: Option<Position>) -> Result<Self, ApiError> {
        let counted = Self::between(api, Some((id, id)), min_position).await?;
        let rows = api.app.read(integration_list::by_ssh_key(id, NAMED)).await?;
        let named = rows.into_iter().map(|row| KeyUse { id: row.id.0, name: row.name }).collect();
        let associations = api.app.read(ssh_key_list::associations(id, NAMED)).await?;
        let associated: Vec<_> = associations.into_iter().map(|one| one.repository).collect();
        let last = jobs::ssh_key_last_taken_at(&api.app.db, id).await?;
        let known = known(api, associated.iter().copied().chain(last)).await?;
        let called = |id: RepositoryId| known.get(&id).map(|row| row.name.clone());
        let last_for = last.and_then(|one| Some(KeyUse { id: one.0, name: called(one)? }));
        let repositories =
            associated.iter().map(|one| KeyUse { id: one.0, name: called(*one).unwrap_or_default() }).collect();
        let mut reading = read_as_common(api, id, min_position).await?;
        let common_for = reading.len() as u64;
        reading.truncate(NAMED as usize);
        Ok(Self { last_for, named, repositories, common_for, common_repositories: reading, ..counted })
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

    /// The repository whose host took the one key last.
    pub(super) const fn last_for(&self) -> Option<&KeyUse> {
        self.last_for.as_ref()
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

    /// How many repositories are read with the one key because it is common; nothing where there is none, or more keys were
    /// asked about.
    pub(super) fn common_for(&self) -> Option<u64> {
        Some(self.common_for).filter(|count| *count > 0)
    }

    /// The first of those.
    pub(super) fn common_repositories(&self) -> &[KeyUse] {
        &self.common_repositories
    }

    /// Why a key that is in use is not retired before somebody says that this is meant, of more uses than they were `told` of.
    /// Its own stream says with how many repositories it is associated.
    pub(super) fn in_the_way(&self, id: SshKeyId, associated: u64, told: Told) -> Option<ApiError> {
        let count = self.count(id).max(self.named.len() as u64);
        let common_for = self.common_for;
        if count <= told.used_by && associated <= told.associated && common_for <= told.common_for {
            return None;
        }
        let uses = [("chosen for", count, &self.named), ("associated with", associated, &self.repositories)];
        let uses: Vec<_> = uses
            .into_iter()
            .filter(|(_, count, _)| *count > 0)
            .map(|(how, count, named)| format!("{how} {}", names(count, named)))
            .collect();
        let own = (!uses.is_empty()).then(|| {
            format!(
                "It is {}. Give them another key: otherwise what is there is not read until a person chooses another key, or \
                 none. ",
                uses.join(", and ")
            )
        });
        let common = (common_for > 0).then(|| {
            format!(
                "Read with it now, because it is common: {}. The other common keys are offered there from then on, and what \
                 takes none of them is not read. ",
                names(common_for, &self.common_repositories)
            )
        });
        let detail = format!(
            "{}{}Nothing was changed. Where it is meant all the same, send `confirmed=true` (`--yes`).",
            own.unwrap_or_default(),
            common.unwrap_or_default()
        );
        let [named, repositories, common_repositories] = [&self.named, &self.repositories, &self.common_repositories]
            .map(|named| serde_json::to_value(named).unwrap_or_default());
        Some(
            ApiError::new(Code::SshKeyInUse, detail)
                .with("used_by", count)
                .with("integrations", named)
                .with("associated", associated)
                .with("repositories", repositories)
                .with("common_for", common_for)
                .with("common_repositories", common_repositories),
        )
    }
}

/// The repositories that are read with this key because it is common: their host took it last, and it would be offered
/// there again.
async fn read_as_common(api: &Api, id: SshKeyId, min_position: Option<Position>) -> Result<Vec<KeyUse>, ApiError> {
    let key = api.read(min_position, ssh_key_list::by_id(id)).await?.into_iter().next();
    if !key.is_some_and(|key| key.common && key.state == KeyState::Active) {
        return Ok(Vec::new());
    }
    let taken = jobs::ssh_key_taken_at(&api.app.db, id, COUNTED).await?;
    let known = known(api, taken.iter().copied()).await?;
    let is_there = |row: &&Named| !matches!(row.state, RepositoryState::Forgotten | RepositoryState::Refused);
    let there: Vec<_> = taken.iter().filter_map(|one| known.get(one)).filter(is_there).collect();
    let open = open_to(api, id, there.iter().map(|row| row.integration)).await?;
    let there: Vec<_> = there.into_iter().filter(|row| open.contains(&row.integration)).collect();
    let held = |row: &Named| SshKey::association(row.id).key;
    let scopes = [ClaimScope::SshKeyOfRepository, ClaimScope::SshKeyInRotation];
    let keys: Vec<_> = there.iter().map(|row| held(row)).collect();
    let own = api.app.log.held_in_either(scopes, &keys).await?;
    let reading = there.into_iter().filter(|row| !own.contains(&held(row)));
    Ok(reading.map(|row| KeyUse { id: row.id.0, name: row.name.clone() }).collect())
}

/// The repositories with these ids that there are or were: some at a time, and not one by one.
async fn known(api: &Api, ids: impl Iterator<Item = RepositoryId>) -> Result<HashMap<RepositoryId, Named>, ApiError> {
    let ids: Vec<_> = ids.collect();
    let mut known = HashMap::with_capacity(ids.len());
    for some in ids.chunks(MOST_NAMED) {
        known.extend(api.app.read(repository_list::named(some)).await?.into_iter().map(|row| (row.id, row)));
    }
    Ok(known)
}

/// Of these integrations those at which this key is offered because it is common, where the repository has no key of its own.
async fn open_to(
    api: &Api,
    key: SshKeyId,
    ids: impl Iterator<Item = IntegrationId>,
) -> Result<HashSet<IntegrationId>, ApiError> {
    let ids: Vec<_> = ids.collect::<HashSet<_>>().into_iter().collect();
    let mut open = HashSet::new();
    for some in ids.chunks(MOST_IDS) {
        let rows = api.app.read(integration_list::by_ids(some)).await?.into_iter();
        for row in rows.filter(|row| row.state != IntegrationState::Removed) {
            if takes_as_common(api, &row.connection, key).await? {
                open.insert(row.id);
            }
        }
    }
    Ok(open)
}

/// Whether this key is offered there after the chosen one, if there is such a one. It is not where that was retired.
async fn takes_as_common(api: &Api, connection: &Connection, key: SshKeyId) -> Result<bool, ApiError> {
    let Connection::Git(remote) = connection else { return Ok(false) };
    if remote.url.scheme() != Scheme::Ssh {
        return Ok(false);
    }
    let Some(chosen) = remote.ssh_key else { return Ok(true) };
    let (state, _) = api.app.load::<SshKey>(StreamId::new("ssh_key", chosen.0)).await?;
    Ok(chosen != key && matches!(state, SshKey::Active { .. }))
}

/// The first names, and how many there are besides.
fn names(count: u64, named: &[KeyUse]) -> String {
    let mut names: Vec<_> = named.iter().take(TOLD).map(|one| one.name.clone()).collect();
    let others = count.saturating_sub(names.len() as u64);
    names.extend((others > 0).then(|| format!("{others} more")));
    names.join(", ")
}
