//! Finds deliveries that did not get here while we were away: GitHub tries once, and keeps a list of what it tried. Called
//! when an app is reconciled. What is missing is fetched into the inbox, and worked off as if it had come.

use std::collections::HashMap;

use keytrail_domain::{id::IntegrationId, timestamp::Timestamp};
use uuid::Uuid;

use super::app_access::AskError;
use crate::{
    app::App,
    git::services::github::{AppAccess, ListedDelivery, webhook},
    inbox::{Origin, Receipt},
};

/// The list is looked at no more often than this, in microseconds.
const PAUSE_MICROS: i64 = 10 * 60 * 1_000_000;
/// What was tried shortly before the last look may have been listed after it.
const OVERLAP_MICROS: i64 = 5 * 60 * 1_000_000;
/// GitHub keeps the list for no longer than this.
const LISTED_MICROS: i64 = 7 * 24 * 3_600 * 1_000_000;
/// Pages of a hundred that are looked at.
const MOST_PAGES: usize = 100;
/// What is fetched at once; the rest at the next look.
const MOST_FETCHED: usize = 300;

/// Looks since the last time; how many deliveries were fetched. The first time there is nothing to miss: all is read from
/// the API then.
pub(super) async fn fetch_missed(app: &App, id: IntegrationId, access: &AppAccess) -> Result<usize, AskError> {
    let now = app.clock.now();
    let Some(before) = app.inbox.listed_to(id).await? else {
        app.inbox.set_listed_to(id, now).await?;
        return Ok(0);
    };
    if now.0 - before.0 < PAUSE_MICROS {
        return Ok(0);
    }
    let since = Timestamp((before.0 - OVERLAP_MICROS).max(now.0 - LISTED_MICROS));
    let listed = listed_since(access, since).await?;
    let mut fetched = 0;
    for attempt in &listed {
        if app.inbox.one(id, attempt.guid).await?.is_some() {
            continue;
        }
        if fetched == MOST_FETCHED {
            // The next look begins where this one did.
            return Ok(fetched);
        }
        let sent = match access.delivery(attempt.id).await {
            Ok(sent) => sent,
            // The others are not to wait for one that is not to be had.
            Err(error) if !error.passes() => {
                tracing::warn!(integration = %id, delivery = %attempt.guid, %error, "a delivery cannot be fetched");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let body = sent.request.payload.get().as_bytes();
        let action = webhook::action(body).ok().flatten();
        let (event, action) = (attempt.event.as_str(), action.as_deref());
        let receipt = Receipt::new(id, attempt.guid, event, action, Origin::Fetched, "{}", body, now);
        app.inbox.put(receipt).await?;
        fetched += 1;
    }
    app.inbox.set_listed_to(id, now).await?;
    if fetched > 0 {
        tracing::info!(integration = %id, fetched, "deliveries that did not get here were fetched");
    }
    Ok(fetched)
}

/// One attempt of each delivery that no attempt brought here, the oldest first.
async fn listed_since(access: &AppAccess, since: Timestamp) -> Result<Vec<ListedDelivery>, AskError> {
    let mut by_delivery: HashMap<Uuid, (ListedDelivery, bool)> = HashMap::new();
    let mut next: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let (page, after) = access.deliveries(next.as_deref()).await?;
        let older = page.last().and_then(|last| last.delivered_at).is_some_and(|at| at < since);
        for attempt in page {
            let ok = attempt.is_ok();
            by_delivery.entry(attempt.guid).or_insert((attempt, false)).1 |= ok;
        }
        next = after;
        if older || next.is_none() {
            break;
        }
    }
    let missed = by_delivery.into_values().filter(|(_, ok)| !ok).map(|(attempt, _)| attempt);
    let mut missed: Vec<_> = missed.filter(|one| one.delivered_at.is_none_or(|at| at >= since)).collect();
    missed.sort_by_key(|one| one.id);
    Ok(missed)
}
