//! Whether what is shown follows the log.

use std::sync::Arc;

use super::{Finding, duration, grouped};
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

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let states = app.views.states();
    let mut late = Vec::new();
    for (name, _, state) in &states {
        if let Some(behind) = app.lag_seconds(state.position).await?
            && behind > LATE_SECONDS
        {
            late.push((*name, behind, app.log.feed().head().position - state.position));
        }
    }
    Ok(vec![standing(&states), lag(&late)])
}

fn standing(states: &[(&'static str, u32, ViewState)]) -> Finding {
    let with = |status: Status| -> Vec<&str> {
        states.iter().filter(|(.., state)| state.status == status).map(|(name, ..)| *name).collect()
    };
    let (faulted, outdated, building) = (with(Status::Faulted), with(Status::Outdated), with(Status::Building));
    let errors =
        states.iter().filter_map(|(name, _, state)| Some(format!("{name}: {}", state.error.as_ref()?))).collect();
    let finding = if !faulted.is_empty() {
        let remedy = "report it; when a version that can fold the event is there: `keytrail views rebuild NAME`";
        Finding::fail(VIEWS, format!("a fold failed, and these stand still: {}", faulted.join(", ")), remedy)
    } else if !outdated.is_empty() {
        let sentence = format!("a newer version wrote to the log, and these stand still: {}", outdated.join(", "));
        Finding::fail(VIEWS, sentence, "upgrade this node")
    } else if !building.is_empty() {
        let sentence = format!("these are being built, and cannot be read until it is done: {}", building.join(", "));
        Finding::warn(VIEWS, sentence, "wait; `keytrail views list` shows how far they are")
    } else {
        return Finding::ok(VIEWS, format!("all {} views can be read", states.len()));
    };
    finding.of(errors)
}

fn lag(late: &[(&'static str, i64, i64)]) -> Finding {
    let Some(most) = late.iter().map(|(_, seconds, _)| *seconds).max() else {
        return Finding::ok(LAG, "every view follows the log");
    };
    let each = late.iter().map(|(name, seconds, events)| {
        let ending = if events.unsigned_abs() == 1 { "" } else { "s" };
        format!("{name} by {} and {} event{ending}", duration(*seconds), grouped(events.unsigned_abs()))
    });
    let sentence = format!("these views are behind the log: {}", each.collect::<Vec<_>>().join(", "));
    let remedy = "look at the server's log for why; a node that holds a view and is gone loses it within 15 seconds";
    if most > VERY_LATE_SECONDS { Finding::fail(LAG, sentence, remedy) } else { Finding::warn(LAG, sentence, remedy) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_view_that_is_late_is_told_by_how_much() {
        assert_eq!(lag(&[]).state, State::Ok);
        let some = lag(&[("issue_commits", 11, 40_000)]);
        assert!(some.state == State::Warn && some.sentence.contains("11 seconds and 40,000 events"), "{some:?}");
        assert_eq!(lag(&[("issue_commits", 301, 1), ("audit_trail", 12, 1)]).state, State::Fail);
    }
}
