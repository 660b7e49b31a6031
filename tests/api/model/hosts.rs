//! What is known of the keys of a few SSH servers, as it should be: imported from files, met by connections, in question
//! until a person decides, forgotten. Nothing is connected to: what a connection meets is reported as each of them reports
//! it. Asked by the model of the whole server.

use std::collections::BTreeSet;

use keytrail::app::Context;
use keytrail_domain::host_key::{Command, Endpoint, HostKeyId, HostKeys, HostPublicKey};
use proptest::{collection::btree_set, prelude::*};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{DONE, Expected, Seen, Wish, expect, sorted};
use crate::server::{Server, answer};

const LIST: &str = "/api/v1/host-keys";
const HOST: &str = "git.example.com";
/// Two servers of one host, with the names that files give them.
const SERVERS: [(u16, &str); 2] = [(22, HOST), (2222, "[git.example.com]:2222")];
const KINDS: [&str; 2] = ["ssh-ed25519", "ecdsa-sha2-nistp256"];
/// Two of each kind, so that one comes instead of another, or beside it.
const KEYS: u8 = 4;
const UNKNOWN: Expected = (404, &["host_key_unknown"]);
const NO_CHANGE: Expected = (409, &["host_key_no_change"]);

#[derive(Clone, Debug)]
pub(super) enum HostWish {
    Import { server: usize, keys: BTreeSet<u8> },
    Meet { server: usize, keys: BTreeSet<u8> },
    Accept { server: usize, as_shown: bool, seen: Seen },
    Refuse { server: usize, seen: Seen },
    Forget { server: usize, seen: Seen },
}

pub(super) fn wishes<S: Strategy<Value = Seen>>(seen: impl Fn() -> S) -> impl Strategy<Value = HostWish> {
    let server = || 0..SERVERS.len();
    let keys = || btree_set(0..KEYS, 1..=2);
    prop_oneof![
        3 => (server(), keys()).prop_map(|(server, keys)| HostWish::Import { server, keys }),
        4 => (server(), keys()).prop_map(|(server, keys)| HostWish::Meet { server, keys }),
        3 => (server(), any::<bool>(), seen())
            .prop_map(|(server, as_shown, seen)| HostWish::Accept { server, as_shown, seen }),
        2 => (server(), seen()).prop_map(|(server, seen)| HostWish::Refuse { server, seen }),
        1 => (server(), seen()).prop_map(|(server, seen)| HostWish::Forget { server, seen }),
    ]
}

fn kind(key: u8) -> usize {
    usize::from(key) / 2
}

/// As RFC 8709 and RFC 5656 write such a key; nobody signs with it.
fn public(key: u8) -> HostPublicKey {
    let algorithm = KINDS[kind(key)];
    let point = vec![key; 32];
    let curve_point = [&[4][..], &[key; 64]].concat();
    let fields: &[&[u8]] = match kind(key) {
        0 => &[algorithm.as_bytes(), &point],
        _ => &[algorithm.as_bytes(), b"nistp256", &curve_point],
    };
    let mut blob = Vec::new();
    for field in fields {
        blob.extend(u32::try_from(field.len()).expect("it is short").to_be_bytes());
        blob.extend_from_slice(field);
    }
    HostPublicKey { algorithm: algorithm.to_owned(), blob }
}

fn fingerprints(keys: &BTreeSet<u8>) -> Vec<String> {
    let mut all: Vec<_> = keys.iter().map(|key| public(*key).sha256()).collect();
    all.sort();
    all
}

/// One server; nothing is known of it at the version 0.
#[derive(Default)]
struct Known {
    trusted: BTreeSet<u8>,
    /// What it showed while nothing was trusted.
    met: BTreeSet<u8>,
    /// What it showed instead of what is trusted, while nobody decided.
    in_question: BTreeSet<u8>,
    refused: BTreeSet<u8>,
    /// Whether it showed a trusted key, too, each time since something is in question.
    proved: bool,
    is_forgotten: bool,
    version: i64,
}

impl Known {
    fn trusted_of_kind(&self, key: u8) -> BTreeSet<u8> {
        self.trusted.iter().copied().filter(|trusted| kind(*trusted) == kind(key)).collect()
    }

    /// Why a file is not believed.
    fn objection(&self, keys: &BTreeSet<u8>) -> Option<&'static str> {
        let differs = |key: &u8| {
            let same = self.trusted_of_kind(*key);
            !same.is_empty() && same.is_disjoint(keys)
        };
        if !self.in_question.is_empty() {
            Some("host_key_alarmed")
        } else if !keys.is_disjoint(&self.refused) {
            Some("host_key_refused")
        } else {
            keys.iter().any(differs).then_some("host_key_differs")
        }
    }

    fn believe(&mut self, keys: &BTreeSet<u8>) {
        if !keys.is_subset(&self.trusted) {
            self.trusted.extend(keys);
            self.met.clear();
            self.changed();
        }
    }

    fn meet(&mut self, keys: &BTreeSet<u8>) {
        if self.trusted.is_empty() {
            if !keys.is_subset(&self.met) {
                self.met.retain(|old| keys.iter().all(|new| kind(*new) != kind(*old)));
                self.met.extend(keys);
                self.changed();
            }
            return;
        }
        let shows_trusted = !keys.is_disjoint(&self.trusted);
        let is_doubtful = |key: &u8| {
            let is_new = !self.trusted.contains(key) && !self.refused.contains(key);
            is_new && !(shows_trusted && self.trusted_of_kind(*key).is_empty())
        };
        let doubtful: BTreeSet<u8> = keys.iter().copied().filter(is_doubtful).collect();
        let was_in_question = !self.in_question.is_empty();
        let proved = shows_trusted && (self.proved || !was_in_question);
        let says_more = !doubtful.is_subset(&self.in_question) || proved != self.proved;
        if !doubtful.is_empty() && says_more {
            (self.in_question, self.proved) = (doubtful, proved);
            self.changed();
        }
    }

    /// What stands in its place goes; of a server that showed nothing trusted, everything that was trusted does.
    fn accept(&mut self) {
        let news = std::mem::take(&mut self.in_question);
        let proved = std::mem::take(&mut self.proved);
        self.trusted.retain(|old| proved && news.iter().all(|new| kind(*new) != kind(*old)));
        self.refused.retain(|old| !news.contains(old));
        self.trusted.extend(news);
        self.changed();
    }

    fn refuse(&mut self) {
        self.refused.extend(std::mem::take(&mut self.in_question));
        self.proved = false;
        self.changed();
    }

    fn changed(&mut self) {
        self.is_forgotten = false;
        self.version += 1;
    }

    fn state(&self) -> &'static str {
        match (self.is_forgotten, self.in_question.is_empty(), self.trusted.is_empty()) {
            (true, ..) => "forgotten",
            (_, false, _) => "changed",
            (.., true) => "seen",
            (.., false) => "trusted",
        }
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Hosts([Known; SERVERS.len()]);

fn id(server: usize) -> HostKeyId {
    HostKeyId::of(HOST, SERVERS[server].0)
}

impl Hosts {
    pub(super) async fn carry_out(&mut self, server: &Server, wish: &Wish, of_host: &HostWish) {
        match of_host {
            HostWish::Import { server: at, keys } => self.import(server, wish, *at, keys).await,
            HostWish::Meet { server: at, keys } => {
                let host = Endpoint::host_of(HOST).expect("a name");
                let keys_shown = keys.iter().map(|key| public(*key)).collect();
                let command = Command::ReportOffered { host, port: SERVERS[*at].0, keys: keys_shown };
                let context = Context::server("case", 0);
                let told = server.app.dispatch::<HostKeys>(id(*at).0, command, context, Vec::new());
                told.await.expect("nobody refuses what was seen");
                self.0[*at].meet(keys);
            }
            // What was never met has no version that anybody could have seen.
            HostWish::Accept { server: at, .. }
            | HostWish::Refuse { server: at, .. }
            | HostWish::Forget { server: at, .. }
                if self.0[*at].version == 0 => {}
            HostWish::Accept { server: at, as_shown, seen } => {
                let mut shown = fingerprints(&self.0[*at].in_question);
                shown.extend((!as_shown).then(|| format!("SHA256:{}", "A".repeat(43))));
                let request = server.local(Method::POST, &format!("{LIST}/{}/accept", id(*at)));
                let other = (!as_shown).then_some((409, &["host_key_other_fingerprints"][..]));
                let request = request.json(&json!({ "fingerprints": shown }));
                self.decide(wish, *at, *seen, request, other, Known::accept).await;
            }
            HostWish::Refuse { server: at, seen } => {
                let request = server.local(Method::POST, &format!("{LIST}/{}/refuse", id(*at)));
                self.decide(wish, *at, *seen, request, None, Known::refuse).await;
            }
            HostWish::Forget { server: at, seen } => {
                let one = &mut self.0[*at];
                let request = server.local(Method::DELETE, &format!("{LIST}/{}", id(*at)));
                let answer = answer(seen.header(request, one.version)).await;
                let expected = match seen.refusal(true) {
                    Some(refusal) => refusal,
                    // There is nothing to forget, which is told each time.
                    None if one.is_forgotten => UNKNOWN,
                    None => DONE,
                };
                expect(wish, &answer, expected);
                if expected == DONE {
                    *one = Known { is_forgotten: true, version: one.version + 1, ..Known::default() };
                }
            }
        }
    }

    async fn import(&mut self, server: &Server, wish: &Wish, at: usize, keys: &BTreeSet<u8>) {
        let lines: Vec<_> = keys.iter().map(|key| public(*key).known_hosts_line(SERVERS[at].1)).collect();
        let answer = server.post(&format!("{LIST}/import"), json!({ "known_hosts": lines.join("\n") })).await;
        expect(wish, &answer, DONE);
        let objection = self.0[at].objection(keys);
        let told = &answer.body["servers"][0];
        let came = json!([told["id"], told["trusted"], told["code"]]);
        let foretold = json!([id(at).to_string(), objection.is_none(), objection]);
        assert_eq!(came, foretold, "{wish:?}: {}", answer.text);
        if objection.is_none() {
            self.0[at].believe(keys);
        }
    }

    /// A person decides about a change, if there is one, and if `other` is not in the way.
    async fn decide(
        &mut self,
        wish: &Wish,
        at: usize,
        seen: Seen,
        request: RequestBuilder,
        other: Option<Expected>,
        change: fn(&mut Known),
    ) {
        let one = &mut self.0[at];
        let answer = answer(seen.header(request, one.version)).await;
        let expected = match (seen.refusal(false), other) {
            (Some(refusal), _) => refusal,
            _ if one.is_forgotten => UNKNOWN,
            _ if one.in_question.is_empty() => NO_CHANGE,
            (None, Some(other)) => other,
            (None, None) => DONE,
        };
        expect(wish, &answer, expected);
        if expected == DONE {
            change(one);
        }
    }

    /// What is listed is what the model has, to the version.
    pub(super) async fn compare(&self, server: &Server) {
        let head = server.app.log.feed().head().position;
        let list = server.get(&format!("{LIST}?limit=500&min_position={head}")).await;
        let told = |keys: &Value| {
            let all = keys.as_array().expect("keys").iter();
            sorted(all.map(|key| key["fingerprint_sha256"].clone()).collect())
        };
        let row = |row: &Value| {
            let keys = ["trusted", "seen", "offered", "refused"].map(|member| told(&row[member]));
            json!([row["id"], row["state"], row["version"], keys])
        };
        let found = sorted(list.items().iter().map(row).collect());
        let met = self.0.iter().enumerate().filter(|(_, one)| one.version > 0);
        let expected = met.map(|(at, one)| {
            let keys = [&one.trusted, &one.met, &one.in_question, &one.refused].map(fingerprints);
            json!([id(at).to_string(), one.state(), one.version, keys])
        });
        assert_eq!(found, sorted(expected.collect()));
    }
}
