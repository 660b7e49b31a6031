//! What GitHub delivers by itself (docs.github.com, "Webhook events and payloads"), read into what it means to us. Called
//! by the route that takes deliveries in and by the jobs that work them off. Nothing that a body says chooses a host: it
//! names things by the ids that GitHub gave them.

mod signature;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use keytrail_domain::{
    display_text::DisplayText,
    github::GithubHost,
    installation::{Heard, Selection, Suspension},
};
use serde::Deserialize;
use serde_json::Value;

pub use self::signature::{is_signed, signature};
use super::{
    answers::{AccountAnswer, InstallationAnswer, of_time, permissions},
    pulls::{SeenPull, SeenReview},
};

/// A delivery that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Which installation it is of, if it says so.
    pub installation: Option<u64>,
    /// What it says.
    pub says: Says,
}

/// What a delivery says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// That deliveries arrive.
    Hello,
    /// Something of the installation itself.
    Of(Heard),
    /// That refs of the repository with this id moved.
    Moved(u64),
    /// That there are other repositories, or the same ones otherwise.
    Repositories,
    /// That nothing will be delivered any more.
    HookDeleted,
    /// How a pull request is.
    PullRequest(Box<HeardPull>),
    /// Something that means nothing to us.
    Nothing,
}

/// A pull request, and what was thought of it just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeardPull {
    /// The id of its repository.
    pub repository: u64,
    /// How it is.
    pub pull: SeenPull,
    /// The review that the delivery is about, if it is about one.
    pub review: Option<SeenReview>,
    /// Whether it was opened just now: there is nothing of it that was not told.
    pub opened: bool,
}

/// A body that is not what its event has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not what GitHub sends with this event")]
pub struct Unreadable;

/// The events that are looked at; all others are one.
const KNOWN: [&str; 16] = [
    "create",
    "delete",
    "github_app_authorization",
    "installation",
    "installation_repositories",
    "installation_target",
    "meta",
    "organization",
    "ping",
    "public",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "push",
    "repository",
];

/// The word under which an event is counted: `other` for what nobody here knows.
pub fn counted_as(event: &str) -> &'static str {
    KNOWN.into_iter().find(|known| *known == event).unwrap_or("other")
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    installation: Option<Value>,
    #[serde(default)]
    repository: Option<Identified>,
    #[serde(default)]
    account: Option<AccountAnswer>,
    #[serde(default)]
    repository_selection: Option<String>,
    #[serde(default)]
    sender: Option<Sender>,
    #[serde(default)]
    pull_request: Option<Value>,
    #[serde(default)]
    review: Option<Value>,
}

#[derive(Deserialize)]
struct Identified {
    id: u64,
}

#[derive(Deserialize)]
struct Sender {
    login: Option<String>,
}

/// Serde takes a list for the members of an object in their order; GitHub sends objects.
fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Unreadable> {
    match body.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice(body).map_err(|_| Unreadable),
        _ => Err(Unreadable),
    }
}

/// What of it happened, of a body that is JSON; its other parts are gone over and not kept.
pub fn action(body: &[u8]) -> Result<Option<String>, Unreadable> {
    #[derive(Deserialize)]
    struct Head {
        #[serde(default)]
        action: Option<Value>,
    }
    let head: Head = object(body)?;
    Ok(head.action.as_ref().and_then(Value::as_str).map(|action| action.chars().take(64).collect()))
}

/// Reads what an app of this host was sent.
pub fn read(event: &str, body: &[u8], host: &GithubHost) -> Result<Webhook, Unreadable> {
    if counted_as(event) == "other" {
        return Ok(Webhook { installation: None, says: Says::Nothing });
    }
    let body: Body = object(body)?;
    let installation = body.installation.as_ref().and_then(|installation| installation.get("id")?.as_u64());
    let says = match event {
        "ping" => Says::Hello,
        "installation" => of_installation(&body, installation.ok_or(Unreadable)?, host)?,
        "installation_repositories" => Says::Of(Heard::SelectionChanged {
            installation: installation.ok_or(Unreadable)?,
            selection: match body.repository_selection.as_deref() {
                Some("all") => Selection::All,
                Some("selected") => Selection::Selected,
                _ => return Err(Unreadable),
            },
        }),
        "installation_target" => match (body.action.as_deref(), &body.account) {
            (Some("renamed"), Some(account)) => {
                Says::Of(Heard::AccountRenamed { account: account.id, login: account.name().ok_or(Unreadable)? })
            }
            (Some("renamed"), None) => return Err(Unreadable),
            _ => Says::Nothing,
        },
        "push" | "create" | "delete" => Says::Moved(body.repository.ok_or(Unreadable)?.id),
        "repository" | "public" => Says::Repositories,
        "meta" if body.action.as_deref() == Some("deleted") => Says::HookDeleted,
        "pull_request" | "pull_request_review" => of_pull_request(&body)?,
        _ => Says::Nothing,
    };
    Ok(Webhook { installation, says })
}

fn of_installation(body: &Body, id: u64, host: &GithubHost) -> Result<Says, Unreadable> {
    let described = || body.installation.clone().ok_or(Unreadable);
    Ok(Says::Of(match body.action.as_deref() {
        Some("created") => {
            let answer: InstallationAnswer = serde_json::from_value(described()?).map_err(|_| Unreadable)?;
            Heard::Installed(answer.seen(host).ok_or(Unreadable)?)
        }
        Some("deleted") => Heard::Uninstalled { installation: id },
        Some("suspend") => Heard::Suspended { installation: id, suspension: suspension(body) },
        Some("unsuspend") => Heard::Resumed { installation: id },
        Some("new_permissions_accepted") => {
            let described = described()?;
            let given = described.get("permissions").cloned().unwrap_or_default();
            let given: BTreeMap<String, Value> = serde_json::from_value(given).map_err(|_| Unreadable)?;
            Heard::PermissionsAccepted { installation: id, permissions: permissions(&given) }
        }
        _ => return Ok(Says::Nothing),
    }))
}

fn of_pull_request(body: &Body) -> Result<Says, Unreadable> {
    let repository = body.repository.as_ref().ok_or(Unreadable)?.id;
    let pull = body.pull_request.as_ref().and_then(SeenPull::of).ok_or(Unreadable)?;
    let review = body.review.as_ref().and_then(SeenReview::of);
    let opened = body.action.as_deref() == Some("opened");
    Ok(Says::PullRequest(Box::new(HeardPull { repository, pull, review, opened })))
}

/// Who did it is said of the installation; where it is not, it was who caused the delivery.
fn suspension(body: &Body) -> Suspension {
    let told = |name: &str| body.installation.as_ref()?.get(name);
    let by = told("suspended_by").and_then(|by| by.get("login")?.as_str());
    let by = by.or_else(|| body.sender.as_ref()?.login.as_deref());
    Suspension { by: by.map(DisplayText::clean), since: told("suspended_at").and_then(of_time) }
}
