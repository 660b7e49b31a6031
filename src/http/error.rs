//! The only error that the API answers with: a problem of RFC 9457 with a stable code. Whatever goes wrong below becomes
//! one here; what a caller must not see goes to the log instead.

use std::{borrow::Cow, fmt};

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use keytrail_domain::claim::ClaimScope;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

pub use super::codes::Code;
use crate::{app::DispatchError, log::FeedError, store::StoreError, views::ViewError};

/// A problem on its way to the caller.
#[derive(Debug)]
pub struct ApiError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    detail: Cow<'static, str>,
    members: Map<String, Value>,
    headers: Vec<(header::HeaderName, String)>,
}

/// What went wrong (RFC 9457). Some codes carry members of their own beside these.
#[derive(Serialize, ToSchema)]
pub(super) struct Problem<'a> {
    /// A name for the kind of problem: `urn:keytrail:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: String,
    /// The same sentence for every problem with this code.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// The stable code; docs/errors.md explains each.
    code: &'a str,
    /// What happened this time, and what to do next.
    detail: &'a str,
    /// The request, as the server's log names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<Uuid>,
    #[serde(flatten)]
    #[schema(ignore)]
    members: &'a Map<String, Value>,
}

impl ApiError {
    /// With a sentence that says what happened this time, and what to do next. It must not hold a secret.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let inner = Inner { code, detail: detail.into(), members: Map::new(), headers: Vec::new() };
        Self(Box::new(inner))
    }

    /// With one more member.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(member.to_owned(), value.into());
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.0.headers.push((name, value.into()));
        self
    }

    /// That trying again in so many seconds may help.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.header(header::RETRY_AFTER, seconds.to_string())
    }

    /// What happened this time, and what to do next.
    pub(super) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The code.
    pub const fn code(&self) -> Code {
        self.0.code
    }

    /// Whether it is the caller's doing.
    pub(super) const fn status_is_refusal(&self) -> bool {
        self.0.code.status() < 500
    }

    /// Something that only a mistake of ours leads to. The reason goes to the log, not to the caller.
    pub fn internal(reason: &dyn fmt::Display) -> Self {
        tracing::error!(%reason, "a request failed inside");
        Self::new(Code::Internal, "The request failed inside the server. Its log tells more under this request id.")
    }

    /// What a part of the framework refused before any route of ours was asked.
    pub(super) fn of_status(status: StatusCode) -> Self {
        let code = match status {
            StatusCode::NOT_FOUND => Code::RouteUnknown,
            StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Code::BodyTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::ContentTypeUnsupported,
            StatusCode::REQUEST_TIMEOUT => Code::BodyTooSlow,
            status if status.is_client_error() => Code::RequestInvalid,
            _ => Code::Internal,
        };
        Self::new(code, "See /docs for the addresses of this server and what they take.")
    }

    /// The answer, which names the request when it is known.
    pub(super) fn render(&self, request_id: Option<Uuid>) -> HttpResponse {
        let Inner { code, detail, members, headers } = &*self.0;
        let mut response = HttpResponse::build(self.status_code());
        response.content_type("application/problem+json");
        for (name, value) in headers {
            response.insert_header((name.clone(), value.as_str()));
        }
        let problem = Problem {
            kind: format!("urn:keytrail:problem:{}", code.as_str()),
            title: code.title(),
            status: code.status(),
            code: code.as_str(),
            detail,
            request_id,
            members,
        };
        // Strings and JSON values can always be written.
        response.body(serde_json::to_vec(&problem).unwrap_or_default())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.detail)
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.render(None)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::new(
                Code::NoSpace,
                "Nothing was changed. Make room on the disk of the database; the server then goes on by itself.",
            )
            .retry_after(30),
            StoreError::Unavailable(reason) => {
                tracing::warn!(%reason, "the store is not available to a request");
                // The connection may have been lost while the commit was on its way.
                Self::new(
                    Code::StoreUnavailable,
                    "A change may or may not have been recorded. Send it again in a moment with the same \
                     Idempotency-Key: then it is done once.",
                )
                .retry_after(2)
            }
            StoreError::Undone(reason) => {
                tracing::warn!(%reason, "a transaction was in the way of others again and again");
                Self::new(Code::StoreUnavailable, "Nothing was changed. Too much was written at once; try again.")
                    .retry_after(1)
            }
            StoreError::Fenced => {
                Self::new(Code::StoreUnavailable, "Another node took over. Nothing was changed; try again.")
                    .retry_after(1)
            }
            error @ (StoreError::Conflict { .. }
            | StoreError::Disk(_)
            | StoreError::Corrupt(_)
            | StoreError::Wrong(_)) => Self::internal(&error),
        }
    }
}

impl From<DispatchError> for ApiError {
    fn from(error: DispatchError) -> Self {
        match error {
            DispatchError::Refused { code, text } => {
                Self::new(Code::parse(code).unwrap_or(Code::CommandRefused), sentence(&text)).with("reason", code)
            }
            DispatchError::Stale { expected, actual } => Self::new(
                Code::VersionStale,
                format!(
                    "It is at version {actual}, and If-Match asked for {expected}. Read it again, and decide again."
                ),
            )
            .with("version", actual),
            DispatchError::Claimed(claim) => match claim.scope {
                ClaimScope::IntegrationName => {
                    Self::new(Code::IntegrationNameTaken, "Choose another name; the case of letters does not count.")
                }
                ClaimScope::Connection => Self::new(
                    Code::ConnectionTaken,
                    "A place is connected once. Use the integration that is there, or remove it first.",
                ),
                ClaimScope::GithubApp => Self::new(
                    Code::AppTaken,
                    "An app belongs to one integration. Use the integration that has it, or remove that one first.",
                ),
                ClaimScope::GithubAccount => Self::new(
                    Code::OrganisationTaken,
                    "One app of ours is installed in an organisation. Use the integration that is there, or remove it first.",
                ),
                ClaimScope::SshKey => Self::new(
                    Code::SshKeyTaken,
                    "The same key, by its fingerprint, is kept once. Use the one that is there, or retire it first.",
                ),
                ClaimScope::SshKeyName => {
                    Self::new(Code::SshKeyNameTaken, "Choose another name; the case of letters does not count.")
                }
                ClaimScope::SshKeyOfRepository | ClaimScope::SshKeyInRotation => Self::new(
                    Code::SshKeyAssociated,
                    "A repository has one associated SSH key at most. Nothing was changed. Dissociate the one that it has first.",
                ),
                ClaimScope::ActiveRun => {
                    Self::new(Code::IndexRunActive, "Watch the run that is under way, or cancel it first.")
                }
            },
            DispatchError::KeyReused => Self::new(
                Code::IdempotencyKeyReused,
                "This Idempotency-Key came with another request before. Choose a new one for every new request.",
            ),
            DispatchError::Busy => Self::new(Code::Busy, "Nothing was changed. Try again in a moment.").retry_after(1),
            DispatchError::Outdated(_) => Self::new(
                Code::ViewOutdated,
                "A newer version of keytrail wrote to this; start that version or a later one. Nothing was changed.",
            ),
            DispatchError::Store(error) => error.into(),
        }
    }
}

impl From<ViewError> for ApiError {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::Building { view, position, head } => Self::new(
                Code::ViewBuilding,
                format!("The view {view} holds {position} of {head} events. Try again in a moment."),
            )
            .with("view", view)
            .with("position", position)
            .with("head", head)
            .retry_after(2),
            ViewError::Faulted { view } => Self::new(
                Code::ViewFaulted,
                format!("An administrator can rebuild the view {view}; GET /api/v1/views says what is wrong."),
            )
            .with("view", view),
            ViewError::Outdated { view } => Self::new(
                Code::ViewOutdated,
                "A newer version of keytrail wrote to this log; start that version or a later one. Nothing is skipped.",
            )
            .with("view", view),
            // Nobody asked for a position, so that there is nothing to wait for under its name: `asked_for` tells of that.
            ViewError::Behind { view, position, .. } => Self::new(
                Code::Busy,
                format!(
                    "The view {view} is a moment behind the log, and this waits for it. Nothing was done. Try again."
                ),
            )
            .with("view", view)
            .with("position", position)
            .retry_after(1),
            ViewError::Busy => {
                let detail =
                    "As many of these questions are answered at once as this node takes. Try again in a moment.";
                Self::new(Code::Busy, detail).retry_after(2)
            }
            ViewError::Store(error) => error.into(),
        }
    }
}

impl ApiError {
    /// Why a view does not stand at the position that a caller asked for: that it is not there yet is no trouble.
    pub(super) fn asked_for(error: ViewError) -> Self {
        let ViewError::Behind { view, position, wanted } = error else { return error.into() };
        let detail =
            format!("The view {view} is at position {position}; {wanted} was asked for. Ask again in a moment.");
        Self::new(Code::ViewBehind, detail)
            .with("view", view)
            .with("position", position)
            .with("min_position", wanted)
            .retry_after(1)
    }
}

impl From<FeedError> for ApiError {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Store(error) => error.into(),
            error if error.is_of_the_future() => Self::new(
                Code::ViewOutdated,
                "A newer version of keytrail wrote to this log; start that version or a later one. Nothing is skipped.",
            ),
            error @ FeedError::Unreadable { .. } => Self::internal(&error),
        }
    }
}

/// Errors below speak in clauses; a detail is a sentence.
pub(super) fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let mut text: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    text.push_str(letters.as_str());
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_went_away_says_nothing_of_what_it_recorded() {
        let error = ApiError::from(StoreError::Unavailable("the connection was lost".into()));
        assert_eq!(error.code(), Code::StoreUnavailable);
        let told = error.to_string();
        assert!(told.contains("may or may not") && told.contains("Idempotency-Key"), "{told}");
        assert!(!told.contains("Nothing was changed"), "{told}");
    }

    #[test]
    fn a_view_that_is_behind_is_waited_for_only_by_who_asked_for_a_position() {
        let behind = || ViewError::Behind { view: "repository_list", position: 7, wanted: 9 };
        let asked = ApiError::asked_for(behind());
        assert_eq!((asked.code(), asked.code().status()), (Code::ViewBehind, 202));
        let error = ApiError::from(behind());
        assert_eq!((error.code(), error.code().status()), (Code::Busy, 503), "nothing was taken on");
        assert!(error.to_string().contains("Nothing was done"), "{error}");
        assert_eq!(ApiError::asked_for(ViewError::Busy).code(), Code::Busy);
    }

    #[test]
    fn an_event_of_a_newer_version_is_no_mistake_of_the_server() {
        let source = keytrail_domain::fact::Unreadable::Future { event_type: "x.y".into(), version: "9".into() };
        let error = ApiError::from(FeedError::Unreadable { position: 7, source });
        assert_eq!(error.code(), Code::ViewOutdated);
    }
}
