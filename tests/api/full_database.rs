//! A PostgreSQL database without space: commands are refused with nothing half-made, reads go on, and it recovers by
//! itself. The database says it as it does for a full disk (`disk_full`, 53100), to whoever writes an event.

use keytrail::store::{Area, Statement};
use reqwest::StatusCode;
use serde_json::json;

use crate::server::{Server, on_postgres_with};

async fn by_hand(server: &Server, sql: &'static str) {
    server.app.db.write(Area::Log, vec![Statement::new(sql, vec![])]).await.expect("it can be done by hand");
}

async fn nothing_is_half_made_and_it_recovers(server: Server) {
    let wish = |name: &str| json!({ "name": name, "role": "viewer", "expires_in_days": 1 });
    server.post("/api/v1/tokens", wish("before")).await.with(StatusCode::CREATED);
    by_hand(
        &server,
        "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN RAISE EXCEPTION ''could not extend file'' USING ERRCODE = ''53100''; END'",
    )
    .await;
    by_hand(&server, "CREATE TRIGGER full_disk BEFORE INSERT ON events EXECUTE FUNCTION no_space()").await;
    let head = server.app.log.feed().head().position;
    for _ in 0..3 {
        server.post("/api/v1/tokens", wish("refused")).await.refused(507, "no_space");
    }
    let listed = server.get("/api/v1/tokens").await.with(StatusCode::OK);
    assert_eq!(listed.items().len(), 1, "reads go on, and nothing is half made: {}", listed.text);
    assert_eq!(server.app.log.feed().head().position, head);

    by_hand(&server, "DROP TRIGGER full_disk ON events").await;
    server.post("/api/v1/tokens", wish("after")).await.with(StatusCode::CREATED);
    assert_eq!(server.app.log.feed().head().position, head + 1, "no position is lost");
}

#[test]
fn a_database_without_space_refuses_commands_and_recovers() {
    on_postgres_with(|_| {}, nothing_is_half_made_and_it_recovers);
}
