//! How an app is, for the browser of whoever is connecting it, and the link to go on. Anybody who has the address may look:
//! it says no more than what is awaited, and changes nothing.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Path},
};
use keytrail_domain::{
    id::IntegrationId,
    installation::{Installation as Aggregate, Service, Status},
    recorded::StreamId,
};

use super::{
    Api, Page, Session, Stop, WARNING, encoded, integration, look,
    page::{Action, go_on},
    told, ways,
};
use crate::{
    http::{
        error::{ApiError, Code},
        installations::{People, connection, told_of},
    },
    jobs,
};

/// How it is.
pub(super) async fn show(api: Data<Api>, path: Path<String>) -> HttpResponse {
    let page = async {
        let id = integration(&path)?;
        Ok(page_of(&api, id).await?.answer(StatusCode::OK, None))
    };
    told(page.await)
}

/// Goes to GitHub to install the app. From any browser, as often as one likes.
pub(super) async fn install(request: HttpRequest, api: Data<Api>, path: Path<String>) -> HttpResponse {
    let going = async {
        let id = integration(&path)?;
        let session = Session::of_or_new(&request);
        // Whatever the app is called by now: a link is not to lead nowhere.
        look(&api, id).await;
        let to = install_url(&api, id, &session).await?;
        Ok(go_on(&to, Some(session.cookie(api.app.public_address.is_secure()))))
    };
    told(going.await)
}

/// The page at GitHub where the app is installed, with a state for this browser. What GitHub said of the app gives the
/// path; the host is the one that the integration is connected to.
pub(super) async fn install_url(api: &Api, id: IntegrationId, session: &Session) -> Result<String, Stop> {
    let github = connection(api, id).await?;
    let Aggregate::Registered(registered) = jobs::installation_of(&api.app, id).await? else {
        return Err(
            ApiError::new(Code::AppNotRegistered, "The app is not registered yet. Ask for a link to connect.").into()
        );
    };
    let page = registered.app.html_url.as_str();
    let path = page.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map(|(_, path)| path);
    let path = path.filter(|path| !path.is_empty()).ok_or_else(|| {
        ApiError::new(Code::GithubRefused, "GitHub does not say where the page of the app is. Repair the installation.")
    })?;
    let before = registered.past.len();
    let state = ways(api).installing(id, session, registered.app.id, before);
    Ok(format!("{}/{path}/installations/new?state={}", github.host.web, encoded(&state)))
}

/// The page of an app.
pub(super) async fn page_of(api: &Api, id: IntegrationId) -> Result<Page, Stop> {
    let github = connection(api, id).await?;
    let (state, _) = api.app.load::<Aggregate>(StreamId::new("installation", id.0)).await?;
    let status = state.status();
    let mut page = Page::new(title(status), "");
    page.facts = vec![("Organisation", github.organisation.to_string()), ("Status", status.as_str().to_owned())];
    // Nobody is named to whoever has the address.
    let said = told_of(&state, &People::default());
    // Who suspended it, who asked for it and the like is for those who may ask the API.
    page.texts = match status {
        Status::Suspended => {
            vec!["Nothing is indexed for now. Whoever may administer this server sees why.".to_owned()]
        }
        Status::ApprovalRequested => {
            let asked = "A member asked an owner of the organisation to install the app.";
            vec![asked.to_owned(), said.next.to_owned(), said.action.into_owned()]
        }
        // Whoever has come this far is done.
        Status::Active if said.cause.is_none() => {
            vec![said.text, "They are listed and indexed by themselves. You may close this page.".to_owned()]
        }
        _ => vec![said.text, said.next.to_owned(), said.action.into_owned()],
    };
    if let Aggregate::Registered(registered) = &state {
        page.facts.push(("App", registered.app.name.to_string()));
        let open = !registered.key_rejected
            && matches!(
                registered.service,
                Service::NotInstalled | Service::ApprovalRequested { .. } | Service::Uninstalled
            );
        if open {
            page.warning = Some(WARNING);
            page.action = Some(Action::Go {
                to: format!("/github/apps/{id}/install"),
                label: "Continue: install the app at GitHub",
            });
        }
    }
    Ok(page)
}

const fn title(status: Status) -> &'static str {
    match status {
        Status::Registering => "The app is not registered yet",
        Status::Installing => "The app is registered and not installed",
        Status::ApprovalRequested => "An owner has to approve",
        Status::Active => "Connected",
        Status::Suspended => "Suspended",
        Status::KeyRejected => "GitHub refuses the key of the app",
        Status::Stuck => "It does not come on",
        Status::Uninstalled => "The app was uninstalled",
        Status::AppDeleted => "The app was deleted at GitHub",
        Status::Removed => "The integration was removed",
    }
}
