//! How often anybody may ask: buckets of requests that fill up again, in memory, per node. Called by the edge, before and
//! after it is known who asks. A stranger can fill neither the memory nor the bucket of somebody who is known.

mod buckets;

use std::{net::IpAddr, time::Instant};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

pub(super) use self::buckets::Budget;
use self::buckets::{Buckets, Network};
use super::error::{ApiError, Code};
use crate::config;

/// How many requests the bucket takes when it is full.
pub(super) const RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
/// How many it takes now.
pub(super) const RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
/// In how many seconds it is full again.
pub(super) const RATELIMIT_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Who is counted: a hash of a token, or of a service's name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CallerKey([u8; 16]);

impl CallerKey {
    /// Of a token of ours.
    pub(super) fn token(token: &str) -> Self {
        Self::of("token", token)
    }

    /// Of a service: its tokens change, it stays.
    pub(super) fn service(subject: &str) -> Self {
        Self::of("service", subject)
    }

    fn of(kind: &str, who: &str) -> Self {
        let hash = Sha256::new().chain_update(kind).chain_update([0]).chain_update(who).finalize();
        Self(std::array::from_fn(|place| hash[place]))
    }
}

/// The four kinds of buckets.
pub(super) struct Limits {
    callers: Buckets<CallerKey>,
    addresses: Buckets<Network>,
    failures: Buckets<Network>,
    deliveries: Buckets<Network>,
}

impl Limits {
    pub(super) fn new(settings: &config::Access) -> Self {
        Self {
            callers: Buckets::new(settings.requests_per_minute),
            addresses: Buckets::new(settings.address_requests_per_minute),
            failures: Buckets::new(settings.address_failures_per_minute),
            deliveries: Buckets::new(settings.address_failures_per_minute),
        }
    }

    /// Somebody asks from this address; who it is nobody knows yet.
    pub(super) fn address(&self, address: IpAddr) -> Result<Option<Budget>, ApiError> {
        let taken = self.addresses.take(Network::of(address), Instant::now());
        taken.map_err(|budget| limited(budget, "Too many requests come from your address."))
    }

    /// This caller asks.
    pub(super) fn caller(&self, caller: CallerKey) -> Result<Option<Budget>, ApiError> {
        let taken = self.callers.take(caller, Instant::now());
        taken.map_err(|budget| limited(budget, "You ask too often."))
    }

    /// Whether a token that nobody here has seen yet is worth a look: not when too many of this address were refused.
    /// One that was accepted a while ago is, so that a stranger behind the same proxy keeps nobody out.
    pub(super) fn may_try(&self, address: IpAddr, caller: CallerKey) -> Result<(), ApiError> {
        match self.failures.look(&Network::of(address), Instant::now()) {
            Some(budget) if budget.remaining == 0 && !self.callers.knows(&caller) => Err(refused_too_often(budget)),
            _ => Ok(()),
        }
    }

    /// A token of this address was refused.
    pub(super) fn failed(&self, address: IpAddr) -> Result<(), ApiError> {
        self.failures.take(Network::of(address), Instant::now()).map(|_| ()).map_err(refused_too_often)
    }

    /// Whether a delivery to who has not had any lately is worth a look: not when too many of this address were refused.
    pub(super) fn may_deliver(&self, address: IpAddr) -> Result<(), ApiError> {
        match self.deliveries.look(&Network::of(address), Instant::now()) {
            Some(budget) if budget.remaining == 0 => Err(delivered_too_often(budget)),
            _ => Ok(()),
        }
    }

    /// A delivery of this address was for nobody, or not signed well.
    pub(super) fn delivery_failed(&self, address: IpAddr) -> Result<(), ApiError> {
        self.deliveries.take(Network::of(address), Instant::now()).map(|_| ()).map_err(delivered_too_often)
    }
}

fn delivered_too_often(budget: Budget) -> ApiError {
    limited(budget, "Too many deliveries from your address were refused.")
}

fn refused_too_often(budget: Budget) -> ApiError {
    limited(budget, "Too many tokens from your address were refused.")
}

fn limited(budget: Budget, what: &str) -> ApiError {
    let wait = budget.wait_seconds;
    let error = ApiError::new(Code::RateLimited, format!("{what} Ask again in {wait} seconds, and less often."));
    budget
        .headers()
        .into_iter()
        .fold(error.retry_after(wait), |error, (name, value)| error.header(name, value.to_string()))
}

impl Budget {
    fn headers(self) -> [(HeaderName, u32); 3] {
        [(RATELIMIT_LIMIT, self.limit), (RATELIMIT_REMAINING, self.remaining), (RATELIMIT_RESET, self.full_in_seconds)]
    }

    /// Tells it with an answer.
    pub(super) fn tell(self, headers: &mut HeaderMap) {
        for (name, value) in self.headers() {
            headers.insert(name, HeaderValue::from(value));
        }
    }
}
