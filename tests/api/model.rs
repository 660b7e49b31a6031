//! The whole server against a model of it in memory: random commands, some on what is gone, some with stale versions, some
//! sent twice. Status and code of every answer are foretold, and so is what is listed afterwards.

mod hosts;
mod keys;

use std::collections::BTreeMap;

use proptest::{
    prelude::{Just, Strategy, any, prop_oneof},
    sample::Index,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use self::{
    hosts::{HostWish, Hosts},
    keys::{KeyWish, Keys},
};
use crate::{
    repository,
    server::{Answer, Server, answer, on_both_engines},
};

/// Of each seed, one that is kept and one that is drawn anew. So many that most refusals come up; names and places are few,
/// so that wishes meet.
const COMMANDS: usize = 340;

#[derive(Clone, Debug)]
enum Wish {
    Add { name: usize, place: usize, key: Option<usize> },
    Rename { which: Index, name: usize, seen: Seen },
    Move { which: Index, place: usize, seen: Seen },
    Pause { which: Index, seen: Seen },
    Resume { which: Index, seen: Seen },
    Remove { which: Index, seen: Seen },
    Issue { name: usize, key: Option<usize> },
    Revoke { which: Index, seen: Seen },
    Key(KeyWish),
    Host(HostWish),
}

/// What `If-Match` says.
#[derive(Clone, Copy, Debug)]
enum Seen {
    Nothing,
    Anything,
    Now,
    Earlier,
}

/// Some differ in the case of letters alone.
const NAMES: [&str; 5] = ["shop", "Shop", "store", "archive", "lab"];
const PLACES: usize = 4;
const KEYS: usize = 4;

fn wishes() -> impl Strategy<Value = Wish> {
    let seen = || {
        prop_oneof![
            2 => Just(Seen::Anything),
            4 => Just(Seen::Now),
            1 => Just(Seen::Earlier),
            1 => Just(Seen::Nothing),
        ]
    };
    let key = || proptest::option::weighted(0.5, 0..KEYS);
    let which = any::<Index>;
    prop_oneof![
        5 => (0..NAMES.len(), 0..PLACES, key()).prop_map(|(name, place, key)| Wish::Add { name, place, key }),
        3 => (which(), 0..NAMES.len(), seen()).prop_map(|(which, name, seen)| Wish::Rename { which, name, seen }),
        3 => (which(), 0..PLACES, seen()).prop_map(|(which, place, seen)| Wish::Move { which, place, seen }),
        2 => (which(), seen()).prop_map(|(which, seen)| Wish::Pause { which, seen }),
        2 => (which(), seen()).prop_map(|(which, seen)| Wish::Resume { which, seen }),
        3 => (which(), seen()).prop_map(|(which, seen)| Wish::Remove { which, seen }),
        2 => (0..NAMES.len(), key()).prop_map(|(name, key)| Wish::Issue { name, key }),
        1 => (which(), seen()).prop_map(|(which, seen)| Wish::Revoke { which, seen }),
        8 => keys::wishes(seen).prop_map(Wish::Key),
        8 => hosts::wishes(seen).prop_map(Wish::Host),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Active,
    Paused,
    Removed,
}

#[derive(Debug)]
struct Integration {
    id: String,
    name: usize,
    place: usize,
    state: State,
    version: i64,
}

#[derive(Debug)]
struct Token {
    id: String,
    revoked: bool,
    version: i64,
}

/// What the server should be.
#[derive(Default)]
struct Model {
    integrations: Vec<Integration>,
    tokens: Vec<Token>,
    keys: Keys,
    hosts: Hosts,
    /// What was sent with a key, and whose id came of it.
    added: BTreeMap<usize, ((usize, usize), String)>,
    issued: BTreeMap<usize, (usize, String)>,
}

/// Status, and the codes that may come with it.
type Expected = (u16, &'static [&'static str]);

const DONE: Expected = (200, &[]);
const REMOVED: Expected = (409, &["integration_removed"]);

impl Seen {
    fn header(self, request: RequestBuilder, version: i64) -> RequestBuilder {
        match self {
            Self::Nothing => request,
            Self::Anything => request.header("If-Match", "*"),
            Self::Now => request.header("If-Match", format!("\"{version}\"")),
            Self::Earlier => request.header("If-Match", format!("\"{}\"", version - 1)),
        }
    }

    /// The refusal that a condition alone leads to.
    const fn refusal(self, is_needed: bool) -> Option<Expected> {
        match self {
            Self::Nothing if is_needed => Some((428, &["if_match_missing"])),
            Self::Earlier => Some((412, &["version_stale"])),
            Self::Nothing | Self::Anything | Self::Now => None,
        }
    }
}

impl Model {
    /// Who else has this name, whatever the case of its letters.
    fn has_name(&self, name: usize, but: Option<usize>) -> bool {
        self.live(but).any(|one| NAMES[one.name].to_lowercase() == NAMES[name].to_lowercase())
    }

    fn has_place(&self, place: usize, but: Option<usize>) -> bool {
        self.live(but).any(|one| one.place == place)
    }

    fn live(&self, but: Option<usize>) -> impl Iterator<Item = &Integration> {
        let all = self.integrations.iter().enumerate();
        all.filter(move |(at, one)| Some(*at) != but && one.state != State::Removed).map(|(_, one)| one)
    }

    /// What a change of one leads to: a refusal, or the change, which counts when it changes anything.
    fn change(
        &mut self,
        at: usize,
        seen: Seen,
        is_needed: bool,
        taken: Option<Expected>,
        change: impl FnOnce(&mut Integration) -> bool,
    ) -> Expected {
        if let Some(refusal) = seen.refusal(is_needed) {
            return refusal;
        }
        if self.integrations[at].state == State::Removed {
            return REMOVED;
        }
        if let Some(taken) = taken {
            return taken;
        }
        let one = &mut self.integrations[at];
        if change(one) {
            one.version += 1;
        }
        DONE
    }
}

fn expect(wish: &Wish, answer: &Answer, (status, codes): Expected) {
    let code = answer.body["code"].as_str();
    let as_foretold = answer.status.as_u16() == status && code.map_or(codes.is_empty(), |code| codes.contains(&code));
    assert!(as_foretold, "{wish:?}: {status} {codes:?} was foretold, {} {} came", answer.status, answer.text);
}

/// One server and its model.
struct Pair {
    server: Server,
    model: Model,
    places: Vec<String>,
}

impl Pair {
    async fn carry_out(&mut self, wish: &Wish) {
        match wish {
            Wish::Add { name, place, key } => self.add(wish, *name, *place, *key).await,
            Wish::Issue { name, key } => self.issue(wish, *name, *key).await,
            Wish::Key(of_key) => self.model.keys.carry_out(&self.server, wish, of_key).await,
            Wish::Host(of_host) => self.model.hosts.carry_out(&self.server, wish, of_host).await,
            Wish::Revoke { which, seen } if !self.model.tokens.is_empty() => {
                let at = which.index(self.model.tokens.len());
                let token = &mut self.model.tokens[at];
                let request = self.server.local(Method::DELETE, &format!("/api/v1/tokens/{}", token.id));
                let answer = answer(seen.header(request, token.version)).await;
                expect(wish, &answer, seen.refusal(false).unwrap_or(DONE));
                if answer.status == 200 && !token.revoked {
                    (token.revoked, token.version) = (true, token.version + 1);
                }
            }
            _ if self.model.integrations.is_empty() => {}
            Wish::Rename { which, name, seen } => {
                let at = which.index(self.model.integrations.len());
                let answer = self.put(at, "name", *seen, json!({ "name": NAMES[*name] })).await;
                let taken = self.model.has_name(*name, Some(at)).then_some((409, &["integration_name_taken"][..]));
                let expected =
                    self.model.change(at, *seen, true, taken, |one| std::mem::replace(&mut one.name, *name) != *name);
                expect(wish, &answer, expected);
            }
            Wish::Move { which, place, seen } => {
                let at = which.index(self.model.integrations.len());
                let body = json!({ "connection": { "kind": "path", "path": self.places[*place] } });
                let answer = self.put(at, "connection", *seen, body).await;
                let taken = self.model.has_place(*place, Some(at)).then_some((409, &["connection_taken"][..]));
                // What the new place is checked against is looked up before the version is.
                let is_late = self.model.integrations[at].state == State::Removed && matches!(seen, Seen::Earlier);
                let seen = if is_late { &Seen::Anything } else { seen };
                let expected = self
                    .model
                    .change(at, *seen, true, taken, |one| std::mem::replace(&mut one.place, *place) != *place);
                expect(wish, &answer, expected);
            }
            Wish::Pause { which, seen } => self.switch(wish, *which, *seen, "pause", State::Paused).await,
            Wish::Resume { which, seen } => self.switch(wish, *which, *seen, "resume", State::Active).await,
            Wish::Remove { which, seen } => {
                let at = which.index(self.model.integrations.len());
                let one = &self.model.integrations[at];
                let request = self.server.local(Method::DELETE, &format!("/api/v1/integrations/{}", one.id));
                let answer = answer(seen.header(request, one.version)).await;
                // Saying it twice is no second fact, and no refusal.
                let expected = match (seen.refusal(true), one.state) {
                    (Some(refusal), _) => refusal,
                    (None, State::Removed) => DONE,
                    (None, _) => self.model.change(at, *seen, true, None, |one| {
                        one.state = State::Removed;
                        true
                    }),
                };
                expect(wish, &answer, expected);
            }
            Wish::Revoke { .. } => {}
        }
    }

    async fn put(&self, at: usize, what: &str, seen: Seen, body: Value) -> Answer {
        let one = &self.model.integrations[at];
        let request = self.server.local(Method::PUT, &format!("/api/v1/integrations/{}/{what}", one.id)).json(&body);
        answer(seen.header(request, one.version)).await
    }

    async fn switch(&mut self, wish: &Wish, which: Index, seen: Seen, verb: &str, state: State) {
        let at = which.index(self.model.integrations.len());
        let one = &self.model.integrations[at];
        let request = self.server.local(Method::POST, &format!("/api/v1/integrations/{}/{verb}", one.id));
        let answer = answer(seen.header(request, one.version)).await;
        let expected =
            self.model.change(at, seen, false, None, |one| std::mem::replace(&mut one.state, state) != state);
        expect(wish, &answer, expected);
    }

    async fn add(&mut self, wish: &Wish, name: usize, place: usize, key: Option<usize>) {
        let body = json!({ "name": NAMES[name], "connection": { "kind": "path", "path": self.places[place] } });
        let mut request = self.server.local(Method::POST, "/api/v1/integrations").json(&body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", format!("add-{key}"));
        }
        let answer = answer(request).await;
        if let Some((sent, id)) = key.and_then(|key| self.model.added.get(&key)) {
            if *sent == (name, place) {
                // What came of it then, shown as it is now.
                expect(wish, &answer, (201, &[]));
                assert_eq!((answer.id(), answer.header("idempotency-replayed")), (id.clone(), "true".to_owned()));
            } else {
                expect(wish, &answer, (422, &["idempotency_key_reused"]));
            }
            return;
        }
        let taken = [(self.model.has_name(name, None), "name"), (self.model.has_place(place, None), "place")];
        let expected: Expected = match taken {
            [(true, _), (true, _)] => (409, &["integration_name_taken", "connection_taken"]),
            [(true, _), _] => (409, &["integration_name_taken"]),
            [_, (true, _)] => (409, &["connection_taken"]),
            _ => (201, &[]),
        };
        expect(wish, &answer, expected);
        if answer.status == 201 {
            let id = answer.id();
            if let Some(key) = key {
                self.model.added.insert(key, ((name, place), id.clone()));
            }
            self.model.integrations.push(Integration { id, name, place, state: State::Active, version: 1 });
        }
    }

    async fn issue(&mut self, wish: &Wish, name: usize, key: Option<usize>) {
        let body = json!({ "name": NAMES[name], "role": "viewer", "expires_in_days": 30 });
        let mut request = self.server.local(Method::POST, "/api/v1/tokens").json(&body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", format!("issue-{key}"));
        }
        let answer = answer(request).await;
        if let Some((sent, id)) = key.and_then(|key| self.model.issued.get(&key)) {
            if *sent == name {
                expect(wish, &answer, (201, &[]));
                // The token itself is told once.
                assert_eq!((&answer.id(), &answer.body["token"]), (id, &Value::Null), "{}", answer.text);
            } else {
                expect(wish, &answer, (422, &["idempotency_key_reused"]));
            }
            return;
        }
        expect(wish, &answer, (201, &[]));
        if let Some(key) = key {
            self.model.issued.insert(key, (name, answer.id()));
        }
        self.model.tokens.push(Token { id: answer.id(), revoked: false, version: 1 });
    }

    /// What is listed is what the model has, to the version.
    async fn compare(&self) {
        let found = self.whole("/api/v1/integrations?limit=500", |row| {
            json!([row["id"], row["name"], row["location"], row["state"], row["version"]])
        });
        let words = [(State::Active, "active"), (State::Paused, "paused"), (State::Removed, "removed")];
        let word = |state| words.iter().find(|(one, _)| *one == state).map(|(_, word)| *word);
        let all = self.model.integrations.iter();
        let expected =
            all.map(|one| json!([one.id, NAMES[one.name], self.places[one.place], word(one.state), one.version]));
        assert_eq!(found.await, sorted(expected.collect()));
        let found =
            self.whole("/api/v1/tokens?limit=500", |row| json!([row["id"], row["state"], row["version"]])).await;
        let all = self.model.tokens.iter();
        let state = |one: &Token| if one.revoked { "revoked" } else { "active" };
        assert_eq!(found, sorted(all.map(|one| json!([one.id, state(one), one.version])).collect()));
        self.model.keys.compare(&self.server).await;
        self.model.hosts.compare(&self.server).await;
    }

    async fn whole(&self, path: &str, row: fn(&Value) -> Value) -> Vec<Value> {
        let head = self.server.app.log.feed().head().position;
        let list = self.server.get(&format!("{path}&min_position={head}")).await;
        sorted(list.items().iter().map(row).collect())
    }
}

fn sorted(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(Value::to_string);
    rows
}

async fn the_server_does_what_a_model_of_it_does(server: Server) {
    let places = (0..PLACES).map(|place| server.root.join(format!("place-{place}"))).collect::<Vec<_>>();
    places.iter().for_each(|place| repository::empty(place));
    let places = places.iter().map(|place| place.display().to_string()).collect();
    // Another engine, another history.
    let kept = if server.is_sqlite() { 0x0707_0707_0707_0707 } else { 0x0808_0808_0808_0808 };
    let drawn = u64::from_le_bytes(keytrail::ids::random_bytes());
    let mut pair = Pair { server, model: Model::default(), places };
    for seed in [kept, drawn] {
        // Shown when what follows fails.
        println!("commands of the seed {seed:#x}");
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed.to_le_bytes().repeat(4));
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        for number in 0..COMMANDS {
            let wish = wishes().new_tree(&mut runner).expect("a wish").current();
            pair.carry_out(&wish).await;
            if number % 10 == 0 {
                pair.compare().await;
            }
        }
        pair.compare().await;
    }
}

on_both_engines!(the_server_does_what_a_model_of_it_does);
