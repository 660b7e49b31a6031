//! `keytrail issue`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    CliError,
    client::{Client, with_client},
    consent::Consent,
    form::{Form, is_pending},
    output,
    standing::Standing,
};
use crate::config::Config;

/// How many commits and branches a person is shown.
const SHOWN: usize = 50;

#[derive(Debug, Subcommand)]
pub(super) enum Issue {
    /// Its commits, newest first, and its branches
    Show {
        /// For example KAFKA-1234
        key: String,
        /// Commits that a person unlinked, too
        #[arg(long)]
        unlinked: bool,
        /// Print all of them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Its commits, newest first
    Commits {
        /// For example KAFKA-1234
        key: String,
        /// How many; all with 0
        #[arg(long, default_value_t = 50)]
        last: usize,
        /// Print all as JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// The branches that are named after it
    Branches {
        /// For example KAFKA-1234
        key: String,
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// The pull requests that name it, the latest first
    PullRequests {
        /// For example KAFKA-1234
        key: String,
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// Link a commit to an issue that it does not name
    Link(Pair),
    /// Take a commit away from an issue
    Unlink {
        #[command(flatten)]
        pair: Pair,
        #[command(flatten)]
        consent: Consent,
    },
    /// Take back what was decided by `link` or `unlink`
    Restore {
        #[command(flatten)]
        pair: Pair,
        #[command(flatten)]
        consent: Consent,
    },
}

/// An issue and a commit.
#[derive(Debug, Args)]
pub(super) struct Pair {
    /// For example KAFKA-1234
    key: String,
    /// The commit: 7 to 40 hexadecimal digits
    sha: String,
    /// The id of the repository; needed when several have the commit
    #[arg(long, value_name = "ID")]
    repository: Option<uuid::Uuid>,
    #[command(flatten)]
    form: Form,
}

impl Issue {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        match self {
            Self::Show { key, unlinked, json } => show(client, checked(&key)?, unlinked, json).await,
            Self::Commits { key, last, json } => {
                let most = if json || last == 0 { usize::MAX } else { last };
                commits(client, checked(&key)?, most, json).await
            }
            Self::Branches { key, json } => branches(client, checked(&key)?, json).await,
            Self::PullRequests { key, json } => pull_requests(client, checked(&key)?, json).await,
            Self::Link(pair) => pair.form.show(&client.post::<Value>(&pair.place(client).await?, &json!({})).await?),
            Self::Unlink { pair, consent } => {
                let place = pair.place(client).await?;
                let must_ask = !consent.is_given_already();
                if must_ask && !consent.given(&[pair.would_unlink(client).await?], pair.form.json)? {
                    return Ok(());
                }
                pair.form.show(&client.delete_for::<Value>(&place).await?)
            }
            Self::Restore { pair, consent } => {
                let place = format!("{}/restore", pair.place(client).await?);
                if !consent.is_given_already() {
                    let (hides, would) = pair.would_restore(client, consent.is_dry_run()).await?;
                    if (hides || consent.is_dry_run()) && !consent.given(&[would], pair.form.json)? {
                        return Ok(());
                    }
                }
                let restored: Value = client.post(&place, &json!({})).await?;
                if restored["decision"].is_null() && !is_pending(&restored) {
                    return Err(pair.nobody_decided());
                }
                pair.form.show(&restored)
            }
        }
    }
}

impl Pair {
    /// Their address. Which repository has the commit is asked of the server where it is not said.
    async fn place(&self, client: &Client) -> Result<String, CliError> {
        checked(&self.key)?;
        // Part of a path: only what can be a name goes there.
        if !(7..=40).contains(&self.sha.len()) || !self.sha.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(CliError::Input(format!("{:?} is no name of a commit: 7 to 40 hexadecimal digits", self.sha)));
        }
        let repository = match self.repository {
            Some(id) => id.to_string(),
            None => self.only_repository(client).await?,
        };
        Ok(format!("/api/v1/issues/{}/commits/{repository}/{}", self.key, self.sha))
    }

    /// How the two stand to each other now, as the server explains it: whether anybody is asked is decided by it.
    async fn explained(&self, client: &Client) -> Result<Value, CliError> {
        let mut query = vec![("commit", self.sha.clone()), ("issue", self.key.clone())];
        query.extend(self.repository.map(|id| ("repository", id.to_string())));
        query.extend(client.head().await.map(|head| ("min_position", head.to_string())));
        client.get("/api/v1/explain", &query).await
    }

    /// `SHOP-1 shows the commit 0123… of shop`.
    fn shows(&self, explained: &Value) -> String {
        let sha = explained["commit"].as_str().unwrap_or(&self.sha);
        let repository = explained["repository"]["name"].as_str().unwrap_or_default();
        format!("{} shows the commit {sha} of {repository}", self.key)
    }

    /// What others lose. Refused as the server refuses it: only where nothing links the two, be it shown now or not.
    async fn would_unlink(&self, client: &Client) -> Result<String, CliError> {
        let found = self.explained(client).await?;
        match Standing::of(&found).and_then(Standing::unlinked) {
            Some(what) => Ok(format!("{} {what}", self.shows(&found))),
            None => {
                let detail =
                    format!("nothing links {} to the commit {}; `keytrail explain` says why", self.key, self.sha);
                Err(CliError::Missing(detail))
            }
        }
    }

    /// Whether others lose something, and what. Who only looks is refused where nothing is decided.
    async fn would_restore(&self, client: &Client, only_looks: bool) -> Result<(bool, String), CliError> {
        let found = self.explained(client).await?;
        match Standing::of(&found) {
            Some(stands) if only_looks && !stands.is_decided() => Err(self.nobody_decided()),
            Some(stands) => {
                let (hides, what) = stands.restored();
                Ok((hides, format!("{} {what}", self.shows(&found))))
            }
            // The commit may be gone, and the link by hand is all that is left of it.
            None => Ok((
                true,
                format!(
                    "what was decided about {} and the commit {} is taken back, if anything was",
                    self.key, self.sha
                ),
            )),
        }
    }

    fn nobody_decided(&self) -> CliError {
        CliError::Missing(format!("nothing is decided about {} and {}; nothing was changed", self.sha, self.key))
    }

    async fn only_repository(&self, client: &Client) -> Result<String, CliError> {
        let found = self.explained(client).await?;
        let others = found["also_in"].as_array().map_or(0, Vec::len);
        match found["repository"]["id"].as_str() {
            Some(id) if others == 0 => Ok(id.to_owned()),
            Some(_) => Err(CliError::Input(format!(
                "{} repositories have this commit; name one with --repository, as `keytrail explain {} {}` lists them",
                others + 1,
                self.sha,
                self.key,
            ))),
            None => Err(CliError::Missing(format!("no indexed repository has the commit {}", self.sha))),
        }
    }
}

/// Part of a path: only what can be a key goes there.
fn checked(key: &str) -> Result<&str, CliError> {
    if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err(CliError::Input(format!("{key:?} is no issue key; one looks like KAFKA-1234")));
    }
    Ok(key)
}

async fn commits(client: &Client, key: &str, most: usize, json: bool) -> Result<(), CliError> {
    let commits: Vec<Value> = client.list(&format!("/api/v1/issues/{key}/commits"), &[], most).await?;
    if json {
        return commits.iter().try_for_each(output::json);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows: Vec<_> = commits
        .iter()
        .map(|commit| {
            let superseded = if commit["superseded_position"].is_null() { "" } else { "superseded" };
            vec![
                text(&commit["sha"]).chars().take(12).collect(),
                text(&commit["committed_at"]).chars().take(10).collect(),
                text(&commit["repository"]["name"]),
                commit["author"]["name"].as_str().unwrap_or("(unknown)").to_owned(),
                text(&commit["subject"]),
                superseded.to_owned(),
            ]
        })
        .collect();
    output::table(&["sha", "date", "repository", "author", "subject", ""], &rows);
    Ok(())
}

async fn branches(client: &Client, key: &str, json: bool) -> Result<(), CliError> {
    let branches: Vec<Value> = client.list(&format!("/api/v1/issues/{key}/branches"), &[], usize::MAX).await?;
    if json {
        return branches.iter().try_for_each(output::json);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = |branch: &Value| {
        let sha = text(&branch["sha"]).chars().take(12).collect();
        vec![sha, text(&branch["repository"]["name"]), text(&branch["name"])]
    };
    output::table(&["sha", "repository", "branch"], &branches.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

async fn pull_requests(client: &Client, key: &str, json: bool) -> Result<(), CliError> {
    let pulls: Vec<Value> = client.list(&format!("/api/v1/issues/{key}/pull-requests"), &[], usize::MAX).await?;
    if json {
        return pulls.iter().try_for_each(output::json);
    }
    if pulls.is_empty() {
        output::print(&format!("no pull request names {key}; only GitHub Apps tell of pull requests"));
        return Ok(());
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = |pull: &Value| {
        let draft = pull["draft"] == true && pull["state"] == "open";
        vec![
            format!("#{}", pull["number"]),
            text(&pull["updated_at"]).chars().take(10).collect(),
            text(&pull["repository"]["name"]),
            if draft { "draft".to_owned() } else { text(&pull["state"]) },
            pull["author"]["name"].as_str().unwrap_or("(unknown)").to_owned(),
            text(&pull["title"]),
            text(&pull["url"]),
        ]
    };
    let header = ["number", "changed", "repository", "state", "author", "title", "address"];
    output::table(&header, &pulls.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

async fn show(client: &Client, key: &str, unlinked: bool, all: bool) -> Result<(), CliError> {
    let most = if all { usize::MAX } else { SHOWN };
    let query = [("unlinked", unlinked.to_string())];
    let summary: Value = client.get(&format!("/api/v1/issues/{key}"), &[]).await?;
    let commits: Vec<Value> = client.list(&format!("/api/v1/issues/{key}/commits"), &query, most).await?;
    let branches: Vec<Value> = client.list(&format!("/api/v1/issues/{key}/branches"), &[], most).await?;
    if all {
        return output::json(&json!({ "issue": summary, "commits": commits, "branches": branches }));
    }
    let text = |value: &Value, member: &str| value[member].as_str().unwrap_or_default().to_owned();
    let total = summary["commits"].as_u64().unwrap_or(commits.len() as u64);
    output::print(&format!("{}: {}", text(&summary, "key"), output::count(total, "commit")));
    if summary["denied"].as_bool() == Some(true) {
        output::print("  the rules of projects leave it out: `keytrail project rules`");
    }
    for commit in &commits {
        let when = text(commit, "committed_at");
        let author = commit["author"]["name"].as_str().unwrap_or("(unknown)");
        output::print(&format!(
            "  {} {} {:<20} {}",
            &text(commit, "sha").chars().take(10).collect::<String>(),
            when.get(..10).unwrap_or(&when),
            author.chars().take(20).collect::<String>(),
            text(commit, "subject")
        ));
        let decision = &commit["decision"];
        if decision.is_object() {
            let [state, by, at] = ["state", "by", "at"].map(|member| output::cell(&decision[member]));
            output::print(&format!("             {state} by hand: {by}, {at}"));
        }
        if !commit["superseded_position"].is_null() {
            output::print(
                "             superseded: a branch was rewritten or deleted, and no ref leads to it any more",
            );
        }
    }
    if !unlinked && (commits.len() as u64) < total {
        output::print(&format!("  … {} more; --json prints all", output::grouped(total - commits.len() as u64)));
    }
    if !branches.is_empty() {
        output::print(&output::count(branches.len() as u64, "branch"));
        for branch in &branches {
            output::print(&format!("  {} in {}", text(branch, "name"), text(&branch["repository"], "name")));
        }
    }
    let pulls = summary["pull_requests"].as_u64().unwrap_or_default();
    if pulls > 0 {
        let counted = output::count(pulls, "pull request");
        output::print(&format!("{counted}: `keytrail issue pull-requests {key}`"));
    }
    Ok(())
}
