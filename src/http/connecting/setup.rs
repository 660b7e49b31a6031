//! The way back from installing an app. The address that a browser brings is a hint to look, and nothing more: what it
//! says of an installation is not believed, GitHub's API is asked.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use keytrail_domain::{
    id::IntegrationId,
    installation::{Installation as Aggregate, Registered},
};
use subtle::ConstantTimeEq as _;

use super::{
    Api, Page, Session, Stop, look, parameter,
    progress::page_of,
    told, ways,
    ways::{installed_before, integration_of},
};
use crate::jobs;

pub(super) async fn come_back(request: HttpRequest, api: Data<Api>) -> HttpResponse {
    told(coming_back(&request, &api).await)
}

async fn coming_back(request: &HttpRequest, api: &Api) -> Result<HttpResponse, Stop> {
    let action = parameter(request, "setup_action").unwrap_or_default();
    let named = parameter(request, "installation_id");
    let Some(state) = parameter(request, "state") else {
        if action == "update" {
            // GitHub's own settings lead here, and give nothing along.
            let text = "GitHub has saved which repositories the app may see. This server hears of it by itself.";
            return Ok(Page::new("Saved", text).answer(StatusCode::OK, None));
        }
        return Err(unknown());
    };
    let id = integration_of(&state).ok_or_else(unknown)?;
    let Aggregate::Registered(before) = jobs::installation_of(&api.app, id).await? else { return Err(unknown()) };
    is_of_this_browser(request, api, id, &before, &state)?;
    look(api, id).await;
    let Aggregate::Registered(now) = jobs::installation_of(&api.app, id).await? else { return Err(unknown()) };
    let mut page = page_of(api, id).await?;
    match (action.as_str(), now.installation()) {
        (_, Some(ours)) => {
            if named.as_deref().is_some_and(|named| named.parse() != Ok(ours)) {
                page.texts.push(
                    "The address that brought you here names another installation than GitHub does; it changed nothing."
                        .to_owned(),
                );
            }
        }
        ("request", None) => {
            page.title = "An owner has to approve".to_owned();
            page.texts.insert(
                0,
                "You have asked an owner of the organisation to install the app. GitHub tells them; nothing else has to \
                 be done here, however long it takes. When they approve, the repositories come by themselves."
                    .to_owned(),
            );
        }
        (_, None) => page.texts.push(
            "GitHub's API does not show the installation yet. The server asks again by itself; load this page again in a \
             minute."
                .to_owned(),
        ),
    }
    Ok(page.answer(StatusCode::OK, None))
}

fn is_of_this_browser(
    request: &HttpRequest,
    api: &Api,
    id: IntegrationId,
    registered: &Registered,
    state: &str,
) -> Result<(), Stop> {
    let before = installed_before(state).ok_or_else(unknown)?;
    let session = Session::of(request).ok_or_else(unknown)?;
    let ours = ways(api).installing(id, &session, registered.app.id, before);
    if !bool::from(ours.as_bytes().ct_eq(state.as_bytes())) {
        return Err(unknown());
    }
    // The installation that it was made for has come and gone.
    if before < registered.past.len() {
        let text = "This way back was used before, for an installation that is no more. Nothing was changed.";
        let page = Page {
            besides: Some((format!("/github/apps/{id}"), "See how the app is, and go on")),
            ..Page::wrong("installation_state_used", "You have been here before", text)
        };
        return Err(Stop::page(StatusCode::CONFLICT, page));
    }
    Ok(())
}

fn unknown() -> Stop {
    let text = "This address was not made here for this browser, so it attaches nothing. If you have just installed the \
                app, all is well: the server asks GitHub by itself and finds it. Whoever gave you the link can see how \
                it is.";
    Stop::page(
        StatusCode::BAD_REQUEST,
        Page::wrong("installation_state_unknown", "This way back is not known here", text),
    )
}
