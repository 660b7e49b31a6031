//! A batch survives its columns, columns that do not fit are refused, and a commit takes little room.

use proptest::{collection::vec, option, prelude::*};
use serde_json::Value;
use uuid::Uuid;

use super::{Commit, CommitBatch, CommitSha, Cursor, Event, Places, RefBatch, RefMove};
use crate::{display_text::DisplayText, id::RepositoryId, issue_key::IssueKey, person::PersonId};

fn any_sha() -> impl Strategy<Value = CommitSha> {
    // The null name names no commit.
    any::<[u8; 20]>().prop_filter("null", |sha| *sha != [0; 20]).prop_map(CommitSha)
}

fn any_key() -> impl Strategy<Value = IssueKey> {
    ("[A-C][A-C0-9_]{1,3}", 1..1_000_000_000_000_000_000_u64)
        .prop_map(|(project, number)| IssueKey { project: project.into(), number })
}

fn any_ref() -> impl Strategy<Value = String> {
    "refs/(heads|tags)/([ab]|é|è|漢|汉|😀){0,4}"
}

fn any_commit() -> impl Strategy<Value = Commit> {
    let near = 1_600_000_000..1_600_100_000_i64;
    (
        any_sha(),
        (0..4_u128).prop_map(|id| PersonId(Uuid::from_u128(id))),
        prop_oneof![4 => near.clone(), 1 => any::<i64>()],
        prop_oneof![4 => near, 1 => any::<i64>()],
        "\\PC{0,20}",
        any_ref(),
        vec((any_key(), (0..4_u8).prop_map(Places)), 0..4),
    )
        .prop_map(|(sha, author, authored_at, committed_at, subject, introduced_by, keys)| Commit {
            sha,
            author,
            authored_at,
            committed_at,
            subject: DisplayText::clean(&subject),
            introduced_by: introduced_by.into(),
            keys,
        })
}

fn any_commit_batch() -> impl Strategy<Value = CommitBatch> {
    (any::<(u128, i64, u32, u32, [u8; 20], u64)>(), option::of(any_ref()), vec(any_commit(), 0..12)).prop_map(
        |((repository, number, extractor, generation, sha, walked), default_branch, commits)| CommitBatch {
            repository: RepositoryId(Uuid::from_u128(repository)),
            number,
            extractor,
            cursor: Cursor { generation, sha: CommitSha(sha) },
            walked,
            default_branch: default_branch.map(Into::into),
            commits,
        },
    )
}

fn any_ref_batch() -> impl Strategy<Value = RefBatch> {
    let moved = (any_ref(), option::of(any_sha()), option::of(any_sha()), vec(any_key(), 0..3))
        .prop_map(|(name, from, to, keys)| RefMove { name: DisplayText::clean(&name), from, to, keys });
    (any::<(u128, i64, u32)>(), vec(moved, 0..12), any::<bool>()).prop_map(
        |((repository, number, extractor), mut refs, sorted)| {
            if sorted {
                refs.sort_by(|one, other| one.name.cmp(&other.name));
            }
            RefBatch { repository: RepositoryId(Uuid::from_u128(repository)), number, extractor, refs }
        },
    )
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![any_commit_batch().prop_map(Event::CommitsRecorded), any_ref_batch().prop_map(Event::RefsMoved)]
}

/// One way to spoil the columns.
#[derive(Clone, Debug)]
enum Damage {
    Drop,
    Empty,
    Pop,
    Repeat,
    Replace(Value),
}

fn any_damage() -> impl Strategy<Value = Damage> {
    let value = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        Just(Value::from(u64::MAX)),
        Just(Value::from(1.5)),
        ".{0,8}".prop_map(Value::from),
        Just(serde_json::json!([[]])),
        Just(serde_json::json!([u64::MAX])),
        Just(serde_json::json!([[u64::MAX, 1, 1]])),
    ];
    prop_oneof![
        Just(Damage::Drop),
        Just(Damage::Empty),
        Just(Damage::Pop),
        Just(Damage::Repeat),
        value.prop_map(Damage::Replace),
    ]
}

/// Spoils one column, or one field of the names. Whether anything is different now.
fn spoil(event: &mut Value, column: prop::sample::Index, damage: &Damage) -> bool {
    let before = event.clone();
    let columns = event.as_object_mut().and_then(|event| event.values_mut().next()?.as_object_mut());
    let columns = columns.expect("a batch is an object");
    let name = columns.keys().nth(column.index(columns.len())).expect("in range").clone();
    match (columns.get_mut(&name), damage) {
        (Some(_), Damage::Drop) => drop(columns.remove(&name)),
        (Some(Value::Array(values)), Damage::Empty) => values.clear(),
        (Some(Value::Array(values)), Damage::Pop) => drop(values.pop()),
        (Some(Value::Array(values)), Damage::Repeat) => values.extend(values.last().cloned()),
        (Some(Value::String(text)), Damage::Pop) => drop(text.pop()),
        (Some(Value::String(text)), Damage::Repeat) => *text = text.repeat(2),
        (Some(Value::Object(fields)), Damage::Pop) => fields.values_mut().for_each(|field| {
            drop(field.as_array_mut().and_then(Vec::pop));
        }),
        (Some(value), Damage::Replace(other)) => *value = other.clone(),
        _ => {}
    }
    *event != before
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_batch_survives_the_log(event in any_event()) {
        let text = serde_json::to_string(&event).expect("JSON");
        let read: Event = serde_json::from_str(&text).expect("what was written");
        prop_assert_eq!(&read, &event);
        prop_assert_eq!(serde_json::to_string(&read).expect("JSON"), text.clone());
        // Upcasters read by way of a value.
        let value: Value = serde_json::from_str(&text).expect("JSON");
        prop_assert_eq!(serde_json::from_value::<Event>(value).expect("what was written"), event);
    }

    #[test]
    fn spoiled_columns_are_an_error_or_another_batch_and_never_a_panic(
        event in any_event(), column: prop::sample::Index, damage in any_damage()
    ) {
        let mut value = serde_json::to_value(&event).expect("JSON");
        if spoil(&mut value, column, &damage) && let Ok(read) = serde_json::from_value::<Event>(value) {
            // What is still a batch is one that survives, too.
            let again = serde_json::to_string(&read).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<Event>(&again).expect("what was written"), read);
        }
    }

    #[test]
    fn a_name_of_a_commit_survives_its_text(sha: [u8; 20]) {
        let text = CommitSha(sha).to_string();
        prop_assert_eq!(text.parse(), Ok(CommitSha(sha)));
        prop_assert_eq!(text.to_uppercase().parse(), Ok(CommitSha(sha)));
    }

    #[test]
    fn any_other_text_names_no_commit(text in "\\PC{0,42}|[0-9a-g]{39,41}|é{20}") {
        let hexadecimal = text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        prop_assert_eq!(text.parse::<CommitSha>().is_ok(), hexadecimal);
    }
}

fn refs_payload(fields: &str) -> Result<Event, serde_json::Error> {
    let repository = Uuid::from_u128(1);
    serde_json::from_str(&format!(
        r#"{{"refs_moved":{{"repository":"{repository}","number":5,"extractor":1,{fields}}}}}"#
    ))
}

#[test]
fn columns_of_refs_that_do_not_fit_are_refused_with_the_reason() {
    let sha = "A".repeat(27);
    for (names, to, keys, reason) in [
        (r#""shared":[0],"rest":["a"]"#, sha.as_str(), "[]", None),
        (r#""shared":[0],"rest":["a"]"#, "", "[]", Some("lengths differ")),
        (r#""shared":[1],"rest":["a"]"#, &sha, "[]", Some("a name shares more than there is")),
        (r#""shared":[0,1],"rest":["é","a"]"#, &sha, "[]", Some("a name shares more than there is")),
        (r#""shared":[0,0],"rest":["a"]"#, &sha, "[]", Some("differ in number")),
        (r#""shared":[0],"rest":["a"]"#, &sha, "[[1,0,1]]", Some("no such ref")),
        (r#""shared":[0],"rest":["a"]"#, &sha, "[[0,1,1]]", Some("no such project")),
        (r#""shared":[0],"rest":["a"]"#, "AAAA", "[]", Some("20 bytes each")),
    ] {
        let read = refs_payload(&format!(r#""names":{{{names}}},"to":"{to}","projects":["KAFKA"],"keys":{keys}"#));
        match reason {
            None => assert!(read.is_ok(), "{read:?}"),
            Some(reason) => {
                let refused = read.expect_err(reason).to_string();
                assert!(refused.contains(reason), "{refused}");
            }
        }
    }
}

fn realistic_batch() -> CommitBatch {
    let names = ["kafka", "streams", "connect", "core", "clients"];
    let commit = |row: u64| {
        // A cheap scatter, so that names of commits do not compress.
        let mut scatter = row;
        let sha = [0; 20].map(|_: u8| {
            scatter = scatter.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (scatter >> 56) as u8
        });
        let at = 1_500_000_000 + row as i64 * 7_919;
        Commit {
            sha: CommitSha(sha),
            author: PersonId(Uuid::from_u128(0xfeed_0000_0000_8000_8000_0000_0000_0000 + u128::from(row % 150))),
            authored_at: if row.is_multiple_of(3) { at - 86_400 } else { at },
            committed_at: at,
            subject: DisplayText::clean(&format!(
                "{:.<60}",
                format!("KAFKA-{}: Repair the \"{}\"", 10_000 + row, names[row as usize % 5])
            )),
            introduced_by: if row.is_multiple_of(9) { "refs/heads/3.9".into() } else { "refs/heads/trunk".into() },
            keys: vec![(IssueKey { project: "KAFKA".into(), number: 10_000 + row }, Places::SUBJECT)],
        }
    };
    CommitBatch {
        repository: RepositoryId(Uuid::from_u128(1)),
        number: 12,
        extractor: 1,
        cursor: Cursor { generation: 1_000, sha: CommitSha([7; 20]) },
        walked: 1_300,
        default_branch: Some("refs/heads/trunk".into()),
        commits: (0..1_000).map(commit).collect(),
    }
}

#[test]
fn a_commit_takes_less_than_190_bytes() {
    let batch = realistic_batch();
    assert!(batch.commits.iter().all(|commit| commit.subject.as_str().len() == 60));
    let payload = serde_json::to_string(&Event::CommitsRecorded(batch)).expect("JSON");
    assert!(payload.len() < 190 * 1_000, "{} bytes a commit", payload.len() / 1_000);
}

fn commits_payload() -> Value {
    let mut batch = realistic_batch();
    batch.commits.truncate(2);
    serde_json::to_value(Event::CommitsRecorded(batch)).expect("JSON")
}

#[test]
fn columns_of_commits_that_do_not_fit_are_refused_with_the_reason() {
    for (column, value, reason) in [
        ("author", serde_json::json!([0]), "lengths differ"),
        ("author", serde_json::json!([0, 9]), "no such person"),
        ("introduced_by", serde_json::json!([0, 9]), "no such ref"),
        ("projects", serde_json::json!([]), "no such project"),
        ("key_count", serde_json::json!([1, 2]), "candidates are missing"),
        ("key_count", serde_json::json!([u64::MAX, 1]), "candidates are missing"),
        ("key_count", serde_json::json!([1, 0]), "candidates are left over"),
        ("cursor", serde_json::json!(""), "one cursor is wanted"),
        ("commits", serde_json::json!("ÿ"), "Invalid symbol"),
    ] {
        let mut payload = commits_payload();
        payload["commits_recorded"][column] = value;
        let refused = serde_json::from_value::<Event>(payload).expect_err(reason).to_string();
        assert!(refused.contains(reason), "{column}: {refused}");
    }
    assert!(serde_json::from_value::<Event>(commits_payload()).is_ok());
}

#[test]
fn a_ref_that_named_the_null_commit_is_read_as_naming_none() {
    let null = Some(CommitSha([0; 20]));
    let moved = RefMove { name: DisplayText::clean("refs/heads/a"), from: null, to: null, keys: Vec::new() };
    let batch = RefBatch { repository: RepositoryId(Uuid::from_u128(1)), number: 5, extractor: 1, refs: vec![moved] };
    let text = serde_json::to_string(&batch).expect("JSON");
    let read: RefBatch = serde_json::from_str(&text).expect("what was written");
    assert_eq!((read.refs[0].from, read.refs[0].to), (None, None));
    assert_eq!(serde_json::to_string(&read.refs[0].name).expect("JSON"), r#""refs/heads/a""#);
}

#[test]
fn places_are_a_set() {
    let both = Places::SUBJECT.and(Places::BODY);
    assert!(both.contains(Places::SUBJECT) && both.contains(Places::BODY));
    assert!(!Places::BODY.contains(Places::SUBJECT) && Places::BODY.contains(Places::default()));
    assert_eq!(serde_json::to_string(&both).expect("JSON"), "3");
}
