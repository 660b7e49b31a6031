//! Whether the GitHub of an integration can be asked, is what it was taken for, and has the organisation. Called by the route
//! that gives a link, before anything is begun there; it writes nothing.

use keytrail_domain::{
    github::{Edition, GithubConnection},
    id::IntegrationId,
};

use super::asking::{asked, in_time, late, refused};
use crate::{
    git::services::github::{Github, may_have_organisation, recognise},
    http::{
        Api,
        error::{ApiError, Code},
    },
    jobs,
};

/// Refused, unless the GitHub that an integration is connected to answers, is what it was taken for, and may have the
/// organisation.
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
    let known = may_have_organisation(&connected, &github.organisation, api.app.clock.now()).await.map_err(refused)?;
    if known {
        return Ok(());
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
