//! The way to GitHub: what will happen, and the form that takes the manifest there. The ticket of the link is used up by the
//! button, not by looking: whoever previews links uses nothing up.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Path},
};
use keytrail_domain::{
    github::GithubConnection,
    id::IntegrationId,
    installation::{Command, Installation as Aggregate, Registration},
    recorded::{Sequence, StreamId},
};

use super::{
    Api, Page, STEPS, Session, Stop, WARNING, context, encoded, integration, manifest,
    page::{Action, go_on},
    parameter, settings, told, ways,
    ways::REGISTRATION_MICROS,
};
use crate::{
    app::DispatchError,
    http::installations::{connection, named_connection},
};

/// What will happen, before anything does.
pub(super) async fn show(request: HttpRequest, api: Data<Api>, path: Path<(String, String)>) -> HttpResponse {
    told(showing(&request, &api, &path).await)
}

async fn showing(request: &HttpRequest, api: &Api, (id, ticket): &(String, String)) -> Result<HttpResponse, Stop> {
    let id = integration(id)?;
    opened(api, id, ticket).await?;
    let (called, github) = named_connection(api, id).await?;
    let name = name(request, &github);
    let page = Page {
        settings: settings(called.as_str(), github.filter.as_deref()),
        facts: vec![
            ("GitHub", github.host.web.clone()),
            ("Organisation", github.organisation.to_string()),
            ("Name of the app (you can change it at GitHub)", name.clone()),
        ],
        steps: STEPS.to_vec(),
        warning: Some(WARNING),
        action: Some(Action::Post {
            to: format!("/github/connect/{id}/{ticket}?name={}", encoded(&name)),
            label: "Begin",
            field: None,
        }),
        ..Page::new(
            format!("Connect Keytrail to {}", github.organisation),
            format!(
                "Keytrail reads the repositories of {} through a GitHub App of its own, which you create now. This link \
                 works once; the button uses it up.",
                github.organisation
            ),
        )
    };
    Ok(page.answer(StatusCode::OK, None))
}

/// Uses the ticket up, and opens the registration for this browser.
pub(super) async fn begin(request: HttpRequest, api: Data<Api>, path: Path<(String, String)>) -> HttpResponse {
    told(beginning(&request, &api, &path).await)
}

async fn beginning(request: &HttpRequest, api: &Api, (id, ticket): &(String, String)) -> Result<HttpResponse, Stop> {
    let id = integration(id)?;
    let version = opened(api, id, ticket).await?;
    let github = connection(api, id).await?;
    let session = Session::of_or_new(request);
    let expires_at = api.app.clock.now().plus_micros(REGISTRATION_MICROS);
    let state = ways::state_digest(&ways(api).registration(id, &session, expires_at));
    let mut context = context();
    // Of two who press the button with one link one begins.
    context.if_match = Some(version);
    let command = Command::OpenRegistration { state, expires_at };
    match api.app.dispatch::<Aggregate>(id.0, command, context, Vec::new()).await {
        Ok(_) => {}
        Err(DispatchError::Stale { .. }) => return Err(used()),
        Err(error) => return Err(error.into()),
    }
    let to = format!("/github/connect/{id}?name={}", encoded(&name(request, &github)));
    Ok(go_on(&to, Some(session.cookie(api.app.public_address.is_secure()))))
}

/// The form that takes the manifest to GitHub, for the browser that began. It can be loaded again.
pub(super) async fn go_to_github(request: HttpRequest, api: Data<Api>, path: Path<String>) -> HttpResponse {
    told(going(&request, &api, &path).await)
}

async fn going(request: &HttpRequest, api: &Api, id: &str) -> Result<HttpResponse, Stop> {
    let id = integration(id)?;
    let (state, _) = api.app.load::<Aggregate>(StreamId::new("installation", id.0)).await?;
    let Aggregate::Registering(opened) = state else {
        return Err(Stop::page(StatusCode::GONE, nothing_open(id)));
    };
    let session = Session::of(request).ok_or_else(other_browser)?;
    let state = ways(api).registration(id, &session, opened.expires_at);
    if ways::state_digest(&state) != opened.state {
        return Err(other_browser());
    }
    if opened.returned || api.app.clock.now() > opened.expires_at {
        return Err(Stop::page(StatusCode::GONE, nothing_open(id)));
    }
    let github = connection(api, id).await?;
    let name = name(request, &github);
    let Some(manifest) = manifest::manifest(&name, id, &github, &api.app.public_address) else {
        return Err(Stop::page(StatusCode::GONE, nothing_open(id)));
    };
    let web = &github.host.web;
    let page = Page {
        facts: vec![("Organisation", github.organisation.to_string()), ("Name of the app", name)],
        warning: Some(WARNING),
        action: Some(Action::Post {
            to: format!("{web}/organizations/{}/settings/apps/new?state={}", github.organisation, encoded(&state)),
            label: "Go to GitHub",
            field: Some(("manifest", manifest.to_string())),
        }),
        form_origin: Some(web.clone()),
        besides: Some((format!("/github/apps/{id}"), "The page of the app here, to come back to")),
        ..Page::new(
            "Create the app at GitHub",
            format!(
                "The button takes you to {}. Sign in there if you are asked, and create the app.",
                github.host.name()
            ),
        )
    };
    Ok(page.answer(StatusCode::OK, None))
}

/// The version at which the ticket is the one that was given last, and good.
async fn opened(api: &Api, id: IntegrationId, ticket: &str) -> Result<Sequence, Stop> {
    let digest = ways::ticket_digest(ticket);
    let (state, version) = api.app.load::<Aggregate>(StreamId::new("installation", id.0)).await?;
    match state {
        Aggregate::Registering(Registration { state, expires_at, .. }) if digest == Some(state.clone()) => {
            if api.app.clock.now() > expires_at {
                let text = "This link was good for a day, which is over. Ask for a new one.";
                let page = Page::wrong("registration_ticket_expired", "The link is over", text);
                return Err(Stop::page(StatusCode::GONE, page));
            }
            Ok(version)
        }
        Aggregate::Registered(_) => Err(Stop::page(
            StatusCode::GONE,
            Page {
                besides: Some((format!("/github/apps/{id}"), "See how the app is, and go on")),
                ..Page::wrong(
                    "app_registered_already",
                    "An app is connected already",
                    "This link is not needed any more.",
                )
            },
        )),
        Aggregate::Absent | Aggregate::Registering(_) | Aggregate::Removed { .. } => Err(used()),
    }
}

fn used() -> Stop {
    let text = "It was used before, or a newer link was asked for since, or it is not complete. If you pressed its button \
                in this browser a moment ago, go back to that page. Otherwise ask for a new link.";
    Stop::page(StatusCode::GONE, Page::wrong("registration_ticket_unknown", "This link cannot be used", text))
}

fn other_browser() -> Stop {
    let text = "This page belongs to the browser in which the link was opened, with cookies switched on. Go on there, or \
                ask for a new link.";
    Stop::page(StatusCode::FORBIDDEN, Page::wrong("registration_session_missing", "This is another browser", text))
}

fn nothing_open(id: IntegrationId) -> Page {
    let text = "The registration was finished, or is over, or a newer one was begun. Nothing was changed.";
    Page {
        besides: Some((format!("/github/apps/{id}"), "See how the app is, and go on")),
        ..Page::wrong("registration_state_used", "There is nothing to go on with here", text)
    }
}

fn name(request: &HttpRequest, github: &GithubConnection) -> String {
    let given = parameter(request, "name").and_then(|name| manifest::named(&name).ok());
    given.unwrap_or_else(|| manifest::proposed(&github.organisation))
}
