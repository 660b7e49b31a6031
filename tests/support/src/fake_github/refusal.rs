//! What GitHub refuses, in its own words and with its own headers, as they were seen in public.

use serde_json::{Value, json};

use super::reply::Reply;

const DOCS: &str = "https://docs.github.com/rest";
const MINT: &str = "https://docs.github.com/rest/reference/apps#create-an-installation-access-token-for-an-app";

/// Why something is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No credentials.
    NobodyKnown,
    /// A token that is over, was taken back or never was.
    BadCredentials,
    /// Not signed by a key of the app.
    NotDecoded,
    /// No such app.
    NoSuchApp,
    /// `exp` has passed.
    Expired,
    /// `exp` is more than ten minutes off.
    TooFar,
    /// `iat` is to come.
    IssuedLater,
    /// Not there.
    NotFound,
    /// The code of a manifest is used, over, or another host's.
    NoSuchCode,
    /// No such installation, for a token.
    NoInstallation,
    /// The installation is suspended.
    Suspended,
    /// It may not do this.
    NotAllowed { wanted: &'static str },
    /// The organisation wants a person to sign in with its identity provider.
    SignIn,
    /// A permission that the installation has not.
    PermissionNotGranted,
    /// A repository that the installation does not see.
    RepositoryOutside,
    /// The organisation lets only certain addresses in.
    Address { organisation: String },
    /// The budget of the hour is spent.
    Primary { installation: u64, reset: i64, status: u16 },
    /// Too much at once.
    Secondary { retry_after: Option<u64>, status: u16 },
    /// It is called something else now.
    Moved { url: String, status: u16 },
    /// A body or a question that it does not take.
    Unprocessable(&'static str),
    /// A repository without commits.
    EmptyRepository,
    /// A ref that is there.
    ReferenceExists,
    /// A pull request that cannot be opened, and why.
    PullRequest(String),
    /// A version of the API that it does not know.
    Version,
    /// It does not say who it is.
    NoUserAgent,
    /// Its own troubles.
    Troubled(u16),
}

impl Refusal {
    pub(super) fn reply(&self) -> Reply {
        let told = |status: u16, message: &str, page: &str| {
            let mut body = json!({ "message": message, "status": status.to_string() });
            if !page.is_empty() {
                body["documentation_url"] = page.into();
            }
            Reply::json(status, &body)
        };
        // These were seen without anything but the message.
        let bare = |status: u16, message: &str| Reply::json(status, &json!({ "message": message }));
        match self {
            Self::NobodyKnown => told(401, "Requires authentication", DOCS),
            Self::BadCredentials => told(401, "Bad credentials", DOCS),
            Self::NotDecoded => told(401, "A JSON web token could not be decoded", DOCS),
            Self::NoSuchApp => told(404, "Integration not found", DOCS),
            Self::Expired => bare(
                401,
                "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the \
                 assertion expires",
            ),
            Self::TooFar => bare(401, "'Expiration time' claim ('exp') is too far in the future"),
            Self::IssuedLater => bare(
                401,
                "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
            ),
            Self::NotFound => told(404, "Not Found", DOCS),
            Self::NoSuchCode => {
                let page = "https://docs.github.com/rest/apps/apps#create-a-github-app-from-a-manifest";
                told(404, "Not Found", page)
            }
            Self::NoInstallation => told(404, "Not Found", MINT),
            Self::Suspended => told(403, "This installation has been suspended", MINT),
            Self::NotAllowed { wanted } => {
                told(403, "Resource not accessible by integration", "").with("X-Accepted-GitHub-Permissions", *wanted)
            }
            Self::SignIn => told(
                403,
                "Resource protected by organization SAML enforcement. You must grant your OAuth token access to this \
                 organization.",
                "https://docs.github.com/articles/authenticating-to-a-github-organization-with-saml-single-sign-on/",
            )
            .with("X-GitHub-SSO", "required; url=https://github.com/orgs/acme/sso?authorization_request=A"),
            Self::PermissionNotGranted => {
                told(422, "The permissions requested are not granted to this installation.", MINT)
            }
            Self::RepositoryOutside => told(
                422,
                "There is at least one repository that does not exist or is not accessible to the parent installation.",
                MINT,
            ),
            Self::Address { organisation } => bare(
                403,
                &format!(
                    "Although you appear to have the correct authorization credentials, the `{organisation}` \
                     organization has an IP allow list enabled, and 203.0.113.7 is not permitted to access this \
                     resource."
                ),
            ),
            Self::Primary { installation, reset, status } => {
                bare(*status, &format!("API rate limit exceeded for installation ID {installation}."))
                    .with("x-ratelimit-limit", "5000")
                    .with("x-ratelimit-remaining", "0")
                    .with("x-ratelimit-used", "5000")
                    .with("x-ratelimit-reset", reset.to_string())
                    .with("x-ratelimit-resource", "core")
            }
            Self::Secondary { retry_after, status } => {
                let wait = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
                let reply = match retry_after {
                    Some(seconds) => {
                        let body: Value = json!({
                            "message": format!(
                                "{wait} If you reach out to GitHub Support for help, please include the request ID \
                                 AAAA:BBBB:1:2:3."
                            ),
                            "documentation_url": "https://docs.github.com/free-pro-team@latest/rest/overview/\
                                                  rate-limits-for-the-rest-api#about-secondary-rate-limits",
                        });
                        Reply::json(*status, &body).with("retry-after", seconds.to_string())
                    }
                    None => bare(*status, wait),
                };
                reply.with("x-ratelimit-remaining", "4321")
            }
            Self::Moved { url, status } => {
                let body = json!({
                    "message": "Moved Permanently",
                    "url": url,
                    "documentation_url": "https://docs.github.com/v3/#http-redirects",
                });
                Reply::json(*status, &body).with("location", url.clone())
            }
            Self::Unprocessable(message) => told(422, message, DOCS),
            Self::EmptyRepository => told(409, "Git Repository is empty.", DOCS),
            Self::ReferenceExists => {
                told(422, "Reference already exists", "https://docs.github.com/rest/git/refs#create-a-reference")
            }
            Self::PullRequest(why) => {
                let body = json!({
                    "message": "Validation Failed",
                    "errors": [{ "resource": "PullRequest", "code": "custom", "message": why }],
                    "documentation_url": "https://docs.github.com/rest/pulls/pulls#create-a-pull-request",
                    "status": "422",
                });
                Reply::json(422, &body)
            }
            Self::Version => told(400, "The given API version is not supported.", DOCS),
            Self::NoUserAgent => Reply::text(
                403,
                "Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
            ),
            Self::Troubled(401) => told(401, "Bad credentials", DOCS),
            Self::Troubled(status @ (403 | 404 | 422)) => told(*status, "Not Found", DOCS),
            Self::Troubled(status) => {
                Reply::html(*status, "<!DOCTYPE html><title>Unicorn!</title><p>This is taking too long.")
            }
        }
    }
}
