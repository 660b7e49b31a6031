//! Repositories that are indexed while something happens to the server, and what git says of them.

use std::collections::{BTreeMap, BTreeSet};

use keytrail_test_support::{repositories::Repository, server::Client};
use serde_json::{Value, json};

use crate::stage::{Chance, connect, until};

/// A repository that is connected.
pub(crate) struct Indexed {
    /// Its id.
    pub(crate) id: String,
    says: BTreeMap<String, BTreeSet<String>>,
}

impl Indexed {
    /// Connects it, and waits until it was discovered; its first run is then asked for by itself.
    pub(crate) async fn connect(client: &Client, name: &str, repository: &Repository, projects: &[&str]) -> Self {
        let body = connect(name, &repository.path);
        Self::connect_to(client, name, &body["connection"], repository, projects).await
    }

    /// The same, where it is reached like this.
    pub(crate) async fn connect_to(
        client: &Client,
        name: &str,
        connection: &Value,
        repository: &Repository,
        projects: &[&str],
    ) -> Self {
        let body = json!({ "name": name, "connection": connection });
        let added = until("adding an integration", async || {
            let answer = client.post("/api/v1/integrations", Some(name), &body).await;
            let answer = answer.map_err(|error| format!("{error:?}"))?;
            if answer.is_done() { Ok(answer) } else { Err(format!("{} {}", answer.status, answer.body)) }
        })
        .await;
        let path = format!("/api/v1/integrations/{}/repositories", added.id());
        let id = until("the discovery of a repository", async || {
            let found = client.get(&path).await.map_err(|error| format!("{error:?}"))?;
            found.body["items"][0]["id"].as_str().map(str::to_owned).ok_or_else(|| found.body.to_string())
        })
        .await;
        Self { id, says: git_says(repository, projects) }
    }

    /// Asks for a run over everything; the run, or nothing when one is under way or the server has other troubles.
    pub(crate) async fn reset(&self, client: &Client) -> Option<String> {
        let answer = client.post(&format!("/api/v1/repositories/{}/reset", self.id), None, &json!({})).await.ok()?;
        answer.is_done().then(|| answer.id().to_owned())
    }

    /// Compares what is answered for random keys with what `git log` says; how many commits that were.
    pub(crate) async fn compare(&self, client: &Client, chance: &mut Chance, keys: usize) -> usize {
        let all: Vec<&String> = self.says.keys().collect();
        assert!(!all.is_empty(), "the generated repository names issues");
        let mut commits = 0;
        for _ in 0..keys {
            let key = all[chance.below(all.len() as u64) as usize];
            let found = client.list(&format!("/api/v1/issues/{key}/commits")).await.expect("the server runs");
            let ours: BTreeSet<String> = found
                .iter()
                .filter(|commit| commit["repository"]["id"] == *self.id)
                .filter_map(|commit| commit["sha"].as_str().map(str::to_owned))
                .collect();
            assert_eq!(ours, self.says[key], "the commits of {key} are not what git log says");
            commits += ours.len();
        }
        commits
    }
}

/// Each key of these projects and the commits whose message names it.
fn git_says(repository: &Repository, projects: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let arguments = ["log", "--branches", "--tags", "--glob=refs/pull/*/head", "-z", "--format=%H%n%B"];
    let output = repository.git(&arguments).expect("git log works");
    let mut says: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for record in String::from_utf8_lossy(&output).split('\0').filter(|record| !record.is_empty()) {
        let (sha, message) = record.split_once('\n').unwrap_or((record, ""));
        for word in message.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_') {
            let Some((project, number)) = word.split_once('-') else { continue };
            if projects.contains(&project) && number.bytes().all(|digit| digit.is_ascii_digit()) {
                says.entry(word.to_owned()).or_default().insert(sha.to_owned());
            }
        }
    }
    says
}
