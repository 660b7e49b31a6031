//! Where each value of the configuration comes from. Called by `keytrail config show` and for support archives.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use figment::value::Value;
use toml::de::{DeTable, DeValue};

use super::{
    Config, ConfigError, Overrides, environment, file_of,
    keys::{Key, Shown, values, written},
};

/// Where a value comes from; later ones win.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A file, and the line in it.
    File(PathBuf, usize),
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "the variable {name}"),
            Self::Flag(name) => write!(f, "the flag {name}"),
        }
    }
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// `section.key`
    pub key: &'static str,
    /// As TOML and JSON write it; `(set)` of what nobody may see; nothing when it is not set.
    pub value: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
}

/// The configuration that these flags lead to, value by value.
pub fn settings(overrides: &Overrides) -> Result<Vec<Setting>, ConfigError> {
    let config = Config::load(overrides)?;
    let file = file_of(overrides);
    // It was just read, if it is there.
    let lines = fs::read_to_string(&file).ok().and_then(|text| lines_of(&text).ok()).unwrap_or_default();
    let variables = environment();
    let origin = |key: &Key| {
        if let Some(flag) = flag_of(overrides, key.path) {
            return Origin::Flag(flag);
        }
        if let Some((name, _)) = variables.iter().find(|(name, _)| sets(name, key)) {
            return Origin::Variable(name.clone());
        }
        lines.get(key.path).map_or(Origin::Default, |line| Origin::File(file.clone(), *line))
    };
    let setting = |(key, value): (&'static Key, Option<Value>)| Setting {
        key: key.path,
        value: value.map(|value| match key.shown {
            Shown::Plainly | Shown::Here => written(&value),
            Shown::Never => "(set)".to_owned(),
        }),
        origin: origin(key),
    };
    Ok(values(&config).into_iter().map(setting).collect())
}

/// A configuration for others to see: without what names places or machines.
pub fn for_others(config: &Config) -> BTreeMap<&'static str, String> {
    let show = |key: &Key, value: Option<Value>| match (key.shown, value) {
        (_, None) => "(not set)".to_owned(),
        (Shown::Plainly, Some(value)) => written(&value),
        (_, Some(Value::Array(_, items))) => format!("({} set)", items.len()),
        (_, Some(_)) => "(set)".to_owned(),
    };
    values(config).into_iter().map(|(key, value)| (key.path, show(key, value))).collect()
}

/// Whether a variable of this name sets the key, or its whole section.
fn sets(name: &str, key: &Key) -> bool {
    let (section, own) = key.parts();
    let whole = format!("KEYTRAIL__{section}");
    name.eq_ignore_ascii_case(&whole) || name.eq_ignore_ascii_case(&format!("{whole}__{own}"))
}

fn flag_of(overrides: &Overrides, path: &str) -> Option<&'static str> {
    let Overrides { file: _, folder, database_url, listen, root_key_file, reach: _ } = overrides;
    match path {
        "store.folder" => folder.is_some().then_some("--data"),
        "store.database_url" => database_url.is_some().then_some("--database-url"),
        "server.listen" => listen.is_some().then_some("--listen"),
        "secrets.root_key_file" => root_key_file.is_some().then_some("--root-key-file"),
        _ => None,
    }
}

/// The line of each `section.key` of a file, and of what stands above any section by its name alone. The error is in
/// words, with its line, and quotes nothing of the file: that may hold a password.
pub(super) fn lines_of(text: &str) -> Result<BTreeMap<String, usize>, (usize, String)> {
    let line = |at: usize| text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        (line(at), error.message().trim().replace('\n', ", "))
    })?;
    let mut lines = BTreeMap::new();
    for (name, value) in table.get_ref() {
        match value.get_ref() {
            DeValue::Table(section) => {
                let keys = section.iter().map(|(key, _)| (key.get_ref(), line(key.span().start)));
                lines.extend(keys.map(|(key, line)| (format!("{}.{key}", name.get_ref()), line)));
            }
            _ => {
                lines.insert(name.get_ref().to_string(), line(name.span().start));
            }
        }
    }
    Ok(lines)
}

/// Where a key of a file stands.
pub(super) fn in_file(file: &Path, line: usize) -> Origin {
    Origin::File(file.to_owned(), line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_at_its_line_and_an_error_quotes_nothing() {
        let text = "# a comment\n[store]\nfolder = \"/x\"\n\n[git]\nhosts = [\n  \"a\",\n]\nallow_http = true\n";
        let lines = lines_of(text).expect("TOML");
        assert_eq!((lines["store.folder"], lines["git.hosts"], lines["git.allow_http"]), (3, 6, 9));
        let (line, message) = lines_of("[store]\ndatabase_url = \"postgres://u:hunter2@h\n").expect_err("no end");
        assert_eq!(line, 2, "{message}");
        assert!(!message.contains("hunter2") && !message.is_empty(), "{message}");
    }

    #[test]
    fn others_see_no_place_no_machine_and_no_secret() {
        let mut config = Config::default();
        config.store.folder = "/srv/canary".into();
        config.store.database_url = Some("postgres://canary:canary@canary/x".to_owned().into());
        config.store.node = Some("canary".to_owned());
        config.git.hosts = vec!["canary".to_owned()];
        config.git.roots = vec!["/canary".into(), "/canary/two".into()];
        let seen = for_others(&config);
        assert!(!format!("{seen:?}").contains("canary"), "{seen:?}");
        assert_eq!((&*seen["git.roots"], &*seen["git.program"]), ("(2 set)", "(not set)"));
        assert_eq!((&*seen["store.database_url"], &*seen["jobs.workers"]), ("(set)", "4"));
    }

    #[test]
    fn a_folder_that_is_given_as_seen_from_here_is_one_from_everywhere() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let (file, folder) = (Some(file.path().into()), Some("here/data".into()));
        let overrides = Overrides { file, folder, root_key_file: Some("root.key".into()), ..Overrides::default() };
        let Config { store, secrets, .. } = Config::load(&overrides).expect("it can be used");
        assert!(store.folder.is_absolute() && secrets.root_key_file.is_some_and(|path| path.is_absolute()));
    }
}
