//! What is stored is what was hashed, and nobody changes it.

use std::sync::Arc;

use keytrail::{
    log::{Lane, leaf::Leaf},
    store::{Area, Db, Statement},
};
use keytrail_projections::value::Cells;

use crate::{
    engines::{by_hand, number, rows},
    samples::{added, append, new_stream, of, open, plain, renamed},
};

on_both_engines!(
    the_database_refuses_to_change_or_delete_events,
    texts_survive_byte_for_byte,
    leaves_follow_from_what_is_stored,
);

async fn the_database_refuses_to_change_or_delete_events(db: Arc<Db>) {
    let log = open(&db).await;
    append(&log, of(new_stream(), 0, &[added("a"), renamed("a", "b")])).await;
    let everything = "SELECT * FROM events ORDER BY global_position";
    let before = rows(&db, Area::Log, everything).await;
    let mut attempts = vec![
        "UPDATE events SET payload = '{}'",
        "UPDATE events SET recorded_at = recorded_at WHERE global_position = 1",
        "DELETE FROM events",
        "DELETE FROM events WHERE global_position = 2",
    ];
    attempts.push(
        "INSERT INTO events SELECT * FROM events WHERE global_position = 1
         ON CONFLICT (global_position) DO UPDATE SET payload = '{}'",
    );
    match &*db {
        Db::Sqlite(_) => attempts.push("REPLACE INTO events SELECT * FROM events WHERE global_position = 1"),
        Db::Postgres(_) => attempts.extend(["TRUNCATE events", "TRUNCATE events CASCADE"]),
    }
    for sql in attempts {
        let outcome = db.write(Area::Log, vec![Statement::new(sql, vec![])]).await;
        let text = format!("{:?}", outcome.expect_err(sql));
        assert!(text.contains("the log is append-only"), "{sql}: {text}");
    }
    assert_eq!(rows(&db, Area::Log, everything).await, before);
}

async fn texts_survive_byte_for_byte(db: Arc<Db>) {
    let log = open(&db).await;
    let texts = [
        "{ \"z\" : 1 ,\n\t\"a\":2,  \"z\":3 }",
        "{\"text\":\"Zo\u{eb} Zoe\u{308} \u{1f980} \u{202e}abc \\u00eb \\u0000 \\/ / \\\" $1 ?1 ' ''\"}",
        "{\"number\":1.00,\"big\":123456789012345678901234567890,\"exponent\":1E+2,\"minus\":-0}",
        "  [ ]  ",
        "\"\"",
    ];
    for text in texts {
        let mut command = plain(new_stream(), 0);
        command.events[0].payload = text.into();
        command.events[0].metadata = format!(" {text}");
        append(&log, command).await;
    }
    let long = format!("{{\"long\":\"{}\"}}", "\u{e9}x".repeat(300_000));
    let mut command = plain(new_stream(), 0);
    command.events[0].payload.clone_from(&long);
    log.appender().append(Lane::Bulk, command).await.expect("it is appended");
    let found = rows(&db, Area::Log, "SELECT payload, metadata FROM events ORDER BY global_position").await;
    for (row, text) in found.iter().zip(texts) {
        let mut cells = Cells::of(row);
        assert_eq!(cells.text().expect("text"), text);
        assert_eq!(cells.text().expect("text"), format!(" {text}"));
    }
    assert_eq!(Cells::of(&found[texts.len()]).text().expect("text"), long);
}

async fn leaves_follow_from_what_is_stored(db: Arc<Db>) {
    let log = open(&db).await;
    let stream = new_stream();
    append(&log, of(stream, 0, &[added("L\u{f6}w"), renamed("L\u{f6}w", "High")])).await;
    append(&log, of(new_stream(), 0, &[added("other")])).await;
    append(&log, plain(stream, 2)).await;
    // The slow path of an engine computes nothing else.
    assert!(log.appender().append(Lane::Interactive, plain(stream, 2)).await.is_err());
    append(&log, plain(stream, 3)).await;
    by_hand(&db, Area::Log, "UPDATE log_head SET recorded_at = recorded_at + 1").await;
    let sql = "SELECT event_id, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
               leaf_hash FROM events ORDER BY global_position";
    let found = rows(&db, Area::Log, sql).await;
    assert_eq!(found.len(), 5);
    for row in &found {
        let mut cells = Cells::of(row);
        let leaf = Leaf {
            event_id: cells.text().expect("text"),
            aggregate_type: cells.text().expect("text"),
            aggregate_id: cells.text().expect("text"),
            sequence: cells.int().expect("a number"),
            event_type: cells.text().expect("text"),
            event_version: cells.text().expect("text"),
            payload: cells.text().expect("text"),
            metadata: cells.text().expect("text"),
        };
        assert_eq!(cells.bytes().expect("bytes"), leaf.hash(), "{leaf:?}");
    }
    assert_eq!(number(&db, Area::Log, "SELECT COUNT(DISTINCT leaf_hash) FROM events").await, 5);
}
