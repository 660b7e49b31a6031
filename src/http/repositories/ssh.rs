//! Which keys of SSH were offered to the host of a repository, which it took, and which is associated with it, as one
//! repository tells it.

use keytrail_domain::{
    id::{IntegrationId, RepositoryId, SshKeyId},
    recorded::StreamId,
    service::Connection,
    ssh_key::SshKey,
    timestamp::Timestamp,
};
use keytrail_projections::{integration_list, repository_list::Repository};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    http::{Api, error::ApiError},
    jobs::{Offers, ssh_key_refused_at, ssh_offers_of},
};

/// The latest attempt over SSH.
#[derive(Serialize, ToSchema)]
#[schema(as = SshOffers)]
pub(in crate::http) struct ShownOffers {
    /// The keys of the pool that were offered, in their order, each in a connection of its own.
    offered: Vec<Uuid>,
    /// The one that the host took; nothing when it took none.
    accepted: Option<Uuid>,
    /// When, within an hour.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The key that is chosen for the connection, where the host refused it and took a common key.
    #[serde(skip_serializing_if = "Option::is_none")]
    chosen_refused: Option<Uuid>,
    /// The same for people, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// Nothing where the repository was not reached over SSH yet.
pub(super) async fn offers(api: &Api, row: &Repository) -> Result<Option<ShownOffers>, ApiError> {
    let Offers { offered, accepted, at } = ssh_offers_of(&api.app.db, row.id).await?;
    let Some(at) = at else { return Ok(None) };
    let refused = match accepted {
        Some(accepted) => refused(api, row, accepted).await?.map(|chosen| (chosen, accepted)),
        None => None,
    };
    let text = match refused {
        Some((chosen, taken)) => Some(taken_instead(&name(api, chosen).await?, &name(api, taken).await?)),
        None => None,
    };
    let offered = offered.into_iter().map(|key| key.0).collect();
    let (accepted, chosen_refused) = (accepted.map(|key| key.0), refused.map(|(chosen, _)| chosen.0));
    Ok(Some(ShownOffers { offered, accepted, at, chosen_refused, text }))
}

/// The key that is chosen for the connection, where it is another than the one that the host took, and was refused. One that
/// was retired is no matter of the host's.
async fn refused(api: &Api, row: &Repository, accepted: SshKeyId) -> Result<Option<SshKeyId>, ApiError> {
    let Some(chosen) = chosen(api, row.integration).await?.filter(|chosen| *chosen != accepted) else {
        return Ok(None);
    };
    let is_active = matches!(key(api, chosen).await?, SshKey::Active { .. });
    if !is_active || associated(api, row.id).await?.is_some() {
        return Ok(None);
    }
    Ok(ssh_key_refused_at(&api.app.db, row.id, chosen).await?.map(|_| chosen))
}

async fn chosen(api: &Api, integration: IntegrationId) -> Result<Option<SshKeyId>, ApiError> {
    let rows = api.app.read(integration_list::by_id(integration)).await?;
    Ok(rows.first().map(|row| &row.connection).and_then(Connection::ssh_key))
}

async fn key(api: &Api, id: SshKeyId) -> Result<SshKey, ApiError> {
    Ok(api.app.load::<SshKey>(StreamId::new("ssh_key", id.0)).await?.0)
}

/// What people call a key: its id, where it was retired and has no name any more.
async fn name(api: &Api, id: SshKeyId) -> Result<String, ApiError> {
    Ok(match key(api, id).await? {
        SshKey::Active { name, .. } => name.as_str().to_owned(),
        SshKey::Absent | SshKey::Retired { .. } => id.to_string(),
    })
}

fn taken_instead(chosen: &str, taken: &str) -> String {
    format!(
        "The host refused the chosen key {chosen}, and took the common key {taken}. Give it the public half of {chosen}, or \
         choose another key; {chosen} is offered again within a day."
    )
}

/// The key that is associated with it, if one is; while another one takes its place, either of them.
pub(super) async fn associated(api: &Api, repository: RepositoryId) -> Result<Option<Uuid>, ApiError> {
    let (now, in_rotation) = (SshKey::association(repository), SshKey::rotated_association(repository));
    Ok(api.app.log.holder_of_either(&now, &in_rotation).await?)
}
