//! The archive that `keytrail doctor --bundle` writes: what somebody who helps from afar needs, and nothing that names a
//! person, a thing or a place, or lets anybody in. Whatever is not known to be harmless is left out.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Map, Value, json};

use super::{CliError, client::Client, doctor::Finding};
use crate::{
    config::{Config, for_others},
    doctor::places::Places,
};

/// What a reader finds first.
const README: &str = "A support archive of Keytrail.\n\n\
    findings.json       what the doctor found, without the things that it names\n\
    configuration.json  the settings; what names places or machines is only counted\n\
    server.json         versions, views, positions, jobs, events by type, sizes of tables; only if a server answered\n\
    metrics.txt         the metrics of a running server\n\
    log.jsonl           the last lines of its log, without what may name a thing; only if they are in a file;\n\
    \x20                   of what a library wrote only when, how bad, and which\n\n\
    There is no payload of an event in it, no name, no address, no key, no token and no password.\n";
/// The end of the log that is looked at.
const LOG_BYTES: u64 = 512 << 10;
/// Fields of a log line whose values are words of ours, figures or ids.
const KEPT: &[&str] = &[
    "timestamp",
    "level",
    "target",
    "request_id",
    "trace_id",
    "method",
    "status",
    "micros",
    "view",
    "kind",
    "attempts",
    "code",
    "position",
    "engine",
    "name",
    "commands",
    "outcome",
];
/// Fields that are kept of a line that another library wrote.
const KEPT_OF_OTHERS: &[&str] = &["timestamp", "level", "target"];

/// An archive in the making.
pub(super) struct Archive {
    files: Vec<(&'static str, String)>,
    places: Places,
    /// Of a server elsewhere: its findings in its own words, which name no place of its machine.
    elsewhere: Option<Value>,
}

impl Archive {
    /// With what is known without a server.
    pub(super) fn new(config: &Config) -> Self {
        let mut files = vec![("README.txt", README.to_owned())];
        let elsewhere = config.reach.server.as_ref().map(|_| Value::Null);
        // The settings of this machine say nothing of a server elsewhere.
        if elsewhere.is_none() {
            files.push(("configuration.json", pretty(&json!(for_others(config)))));
        }
        Self { files, places: Places::of(config), elsewhere }
    }

    /// That nothing is at the place.
    pub(super) fn refuse_to_replace(file: &Path) -> Result<(), CliError> {
        if file.symlink_metadata().is_ok() {
            let detail = format!("{} is there already, and nothing is overwritten: give another name", file.display());
            return Err(CliError::Input(detail));
        }
        Ok(())
    }

    /// What a server tells, its metrics and the end of its log; `process` is its id if it is not of this command. What cannot
    /// be had is said instead.
    pub(super) async fn server(&mut self, client: &Client, process: Option<u32>) {
        let told: Result<Value, _> = client.get("/api/v1/doctor/support", &[]).await;
        let told = told.map(|mut told| {
            for finding in told["findings"].as_array_mut().into_iter().flatten() {
                let sentence = self.cleaned(finding["sentence"].as_str().unwrap_or_default());
                finding["sentence"] = sentence.into();
            }
            // Its own settings; this command may have others.
            self.files.retain(|(name, _)| *name != "configuration.json");
            self.files.push(("configuration.json", pretty(&told["configuration"])));
            if let Some(findings) = &mut self.elsewhere {
                findings.clone_from(&told["findings"]);
            }
            pretty(&told)
        });
        self.files.push(("server.json", told.unwrap_or_else(|_| "the server did not tell\n".to_owned())));
        let metrics = client.text("/metrics").await;
        let metrics =
            metrics.unwrap_or_else(|_| "the server did not tell them; one of this command counts nothing\n".to_owned());
        self.files.push(("metrics.txt", without_places(&metrics)));
        self.files.push(("log.jsonl", self.log(process)));
    }

    /// What was found, without the things that it names.
    pub(super) fn findings(&mut self, findings: &[Finding]) -> Result<(), CliError> {
        match &self.elsewhere {
            None => {}
            Some(Value::Null) => {
                let why = "the server told what it found, but not without its places; ask it again for the archive";
                return Err(CliError::Failed(why.into()));
            }
            Some(told) => {
                self.files.push(("findings.json", pretty(told)));
                return Ok(());
            }
        }
        let brief = |found: &Finding| {
            json!({
                "subject": found.subject,
                "id": found.id,
                "state": found.state,
                "sentence": self.cleaned(&found.sentence),
                "details": found.details.len(),
            })
        };
        let all: Vec<_> = findings.iter().map(brief).collect();
        self.files.push(("findings.json", pretty(&json!(all))));
        Ok(())
    }

    /// Writes it, for its owner only.
    pub(super) fn write(mut self, file: &Path) -> Result<(), CliError> {
        self.files.sort_by_key(|(name, _)| *name);
        let write = |source| CliError::System { what: "write the archive", source };
        let out = File::options().write(true).create_new(true).mode(0o600).open(file).map_err(write)?;
        self.pack(out).map_err(|source| {
            // Half of it says nothing, and would be in the way of the next.
            let _ = fs::remove_file(file);
            write(source)
        })
    }

    fn pack(&self, out: File) -> io::Result<()> {
        let mut tar = tar::Builder::new(GzEncoder::new(out, Compression::default()));
        for (name, content) in &self.files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o600);
            tar.append_data(&mut header, format!("keytrail-support/{name}"), content.as_bytes())?;
        }
        let mut file = tar.into_inner().and_then(GzEncoder::finish)?;
        file.flush().and(file.sync_all())
    }

    /// The last lines of the log of the server that runs, if they go to a file.
    fn log(&self, process: Option<u32>) -> String {
        let not_there =
            |why: &str| format!("{}\n", json!({ "message": format!("there are no log lines here: {why}") }));
        let Some(process) = process else {
            let why = if self.elsewhere.is_some() { "the server is elsewhere" } else { "no server runs" };
            return not_there(why);
        };
        let path = PathBuf::from(format!("/proc/{process}/fd/2"));
        let is_file = fs::metadata(&path).is_ok_and(|found| found.is_file());
        if !is_file {
            return not_there("the server does not write them to a file; look at its journal or its terminal");
        }
        let mut end = Vec::new();
        let read = File::open(&path).and_then(|mut file| {
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES)))?;
            file.take(LOG_BYTES).read_to_end(&mut end)
        });
        if read.is_err() {
            return not_there("the file cannot be read");
        }
        let text = String::from_utf8_lossy(&end);
        let (mut lines, mut left_out) = (String::new(), 0);
        for line in text.lines() {
            match serde_json::from_str::<Map<String, Value>>(line) {
                Ok(line) => lines += &format!("{}\n", Value::Object(self.kept(&line))),
                Err(_) => left_out += 1,
            }
        }
        lines + &format!("{}\n", json!({ "lines_left_out_that_are_no_json": left_out }))
    }

    /// What may be kept of a log line: its message without what may name a thing, and fields of closed lists. What others
    /// than us say follows no rule of ours: it is left out.
    fn kept(&self, line: &Map<String, Value>) -> Map<String, Value> {
        let mut kept = self.kept_of_ours(line);
        if !line.get("target").and_then(Value::as_str).is_some_and(is_ours) {
            kept.retain(|name, _| KEPT_OF_OTHERS.contains(&name.as_str()));
        }
        kept
    }

    fn kept_of_ours(&self, line: &Map<String, Value>) -> Map<String, Value> {
        let mut kept = Map::new();
        for (name, value) in line {
            match value {
                Value::String(message) if name == "message" => {
                    kept.insert(name.clone(), self.cleaned(message).into());
                }
                Value::Object(span) if name == "span" => {
                    kept.insert(name.clone(), self.kept_of_ours(span).into());
                }
                Value::String(text) if KEPT.contains(&name.as_str()) => {
                    kept.insert(name.clone(), self.cleaned(text).into());
                }
                Value::Number(_) | Value::Bool(_) if KEPT.contains(&name.as_str()) => {
                    kept.insert(name.clone(), value.clone());
                }
                _ => {}
            }
        }
        kept
    }

    /// The text without known places, and without words that look like an address, a token, a key or a quotation.
    fn cleaned(&self, text: &str) -> String {
        let placed = self.places.hidden_in(text);
        let mut quoted = false;
        let words = placed.split(' ').map(|word| {
            // What stands in quotation marks comes from somewhere.
            let marks = word.matches('"').count();
            let inside = quoted || marks > 0;
            quoted ^= marks % 2 == 1;
            if inside || is_telling(word) { "(removed)" } else { word }
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

/// Whether code of ours wrote a line: where it stands is its target.
fn is_ours(target: &str) -> bool {
    let name = target.split("::").next().unwrap_or_default();
    ["keytrail", "keytrail_domain", "keytrail_projections"].contains(&name)
}

/// Whether a word may be an address, a token or a key.
fn is_telling(word: &str) -> bool {
    const LONG: usize = 32;
    let plain = word.trim_matches(|c: char| !c.is_alphanumeric());
    let is_id = uuid::Uuid::try_parse(plain).is_ok();
    let dense = plain.len() >= LONG && plain.chars().all(|c| c.is_ascii_alphanumeric() || "+/=_-".contains(c));
    word.contains('@')
        || word.contains("kt_")
        || word.contains("://") && plain.len() > 8
        || dense && !is_id && has_digits(plain)
}

/// Metrics without what their labels say of machines and organisations.
fn without_places(metrics: &str) -> String {
    let mut shown = metrics.to_owned();
    for label in ["host=\"", "installation=\""] {
        let mut parts = shown.split(label);
        let mut hidden = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let rest = part.split_once('"').map_or("", |(_, rest)| rest);
            hidden += &format!("{label}(removed)\"{rest}");
        }
        shown = hidden;
    }
    shown
}

/// Words of ours are long now and then, and have no digits.
fn has_digits(word: &str) -> bool {
    word.chars().filter(char::is_ascii_digit).count() > 2
}

fn pretty(value: &Value) -> String {
    // A value is JSON.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive() -> Archive {
        let mut config = Config::default();
        config.store.folder = "/srv/annes data".into();
        Archive::new(&config)
    }

    #[test]
    fn words_that_may_name_somebody_or_let_somebody_in_are_removed() {
        let archive = archive();
        for (is, becomes) in [
            ("/srv/annes data/caches is full", "(data folder)/caches is full"),
            ("from ann@example.org to https://u:p@host/x", "from (removed) to (removed)"),
            ("the token kt_3fA9xyz, it ended", "the token (removed) it ended"),
            ("key 4bf92f3577b34da6a3ce929d0e0e4736ffff is", "key (removed) is"),
            ("run 0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b failed", "run 0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b failed"),
            ("the folder \"my secret place\" is not there", "the folder (removed) (removed) (removed) is not there"),
            ("http:// shows passwords", "http:// shows passwords"),
        ] {
            assert_eq!(archive.cleaned(is), becomes);
        }
    }

    #[test]
    fn metrics_name_no_machine_and_no_organisation() {
        let metrics = "a{host=\"canary.example\",installation=\"71\"} 1\nb{view=\"x\"} 2\nc{host=\"canary\"} 3\n";
        let hidden = "a{host=\"(removed)\",installation=\"(removed)\"} 1\nb{view=\"x\"} 2\nc{host=\"(removed)\"} 3\n";
        assert_eq!(without_places(metrics), hidden);
    }

    #[test]
    fn of_a_log_line_only_what_is_known_to_be_harmless_is_kept() {
        let line = json!({ "level": "WARN", "target": "keytrail::jobs::runner", "message": "a job will be tried again",
            "error": "canary", "key": "canary",
            "span": { "name": "request", "path": "/api/v1/issues/CANARY-1", "status": 200 } });
        let kept = Value::Object(archive().kept(line.as_object().expect("an object"))).to_string();
        assert!(
            !kept.to_lowercase().contains("canary") && kept.contains("tried again") && kept.contains("200"),
            "{kept}"
        );
    }

    #[test]
    fn what_a_library_says_is_left_out_however_harmless_it_looks() {
        for target in ["hyper_util::client", "keytrailer::x", "", "canary"] {
            let line = json!({ "timestamp": "2026-11-21T06:00:00Z", "level": "ERROR", "target": target,
                "message": "cannot talk to canary", "name": "canary", "status": 7,
                "span": { "name": "canary", "request_id": "canary" } });
            let kept = archive().kept(line.as_object().expect("an object"));
            let wanted = json!({ "timestamp": "2026-11-21T06:00:00Z", "level": "ERROR", "target": target });
            assert_eq!(Value::Object(kept), wanted);
        }
        let nobodys = json!({ "level": "WARN", "message": "canary" });
        assert_eq!(Value::Object(archive().kept(nobodys.as_object().expect("an object"))), json!({ "level": "WARN" }));
        for target in ["keytrail", "keytrail::http::edge", "keytrail_domain::policy"] {
            assert!(is_ours(target), "{target}");
        }
    }
}
