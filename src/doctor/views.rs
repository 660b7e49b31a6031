//! Whether what is shown follows the log.

use std::{sync::Arc, time::Duration};

use super::{Finding, counted, duration};
use crate::{
    app::App,
    jobs::JobError,
    views::{Status, ViewState},
};

const VIEWS: &str = "views";
const LAG: &str = "views_lag";
/// A view that is behind for longer does not follow.
const LATE_SECONDS: i64 = 10;
/// And for longer than this nobody should read it.
const VERY_LATE_SECONDS: i64 = 300;
/// More events than these take so long that nobody should read it meanwhile.
const MANY_EVENTS: i64 = 100_000;
/// Between two looks at a view that is late: one that follows has come on by then.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A view that is late.
#[derive(Clone, Copy, Debug)]
struct Late {
    name: &'static str,
    position: i64,
    /// Since when what it shows is old.
    seconds: i64,
    events: i64,
    /// Whether it came on between two looks: it catches up, as after a start.
    comes_on: bool,
}

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let mut states = app.views.states();
    let nobody_looked =
        |state: &ViewState| state.status == Status::Building && state.building.is_none() && !state.is_unbuilt;
    if states.iter().any(|(.., state)| nobody_looked(state)) {
        // As at a start.
        tokio::time::sleep(AGAIN_AFTER).await;
        states = app.views.states();
    }
    let first = late(app).await?;
    if first.is_empty() {
        return Ok(vec![standing(&states), lag(&[])]);
    }
    tokio::time::sleep(AGAIN_AFTER).await;
    let mut second = late(app).await?;
    for now in &mut second {
        now.comes_on = first.iter().any(|before| before.name == now.name && before.position < now.position);
    }
    Ok(vec![standing(&states), lag(&second)])
}

/// The views that are late at this moment.
async fn late(app: &Arc<App>) -> Result<Vec<Late>, JobError> {
    let mut found = Vec::new();
    for (name, _, state) in app.views.states().into_iter().filter(|(.., state)| !state.is_unbuilt) {
        if let Some(seconds) = app.lag_seconds(state.position).await?
            && seconds > LATE_SECONDS
        {
            let (position, head) = (state.position, app.log.feed().head().position);
            found.push(Late { name, position, seconds, events: head - position, comes_on: false });
        }
    }
    Ok(found)
}

fn standing(states: &[(&'static str, u32, ViewState)]) -> Finding {
    let with = |status: Status| -> Vec<&str> {
        states.iter().filter(|(.., state)| state.status == status).map(|(name, ..)| *name).collect()
    };
    let (faulted, outdated, building) = (with(Status::Faulted), with(Status::Outdated), with(Status::Building));
    let unbuilt: Vec<_> = states.iter().filter(|(.., state)| state.is_unbuilt).map(|(name, ..)| *name).collect();
    let errors =
        states.iter().filter_map(|(name, _, state)| Some(format!("{name}: {}", state.error.as_ref()?))).collect();
    let finding = if !faulted.is_empty() {
        let remedy = "report it; when a version that can fold the event is there: `keytrail views rebuild NAME`";
        Finding::fail(VIEWS, format!("a fold failed, and these stand still: {}", faulted.join(", ")), remedy)
    } else if !outdated.is_empty() {
        let sentence = format!("a newer version wrote to the log, and these stand still: {}", outdated.join(", "));
        Finding::fail(VIEWS, sentence, "upgrade this node")
    } else if !unbuilt.is_empty() {
        let sentence = format!("these are not built, and cannot be read: {}", unbuilt.join(", "));
        Finding::warn(VIEWS, sentence, "start the server, which builds them: `keytrail serve`")
    } else if !building.is_empty() {
        let sentence = format!("these are being built, and cannot be read until it is done: {}", building.join(", "));
        Finding::warn(VIEWS, sentence, "wait; `keytrail views list` shows how far they are")
    } else {
        return Finding::ok(VIEWS, format!("all {} views can be read", states.len()));
    };
    finding.of(errors)
}

/// One that catches up is a matter of a moment, however old the first event is that it lacks; unless it lacks very many.
fn lag(late: &[Late]) -> Finding {
    if late.is_empty() {
        return Finding::ok(LAG, "every view follows the log");
    }
    let each = late.iter().map(|view| {
        let comes_on = if view.comes_on { " (it is catching up)" } else { "" };
        let events = counted(view.events.unsigned_abs(), "event");
        format!("{} by {} and {events}{comes_on}", view.name, duration(view.seconds))
    });
    let sentence = format!("these views are behind the log: {}", each.collect::<Vec<_>>().join(", "));
    let lasts = |view: &Late| view.seconds > VERY_LATE_SECONDS && !view.comes_on;
    if late.iter().any(|view| lasts(view) || view.events > MANY_EVENTS) {
        let remedy =
            "look at the server's log for why; a node that holds a view and is gone loses it within 15 seconds";
        return Finding::fail(LAG, sentence, remedy);
    }
    Finding::warn(LAG, sentence, "ask again in a moment; when it stays so, look at the server's log for why")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_view_that_is_late_is_told_by_how_much() {
        let late = |seconds, events| Late { name: "issue_commits", position: 7, seconds, events, comes_on: false };
        assert_eq!(lag(&[]).state, State::Ok);
        let some = lag(&[late(11, 40_000)]);
        assert!(some.state == State::Warn && some.sentence.contains("11 seconds and 40,000 events"), "{some:?}");
        assert_eq!(lag(&[late(301, 1), Late { name: "audit_trail", ..late(12, 1) }]).state, State::Fail);
    }

    #[test]
    fn a_view_that_catches_up_is_a_warning_unless_it_lacks_very_many_events() {
        // As after a start: the first event that it lacks is of yesterday, and it is done in a moment.
        let behind = |events| Late { name: "issue_commits", position: 7, seconds: 86_400, events, comes_on: true };
        let some = lag(&[behind(100_000)]);
        assert!(some.state == State::Warn && some.sentence.contains("it is catching up"), "{some:?}");
        assert!(some.remedy.is_some_and(|remedy| remedy.contains("in a moment")));
        assert_eq!(lag(&[behind(100_001)]).state, State::Fail);
        assert_eq!(lag(&[Late { comes_on: false, ..behind(1) }]).state, State::Fail);
    }
}
