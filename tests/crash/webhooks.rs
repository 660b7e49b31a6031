//! A server that is killed while GitHub delivers: what it had taken is there, and is worked off by the next one.

use std::collections::BTreeSet;

use keytrail_test_support::{
    fake_github::{FakeGithub, Selection},
    postgres,
    server::{Client, Home, Options},
};
use serde_json::json;

use crate::stage::{Chance, PROGRAM, Part, until};

const KILLS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_server_that_is_killed_loses_no_delivery_that_it_took() {
    deliver_and_kill("deliveries, sqlite", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_postgresql_that_is_killed_loses_no_delivery_that_it_took() {
    let database = postgres::database().await;
    deliver_and_kill("deliveries, postgres", Some(database.url())).await;
}

async fn deliver_and_kill(name: &'static str, database_url: Option<String>) {
    let part = Part::begin(name);
    let mut chance = Chance::of_run(&part);
    let env = [("HOSTS", r#"["127.0.0.1"]"#), ("ALLOW_HTTP", "true")];
    let env = env.map(|(key, value)| (format!("KEYTRAIL__GIT__{key}"), value.to_owned())).to_vec();
    let home = Home::new(PROGRAM, Options { database_url, env, ..Options::default() });
    let fake = FakeGithub::start().await;
    let app = fake.register_app("acme", "Keytrail acme");
    fake.install(app.id, "acme", Selection::All);
    let mut server = home.start().await;
    let id = connect(
        &server.client(),
        &fake,
        &json!({
            "app_id": app.id, "key": app.key.pkcs1, "webhook_secret": app.webhook_secret,
        }),
    )
    .await;
    let mut taken = BTreeSet::new();
    for round in 0..KILLS {
        let url = format!("{}/webhooks/github/{id}", server.client().url());
        let (ended, _) = tokio::sync::watch::channel(false);
        let senders = (0..8).map(|sender| {
            let (url, secret, mut ended) = (url.clone(), app.webhook_secret.clone(), ended.subscribe());
            tokio::spawn(async move {
                let (http, mut taken) = (client(), Vec::new());
                for n in 0.. {
                    let delivery = uuid::Uuid::from_u128(((round * 8 + sender) * 1_000_000 + n + 1) as u128);
                    let body = format!(r#"{{"zen":"{delivery}"}}"#);
                    tokio::select! {
                        status = send(&http, &url, &secret, delivery, &body) => match status {
                            Some(202) => taken.push(delivery),
                            Some(status) => panic!("a delivery is answered {status}"),
                            None => break,
                        },
                        _ = ended.changed() => break,
                    }
                }
                taken
            })
        });
        let senders: Vec<_> = senders.collect();
        tokio::time::sleep(chance.millis(100, 900)).await;
        let home = server.kill().await;
        ended.send_replace(true);
        for sender in senders {
            taken.extend(sender.await.expect("a sender ends"));
        }
        server = home.start().await;
    }
    assert!(taken.len() > KILLS, "something was taken");
    let client = server.client();
    let at = format!("/api/v1/integrations/{id}/deliveries");
    let all = until("everything being worked off", async || {
        let all = client.list(&at).await.map_err(|error| format!("{error:?}"))?;
        let open = all.iter().filter(|one| one["state"] != "done").count();
        if open == 0 { Ok(all) } else { Err(format!("{open} of {} are open", all.len())) }
    })
    .await;
    let known: BTreeSet<_> = all.iter().map(|one| one["id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(known.len(), all.len(), "none is there twice");
    let lost: Vec<_> = taken.iter().filter(|one| !known.contains(&one.to_string())).collect();
    assert!(lost.is_empty(), "{} of {} are lost", lost.len(), taken.len());
    part.say(&format!("{} taken over {KILLS} kills, {} there", taken.len(), known.len()));
    server.terminate().await;
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("a client can be made")
}

/// The status of the answer, if one came.
async fn send(http: &reqwest::Client, url: &str, secret: &str, delivery: uuid::Uuid, body: &str) -> Option<u16> {
    let signed = keytrail::git::services::github::webhook::signature(secret.as_bytes(), body.as_bytes());
    let request = http.post(url).header("Content-Type", "application/json").header("X-GitHub-Event", "ping");
    let request = request.header("X-GitHub-Delivery", delivery.to_string()).header("X-Hub-Signature-256", signed);
    Some(request.body(body.to_owned()).send().await.ok()?.status().as_u16())
}

/// Connected and taken over.
async fn connect(client: &Client, fake: &FakeGithub, adopted: &serde_json::Value) -> String {
    let place = json!({ "kind": "github_app", "host": fake.url(), "organisation": "acme" });
    let added = client.post("/api/v1/integrations", None, &json!({ "name": "acme", "connection": place })).await;
    let added = added.expect("an answer");
    assert_eq!(added.status, 201, "{}", added.body);
    let id = added.id().to_owned();
    let at = format!("/api/v1/integrations/{id}/installation");
    let taken = client.post(&format!("{at}/adopt"), None, adopted).await.expect("an answer");
    assert_eq!(taken.status, 200, "{}", taken.body);
    until("the app being active", async || {
        let now = client.get(&at).await.map_err(|error| format!("{error:?}"))?.body;
        if now["status"] == "active" { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
    id
}
