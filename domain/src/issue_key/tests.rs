//! The grammar, against a slow and obvious reading of itself, and at its bounds.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{DENIED_PROJECTS, Found, IssueKey, Letters, MAX_BYTES, MAX_KEYS, MAX_PROJECT, NotAKey, scan};

fn keys(text: &str, letters: Letters) -> Vec<String> {
    scan(text, letters).keys.iter().map(|(key, _)| key.to_string()).collect()
}

fn upper(text: &str) -> Vec<String> {
    keys(text, Letters::Upper)
}

fn any_case(text: &str) -> Vec<String> {
    keys(text, Letters::AnyCase)
}

#[test]
fn a_key_is_a_project_a_hyphen_and_a_number() {
    for (text, expected) in [
        ("KAFKA-1: fix", &["KAFKA-1"][..]),
        ("(A1-2)[B_2-3]", &["A1-2", "B_2-3"]),
        ("A-1 A_-1", &["A_-1"]),
        ("JRA-0 JRA-01 JRA- JRA--1 -1 JRA-x", &[]),
        ("JRA-999999999999999999 JRA-1000000000000000000", &["JRA-999999999999999999"]),
        ("JRA-1.2 JRA-3.", &["JRA-1", "JRA-3"]),
        ("JRA-1 then JRA-2 then JRA-1", &["JRA-1", "JRA-2"]),
    ] {
        assert_eq!(upper(text), expected, "{text}");
    }
}

#[test]
fn a_neighbour_is_neither_letter_nor_digit_of_any_script() {
    for text in ["xJRA-1", "1JRA-1", "éJRA-1", "漢JRA-1", "٣JRA-1", "JRA-1x", "JRA-1é", "JRA-1漢", "JRA-1٣"] {
        assert_eq!(upper(text), [""; 0], "{text}");
        assert_eq!(any_case(&text.replace('x', "é")), [""; 0], "{text}");
    }
    for text in ["_JRA-1", "__JRA-1_", "1_JRA-1", "é_JRA-1", "-JRA-1-", "😀JRA-1😀", "\u{feff}JRA-1\0", "«JRA-1»"]
    {
        assert_eq!(upper(text), ["JRA-1"], "{text}");
        assert_eq!(any_case(text), ["JRA-1"], "{text}");
    }
}

#[test]
fn lower_case_counts_only_where_any_case_does() {
    for text in ["jra-1", "Jra-1", "jRA-1"] {
        assert_eq!(upper(text), [""; 0], "{text}");
        assert_eq!(any_case(text), ["JRA-1"], "{text}");
    }
    assert_eq!(any_case("refs/heads/feature/jra-1-and-JRA-1"), ["JRA-1"]);
}

#[test]
fn a_word_in_lower_case_before_an_underscore_is_no_part_of_a_project_in_upper_case() {
    assert_eq!(upper("bugfix_JRA-1"), ["JRA-1"]);
    assert_eq!(any_case("bugfix_JRA-1"), ["JRA-1"]);
    // Nothing tells it from a project with an underscore.
    assert_eq!(any_case("bugfix_jra-1"), ["BUGFIX_JRA-1"]);
    assert_eq!(upper("BUGFIX_JRA-1"), ["BUGFIX_JRA-1"]);
}

#[test]
fn a_key_is_found_where_it_stands_first() {
    let found = scan("é JRA-1, _B2-3, JRA-1", Letters::Upper);
    assert_eq!(found.keys.iter().map(|(_, at)| *at).collect::<Vec<_>>(), [3, 11]);
    assert!(!found.bounded);
}

#[test]
fn the_longest_project_has_255_characters() {
    let longest = "A".repeat(MAX_PROJECT);
    assert_eq!(upper(&format!("{longest}-1")), [format!("{longest}-1")]);
    assert_eq!(upper(&format!("Z_{longest}-1")), [format!("{longest}-1")]);
    assert_eq!(upper(&format!("A{longest}-1")), [""; 0]);
    assert!(format!("{longest}-1").parse::<IssueKey>().is_ok());
    assert!(format!("A{longest}-1").parse::<IssueKey>().is_err());
}

#[test]
fn of_ten_thousand_keys_the_first_five_hundred_are_taken() {
    let text: String = (1..=10_000).map(|number| format!("K{number}-1 ")).collect();
    let found = scan(&text, Letters::Upper);
    assert!(found.bounded);
    assert_eq!(found.keys.len(), MAX_KEYS);
    assert_eq!(found.keys[MAX_KEYS - 1].0.to_string(), "K500-1");
    // The same keys again meet no bound.
    let text: String = (0..1_000).map(|number| format!("K{}-1 ", number % MAX_KEYS)).collect();
    assert_eq!((scan(&text, Letters::Upper).keys.len(), scan(&text, Letters::Upper).bounded), (MAX_KEYS, false));
}

#[test]
fn at_most_64_kib_are_scanned_and_no_key_is_cut() {
    let padding = |length| ".".repeat(length);
    for (text, expected, bounded) in [
        (padding(MAX_BYTES - 5) + "JRA-1", &["JRA-1"][..], false),
        (padding(MAX_BYTES - 5) + "JRA-1 ", &["JRA-1"], true),
        (padding(MAX_BYTES - 5) + "JRA-12", &[], true),
        (padding(MAX_BYTES - 5) + "JRA-1é", &[], true),
        (padding(MAX_BYTES - 4) + "JRA-1", &[], true),
        (padding(MAX_BYTES - 3) + "JRA-1", &[], true),
        (padding(MAX_BYTES - 6) + "JRA-1é", &[], true),
        (padding(MAX_BYTES - 7) + "JRA-1.é", &["JRA-1"], true),
    ] {
        assert_eq!(
            (upper(&text), scan(&text, Letters::Upper).bounded),
            (to_vec(expected), bounded),
            "{}",
            &text[65_520..]
        );
    }
}

fn to_vec(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

#[test]
fn nobody_makes_the_scan_slow() {
    let shapes = ["A-", "A", "A_", "AB-1", "AB-1 ", "-", "1-", "_", "A9-99999999999999999", "é-"];
    let started = Instant::now();
    for shape in shapes {
        let text = shape.repeat(100_000);
        for letters in [Letters::Upper, Letters::AnyCase] {
            assert!(scan(&text, letters).bounded, "{shape}");
        }
        assert_eq!(text.parse::<IssueKey>(), Err(NotAKey));
    }
    // Milliseconds in fact; a quadratic scan would take minutes.
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_people_type_is_the_whole_key() {
    for text in ["kafka-1", "KAFKA-1", "Kafka-1"] {
        assert_eq!(text.parse::<IssueKey>().expect("a key").to_string(), "KAFKA-1");
    }
    // A typed key is the whole text, so no shorter reading is meant.
    assert_eq!("my_TEAM-1".parse::<IssueKey>().expect("a key").to_string(), "MY_TEAM-1");
    for text in ["", "-", "A-1", "JRA", "JRA-", "-1", " JRA-1", "JRA-1 ", "JRA-1-2", "JRA-1x", "_JRA-1", "1JRA-1"] {
        assert_eq!(text.parse::<IssueKey>(), Err(NotAKey), "{text}");
    }
    for text in ["JRA-0", "JRA-01", "JRA-+1", "JRA-１", "ÄBC-1", "JRA-1000000000000000000", "JRA\0-1"] {
        assert_eq!(text.parse::<IssueKey>(), Err(NotAKey), "{text}");
    }
}

#[test]
fn denied_projects_are_projects_in_order() {
    assert!(DENIED_PROJECTS.is_sorted());
    for project in DENIED_PROJECTS {
        assert_eq!(upper(&format!("{project}-1")), [format!("{project}-1")]);
    }
}

/// The grammar read forwards, one character at a time, without a thought for speed.
fn slow_scan(text: &str, letters: Letters) -> Found {
    let characters: Vec<(usize, char)> = text.char_indices().collect();
    let at = |index: usize| characters.get(index).map(|(_, character)| *character);
    let matches_in = |upper_only: bool| {
        // By the place of the hyphen: the leftmost beginning is found first and kept.
        let mut by_hyphen = std::collections::BTreeMap::new();
        for (start, &(start_byte, first)) in characters.iter().enumerate() {
            let in_project = |character: char| match character {
                'a'..='z' => !upper_only,
                'A'..='Z' | '0'..='9' | '_' => true,
                _ => false,
            };
            let neighbour = start.checked_sub(1).and_then(at);
            if !in_project(first) || !first.is_ascii_alphabetic() || neighbour.is_some_and(char::is_alphanumeric) {
                continue;
            }
            let mut hyphen = start;
            while at(hyphen).is_some_and(in_project) {
                hyphen += 1;
            }
            let mut end = hyphen + 1;
            while at(end).is_some_and(|character| character.is_ascii_digit()) {
                end += 1;
            }
            let digits: String = (hyphen + 1..end).filter_map(at).collect();
            let fits = at(hyphen) == Some('-') && (2..=255).contains(&(hyphen - start)) && digits.len() <= 18;
            if fits && !digits.is_empty() && !digits.starts_with('0') && !at(end).is_some_and(char::is_alphanumeric) {
                let project: String = (start..hyphen).filter_map(at).collect();
                by_hyphen.entry(hyphen).or_insert((project.to_uppercase(), digits, start_byte));
            }
        }
        by_hyphen
    };
    let mut by_hyphen = if letters == Letters::Upper { Default::default() } else { matches_in(false) };
    by_hyphen.extend(matches_in(true));
    let mut found = Found::default();
    for (project, digits, start) in by_hyphen.into_values() {
        let key = IssueKey { project: project.into(), number: digits.parse().expect("18 digits") };
        if found.keys.iter().any(|(known, _)| *known == key) {
            continue;
        }
        if found.keys.len() == MAX_KEYS {
            found.bounded = true;
        } else {
            found.keys.push((key, start));
        }
    }
    found
}

/// Texts in which keys nearly stand everywhere.
fn rich_text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "([A-C]{1,3}|[a-c]{1,2}|_|__|-|--|[0-9]{1,2}| |/|é|Ä|漢|１|²|\u{301}|\\PC){0,60}",
        4 => "([A-Za-z_é ]{0,3}[A-Z][A-Z0-9_]{0,3}-[0-9]{1,3}[ _a\\-é,.]{0,2}){0,20}",
        1 => "[A_]{250,260}-1|AB-[0-9]{15,22}|(Q_)?[AB]{253,257}-[12]",
        1 => any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_scan_finds_what_the_slow_reading_finds(text in rich_text()) {
        for letters in [Letters::Upper, Letters::AnyCase] {
            prop_assert_eq!(scan(&text, letters), slow_scan(&text, letters), "{:?} in {:?}", letters, text);
        }
    }

    #[test]
    fn any_case_finds_all_that_upper_case_finds(text in rich_text()) {
        let (upper, any) = (upper(&text), any_case(&text));
        prop_assert!(upper.iter().all(|key| any.contains(key)), "{:?} but {:?} in {:?}", upper, any, text);
    }

    #[test]
    fn a_key_survives_its_text(project in "[A-Z][A-Z0-9_]{1,254}", number in 1..1_000_000_000_000_000_000_u64) {
        let key = IssueKey { project: project.into(), number };
        let text = key.to_string();
        prop_assert_eq!(text.parse::<IssueKey>(), Ok(key.clone()));
        prop_assert_eq!(text.to_lowercase().parse::<IssueKey>(), Ok(key.clone()));
        prop_assert_eq!(scan(&text, Letters::Upper).keys, vec![(key, 0)]);
    }

    #[test]
    fn a_text_that_is_a_key_is_found_as_that_key(text in "\\PC{0,12}|[A-Za-z_]{1,4}-[0-9]{1,4}|[A-Z_]{1,4}-[0-9]{1,20}") {
        match text.parse::<IssueKey>() {
            Ok(key) => {
                prop_assert_eq!(key.to_string(), text.to_ascii_uppercase());
                prop_assert_eq!(scan(&key.to_string(), Letters::Upper).keys, vec![(key, 0)]);
            }
            Err(NotAKey) => {
                let whole = |(key, at): &(IssueKey, usize)| *at == 0 && key.to_string().len() == text.len();
                prop_assert!(!scan(&text, Letters::AnyCase).keys.iter().any(whole));
            }
        }
    }
}
