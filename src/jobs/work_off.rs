//! Works off what git services delivered: a few at a time, one after the other, beside everything else that a node does.
//! Started with the workers. What a delivery leads to is done by commands and jobs, which are harmless to repeat.

mod meaning;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use self::meaning::Meaning;
use crate::{
    app::App,
    git::services::github::webhook,
    inbox::{End, State},
    store::StoreError,
};

/// So many are taken at once: their ends are one transaction.
const BATCH: u32 = 32;
/// A batch takes no longer, well before others may think that this node is gone.
const LONGEST: Duration = Duration::from_secs(30);
/// After a batch it rests so many times as long as that took: who delivers, and who asks, waits for an answer, and this
/// does not. What comes in meanwhile makes a larger batch.
const REST: u32 = 3;
/// It rests no longer.
const LONGEST_REST: Duration = Duration::from_millis(250);
/// How often it is looked for what nobody told this node of.
const LOOK: Duration = Duration::from_secs(1);
/// How often old deliveries are thrown away.
const SWEEP: Duration = Duration::from_secs(600);
/// How often a delivery is tried before it is given up.
const MOST_TRIES: i64 = 8;
/// The first pause before trying again, in microseconds; it doubles.
const FIRST_PAUSE: i64 = 500_000;

pub(super) fn start(app: &Arc<App>, stop: &CancellationToken) {
    let (app_, stop) = (app.clone(), stop.clone());
    app.jobs.keep(tokio::spawn(async move {
        let mut swept: Option<Instant> = None;
        while let Err(error) = app_.inbox.reclaim().await {
            tracing::warn!(%error, "what was worked off when this node ended cannot be looked up; trying again");
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => return,
            }
        }
        while !stop.is_cancelled() {
            let began = Instant::now();
            let worked = batch(&app_, &stop).await;
            if let Err(error) = &worked {
                tracing::warn!(%error, "deliveries cannot be worked off; trying again");
            }
            if swept.is_none_or(|at| at.elapsed() > SWEEP) {
                swept = Some(Instant::now());
                if let Err(error) = app_.inbox.sweep(app_.clock.now()).await {
                    tracing::warn!(%error, "old deliveries could not be thrown away; trying again later");
                }
            }
            match worked {
                Ok(true) => tokio::select! {
                    () = tokio::time::sleep((began.elapsed() * REST).min(LONGEST_REST)) => {}
                    () = stop.cancelled() => {}
                },
                Ok(false) => tokio::select! {
                    () = app_.inbox.wait() => {}
                    () = tokio::time::sleep(LOOK) => {}
                    () = stop.cancelled() => {}
                },
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }));
}

/// Works off the next few; whether there were any.
async fn batch(app: &App, stop: &CancellationToken) -> Result<bool, StoreError> {
    // What it would decide on may have changed in a way that it does not know.
    if app.jobs.is_outdated() {
        return Ok(false);
    }
    let taken = app.inbox.take(BATCH, app.clock.now()).await?;
    if taken.is_empty() {
        return Ok(false);
    }
    let (began, mut meaning, mut ends) = (Instant::now(), Meaning::new(app), Vec::new());
    for one in taken {
        let end = if stop.is_cancelled() || began.elapsed() > LONGEST {
            End::Again(0, "its turn did not come yet".to_owned())
        } else {
            match meaning.of(&one).await {
                Ok((state, outcome)) => {
                    let event = webhook::counted_as(&one.event);
                    metrics::counter!("keytrail_webhooks_worked_total", "event" => event, "outcome" => state.as_str())
                        .increment(1);
                    End::For(state, outcome)
                }
                Err(why) if one.tries < MOST_TRIES => {
                    tracing::warn!(delivery = %one.delivery, tries = one.tries, why, "a delivery will be tried again");
                    End::Again(FIRST_PAUSE << one.tries.clamp(1, 12), why)
                }
                Err(why) => End::For(State::Failed, format!("it was tried {} times: {why}", one.tries)),
            }
        };
        ends.push((one, end));
    }
    let now = app.clock.now();
    let jobs: Vec<_> = meaning.jobs().map(|job| job.enqueue(&app.db, now)).collect();
    let asked = !jobs.is_empty();
    app.inbox.ended(ends, jobs, now).await?;
    if asked {
        app.jobs.wake();
    }
    Ok(true)
}
