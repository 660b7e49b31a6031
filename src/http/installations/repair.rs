//! Repair: GitHub is asked now how an app is, and told what we wish.

use actix_web::{
    HttpResponse, post,
    web::{Data, Path},
};
use keytrail_domain::{
    github::GithubConnection,
    id::IntegrationId,
    installation::{Command, Installation as Aggregate},
    integration::Integration,
    recorded::StreamId,
};
use keytrail_projections::installation_status;
use uuid::Uuid;

use super::{Shown, asking::or_by_jobs, connection, shown};
use crate::{
    app::{Context, DispatchError},
    http::{
        Api,
        auth::Admin,
        changed::{tell_one, tell_pending},
        conditions::unknown,
        error::{ApiError, Code},
    },
    jobs,
    views::ViewError,
};

/// Asks GitHub now how the app is and what it sees, drives what we wish, has deliveries sent here with a secret that is
/// known here, and writes the verdict down. Of one that was removed with its secrets kept it asks what is left. GitHub is
/// given eight seconds; what is not done by then goes on behind the answer.
#[utoipa::path(tag = "installations", operation_id = "RepairInstallation", security(("bearer" = ["admin"])),
    responses((status = 200, description = "As it is now, as far as that is known.", body = Shown)))]
#[post("/api/v1/integrations/{id}/installation/repair")]
pub(in crate::http) async fn repair_installation(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let id = IntegrationId(*id);
    let is_left = match jobs::installation_of(&api.app, id).await? {
        Aggregate::Removed { kept, .. } => kept.is_some(),
        // It is to be taken away still.
        Aggregate::Registered(_) => {
            let integration = api.app.load::<Integration>(StreamId::new("integration", id.0)).await?.0;
            matches!(integration, Integration::Removed { .. })
        }
        Aggregate::Absent | Aggregate::Registering(_) => false,
    };
    let github = if is_left { None } else { Some(connection(&api, id).await?) };
    if !is_left {
        // Also where this server ends before GitHub is told.
        wish_webhook(&api, admin.context(None, None), id).await?;
    }
    let work = async {
        if let Some(github) = &github {
            mend(&api, id, github).await;
        }
        // What stands in the way is part of the answer.
        if let Err(error) = jobs::ask_after(&api.app, id).await {
            tracing::debug!(?error, integration = %id, "an app could not be reconciled now");
        }
    };
    let is_done = or_by_jobs(&api, id, work).await;
    let head = api.app.log.feed().head().position;
    match api.app.read_at_least(head, installation_status::by_id(id)).await {
        Ok(rows) => {
            let row = rows.into_iter().next().ok_or_else(|| unknown(Code::InstallationUnknown))?;
            let now = shown(&api, row).await;
            Ok(tell_one(&if is_done { now } else { now.asked_still() }))
        }
        // What was asked of GitHub is done.
        Err(ViewError::Behind { .. }) => Ok(tell_pending(id.0, head)),
        Err(error) => Err(error.into()),
    }
}

/// Of an app that is there; where none is yet nothing has to be told.
async fn wish_webhook(api: &Api, context: Context, id: IntegrationId) -> Result<(), ApiError> {
    match api.app.dispatch::<Aggregate>(id.0, Command::WishWebhook, context, Vec::new()).await {
        Ok(_) | Err(DispatchError::Refused { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn mend(api: &Api, id: IntegrationId, github: &GithubConnection) {
    if let Err(error) = jobs::mend_webhook(&api.app, id, github).await {
        tracing::debug!(%error, integration = %id, "the webhook of an app could not be mended now");
    }
}
