//! GitHub's own client drives our GitHub for tests as an app does, from a manifest to the end; what our server signs is
//! judged by a library that nobody here wrote.

use std::fs;

use keytrail_test_support::fake_github::{AppKeyPair, Credential, FakeGithub};
use serde_json::{Value, json};

use crate::{
    adopted::{Adopted, options, repository},
    tools::node,
};

async fn drive(fake: FakeGithub) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let shop = repository(&fake, folder.path(), "before", &["SHOP-1 begins"]);
    fake.rename_repository(shop, "shop");
    fake.open_pull(shop, "SHOP-1 a change", "main", "main", "ada");
    for number in 1..45 {
        fake.add_repository("acme", &format!("empty-{number}"));
    }
    // The script blocks, and GitHub delivers to it meanwhile.
    let (web, api) = (fake.url(), fake.api());
    let told = tokio::task::spawn_blocking(move || node("drive.mjs", [web, api, "acme".to_owned()]));
    let told = told.await.expect("the client found nothing wrong");
    assert_eq!(told["repositories"], 45, "{told}");
    assert_eq!(fake.live_tokens(), 0, "nothing of an installation that is gone is good");
}

#[tokio::test(flavor = "multi_thread")]
async fn githubs_own_client_does_all_that_an_app_does_at_one_that_looks_like_github_com() {
    drive(FakeGithub::start_cloud().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn githubs_own_client_does_all_that_an_app_does_at_one_that_looks_like_a_server_of_ones_own() {
    drive(FakeGithub::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_our_server_signs_is_good_for_a_judge_of_signed_tokens_also_where_clocks_differ() {
    for ahead in [0, 3_600, -3_600] {
        let (fake, folder) = (FakeGithub::start().await, tempfile::tempdir().expect("a temporary folder"));
        fake.set_clock_offset(ahead);
        repository(&fake, folder.path(), "shop", &["SHOP-1 begins"]);
        let adopted = Adopted::at(&fake, &fake.url(), options(None)).await;
        adopted.indexed(1).await;
        adopted.act("suspend", &json!({})).await;
        adopted.act("resume", &json!({})).await;
        adopted.act("repair", &json!({})).await;
        let asked = fake.requests();
        let by_app = asked.iter().filter(|asked| asked.credential == Credential::App(adopted.app.id));
        let tokens: Vec<Value> = by_app
            .map(|asked| json!({ "token": asked.bearer, "issuer": adopted.app.id.to_string(), "at": asked.at }))
            .collect();
        assert!(tokens.len() >= 5, "{}", tokens.len());
        // Where the clocks are together, nobody is sent back.
        let sent_back = asked.iter().filter(|asked| asked.credential == Credential::Bad).count();
        assert_eq!(sent_back > 0, ahead != 0, "{sent_back} of {} with {ahead}", asked.len());
        let questions = folder.path().join("tokens.json");
        let (key, other) = (&adopted.app.key.public, AppKeyPair::new().public);
        let text = json!({ "key": key, "other": other, "tokens": tokens }).to_string();
        fs::write(&questions, text).expect("a file in our own folder");
        let claims = node("verify.mjs", [questions]);
        assert_eq!(claims.as_array().map(Vec::len), Some(tokens.len()));
        adopted.end().await;
    }
}
