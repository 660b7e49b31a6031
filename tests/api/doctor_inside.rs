//! What the doctor finds inside a server that something was done to: rows changed behind its back, a clock that was moved.
//! Everything is put right again: the look behind demands it.

use keytrail::store::{Area, Db, Statement, sqlite::failure};
use keytrail_projections::value::{Cells, Value as Cell};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    doctor::found,
    repository,
    server::{Server, on_both_engines, soon},
};

async fn examined(server: &Server) -> Vec<Value> {
    server.get("/api/v1/doctor").await.with(StatusCode::OK).items().to_vec()
}

/// Demands this state of a check, and what it says.
async fn says(server: &Server, id: &str, state: &str) -> String {
    let all = examined(server).await;
    let finding = found(&all, id);
    assert_eq!(finding["state"], state, "{finding}");
    assert_eq!(finding["state"] == "ok", finding["remedy"].is_null(), "{finding}");
    format!("{} {}", finding["sentence"].as_str().expect("a sentence"), finding["details"])
}

async fn sql(server: &Server, area: Area, text: &str) -> Vec<Vec<Cell>> {
    let written = server.app.db.write(area, vec![Statement::new(text.to_owned(), vec![])]).await;
    written.unwrap_or_else(|error| panic!("{text}: {error}")).into_iter().flatten().collect()
}

async fn indexed(server: &Server) -> String {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    server.add("shop", &path).await.with(StatusCode::CREATED);
    soon("it is indexed", || async { server.get("/api/v1/repositories?state=indexed").await.items().len() == 1 }).await;
    server.get("/api/v1/index-runs").await.items()[0]["id"].as_str().expect("an id").to_owned()
}

async fn an_event_that_was_changed_and_a_guard_that_is_gone_are_found(server: Server) {
    indexed(&server).await;
    for id in ["log_head", "log_leaves", "log_guards", "log_clock", "claims"] {
        says(&server, id, "ok").await;
    }
    let (unguard, guard) = if server.is_sqlite() {
        ("DROP TRIGGER events_are_not_changed".to_owned(), {
            let made = include_str!("../../migrations/sqlite/log_0001_events.sql");
            let from = made.find("CREATE TRIGGER events_are_not_changed").expect("it is made there");
            let to = from + made[from..].find("END;").expect("it ends") + 4;
            made[from..to].to_owned()
        })
    } else {
        let trigger = |word| format!("ALTER TABLE events {word} TRIGGER events_are_not_changed");
        (trigger("DISABLE"), trigger("ENABLE"))
    };
    sql(&server, Area::Log, &unguard).await;
    says(&server, "log_guards", "fail").await;
    let read = "SELECT CAST(payload AS TEXT) FROM events WHERE event_type = 'integration.added'";
    let rows = server.app.db.read(Area::Log, read, &[]).await.expect("an event");
    let before = Cells::of(&rows[0]).text().expect("a text").replace('\'', "''");
    let cast = if server.is_sqlite() { "" } else { "::json" };
    let change = |to: &str| format!("UPDATE events SET payload = '{to}'{cast} WHERE event_type = 'integration.added'");
    sql(&server, Area::Log, &change("{\"nonsense\":1}")).await;
    assert!(says(&server, "log_leaves", "fail").await.contains("changed after they were appended"));
    // A view that is folded anew meets it, and stands still. Beside a live build it would be given up: there is none.
    let anew = "UPDATE view_builds SET status = 'building', position = 0, epoch = epoch + 1, lease_until = 0 \
                WHERE view = 'integration_list'";
    sql(&server, Area::Views, anew).await;
    server.token("viewer").await;
    soon("the view is faulted", || async { found(&examined(&server).await, "views")["state"] == "fail" }).await;
    assert!(says(&server, "views", "fail").await.contains("integration_list"));
    sql(&server, Area::Log, &change(&before)).await;
    sql(&server, Area::Log, &guard).await;
    server.post("/api/v1/views/integration_list/rebuild", json!({})).await;
    soon("all is well", || async { found(&examined(&server).await, "views")["state"] == "ok" }).await;
    for id in ["log_leaves", "log_guards"] {
        says(&server, id, "ok").await;
    }
}

async fn a_head_a_checkpoint_and_claims_that_were_moved_are_found(server: Server) {
    let run = indexed(&server).await;
    sql(&server, Area::Log, "UPDATE log_head SET position = position - 1").await;
    assert!(says(&server, "log_head", "fail").await.contains("newest event"));
    sql(&server, Area::Log, "UPDATE log_head SET position = position + 1").await;
    says(&server, "log_head", "ok").await;

    let told = says(&server, "claims", "ok").await;
    assert!(told.contains("by all ") && told.contains("2 things of which there may be only one"), "{told}");
    sql(&server, Area::Log, "UPDATE claims SET claim_key = 'another' WHERE scope = 'integration_name'").await;
    let told = says(&server, "claims", "fail").await;
    assert!(told.contains("differs in 2") && told.contains("another") && told.contains("shop"), "{told}");
    sql(&server, Area::Log, "UPDATE claims SET claim_key = 'shop' WHERE scope = 'integration_name'").await;
    let claim =
        "INSERT INTO claims (scope, claim_key, aggregate_type, aggregate_id) VALUES ('active_run', 'x', 'index_run'";
    sql(&server, Area::Log, &format!("{claim}, '{run}')")).await;
    assert!(says(&server, "runs_stuck", "fail").await.contains(&run));
    says(&server, "claims", "fail").await;
    sql(&server, Area::Log, "DELETE FROM claims WHERE claim_key = 'x'").await;
    says(&server, "claims", "ok").await;
    says(&server, "runs_stuck", "ok").await;

    says(&server, "reactor", "ok").await;
    sql(&server, Area::Log, "UPDATE reactor_checkpoints SET position = position + 100").await;
    assert!(says(&server, "reactor", "fail").await.contains("and the log ends at"));
    sql(&server, Area::Log, "UPDATE reactor_checkpoints SET position = position - 100").await;
    says(&server, "reactor", "ok").await;

    says(&server, "migrations", "ok").await;
    let newer =
        "INSERT INTO schema_migrations (name, checksum, applied_at) VALUES ('log_9999_from_the_future', 'x', 0)";
    sql(&server, Area::Log, newer).await;
    assert!(says(&server, "migrations", "fail").await.contains("log_9999_from_the_future"));
    sql(&server, Area::Log, "DELETE FROM schema_migrations WHERE name = 'log_9999_from_the_future'").await;
}

async fn a_clock_that_was_moved_tokens_that_end_and_jobs_that_wait_are_found(server: Server) {
    server.token("viewer").await;
    says(&server, "tokens", "ok").await;
    server.pass_days(-1);
    assert!(says(&server, "log_clock", "fail").await.contains("behind"));
    server.pass_days(20);
    says(&server, "log_clock", "ok").await;
    let told = says(&server, "tokens", "warn").await;
    assert!(told.contains("ending within two weeks: 1") && told.contains("a viewer"), "{told}");
    server.pass_days(20);
    assert!(says(&server, "tokens", "ok").await.contains("1 ended"));
    if !server.is_sqlite() {
        says(&server, "database_clock", "ok").await;
        says(&server, "nodes", "ok").await;
        server.own_clock_is_moved_by_days(1);
        assert!(says(&server, "database_clock", "warn").await.contains("the database's"));
        server.own_clock_is_moved_by_days(-1);
    }

    says(&server, "jobs", "ok").await;
    let mut args = Vec::new();
    let now = server.app.db.lease_clock(&mut args, server.app.clock.now());
    let waits = format!(
        "INSERT INTO jobs (kind, key, state, priority, attempts, run_after, epoch, lease_until, cancelled, again, \
         caused_by, last_error, created_at) SELECT 'request_index', 'x', 'waiting', 0, 5, {now} + 200000000, 0, 0, 0, 0, \
         1, 'it does not work', {now} - 7300000000"
    );
    server.app.db.write(Area::Log, vec![Statement::new(waits, args)]).await.expect("a row");
    let told = says(&server, "jobs", "warn").await;
    assert!(told.contains("request_index") && told.contains("2 hours"), "{told}");
    assert!(says(&server, "jobs_tried", "warn").await.contains("it does not work"));
    sql(&server, Area::Log, "DELETE FROM jobs WHERE key = 'x'").await;
    says(&server, "jobs", "ok").await;
}

async fn a_secret_that_was_changed_and_settings_that_were_are_found(server: Server) {
    let told = says(&server, "secrets", "ok").await;
    assert!(!told.contains(" 0 "), "a server has secrets of its own: {told}");
    let (cut, some) = ("SELECT secret_ref FROM secrets LIMIT 1", "sealed = data_keys.wrapped");
    let change = format!("UPDATE secrets SET {some} FROM data_keys WHERE secret_ref = ({cut})");
    sql(&server, Area::Log, &change).await;
    assert!(says(&server, "secrets", "fail").await.contains(" of server/"));

    let told = says(&server, "store_settings", "ok").await;
    says(&server, "store_engine", "ok").await;
    match &*server.app.db {
        Db::Sqlite(sqlite) => {
            assert!(told.contains("log.db synchronous = 2") && told.contains("views.db synchronous = 1"), "{told}");
            let off = sqlite.write_with(Area::Log, |connection| {
                connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA recursive_triggers = OFF").map_err(failure)
            });
            off.await.expect("it is set");
            let told = says(&server, "store_settings", "fail").await;
            assert!(told.contains("log.db synchronous = 0, log.db recursive_triggers = 0"), "{told}");
        }
        Db::Postgres(_) => {
            assert!(told.contains("fsync = on") && told.contains("synchronous_commit = on"), "{told}");
            says(&server, "store_connections", "ok").await;
            says(&server, "store_collation", "ok").await;
        }
    }
}

async fn a_copy_that_lost_its_commits_is_found(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    let connection = json!({ "kind": "path", "path": path, "reading": "mirrored" });
    server.connect("shop", connection).await.with(StatusCode::CREATED);
    soon("it is indexed", || async { server.get("/api/v1/repositories?state=indexed").await.items().len() == 1 }).await;
    let id = server.get("/api/v1/repositories").await.items()[0]["id"].as_str().expect("an id").to_owned();
    says(&server, "mirrors_open", "ok").await;
    let packs = server.app.caches.mirrors().join(format!("{id}.git/objects/pack"));
    std::fs::remove_dir_all(&packs).expect("they are there");
    std::fs::create_dir(&packs).expect("a folder");
    let told = says(&server, "mirrors_open", "warn").await;
    assert!(told.contains("1 copy") && told.contains(&id), "{told}");
    // As it is told to: a run that meets it makes the copy anew.
    server.post(&format!("/api/v1/repositories/{id}/reset"), json!({})).await.with(StatusCode::ACCEPTED);
    soon("all is well", || async { found(&examined(&server).await, "mirrors_open")["state"] == "ok" }).await;
    soon("the run ends", || async { server.get("/api/v1/repositories").await.items()[0]["state"] == "indexed" }).await;
}

async fn permissions_that_were_widened_are_found(server: Server) {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("it is ours");
    };
    let (data, key) = (server.data(), server.root.with_file_name("root.key"));
    says(&server, "data_folder", "ok").await;
    mode(&data, 0o755);
    assert!(says(&server, "data_folder", "fail").await.contains("0755"));
    mode(&data, 0o700);
    says(&server, "root_key", "ok").await;
    mode(&key, 0o644);
    assert!(says(&server, "root_key", "fail").await.contains("0644"));
    mode(&key, 0o600);
    says(&server, "server_file", "ok").await;
    let file = data.join("server.json");
    std::fs::write(&file, "{}").expect("a file");
    mode(&file, 0o640);
    assert!(says(&server, "server_file", "fail").await.contains("0640"));
    mode(&file, 0o600);
    says(&server, "server_file", "ok").await;
}

on_both_engines!(
    an_event_that_was_changed_and_a_guard_that_is_gone_are_found,
    a_head_a_checkpoint_and_claims_that_were_moved_are_found,
    a_clock_that_was_moved_tokens_that_end_and_jobs_that_wait_are_found,
    a_secret_that_was_changed_and_settings_that_were_are_found,
    permissions_that_were_widened_are_found,
    a_copy_that_lost_its_commits_is_found,
);

/// Another node, which does nothing, has taken a view.
#[test]
fn a_view_that_does_not_follow_is_found() {
    crate::server::on_postgres_with(crate::server::as_usual, |server| async move {
        indexed(&server).await;
        says(&server, "views_lag", "ok").await;
        let now = server.app.db.lease_clock(&mut Vec::new(), server.app.clock.now());
        let taken = format!(
            "UPDATE view_builds SET owner = 'nobody', epoch = epoch + 1, lease_until = {now} + 15000000 \
             WHERE view = 'issue_branches'"
        );
        sql(&server, Area::Views, &taken).await;
        server.token("viewer").await;
        server.own_clock_is_moved_by_days(1);
        assert!(says(&server, "views_lag", "fail").await.contains("issue_branches"));
        server.pass_seconds(15);
        server.pass_micros(1);
        soon("the lease has ended and it follows again", || async {
            found(&examined(&server).await, "views_lag")["state"] == "ok"
        })
        .await;
    });
}
