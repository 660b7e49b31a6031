//! The way back from registering an app: the state is checked against the log and the browser, the code is exchanged, and
//! what GitHub gives once is sealed in the append that says so, before anything else.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use keytrail_domain::{
    aggregate::Refusal as _,
    github::{App, GithubConnection},
    id::IntegrationId,
    installation::{Command, Error, Installation as Aggregate, Key, Registration},
    recorded::StreamId,
};
use subtle::ConstantTimeEq as _;

use super::{
    Api, Page, Session, Stop, context,
    page::go_on,
    parameter,
    progress::install_url,
    told, ways,
    ways::{integration_of, state_digest},
};
use crate::{
    app::DispatchError,
    git::services::github::{AppKey, Conversion, Github, GithubError, GithubTrouble, Place, convert_code, recognise},
    http::installations::{asked, connection, sealed},
    jobs,
    secrets::app_secrets,
    store::{Statement, StoreError},
};

/// Before the code is tried once more.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the append is tried: what GitHub gave is not given again.
const TRIES: usize = 5;

pub(super) async fn come_back(request: HttpRequest, api: Data<Api>) -> HttpResponse {
    told(coming_back(&request, &api).await)
}

async fn coming_back(request: &HttpRequest, api: &Api) -> Result<HttpResponse, Stop> {
    let state = parameter(request, "state").ok_or_else(|| wrong(Error::StateUnknown, None))?;
    let id = integration_of(&state).ok_or_else(|| wrong(Error::StateUnknown, None))?;
    let code = parameter(request, "code");
    let (known, _) = api.app.load::<Aggregate>(StreamId::new("installation", id.0)).await?;
    let opened = match known {
        Aggregate::Registering(opened) => opened,
        Aggregate::Registered(_) => return Err(wrong(Error::StateUsed, Some(id))),
        Aggregate::Absent => return Err(wrong(Error::StateUnknown, None)),
        Aggregate::Removed { .. } => return Err(wrong(Error::Removed, None)),
    };
    is_of_this_browser(request, api, id, &opened, &state)?;
    // Looked up before the state is used up: without a code or a connection nothing is.
    let Some(code) = code else {
        let text = "GitHub sent you back without the code of the app. Go back to its page, and create the app there.";
        return Err(Stop::page(
            StatusCode::BAD_REQUEST,
            Page::wrong("registration_code_missing", "Something is missing", text),
        ));
    };
    let github = connection(api, id).await?;
    let place = jobs::github_place(&api.app, id, &github).await.map_err(asked)?;
    let connected = reached(&place, &github, api).await?;
    let command = Command::ReturnFromRegistration { state: state_digest(&state) };
    match api.app.dispatch::<Aggregate>(id.0, command, context(), Vec::new()).await {
        Ok(_) => {}
        Err(DispatchError::Refused { code, text }) => {
            return Err(
                match [Error::StateUnknown, Error::StateUsed, Error::StateExpired]
                    .into_iter()
                    .find(|error| error.code() == code)
                {
                    Some(error) => wrong(error, Some(id)),
                    None => DispatchError::Refused { code, text }.into(),
                },
            );
        }
        Err(error) => return Err(error.into()),
    }
    let conversion = converted(&connected, &code, api).await.map_err(|error| lost(&error, &github))?;
    register(api, id, &github, conversion).await?;
    let session = Session::of_or_new(request);
    let to = install_url(api, id, &session).await?;
    Ok(go_on(&to, Some(session.cookie(api.app.public_address.is_secure()))))
}

/// A connection to the GitHub that the code has to be taken to. Where there is none the state stays good.
async fn reached(place: &Place, github: &GithubConnection, api: &Api) -> Result<Github, Stop> {
    use crate::http::error::sentence;
    let reached = async {
        let connected = Github::reach(place).await?;
        recognise(&connected, github.host.edition, api.app.clock.now()).await?;
        Ok(connected)
    };
    reached.await.map_err(|error: GithubError| {
        let mut page = Page::wrong(error.trouble.code(), "GitHub cannot be asked now", sentence(&error.to_string()));
        page.texts.push(
            "Nothing was used up by that: load this very page again when it is mended. GitHub keeps the app for you for an \
             hour."
                .to_owned(),
        );
        Stop::page(StatusCode::BAD_GATEWAY, page)
    })
}

/// The state is the one that was made for this browser, and none that somebody else sends it.
fn is_of_this_browser(
    request: &HttpRequest,
    api: &Api,
    id: IntegrationId,
    opened: &Registration,
    state: &str,
) -> Result<(), Stop> {
    if state_digest(state) != opened.state {
        return Err(wrong(Error::StateUnknown, None));
    }
    let ours = Session::of(request).map(|session| ways(api).registration(id, &session, opened.expires_at));
    if ours.is_some_and(|ours| bool::from(ours.as_bytes().ct_eq(state.as_bytes()))) {
        return Ok(());
    }
    let text = "The registration was begun in another browser, or cookies are switched off. Open this very address in the \
                browser in which you began. Nothing was changed.";
    Err(Stop::page(StatusCode::FORBIDDEN, Page::wrong("registration_session_missing", "This is another browser", text)))
}

/// GitHub was seen to refuse a fresh code once for no reason; a refusal uses no code up, and neither does a request that did
/// not get there.
async fn converted(github: &Github, code: &str, api: &Api) -> Result<Conversion, GithubError> {
    match convert_code(github, code, api.app.clock.now()).await {
        Err(GithubError {
            trouble: GithubTrouble::TokenRejected | GithubTrouble::Service { .. } | GithubTrouble::Unreachable(_),
            ..
        }) => {
            tokio::time::sleep(PAUSE).await;
            convert_code(github, code, api.app.clock.now()).await
        }
        done => done,
    }
}

/// Seals what GitHub gave, and says that the app is ours, in one append.
async fn register(api: &Api, id: IntegrationId, github: &GithubConnection, conversion: Conversion) -> Result<(), Stop> {
    let Ok(key) = AppKey::read(&conversion.pem) else {
        let text = "GitHub gave a private key that cannot be read. Make a new one in the settings of the app, and take \
                    the app over with it.";
        return Err(Stop::page(StatusCode::BAD_GATEWAY, Page::wrong("key_invalid", "The key cannot be read", text)));
    };
    let mut rows: Vec<Statement> = Vec::new();
    let secret = sealed(api, id, app_secrets::APP_KEY, key.pem.as_bytes(), &mut rows);
    let mut seal = |field, clear: Option<&zeroize::Zeroizing<String>>| {
        clear.filter(|clear| !clear.is_empty()).map(|clear| sealed(api, id, field, clear.as_bytes(), &mut rows))
    };
    let webhook_secret = seal(app_secrets::WEBHOOK_SECRET, conversion.webhook_secret.as_ref());
    let client_secret = seal(app_secrets::CLIENT_SECRET, conversion.client_secret.as_ref());
    let (host, app) = (github.host.name().to_owned(), conversion.app());
    let key = Key { secret, fingerprint: key.fingerprint };
    let mut command =
        Command::RegisterApp { host: host.clone(), app: app.clone(), key: key.clone(), webhook_secret, client_secret };
    for attempt in 1.. {
        match api.app.dispatch::<Aggregate>(id.0, command.clone(), context(), rows.clone()).await {
            Ok(_) => break,
            // Somebody asked for a new link meanwhile. The app is there, and it is ours.
            Err(DispatchError::Refused { code, .. }) if code == Error::Unknown.code() && attempt < TRIES => {
                command = Command::Adopt { host: host.clone(), app: app.clone(), key: key.clone(), webhook_secret };
            }
            Err(
                DispatchError::Store(StoreError::Unavailable(_) | StoreError::Undone(_) | StoreError::Full)
                | DispatchError::Busy,
            ) if attempt < TRIES => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(DispatchError::Refused { code, .. }) if code == Error::Removed.code() => return Err(orphaned(&app)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The integration was removed while the app was created: nobody here holds its key.
fn orphaned(app: &App) -> Stop {
    let text = format!(
        "The app {} was created at GitHub, and the integration that it was for was removed meanwhile. It can do nothing, and \
         is known to nobody here: have it deleted at GitHub.",
        app.name
    );
    let page = Page {
        besides: Some((app.list_url(), "The apps of its owner at GitHub")),
        ..Page::wrong(Error::Removed.code(), "The integration was removed", text)
    };
    Stop::page(StatusCode::GONE, page)
}

fn wrong(error: Error, id: Option<IntegrationId>) -> Stop {
    use crate::http::error::sentence;
    let (status, title) = match error {
        Error::StateUsed => (StatusCode::CONFLICT, "You have been here before"),
        Error::StateExpired => (StatusCode::GONE, "It took too long"),
        Error::Removed => (StatusCode::GONE, "The integration was removed"),
        _ => (StatusCode::BAD_REQUEST, "This is not a way back that was opened here"),
    };
    let page = Page {
        besides: id.map(|id| (format!("/github/apps/{id}"), "See how the app is, and go on")),
        ..Page::wrong(error.code(), title, sentence(&error.to_string()))
    };
    Stop::page(status, page)
}

/// The code was not exchanged. The state is used up; the app may be there, and can be deleted or taken over.
fn lost(error: &GithubError, github: &GithubConnection) -> Stop {
    use crate::http::error::sentence;
    let at = format!("{}/organizations/{}/settings/apps", github.host.web, github.organisation);
    let why = match error.trouble {
        GithubTrouble::NotFound => format!("{} does not know the code that you came back with.", error.host),
        _ => sentence(&error.to_string()),
    };
    let mut page = Page::wrong(error.trouble.code(), "GitHub did not give the app", why);
    page.texts.push(
        "The code is good once and for an hour. If the app stands among the apps of the organisation now, make a private \
         key in its settings and take it over, or delete it there and ask for a new link."
            .to_owned(),
    );
    page.besides = Some((at, "The apps of the organisation at GitHub"));
    Stop::page(StatusCode::BAD_GATEWAY, page)
}
