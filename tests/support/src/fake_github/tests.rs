//! The GitHub seen by a client that is not ours: git itself, and plain requests.

mod clicking;
mod described;
mod recorded;
mod sending;

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use super::{FakeGithub, RegisteredApp, Selection};
use crate::issuer::Signer;

/// A GitHub with an app, and somebody who speaks for it.
struct Known {
    github: FakeGithub,
    app: RegisteredApp,
    installation: u64,
    http: reqwest::Client,
}

impl Known {
    async fn start() -> Self {
        let github = FakeGithub::start().await;
        let app = github.register_app("acme", "Keytrail acme");
        let installation = github.install(app.id, "acme", Selection::All);
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let http = http.user_agent("a test").build().expect("a client");
        Self { github, app, installation, http }
    }

    /// What the app signs for these claims.
    fn signed(&self, iss: &Value, iat: i64, exp: i64) -> String {
        let pair = aws_lc_rs::rsa::KeyPair::from_pkcs8(&self.der()).expect("a key");
        let claims = json!({ "iss": iss, "iat": self.now() + iat, "exp": self.now() + exp });
        Signer::Rsa(Box::new(pair)).sign(&json!({ "alg": "RS256", "typ": "JWT" }), &claims)
    }

    fn der(&self) -> Vec<u8> {
        use base64::Engine as _;
        let body: String = self.app.key.pkcs8.lines().filter(|line| !line.starts_with('-')).collect();
        base64::prelude::BASE64_STANDARD.decode(body).expect("base64")
    }

    fn now(&self) -> i64 {
        self.github.service.world().now()
    }

    fn usual(&self) -> String {
        self.signed(&self.app.id.into(), -60, 540)
    }

    /// Asks.
    async fn asked(&self, method: &str, path: &str, bearer: &str, body: Option<Value>) -> reqwest::Response {
        let method = method.parse::<reqwest::Method>().expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.github.api()));
        if !bearer.is_empty() {
            request = request.bearer_auth(bearer);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.expect("an answer")
    }

    /// Asks, and takes the status and the document.
    async fn ask(&self, method: &str, path: &str, bearer: &str, body: Option<Value>) -> (u16, Value) {
        let answer = self.asked(method, path, bearer, body).await;
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    async fn token(&self) -> String {
        let path = format!("/app/installations/{}/access_tokens", self.installation);
        let (status, document) = self.ask("POST", &path, &self.usual(), None).await;
        assert_eq!(status, 201, "{document}");
        document["token"].as_str().expect("a token").to_owned()
    }
}

fn committed(folder: &Path, messages: &[&str]) {
    let git = |arguments: &[&str]| {
        let who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main"];
        let done = Command::new("git").arg("-C").arg(folder).args(who).args(arguments).output().expect("git");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    if !folder.join(".git").exists() {
        std::fs::create_dir_all(folder).expect("a folder");
        git(&["init", "-q"]);
    }
    messages.iter().for_each(|message| git(&["commit", "-q", "--allow-empty", "-m", message]));
}

#[tokio::test]
async fn signatures_are_checked_by_githubs_own_rules() {
    let known = Known::start().await;
    let id = Value::from(known.app.id);
    let other = known.github.register_app("elsewhere", "Another app");
    for (token, status, message) in [
        (known.usual(), 200, ""),
        (known.signed(&known.app.id.to_string().into(), -60, 600), 200, ""),
        (String::new(), 401, "Requires authentication"),
        (known.signed(&id, -60, 601 + 5), 401, "'Expiration time' claim ('exp') is too far in the future"),
        (
            known.signed(&id, -60, -1),
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
        ),
        (
            known.signed(&id, 30, 540),
            401,
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        ),
        (known.signed(&other.id.into(), -60, 540), 401, "A JSON web token could not be decoded"),
        (known.signed(&7.into(), -60, 540), 404, "Integration not found"),
        ("a.b.c".to_owned(), 401, "A JSON web token could not be decoded"),
    ] {
        let (answered, document) = known.ask("GET", "/app", &token, None).await;
        assert_eq!((answered, document["message"].as_str().unwrap_or_default()), (status, message));
    }
}

#[tokio::test]
async fn git_itself_fetches_with_a_token_and_with_nothing_else() {
    let known = Known::start().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    committed(&folder.path().join("work"), &["SHOP-1 begins"]);
    let shop = known.github.add_repository("acme", "shop");
    known.github.serve_repository(shop, &folder.path().join("work"));
    let token = known.token().await;
    let listed = |name: &str, user: &str, password: &str| {
        let url = known.github.url().replace("://", &format!("://{user}:{password}@"));
        let git = Command::new("git")
            .args(["ls-remote", &format!("{url}/acme/{name}.git")])
            .envs([("GIT_TERMINAL_PROMPT", "0"), ("GIT_CONFIG_NOSYSTEM", "1"), ("LC_ALL", "C")])
            .output()
            .expect("git");
        git.status.success().then(|| String::from_utf8_lossy(&git.stdout).into_owned())
    };
    let all = listed("shop", "x-access-token", &token).expect("refs");
    assert!(all.contains("refs/heads/main"), "{all}");
    assert!(listed("shop", "x-access-token", "ghs_wrong").is_none());
    assert!(listed("shop", &token, "x").is_none(), "a token is no name");
    assert!(listed("other", "x-access-token", &token).is_none());
    known.github.rename_repository(shop, "store");
    assert_eq!(listed("shop", "x-access-token", &token).as_ref(), Some(&all), "what it was called leads there");
    assert_eq!(listed("store", "x-access-token", &token), Some(all));
    known.github.suspend_by(known.installation, "boss");
    assert!(listed("store", "x-access-token", &token).is_none());
}

#[tokio::test]
async fn nothing_listens_any_more_when_it_is_dropped() {
    let known = Known::start().await;
    let address = known.github.name();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    drop(known);
    assert!(std::net::TcpStream::connect(&address).is_err());
}
