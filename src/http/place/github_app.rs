//! An organisation of a GitHub as the API takes it, and whether another integration has it. Nothing is asked of GitHub
//! here.

use keytrail_domain::{
    git_remote::ProxySetting,
    github::{self, GithubConnection, GithubHost, Login},
    id::IntegrationId,
    installation::Installation,
    remote_url::RemoteUrl,
    secret_ref::SecretRef,
    service::Connection,
};
use keytrail_projections::installation_status::in_organisation;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    credential::Wish,
    refs::Refs,
    remote::{Proxy, may_be_reached},
    trust::Trust,
};
use crate::{
    git::remote::AddressPolicy,
    http::{
        Api,
        error::{ApiError, Code, sentence},
        installations::{awaiting, filter, held},
    },
    jobs,
    secrets::HttpLogin,
};

/// Which GitHub a host is.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::http) enum Edition {
    /// github.com, with Enterprise Cloud.
    Cloud,
    /// Enterprise Cloud with data residency, `NAME.ghe.com`.
    DataResidency,
    /// A GitHub Enterprise Server of one's own.
    EnterpriseServer,
}

impl From<Edition> for github::Edition {
    fn from(edition: Edition) -> Self {
        match edition {
            Edition::Cloud => Self::Cloud,
            Edition::DataResidency => Self::DataResidency,
            Edition::EnterpriseServer => Self::EnterpriseServer,
        }
    }
}

impl From<github::Edition> for Edition {
    fn from(edition: github::Edition) -> Self {
        match edition {
            github::Edition::Cloud => Self::Cloud,
            github::Edition::DataResidency => Self::DataResidency,
            github::Edition::EnterpriseServer => Self::EnterpriseServer,
        }
    }
}

/// The repositories of an organisation of a GitHub, through an app that is registered for it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct GithubApp {
    /// `github.com` when nothing is said; `NAME.ghe.com`, or the address of your own GitHub Enterprise Server.
    #[serde(default)]
    #[schema(example = "https://github.example.com")]
    host: Option<String>,
    /// What the host has to be; anything else is refused. When nothing is said it is recognised by its name.
    #[serde(default)]
    edition: Option<Edition>,
    /// The name of the organisation, as in its address.
    #[schema(example = "apache")]
    organisation: String,
    /// Which of its repositories: a JMESPath expression over GitHub's own documents, `{"repositories": [...]}`, of at most
    /// 2,000 characters; all of them when nothing is said.
    #[serde(default)]
    #[schema(example = "repositories[?!archived]")]
    filter: Option<String>,
    /// Whose certificates are good.
    #[serde(default)]
    trust: Trust,
    /// Through what it is reached; proxies of the server's environment are never used.
    #[serde(default)]
    proxy: Option<Proxy>,
    /// Which refs are looked at.
    #[serde(default)]
    refs: Refs,
}

impl GithubApp {
    /// In the words of the domain, with the credential of its proxy sealed.
    pub(super) fn checked(
        &self,
        policy: &AddressPolicy,
        before: Option<&Connection>,
        mut seal: impl FnMut(&HttpLogin) -> SecretRef,
    ) -> Result<Connection, ApiError> {
        let host = self.host.as_deref().map_or_else(|| Ok(GithubHost::cloud()), GithubHost::parse);
        let host = match self.edition {
            Some(edition) => host.and_then(|host| host.said_to_be(edition.into())),
            None => host,
        };
        let host = host.map_err(|bad| ApiError::new(Code::HostInvalid, sentence(&bad.to_string())))?;
        // A host that was parsed is an address.
        if let Ok(parsed) = RemoteUrl::parse(&format!("{}/x", host.api)) {
            parsed
                .url
                .allowed(policy.schemes())
                .map_err(|refused| ApiError::new(Code::UrlNotAllowed, sentence(&refused.to_string())))?;
            may_be_reached(policy, parsed.url.host())?;
        }
        let organisation = Login::parse(self.organisation.trim())
            .map_err(|bad| ApiError::new(Code::OrganisationInvalid, sentence(&bad.to_string())))?;
        let known = match before {
            Some(Connection::GithubApp(before)) => before.proxy.as_ref(),
            _ => None,
        };
        let proxy = match &self.proxy {
            None => None,
            Some(proxy) => {
                let (url, wish) = proxy.checked(policy)?;
                let credential = match wish {
                    Wish::Seal(login) => Some(seal(&login)),
                    Wish::Drop => None,
                    Wish::Keep => known.filter(|known| known.url == url).and_then(|known| known.credential),
                };
                Some(ProxySetting { url, credential })
            }
        };
        Ok(Connection::GithubApp(Box::new(GithubConnection {
            host,
            organisation,
            filter: self.filter.as_deref().map(filter).transpose()?.map(|filter| filter.as_str().to_owned()),
            trust: self.trust.checked()?,
            proxy,
            refs: self.refs.checked()?,
        })))
    }
}

/// Refused where the app is known to be in an organisation, and this is another one: it would be said to be uninstalled.
async fn stays_with_its_app(api: &Api, integration: IntegrationId, github: &GithubConnection) -> Result<(), ApiError> {
    let Installation::Registered(registered) = jobs::installation_of(&api.app, integration).await? else {
        return Ok(());
    };
    let Some(account) = registered.account.filter(|account| !account.login.is(&github.organisation)) else {
        return Ok(());
    };
    let login = account.login;
    let detail = format!(
        "The app of this integration is in the organisation “{login}”, and stays there. Connect “{}” by an integration of its \
         own, or remove this one first. If “{login}” was renamed, repair the installation; then its new name is taken.",
        github.organisation
    );
    Err(ApiError::new(Code::OrganisationOther, detail))
}

/// Refused while the app of another integration is in this organisation, or waits to be, which was called something else when
/// that one was connected: the claim of the place knows names only. What is not known yet who asks for a link is told, and
/// the status of the app says later.
pub(super) async fn is_free(
    api: &Api,
    integration: Uuid,
    before: Option<&Connection>,
    connection: &Connection,
) -> Result<(), ApiError> {
    let Connection::GithubApp(github) = connection else { return Ok(()) };
    if before.is_some_and(|before| before.natural_key() == connection.natural_key()) {
        return Ok(());
    }
    if before.is_some() {
        stays_with_its_app(api, IntegrationId(integration), github).await?;
    }
    let rows = api.read_now(in_organisation(github.host.name(), &github.organisation)).await?;
    let there = rows.into_iter().map(|row| row.id).find(|id| id.0 != integration);
    let holder = match there {
        Some(there) => Some(there),
        None => {
            let is_owner = |app: &github::App| app.owner.as_ref().is_some_and(|owner| owner.is(&github.organisation));
            awaiting(api, IntegrationId(integration), github.host.name(), is_owner).await?
        }
    };
    match holder {
        Some(holder) => Err(held(api, Code::ConnectionTaken, holder, &github.organisation).await),
        None => Ok(()),
    }
}
