//! A server beside its model: carries wishes out on both, and holds every answer against what was foretold.

use std::path::PathBuf;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{
    foretold::{Commit, DONE, Expected, Model, Place, Repository, State},
    wish::{BRANCHES, DENIED, Deed, ISSUES, KNOWN, PEOPLE, PLACES, Pair, SUBJECTS, Seen, VIEWS, Wish},
};
use crate::{
    commit_links::name,
    indexing::{ended, indexed, indexed_again},
    repository::{self, git},
    server::{Answer, Server, answer, soon},
};

pub(super) struct Stage {
    /// None while it is started anew: whoever holds the old one holds its folder.
    server: Option<Server>,
    pub(super) model: Model,
    /// The ids of those who write.
    pub(super) people: Vec<String>,
    /// Makes every message another one.
    pushes: usize,
}

impl Seen {
    fn header(self, request: RequestBuilder, version: i64) -> RequestBuilder {
        match self {
            Self::Nothing => request,
            Self::Now => request.header("If-Match", format!("\"{version}\"")),
            Self::Another => request.header("If-Match", format!("\"{}\"", version + 7)),
        }
    }
}

#[track_caller]
fn expect(wish: &Wish, answer: &Answer, (status, code): Expected) {
    let came = (answer.status.as_u16(), answer.body["code"].as_str());
    assert_eq!(came, (status, code), "{wish:?}: {}", answer.text);
}

impl Stage {
    /// Two repositories, each with commits by both persons.
    pub(super) async fn set(server: Server) -> Self {
        let mut model = Model::default();
        model.denied.insert("UTF");
        let mut stage = Self { server: Some(server), model, people: Vec::new(), pushes: 0 };
        for place in 0..PLACES.len() {
            repository::empty(&stage.path(place));
            stage.model.places.push(Place::default());
            for (subject, author) in [(0, 0), (1, 1), (2, 1)] {
                stage.push(place, subject, author);
            }
            stage.add(place).await;
        }
        let listed = stage.server().get("/api/v1/people").await.with(StatusCode::OK);
        let id = |(name, _): &(&str, &str)| {
            let found = listed.items().iter().find(|person| person["name"] == *name);
            found.and_then(|person| person["id"].as_str()).expect("both wrote").to_owned()
        };
        stage.people = PEOPLE.iter().map(id).collect();
        stage
    }

    pub(super) fn server(&self) -> &Server {
        self.server.as_ref().expect("one runs")
    }

    fn path(&self, place: usize) -> PathBuf {
        self.server().root.join(PLACES[place])
    }

    fn push(&mut self, place: usize, subject: usize, author: usize) {
        self.pushes += 1;
        let (path, (name_of, email)) = (self.path(place), PEOPLE[author]);
        let message = format!("{} #{}", SUBJECTS[subject].0, self.pushes);
        // What is pushed later need not be committed later, and no two are committed at once.
        let pushed = self.pushes as i64;
        let committed_at = 1_700_000_000 + pushed * 7_919 % 1_009 * 1_000 + pushed;
        repository::commit_at(&path, &format!("{name_of} <{email}>"), committed_at, &message);
        let at = &mut self.model.places[place];
        let parent = (!at.commits.is_empty()).then_some(at.main);
        at.main = at.commits.len();
        at.commits.push(Commit { sha: name(&path, "HEAD"), parent, subject, author, committed_at });
    }

    async fn add(&mut self, place: usize) {
        let row = indexed(self.server(), PLACES[place], &self.path(place)).await;
        let text = |member: &str| row[member].as_str().expect("an id").to_owned();
        self.model.repositories.push(Repository {
            place,
            id: text("id"),
            integration: text("integration"),
            state: State::Active,
            version: 1,
            seen: Default::default(),
            over: Default::default(),
            branches: Default::default(),
        });
        self.model.index(self.model.repositories.len() - 1, false);
    }

    /// What was done to a place is looked at, so that nobody need foretell when the schedule does.
    async fn look(&mut self, place: usize) {
        if let Some(which) = self.model.live(place) {
            indexed_again(self.server(), &self.model.repositories[which].id).await;
            self.model.index(which, false);
        }
    }

    pub(super) async fn carry_out(&mut self, wish: &Wish) {
        let count = self.model.repositories.len();
        match *wish {
            Wish::Push { place, subject, author } => {
                self.push(place, subject, author);
                self.look(place).await;
            }
            Wish::Branch { place, name, is_gone } => {
                let at = &mut self.model.places[place];
                let is_new = !at.branches.contains_key(&name);
                if is_new == is_gone {
                    return;
                }
                if is_gone {
                    at.branches.remove(&name);
                } else {
                    at.branches.insert(name, at.main);
                }
                let words = if is_gone { &["branch", "-D"][..] } else { &["branch"] };
                let words: Vec<&str> = words.iter().copied().chain([BRANCHES[name].0]).collect();
                git(&self.path(place), &words);
                self.look(place).await;
            }
            Wish::Rewrite { place } => {
                let at = &mut self.model.places[place];
                if let Some(parent) = at.commits[at.main].parent {
                    at.main = parent;
                    git(&self.path(place), &["reset", "-q", "--hard", "HEAD~1"]);
                    self.look(place).await;
                }
            }
            Wish::Index { which, is_reset, key } => self.index(wish, which.index(count), is_reset, key).await,
            Wish::Decide { deed, pair, seen, key } => self.decide(wish, deed, pair, seen, key).await,
            Wish::Rules { known, denied, seen } => {
                let body = json!({ "known": KNOWN[known], "denied": DENIED[denied] });
                let request = self.server().local(Method::PUT, "/api/v1/project-rules").json(&body);
                let answer = answer(seen.header(request, self.model.rules_version)).await;
                expect(wish, &answer, self.model.set_rules(KNOWN[known], DENIED[denied], seen));
            }
            Wish::Forget { person } => {
                let at = format!("/api/v1/people/{}/forget", self.people[person]);
                expect(wish, &self.server().post(&at, json!({})).await, DONE);
                self.model.forgotten.insert(person);
            }
            Wish::Pause { which, seen } => {
                self.switch(wish, which.index(count), "pause", State::Paused, seen).await;
            }
            Wish::Resume { which, seen } => {
                self.switch(wish, which.index(count), "resume", State::Active, seen).await;
            }
            Wish::Remove { which } => self.remove(wish, which.index(count)).await,
            Wish::Add { place } => match self.model.live(place) {
                None => self.add(place).await,
                Some(_) => {
                    let refused = self.server().add(PLACES[place], &self.path(place)).await.with(StatusCode::CONFLICT);
                    let code = refused.text_of("code");
                    assert!(["integration_name_taken", "connection_taken"].contains(&&*code), "{}", refused.text);
                }
            },
            Wish::Rebuild { view } => {
                let at = format!("/api/v1/views/{}/rebuild", VIEWS[view]);
                self.server().post(&at, json!({})).await.with(StatusCode::ACCEPTED);
            }
            Wish::Restart => {
                let server = self.server.take().expect("one runs");
                self.server = Some(server.restarted().await);
            }
        }
    }

    async fn index(&mut self, wish: &Wish, which: usize, is_reset: bool, key: Option<usize>) {
        let (operation, path) = if is_reset { ("ResetIndex", "reset") } else { ("RequestIndex", "index-runs") };
        let at = format!("/api/v1/repositories/{}/{path}", self.model.repositories[which].id);
        let sent = key.map(|key| (operation, key));
        let remembered = sent.and_then(|sent| self.model.remembered.get(&sent));
        let asked = loop {
            let mut request = self.server().local(Method::POST, &at);
            if let Some(key) = key {
                request = request.header("Idempotency-Key", format!("key-{key}"));
            }
            let asked = answer(request).await;
            if asked.body["code"] != "index_run_active" {
                break asked;
            }
            // The schedule was faster.
            ended(self.server(), &asked.text_of("index_run")).await;
        };
        if let Some(before) = remembered {
            let foretold = if *before == at { (202, None) } else { (422, Some("idempotency_key_reused")) };
            expect(wish, &asked, foretold);
            assert!(foretold.0 == 422 || asked.header("idempotency-replayed") == "true");
            return;
        }
        if self.model.repositories[which].state == State::Removed {
            return expect(wish, &asked, (409, Some("repository_forgotten")));
        }
        expect(wish, &asked, (202, None));
        let run = ended(self.server(), &asked.id()).await;
        assert_eq!(run.body["state"], "completed", "{}", run.text);
        self.model.remembered.extend(sent.map(|sent| (sent, at)));
        self.model.index(which, is_reset);
    }

    async fn decide(&mut self, wish: &Wish, deed: Deed, pair: Pair, seen: Seen, key: Option<usize>) {
        let which = pair.which.index(self.model.repositories.len());
        let one = &self.model.repositories[which];
        let commits = &self.model.places[one.place].commits;
        let commit = pair.commit.index(commits.len());
        let (issue, sha) = (ISSUES[pair.issue], &commits[commit].sha);
        let at = format!("/api/v1/issues/{issue}/commits/{}/{sha}", one.id);
        let (method, at, operation) = match deed {
            Deed::Link => (Method::POST, at, "LinkCommit"),
            Deed::Unlink => (Method::DELETE, at, ""),
            Deed::Restore => (Method::POST, format!("{at}/restore"), "RestoreCommitLink"),
        };
        let mut request = self.server().local(method, &at);
        let key = key.filter(|_| deed != Deed::Unlink);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", format!("key-{key}"));
        }
        let answer = answer(seen.header(request, self.model.decisions(which, commit))).await;
        let place = (pair.issue, which, commit);
        let sent = key.map(|key| ((operation, key), at));
        let (foretold, is_replayed) = self.model.decide(deed, place, seen, sent);
        expect(wish, &answer, foretold);
        assert_eq!(answer.headers.contains_key("idempotency-replayed"), is_replayed, "{wish:?}: {}", answer.text);
        if foretold != DONE {
            return;
        }
        // As it is now, also when it was done before.
        let one = &self.model.repositories[which];
        let commit_of_it = &self.model.places[one.place].commits[commit];
        let is_named = one.seen.contains(&commit) && commit_of_it.names(pair.issue);
        let decided = self.model.decided.get(&place);
        let is_linked = match decided.map(|decided| decided.deed) {
            Some(Deed::Link) => true,
            Some(Deed::Unlink) => false,
            Some(Deed::Restore) | None => is_named,
        };
        let shown = ["linked", "places", "version"].map(|member| answer.body[member].clone());
        let places = if is_named { json!(["subject"]) } else { json!([]) };
        let version = decided.map_or(0, |decided| decided.version);
        assert_eq!(shown, [json!(is_linked), places, json!(version)], "{wish:?}: {}", answer.text);
    }

    async fn switch(&mut self, wish: &Wish, which: usize, verb: &str, state: State, seen: Seen) {
        let one = &self.model.repositories[which];
        let request = self.server().local(Method::POST, &format!("/api/v1/integrations/{}/{verb}", one.integration));
        let answer = answer(seen.header(request, one.version)).await;
        expect(wish, &answer, self.model.switch(which, state, seen));
    }

    async fn remove(&mut self, wish: &Wish, which: usize) {
        let at = format!("/api/v1/integrations/{}", self.model.repositories[which].integration);
        expect(wish, &answer(self.server().local(Method::DELETE, &at).header("If-Match", "*")).await, DONE);
        let one = &mut self.model.repositories[which];
        if one.state != State::Removed {
            (one.state, one.version) = (State::Removed, one.version + 1);
        }
        let forgetting = format!("/api/v1/operations/forget_repositories.{}", one.integration);
        let server = self.server();
        soon("its repository is forgotten", || async { server.get(&forgetting).await.body["state"] == "succeeded" })
            .await;
    }

    /// Views that go on are what they would be if they began anew.
    pub(super) async fn is_the_same_when_built_anew(&self) {
        let server = self.server();
        soon("all views are built", || async {
            let all = server.get("/api/v1/views").await;
            all.items().iter().all(|view| view["building"].is_null() && view["lag"] == 0)
        })
        .await;
        let verified = server.post("/api/v1/views/verify?wait=true", json!({})).await.with(StatusCode::OK);
        assert_eq!(verified.body["same"], Value::Bool(true), "{}", verified.text);
    }
}
