//! A PostgreSQL database without space: commands are refused with nothing half-made, reads go on, and it recovers by
//! itself. The database says it as it does for a full disk (`disk_full`, 53100), to whoever writes an event.

use std::borrow::Cow;

use keytrail::store::{Area, Statement};
use keytrail_domain::host_key::HostKeyId;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    host_keys::KNOWN,
    server::{Server, on_postgres_with},
};

async fn by_hand(server: &Server, sql: impl Into<Cow<'static, str>>) {
    server.app.db.write(Area::Log, vec![Statement::new(sql, vec![])]).await.expect("it can be done by hand");
}

/// From now on there is no space for an event; with `when`, for those rows alone.
async fn space_ends(server: &Server, when: &str) {
    let function = "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS \
                    'BEGIN RAISE EXCEPTION ''could not extend file'' USING ERRCODE = ''53100''; END'";
    by_hand(server, function).await;
    by_hand(server, format!("CREATE TRIGGER full_disk BEFORE INSERT ON events {when} EXECUTE FUNCTION no_space()"))
        .await;
}

async fn nothing_is_half_made_and_it_recovers(server: Server) {
    let wish = |name: &str| json!({ "name": name, "role": "viewer", "expires_in_days": 1 });
    server.post("/api/v1/tokens", wish("before")).await.with(StatusCode::CREATED);
    space_ends(&server, "").await;
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

async fn what_is_trusted_of_a_file_before_the_space_ends_is_told(server: Server) {
    let when = format!("FOR EACH ROW WHEN (NEW.aggregate_id = '{}')", HostKeyId::of("b.example.com", 22));
    space_ends(&server, &when).await;
    let body = json!({ "known_hosts": KNOWN.replace("git.example.com", "a.example.com,b.example.com,c.example.com") });
    let import = async || {
        let told = server.post("/api/v1/host-keys/import", body.clone()).await.with(StatusCode::OK);
        let servers = told.body["servers"].as_array().expect("servers").clone();
        servers.iter().map(|one| (one["trusted"].clone(), one["code"].clone())).collect::<Vec<_>>()
    };
    let stopped = || (json!(false), json!("no_space"));
    assert_eq!(import().await, [(json!(true), Value::Null), stopped(), stopped()]);
    assert_eq!(server.get("/api/v1/host-keys").await.items().len(), 1, "the first one stays trusted");
    by_hand(&server, "DROP TRIGGER full_disk ON events").await;
    assert_eq!(import().await, [(); 3].map(|()| (json!(true), Value::Null)));
}

#[test]
fn an_import_that_ends_for_want_of_space_tells_what_was_trusted() {
    on_postgres_with(|_| {}, what_is_trusted_of_a_file_before_the_space_ends_is_told);
}

#[test]
fn a_database_without_space_refuses_commands_and_recovers() {
    on_postgres_with(|_| {}, nothing_is_half_made_and_it_recovers);
}
