//! The client against answers as GitHub gives them, over a real socket.

mod app;
mod keys;
mod refusals;
mod tokens;

use std::sync::Arc;

use keytrail_domain::{
    github::{GithubHost, Login},
    timestamp::Timestamp,
};
use keytrail_test_support::fake_github::{FakeGithub, RegisteredApp, Selection};

use super::{AppAccess, AppKey, Github, GithubError, Known, Place};
use crate::git::remote::{AddressMode, AddressPolicy, Limits, Trust};

/// 2026-11-21T06:00:00Z
const NOW: Timestamp = Timestamp::from_seconds(1_795_240_800);

fn place(host: &str) -> Place {
    let networks = vec!["127.0.0.0/8".parse().expect("a network")];
    let mode = AddressMode::Listed { private: false, hosts: Vec::new(), networks };
    Place {
        host: GithubHost::parse(host).expect("a host"),
        trust: Trust::WebPki,
        proxy: None,
        addresses: Arc::new(AddressPolicy { mode, allow_http: true, allow_git_scheme: false }),
        limits: Limits::default(),
    }
}

async fn reached(host: &str) -> Github {
    Github::reach(&place(host)).await.expect("it may be reached")
}

/// A GitHub whose clock is ours, with an app that is installed in `acme`.
struct Installed {
    fake: FakeGithub,
    app: RegisteredApp,
    installation: u64,
}

impl Installed {
    async fn start() -> Self {
        let fake = FakeGithub::start().await;
        fake.set_clock(NOW.seconds());
        let app = fake.register_app("acme", "Keytrail acme");
        let installation = fake.install(app.id, "acme", Selection::All);
        Self { fake, app, installation }
    }

    async fn access(&self) -> AppAccess {
        self.access_by(&self.app.key.pkcs1).await
    }

    async fn access_by(&self, pem: &str) -> AppAccess {
        let github = reached(&self.fake.url()).await;
        let host = GithubHost::parse(&self.fake.url()).expect("a host");
        AppAccess::new(github, host, self.app.id, pem, Arc::new(|| NOW)).expect("a key")
    }

    fn key(&self) -> AppKey {
        AppKey::read(&self.app.key.pkcs1).expect("a key")
    }
}

fn acme() -> Login {
    Login::parse("acme").expect("a name")
}

#[track_caller]
fn refused<T>(answered: Result<T, GithubError>) -> &'static str {
    match answered {
        Ok(_) => "nothing",
        Err(error) => error.trouble.code(),
    }
}
