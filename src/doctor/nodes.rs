//! Several nodes over one database: which were heard of, and whether their clocks agree with the database's. On the
//! embedded engine there is one node, and one clock.

use std::sync::Arc;

use super::{Finding, duration};
use crate::{app::App, jobs::JobError};

const NODES: &str = "nodes";
const CLOCK: &str = "database_clock";
/// Clocks that are kept right differ by less.
const TOLERATED_SECONDS: i64 = 5;

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let Some(facts) = app.db.postgres_facts().await? else {
        return Ok(vec![Finding::ok(NODES, "one node: no other can open the embedded store")]);
    };
    let ahead = (app.clock.now().0 - facts.now_micros) / 1_000_000;
    let nodes = crate::jobs::nodes(&app.db).await?;
    let sentence = match nodes.len() {
        0 => "no node has said yet that it lives".to_owned(),
        1 => "one node uses this database".to_owned(),
        several => format!("{several} nodes use this database"),
    };
    Ok(vec![Finding::ok(NODES, sentence).of(nodes), clock(ahead)])
}

fn clock(ahead: i64) -> Finding {
    if ahead.abs() <= TOLERATED_SECONDS {
        return Finding::ok(CLOCK, "this node's clock agrees with the database's");
    }
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    let sentence = format!("this node's clock is {} {side} the database's", duration(ahead.abs()));
    let remedy =
        "set both by the same time servers (NTP): times in the log and the ends of tokens follow the nodes' clocks";
    Finding::warn(CLOCK, sentence, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_clock_that_differs_is_told_with_its_side() {
        assert_eq!((clock(5).state, clock(-6).state), (State::Ok, State::Warn));
        assert!(clock(7_200).sentence.contains("2 hours ahead of"), "{}", clock(7_200).sentence);
    }
}
