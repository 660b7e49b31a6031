//! Connecting to a GitHub: the link that begins it, and the pages that a person meets on the way there and back. What a
//! browser brings is never believed: the log says what was opened, and GitHub's API what became of it.

mod callback;
mod manifest;
mod page;
mod progress;
mod setup;
mod start;
mod steps;
mod ways;

use actix_web::{
    HttpRequest, HttpResponse, post,
    web::{self, Data, Path},
};
use keytrail_domain::{
    fact::Fact,
    id::IntegrationId,
    installation::{Command, Event, Installation as Aggregate},
    timestamp::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use self::{
    page::Page,
    steps::{STEPS, Setting, Step, WARNING, settings},
    ways::{Session, TICKET_MICROS, Ways},
};
use super::{
    Api,
    auth::Admin,
    changed::X_LOG_POSITION,
    error::{ApiError, Code},
    idempotency::{IDEMPOTENCY_REPLAYED, IdempotencyKey},
    input::Input,
    installations::{answers, named_connection, or_by_jobs},
};
use crate::{app::Context, jobs};

/// How the app is to be called.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewApp {
    /// What the app is to be called at GitHub, at most 34 characters; one is proposed when nothing is said. It is not the
    /// name of the integration, and a person can still change it at GitHub.
    #[serde(default)]
    #[schema(example = "Keytrail apache 4f3a", max_length = 34)]
    app_name: Option<String>,
}

/// Where a person goes on in a browser.
#[derive(Serialize, ToSchema)]
pub(super) struct Connecting {
    /// The link. It opens one registration, for whoever has it: hand it to an owner of the organisation and to nobody else.
    /// Asking again makes the last one useless.
    url: String,
    /// Until when it can be opened.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// What the app is to be called.
    app_name: String,
    /// How the integration is set up, before anything is done at GitHub.
    #[schema(value_type = Vec<Setting>)]
    settings: Vec<Setting>,
    /// What it takes, and from whom.
    #[schema(value_type = Vec<Step>)]
    steps: Vec<Step>,
    /// What to look out for.
    warning: &'static str,
}

/// Begins to connect: answers a link for the browser of somebody who may register apps in the organisation. The host is
/// asked first whether it is the GitHub that it is taken for, and has the organisation.
#[utoipa::path(tag = "installations", operation_id = "ConnectGithubApp", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header,
        description = "Sending it again with this key gives the same link, whatever GitHub says to it now. Once the \
            integration is removed, or `public_url` is not set any more, no link leads anywhere, and it is refused.")),
    request_body = NewApp,
    responses((status = 200, description = "Go on with the link.", body = Connecting)))]
#[post("/api/v1/integrations/{id}/installation/connect")]
pub(super) async fn connect_github_app(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    key: IdempotencyKey,
    body: Input<NewApp>,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "ConnectGithubApp", &body.bytes), None);
    let id = IntegrationId(*id);
    let earlier = api.remembered(&context).await?;
    let (name, github) = named_connection(&api, id).await?;
    // The same for the same request, so that they can be told again: nothing of them is kept.
    let app_name = match (&body.value.app_name, &context.idempotency) {
        (Some(name), _) => manifest::named(name)?,
        (None, Some(request)) => {
            manifest::proposed_with(&github.organisation, ways(&api).name(id, &request.scope, &request.key))
        }
        (None, None) => manifest::proposed(&github.organisation),
    };
    let ticket = match &context.idempotency {
        Some(request) => ways(&api).ticket(id, &request.scope, &request.key),
        None => ways::random(),
    };
    let path = format!("/github/connect/{id}/{ticket}?name={}", encoded(&app_name));
    let Some(url) = api.app.public_address.page(&path) else {
        let detail = "Nobody could come back from GitHub: set `public_url` in [server] to the address at which browsers \
                      reach this server, and start it again. An app that is there already can be taken over without.";
        return Err(ApiError::new(Code::PublicUrlMissing, detail));
    };
    let expires_at = api.app.clock.now().plus_micros(TICKET_MICROS);
    let committed = match earlier {
        // It was opened then, whatever GitHub says to it now.
        Some(committed) => committed,
        None => {
            // Whoever goes there with the link finds it, and what comes back can be taken to it.
            answers(&api, id, &github).await?;
            let state = ways::ticket_digest(&ticket).ok_or_else(|| ApiError::internal(&"a ticket is none"))?;
            let command = Command::OpenRegistration { state, expires_at };
            api.app.dispatch::<Aggregate>(id.0, command, context, Vec::new()).await?
        }
    };
    let opened = api.app.log.event(committed.stream, committed.sequence).await?.map(|event| event.fact);
    // One that was opened before ends when it was to end then.
    let expires_at = match opened {
        Some(Fact::Installation(Event::RegistrationOpened { expires_at, .. })) => expires_at,
        _ => expires_at,
    };
    let settings = settings(name.as_str(), github.filter.as_deref());
    let steps = STEPS.to_vec();
    let mut answer = HttpResponse::Ok();
    answer.insert_header((X_LOG_POSITION, committed.last.to_string()));
    if committed.replayed {
        answer.insert_header((IDEMPOTENCY_REPLAYED, "true"));
    }
    Ok(answer.json(Connecting { url, expires_at, app_name, settings, steps, warning: WARNING }))
}

/// The pages. They are for browsers, and no part of the API.
pub(super) fn pages(config: &mut web::ServiceConfig) {
    config
        .route("/github/page.css", web::get().to(page::style))
        .route("/github/connect/{id}/{ticket}", web::get().to(start::show))
        .route("/github/connect/{id}/{ticket}", web::post().to(start::begin))
        .route("/github/connect/{id}", web::get().to(start::go_to_github))
        .route("/github/callback", web::get().to(callback::come_back))
        .route("/github/setup", web::get().to(setup::come_back))
        .route("/github/apps/{id}", web::get().to(progress::show))
        .route("/github/apps/{id}/install", web::get().to(progress::install));
}

/// Why a page shows something else than was wished.
enum Stop {
    /// This page.
    Page(actix_web::http::StatusCode, Box<Page>),
    /// What the API would say.
    Error(ApiError),
}

impl<E: Into<ApiError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl Stop {
    fn page(status: actix_web::http::StatusCode, page: Page) -> Self {
        Self::Page(status, Box::new(page))
    }

    fn answer(self) -> HttpResponse {
        match self {
            Self::Page(status, page) => page.answer(status, None),
            Self::Error(error) => {
                let (status, page) = Page::of_error(&error);
                page.answer(status, None)
            }
        }
    }
}

fn told(done: Result<HttpResponse, Stop>) -> HttpResponse {
    done.unwrap_or_else(Stop::answer)
}

/// The integration that an address names.
fn integration(text: &str) -> Result<IntegrationId, Stop> {
    text.parse().map(IntegrationId).map_err(|_| {
        ApiError::new(Code::ParameterInvalid, "The link is not complete. Take it as it was given, whole.").into()
    })
}

/// A parameter of the query; the first one where there are several.
fn parameter(request: &HttpRequest, name: &str) -> Option<String> {
    let all = web::Query::<Vec<(String, String)>>::from_query(request.query_string()).ok()?;
    all.into_inner()
        .into_iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty())
}

fn ways(api: &Api) -> Ways {
    Ways::new(&api.app.keys)
}

/// A person did it with a browser that showed the ticket, or came back with it.
fn context() -> Context {
    let mut context = Context::server("connect_github_app", 0);
    context.source = keytrail_domain::metadata::Source::Console;
    context
}

/// Asks GitHub how the app is, for a person who waits; jobs go on with what takes too long, and where GitHub does not answer
/// the schedule looks again.
async fn look(api: &Api, id: IntegrationId) {
    let asked = async {
        let head = api.app.log.feed().head().position;
        if let Err(error) = jobs::reconcile(&api.app, id, head).await {
            tracing::debug!(?error, integration = %id, "an app could not be looked at now");
        }
    };
    or_by_jobs(api, id, asked).await;
}

/// With everything that is not plain in a query escaped.
fn encoded(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}
