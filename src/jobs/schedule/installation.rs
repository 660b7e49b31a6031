//! When an app is asked after, by how it is: soon while it is being installed, seldom while it runs, later and later while
//! nothing comes of it. Kept by the watch list; one look reconciles it and lists its repositories.

use std::{sync::Arc, time::Duration};

use keytrail_domain::{
    id::IntegrationId,
    installation::{self, Status},
    integration::Integration,
    recorded::StreamId,
};
use tokio::time::Instant;

use super::timer::Timer;
use crate::{
    app::App,
    jobs::{
        JobError, app_access, discover_repositories::discover, list_pull_requests::ask_where_due,
        reconcile_installation::reconcile, removed_app,
    },
};

/// Between two looks while a person may be about to go on.
const SOON: Duration = Duration::from_secs(15);
/// The longest pause while something is wrong or waited for.
const LATER: Duration = Duration::from_secs(5 * 60);
/// Between two looks at one that runs, or that somebody stopped.
const SELDOM: Duration = Duration::from_secs(15 * 60);
/// Between two looks at one that was removed here, and whose key was kept.
const RARELY: Duration = Duration::from_secs(60 * 60);

/// An app that is followed.
pub(super) struct Installation {
    pub(super) status: Status,
    pub(super) timer: Timer,
    /// The host of one that was removed, and whose key was kept: its integration looks nowhere any more.
    pub(super) left_at: Option<Arc<str>>,
}

impl Installation {
    pub(super) fn new(status: Status, seed: u8) -> Self {
        Self { status, timer: Timer::new(SOON, seed), left_at: None }
    }

    /// It is so now. Where that is another word, it is looked at soon.
    pub(super) fn is_now(&mut self, status: Status) {
        if self.status != status {
            self.status = status;
            self.timer.hurry(SOON);
        }
    }

    /// After a look.
    pub(super) fn rest(&mut self, looked: &Result<(), JobError>) {
        let at_least = match looked {
            Err(JobError::NotBefore(wait, _)) => *wait,
            _ => Duration::ZERO,
        };
        let (shortest, longest) = match (self.status, looked) {
            (Status::Active | Status::Suspended, Ok(())) => (SELDOM, SELDOM),
            (Status::Removed, Ok(())) => (RARELY, RARELY),
            (Status::Removed, Err(_)) => (SOON, RARELY),
            _ => (SOON, LATER),
        };
        self.timer.rest(false, at_least, shortest, longest);
    }

    /// From now until the next look.
    pub(super) fn until_due(&self) -> Duration {
        self.timer.due.saturating_duration_since(Instant::now())
    }
}

/// Asks after an app, and what it sees.
pub async fn look(app: &App, id: IntegrationId) -> Result<(), JobError> {
    if let installation::Installation::Removed { kept: Some(kept), .. } = app_access::installation(app, id).await? {
        return removed_app::look_at_what_is_left(app, id, &kept).await;
    }
    let head = app.log.feed().head().position;
    reconcile(app, id, head).await?;
    match app.load::<Integration>(StreamId::new("integration", id.0)).await?.0 {
        Integration::Active { connection, .. } => {
            discover(app, id, connection, app.log.feed().head().position).await?;
            ask_where_due(app, id).await
        }
        Integration::Absent | Integration::Paused { .. } | Integration::Removed { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pauses after looks that ended like this.
    fn pauses(status: Status, looks: &[fn() -> Result<(), JobError>]) -> Vec<u64> {
        let mut one = Installation::new(status, 0);
        let pause = |look: &fn() -> Result<(), JobError>| {
            one.rest(&look());
            one.until_due().as_secs_f64().ceil() as u64
        };
        looks.iter().map(pause).collect()
    }

    const WELL: fn() -> Result<(), JobError> = || Ok(());
    const ILL: fn() -> Result<(), JobError> = || Err(JobError::Later(String::new()));
    const LIMITED: fn() -> Result<(), JobError> =
        || Err(JobError::NotBefore(Duration::from_secs(3_000), String::new()));

    #[tokio::test]
    async fn one_that_is_installed_is_asked_after_more_and_more_seldom() {
        let all = pauses(Status::Installing, &[WELL; 12]);
        assert_eq!((all[0], all[1], all[11]), (23, 34, 300), "{all:?}");
    }

    #[tokio::test]
    async fn one_that_runs_is_asked_after_every_quarter_of_an_hour_and_sooner_after_a_trouble() {
        assert_eq!(pauses(Status::Active, &[WELL, WELL]), [900, 900]);
        assert_eq!(pauses(Status::Active, &[ILL, ILL]), [23, 34]);
        assert_eq!(pauses(Status::Active, &[LIMITED, WELL]), [3_000, 900]);
    }

    #[tokio::test]
    async fn one_that_was_removed_is_looked_at_every_hour_and_sooner_after_a_trouble() {
        assert_eq!(pauses(Status::Removed, &[WELL, WELL]), [3_600, 3_600]);
        assert_eq!(pauses(Status::Removed, &[ILL, ILL, WELL]), [23, 34, 3_600]);
    }

    #[tokio::test]
    async fn another_word_is_looked_at_soon() {
        let mut one = Installation::new(Status::Active, 0);
        one.rest(&Ok(()));
        one.is_now(Status::Active);
        assert!(one.until_due() > LATER);
        one.is_now(Status::Suspended);
        assert!(one.until_due() <= SOON);
    }
}
