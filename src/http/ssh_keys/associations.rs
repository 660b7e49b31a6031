//! Keys for repositories that are named: the key that is associated with a repository is the only one that is offered for it,
//! whatever its connection says. A repository has one at most; who wants another takes the first one from it.

use std::collections::BTreeSet;

use actix_web::{
    HttpResponse, post,
    web::{Data, Path},
};
use keytrail_domain::{
    claim::Claim,
    id::{RepositoryId, SshKeyId},
    integration::Integration,
    recorded::StreamId,
    remote_url::Scheme,
    service::Connection,
    ssh_key::{Command, SshKey as Aggregate},
};
use keytrail_projections::ssh_key_list;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{TRIES, shown::Shown, tell, uses::Uses};
use crate::{
    app::DispatchError,
    http::{
        Api,
        auth::Admin,
        conditions::IfMatch,
        error::{ApiError, Code},
        idempotency::IdempotencyKey,
        input::Input,
        repositories,
    },
    log::{Committed, as_long_as},
    store::{Statement, StoreError},
};

/// So many repositories are named at once.
const MOST: usize = 100;

/// Repositories that a key is for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SshKeyRepositories)]
pub(in crate::http) struct Named {
    /// 1 to 100 ids.
    #[schema(min_items = 1, max_items = 100)]
    repositories: Vec<Uuid>,
}

impl Named {
    fn ids(&self) -> Result<BTreeSet<RepositoryId>, ApiError> {
        if !(1..=MOST).contains(&self.repositories.len()) {
            let detail = format!("`repositories` names 1 to {MOST} repositories by their ids.");
            return Err(ApiError::new(Code::BodyInvalid, detail));
        }
        Ok(self.repositories.iter().copied().map(RepositoryId).collect())
    }
}

/// Offers a key, and no other, for these repositories: all of them, or none where one cannot have it. They are read over SSH,
/// and have no other associated key.
#[utoipa::path(tag = "ssh-keys", operation_id = "AssociateSshKey", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once."),
        ("If-Match" = Option<String>, Header, description = "Only when it has this ETag.")),
    request_body = Named,
    responses((status = 200, description = "They have it.", body = Shown)))]
#[post("/api/v1/ssh-keys/{id}/associate")]
pub(in crate::http) async fn associate_ssh_key(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    key: IdempotencyKey,
    body: Input<Named>,
) -> Result<HttpResponse, ApiError> {
    let key = key.of(&api, &admin, "AssociateSshKey", &body.bytes);
    let (id, wanted) = (SshKeyId(*id), body.value.ids()?);
    let context = || admin.context(key.clone(), if_match.version());
    if let Some(committed) = api.remembered(&context()).await? {
        return tell(&api, id, committed, Uses::of(&api, id, None).await.ok()).await;
    }
    for _ in 0..TRIES {
        let mut companions = Vec::new();
        for repository in &wanted {
            companions.push(read_over_ssh(&api, *repository).await?);
        }
        let command = Command::Associate { repositories: wanted.clone() };
        match api.app.dispatch::<Aggregate>(id.0, command, context(), companions).await {
            // Something happened to one of them: they are looked at once more.
            Err(DispatchError::Store(StoreError::Fenced)) => {}
            Err(DispatchError::Claimed(claim)) => return Err(naming_the_holder(&api, &wanted, claim).await),
            done => return changed(&api, id, &wanted, done?).await,
        }
    }
    Err(DispatchError::Busy.into())
}

/// Takes a key from these repositories, be it retired: from then on they are read with the key that their connection names, or
/// with the common ones. Where it was not associated, nothing happens.
#[utoipa::path(tag = "ssh-keys", operation_id = "DissociateSshKey", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once."),
        ("If-Match" = Option<String>, Header, description = "Only when it has this ETag.")),
    request_body = Named,
    responses((status = 200, description = "They do not have it.", body = Shown)))]
#[post("/api/v1/ssh-keys/{id}/dissociate")]
pub(in crate::http) async fn dissociate_ssh_key(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    key: IdempotencyKey,
    body: Input<Named>,
) -> Result<HttpResponse, ApiError> {
    let key = key.of(&api, &admin, "DissociateSshKey", &body.bytes);
    let (id, unwanted) = (SshKeyId(*id), body.value.ids()?);
    let context = admin.context(key, if_match.version());
    let command = Command::Dissociate { repositories: unwanted.clone() };
    let committed = api.app.dispatch::<Aggregate>(id.0, command, context, Vec::new()).await?;
    changed(&api, id, &unwanted, committed).await
}

/// What was changed is looked at with what holds now.
async fn changed(
    api: &Api,
    id: SshKeyId,
    repositories: &BTreeSet<RepositoryId>,
    committed: Committed,
) -> Result<HttpResponse, ApiError> {
    if committed.appended && !committed.replayed {
        repositories.iter().for_each(|repository| api.app.jobs.look_now(*repository, api.app.clock.now()));
    }
    let uses = Uses::of(api, id, Some(committed.last)).await.ok();
    tell(api, id, committed, uses).await
}

/// The statement takes the association back where something happens to the repository at the same moment.
async fn read_over_ssh(api: &Api, repository: RepositoryId) -> Result<Statement, ApiError> {
    let seen = repositories::known(api, repository).await.map_err(|error| naming(error, repository))?;
    let stream = StreamId::new("integration", seen.integration.0);
    let connection = match api.app.load::<Integration>(stream).await?.0 {
        Integration::Active { connection, .. } | Integration::Paused { connection, .. } => connection,
        // It is about to be forgotten.
        Integration::Absent | Integration::Removed { .. } => {
            return Err(naming(repositories::forgotten(), repository));
        }
    };
    match connection {
        Connection::Git(remote) if remote.url.scheme() == Scheme::Ssh => {
            Ok(as_long_as::stands_at(StreamId::new("repository", repository.0), seen.version))
        }
        _ => {
            let detail = "Keys are offered over SSH only. Nothing was changed. Change its connection to its address over SSH \
                          first, or leave it out.";
            Err(naming(ApiError::new(Code::RepositoryNotSsh, detail), repository))
        }
    }
}

fn naming(error: ApiError, repository: RepositoryId) -> ApiError {
    error.with("repository", repository.to_string())
}

/// Whoever may not associate a key is told which repository has another one, and which.
async fn naming_the_holder(api: &Api, wanted: &BTreeSet<RepositoryId>, claim: Claim) -> ApiError {
    let repository = wanted.iter().copied().find(|repository| Aggregate::association(*repository) == claim);
    let holder = api.app.log.holder(&claim).await.ok().flatten().map(SshKeyId);
    let mut error = ApiError::from(DispatchError::Claimed(claim));
    if let Some(repository) = repository {
        error = naming(error, repository);
    }
    let Some(holder) = holder else { return error };
    let head = api.app.log.feed().head().position;
    let rows = api.app.read_at_least(head, ssh_key_list::by_id(holder)).await.unwrap_or_default();
    let name = rows.into_iter().next().map(|row| row.name).unwrap_or_default();
    error.with("ssh_key", holder.to_string()).with("ssh_key_name", name)
}
