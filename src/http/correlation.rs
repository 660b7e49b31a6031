//! By what a request is found again: its id, and the trace that it belongs to. Read once, by the edge, from headers that
//! anybody may send: what is not of the one form is as good as not there.

use actix_web::http::header::{HeaderMap, HeaderName};
use keytrail_domain::trace_parent::TraceParent;
use uuid::Uuid;

use crate::ids;

/// The request's id.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Characters of a UUID with hyphens.
const UUID_LENGTH: usize = 36;

/// By what a request is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Correlation {
    /// The caller's `X-Request-Id` if it is a UUID, else a new one.
    pub(super) id: Uuid,
    /// The caller's `traceparent` if it is valid (W3C Trace Context); there is none otherwise.
    pub(super) trace: Option<TraceParent>,
}

impl Correlation {
    /// Of a request with these headers.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let id = once(headers, &X_REQUEST_ID)
            .filter(|text| text.len() == UUID_LENGTH)
            .and_then(|text| Uuid::try_parse(text).ok())
            .filter(|id| !id.is_nil() && !id.is_max());
        let trace = once(headers, &TRACEPARENT).and_then(TraceParent::parse);
        Self { id: id.unwrap_or_else(ids::new_id), trace }
    }
}

/// The header's text, if it came once: of two nobody knows which was meant.
fn once<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name);
    let value = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn with(name: &HeaderName, values: &[&'static str]) -> Correlation {
        let mut headers = HeaderMap::new();
        values.iter().for_each(|value| headers.append(name.clone(), HeaderValue::from_static(value)));
        Correlation::of(&headers)
    }

    #[test]
    fn an_id_is_the_callers_only_when_it_is_one_uuid() {
        const ID: &str = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
        assert_eq!(with(&X_REQUEST_ID, &[ID]).id.to_string(), ID);
        let nil = "00000000-0000-0000-0000-000000000000";
        for bad in [&[ID, ID][..], &[nil], &["0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"], &["' OR 1"], &[""], &[]] {
            let made = with(&X_REQUEST_ID, bad).id;
            assert!(made.get_version_num() == 7 && made.to_string() != ID, "{bad:?}");
        }
    }

    #[test]
    fn a_trace_is_the_callers_when_it_came_once_and_is_valid() {
        const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(with(&TRACEPARENT, &[TRACE]).trace, TraceParent::parse(TRACE));
        for bad in [&[TRACE, TRACE][..], &["00-0-0-0"], &[]] {
            assert_eq!(with(&TRACEPARENT, bad).trace, None, "{bad:?}");
        }
    }
}
