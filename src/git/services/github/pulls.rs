//! Pull requests and their reviews as GitHub writes them, in answers (docs.github.com, "REST API endpoints for pull
//! requests") and in deliveries alike. Called by the job that lists them, and by who reads deliveries.

use keytrail_domain::{
    display_text::DisplayText,
    pull_request::{State, Verdict},
    timestamp::Timestamp,
};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::{Budget, Github, GithubError, GithubTrouble, InstallationToken, answers::of_time, rest::As};

/// Rows of a page, as many as GitHub gives.
const ROWS: u32 = 100;

/// A page of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What of it could be read.
    pub rows: Vec<T>,
    /// Whether there is another page.
    pub more: bool,
}

/// An account as it stands beside what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenAccount {
    /// Its id, for ever.
    pub id: u64,
    /// What it is called now.
    pub login: DisplayText,
}

/// A pull request as GitHub tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenPull {
    /// Its number in its repository.
    pub number: u64,
    /// Its title as it was written.
    pub title: String,
    /// Its text; empty where there is none.
    pub body: String,
    /// Whether it is merged.
    pub state: State,
    /// Whether it is not meant to be merged yet.
    pub draft: bool,
    /// The branch that it would merge, without `refs/heads/`.
    pub source: String,
    /// The branch that it would merge into, without `refs/heads/`.
    pub target: String,
    /// Who opened it; nobody when that account is gone.
    pub author: Option<SeenAccount>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was merged.
    pub merged_at: Option<Timestamp>,
    /// When it was closed, merged or not.
    pub closed_at: Option<Timestamp>,
}

/// A review as GitHub tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenReview {
    /// Its id, for ever.
    pub id: u64,
    /// Whose it is; nobody's when that account is gone.
    pub reviewer: Option<SeenAccount>,
    /// What it says.
    pub verdict: Verdict,
    /// When it was said.
    pub at: Timestamp,
}

#[derive(Deserialize)]
struct Account {
    id: u64,
    login: String,
}

impl Account {
    fn seen(self) -> SeenAccount {
        SeenAccount { id: self.id, login: DisplayText::clean(&self.login) }
    }
}

#[derive(Deserialize)]
struct Branch {
    #[serde(rename = "ref")]
    name: String,
}

#[derive(Deserialize)]
struct PullAnswer {
    number: u64,
    title: String,
    #[serde(default)]
    body: Option<String>,
    state: String,
    #[serde(default)]
    draft: Option<bool>,
    head: Branch,
    base: Branch,
    #[serde(default)]
    user: Option<Account>,
    created_at: Value,
    updated_at: Value,
    #[serde(default)]
    merged_at: Value,
    #[serde(default)]
    closed_at: Value,
}

#[derive(Deserialize)]
struct ReviewAnswer {
    id: u64,
    #[serde(default)]
    user: Option<Account>,
    state: String,
    #[serde(default)]
    submitted_at: Value,
}

impl SeenPull {
    /// From GitHub's own document. `None` when it has not what it must have.
    pub fn of(document: &Value) -> Option<Self> {
        let answer = PullAnswer::deserialize(document).ok()?;
        let merged_at = of_time(&answer.merged_at);
        let state = match (answer.state.as_str(), merged_at) {
            ("open", _) => State::Open,
            ("closed", Some(_)) => State::Merged,
            ("closed", None) => State::Closed,
            _ => return None,
        };
        Some(Self {
            number: answer.number,
            title: answer.title,
            body: answer.body.unwrap_or_default(),
            state,
            draft: answer.draft.unwrap_or_default(),
            source: answer.head.name,
            target: answer.base.name,
            author: answer.user.map(Account::seen),
            created_at: of_time(&answer.created_at)?,
            updated_at: of_time(&answer.updated_at)?,
            merged_at,
            closed_at: of_time(&answer.closed_at),
        })
    }
}

impl SeenReview {
    /// From GitHub's own document. `None` when it has not what it must have, or was not submitted yet. Deliveries write
    /// the verdict small, answers great.
    pub fn of(document: &Value) -> Option<Self> {
        let answer = ReviewAnswer::deserialize(document).ok()?;
        let verdict = match answer.state.to_ascii_lowercase().as_str() {
            "approved" => Verdict::Approved,
            "changes_requested" => Verdict::ChangesRequested,
            "commented" => Verdict::Commented,
            "dismissed" => Verdict::Dismissed,
            _ => return None,
        };
        let at = of_time(&answer.submitted_at)?;
        Some(Self { id: answer.id, reviewer: answer.user.map(Account::seen), verdict, at })
    }
}

/// A repository as a path below the API: `owner/name`. `None` for what cannot be one: it becomes part of an address.
fn full_name(text: &str) -> Option<&str> {
    let plain = |part: &str| {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !matches!(part, "" | "." | "..") && part.bytes().all(good)
    };
    let (owner, name) = text.split_once('/')?;
    (plain(owner) && plain(name)).then_some(text)
}

impl Github {
    /// A page of the pull requests of `owner/name`, those that were changed last first. Pages are counted from 1.
    pub async fn pull_requests(
        &self,
        token: &InstallationToken,
        repository: &str,
        page: u32,
        now: Timestamp,
    ) -> Result<(Page<SeenPull>, Option<Budget>), GithubError> {
        let query = format!("pulls?state=all&sort=updated&direction=desc&per_page={ROWS}&page={page}");
        self.page_of(token, repository, &query, SeenPull::of, now).await
    }

    /// A page of the reviews of a pull request of `owner/name`, the first first. Pages are counted from 1.
    pub async fn reviews(
        &self,
        token: &InstallationToken,
        repository: &str,
        number: u64,
        page: u32,
        now: Timestamp,
    ) -> Result<(Page<SeenReview>, Option<Budget>), GithubError> {
        let query = format!("pulls/{number}/reviews?per_page={ROWS}&page={page}");
        self.page_of(token, repository, &query, SeenReview::of, now).await
    }

    /// A pull request of `owner/name`; `None` when it is gone.
    pub async fn pull_request(
        &self,
        token: &InstallationToken,
        repository: &str,
        number: u64,
        now: Timestamp,
    ) -> Result<(Option<SeenPull>, Option<Budget>), GithubError> {
        let repository = full_name(repository).ok_or_else(|| self.trouble(GithubTrouble::NotFound))?;
        let path = format!("/repos/{repository}/pulls/{number}");
        let answer = self.ask(Method::GET, &path, As::Bearer(token.expose()), None).await?;
        if matches!(answer.status(), StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok((None, answer.budget()));
        }
        let answer = self.checked(answer, now)?;
        let document: Value = self.read(&answer)?;
        let seen = SeenPull::of(&document).ok_or_else(|| self.trouble(GithubTrouble::NotGithub))?;
        Ok((Some(seen), answer.budget()))
    }

    async fn page_of<T>(
        &self,
        token: &InstallationToken,
        repository: &str,
        query: &str,
        read: fn(&Value) -> Option<T>,
        now: Timestamp,
    ) -> Result<(Page<T>, Option<Budget>), GithubError> {
        let repository = full_name(repository).ok_or_else(|| self.trouble(GithubTrouble::NotFound))?;
        let path = format!("/repos/{repository}/{query}");
        let answer = self.ask(Method::GET, &path, As::Bearer(token.expose()), None).await?;
        let answer = self.checked(answer, now)?;
        let documents: Vec<Value> = self.read(&answer)?;
        let rows = documents.iter().filter_map(read).collect();
        Ok((Page { rows, more: answer.next().is_some() }, answer.budget()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fixture(name: &str) -> Value {
        let path = format!("{}/tests/fixtures/github/webhooks/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_slice(&std::fs::read(path).expect("a payload")).expect("JSON")
    }

    #[test]
    fn what_github_sent_is_read() {
        let opened = SeenPull::of(&fixture("pull_request.opened.1")["pull_request"]).expect("a pull request");
        assert_eq!((opened.number, opened.state, opened.draft), (2, State::Open, false));
        assert_eq!((opened.source.as_str(), opened.target.as_str()), ("changes", "master"));
        assert_eq!(opened.author.map(|by| (by.id, by.login)), Some((21_031_067, DisplayText::clean("Codertocat"))));
        let closed = SeenPull::of(&fixture("pull_request.closed.1")["pull_request"]).expect("a pull request");
        assert_eq!((closed.state, closed.closed_at), (State::Closed, Some(closed.updated_at)));
        let told = fixture("pull_request_review.dismissed.1");
        let review = SeenReview::of(&told["review"]).expect("a review");
        assert_eq!(review.verdict, Verdict::Dismissed);
        assert!(SeenPull::of(&told["pull_request"]).is_some(), "it comes with its pull request");
    }

    #[test]
    fn what_may_be_missing_may_be_and_the_rest_may_not() {
        let mut document = fixture("pull_request.opened.1")["pull_request"].clone();
        for (name, value) in
            [("user", Value::Null), ("body", Value::Null), ("merged_at", json!("2019-05-15T15:20:33Z"))]
        {
            document[name] = value;
        }
        document["state"] = "closed".into();
        document["head"]["repo"] = Value::Null;
        document.as_object_mut().expect("an object").remove("draft");
        let seen = SeenPull::of(&document).expect("a fork that is gone, of somebody who is gone");
        assert_eq!((seen.state, seen.author, seen.body.as_str()), (State::Merged, None, ""));
        for name in ["number", "title", "head", "updated_at", "state"] {
            let mut without = document.clone();
            without.as_object_mut().expect("an object").remove(name);
            assert_eq!(SeenPull::of(&without), None, "{name}");
        }
        let pending = json!({ "id": 1, "user": null, "state": "PENDING" });
        assert_eq!(SeenReview::of(&pending), None);
    }

    #[test]
    fn only_what_can_be_a_name_becomes_a_path() {
        assert_eq!(full_name("acme/shop.js"), Some("acme/shop.js"));
        for bad in ["", "acme", "acme/", "/shop", "acme/../x", "acme/..", "acme/a?b", "a%2f/b"] {
            assert_eq!(full_name(bad), None, "{bad}");
        }
    }
}
