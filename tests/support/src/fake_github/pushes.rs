//! Pushes: what changed between two states of a repository's refs, told as GitHub tells it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::world::World;

/// No object.
const NOTHING: &str = "0000000000000000000000000000000000000000";
/// GitHub lists no more commits in one push.
const MOST_COMMITS: usize = 2_048;
/// More tags at once are not told of.
const MOST_TAGS: usize = 3;

impl World {
    /// Branches and tags with what they lead to.
    pub(super) fn tips(&self, repository: u64) -> BTreeMap<String, String> {
        ["refs/heads/", "refs/tags/"].iter().flat_map(|below| self.refs(repository, below)).collect()
    }

    /// Tells of everything that is another way than before.
    pub(super) fn tell_of_pushes(&mut self, repository: u64, before: &BTreeMap<String, String>, by: &str) {
        let now = self.now();
        if let Some(one) = self.repositories.get_mut(&repository) {
            one.pushed_at = now;
        }
        let after = self.tips(repository);
        let names: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
        let mut changed: Vec<&String> = names.iter().filter(|name| before.get(*name) != after.get(*name)).collect();
        changed.sort_unstable();
        changed.dedup();
        let many_tags = changed.iter().filter(|name| name.starts_with("refs/tags/")).count() > MOST_TAGS;
        for name in changed {
            let is_tag = name.starts_with("refs/tags/");
            if is_tag && many_tags {
                continue;
            }
            let (old, new) = (before.get(name).map(String::as_str), after.get(name).map(String::as_str));
            if old.is_none() || new.is_none() {
                self.tell_of_ref(repository, name, old.is_none(), by);
            }
            self.tell_of_push(repository, name, old.unwrap_or(NOTHING), new.unwrap_or(NOTHING), by);
        }
    }

    fn tell_of_ref(&self, repository: u64, name: &str, made: bool, by: &str) {
        let Some(one) = self.repositories.get(&repository) else { return };
        let kind = if name.starts_with("refs/tags/") { "tag" } else { "branch" };
        let short = name.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/");
        let mut payload = json!({
            "ref": short, "ref_type": kind, "pusher_type": "user", "repository": self.repository_document(one),
            "organization": self.account(one.owner), "sender": self.person_document(by),
        });
        if made {
            payload["master_branch"] = one.default_branch.clone().into();
            payload["description"] = Value::Null;
        }
        self.tell_of(repository, if made { "create" } else { "delete" }, &payload);
    }

    fn tell_of_push(&self, repository: u64, name: &str, before: &str, after: &str, by: &str) {
        let Some(one) = self.repositories.get(&repository) else { return };
        let (created, deleted) = (before == NOTHING, after == NOTHING);
        let url = format!("{}/{}", self.web, self.full_name(one));
        let range = if created {
            vec![after.to_owned(), "--not".into(), "--exclude".into(), name.into(), "--all".into()]
        } else {
            vec![format!("{before}..{after}")]
        };
        let commits = if deleted { Vec::new() } else { self.commits(repository, &url, &range) };
        let head = self.commits(repository, &url, &["-1".to_owned(), after.to_owned()]).pop().filter(|_| !deleted);
        let forced =
            !created && !deleted && self.git(repository, &["merge-base", "--is-ancestor", before, after]).is_none();
        let mut document = self.repository_document(one);
        // Here, and only here, these are numbers.
        document["created_at"] = one.created_at.into();
        document["pushed_at"] = one.pushed_at.into();
        document["stargazers"] = 0.into();
        document["master_branch"] = one.default_branch.clone().into();
        document["organization"] = self.login(one.owner).into();
        let payload = json!({
            "ref": name, "before": before, "after": after, "repository": document,
            "pusher": { "name": by, "email": format!("{by}@users.noreply.github.com") },
            "organization": self.account(one.owner), "sender": self.person_document(by), "created": created,
            "deleted": deleted, "forced": forced, "base_ref": null,
            "compare": format!("{url}/compare/{}...{}", &before[..12], &after[..12]), "commits": commits,
            "head_commit": head,
        });
        self.tell_of(repository, "push", &payload);
    }

    /// Commits as a push lists them, oldest first.
    fn commits(&self, repository: u64, url: &str, range: &[String]) -> Vec<Value> {
        let format = "--format=%H%x00%T%x00%cI%x00%an%x00%ae%x00%cn%x00%ce%x00%B%x01";
        let most = format!("--max-count={MOST_COMMITS}");
        let mut arguments = vec!["log", "--reverse", most.as_str(), format];
        arguments.extend(range.iter().map(String::as_str));
        let said = self.git(repository, &arguments).unwrap_or_default();
        let commit = |text: &str| {
            let parts: Vec<&str> = text.trim_start_matches('\n').split('\0').collect();
            let [id, tree, at, author, email, committer, committer_email, message] = parts.as_slice() else {
                return None;
            };
            Some(json!({
                "id": id, "tree_id": tree, "distinct": true, "message": message.trim_end(), "timestamp": at,
                "url": format!("{url}/commit/{id}"), "author": { "name": author, "email": email },
                "committer": { "name": committer, "email": committer_email }, "added": [], "removed": [], "modified": [],
            }))
        };
        said.split('\u{1}').filter_map(commit).collect()
    }
}
