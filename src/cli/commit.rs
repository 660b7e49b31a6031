//! `keytrail commit`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    CliError,
    client::{Client, with_client},
    output,
};
use crate::config::{self, Config};

#[derive(Debug, Subcommand)]
pub(super) enum Commit {
    /// Who made it and when, and which issues it names
    Show {
        #[command(flatten)]
        commit: Named,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// The branches, tags and other refs that lead to it
    Refs {
        #[command(flatten)]
        commit: Named,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// The files that a commit changed
    Files {
        #[command(flatten)]
        commit: Which,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// The lines that a commit changed
    Diff {
        #[command(flatten)]
        commit: Which,
        /// One file only, as `commit files` shows it
        #[arg(long, value_name = "PATH")]
        path: Option<String>,
        /// Mark the changed words: [-gone-] and {+new+}
        #[arg(long)]
        word_diff: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Which commit.
#[derive(Debug, Args)]
pub(super) struct Named {
    /// Its name: 7 to 40 hexadecimal digits
    sha: String,
    /// The id of the repository; the first that knows the commit when it is not said
    #[arg(long, value_name = "ID")]
    repository: Option<uuid::Uuid>,
}

/// Which commit, and against what.
#[derive(Debug, Args)]
pub(super) struct Which {
    #[command(flatten)]
    commit: Named,
    /// Compare a merge with this parent instead of the first
    #[arg(long, value_name = "NUMBER")]
    parent: Option<usize>,
}

impl Commit {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        match self {
            Self::Show { commit, json } => {
                let (_, found) = commit.ask(client, "", &[]).await?;
                if json { output::json(&found) } else { show(&found) }
            }
            Self::Refs { commit, json } => {
                let (at, mut found) = commit.ask(client, "/refs", &[("limit", "500".to_owned())]).await?;
                if found["next"].is_string() {
                    found["items"] = client.list::<Value>(&at, &[], usize::MAX).await?.into();
                }
                // All of them are here.
                if let Some(members) = found.as_object_mut() {
                    members.remove("next");
                }
                if json { output::json(&found) } else { show_refs(&found) }
            }
            Self::Files { commit, json } => {
                let found = commit.ask(client, "files", None).await?;
                if json { output::json(&found) } else { show_files(&found) }
            }
            Self::Diff { commit, path, word_diff, json } => {
                let found = commit.ask(client, "diff", path).await?;
                if json {
                    return output::json(&found);
                }
                let style = Style { colour: output::to_terminal() && !config::no_color(), words: word_diff };
                members(&found, "files").iter().for_each(|file| style.show_file(file));
                Ok(())
            }
        }
    }
}

impl Which {
    async fn ask(&self, client: &Client, what: &str, path: Option<String>) -> Result<Value, CliError> {
        let parent = self.parent.map(|parent| ("parent", parent.to_string()));
        let query: Vec<_> = parent.into_iter().chain(path.map(|path| ("path", path))).collect();
        Ok(self.commit.ask(client, &format!("/{what}"), &query).await?.1)
    }
}

impl Named {
    /// What there is of it at this part of its address, and the whole address.
    async fn ask(&self, client: &Client, rest: &str, query: &[(&str, String)]) -> Result<(String, Value), CliError> {
        // Part of a path: only what can be a name goes there.
        if !(7..=40).contains(&self.sha.len()) || !self.sha.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(CliError::Input(format!("{:?} is no name of a commit: 7 to 40 hexadecimal digits", self.sha)));
        }
        let at = |id: &str, sha: &str| format!("/api/v1/repositories/{id}/commits/{sha}{rest}");
        if let Some(id) = self.repository {
            let at = at(&id.to_string(), &self.sha);
            let found = client.get(&at, query).await?;
            return Ok((at, found));
        }
        // Which one it is in is not said by its name: the server looks for the first that knows it. The issue does not
        // matter here.
        let asked = [("commit", self.sha.clone()), ("issue", "-".to_owned())];
        let explained: Value = client.get("/api/v1/explain", &asked).await?;
        let unknown = || CliError::Missing(format!("no indexed repository has the commit {}", self.sha));
        let id = explained["repository"]["id"].as_str().ok_or_else(unknown)?;
        // Which one was meant is known now.
        let sha = explained["commit"].as_str().unwrap_or(&self.sha);
        let at = at(id, sha);
        match client.get(&at, query).await {
            Err(CliError::Problem { code, .. })
                if ["commit_unknown", "repository_forgotten"].contains(&code.as_str()) =>
            {
                Err(unknown())
            }
            found => Ok((at, found?)),
        }
    }
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

fn members<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value[member].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn show(found: &Value) -> Result<(), CliError> {
    let who = |person: &Value| person["name"].as_str().unwrap_or("(unknown)").to_owned();
    output::print(&format!("{} in {}", text(found, "sha"), text(&found["repository"], "name")));
    output::print(&format!("  {}", text(found, "subject")));
    output::print(&format!("  written by {} at {}", who(&found["author"]), output::moment(&found["authored_at"])));
    if found["committer"].is_object() {
        output::print(&format!(
            "  committed by {} at {}",
            who(&found["committer"]),
            output::moment(&found["committed_at"])
        ));
    }
    members(found, "parents").iter().filter_map(Value::as_str).for_each(|sha| output::print(&format!("  after {sha}")));
    if !found["superseded_position"].is_null() {
        output::print("  superseded: a branch was rewritten or deleted, and no ref leads to it any more");
    }
    let issues = members(found, "issues");
    if issues.is_empty() {
        output::print("  names no issue");
    }
    for issue in issues {
        let places: Vec<_> = members(issue, "places").iter().filter_map(Value::as_str).collect();
        match places.is_empty() {
            true => output::print(&format!("  is linked to {} by hand", text(issue, "key"))),
            false => output::print(&format!("  names {} in its {}", text(issue, "key"), places.join(" and its "))),
        }
    }
    Ok(())
}

fn show_refs(found: &Value) -> Result<(), CliError> {
    let refs = members(found, "items");
    refs.iter().for_each(|item| output::print(text(item, "name")));
    if refs.is_empty() {
        output::print("no ref that a run has looked at leads to it");
    }
    let undecided = found["undecided"].as_u64().unwrap_or_default();
    if undecided > 0 {
        output::print(&format!("not known of {} that no run has looked at yet", output::count(undecided, "ref")));
    }
    Ok(())
}

fn show_files(found: &Value) -> Result<(), CliError> {
    let files = members(found, "files");
    let row = |file| vec![what(file), count(file, "added"), count(file, "removed"), path(file)];
    output::table(&["what", "added", "removed", "path"], &files.iter().map(row).collect::<Vec<_>>());
    let total = found["total"].as_u64().unwrap_or_default();
    if total > files.len() as u64 {
        output::print(&format!("… {} more", output::grouped(total - files.len() as u64)));
    }
    Ok(())
}

fn what(file: &Value) -> String {
    let status = text(file, "status").replace('_', " ");
    match file["similarity"].as_u64() {
        Some(percent) => format!("{status} {percent} %"),
        None => status,
    }
}

fn count(file: &Value, member: &str) -> String {
    match file[member].as_u64() {
        Some(count) => output::grouped(count),
        None => text(file, "content").replace('_', " "),
    }
}

fn path(file: &Value) -> String {
    match file["old_path"].as_str() {
        Some(old) => format!("{old} -> {}", text(file, "path")),
        None => text(file, "path").to_owned(),
    }
}

/// How lines look.
struct Style {
    colour: bool,
    words: bool,
}

impl Style {
    const BOLD: &str = "\x1b[1m";
    const RED: &str = "\x1b[31m";
    const GREEN: &str = "\x1b[32m";
    const CYAN: &str = "\x1b[36m";

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour && !colour.is_empty() { format!("{colour}{text}\x1b[0m") } else { text.to_owned() }
    }

    fn show_file(&self, file: &Value) {
        output::print(&self.paint(Self::BOLD, &format!("{}: {}", what(file), path(file))));
        match text(file, "content") {
            "text" => {}
            "binary" => output::print("  not shown: it is no text"),
            "too_large" => output::print("  not shown: it is larger than 1 MiB"),
            "not_read" => output::print("  not shown: the commit changes too much"),
            _ => output::print("  not shown: the repository does not have its bytes"),
        }
        for hunk in members(file, "hunks") {
            let number = |member: &str| hunk[member].as_u64().unwrap_or_default();
            let range =
                |side: &str| format!("{},{}", number(&format!("{side}_start")), number(&format!("{side}_lines")));
            output::print(&self.paint(Self::CYAN, &format!("@@ -{} +{} @@", range("old"), range("new"))));
            for line in members(hunk, "lines") {
                output::print(&self.line(line));
                if line["no_newline"] == true {
                    output::print("\\ No newline at end of file");
                }
            }
        }
        if file["cut"] == true {
            output::print("… more lines are not shown; --path shows one file");
        }
    }

    fn line(&self, line: &Value) -> String {
        let (sign, colour, marks) = match text(line, "kind") {
            "added" => ('+', Self::GREEN, ("{+", "+}")),
            "removed" => ('-', Self::RED, ("[-", "-]")),
            _ => (' ', "", ("", "")),
        };
        let whole = text(line, "text");
        let more = if line["cut"] == true { "…" } else { "" };
        let parts: Vec<(usize, usize)> = if self.words {
            let pair = |part: &Value| Some((part[0].as_u64()? as usize, part[1].as_u64()? as usize));
            members(line, "changed").iter().filter_map(pair).collect()
        } else {
            Vec::new()
        };
        let mut shown = String::new();
        for (at, character) in whole.chars().enumerate() {
            if parts.iter().any(|part| part.0 == at) {
                shown.push_str(marks.0);
            }
            shown.push(character);
            if parts.iter().any(|part| part.1 == at + 1) {
                shown.push_str(marks.1);
            }
        }
        self.paint(colour, &format!("{sign}{shown}{more}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changed_words_are_marked_only_when_asked_for() {
        let line = json!({ "kind": "added", "text": "größe = 17;", "changed": [[8, 10]], "cut": false });
        let of = |colour, words| Style { colour, words }.line(&line);
        assert_eq!(of(false, true), "+größe = {+17+};");
        assert_eq!(of(false, false), "+größe = 17;");
        assert_eq!(of(true, false), "\u{1b}[32m+größe = 17;\u{1b}[0m");
    }
}
