//! Which keys of SSH were offered to the host of a repository, which it took, and which is associated with it, as one
//! repository tells it.

use keytrail_domain::{id::RepositoryId, ssh_key::SshKey, timestamp::Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    http::{Api, error::ApiError},
    jobs::{Offers, ssh_offers_of},
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
}

/// Nothing where the repository was not reached over SSH yet.
pub(super) async fn offers(api: &Api, repository: RepositoryId) -> Result<Option<ShownOffers>, ApiError> {
    let Offers { offered, accepted, at } = ssh_offers_of(&api.app.db, repository).await?;
    let offered = offered.into_iter().map(|key| key.0).collect();
    Ok(at.map(|at| ShownOffers { offered, accepted: accepted.map(|key| key.0), at }))
}

/// The key that is associated with it, if one is; while another one takes its place, either of them.
pub(super) async fn associated(api: &Api, repository: RepositoryId) -> Result<Option<Uuid>, ApiError> {
    let (now, in_rotation) = (SshKey::association(repository), SshKey::rotated_association(repository));
    Ok(api.app.log.holder_of_either(&now, &in_rotation).await?)
}
