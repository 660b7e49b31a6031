//! All that is shown, held against the model.

use std::{cmp::Reverse, collections::BTreeSet};

use keytrail_domain::timestamp::Timestamp;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{
    foretold::{Row, State},
    stage::Stage,
    wish::{ISSUES, PEOPLE},
};
use crate::server::Answer;

fn sorted(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(Value::to_string);
    rows
}

impl Stage {
    /// At least as new as the log.
    async fn now(&self, path: &str) -> Answer {
        let head = self.server().app.log.feed().head().position;
        let more = if path.contains('?') { '&' } else { '?' };
        self.server().get(&format!("{path}{more}limit=500&min_position={head}")).await.with(StatusCode::OK)
    }

    pub(super) async fn compare(&self) {
        for issue in 0..ISSUES.len() {
            self.compare_issue(issue).await;
        }
        self.compare_search().await;
        let found = self.now("/api/v1/integrations").await;
        let found = found.items().iter().map(|row| json!([row["id"], row["state"], row["version"]])).collect();
        let word = |state| match state {
            State::Active => "active",
            State::Paused => "paused",
            State::Removed => "removed",
        };
        let all = &self.model.repositories;
        let foretold = all.iter().map(|one| json!([one.integration, word(one.state), one.version])).collect();
        assert_eq!(sorted(found), sorted(foretold), "integrations");
        let found = self.now("/api/v1/repositories").await;
        let found = found.items().iter().map(|row| json!([row["id"], row["state"] == "forgotten"])).collect();
        let foretold = all.iter().map(|one| json!([one.id, one.state == State::Removed])).collect();
        assert_eq!(sorted(found), sorted(foretold), "repositories");
        let rules = self.server().get("/api/v1/project-rules").await;
        assert_eq!(rules.body["version"], self.model.rules_version, "{}", rules.text);
        for (query, is_forgotten) in [("", false), ("?forgotten=true", true)] {
            let found = self.server().get(&format!("/api/v1/people{query}")).await;
            let found = found.items().iter().map(|row| json!([row["id"], row["name"]])).collect();
            let all = self.people.iter().enumerate();
            let all = all.filter(|(person, _)| self.model.forgotten.contains(person) == is_forgotten);
            let foretold = all.map(|(person, id)| json!([id, self.name_of(person)])).collect();
            assert_eq!(sorted(found), sorted(foretold), "people{query}");
        }
    }

    /// Nothing of who was forgotten.
    fn name_of(&self, person: usize) -> Option<&'static str> {
        (!self.model.forgotten.contains(&person)).then_some(PEOPLE[person].0)
    }

    async fn compare_issue(&self, issue: usize) {
        let key = ISSUES[issue];
        for with_unlinked in [false, true] {
            let path = format!("/api/v1/issues/{key}/commits?unlinked={with_unlinked}");
            let found = self.now(&path).await;
            let times: Vec<_> = found.items().iter().map(|row| row["committed_at"].as_str()).collect();
            assert!(times.is_sorted_by(|one, other| one >= other), "{times:?}");
            let shown = found.items().iter().map(|row| {
                let who = [&row["author"]["id"], &row["author"]["name"]];
                let is_over = !row["superseded_position"].is_null();
                let how = [&row["places"], &row["manual"], &row["decision"]["state"]];
                json!([row["sha"], row["repository"]["id"], who, is_over, how])
            });
            let foretold = self.model.rows(issue, with_unlinked).into_iter().map(|row| {
                let Row { sha, repository, author, is_named, is_over, decided, .. } = row;
                let places = if is_named { json!(["subject"]) } else { json!([]) };
                let who = json!([self.people[author], self.name_of(author)]);
                json!([sha, repository, who, is_over, [places, json!(decided == Some("linked")), json!(decided)]])
            });
            assert_eq!(sorted(shown.collect()), sorted(foretold.collect()), "{path}");
        }
        let branches = self.now(&format!("/api/v1/issues/{key}/branches")).await;
        let shown = branches.items().iter().map(|row| json!([row["repository"]["id"], row["name"]])).collect();
        let foretold = self.model.branches(issue);
        let count = foretold.len();
        let foretold = foretold.into_iter().map(|(repository, name)| json!([repository, name])).collect();
        assert_eq!(sorted(shown), sorted(foretold), "branches of {key}");
        let head = self.server().app.log.feed().head().position;
        let told = self.server().get(&format!("/api/v1/issues/{key}?min_position={head}")).await.with(StatusCode::OK);
        let rows = self.model.rows(issue, false);
        let over = rows.iter().filter(|row| row.is_over).count();
        let authors: BTreeSet<_> = rows.iter().map(|row| row.author).collect();
        let figures = ["commits", "superseded", "authors", "branches", "rule"].map(|member| told.body[member].clone());
        let foretold = [rows.len(), over, authors.len(), count].map(|figure| json!(figure));
        let foretold = [&foretold[..], &[json!(self.model.rule(issue))]].concat();
        assert_eq!(figures.to_vec(), foretold, "{}", told.text);
    }

    /// Every issue that has something to show is found where it belongs, and no other.
    async fn compare_search(&self) {
        let members = ["key", "commits", "superseded", "authors", "repositories", "branches", "last_commit_at"];
        let mut foretold = Vec::new();
        for (issue, key) in ISSUES.iter().enumerate() {
            let (rows, branches) = (self.model.rows(issue, false), self.model.branches(issue).len());
            if rows.len() + branches > 0 {
                let over = rows.iter().filter(|row| row.is_over).count();
                let authors: BTreeSet<_> = rows.iter().map(|row| row.author).collect();
                let places: BTreeSet<_> = rows.iter().map(|row| &row.repository).collect();
                let last = rows.iter().map(|row| row.committed_at).max();
                let told = last.map(Timestamp::from_seconds);
                let hit = json!([key, rows.len(), over, authors.len(), places.len(), branches, told]);
                foretold.push(((last, *key), hit));
            }
        }
        for sort in ["key", "activity"] {
            match sort {
                "key" => foretold.sort_by_key(|((_, key), _)| *key),
                _ => foretold.sort_by_key(|(place, _)| Reverse(*place)),
            }
            let expected: Vec<_> = foretold.iter().map(|(_, hit)| hit.clone()).collect();
            let found = self.now(&format!("/api/v1/search?sort={sort}")).await;
            let shown: Vec<_> = found.items().iter().map(|hit| json!(members.map(|member| &hit[member]))).collect();
            assert_eq!(shown, expected, "by {sort}: {}", found.text);
        }
    }
}
