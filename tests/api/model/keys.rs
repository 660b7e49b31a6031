//! The pool of SSH keys as it should be: a few keys that are added under a few names, again and again, renamed and retired.
//! Asked by the model of the whole server.

use std::collections::BTreeMap;

use keytrail::ssh_keys::Target;
use proptest::{
    prelude::{Strategy, any, prop_oneof},
    sample::Index,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{DONE, Expected, Seen, Wish, expect, sorted};
use crate::{
    server::{Server, answer},
    ssh_keys::{key, written},
};

const POOL: &str = "/api/v1/ssh-keys";
/// Some differ in the case of letters alone.
const NAMES: [&str; 4] = ["deploy", "Deploy", "build", "mirror"];
/// Few, so that wishes meet.
const KEYS: u8 = 3;

#[derive(Clone, Debug)]
pub(super) enum KeyWish {
    Add { name: usize, key: u8, sent_as: Option<usize> },
    Rename { which: Index, name: usize, seen: Seen },
    Retire { which: Index, seen: Seen },
}

pub(super) fn wishes<S: Strategy<Value = Seen>>(seen: impl Fn() -> S) -> impl Strategy<Value = KeyWish> {
    let sent_as = proptest::option::weighted(0.5, 0..super::KEYS);
    prop_oneof![
        4 => (0..NAMES.len(), 0..KEYS, sent_as).prop_map(|(name, key, sent_as)| KeyWish::Add { name, key, sent_as }),
        2 => (any::<Index>(), 0..NAMES.len(), seen())
            .prop_map(|(which, name, seen)| KeyWish::Rename { which, name, seen }),
        // Often one that is retired already.
        2 => (any::<Index>(), seen()).prop_map(|(which, seen)| KeyWish::Retire { which, seen }),
    ]
}

#[derive(Debug)]
struct Key {
    id: String,
    name: usize,
    key: u8,
    retired: bool,
    version: i64,
}

/// All that were ever added.
#[derive(Default)]
pub(super) struct Keys {
    all: Vec<Key>,
    /// What was sent with an idempotency key, and whose id came of it.
    added: BTreeMap<usize, ((usize, u8), String)>,
}

impl Keys {
    fn active(&self) -> impl Iterator<Item = &Key> {
        self.all.iter().filter(|one| !one.retired)
    }

    /// Who has this name, whatever the case of its letters.
    fn named(&self, name: usize) -> Option<&Key> {
        self.active().find(|one| NAMES[one.name].eq_ignore_ascii_case(NAMES[name]))
    }

    pub(super) async fn carry_out(&mut self, server: &Server, wish: &Wish, of_key: &KeyWish) {
        match of_key {
            KeyWish::Add { name, key, sent_as } => self.add(server, wish, (*name, *key), *sent_as).await,
            _ if self.all.is_empty() => {}
            KeyWish::Rename { which, name, seen } => {
                self.rename(server, wish, which.index(self.all.len()), *name, *seen).await
            }
            KeyWish::Retire { which, seen } => {
                let at = which.index(self.all.len());
                let one = &mut self.all[at];
                let request = server.local(Method::DELETE, &format!("{POOL}/{}", one.id));
                let answer = answer(seen.header(request, one.version)).await;
                // Saying it twice is no second fact, and no refusal.
                let expected = seen.refusal(true).unwrap_or(DONE);
                expect(wish, &answer, expected);
                if expected == DONE && !one.retired {
                    (one.retired, one.version) = (true, one.version + 1);
                }
            }
        }
    }

    async fn add(&mut self, server: &Server, wish: &Wish, sent: (usize, u8), sent_as: Option<usize>) {
        let (name, number) = sent;
        // In one form or another it is the same key.
        let form = if name % 2 == 0 { Target::OpenSsh } else { Target::Pem };
        let body = json!({ "name": NAMES[name], "private_key": written(&key(number), form, None) });
        let mut request = server.local(Method::POST, POOL).json(&body);
        if let Some(sent_as) = sent_as {
            request = request.header("Idempotency-Key", format!("key-{sent_as}"));
        }
        let answer = answer(request).await;
        if let Some((before, id)) = sent_as.and_then(|sent_as| self.added.get(&sent_as)) {
            if *before == sent {
                // What came of it then, shown as it is now, be it retired.
                expect(wish, &answer, (201, &[]));
                assert_eq!((answer.id(), answer.header("idempotency-replayed")), (id.clone(), "true".to_owned()));
            } else {
                expect(wish, &answer, (422, &["idempotency_key_reused"]));
            }
            return;
        }
        let same = self.active().find(|one| one.key == number);
        // Where both are taken, the key is what counts.
        let (expected, holder): (Expected, _) = match (same, self.named(name)) {
            (Some(same), _) => ((409, &["ssh_key_taken"]), Some(same)),
            (None, Some(named)) => ((409, &["ssh_key_name_taken"]), Some(named)),
            (None, None) => ((201, &[]), None),
        };
        expect(wish, &answer, expected);
        if let Some(holder) = holder {
            assert_eq!(answer.text_of("ssh_key"), holder.id, "{}", answer.text);
            return;
        }
        let id = answer.id();
        if let Some(sent_as) = sent_as {
            self.added.insert(sent_as, (sent, id.clone()));
        }
        self.all.push(Key { id, name, key: number, retired: false, version: 1 });
    }

    async fn rename(&mut self, server: &Server, wish: &Wish, at: usize, name: usize, seen: Seen) {
        let one = &self.all[at];
        let request =
            server.local(Method::PUT, &format!("{POOL}/{}/name", one.id)).json(&json!({ "name": NAMES[name] }));
        let answer = answer(seen.header(request, one.version)).await;
        let is_taken = self.named(name).is_some_and(|holder| holder.id != one.id);
        let expected: Expected = match seen.refusal(true) {
            Some(refusal) => refusal,
            None if one.retired => (409, &["ssh_key_retired"]),
            None if is_taken => (409, &["ssh_key_name_taken"]),
            None => DONE,
        };
        expect(wish, &answer, expected);
        let one = &mut self.all[at];
        if expected == DONE && std::mem::replace(&mut one.name, name) != name {
            one.version += 1;
        }
    }

    /// What is listed is what the model has, to the version.
    pub(super) async fn compare(&self, server: &Server) {
        let head = server.app.log.feed().head().position;
        let list = server.get(&format!("{POOL}?limit=500&min_position={head}")).await;
        let row =
            |row: &Value| json!([row["id"], row["name"], row["fingerprint_sha256"], row["state"], row["version"]]);
        let found = sorted(list.items().iter().map(row).collect());
        let state = |one: &Key| if one.retired { "retired" } else { "active" };
        let expected = self
            .all
            .iter()
            .map(|one| json!([one.id, NAMES[one.name], key(one.key).public().sha256(), state(one), one.version]));
        assert_eq!(found, sorted(expected.collect()));
    }
}
