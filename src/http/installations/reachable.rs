//! Whether the GitHub of an integration can be asked, is what it was taken for, and has the organisation, which no other
//! integration has. Called by the route that gives a link, before anything is begun there; it writes nothing.

use keytrail_domain::{
    github::{Edition, GithubConnection},
    id::IntegrationId,
    installation::account_claim,
};

use super::{
    asking::{asked, in_time, late, refused},
    holder::{awaiting, held},
};
use crate::{
    git::services::github::{Github, Organisation, look_up_organisation, recognise},
    http::{
        Api,
        error::{ApiError, Code},
    },
    jobs,
};

/// Refused, unless the GitHub that an integration is connected to answers, is what it was taken for, and may have the
/// organisation, in which no other integration has an app.
pub(in crate::http) async fn answers(api: &Api, id: IntegrationId, github: &GithubConnection) -> Result<(), ApiError> {
    in_time(asks(api, id, github)).await.unwrap_or_else(|| Err(late(github)))
}

async fn asks(api: &Api, id: IntegrationId, github: &GithubConnection) -> Result<(), ApiError> {
    let place = jobs::github_place(&api.app, id, github).await.map_err(asked)?;
    let connected = Github::reach(&place).await.map_err(refused)?;
    recognise(&connected, github.host.edition, api.app.clock.now()).await.map_err(refused)?;
    // With data residency nothing is there for strangers, so what they are told shows nothing.
    if github.host.edition == Edition::DataResidency {
        return Ok(());
    }
    let told = look_up_organisation(&connected, &github.organisation, api.app.clock.now()).await.map_err(refused)?;
    match told {
        Organisation::Known(account) => return is_free(api, id, github, account).await,
        Organisation::Untold => return Ok(()),
        Organisation::Nowhere => {}
    }
    let detail = format!(
        "{} knows no organisation “{}”, or shows it to nobody who is not signed in. Check the name: it is the last part of \
         its address; an account of a person cannot be connected. In an organisation that is hidden create the app by \
         hand, and take it over here.",
        github.host.name(),
        github.organisation,
    );
    Err(ApiError::new(Code::OrganisationUnknown, detail))
}

/// Refused while the app of another integration is in the organisation with this id, or waits to be: it was called something
/// else when that one was connected.
async fn is_free(api: &Api, id: IntegrationId, github: &GithubConnection, account: u64) -> Result<(), ApiError> {
    let host = github.host.name();
    let there = api.app.log.holder(&account_claim(host, account)).await?.map(IntegrationId);
    let holder = match there {
        Some(there) => Some(there).filter(|there| *there != id),
        None => awaiting(api, id, host, |app| app.owner_id == Some(account)).await?,
    };
    match holder {
        Some(holder) => Err(held(api, Code::OrganisationTaken, holder, &github.organisation).await),
        None => Ok(()),
    }
}
