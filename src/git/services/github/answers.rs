//! GitHub's documents in its own field names, and what of them we keep in ours. Times come in three shapes: seconds,
//! RFC 3339 with `Z`, RFC 3339 with an offset.

use std::collections::BTreeMap;

use keytrail_domain::{
    display_text::DisplayText,
    github::{App, GithubHost, Login},
    installation::{Account, Seen, Selection, Suspension},
    remote_url::RemoteUrl,
    timestamp::Timestamp,
};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, value::RawValue};
use uuid::Uuid;
use zeroize::Zeroizing;

/// More permissions and events than GitHub knows.
const MOST: usize = 500;

#[derive(Deserialize)]
pub(super) struct AccountAnswer {
    pub(super) id: u64,
    pub(super) login: Option<String>,
    /// Enterprises have this instead.
    slug: Option<String>,
}

impl AccountAnswer {
    pub(super) fn name(&self) -> Option<Login> {
        self.login.as_deref().or(self.slug.as_deref()).and_then(|name| Login::parse(name).ok())
    }
}

#[derive(Deserialize)]
pub(super) struct AppAnswer {
    id: u64,
    slug: Option<String>,
    name: String,
    html_url: String,
    owner: Option<AccountAnswer>,
    #[serde(default)]
    permissions: BTreeMap<String, Value>,
    #[serde(default)]
    events: Vec<String>,
}

impl AppAnswer {
    pub(super) fn app(self) -> App {
        let mut events: Vec<_> = self.events.iter().take(MOST).map(|event| clean(event)).collect();
        events.sort_unstable();
        App {
            id: self.id,
            slug: DisplayText::clean(self.slug.as_deref().unwrap_or_default()),
            name: DisplayText::clean(&self.name),
            html_url: DisplayText::clean(&self.html_url),
            owner: self.owner.as_ref().and_then(AccountAnswer::name),
            owner_id: self.owner.as_ref().map(|owner| owner.id),
            permissions: permissions(&self.permissions),
            events,
        }
    }
}

fn clean(text: &str) -> String {
    DisplayText::clean(text).into()
}

pub(super) fn permissions(given: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let text = |(name, how): (&String, &Value)| Some((clean(name), clean(how.as_str()?)));
    given.iter().take(MOST).filter_map(text).collect()
}

/// What the conversion of a manifest's code answers: the app, and its secrets, which GitHub shows once.
#[derive(Deserialize)]
pub struct Conversion {
    #[serde(flatten)]
    app: AppAnswer,
    /// The private key, PKCS#1 in PEM.
    pub pem: Zeroizing<String>,
    /// What its deliveries are signed with.
    pub webhook_secret: Option<Zeroizing<String>>,
    /// For signing persons in.
    pub client_secret: Option<Zeroizing<String>>,
}

impl Conversion {
    /// The app.
    pub fn app(self) -> App {
        self.app.app()
    }
}

#[derive(Deserialize)]
pub(super) struct InstallationAnswer {
    pub(super) id: u64,
    pub(super) app_id: u64,
    account: Option<AccountAnswer>,
    repository_selection: Option<String>,
    #[serde(default)]
    permissions: BTreeMap<String, Value>,
    #[serde(default, deserialize_with = "time")]
    suspended_at: Option<Timestamp>,
    #[serde(default)]
    suspended_by: Option<AccountAnswer>,
}

impl InstallationAnswer {
    /// The account that it is in.
    pub(super) fn account_id(&self) -> Option<u64> {
        self.account.as_ref().map(|account| account.id)
    }

    /// In our words; `None` when it is in no account.
    pub(super) fn seen(self, host: &GithubHost) -> Option<Seen> {
        let account = self.account?;
        let login = account.name()?;
        Some(Seen {
            installation: self.id,
            account: Account { host: host.name().to_owned(), id: account.id, login },
            selection: match self.repository_selection.as_deref() {
                Some("selected") => Selection::Selected,
                _ => Selection::All,
            },
            permissions: permissions(&self.permissions),
            suspended: self.suspended_at.map(|since| Suspension {
                by: self.suspended_by.and_then(|by| by.login).map(|by| DisplayText::clean(&by)),
                since: Some(since),
            }),
        })
    }
}

#[derive(Deserialize)]
pub(super) struct RequestAnswer {
    pub(super) account: Option<AccountAnswer>,
    requester: Option<AccountAnswer>,
}

impl RequestAnswer {
    /// Whether it is for the organisation with this name, or rather with this id where that is known.
    pub(super) fn is_of(&self, organisation: &Login, known: Option<u64>) -> bool {
        self.account.as_ref().is_some_and(|account| match known {
            Some(known) => account.id == known,
            None => account.name().is_some_and(|name| name.is(organisation)),
        })
    }

    pub(super) fn by(&self) -> Option<Login> {
        self.requester.as_ref().and_then(AccountAnswer::name)
    }
}

#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    pub(super) token: Zeroizing<String>,
    #[serde(deserialize_with = "time")]
    pub(super) expires_at: Option<Timestamp>,
}

/// Where deliveries go (GitHub REST, "Get a webhook configuration for an app").
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HookConfig {
    /// Where.
    pub url: Option<String>,
    /// `json` or `form`.
    pub content_type: Option<String>,
    /// Whether certificates are not looked at: `0` or `1`, as a number or a text.
    pub insecure_ssl: Option<Value>,
}

/// A delivery as GitHub lists it ("List deliveries for an app webhook").
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ListedDelivery {
    /// Of this attempt.
    pub id: u64,
    /// Of the delivery; attempts share it.
    pub guid: Uuid,
    /// When it was tried.
    #[serde(default, deserialize_with = "time")]
    pub delivered_at: Option<Timestamp>,
    /// What we, or something before us, answered.
    #[serde(default)]
    pub status_code: u16,
    /// Of which event.
    pub event: String,
    /// What of that happened.
    #[serde(default)]
    pub action: Option<String>,
}

impl ListedDelivery {
    /// Whether it was taken.
    pub const fn is_ok(&self) -> bool {
        matches!(self.status_code, 200..=299)
    }
}

/// What was sent with a delivery.
#[derive(Deserialize)]
pub struct SentDelivery {
    /// It.
    pub request: SentRequest,
}

/// A request of GitHub's to us.
#[derive(Deserialize)]
pub struct SentRequest {
    /// The body, as GitHub keeps it: the same JSON, not always the same bytes.
    pub payload: Box<RawValue>,
}

/// A page of the repositories of an installation.
pub struct RepositoryPage {
    /// As GitHub wrote them, for a filter in its words.
    pub documents: Vec<Value>,
    /// How many there are on all pages.
    pub total: Option<u64>,
    /// Where the next page is.
    pub next: Option<String>,
    /// Its ETag for this token.
    pub etag: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct RepositoriesAnswer {
    pub(super) total_count: Option<u64>,
    pub(super) repositories: Vec<Value>,
}

/// What of a repository is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRepository {
    /// Its id, for ever.
    pub id: u64,
    /// `owner/name`.
    pub name: DisplayText,
    /// Where git fetches it from.
    pub clone_url: RemoteUrl,
    /// Whether nobody may change it any more.
    pub archived: bool,
    /// Kilobytes, as GitHub reckons them.
    pub size: u64,
}

impl ListedRepository {
    /// From GitHub's own document. `None` when it has not what it must have, or is at another host.
    pub fn of(document: &Value, host: &GithubHost) -> Option<Self> {
        let text = |name: &str| document.get(name)?.as_str();
        let url = RemoteUrl::parse(text("clone_url")?).ok()?;
        // A document chooses no host.
        if url.credential.is_some() || url.url.origin() != host.web {
            return None;
        }
        Some(Self {
            id: document.get("id")?.as_u64()?,
            name: DisplayText::clean(text("full_name")?),
            clone_url: url.url,
            archived: document.get("archived").and_then(Value::as_bool).unwrap_or_default(),
            size: document.get("size").and_then(Value::as_u64).unwrap_or_default(),
        })
    }
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let value = Option::<Value>::deserialize(deserializer)?;
    Ok(value.as_ref().and_then(of_time))
}

/// A time in any of the shapes that GitHub writes; `None` for what is none.
pub(super) fn of_time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(seconds) => seconds.as_i64().map(Timestamp::from_seconds),
        Value::String(text) => {
            let parsed = chrono::DateTime::parse_from_rfc3339(text).ok()?;
            Some(Timestamp(parsed.timestamp_micros()))
        }
        _ => None,
    }
}
