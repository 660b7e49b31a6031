//! Tokens of installations: asked for once, however many want one at a time; kept until a minute before they are over;
//! dropped when the installation is suspended or removed, or its key changed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use keytrail_domain::{github::KeyFingerprint, timestamp::Timestamp};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    AppAccess, Budget, Github, GithubError, GithubTrouble, RepositoryPage,
    answers::RepositoriesAnswer,
    rest::{Answer, As},
};

/// Nobody begins anything with a token that is over this soon, in microseconds.
const MARGIN_MICROS: i64 = 60_000_000;
/// Nor anything that may take long, such as a fetch.
const LONG_MICROS: i64 = 15 * 60_000_000;
/// A token is not known everywhere at GitHub at once: so long after it was made a refusal means nothing, in microseconds.
const YOUNG_MICROS: i64 = 5_000_000;
/// The first page of what a token sees.
const FIRST_PAGE: &str = "/installation/repositories?per_page=100";

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A request that is over in seconds.
    Short,
    /// Something like a fetch, which asks again and again with the same token.
    Long,
}

/// A token of an installation. Opaque, up to a kilobyte, never shown.
#[derive(Clone)]
pub struct InstallationToken {
    text: Arc<Zeroizing<String>>,
    expires_at: Timestamp,
    made_at: Timestamp,
}

impl InstallationToken {
    pub(super) fn new(text: Zeroizing<String>, made_at: Timestamp, expires_at: Timestamp) -> Self {
        Self { text: Arc::new(text), expires_at, made_at }
    }

    /// Whether it is so new that GitHub may not know it everywhere yet.
    pub const fn is_young(&self, now: Timestamp) -> bool {
        now.0 - self.made_at.0 < YOUNG_MICROS
    }

    /// Whether it is the very same.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.text, &other.text)
    }

    /// The token itself, for a header or for git.
    pub fn expose(&self) -> &Zeroizing<String> {
        &self.text
    }

    /// When it is over, by our clock.
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Whether something that takes this long can be begun with it.
    pub const fn is_good_for(&self, now: Timestamp, micros: i64) -> bool {
        self.expires_at.0 - now.0 > micros
    }
}

/// Whose token it is: another key is another app as far as tokens go.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Whose {
    host: String,
    installation: u64,
    key: KeyFingerprint,
}

type Slot = Arc<tokio::sync::Mutex<Option<InstallationToken>>>;

/// The tokens of this node.
#[derive(Default)]
pub struct Tokens(Mutex<HashMap<Whose, Slot>>);

impl Tokens {
    /// The token of an installation: the one that is kept, or a new one. Whoever comes while one is asked for waits for
    /// that one, unless it is forgotten meanwhile: then it is for nobody but who asked for it.
    pub async fn token(
        &self,
        access: &AppAccess,
        key: &KeyFingerprint,
        host: &str,
        installation: u64,
        purpose: Use,
        now: Timestamp,
    ) -> Result<InstallationToken, GithubError> {
        let margin = match purpose {
            Use::Short => MARGIN_MICROS,
            Use::Long => LONG_MICROS,
        };
        let whose = Whose { host: host.to_owned(), installation, key: key.clone() };
        loop {
            let slot = self.slot(whose.clone());
            let mut kept = slot.lock().await;
            // It was forgotten while this waited, and what is kept there is of before.
            if !self.has(&whose, &slot) {
                continue;
            }
            if let Some(token) = kept.as_ref().filter(|token| token.is_good_for(now, margin)) {
                return Ok(token.clone());
            }
            let token = access.mint(installation).await?;
            *kept = Some(token.clone());
            return Ok(token);
        }
    }

    /// Forgets a token that GitHub refuses, so that the next one who asks has a new one; a newer one stays.
    pub async fn drop_refused(&self, key: &KeyFingerprint, host: &str, installation: u64, refused: &InstallationToken) {
        let slot = self.slot(Whose { host: host.to_owned(), installation, key: key.clone() });
        let mut kept = slot.lock().await;
        if kept.as_ref().is_some_and(|token| token.is(refused)) {
            *kept = None;
        }
    }

    /// Forgets the tokens that other keys than this one were asked for.
    pub fn forget_other_keys(&self, host: &str, installation: u64, key: &KeyFingerprint) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|whose, _| whose.host != host || whose.installation != installation || whose.key == *key);
    }

    fn slot(&self, whose: Whose) -> Slot {
        Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(whose).or_default())
    }

    /// Whether this is still where the token is kept.
    fn has(&self, whose: &Whose, slot: &Slot) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(whose).is_some_and(|known| Arc::ptr_eq(known, slot))
    }

    /// Forgets the tokens of an installation, and waits for nobody: one that is asked for just now is not kept.
    pub fn forget(&self, host: &str, installation: u64) {
        drop(self.removed(host, installation));
    }

    /// Forgets the tokens of an installation; what comes back is the last one, for taking it back at GitHub. One that is
    /// asked for just now is waited for.
    pub async fn take(&self, host: &str, installation: u64) -> Option<InstallationToken> {
        let mut last = None;
        for slot in self.removed(host, installation) {
            last = slot.lock().await.take().or(last);
        }
        last
    }

    fn removed(&self, host: &str, installation: u64) -> Vec<Slot> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_it = |whose: &Whose| whose.host == host && whose.installation == installation;
        let gone: Vec<Whose> = all.keys().filter(|whose| of_it(whose)).cloned().collect();
        gone.iter().filter_map(|whose| all.remove(whose)).collect()
    }
}

impl Github {
    /// Takes a token back. Taken back already is taken back.
    pub async fn revoke(&self, token: &InstallationToken, now: Timestamp) -> Result<(), GithubError> {
        let answer = self.ask(Method::DELETE, "/installation/token", As::Bearer(token.expose()), None).await?;
        match self.checked(answer, now) {
            Ok(_) | Err(GithubError { trouble: GithubTrouble::TokenRejected, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A page of the repositories that the token sees: the first, or the one that the page before named. `None` when it is
    /// still the one that had the ETag `known`, which counts against no budget.
    pub async fn repositories(
        &self,
        token: &InstallationToken,
        page: Option<&str>,
        known: Option<&str>,
        now: Timestamp,
    ) -> Result<(Option<RepositoryPage>, Option<Budget>), GithubError> {
        let who = As::Bearer(token.expose());
        let answer = self.ask_for_page(page.unwrap_or(FIRST_PAGE), who, known).await?;
        if known.is_some() && answer.status() == StatusCode::NOT_MODIFIED {
            return Ok((None, answer.budget()));
        }
        let answer: Answer = self.checked(answer, now)?;
        let RepositoriesAnswer { total_count, repositories } = self.read(&answer)?;
        let documents: Vec<Value> = repositories;
        let (next, etag) = (answer.next().map(str::to_owned), answer.header("etag").map(str::to_owned));
        Ok((Some(RepositoryPage { documents, total: total_count, next, etag }), answer.budget()))
    }
}
