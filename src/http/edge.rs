//! What happens to every request before its route and after: it gets an id, a span and figures; who asks is found out;
//! and no answer leaves that is not in our shape.

use std::time::Instant;

use actix_web::{
    HttpMessage, HttpResponse,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
    },
    middleware::Next,
    web::Data,
};
use tracing::Instrument;
use uuid::Uuid;

use super::{
    Api,
    auth::{self, Caller},
    correlation::{Correlation, X_REQUEST_ID},
    error::ApiError,
};

/// What an API answer may load: nothing.
const CSP_API: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// What the viewer of the API's description needs: its own files, styles that its scripts set, and drawn-in pictures.
const CSP_DOCS: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Wraps everything.
pub(super) async fn edge(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Correlation { id, trace } = Correlation::of(request.headers());
    let started = Instant::now();
    let method = request.method().clone();
    // A route for GET answers HEAD, too; the protocol's layer leaves the body out.
    if method == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    // With escapes resolved, as the router sees it.
    let path = request.match_info().as_str().to_owned();
    let span = tracing::info_span!("request", request_id = %id, trace_id = tracing::field::Empty, %method, path);
    if let Some(trace) = trace {
        span.record("trace_id", trace.trace_id());
    }
    let answered = answer(request, next, &path, Correlation { id, trace }).instrument(span.clone()).await;
    let mut response = match answered {
        Ok(response) => in_our_shape(response, id),
        Err(error) => return Err(ApiError::of_status(error.as_response_error().status_code()).into()),
    };
    let status = response.status();
    let route = response.request().match_pattern().unwrap_or_else(|| "none".to_owned());
    let elapsed = started.elapsed();
    span.in_scope(|| tracing::debug!(status = status.as_u16(), micros = elapsed.as_micros(), "answered"));
    let labels = [("route", route), ("method", known(&method).to_owned()), ("status", status.as_str().to_owned())];
    metrics::histogram!("keytrail_http_request_seconds", &labels).record(elapsed.as_secs_f64());
    secure(&mut response, &path, id);
    Ok(response)
}

async fn answer(
    request: ServiceRequest,
    next: Next<BoxBody>,
    path: &str,
    Correlation { id, trace }: Correlation,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if is_guarded(path) {
        let api = request.app_data::<Data<Api>>().cloned();
        let api = api.ok_or_else(|| ApiError::internal(&"the routes were made without their server"))?;
        match auth::caller(&api, request.headers(), id).await {
            Ok(caller) => {
                request.extensions_mut().insert(Caller { trace, ..caller });
            }
            Err(error) => return Ok(request.error_response(error)),
        }
    }
    next.call(request).await
}

/// Which addresses nobody reaches without a token, whether there is a route or not.
fn is_guarded(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/") || path == "/metrics"
}

/// Methods that nobody routes are counted as one: a caller must not make up names of metrics.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Problems name their request; what is none of ours, but refused, becomes one.
fn in_our_shape(response: ServiceResponse<BoxBody>, id: Uuid) -> ServiceResponse<BoxBody> {
    let status = response.status();
    let ours = response.response().error().and_then(|error| error.as_error::<ApiError>());
    let rendered: HttpResponse = match ours {
        Some(error) => error.render(Some(id)),
        None if (status.is_client_error() || status.is_server_error()) && !is_json(&response) => {
            ApiError::of_status(status).render(Some(id))
        }
        None => return response,
    };
    response.into_response(rendered)
}

fn is_json(response: &ServiceResponse<BoxBody>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/"))
}

fn secure(response: &mut ServiceResponse<BoxBody>, path: &str, id: Uuid) {
    let not_found = response.status() == StatusCode::NOT_FOUND;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(X_REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let docs = path.starts_with("/docs");
    headers.insert(CONTENT_SECURITY_POLICY, if docs { CSP_DOCS } else { CSP_API });
    if !docs || not_found {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
