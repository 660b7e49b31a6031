//! Pull requests and what is said of them, by API, by tests, and in deliveries.

use serde_json::{Value, json};

use super::{
    api::{Answered, Call, paged},
    documents::time,
    refusal::Refusal,
    reply::Reply,
    world::World,
};

pub(super) struct Pull {
    pub(super) id: u64,
    pub(super) number: u64,
    pub(super) title: String,
    pub(super) body: Option<String>,
    pub(super) open: bool,
    pub(super) draft: bool,
    pub(super) merged_at: Option<i64>,
    pub(super) closed_at: Option<i64>,
    pub(super) head: String,
    pub(super) base: String,
    pub(super) author: String,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
    pub(super) reviews: Vec<Review>,
}

pub(super) struct Review {
    pub(super) id: u64,
    pub(super) by: String,
    /// `approved`, `changes_requested`, `commented` or `dismissed`.
    pub(super) state: String,
    pub(super) at: i64,
}

impl World {
    /// Opens one, and tells of it.
    pub(super) fn open_pull(&mut self, repository: u64, title: &str, head: &str, base: &str, author: &str) -> u64 {
        self.person(author);
        let (id, now) = (self.id(), self.now());
        let number =
            self.pulls.keys().filter(|(of, _)| *of == repository).map(|(_, number)| number + 1).max().unwrap_or(1);
        self.pulls.insert(
            (repository, number),
            Pull {
                id,
                number,
                title: title.to_owned(),
                body: None,
                open: true,
                draft: false,
                merged_at: None,
                closed_at: None,
                head: head.to_owned(),
                base: base.to_owned(),
                author: author.to_owned(),
                created_at: now,
                updated_at: now,
                reviews: Vec::new(),
            },
        );
        self.tell_of_pull(repository, number, "opened", &json!({}));
        number
    }

    /// Changes one, and tells of it with this word and these members beside.
    pub(super) fn change_pull(
        &mut self,
        repository: u64,
        number: u64,
        word: &str,
        beside: &Value,
        change: impl FnOnce(&mut Pull),
    ) {
        let now = self.now();
        if let Some(pull) = self.pulls.get_mut(&(repository, number)) {
            pull.updated_at = now;
            change(pull);
        }
        self.tell_of_pull(repository, number, word, beside);
    }

    fn tell_of_pull(&self, repository: u64, number: u64, word: &str, beside: &Value) {
        let (Some(of), Some(pull)) = (self.repositories.get(&repository), self.pulls.get(&(repository, number))) else {
            return;
        };
        let url = format!("{}/repos/{}", self.api(), self.full_name(of));
        let mut payload = json!({
            "action": word, "number": number, "pull_request": self.pull(repository, &url, pull, true),
            "repository": self.repository_document(of), "organization": self.account(of.owner),
            "sender": self.person_document(&pull.author),
        });
        if let (Some(payload), Value::Object(beside)) = (payload.as_object_mut(), beside.clone()) {
            payload.extend(beside);
        }
        self.tell_of(repository, "pull_request", &payload);
    }

    /// Somebody reviews one.
    pub(super) fn review(&mut self, repository: u64, number: u64, by: &str, state: &str) {
        self.person(by);
        let (id, at) = (self.id(), self.now());
        let Some(pull) = self.pulls.get_mut(&(repository, number)) else { return };
        pull.updated_at = at;
        pull.reviews.push(Review { id, by: by.to_owned(), state: state.to_owned(), at });
        self.tell_of_review(repository, number, id, "submitted");
    }

    /// The last review of somebody counts no more. It stays the same one, of the same time.
    pub(super) fn dismiss(&mut self, repository: u64, number: u64, by: &str) {
        let now = self.now();
        let Some(pull) = self.pulls.get_mut(&(repository, number)) else { return };
        pull.updated_at = now;
        let Some(review) = pull.reviews.iter_mut().rfind(|review| review.by == by) else { return };
        review.state = "dismissed".to_owned();
        let id = review.id;
        self.tell_of_review(repository, number, id, "dismissed");
    }

    fn tell_of_review(&self, repository: u64, number: u64, id: u64, action: &str) {
        let (Some(of), Some(pull)) = (self.repositories.get(&repository), self.pulls.get(&(repository, number))) else {
            return;
        };
        let Some(review) = pull.reviews.iter().find(|review| review.id == id) else { return };
        let url = format!("{}/repos/{}", self.api(), self.full_name(of));
        let mut document = self.review_document(&url, number, review);
        // Deliveries write it small, the API great.
        document["state"] = review.state.as_str().into();
        let payload = json!({
            "action": action, "review": document, "pull_request": self.pull(repository, &url, pull, false),
            "repository": self.repository_document(of), "organization": self.account(of.owner),
            "sender": self.person_document(&review.by),
        });
        self.tell_of(repository, "pull_request_review", &payload);
    }

    pub(super) fn of_pulls(&mut self, repository: u64, url: &str, rest: &[&str], call: &Call<'_>) -> Answered {
        let find = |number: &str| {
            let number = number.parse().map_err(|_| Refusal::NotFound)?;
            self.pulls.get(&(repository, number)).ok_or(Refusal::NotFound)
        };
        match (call.method.as_str(), rest) {
            ("GET", _) if !self.may_read(call, "pull_requests") => {
                Err(Refusal::NotAllowed { wanted: "pull_requests=read" })
            }
            ("GET", []) => {
                let wanted = call.query.get("state").map_or("open", String::as_str);
                let of_it = self.pulls.iter().filter(|((of, _), _)| *of == repository).map(|(_, pull)| pull);
                let mut all: Vec<&Pull> =
                    of_it.filter(|pull| wanted == "all" || pull.open == (wanted == "open")).collect();
                match call.query.get("sort").map(String::as_str) {
                    Some("updated") => all.sort_by_key(|pull| (pull.updated_at, pull.number)),
                    _ => all.sort_by_key(|pull| pull.number),
                }
                if call.query.get("direction").map(String::as_str) != Some("asc") {
                    all.reverse();
                }
                let all: Vec<Value> = all.into_iter().map(|pull| self.pull(repository, url, pull, false)).collect();
                Ok(paged(call, &all, |page| json!(page)))
            }
            ("GET", [number]) => Ok(Reply::json(200, &self.pull(repository, url, find(number)?, true))),
            ("GET", [number, "reviews"]) => {
                let pull = find(number)?;
                let all: Vec<Value> =
                    pull.reviews.iter().map(|review| self.review_document(url, pull.number, review)).collect();
                Ok(paged(call, &all, |page| json!(page)))
            }
            ("POST", []) if !self.may_write(call, "pull_requests") => {
                Err(Refusal::NotAllowed { wanted: "pull_requests=write" })
            }
            ("POST", []) => {
                let text = |name: &str| call.body[name].as_str().map(str::to_owned);
                let (Some(title), Some(head), Some(base)) = (text("title"), text("head"), text("base")) else {
                    return Err(Refusal::Unprocessable("Invalid request."));
                };
                let same = |pull: &Pull| pull.open && pull.head == head && pull.base == base;
                if self.pulls.iter().any(|((of, _), pull)| *of == repository && same(pull)) {
                    let owner = self.repositories.get(&repository).map_or("", |one| self.login(one.owner));
                    return Err(Refusal::PullRequest(format!("A pull request already exists for {owner}:{head}.")));
                }
                let tip = |branch: &str| {
                    self.refs(repository, &format!("refs/heads/{branch}")).first().map(|(_, sha)| sha.clone())
                };
                if tip(&head).is_none() || tip(&head) == tip(&base) {
                    return Err(Refusal::PullRequest(format!("No commits between {base} and {head}")));
                }
                let number = self.open_pull(repository, &title, &head, &base, "octo-owner");
                let pull = &self.pulls[&(repository, number)];
                Ok(Reply::json(201, &self.pull(repository, url, pull, true)))
            }
            _ => Err(Refusal::NotFound),
        }
    }

    /// `whole`: with what only one by itself has.
    fn pull(&self, repository: u64, url: &str, pull: &Pull, whole: bool) -> Value {
        let (number, of) = (pull.number, self.repositories.get(&repository));
        let (owner, name) = of.map_or((0, String::new()), |of| (of.owner, self.full_name(of)));
        let document = of.map(|of| self.repository_document(of));
        let sha = |branch: &str| {
            let tip = self.refs(repository, &format!("refs/heads/{branch}")).first().map(|(_, sha)| sha.clone());
            tip.unwrap_or_else(|| "0".repeat(40))
        };
        let end = |branch: &str| {
            json!({
                "label": format!("{}:{branch}", self.login(owner)), "ref": branch, "sha": sha(branch), "repo": document,
                "user": self.account(owner),
            })
        };
        let at = format!("{url}/pulls/{number}");
        let page = format!("{}/{name}/pull/{number}", self.web);
        let mut links = serde_json::Map::new();
        let issue = format!("{url}/issues/{number}");
        for (word, below) in [
            ("comments", format!("{issue}/comments")),
            ("commits", format!("{at}/commits")),
            ("html", page.clone()),
            ("issue", issue.clone()),
            ("review_comment", format!("{url}/pulls/comments{{/number}}")),
            ("review_comments", format!("{at}/comments")),
            ("self", at.clone()),
            ("statuses", format!("{url}/statuses/{}", sha(&pull.head))),
        ] {
            links.insert(word.to_owned(), json!({ "href": below }));
        }
        let mut answer = json!({
            "id": pull.id, "node_id": format!("PR_{}", pull.id), "url": at, "html_url": page, "number": number,
            "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"), "issue_url": issue,
            "commits_url": format!("{at}/commits"), "review_comments_url": format!("{at}/comments"),
            "review_comment_url": format!("{url}/pulls/comments{{/number}}"), "locked": false,
            "comments_url": format!("{issue}/comments"), "statuses_url": format!("{url}/statuses/{}", sha(&pull.head)),
            "state": if pull.open { "open" } else { "closed" }, "title": pull.title, "body": pull.body,
            "user": self.person_document(&pull.author), "draft": pull.draft, "created_at": time(pull.created_at),
            "updated_at": time(pull.updated_at), "closed_at": pull.closed_at.map(time),
        });
        let rest = json!({
            "merged_at": pull.merged_at.map(time), "merge_commit_sha": pull.merged_at.map(|_| sha(&pull.base)),
            "assignee": null, "assignees": [], "requested_reviewers": [], "requested_teams": [], "labels": [],
            "milestone": null, "head": end(&pull.head), "base": end(&pull.base), "_links": links,
            "author_association": "MEMBER", "auto_merge": null, "active_lock_reason": null,
        });
        let alone = json!({
            "merged": pull.merged_at.is_some(), "mergeable": null, "rebaseable": null, "mergeable_state": "unknown",
            "merged_by": null, "comments": 0, "review_comments": 0, "maintainer_can_modify": false, "commits": 1,
            "additions": 1, "deletions": 0, "changed_files": 1,
        });
        for more in [rest, if whole { alone } else { json!({}) }] {
            if let (Some(answer), Value::Object(more)) = (answer.as_object_mut(), more) {
                answer.extend(more);
            }
        }
        answer
    }

    fn review_document(&self, url: &str, number: u64, review: &Review) -> Value {
        json!({
            "id": review.id, "node_id": format!("PRR_{}", review.id), "user": self.person_document(&review.by),
            "body": "", "state": review.state.to_ascii_uppercase(), "html_url": format!("{}/pull/{number}", self.web),
            "pull_request_url": format!("{url}/pulls/{number}"), "submitted_at": time(review.at),
            "commit_id": "0".repeat(40), "author_association": "MEMBER",
            "_links": { "html": { "href": self.web }, "pull_request": { "href": format!("{url}/pulls/{number}") } },
        })
    }
}
