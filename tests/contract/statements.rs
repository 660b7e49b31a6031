//! Statements, their values and their transactions mean the same on both engines.

use std::sync::Arc;

use keytrail::store::{
    Area, Db, Statement, StoreError,
    schema::{create_indexes, create_table, drop_table},
};
use keytrail_projections::{
    row,
    value::{Row, Value},
    view::{History, Kind, Table},
};

use crate::engines::{by_hand, number, rows};

on_both_engines!(
    nothing_binds_wherever_a_value_does,
    many_rows_are_inserted_and_deleted_at_once,
    an_expectation_that_fails_rolls_everything_back,
    a_constraint_that_fails_rolls_everything_back,
    texts_are_ordered_bytewise,
    extreme_values_come_back_as_they_were,
    a_table_goes_as_it_came,
);

static CELLS: Table = Table {
    name: "cells",
    columns: &[("id", Kind::Int), ("n", Kind::MaybeInt), ("t", Kind::MaybeText), ("b", Kind::MaybeBytes)],
    key: 1,
    history: History::None,
    indexes: &[&["t", "id"], &["n", "id"]],
};
const KINDS: [Kind; 4] = [Kind::Int, Kind::MaybeInt, Kind::MaybeText, Kind::MaybeBytes];
const HEAD: &str = "INSERT INTO cells (id, n, t, b)";

async fn make(db: &Db) {
    for sql in create_table(db, &CELLS, "").into_iter().chain(create_indexes(&CELLS, "")) {
        by_hand(db, Area::Views, sql).await;
    }
}

async fn all(db: &Db) -> Vec<Row> {
    rows(db, Area::Views, "SELECT id, n, t, b FROM cells ORDER BY id").await
}

async fn nothing_binds_wherever_a_value_does(db: Arc<Db>) {
    make(&db).await;
    let insert = "INSERT INTO cells (id, n, t, b) VALUES ($1, $2, $3, $4)";
    let nothing = || Value::Null;
    // The same text with and without values, in this order: what a marker is must not follow from its first value.
    let lines = [
        vec![Value::Int(1), nothing(), nothing(), nothing()],
        row![2_i64, 7_i64, "seven", b"\x07".as_slice()],
        vec![Value::Int(3), nothing(), Value::from("three"), nothing()],
    ];
    for line in &lines {
        db.write(Area::Views, vec![Statement::new(insert, line.clone())]).await.expect("it is inserted");
    }
    let bulk =
        vec![vec![Value::Int(4), nothing(), nothing(), nothing()], row![5_i64, 5_i64, "five", b"\x05".as_slice()]];
    let statement = Statement::insert(HEAD.into(), KINDS.to_vec(), bulk.clone(), String::new());
    db.write(Area::Views, vec![statement]).await.expect("they are inserted");
    assert_eq!(all(&db).await, [lines.as_slice(), bulk.as_slice()].concat());

    let update = "UPDATE cells SET n = $2, t = $3, b = $4 WHERE id = $1";
    let clear = vec![Value::Int(2), nothing(), nothing(), nothing()];
    db.write(Area::Views, vec![Statement::new(update, clear.clone()).expecting(1)]).await.expect("it is updated");
    assert_eq!(all(&db).await[1], clear);

    let filter = "SELECT id FROM cells WHERE n = $1 OR (CAST($1 AS BIGINT) IS NULL AND n IS NULL) ORDER BY id";
    assert_eq!(
        db.read(Area::Views, filter, &[nothing()]).await.expect("rows"),
        [row![1_i64], row![2_i64], row![3_i64], row![4_i64]]
    );
    assert_eq!(db.read(Area::Views, filter, &[Value::Int(5)]).await.expect("rows"), [row![5_i64]]);
    assert_eq!(db.read(Area::Views, "SELECT id FROM cells WHERE t = $1", &[nothing()]).await.expect("rows"), [[]; 0]);
    let cast = "SELECT COALESCE(CAST($1 AS BIGINT), 5000000000)";
    assert_eq!(db.read(Area::Views, cast, &[nothing()]).await.expect("rows"), [row![5_000_000_000_i64]]);
    assert_eq!(
        db.read(Area::Views, cast, &[Value::Int(6_000_000_000)]).await.expect("rows"),
        [row![6_000_000_000_i64]]
    );
}

async fn many_rows_are_inserted_and_deleted_at_once(db: Arc<Db>) {
    make(&db).await;
    let lines: Vec<Row> = (0..2_000_i64).map(|n| row![n, n % 3, format!("t{n}"), [n as u8].as_slice()]).collect();
    let insert =
        |lines: &[Row], tail: &str| Statement::insert(HEAD.into(), KINDS.to_vec(), lines.to_vec(), tail.into());
    db.write(Area::Views, vec![insert(&lines, "").expecting(2_000)]).await.expect("they are inserted");
    assert_eq!(all(&db).await, lines);
    let again = insert(
        &[row![7_i64, 0_i64, "no", b"".as_slice()], row![5_000_i64, 0_i64, "new", b"".as_slice()]],
        "ON CONFLICT (id) DO NOTHING",
    );
    db.write(Area::Views, vec![again.expecting(1)]).await.expect("one is new");
    let upsert =
        insert(&[row![8_i64, 0_i64, "eight", b"".as_slice()]], "ON CONFLICT (id) DO UPDATE SET t = excluded.t");
    db.write(Area::Views, vec![upsert]).await.expect("it is written over");
    assert_eq!(all(&db).await[8], row![8_i64, 2_i64, "eight", b"\x08".as_slice()]);

    let delete = |columns: &[&'static str], kinds: &[Kind], keys: Vec<Row>| {
        Statement::delete("cells".into(), columns.to_vec(), kinds.to_vec(), keys)
    };
    let by_one = delete(&["id"], &[Kind::Int], (0..1_000_i64).map(|n| row![n]).collect());
    let by_two = delete(
        &["n", "id"],
        &[Kind::Int, Kind::Int],
        vec![row![1_i64, 1_000_i64], row![1_i64, 1_001_i64], row![2_i64, 1_001_i64]],
    );
    db.write(Area::Views, vec![by_one.expecting(1_000), by_two.expecting(2)]).await.expect("they are deleted");
    assert_eq!(number(&db, Area::Views, "SELECT COUNT(*) FROM cells").await, 2_001 - 1_002);
    assert_eq!(number(&db, Area::Views, "SELECT MIN(id) FROM cells").await, 1_002);
}

async fn an_expectation_that_fails_rolls_everything_back(db: Arc<Db>) {
    make(&db).await;
    by_hand(&db, Area::Views, "INSERT INTO cells (id) VALUES (1)").await;
    let insert = || Statement::new("INSERT INTO cells (id) VALUES ($1)", row![2_i64]).expecting(1);
    let fails = [
        Statement::new("UPDATE cells SET n = 1 WHERE id = $1", row![9_i64]).expecting(1),
        Statement::new("UPDATE cells SET n = 1", vec![]).expecting(1),
        Statement::new("DELETE FROM cells WHERE id = $1 RETURNING id", row![9_i64]).expecting(1),
        Statement::insert(
            HEAD.into(),
            KINDS.to_vec(),
            vec![row![1_i64, 1_i64, "", b"".as_slice()]],
            "ON CONFLICT DO NOTHING".into(),
        )
        .expecting(1),
        Statement::delete("cells".into(), vec!["id"], vec![Kind::Int], vec![row![1_i64], row![9_i64]]).expecting(2),
    ];
    for statement in fails {
        let what = format!("{statement:?}");
        let outcome = db.write(Area::Views, vec![insert(), statement, insert()]).await;
        assert!(matches!(outcome, Err(StoreError::Fenced)), "{what}: {outcome:?}");
        assert_eq!(number(&db, Area::Views, "SELECT COUNT(*) FROM cells").await, 1, "{what}");
    }
    let answers = db
        .write(
            Area::Views,
            vec![insert(), Statement::new("UPDATE cells SET n = 3 RETURNING id, n", vec![]).expecting(2)],
        )
        .await
        .expect("it is as expected");
    assert_eq!((answers[0].len(), answers[1].len()), (0, 2));
}

async fn a_constraint_that_fails_rolls_everything_back(db: Arc<Db>) {
    make(&db).await;
    let insert = |id: i64| Statement::new("INSERT INTO cells (id) VALUES ($1)", row![id]);
    let outcome = db.write(Area::Views, vec![insert(1), insert(2), insert(1)]).await;
    assert!(matches!(outcome, Err(StoreError::Conflict { .. })), "{outcome:?}");
    let outcome = db.write(Area::Views, vec![insert(1), Statement::new("THIS IS NO SQL", vec![])]).await;
    assert!(matches!(outcome, Err(StoreError::Wrong(_))), "{outcome:?}");
    assert_eq!(all(&db).await, Vec::<Row>::new());
}

async fn texts_are_ordered_bytewise(db: Arc<Db>) {
    make(&db).await;
    let mut words =
        ["b", "B", "a", "\u{e4}", "A", "aa", "a b", "a-b", "_", "Z", "z", "\u{1f980}", "\u{ffee}", "", "1", "10", "2"];
    let lines = words.iter().zip(0_i64..).map(|(word, n)| row![n, n, *word, b"".as_slice()]).collect();
    db.write(Area::Views, vec![Statement::insert(HEAD.into(), KINDS.to_vec(), lines, String::new())])
        .await
        .expect("rows");
    words.sort_unstable();
    let expected: Vec<Row> = words.iter().map(|word| row![*word]).collect();
    assert_eq!(rows(&db, Area::Views, "SELECT t FROM cells ORDER BY t").await, expected);
    let sql = "SELECT t FROM cells WHERE t >= $1 AND t < $2 ORDER BY t";
    let between = db.read(Area::Views, sql, &[Value::from("a"), Value::from("b")]).await.expect("rows");
    assert_eq!(between, [row!["a"], row!["a b"], row!["a-b"], row!["aa"]]);
}

async fn extreme_values_come_back_as_they_were(db: Arc<Db>) {
    make(&db).await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let lines = vec![
        row![i64::MIN, i64::MAX, "", b"".as_slice()],
        row![i64::MAX, i64::MIN, "\u{10ffff}\u{1}\n' $1 ?1 \\", every_byte.as_slice()],
    ];
    let statement = Statement::insert(HEAD.into(), KINDS.to_vec(), lines.clone(), String::new());
    db.write(Area::Views, vec![statement]).await.expect("they are inserted");
    assert_eq!(all(&db).await, lines);
    let sql = "SELECT id, n, t, b FROM cells WHERE b = $1 AND t = $2";
    assert_eq!(db.read(Area::Views, sql, &[lines[1][3].clone(), lines[1][2].clone()]).await.expect("rows"), lines[1..]);
}

async fn a_table_goes_as_it_came(db: Arc<Db>) {
    make(&db).await;
    by_hand(&db, Area::Views, drop_table(&CELLS, "")).await;
    by_hand(&db, Area::Views, drop_table(&CELLS, "")).await;
    let outcome = db.read(Area::Views, "SELECT id FROM cells", &[]).await;
    assert!(matches!(outcome, Err(StoreError::Wrong(_))), "{outcome:?}");
}
