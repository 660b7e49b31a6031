//! `keytrail search`

use std::process::ExitCode;

use clap::Args;
use keytrail_domain::issue_key::IssueKey;
use serde_json::Value;

use super::{
    CliError,
    client::{Client, with_client},
    output,
};
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct Search {
    /// Words of the subjects of commits, whole and in any case; a key such as KAFKA-12 is searched for as --key, a name of
    /// a commit such as 93d9af as --sha
    words: Vec<String>,
    /// How the key begins, such as KAFKA-12
    #[arg(long)]
    key: Option<String>,
    /// Only issues of this project
    #[arg(long)]
    project: Option<String>,
    /// Only issues that a commit names whose own name begins so
    #[arg(long)]
    sha: Option<String>,
    /// Only issues for which this person wrote a commit: an id, or a part of a name or an address
    #[arg(long)]
    author: Option<String>,
    /// activity: the latest commit first; key: by key
    #[arg(long, default_value = "activity")]
    sort: String,
    /// How many
    #[arg(long, default_value_t = 50)]
    first: usize,
    /// Print JSON, one a line
    #[arg(long)]
    json: bool,
}

impl Search {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        let json = self.json;
        let Taken { words, key, sha, told } = Taken::of(&self.words, self.key, self.sha)?;
        let asked = [("words", words), ("key", key), ("project", self.project), ("sha", sha), ("author", self.author)];
        let mut query: Vec<_> = asked.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        query.push(("sort", self.sort));
        // One more tells whether there are more.
        let mut found: Vec<Value> = client.list("/api/v1/search", &query, self.first.saturating_add(1)).await?;
        let more = found.len() > self.first;
        found.truncate(self.first);
        if json {
            return found.iter().try_for_each(output::json);
        }
        if found.is_empty() {
            output::print(&format!("no issue was found{told}"));
            return Ok(());
        }
        let columns = ["key", "commits", "last_commit_at", "authors", "repositories", "branches"];
        let rows: Vec<_> = found.iter().map(|row| columns.map(|member| output::cell(&row[member])).to_vec()).collect();
        output::table(&["key", "commits", "last commit at", "authors", "repositories", "branches"], &rows);
        if more {
            output::print("… more; --first says how many are shown");
        }
        Ok(())
    }
}

/// The words as they are meant: as words, or as a key or a name of a commit where neither was said by a flag.
struct Taken {
    words: Option<String>,
    key: Option<String>,
    sha: Option<String>,
    /// For who finds nothing: what was taken for what.
    told: String,
}

impl Taken {
    fn of(said: &[String], mut key: Option<String>, mut sha: Option<String>) -> Result<Self, CliError> {
        let (mut words, mut told) = (Vec::new(), String::new());
        for word in said.iter().flat_map(|said| said.split_whitespace()) {
            if word.len() == 1 && word.is_ascii() {
                let detail = format!("{word:?}: one letter is no word; give a whole word of a subject");
                return Err(CliError::Input(detail));
            }
            if key.is_none() && word.parse::<IssueKey>().is_ok() {
                told.push_str(&format!("; {word} was taken for a key: --key {word}"));
                key = Some(word.to_owned());
            } else if sha.is_none() && is_name(word) {
                told.push_str(&format!("; {word} was taken for the name of a commit: --sha {word}"));
                sha = Some(word.to_owned());
            } else {
                words.push(word);
            }
        }
        let words = (!words.is_empty()).then(|| words.join(" "));
        Ok(Self { words, key, sha, told })
    }
}

/// `93d9af`: six hexadecimal digits or more, both letters and figures, since `facade` is a word and `2026` may be one.
fn is_name(word: &str) -> bool {
    (6..=40).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_hexdigit())
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(words: &[&str]) -> (Option<String>, Option<String>, Option<String>) {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        let Taken { words, key, sha, .. } = Taken::of(&words, None, None).expect("it can be searched for");
        (words, key, sha)
    }

    #[test]
    fn a_key_and_a_name_of_a_commit_are_known_by_their_looks() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(taken(&["SHOP-12"]), (None, text("SHOP-12"), None));
        assert_eq!(taken(&["93d9af"]), (None, None, text("93d9af")));
        assert_eq!(taken(&["basket", "shop-12"]), (text("basket"), text("shop-12"), None));
        for word in ["facade", "2026", "123456", "check-out", "SHOP-", "SHOP-012"] {
            assert_eq!(taken(&[word]), (text(word), None, None), "{word}");
        }
        assert!(Taken::of(&["x".to_owned()], None, None).is_err_and(|error| error.to_string().contains("one letter")));
    }
}
