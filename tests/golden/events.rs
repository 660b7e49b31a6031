//! One file per stored event name and version: `events/<name>.v<version>.json`. What has fields that are not always there has
//! further ones, called by the field: `events/<name>.v<version>.<field>.json`.
//!
//! `KEYTRAIL_WRITE_GOLDEN=1 cargo test --test golden` writes those that are missing, from `samples.rs`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Once,
};

use keytrail_domain::{fact::Fact, metadata::Metadata};
use serde::{Deserialize, Serialize};

use crate::samples::samples;

/// A row of the log. Payload and metadata are texts, so that every byte of them counts.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    stream_type: String,
    event_type: String,
    event_version: String,
    payload: String,
    metadata: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/events")
}

fn file_name(event_type: &str, version: &str) -> String {
    format!("{event_type}.v{version}.json")
}

fn is_current(golden: &Golden) -> bool {
    Fact::types().any(|current| current == (golden.event_type.as_str(), golden.event_version.as_str()))
}

/// Every file with its name.
fn files() -> Vec<(String, Golden)> {
    // Tests run side by side; the first one writes.
    static WRITTEN: Once = Once::new();
    WRITTEN.call_once(write_missing);
    let entries = fs::read_dir(folder()).expect("the folder of golden files");
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("an ASCII name").to_owned();
            let golden = serde_json::from_str(&fs::read_to_string(&path).expect("a text"));
            (name.clone(), golden.unwrap_or_else(|reason| panic!("{name} is no golden file: {reason}")))
        })
        .collect();
    files.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert!(!files.is_empty(), "no golden file was found in {}", folder().display());
    files
}

/// Writes what is missing, when asked; what is there is never touched.
#[expect(clippy::disallowed_methods, reason = "whoever runs the test says so in the environment")]
fn write_missing() {
    if std::env::var_os("KEYTRAIL_WRITE_GOLDEN").is_none_or(|value| value != "1") {
        return;
    }
    for (fact, metadata) in samples() {
        let stream_type = fact.name().split('.').next().expect("a stream type");
        let golden = Golden {
            stream_type: stream_type.to_owned(),
            event_type: fact.name().to_owned(),
            event_version: fact.version().to_owned(),
            payload: fact.payload().expect("a payload"),
            metadata: serde_json::to_string(&metadata).expect("metadata"),
        };
        let text = serde_json::to_string_pretty(&golden).expect("JSON") + "\n";
        let path = folder().join(file_name(fact.name(), fact.version()));
        if !path.exists() {
            fs::write(&path, text).expect("the golden file is written");
        }
    }
}

#[test]
fn every_row_ever_written_still_reads() {
    for (file, golden) in files() {
        let fact = Fact::read(&golden.stream_type, &golden.event_type, &golden.event_version, &golden.payload);
        let fact = fact.unwrap_or_else(|reason| panic!("{file} cannot be read any more: {reason:?}"));
        assert_eq!(fact.name(), golden.event_type, "{file} is read as another event");
        let metadata: Result<Metadata, _> = serde_json::from_str(&golden.metadata);
        assert!(metadata.is_ok(), "the metadata of {file} cannot be read any more: {metadata:?}");
    }
}

#[test]
fn a_row_of_a_current_version_is_written_again_byte_for_byte() {
    for (file, golden) in files().into_iter().filter(|(_, golden)| is_current(golden)) {
        let fact = Fact::read(&golden.stream_type, &golden.event_type, &golden.event_version, &golden.payload)
            .unwrap_or_else(|reason| panic!("{file}: {reason:?}"));
        assert_eq!(fact.version(), golden.event_version, "{file}");
        assert_eq!(fact.payload().expect("a payload"), golden.payload, "{file}: give a changed meaning a new version");
        let metadata: Metadata = serde_json::from_str(&golden.metadata).expect("metadata");
        assert_eq!(serde_json::to_string(&metadata).expect("metadata"), golden.metadata, "{file}");
    }
}

#[test]
fn every_event_that_this_build_writes_has_a_file() {
    let there: BTreeSet<String> = files().into_iter().map(|(file, _)| file).collect();
    let missing: Vec<_> =
        Fact::types().map(|(name, version)| file_name(name, version)).filter(|file| !there.contains(file)).collect();
    assert!(missing.is_empty(), "missing: {missing:?}; KEYTRAIL_WRITE_GOLDEN=1 writes them from samples.rs");
}

#[test]
fn every_file_is_called_by_what_it_holds_and_belongs_to_a_known_event() {
    let known: BTreeSet<&str> = Fact::types().map(|(name, _)| name).collect();
    for (file, golden) in files() {
        let whole = file_name(&golden.event_type, &golden.event_version);
        let (stem, field) = match file.trim_end_matches(".json").rsplit_once('.') {
            Some((stem, field)) if file != whole => (format!("{stem}.json"), Some(field)),
            _ => (file.clone(), None),
        };
        assert_eq!(stem, whole, "{file}");
        assert!(
            field.is_none_or(|field| golden.payload.contains(&format!("\"{field}\":"))),
            "{file} has no such field"
        );
        assert!(known.contains(golden.event_type.as_str()), "{file} is of an event that this build does not know");
        assert!(Fact::stream_type(&golden.stream_type).is_some(), "{file} is of an unknown stream");
    }
}

#[test]
fn every_event_that_this_build_writes_has_one_sample() {
    let mut sampled: Vec<_> = samples().iter().map(|(fact, _)| (fact.name(), fact.version())).collect();
    let mut written: Vec<_> = Fact::types().collect();
    sampled.sort_unstable();
    written.sort_unstable();
    assert_eq!(sampled, written);
}

#[test]
fn metadata_with_a_trace_are_written_again_byte_for_byte_and_those_without_have_none() {
    let with = "{\"at\":\"2023-11-14T22:13:20.123456Z\",\"actor\":{\"kind\":\"local\"},\"source\":\"cli\",\
                \"trace\":\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\"}";
    let metadata: Metadata = serde_json::from_str(with).expect("metadata");
    assert_eq!(serde_json::to_string(&metadata).expect("metadata"), with);
    for (file, golden) in files() {
        let metadata: Metadata = serde_json::from_str(&golden.metadata).expect("metadata");
        assert!(metadata.trace.is_none() || golden.metadata.contains("\"trace\""), "{file}");
    }
}
