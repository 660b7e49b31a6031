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
    input::may_be_a_token,
    limits::Budget,
    origins,
    outlet::HeadOnly,
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
        request.extensions_mut().insert(HeadOnly);
    }
    // With escapes resolved, as the router sees it.
    let path = request.match_info().as_str().to_owned();
    let (shown, verb, empty) = (shown(&path), known(&method), tracing::field::Empty);
    let span = tracing::info_span!("request", request_id = %id, trace_id = empty, method = verb, path = shown);
    if let Some(trace) = trace {
        span.record("trace_id", trace.trace_id());
    }
    let api = request.app_data::<Data<Api>>().cloned();
    let api = api.ok_or_else(|| ApiError::internal(&"the routes were made without their server"))?;
    let origin = api.access.origins.of(request.headers());
    let (answered, budget) = if origin.is_some() && origins::is_preflight(&method, request.headers()) {
        // A browser asks this without a token.
        (Ok(request.into_response(origins::preflight())), None)
    } else {
        answer(&api, request, next, &path, Correlation { id, trace }).instrument(span.clone()).await
    };
    let mut response = match answered {
        Ok(response) => in_our_shape(response, id),
        Err(error) => return Err(ApiError::of_status(error.as_response_error().status_code()).into()),
    };
    if let Some(budget) = budget {
        budget.tell(response.headers_mut());
    }
    if !api.access.origins.is_empty() {
        origins::vary(response.headers_mut());
    }
    if let Some(origin) = origin {
        origins::let_in(origin, response.headers_mut());
    }
    let status = response.status();
    let route = response.request().match_pattern().unwrap_or_else(|| "none".to_owned());
    let elapsed = started.elapsed();
    span.in_scope(|| tracing::debug!(status = status.as_u16(), micros = elapsed.as_micros(), "answered"));
    let labels = [("route", route), ("method", known(&method).to_owned()), ("status", status.as_str().to_owned())];
    metrics::histogram!("keytrail_http_request_seconds", &labels).record(elapsed.as_secs_f64());
    secure(&mut response, &path, id);
    Ok(response)
}

/// The answer, and what is left of the caller's requests.
async fn answer(
    api: &Api,
    request: ServiceRequest,
    next: Next<BoxBody>,
    path: &str,
    Correlation { id, trace }: Correlation,
) -> (Result<ServiceResponse<BoxBody>, actix_web::Error>, Option<Budget>) {
    let peer = request.peer_addr().map(|address| address.ip());
    let address = api.access.proxies.caller(peer, request.headers());
    let admitted = if is_guarded(path) {
        let known = auth::caller(api, request.headers(), address, id).await;
        known.map(|(caller, budget)| {
            request.extensions_mut().insert(Caller { trace, ..caller });
            budget
        })
    } else if is_probe(path) || request.method() == Method::POST && is_delivery(path) {
        Ok(None)
    } else {
        api.access.limits.address(address)
    };
    match admitted {
        Ok(budget) => (next.call(request).await, budget),
        Err(error) => (Ok(request.error_response(error)), None),
    }
}

/// Who looks after the server asks these often, and from one address.
fn is_probe(path: &str) -> bool {
    path == "/livez" || path == "/readyz"
}

/// A service delivers for many at once, and asks for nothing. Its route counts those that are not signed.
fn is_delivery(path: &str) -> bool {
    path.strip_prefix("/webhooks/github/").is_some_and(|id| !id.contains('/'))
}

/// Which addresses nobody reaches without a token, whether there is a route or not.
fn is_guarded(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/") || path == "/metrics"
}

/// An address as the log may hold it: a part that is a token in the wrong place, or could be one, is left out.
fn shown(path: &str) -> String {
    const LONGEST: usize = 48;
    let parts = path.split('/').take(LONGEST);
    let hidden = |part: &str| part.len() > LONGEST || may_be_a_token(part);
    let parts: Vec<_> = parts.map(|part| if hidden(part) { "…" } else { part }).collect();
    parts.join("/")
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
        None if (status.is_client_error() || status.is_server_error()) && !is_ours(&response) => {
            ApiError::of_status(status).render(Some(id))
        }
        None => return response,
    };
    response.into_response(rendered)
}

fn is_ours(response: &ServiceResponse<BoxBody>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    // The pages say what is wrong to a person.
    kind.is_some_and(|kind| kind.starts_with("application/") || (is_page(response) && kind.starts_with("text/html")))
}

/// Whether it is one of the pages of connecting: they have a policy of their own.
fn is_page(response: &ServiceResponse<BoxBody>) -> bool {
    response.headers().contains_key(CONTENT_SECURITY_POLICY) && response.request().path().starts_with("/github/")
}

fn secure(response: &mut ServiceResponse<BoxBody>, path: &str, id: Uuid) {
    let is_page = is_page(response);
    let not_found = response.status() == StatusCode::NOT_FOUND;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(X_REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let docs = path.starts_with("/docs");
    if !is_page {
        headers.insert(CONTENT_SECURITY_POLICY, if docs { CSP_DOCS } else { CSP_API });
    }
    if !docs || not_found {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_what_may_be_a_token() {
        let short =
            ["kt_x", "ghp_abc", "gho_abc", "ghu_abc", "ghs_abc", "ghr_abc", "github_pat_11A", "x-ghp_abc", "GHP_abc"];
        for token in short.map(str::to_owned).into_iter().chain(["a".repeat(49)]) {
            assert_eq!(shown(&format!("/api/v1/issues/{token}/commits")), "/api/v1/issues/…/commits");
        }
        for plain in
            ["/api/v1/issues/GH-12", "/api/v1/integrations", "/webhooks/github/0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"]
        {
            assert_eq!(shown(plain), plain);
        }
    }
}
