//! What is left of each installation's budget of requests, and until when GitHub wants to be left alone: one account an
//! installation, so that the limit of one organisation slows no other. In memory; every answer says it anew.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use keytrail_domain::timestamp::Timestamp;

use super::{Budget, GithubError, GithubTrouble};

/// How often a limit may come again and be waited for twice as long.
const MOST_DOUBLINGS: u32 = 5;
/// Nobody is made to wait longer.
const LONGEST: Duration = Duration::from_secs(2 * 60 * 60);

/// The budgets that this node met.
#[derive(Default)]
pub struct Budgets(Mutex<HashMap<(String, u64), Account>>);

#[derive(Clone, Copy, Default)]
struct Account {
    budget: Option<Budget>,
    not_before: Option<Timestamp>,
    /// Limits in a row.
    limited: u32,
}

/// What is left for an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// As the last answer said; `None` before there was one, or where there is no limit.
    pub budget: Option<Budget>,
    /// It is left alone until then.
    pub not_before: Option<Timestamp>,
}

impl Budgets {
    /// Refuses without asking while GitHub wants this installation to be left alone.
    pub fn admit(&self, host: &str, installation: u64, now: Timestamp) -> Result<(), GithubError> {
        let not_before = self.account(host, installation).not_before;
        match not_before.filter(|until| until.0 > now.0) {
            None => Ok(()),
            Some(until) => {
                let wait = Duration::from_micros((until.0 - now.0).unsigned_abs());
                Err(GithubError { host: host.to_owned(), trouble: GithubTrouble::RateLimited { wait } })
            }
        }
    }

    /// An answer came, and says what is left.
    pub fn answered(&self, host: &str, installation: u64, budget: Option<Budget>) {
        self.change(host, installation, |account| {
            *account = Account { budget: budget.or(account.budget), ..Account::default() };
        });
        if let Some(budget) = budget {
            let labels = [("host", host.to_owned()), ("installation", installation.to_string())];
            metrics::gauge!("keytrail_github_budget_remaining", &labels).set(budget.remaining as f64);
        }
    }

    /// A refusal came. What is a limit is waited for, each time in a row twice as long.
    pub fn refused(&self, host: &str, installation: u64, error: &GithubError, now: Timestamp) {
        let GithubTrouble::RateLimited { wait } = error.trouble else { return };
        self.change(host, installation, |account| {
            let wait = wait.saturating_mul(1 << account.limited.min(MOST_DOUBLINGS)).min(LONGEST);
            account.limited = account.limited.saturating_add(1);
            let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX / 4);
            account.not_before = Some(now.plus_micros(micros));
        });
        let labels = [("host", host.to_owned()), ("installation", installation.to_string())];
        metrics::counter!("keytrail_github_limits_total", &labels).increment(1);
    }

    /// What is left, as far as this node knows.
    pub fn left(&self, host: &str, installation: u64, now: Timestamp) -> Left {
        let Account { mut budget, not_before, .. } = self.account(host, installation);
        let not_before = not_before.filter(|until| until.0 > now.0);
        // Nothing can be asked, whatever is left for afterwards.
        if let (Some(budget), Some(_)) = (&mut budget, not_before) {
            budget.remaining = 0;
        }
        Left { budget, not_before }
    }

    fn account(&self, host: &str, installation: u64) -> Account {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&(host.to_owned(), installation)).copied().unwrap_or_default()
    }

    fn change(&self, host: &str, installation: u64, change: impl FnOnce(&mut Account)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry((host.to_owned(), installation)).or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000_000);

    fn limit(seconds: u64) -> GithubError {
        let trouble = GithubTrouble::RateLimited { wait: Duration::from_secs(seconds) };
        GithubError { host: "github.com".to_owned(), trouble }
    }

    #[test]
    fn a_limit_of_one_installation_holds_no_other() {
        let budgets = Budgets::default();
        budgets.refused("github.com", 1, &limit(60), NOW);
        assert_eq!(
            budgets.admit("github.com", 1, NOW).map_err(|error| error.retry_after()),
            Err(Some(Duration::from_secs(60)))
        );
        assert!(budgets.admit("github.com", 2, NOW).is_ok());
        assert!(budgets.admit("github.example.com", 1, NOW).is_ok(), "the same number elsewhere is another one");
        assert!(budgets.admit("github.com", 1, NOW.plus_micros(60_000_000)).is_ok());
    }

    #[test]
    fn limits_in_a_row_are_waited_for_longer_and_longer_until_an_answer_comes() {
        let budgets = Budgets::default();
        let waits = |budgets: &Budgets| budgets.left("github.com", 1, NOW).not_before.map(|until| until.0 - NOW.0);
        budgets.refused("github.com", 1, &limit(60), NOW);
        budgets.refused("github.com", 1, &limit(60), NOW);
        assert_eq!(waits(&budgets), Some(120_000_000));
        budgets.answered("github.com", 1, None);
        assert_eq!(waits(&budgets), None);
        budgets.refused("github.com", 1, &limit(60), NOW);
        assert_eq!(waits(&budgets), Some(60_000_000));
    }

    #[test]
    fn after_a_limit_what_was_left_before_counts() {
        let budgets = Budgets::default();
        let budget = Budget { limit: 5_000, remaining: 4_000, reset: NOW.plus_micros(3_600_000_000) };
        budgets.answered("github.com", 1, Some(budget));
        budgets.refused("github.com", 1, &limit(60), NOW);
        let remaining = |now| budgets.left("github.com", 1, now).budget.map(|left| left.remaining);
        assert_eq!((remaining(NOW), remaining(NOW.plus_micros(60_000_000))), (Some(0), Some(4_000)));
    }

    #[test]
    fn what_is_no_limit_holds_nobody() {
        let budgets = Budgets::default();
        let suspended = GithubError { host: "github.com".to_owned(), trouble: GithubTrouble::Suspended };
        budgets.refused("github.com", 1, &suspended, NOW);
        assert!(budgets.admit("github.com", 1, NOW).is_ok());
    }
}
