//! A browser without JavaScript: it keeps cookies for each server, follows redirects, and sends the forms of a page.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use regex::Regex;
use reqwest::{
    Method, StatusCode, Url,
    header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HeaderMap, LOCATION, SET_COOKIE},
};

pub(crate) struct Browser {
    client: reqwest::Client,
    /// By origin and name.
    cookies: Mutex<BTreeMap<(String, String), String>>,
}

/// A page that came in the end.
pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) html: String,
    pub(crate) headers: HeaderMap,
    /// Where it led by on the way.
    pub(crate) way: Vec<Url>,
}

struct Form {
    action: String,
    fields: Vec<(String, String)>,
    label: String,
}

fn regex(text: &str) -> Regex {
    Regex::new(text).expect("an expression")
}

/// As it is meant in HTML.
fn plain(text: &str) -> String {
    let named = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#34;", "\""),
        ("&#60;", "<"),
        ("&#62;", ">"),
    ];
    let text = named.iter().fold(text.to_owned(), |text, (code, letter)| text.replace(code, letter));
    text.replace("&#38;", "&").replace("&amp;", "&")
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let found = regex(&format!("\\s{name}=\"([^\"]*)\"")).captures(tag)?;
    Some(plain(&found[1]))
}

impl Browser {
    pub(crate) fn new() -> Self {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        Self { client: client.build().expect("a client"), cookies: Mutex::default() }
    }

    /// Opens an address.
    pub(crate) async fn open(&self, url: &str) -> Page {
        self.ask(Method::GET, Url::parse(url).expect("an address"), Vec::new()).await
    }

    /// Follows the link with this text.
    pub(crate) async fn follow(&self, page: &Page, text: &str) -> Page {
        let links = regex("(?s)<a\\s[^>]*href=\"([^\"]*)\"[^>]*>(.*?)</a>");
        let link = links.captures_iter(&page.html).find(|link| plain(&link[2]) == text);
        let link = link.unwrap_or_else(|| panic!("no link {text:?} in {}", page.html));
        let to = page.url.join(&plain(&link[1])).expect("an address");
        self.ask(Method::GET, to, Vec::new()).await
    }

    /// Presses the button with this text, with these fields filled in.
    pub(crate) async fn press(&self, page: &Page, label: &str, filled: &[(&str, &str)]) -> Page {
        let forms = page.forms();
        let form = forms.iter().find(|form| form.label == label);
        let form = form.unwrap_or_else(|| panic!("no button {label:?} in {}", page.html));
        let mut fields: BTreeMap<String, String> = form.fields.iter().cloned().collect();
        fields.extend(filled.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let to = page.url.join(&form.action).expect("an address");
        page.lets_send_to(&to);
        self.ask(Method::POST, to, fields.into_iter().collect()).await
    }

    async fn ask(&self, mut method: Method, mut url: Url, mut fields: Vec<(String, String)>) -> Page {
        let mut way = Vec::new();
        loop {
            let origin = url.origin().ascii_serialization();
            let cookies = {
                let all = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
                let here = all.iter().filter(|((of, _), _)| *of == origin);
                here.map(|((_, name), value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
            };
            let mut request = self.client.request(method.clone(), url.clone());
            if !cookies.is_empty() {
                request = request.header(COOKIE, cookies);
            }
            if method == Method::POST {
                request = request.form(&fields);
            }
            let response = request.send().await.expect("an answer");
            let (status, headers) = (response.status(), response.headers().clone());
            for set in headers.get_all(SET_COOKIE) {
                let set = set.to_str().expect("text");
                assert!(
                    set.contains("; HttpOnly") && set.contains("; SameSite=Lax") && set.contains("; Path=/github"),
                    "{set}"
                );
                let (name, value) = set.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
                let mut all = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
                all.insert((origin.clone(), name.to_owned()), value.to_owned());
            }
            if status.is_redirection() {
                let to = headers[LOCATION].to_str().expect("text");
                way.push(url.clone());
                url = url.join(to).expect("an address");
                (method, fields) = (Method::GET, Vec::new());
                continue;
            }
            let html = response.text().await.expect("a page");
            return Page { url, status, html, headers, way };
        }
    }
}

impl Page {
    fn forms(&self) -> Vec<Form> {
        let forms = regex("(?s)<form(\\s[^>]*)>(.*?)</form>");
        let (inputs, button) = (regex("<input(\\s[^>]*)>"), regex("(?s)<button[^>]*>(.*?)</button>"));
        let form = |form: regex::Captures<'_>| {
            let fields = inputs.captures_iter(&form[2]).filter_map(|input| {
                let chosen = !matches!(attribute(&input[1], "type").as_deref(), Some("radio" | "checkbox"))
                    || input[1].contains(" checked");
                Some((attribute(&input[1], "name")?, attribute(&input[1], "value").unwrap_or_else(|| "on".to_owned())))
                    .filter(|_| chosen)
            });
            Form {
                action: attribute(&form[1], "action").unwrap_or_default(),
                fields: fields.collect(),
                label: button.captures(&form[2]).map(|found| plain(&found[1])).unwrap_or_default(),
            }
        };
        forms.captures_iter(&self.html).map(form).collect()
    }

    /// What the page's policy says of where its forms may go.
    fn lets_send_to(&self, to: &Url) {
        let Some(policy) = self.headers.get(CONTENT_SECURITY_POLICY).and_then(|policy| policy.to_str().ok()) else {
            return;
        };
        let rule =
            policy.split(';').find_map(|rule| rule.trim().strip_prefix("form-action ")).expect("a rule for forms");
        let origin = to.origin().ascii_serialization();
        let ours = to.origin() == self.url.origin();
        let allowed = rule.split_whitespace().any(|one| one == origin || (one == "'self'" && ours));
        assert!(allowed, "the policy {rule:?} does not let a form go to {origin}");
    }

    /// It reads well without a script and for who does not see it, loads nothing, and tells nobody where it was opened.
    pub(crate) fn belongs_to_us(self, status: u16) -> Self {
        let html = &self.html;
        assert_eq!(self.status.as_u16(), status, "{html}");
        assert_eq!(self.headers[CONTENT_TYPE], "text/html; charset=utf-8");
        let policy = self.headers[CONTENT_SECURITY_POLICY].to_str().expect("text");
        for rule in [
            "default-src 'none'",
            "style-src 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(rule), "{policy}");
        }
        assert_eq!(self.headers["referrer-policy"], "no-referrer");
        assert_eq!(self.headers["cache-control"], "no-store");
        for part in ["<!DOCTYPE html>", "<html lang=\"en\">", "<title>", "name=\"viewport\"", "<main>"] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert_eq!(regex("<h1>[^<]+</h1>").find_iter(html).count(), 1, "{html}");
        for never in ["<script", "javascript:", " style=", "<img", "<iframe"] {
            assert!(!html.contains(never), "{never} in {html}");
        }
        assert!(!regex("\\son[a-z]+=").is_match(html), "{html}");
        for form in regex("<form\\s[^>]*>").find_iter(html) {
            assert!(form.as_str().contains("aria-label=\"") && form.as_str().contains("method=\"post\""), "{html}");
        }
        for input in regex("<input\\s[^>]*>").find_iter(html) {
            assert!(input.as_str().contains("type=\"hidden\""), "a field needs a label: {html}");
        }
        self
    }

    /// It says this, and has this code.
    pub(crate) fn says(self, code: &str) -> Self {
        assert!(self.html.contains(&format!("<code>{code}</code>")), "{code} in {}", self.html);
        self
    }
}
