//! What goes wrong on demand: budgets that are spent, answers that fail.

use std::collections::HashMap;

use super::refusal::Refusal;

/// A limit as an installation meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The budget of the hour is spent; it is full again after so many seconds.
    Primary {
        /// Seconds from now.
        reset_in: i64,
    },
    /// Too much at once.
    Secondary {
        /// What `retry-after` says, in seconds; it may be left out.
        retry_after: Option<u64>,
    },
}

/// What an app may not do, however often it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// It lacks a permission.
    Permission,
    /// The organisation wants a person to sign in once more.
    SignIn,
    /// It is understood, and refused.
    Refused,
}

#[derive(Default)]
pub(super) struct Limits {
    /// The limit, the status it is told with, since when.
    of: HashMap<u64, (Limit, u16, i64)>,
    failures: Vec<Failure>,
    used: HashMap<u64, u64>,
}

struct Failure {
    part: String,
    refusal: fn(u16) -> Refusal,
    number: u16,
    /// Requests that are answered before.
    spared: usize,
    left: usize,
}

/// Requests of an installation in an hour.
pub(super) const BUDGET: u64 = 5_000;

impl Limits {
    pub(super) fn limit(&mut self, installation: u64, limit: Limit, status: u16, now: i64) {
        self.of.insert(installation, (limit, status, now));
    }

    pub(super) fn lift(&mut self, installation: u64) {
        self.of.remove(&installation);
    }

    pub(super) fn fail(&mut self, part: &str, status: u16, left: usize) {
        let (part, refusal) = (part.to_owned(), Refusal::Troubled);
        self.failures.push(Failure { part, refusal, number: status, spared: 0, left });
    }

    /// From the request after so many, until nothing fails any more.
    pub(super) fn fail_after(&mut self, part: &str, spared: usize, status: u16) {
        let (part, refusal) = (part.to_owned(), Refusal::Troubled);
        self.failures.push(Failure { part, refusal, number: status, spared, left: usize::MAX });
    }

    /// Once; `seconds` are in `retry-after`.
    pub(super) fn limit_once(&mut self, part: &str, seconds: u16) {
        let refusal = |seconds: u16| Refusal::Secondary { retry_after: Some(seconds.into()), status: 403 };
        self.failures.push(Failure { part: part.to_owned(), refusal, number: seconds, spared: 0, left: 1 });
    }

    /// From now on, until nothing fails any more.
    pub(super) fn deny(&mut self, part: &str, denial: Denial) {
        let refusal: fn(u16) -> Refusal = match denial {
            Denial::Permission => |_| Refusal::NotAllowed { wanted: "metadata=read" },
            Denial::SignIn => |_| Refusal::SignIn,
            Denial::Refused => |_| Refusal::Unprocessable("Validation Failed"),
        };
        self.failures.push(Failure { part: part.to_owned(), refusal, number: 0, spared: 0, left: usize::MAX });
    }

    pub(super) fn fail_no_more(&mut self) {
        self.failures.clear();
    }

    /// What fails at this path, once.
    pub(super) fn failure(&mut self, path: &str) -> Option<Refusal> {
        let failure = self.failures.iter_mut().find(|failure| failure.left > 0 && path.contains(&failure.part))?;
        if failure.spared > 0 {
            failure.spared -= 1;
            return None;
        }
        failure.left -= 1;
        Some((failure.refusal)(failure.number))
    }

    /// What an installation meets.
    pub(super) fn met(&self, installation: u64, now: i64) -> Option<Refusal> {
        let (limit, status, since) = *self.of.get(&installation)?;
        match limit {
            Limit::Primary { reset_in } => {
                let reset = since + reset_in;
                (now < reset).then_some(Refusal::Primary { installation, reset, status })
            }
            Limit::Secondary { retry_after } => Some(Refusal::Secondary { retry_after, status }),
        }
    }

    /// Counts a request; how many it made.
    pub(super) fn count(&mut self, installation: u64) -> u64 {
        let used = self.used.entry(installation).or_default();
        *used += 1;
        *used
    }
}
