//! What is in a repository, by API: itself, its branches, its refs. Read from its git repository by git.

use std::process::Command;

use serde_json::{Value, json};

use super::{
    api::{Answered, Call, paged},
    refusal::Refusal,
    reply::Reply,
    world::World,
};

impl World {
    /// What the API says about a repository to an installation.
    pub(super) fn of_repository(&mut self, installation: u64, id: u64, rest: &[&str], call: &Call<'_>) -> Answered {
        let one = &self.installations[&installation];
        let repository = self.sees(one).into_iter().find(|known| known.id == id).ok_or(Refusal::NotFound)?;
        let url = format!("{}/repos/{}", self.api(), self.full_name(repository));
        let (archived, may_write) = (repository.archived, self.may_write(call, "contents"));
        match (call.method.as_str(), rest) {
            ("GET", []) => {
                let mut document = self.repository_document(repository);
                document["network_count"] = 0.into();
                document["subscribers_count"] = 0.into();
                Ok(Reply::json(200, &document))
            }
            ("GET", ["branches"]) => {
                let branches: Vec<Value> = self
                    .refs(id, "refs/heads/")
                    .iter()
                    .map(|(name, sha)| {
                        let short = name.trim_start_matches("refs/heads/");
                        let commit = json!({ "sha": sha, "url": format!("{url}/commits/{sha}") });
                        json!({ "name": short, "commit": commit, "protected": false })
                    })
                    .collect();
                Ok(paged(call, &branches, |page| json!(page)))
            }
            ("GET", ["git", "ref", name @ ..]) => {
                let name = format!("refs/{}", name.join("/"));
                let found = self.refs(id, &name).into_iter().find(|(known, _)| *known == name);
                let (name, sha) = found.ok_or(Refusal::NotFound)?;
                Ok(Reply::json(200, &reference(&url, &name, &sha)))
            }
            ("POST", ["git", "refs"]) => {
                let (Some(name), Some(sha)) = (call.body["ref"].as_str(), call.body["sha"].as_str()) else {
                    return Err(Refusal::Unprocessable("Invalid request."));
                };
                if !may_write || archived {
                    return Err(Refusal::NotAllowed { wanted: "contents=write" });
                }
                if self.refs(id, "refs/").is_empty() {
                    return Err(Refusal::EmptyRepository);
                }
                if self.refs(id, name).iter().any(|(known, _)| known == name) {
                    return Err(Refusal::ReferenceExists);
                }
                if !name.starts_with("refs/heads/") || self.git(id, &["update-ref", name, sha]).is_none() {
                    return Err(Refusal::Unprocessable("Object does not exist"));
                }
                let reply = Reply::json(201, &reference(&url, name, sha));
                Ok(reply.with("location", format!("{url}/git/{name}")))
            }
            (_, ["pulls", rest @ ..]) => self.of_pulls(id, &url, rest, call),
            _ => Err(Refusal::NotFound),
        }
    }

    /// Whether the token of a call may read this.
    pub(super) fn may_read(&self, call: &Call<'_>, what: &str) -> bool {
        let token = call.bearer.and_then(|bearer| self.tokens.get(bearer));
        token.is_some_and(|token| token.permissions.contains_key(what))
    }

    /// Whether the token of a call may change this.
    pub(super) fn may_write(&self, call: &Call<'_>, what: &str) -> bool {
        let token = call.bearer.and_then(|bearer| self.tokens.get(bearer));
        token.is_some_and(|token| token.permissions.get(what).is_some_and(|how| how == "write"))
    }

    /// The refs of a repository below a name, with what they lead to.
    pub(super) fn refs(&self, repository: u64, below: &str) -> Vec<(String, String)> {
        let said = self.git(repository, &["for-each-ref", "--format=%(refname) %(objectname)", below]);
        let said = said.unwrap_or_default();
        said.lines().filter_map(|line| line.split_once(' ')).map(|(name, sha)| (name.into(), sha.into())).collect()
    }

    /// What git says; `None` when it refuses.
    pub(super) fn git(&self, repository: u64, arguments: &[&str]) -> Option<String> {
        let git = Command::new("git").arg("-C").arg(self.folder_of(repository)).args(arguments).output();
        let output = git.ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn reference(url: &str, name: &str, sha: &str) -> Value {
    json!({
        "ref": name, "node_id": format!("REF_{sha}"), "url": format!("{url}/git/{name}"),
        "object": { "type": "commit", "sha": sha, "url": format!("{url}/git/commits/{sha}") },
    })
}
