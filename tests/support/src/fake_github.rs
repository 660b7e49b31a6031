//! A GitHub of one's own on a socket of this machine, with what an app meets there: its API at `/` and at `/api/v3`, git
//! over HTTP, the pages that a person clicks through, and deliveries. Driven by tests and by a person; it keeps what was
//! done to it, and ends with its value.
//!
//! Refusals are in GitHub's own words, signatures and tokens are really checked, documents are whole.

mod api;
mod changes;
mod contents;
mod courier;
mod documents;
mod driven;
mod driven_code;
mod git;
mod hook;
mod html;
mod installing;
mod keys;
mod limits;
mod outbox;
mod pages;
mod pulls;
mod pushes;
mod refusal;
mod registering;
mod reply;
mod requests;
mod service;
mod settings;
#[cfg(test)]
mod tests;
mod world;

use std::{collections::BTreeSet, sync::atomic::Ordering, time::Duration};

use serde_json::Value;
use tempfile::TempDir;

use self::service::Service;
pub use self::{
    keys::{AppKeyPair, pem},
    limits::{Denial, Limit},
    outbox::Sending,
    requests::{Asked, Credential},
    world::TokenShape,
};

/// Nothing takes this long; it only keeps a test from hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running GitHub; it ends with the value.
pub struct FakeGithub {
    service: Service,
    /// Where its repositories lie. Dropped after whoever reads there.
    folder: TempDir,
}

/// An app that was registered there.
pub struct RegisteredApp {
    /// Its id.
    pub id: u64,
    /// What stands in its addresses.
    pub slug: String,
    /// A key that is good for it.
    pub key: AppKeyPair,
    /// What its deliveries are signed with.
    pub webhook_secret: String,
}

/// Which repositories of an organisation are installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All, also those to come.
    All,
    /// These.
    Selected(BTreeSet<u64>),
}

/// How a GitHub does not answer apps and git; its pages go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// It ends every connection.
    Ends,
    /// It takes requests in and says nothing.
    Waits,
    /// It does what it is asked, and its answers come byte by byte until that is over.
    Trickles,
}

impl FakeGithub {
    /// Starts one that looks like a server of one's own: version 3.19, its API below `/api/v3`.
    pub async fn start() -> Self {
        Self::of(false, 0)
    }

    /// Starts one that looks like github.com, but for its address: its API is at `/` too.
    pub async fn start_cloud() -> Self {
        Self::of(true, 0)
    }

    /// Starts one at a port; 0 is any that is free.
    ///
    /// # Panics
    /// When the port is taken, or no temporary folder can be made.
    pub fn of(cloud: bool, port: u16) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let service = Service::start(cloud, folder.path().to_owned(), port);
        Self { service, folder }
    }

    /// The address of its pages and of git, `http://127.0.0.1:PORT`: what is given as `host`.
    pub fn url(&self) -> String {
        format!("http://{}", self.service.address)
    }

    /// The same without the scheme: what it is called.
    pub fn name(&self) -> String {
        self.service.address.to_string()
    }

    /// Has it stand behind a proxy: whatever it says of its own address begins with this from here on.
    pub fn stand_behind(&self, url: &str) {
        self.service.world().web = url.to_owned();
    }

    /// Where its API begins.
    pub fn api(&self) -> String {
        self.service.world().api()
    }

    /// Everything that it was asked by API and by git, in order.
    pub fn requests(&self) -> Vec<Asked> {
        self.service.world().asked.clone()
    }

    /// Forgets what it was asked.
    pub fn forget_requests(&self) {
        self.service.world().asked.clear();
    }

    /// How many tokens of installations it gave away.
    pub fn mints(&self) -> usize {
        let minted = |asked: &&Asked| asked.path.ends_with("/access_tokens") && asked.status == 201;
        self.service.world().asked.iter().filter(minted).count()
    }

    /// How many tokens are good now.
    pub fn live_tokens(&self) -> usize {
        let world = self.service.world();
        let now = world.now();
        world.tokens.values().filter(|token| token.expires_at > now).count()
    }

    /// Every secret that it ever gave away and still knows: tokens, secrets of hooks and of clients. For looking whether
    /// one got out.
    pub fn secrets(&self) -> Vec<String> {
        let world = self.service.world();
        let of_apps = world.apps.values().flat_map(|app| app.hook.secret.iter().chain([&app.client_secret]));
        of_apps.chain(world.tokens.keys()).cloned().collect()
    }

    /// The deliveries that were sent for an app, oldest first, as its log shows them.
    pub fn deliveries(&self, app: u64) -> Vec<(String, u16, Value)> {
        let world = self.service.world();
        let log = world.apps.get(&app).map(|app| app.hook.deliveries.as_slice()).unwrap_or_default();
        log.iter().map(|one| (one.event.clone(), one.status_code, one.payload.clone())).collect()
    }

    /// Waits until every delivery is sent.
    ///
    /// # Panics
    /// When they are not.
    pub async fn deliveries_are_sent(&self) {
        let under_way = self.service.world().outbox.under_way.clone();
        let sent = async {
            while under_way.load(Ordering::SeqCst) > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, sent).await.expect("deliveries are sent");
    }
}
