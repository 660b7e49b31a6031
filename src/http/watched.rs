//! Something that goes on, told each time that it has changed, until it has ended. Called by the routes that stream how far
//! work is. Who comes again is told how it stands then.

use std::time::{Duration, Instant};

use actix_web::{HttpRequest, HttpResponse, web::Data};
use keytrail_domain::{
    fact::Fact,
    recorded::{Position, Recorded},
};
use serde::Serialize;

use super::{
    Api,
    auth::Caller,
    error::ApiError,
    following::{Following, Next},
    outlet::{End, Gone, Outlet, head_only},
};

/// How it stands.
pub(super) trait Standing: Serialize {
    /// Whether nothing follows any more.
    fn has_ended(&self) -> bool;
}

/// What a fact is to somebody who watches.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is of something else.
    Nothing,
    /// It may have moved.
    Moved,
    /// It has ended.
    Ended,
}

/// Answers with how something stands, and then with how it goes on: the route of a stream of one thing.
pub(super) async fn answer<T: Standing + 'static>(
    api: Data<Api>,
    caller: &Caller,
    request: &HttpRequest,
    hears: impl Fn(&Recorded<Fact>) -> Heard + 'static,
    look: impl AsyncFn(&Api, Option<Position>) -> Result<T, ApiError> + 'static,
) -> Result<HttpResponse, ApiError> {
    let first = look(&api, None).await?;
    if let Some(head) = head_only(request) {
        return Ok(head);
    }
    let (outlet, response) = Outlet::open(&api, caller)?;
    let following = Following::new(api, caller.clone());
    actix_web::rt::spawn(watch(following, outlet, first, hears, look));
    Ok(response)
}

/// Tells `first`, and then what `look` finds whenever that differs from what was told last: at most once a second while
/// it goes on, at once when `hears` knows of its end. A look gets the newest position that it must have seen.
async fn watch<T: Standing>(
    mut following: Following,
    mut outlet: Outlet,
    first: T,
    hears: impl Fn(&Recorded<Fact>) -> Heard,
    look: impl AsyncFn(&Api, Option<Position>) -> Result<T, ApiError>,
) {
    // A watcher that is gone or too slow comes again.
    if let Ok(why) = tell(&mut following, &mut outlet, first, hears, look).await {
        outlet.end(why);
    }
}

async fn tell<T: Standing>(
    following: &mut Following,
    outlet: &mut Outlet,
    first: T,
    hears: impl Fn(&Recorded<Fact>) -> Heard,
    look: impl AsyncFn(&Api, Option<Position>) -> Result<T, ApiError>,
) -> Result<End, Gone> {
    outlet.send(None, &first).await?;
    let mut told = serde_json::to_value(&first).map_err(|_| Gone)?;
    let mut ended = first.has_ended();
    let mut pace = Pace::new(Instant::now());
    while !ended {
        let is_due = match following.next().await {
            Next::Ended(why) => return Ok(why),
            Next::Tick => true,
            Next::Facts(page) => {
                // Other things happen, too.
                page.iter().for_each(|fact| match hears(fact) {
                    Heard::Nothing => {}
                    heard => pace.hears(fact.position, heard == Heard::Ended),
                });
                pace.is_due(Instant::now())
            }
        };
        if !is_due {
            outlet.beat(None).await?;
            continue;
        }
        let seen = pace.looks(Instant::now());
        let Ok(now) = look(following.api(), seen).await else { return Ok(End::Trouble) };
        let value = serde_json::to_value(&now).map_err(|_| Gone)?;
        if value != told {
            outlet.send(None, &now).await?;
            told = value;
        }
        ended = now.has_ended();
        outlet.beat(None).await?;
    }
    Ok(End::Done)
}

/// How long is waited from one look to the next.
const PAUSE: Duration = Duration::from_secs(1);

/// When to look again. What records much moves many times a second, and each look reads the store.
struct Pace {
    looked: Instant,
    /// The newest fact that no look has seen.
    unseen: Option<Position>,
    has_ended: bool,
}

impl Pace {
    const fn new(now: Instant) -> Self {
        Self { looked: now, unseen: None, has_ended: false }
    }

    /// A fact of it, and whether it is its last.
    fn hears(&mut self, position: Position, ends: bool) {
        self.unseen = Some(position);
        self.has_ended |= ends;
    }

    /// Whether to look. That it has ended is told at once.
    fn is_due(&self, now: Instant) -> bool {
        self.has_ended || now.saturating_duration_since(self.looked) >= PAUSE
    }

    /// That it is looked at now; what the look must have seen.
    fn looks(&mut self, now: Instant) -> Option<Position> {
        self.looked = now;
        self.unseen.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_moves_all_the_time_is_looked_at_once_a_second_and_its_end_at_once() {
        let began = Instant::now();
        let (mut pace, mut looks) = (Pace::new(began), Vec::new());
        // A fact each 10 ms for 3.5 seconds.
        for step in 1..=350 {
            let now = began + Duration::from_millis(10 * step);
            pace.hears(step as Position, false);
            if pace.is_due(now) {
                looks.push(pace.looks(now));
            }
        }
        assert_eq!(looks, [Some(100), Some(200), Some(300)], "and each has seen all that there was");
        let now = began + Duration::from_millis(3_510);
        assert!(!pace.is_due(now));
        pace.hears(351, true);
        assert!(pace.is_due(now));
        assert_eq!((pace.looks(now), pace.looks(now)), (Some(351), None));
    }
}
