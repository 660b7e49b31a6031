//! The few pages that a person meets between GitHub's: what they say, and the headers that they go with. No script, no
//! picture, nothing from elsewhere; a form leads here or to the one GitHub that it is meant for.

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, SET_COOKIE},
    },
};
use askama::Template;

use super::steps::{Setting, Step};
use crate::http::error::ApiError;

/// How pages look.
const STYLE: &str = include_str!("../../../templates/page.css");

/// What a person can do on a page.
pub(super) enum Action {
    /// Send a form.
    Post {
        /// Where.
        to: String,
        /// What the button says.
        label: &'static str,
        /// What goes along.
        field: Option<(&'static str, String)>,
    },
    /// Go on.
    Go {
        /// Where.
        to: String,
        /// What the link says.
        label: &'static str,
    },
}

/// A page.
#[derive(Default)]
pub(super) struct Page {
    /// Its heading.
    pub(super) title: String,
    /// Its paragraphs.
    pub(super) texts: Vec<String>,
    /// Words with their values.
    pub(super) facts: Vec<(&'static str, String)>,
    /// How the integration is set up.
    pub(super) settings: Vec<Setting>,
    /// What will happen.
    pub(super) steps: Vec<Step>,
    /// What to look out for.
    pub(super) warning: Option<&'static str>,
    /// What to do here.
    pub(super) action: Option<Action>,
    /// Where else to go.
    pub(super) besides: Option<(String, &'static str)>,
    /// The stable code of what went wrong.
    pub(super) code: Option<&'static str>,
    /// The origin that its form may be sent to, when that is not ours.
    pub(super) form_origin: Option<String>,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Written<'a> {
    page: &'a Page,
}

impl Page {
    /// With a heading and a paragraph.
    pub(super) fn new(title: impl Into<String>, text: impl Into<String>) -> Self {
        Self { title: title.into(), texts: vec![text.into()], ..Self::default() }
    }

    /// What went wrong, with its code.
    pub(super) fn wrong(code: &'static str, title: &str, text: impl Into<String>) -> Self {
        Self { code: Some(code), ..Self::new(title, text) }
    }

    /// A problem of the API as a page.
    pub(super) fn of_error(error: &ApiError) -> (StatusCode, Self) {
        let code = error.code();
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let text = error.detail().to_owned();
        (status, Self::wrong(code.as_str(), code.title().trim_end_matches('.'), text))
    }

    pub(super) fn answer(&self, status: StatusCode, cookie: Option<String>) -> HttpResponse {
        let form = self.form_origin.as_deref().unwrap_or_default();
        let policy = format!(
            "default-src 'none'; style-src 'self'; form-action 'self' {form}; base-uri 'none'; frame-ancestors 'none'"
        );
        let mut response = HttpResponse::build(status);
        response.insert_header((CONTENT_SECURITY_POLICY, policy)).content_type("text/html; charset=utf-8");
        if let Some(cookie) = cookie {
            response.insert_header((SET_COOKIE, cookie));
        }
        match (Written { page: self }).render() {
            Ok(html) => response.body(html),
            // Writing to memory does not fail.
            Err(error) => ApiError::internal(&error).render(None),
        }
    }
}

/// Sends the browser on with a GET.
pub(super) fn go_on(to: &str, cookie: Option<String>) -> HttpResponse {
    let mut response = HttpResponse::SeeOther();
    response.insert_header((LOCATION, to));
    if let Some(cookie) = cookie {
        response.insert_header((SET_COOKIE, cookie));
    }
    response.finish()
}

/// How pages look.
pub(super) async fn style() -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/css; charset=utf-8")).body(STYLE)
}
