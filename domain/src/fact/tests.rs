//! What of a stored row can be read, and what is said of the rest.

use std::collections::HashSet;

use super::{Fact, Unreadable};
use crate::integration;

fn read(stream: &str, event: &str, version: &str, payload: &str) -> Result<Fact, Unreadable> {
    Fact::read(stream, event, version, payload)
}

#[test]
fn a_fact_is_read_as_it_was_written() {
    let fact = Fact::Integration(integration::Event::Paused {});
    let payload = fact.payload().expect("JSON");
    assert_eq!(payload, r#"{"paused":{}}"#);
    assert_eq!(read("integration", fact.name(), fact.version(), &payload).expect("what was written"), fact);
}

#[test]
fn what_a_newer_build_wrote_is_named_so() {
    for (stream, event, version) in [
        ("integration", "integration.paused", "2"),
        ("integration", "integration.dreamt", "1"),
        ("dream", "integration.paused", "1"),
        ("repository", "integration.paused", "1"),
    ] {
        let refused = read(stream, event, version, r#"{"paused":{}}"#).expect_err("no such event");
        assert!(matches!(refused, Unreadable::Future { .. }), "{refused}");
    }
}

#[test]
fn what_has_another_shape_is_malformed() {
    for payload in ["", "{", "null", r#"{"paused":null}"#, r#"{"added":{}}"#, r#"{"resumed":{}}"#] {
        let refused = read("integration", "integration.paused", "1", payload).expect_err("no such shape");
        assert!(matches!(refused, Unreadable::Malformed { .. }), "{payload}: {refused}");
    }
}

#[test]
fn stored_names_are_unique_and_begin_with_their_stream() {
    let types: Vec<_> = Fact::types().collect();
    assert_eq!(types.iter().map(|(name, _)| name).collect::<HashSet<_>>().len(), types.len());
    for (name, version) in types {
        let stream = name.split_once('.').map(|(stream, _)| stream);
        assert!(stream.and_then(Fact::stream_type).is_some(), "{name}");
        assert!(version.parse::<u32>().is_ok_and(|version| version > 0), "{name} version {version}");
    }
    assert_eq!(Fact::stream_type("dream"), None);
}
