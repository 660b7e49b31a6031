//! GitHub's own library signs the payloads that GitHub sent: each is taken by a server of ours, and none with a bit of it
//! otherwise. Shuffled and doubled, as they are and as if they were of our own app, they end in what GitHub's own client
//! is told of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use keytrail_test_support::{fake_github::FakeGithub, postgres::database};
use serde_json::{Value, json};

use crate::{
    adopted::{Adopted, options, repository, soon},
    tools::node,
};

const PAYLOADS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/github/webhooks");
/// Orders in which all of them are sent.
const ORDERS: u64 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn what_githubs_library_signed_is_taken_in_any_order_and_ends_in_what_is_so_on_the_embedded_engine() {
    judge(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_githubs_library_signed_is_taken_in_any_order_and_ends_in_what_is_so_on_postgresql() {
    let database = database().await;
    judge(Some(database.url())).await;
}

/// A delivery as it is sent.
struct Signed {
    name: String,
    event: String,
    body: Vec<u8>,
    signature: String,
}

fn signed(folder: &Path, secret: &str) -> Vec<Signed> {
    let signatures = node("sign.mjs", [folder.to_str().expect("UTF-8"), secret]);
    let signatures: BTreeMap<String, String> = serde_json::from_value(signatures).expect("names and signatures");
    let one = |(name, signature): (String, String)| {
        let event = name.strip_prefix("ghes35.").unwrap_or(&name).split('.').next().expect("a name").to_owned();
        let body = fs::read(folder.join(&name)).expect("a payload");
        Signed { name, event, body, signature }
    };
    signatures.into_iter().map(one).collect()
}

/// Numbers that look random and are the same in every run (SplitMix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Every place twice, in an order that comes from `seed`.
fn shuffled_and_doubled(count: usize, seed: u64) -> Vec<usize> {
    let mut turns: Vec<usize> = (0..count).chain(0..count).collect();
    let mut state = seed;
    for last in (1..turns.len()).rev() {
        turns.swap(last, (next(&mut state) % (last as u64 + 1)) as usize);
    }
    turns
}

/// The payloads as they would be if they spoke of this app, its organisation, and one of its repositories.
fn as_if_of(reported: &Value, app: u64, folder: &Path) {
    let (installation, shop) = (&reported["installation"], &reported["repositories"][0]);
    let account = &installation["account"];
    let name = shop["name"].as_str().expect("a name");
    let bare = name.rsplit('/').next();
    let renamed = |repository: &mut Value| {
        if repository.is_object() {
            (repository["id"], repository["full_name"], repository["name"]) =
                (shop["id"].clone(), json!(name), json!(bare));
        }
    };
    for file in fs::read_dir(PAYLOADS).expect("the payloads").flatten().filter(|file| file.file_name() != "README.md") {
        let mut body: Value = serde_json::from_slice(&fs::read(file.path()).expect("a payload")).expect("JSON");
        for list in ["repositories", "repositories_added", "repositories_removed"] {
            body[list].as_array_mut().into_iter().flatten().for_each(renamed);
        }
        if let Some(whole) = body.as_object_mut() {
            whole.retain(|_, value| !value.is_null());
            let of = whole.entry("installation").or_insert_with(|| json!({}));
            of["id"] = installation["id"].clone();
            if of.get("account").is_some() {
                (of["account"], of["app_id"]) = (account.clone(), json!(app));
                (of["target_id"], of["target_type"]) = (account["id"].clone(), json!("Organization"));
            }
            if let Some(repository) = whole.get_mut("repository") {
                renamed(repository);
            }
            if whole.contains_key("organization") {
                whole.insert("organization".to_owned(), account.clone());
            }
        }
        fs::write(folder.join(file.file_name()), body.to_string()).expect("a file in our own folder");
    }
}

/// What GitHub's own client is told.
fn reported(fake: &FakeGithub, adopted: &Adopted, folder: &Path) -> Value {
    let key = folder.join("app.pem");
    fs::write(&key, &adopted.app.key.pkcs1).expect("a file in our own folder");
    let key = key.to_str().expect("UTF-8").to_owned();
    node("report.mjs", [fake.api(), adopted.app.id.to_string(), key, "acme".to_owned()])
}

/// A time to the second, which is all that GitHub tells.
fn second(time: &Value) -> Option<&str> {
    time.as_str().and_then(|text| text.get(..19))
}

/// The same, as our API tells it.
async fn told(adopted: &Adopted) -> Value {
    let (shown, repositories) = (adopted.shown().await, adopted.repositories().await);
    let there = &shown["installation"];
    let names: BTreeSet<&str> =
        repositories.iter().filter(|one| one["state"] != "forgotten").filter_map(|one| one["name"].as_str()).collect();
    json!({
        "status": shown["status"], "app": shown["app"]["id"], "installation": there["id"],
        "suspended_at": second(&there["suspended_at"]), "selection": there["repositories"],
        "permissions": there["permissions"], "organisation": there["organisation"], "repositories": names,
    })
}

/// What the API has to tell, after what GitHub's own client was told; of repositories while it is suspended, what it was
/// told before.
fn expected(reported: &Value, before: &Value) -> Value {
    let there = &reported["installation"];
    let told = [reported, before].into_iter().find_map(|report| report["repositories"].as_array());
    let names = told.into_iter().flatten().filter_map(|one| one["name"].as_str());
    json!({
        "status": if there["suspended_at"].is_null() { "active" } else { "suspended" },
        "app": reported["app"]["id"], "installation": there["id"],
        "suspended_at": second(&there["suspended_at"]), "selection": there["repositories"],
        "permissions": there["permissions"], "organisation": there["account"]["login"], "repositories": names.collect::<BTreeSet<_>>(),
    })
}

async fn judge(database_url: Option<String>) {
    let (fake, folder) = (FakeGithub::start().await, tempfile::tempdir().expect("a temporary folder"));
    repository(&fake, folder.path(), "shop", &["SHOP-1 begins"]);
    repository(&fake, folder.path(), "ship", &["SHIP-1 sails"]);
    let adopted = Adopted::at(&fake, &fake.url(), options(database_url)).await;
    adopted.indexed(2).await;
    let secret = &adopted.app.webhook_secret;
    let before = reported(&fake, &adopted, folder.path());
    let ours = folder.path().join("ours");
    fs::create_dir(&ours).expect("a folder");
    as_if_of(&before, adopted.app.id, &ours);
    let sent: Vec<Signed> = [Path::new(PAYLOADS), &ours].into_iter().flat_map(|at| signed(at, secret)).collect();
    assert!(sent.len() >= 2 * 79, "{}", sent.len());

    let url = format!("{}/webhooks/github/{}", adopted.client.url(), adopted.integration());
    let http = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
    let mut delivered = BTreeSet::new();
    for order in 0..ORDERS {
        for turn in shuffled_and_doubled(sent.len(), order) {
            let one = &sent[turn];
            // The ids of another order are others: nothing of it was seen before.
            let id = uuid::Uuid::from_u64_pair(order + 1, turn as u64 + 1).to_string();
            let post = |body: Vec<u8>| {
                let request = http.post(&url).header("Content-Type", "application/json");
                let request = request.header("X-GitHub-Event", &one.event).header("X-GitHub-Delivery", &id);
                request.header("X-Hub-Signature-256", &one.signature).body(body).send()
            };
            let mut flipped = one.body.clone();
            let bit = (turn * 31 + order as usize * 7_919) % (flipped.len() * 8);
            flipped[bit / 8] ^= 1 << (bit % 8);
            let answer = post(flipped).await.expect("an answer");
            assert_eq!(answer.status(), 401, "{} with bit {bit} otherwise", one.name);
            let answer = post(one.body.clone()).await.expect("an answer");
            assert!(answer.status().is_success(), "{}: {}", one.name, answer.status());
            delivered.insert(id);
        }
        // What GitHub changes in the meantime is not what any of them says.
        match order {
            0 => fake.suspend_by(adopted.installation, "boss"),
            1 => fake.unsuspend(adopted.installation),
            2 => drop(repository(&fake, folder.path(), "boat", &["BOAT-1 floats"])),
            _ => {}
        }
        worked_off(&adopted, &delivered).await;
        adopted.act("repair", &json!({})).await;
        let report = reported(&fake, &adopted, folder.path());
        let wanted = expected(&report, &before);
        let (at_last, what) = (&adopted, format!("after order {order} it is as GitHub reports: {wanted}"));
        soon(&what, || async { told(at_last).await == wanted }).await;
    }
    adopted.indexed(3).await;
    adopted.end().await;
}

/// Waits until nothing waits: each was worked off, once.
async fn worked_off(adopted: &Adopted, delivered: &BTreeSet<String>) {
    let list = format!("{}/deliveries", adopted.at);
    soon("everything is worked off", || async {
        let found: Vec<Value> = adopted.client.list(&list).await.expect("a list");
        let ids: Vec<&str> = found.iter().filter_map(|one| one["id"].as_str()).collect();
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(unique.len(), ids.len(), "each is there once");
        assert!(delivered.iter().all(|id| unique.contains(id.as_str())), "each is there");
        found.iter().all(|one| one["state"] == "done" || one["state"] == "ignored")
    })
    .await;
}
