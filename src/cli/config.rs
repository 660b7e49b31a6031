//! `keytrail config`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use tracing_subscriber::EnvFilter;

use super::{CliError, output};
use crate::{
    boot::{self, BootError},
    config::{self, NO_LINE, Origin, Overrides, default_toml, mistakes, settings},
};

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// What each setting is
    Show {
        /// Say where each comes from
        #[arg(long)]
        origin: bool,
        /// Print JSON, one setting a line
        #[arg(long)]
        json: bool,
    },
    /// Look for mistakes; ends with 2 when there are any
    Check {
        /// Print JSON, one mistake a line
        #[arg(long)]
        json: bool,
    },
    /// Print a file with every setting as it is by default, and what it is
    Default {
        /// Print JSON, one setting a line
        #[arg(long)]
        json: bool,
    },
}

/// Something that keeps a server from starting.
struct Mistake {
    key: Option<String>,
    origin: Option<Origin>,
    text: String,
    suggestion: Option<String>,
}

/// The exit code of a configuration that cannot be used.
const WRONG: u8 = 2;

impl Config {
    pub(super) fn run(self, overrides: &Overrides) -> Result<ExitCode, CliError> {
        match self {
            Self::Show { origin, json } => show(overrides, origin, json),
            Self::Check { json } => check(overrides, json),
            Self::Default { json } => default(json),
        }
    }
}

fn show(overrides: &Overrides, origin: bool, json: bool) -> Result<ExitCode, CliError> {
    let settings = settings(overrides)?;
    if json {
        for setting in settings {
            // A secret that is set is the text `(set)`; everything else is the value itself.
            let value = setting.value.map(|text| serde_json::from_str(&text).unwrap_or_else(|_| json!(text)));
            output::json(&json!({ "key": setting.key, "value": value, "origin": told(&setting.origin) }))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<_> = settings
        .into_iter()
        .map(|setting| {
            let mut row = vec![setting.key.to_owned(), setting.value.unwrap_or_else(|| "(not set)".to_owned())];
            row.extend(origin.then(|| setting.origin.to_string()));
            row
        })
        .collect();
    output::table(if origin { &["key", "value", "origin"] } else { &["key", "value"] }, &rows);
    Ok(ExitCode::SUCCESS)
}

fn told(origin: &Origin) -> serde_json::Value {
    match origin {
        Origin::Default => json!({ "kind": "default" }),
        Origin::File(path, NO_LINE) => json!({ "kind": "file", "path": path.display().to_string(), "line": null }),
        Origin::File(path, line) => json!({ "kind": "file", "path": path.display().to_string(), "line": line }),
        Origin::Variable(name) => json!({ "kind": "variable", "name": name }),
        Origin::Flag(name) => json!({ "kind": "flag", "name": name }),
    }
}

fn check(overrides: &Overrides, json: bool) -> Result<ExitCode, CliError> {
    let found = found(overrides);
    for Mistake { key, origin, text, suggestion } in &found {
        if json {
            let origin = origin.as_ref().map(told);
            output::json(&json!({ "key": key, "origin": origin, "text": text, "suggestion": suggestion }))?;
            continue;
        }
        let mistake = [key.clone(), Some(text.clone())].into_iter().flatten().collect::<Vec<_>>().join(": ");
        let origin = origin.as_ref().map_or_else(String::new, |origin| format!(" ({origin})"));
        let meant = suggestion.as_ref().map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
        output::print(&format!("{mistake}{origin}{meant}"));
    }
    if found.is_empty() && !json {
        output::print("the configuration can be used");
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(WRONG) })
}

fn found(overrides: &Overrides) -> Vec<Mistake> {
    let of_form = mistakes(overrides).into_iter().map(|mistake| Mistake {
        key: mistake.key,
        origin: Some(mistake.origin),
        text: mistake.text,
        suggestion: mistake.suggestion,
    });
    let mut found: Vec<_> = of_form.collect();
    // What has the right form, and cannot be meant all the same.
    let Ok(config) = config::Config::load(overrides) else { return found };
    let settings = settings(overrides).unwrap_or_default();
    let mut wrong = |key: &str, text: String| {
        let origin = settings.iter().find(|setting| setting.key == key).map(|setting| setting.origin.clone());
        found.push(Mistake { key: Some(key.to_owned()), origin, text, suggestion: None });
    };
    let others = [boot::public_address(&config.server).err(), boot::key_folder(&config.ssh_keys).err()];
    for mistake in boot::setting_mistakes(&config.git).into_iter().chain(others.into_iter().flatten()) {
        if let BootError::Setting { key, text } = mistake {
            wrong(key, text);
        }
    }
    if let Err(error) = EnvFilter::try_new(&config.log.level) {
        wrong("log.level", format!("no filter of log lines: {error}"));
    }
    if let Err(error) = boot::root_key_place(&config) {
        wrong("secrets.root_key_file", error.to_string());
    }
    for (is, meant) in config::misspelt_variables() {
        let (text, origin) = ("this variable is not read".to_owned(), Some(Origin::Variable(is)));
        found.push(Mistake { key: None, origin, text, suggestion: Some(meant) });
    }
    found
}

fn default(json: bool) -> Result<ExitCode, CliError> {
    if !json {
        output::print(default_toml().trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let defaults = serde_json::to_value(config::Config::default());
    let defaults = defaults.map_err(|error| CliError::Failed(error.to_string()))?;
    for key in config::KEYS {
        let (section, name) = key.parts();
        let value = defaults[section].get(name);
        output::json(&json!({ "key": key.path, "value": value, "about": key.about, "example": key.example }))?;
    }
    Ok(ExitCode::SUCCESS)
}
