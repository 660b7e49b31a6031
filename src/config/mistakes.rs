//! Every mistake in a configuration, each with its key and where it was made. Called by `keytrail config check`, and to
//! say why a server does not start. No value is quoted that nobody may see.

use std::{fmt, fs, io, path::Path};

use figment::{
    Figment,
    error::Kind,
    providers::{Format, Serialized, Toml},
    value::{Dict, Value},
};

use super::{
    Config, Overrides, environment, file_of,
    keys::{KEYS, Shown, known},
    sources::{NO_LINE, Origin, in_file, lines_of},
};

/// Something that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// `section.key`; nothing when it is the file as a whole.
    pub key: Option<String>,
    /// Where it was made.
    pub origin: Origin,
    /// What is wrong.
    pub text: String,
    /// What may have been meant.
    pub suggestion: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        write!(f, "{} ({})", self.text, self.origin)?;
        match &self.suggestion {
            Some(meant) => write!(f, "; did you mean {meant}?"),
            None => Ok(()),
        }
    }
}

/// All mistakes of the file and of the environment.
pub fn mistakes(overrides: &Overrides) -> Vec<Mistake> {
    let file = file_of(overrides);
    let mut all = match fs::read_to_string(&file) {
        Ok(text) => of_file(&file, &text),
        Err(error) if error.kind() == io::ErrorKind::NotFound && overrides.file.is_none() => Vec::new(),
        Err(error) => vec![of_whole(&file, NO_LINE, format!("it cannot be read: {error}"))],
    };
    for (name, text) in environment() {
        let path = name["KEYTRAIL__".len()..].to_lowercase().replace("__", ".");
        // A part of a key, such as access.jwt.issuer: others may be in the file, and all of it is read together elsewhere.
        if path.rsplit_once('.').is_some_and(|(whole, _)| known(whole).is_some()) {
            continue;
        }
        // As the reader of the environment does: what is no number, list or word is a text.
        let value: Value = text.parse().unwrap_or_else(|never| match never {});
        let section = if path.contains('.') { None } else { value.clone().into_dict() };
        match section {
            Some(keys) => keys.into_iter().for_each(|(key, value)| {
                all.extend(of_value(&format!("{path}.{key}"), value, Origin::Variable(name.clone())));
            }),
            None => all.extend(of_value(&path, value, Origin::Variable(name))),
        }
    }
    all
}

fn of_whole(file: &Path, line: usize, text: String) -> Mistake {
    Mistake { key: None, origin: in_file(file, line), text, suggestion: None }
}

fn of_file(file: &Path, text: &str) -> Vec<Mistake> {
    let lines = match lines_of(text) {
        Ok(lines) => lines,
        Err((line, message)) => return vec![of_whole(file, line, message)],
    };
    // It is TOML, as was just seen.
    let all: Dict = Figment::from(Toml::string(text)).extract().unwrap_or_default();
    let mut mistakes: Vec<_> = lines
        .into_iter()
        .filter_map(|(path, line)| {
            let value = match path.split_once('.') {
                Some((section, key)) => all.get(section)?.as_dict()?.get(key)?,
                None => all.get(&path)?,
            };
            of_value(&path, value.clone(), in_file(file, line)).map(|mistake| (line, mistake))
        })
        .collect();
    mistakes.sort_by_key(|(line, _)| *line);
    mistakes.into_iter().map(|(_, mistake)| mistake).collect()
}

fn of_value(path: &str, value: Value, origin: Origin) -> Option<Mistake> {
    let mistake = |text: String, suggestion| Some(Mistake { key: Some(path.to_owned()), origin, text, suggestion });
    let Some(key) = known(path) else {
        return mistake("there is no such key".to_owned(), nearest(path));
    };
    let alone = Figment::from(Serialized::defaults(Config::default())).merge((path, value));
    let error = alone.extract::<Config>().err()?;
    mistake(in_words(&error.kind, key.shown), None)
}

fn in_words(kind: &Kind, shown: Shown) -> String {
    match kind {
        _ if shown == Shown::Never => "it has not the form that it must have".to_owned(),
        Kind::InvalidType(found, wanted) | Kind::InvalidValue(found, wanted) => {
            format!("it must be {wanted}, and it is {found}")
        }
        Kind::UnknownVariant(found, wanted) => format!("it must be one of {}, and it is {found:?}", wanted.join(", ")),
        other => other.to_string(),
    }
}

/// The key that differs least, if it is near.
fn nearest(path: &str) -> Option<String> {
    let name = path.rsplit('.').next().unwrap_or(path);
    let of = |key: &'static str| {
        let own = key.rsplit('.').next().unwrap_or(key);
        // In a wrong section, under its right name; or in any, with a slip.
        if own == name { distance(path, key).min(2) } else { distance(path, key) }
    };
    let (far, key) = KEYS.iter().map(|key| (of(key.path), key.path)).min()?;
    (far <= 2 || far * 4 <= path.len()).then(|| key.to_owned())
}

/// Letters to add, take away or change (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let changed = corner + usize::from(a != *b);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

/// Variables that look like settings and are not read, each with the name that may be meant.
pub(super) fn misspelt(names: impl Iterator<Item = String>) -> Vec<(String, String)> {
    let meant = |name: &str| {
        let rest = name.to_ascii_uppercase();
        let rest = rest.strip_prefix("KEYTRAIL_")?.trim_start_matches('_').replace("__", "_");
        let key = KEYS.iter().find(|key| key.path.replace('.', "_").eq_ignore_ascii_case(&rest))?;
        Some(format!("KEYTRAIL__{}", key.path.replace('.', "__").to_uppercase()))
    };
    names
        .filter(|name| !name.to_ascii_uppercase().starts_with("KEYTRAIL__"))
        .filter_map(|name| meant(&name).map(|meant| (name, meant)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        of_file(Path::new("k.toml"), text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_mistake_is_told_with_its_key_its_line_and_what_may_be_meant() {
        let text = "[server]\nworkrs = 3\nlisten = \"here\"\n[jbs]\nworkers = \"many\"\n[jobs]\nworkers = \"many\"\n\
                    [log]\nformat = \"yaml\"\nlevel = \"info\"\ndatabase_url = \"x\"\n";
        let found = of(text);
        assert_eq!(found.len(), 6, "{found:#?}");
        assert_eq!(found[0], "server.workrs: there is no such key (k.toml:2); did you mean server.workers?");
        assert!(found[1].starts_with("server.listen: ") && found[1].ends_with("(k.toml:3)"), "{}", found[1]);
        assert_eq!(found[2], "jbs.workers: there is no such key (k.toml:5); did you mean jobs.workers?");
        assert!(found[3].starts_with("jobs.workers: it must be") && found[3].contains("many"), "{}", found[3]);
        assert!(found[4].contains("auto") && found[4].contains("yaml"), "{}", found[4]);
        assert!(found[5].ends_with("did you mean store.database_url?"), "{}", found[5]);
        assert_eq!(of("[server]\nworkers = 3\n"), Vec::<String>::new());
    }

    #[test]
    fn a_file_that_is_no_toml_and_a_secret_of_another_type_are_told_without_their_text() {
        for text in ["[store]\ndatabase_url = \"postgres://u:hunter2@h\n", "[store]\ndatabase_url = [\"hunter2\"]\n"] {
            let found = of(text);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(!found[0].contains("hunter2") && found[0].contains("k.toml:2"), "{found:?}");
        }
    }

    #[test]
    fn a_variable_that_lacks_an_underscore_is_told() {
        let names =
            ["KEYTRAIL_STORE_FOLDER", "KEYTRAIL__STORE__FOLDER", "KEYTRAIL_TEST_POSTGRES", "keytrail_log_level"];
        let found = misspelt(names.into_iter().map(str::to_owned));
        let pair = |is: &str, meant: &str| (is.to_owned(), meant.to_owned());
        let expected = [
            pair("KEYTRAIL_STORE_FOLDER", "KEYTRAIL__STORE__FOLDER"),
            pair("keytrail_log_level", "KEYTRAIL__LOG__LEVEL"),
        ];
        assert_eq!(found, expected);
    }
}
