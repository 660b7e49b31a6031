//! The door for what git services deliver by themselves. No token opens it: a signature does, over the very bytes, before
//! anything of them is read. What comes in is on disk before it is answered, and worked off afterwards.

mod raw_body;
mod told_headers;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CONTENT_TYPE, HeaderMap},
    post,
    web::{Bytes, Data, Path, Payload, Query},
};
use keytrail_domain::id::IntegrationId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use self::{raw_body::raw_body, told_headers::told_headers};
use super::{
    Api,
    error::{ApiError, Code},
};
use crate::{
    git::services::github::webhook::{self, is_signed},
    inbox::{Origin, Receipt},
    jobs::{AskError, LiveSecrets, prove_webhooks, webhook_secrets},
    store::StoreError,
};

/// A larger body is looked at and compressed on a thread that may be busy for a while.
const LARGE: usize = 256 << 10;

/// A delivery that was sent as a form.
#[derive(Deserialize)]
struct Form {
    payload: String,
}

/// A delivery that is on disk.
#[derive(Serialize, ToSchema)]
pub(super) struct Taken {
    /// Its id, as its service gave it.
    delivery: Uuid,
}

/// Takes in what GitHub delivers to the app of an integration. It is on disk when this is answered; one that is there
/// already is not taken twice.
#[utoipa::path(tag = "installations", operation_id = "ReceiveGithubWebhook",
    params(("id" = Uuid, Path, description = "The integration, as the address that GitHub was given says."),
        ("X-GitHub-Event" = String, Header, description = "What it is."),
        ("X-GitHub-Delivery" = Uuid, Header, description = "Its id; one that comes again has it again."),
        ("X-Hub-Signature-256" = String, Header,
            description = "`sha256=` and HMAC-SHA-256 of the body under the secret of the app, in hexadecimal.")),
    request_body(content_type = "application/json", content = Object,
        description = "What GitHub says, up to 25 MiB; or a form with the same as `payload`."),
    responses((status = 202, description = "It is on disk.", body = Taken),
        (status = 401, description = "It is not signed, or with another secret."),
        (status = 408, description = "The body did not arrive in time."),
        (status = 429, description = "Too many deliveries from this address were not signed well."),
        (status = 503, description = "The database does not answer, or more comes in than it can take."),
        (status = 507, description = "There is no space left on the server's disk.")))]
#[post("/webhooks/github/{id}")]
pub(super) async fn receive_github_webhook(
    api: Data<Api>,
    id: Path<String>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, ApiError> {
    let headers = request.headers();
    let event = word(headers, "x-github-event").unwrap_or_default();
    let outcome = take(&api, &id, &request, event, body).await;
    let counted = match &outcome {
        Ok(_) => "stored",
        Err(error) if error.status_is_refusal() => "refused",
        Err(_) => "failed",
    };
    let event = webhook::counted_as(event);
    metrics::counter!("keytrail_webhooks_total", "event" => event, "outcome" => counted).increment(1);
    outcome
}

async fn take(
    api: &Api,
    id: &str,
    request: &HttpRequest,
    event: &str,
    body: Payload,
) -> Result<HttpResponse, ApiError> {
    let headers = request.headers();
    let peer = request.peer_addr().map(|address| address.ip());
    let address = api.access.proxies.caller(peer, headers);
    // An address that is no id, an integration that is not there, and one without an app are told alike.
    let nobody = || ApiError::of_status(actix_web::http::StatusCode::NOT_FOUND);
    let Ok(id) = id.parse::<IntegrationId>() else {
        api.access.limits.may_deliver(address)?;
        api.access.limits.delivery_failed(address)?;
        return Err(nobody());
    };
    if !api.app.jobs.webhook_secrets.knows(id) {
        api.access.limits.may_deliver(address)?;
    }
    let Some(secrets) = webhook_secrets(&api.app, id, false).await.map_err(unknown_now)? else {
        api.access.limits.delivery_failed(address)?;
        return Err(nobody());
    };
    let Some(signature) = word(headers, "x-hub-signature-256") else {
        api.access.limits.delivery_failed(address)?;
        let detail = "A delivery is signed with the webhook secret of its app: X-Hub-Signature-256.";
        return Err(ApiError::new(Code::SignatureMissing, detail));
    };
    // Held until the body is on disk: large ones are few at a time.
    let (body, _turn) = raw_body(api, headers, body).await?;
    let mut signed = is_signed_with(secrets, &body, signature).await?;
    if !signed && let Some(secrets) = webhook_secrets(&api.app, id, true).await.map_err(unknown_now)? {
        signed = is_signed_with(secrets, &body, signature).await?;
    }
    if !signed {
        api.access.limits.delivery_failed(address)?;
        let detail = "The body was not signed with the webhook secret of this app. Give both sides the same secret.";
        return Err(ApiError::new(Code::SignatureInvalid, detail));
    }
    let delivery = word(headers, "x-github-delivery").and_then(|text| Uuid::parse_str(text).ok());
    let plain = |event: &str| event.len() <= 64 && event.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let (Some(delivery), false, true) = (delivery, event.is_empty(), plain(event)) else {
        let detail = "A delivery has an X-GitHub-Delivery, which is a UUID, and an X-GitHub-Event.";
        return Err(ApiError::new(Code::DeliveryInvalid, detail));
    };
    let kind = word(headers, CONTENT_TYPE.as_str()).unwrap_or_default().to_owned();
    let (is_meta, event, told) = (event == "meta", event.to_owned(), told_headers(headers));
    let (now, bytes) = (api.app.clock.now(), body.len());
    let made = move || -> Result<Receipt, ApiError> {
        let body = json_of(&kind, body)?;
        let unreadable = |_| ApiError::new(Code::BodyInvalid, "The delivery is signed, and is not JSON.");
        let action = webhook::action(&body).map_err(unreadable)?;
        Ok(Receipt::new(id, delivery, &event, action.as_deref(), Origin::Sent, &told, &body, now))
    };
    let receipt = if bytes > LARGE {
        let made = tokio::task::spawn_blocking(made).await;
        made.map_err(|error| ApiError::internal(&error))??
    } else {
        made()?
    };
    api.app.inbox.put(receipt).await.map_err(|error| match error {
        StoreError::Full => ApiError::from(error),
        error => {
            tracing::debug!(%error, "a delivery was not stored");
            ApiError::new(Code::Busy, "The delivery was not stored. Deliver it again in a moment.").retry_after(5)
        }
    })?;
    // Also one that was known, which nobody works off again. What says that the hook is gone shows the opposite.
    if !is_meta {
        prove_webhooks(&api.app, id, delivery).await;
    }
    Ok(HttpResponse::Accepted().json(Taken { delivery }))
}

/// Whether one of the secrets signed the body.
async fn is_signed_with(secrets: LiveSecrets, body: &Bytes, signature: &str) -> Result<bool, ApiError> {
    let (bytes, body, signature) = (body.len(), body.clone(), signature.to_owned());
    let look = move || is_signed(secrets.iter().map(|secret| secret.expose().as_slice()), &body, &signature);
    if bytes > LARGE {
        tokio::task::spawn_blocking(look).await.map_err(|error| ApiError::internal(&error))
    } else {
        Ok(look())
    }
}

/// The one value of a header.
fn word<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The JSON of a body that is JSON, or a form with it.
fn json_of(kind: &str, body: Bytes) -> Result<Bytes, ApiError> {
    match kind.split(';').next().unwrap_or_default().trim() {
        kind if kind.eq_ignore_ascii_case("application/json") => Ok(body),
        _ => {
            let text = std::str::from_utf8(&body).unwrap_or_default();
            // A form has the shape of a query.
            let form = Query::<Form>::from_query(text).map_err(|_| {
                ApiError::new(Code::BodyInvalid, "The delivery is signed, and is a form without a `payload`.")
            })?;
            Ok(Bytes::from(form.into_inner().payload))
        }
    }
}

fn unknown_now(error: AskError) -> ApiError {
    tracing::warn!(%error, "whether a delivery is signed cannot be found out now");
    ApiError::new(Code::StoreUnavailable, "The delivery was not stored. Deliver it again in a moment.").retry_after(5)
}
