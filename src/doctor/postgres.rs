//! PostgreSQL: its version, room for our connections, its collation. Nothing on the embedded engine.

use std::sync::Arc;

use super::Finding;
use crate::{app::App, jobs::JobError, store::PostgresFacts};

const ENGINE: &str = "store_engine";
const CONNECTIONS: &str = "store_connections";
const COLLATION: &str = "store_collation";
/// PostgreSQL 15.
const OLDEST: i64 = 150_000;

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let Some(facts) = app.db.postgres_facts().await? else { return Ok(Vec::new()) };
    let nodes = crate::jobs::nodes(&app.db).await?.len().max(1) as i64;
    Ok(findings(&facts, i64::from(app.config.store.connections), nodes))
}

fn findings(facts: &PostgresFacts, ours: i64, nodes: i64) -> Vec<Finding> {
    let version = format!("the store is PostgreSQL {}", facts.version);
    let engine = if facts.version_number < OLDEST {
        Finding::fail(ENGINE, format!("{version}, which is too old"), "upgrade it to 15 or newer")
    } else {
        Finding::ok(ENGINE, version)
    };
    let PostgresFacts { max_connections, connections, .. } = *facts;
    let sentence = format!(
        "PostgreSQL takes {max_connections} connections and has {connections}; {nodes} nodes with {ours} each \
         (store.connections) may want {}",
        ours * nodes
    );
    let remedy = "raise max_connections of PostgreSQL, or lower store.connections";
    let room = if ours * nodes > max_connections {
        Finding::fail(CONNECTIONS, sentence, remedy)
    } else if connections * 10 > max_connections * 9 {
        Finding::warn(CONNECTIONS, sentence, remedy)
    } else {
        Finding::ok(CONNECTIONS, sentence)
    };
    let collation = if facts.is_collation_changed {
        let sentence = "the collation of the database has another version than when it was made; columns of ours compare \
                        bytewise and do not depend on it";
        Finding::warn(
            COLLATION,
            sentence,
            "ALTER DATABASE … REFRESH COLLATION VERSION, once whatever else is in it was reindexed",
        )
    } else {
        Finding::ok(COLLATION, "the collation of the database is the one that it was made with")
    };
    vec![engine, room, collation]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn an_old_server_and_one_without_room_are_told() {
        let facts = |version_number, connections, is_collation_changed| PostgresFacts {
            version_number,
            version: "x".to_owned(),
            max_connections: 100,
            connections,
            now_micros: 0,
            is_collation_changed,
        };
        let states = |facts, ours, nodes| findings(&facts, ours, nodes).iter().map(|one| one.state).collect::<Vec<_>>();
        assert_eq!(states(facts(160_004, 20, false), 16, 2), [State::Ok; 3]);
        assert_eq!(states(facts(140_000, 95, true), 16, 2), [State::Fail, State::Warn, State::Warn]);
        assert_eq!(states(facts(150_000, 20, false), 64, 2)[1], State::Fail);
    }
}
