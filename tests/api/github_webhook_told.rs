//! What GitHub is to be told of deliveries is told, whatever came in between: a GitHub that had troubles, another address of
//! this server.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    github_app::{Github, act, active, adopt, becomes, connect, settled, shown},
    server::{Server, answer, on_both_engines, soon},
};

const ELSEWHERE: &str = "http://127.0.0.1:9/elsewhere";
const CONFIG: &str = "/app/hook/config";

fn here(server: &Server, id: &str) -> Option<String> {
    Some(format!("http://{}/webhooks/github/{id}", server.address))
}

/// How often the log has this, and who wished the last one.
async fn told(server: &Server, event: &str) -> (usize, String) {
    let head = server.app.log.feed().head().position;
    let at = format!("/api/v1/events?type=installation.{event}&limit=500&min_position={head}");
    let all = server.get(&at).await.with(StatusCode::OK).items().to_vec();
    let actor = all.last().map(|last| last["actor"]["kind"].as_str().expect("a word").to_owned());
    (all.len(), actor.unwrap_or_default())
}

async fn an_app_that_was_taken_over_sends_here_once_github_can_be_told(server: Server) {
    let github = Github::start(&server).await;
    let (fake, app) = (&github.fake, &github.app);
    fake.set_hook(app.id, Some(ELSEWHERE));
    let id = connect(&server, fake).await.with(StatusCode::CREATED).id();
    fake.fail_after(CONFIG, 0, 502);
    adopt(&server, &id, app.id, &app.key.pkcs1).await.with(StatusCode::OK);
    becomes(&server, &id, "active").await;
    assert_eq!(fake.hook_url(app.id).as_deref(), Some(ELSEWHERE));
    assert_eq!(told(&server, "webhook_told").await.0, 0);
    let text = shown(&server, &id).await["webhooks_text"].as_str().expect("a text").to_owned();
    assert!(text.contains("still to be told where"), "{text}");
    // Nobody asks for it again.
    fake.fail_no_more();
    settled(&server, &[fake]).await;
    assert_eq!(fake.hook_url(app.id), here(&server, &id));
    assert_ne!(
        fake.hook_secret(app.id),
        Some(app.webhook_secret.clone()),
        "it is signed with a secret that is known here"
    );
    assert_eq!(told(&server, "webhook_told").await, (1, "server".to_owned()));
}

async fn what_a_repair_or_another_secret_wishes_is_told_later(server: Server) {
    let github = Github::start(&server).await;
    let (fake, app) = (&github.fake, &github.app);
    let id = active(&server, &github).await;
    settled(&server, &[fake]).await;
    let (before, _) = told(&server, "webhook_told").await;
    fake.set_hook(app.id, Some(ELSEWHERE));
    fake.fail_after(CONFIG, 0, 502);
    for _ in 0..2 {
        act(&server, &id, "repair").await.with(StatusCode::OK);
    }
    assert_eq!(fake.hook_url(app.id).as_deref(), Some(ELSEWHERE));
    assert_eq!(told(&server, "webhook_wished").await, (1, "local".to_owned()), "it is wished once until it is told");
    fake.fail_no_more();
    settled(&server, &[fake]).await;
    assert_eq!(fake.hook_url(app.id), here(&server, &id));
    assert_eq!(told(&server, "webhook_told").await.0, before + 1);

    let secret = fake.hook_secret(app.id);
    fake.fail_after(CONFIG, 0, 502);
    let at = format!("/api/v1/integrations/{id}/installation/webhook-secret");
    answer(server.local(Method::PUT, &at).json(&json!({}))).await.with(StatusCode::OK);
    assert_eq!(fake.hook_secret(app.id), secret);
    fake.fail_no_more();
    settled(&server, &[fake]).await;
    assert_ne!(fake.hook_secret(app.id), secret);
    assert_eq!(told(&server, "webhook_told").await.0, before + 2);
}

async fn another_address_of_this_server_is_told_by_itself(server: Server) {
    let github = Github::start(&server).await;
    let (fake, app) = (&github.fake, &github.app);
    let id = active(&server, &github).await;
    settled(&server, &[fake]).await;
    let before = here(&server, &id);
    assert_eq!(fake.hook_url(app.id), before);
    let server = server.restarted().await;
    assert_ne!(here(&server, &id), before);
    soon("this node looks after it", || async { shown(&server, &id).await["next_at"].is_string() }).await;
    // Whatever has the app asked after.
    act(&server, &id, "suspend").await.with(StatusCode::OK);
    soon("it is told", || async { fake.hook_url(app.id) == here(&server, &id) }).await;
    act(&server, &id, "resume").await.with(StatusCode::OK);
    becomes(&server, &id, "active").await;
    settled(&server, &[fake]).await;
    // What a person set there is shown, and theirs to mend.
    fake.set_hook(app.id, Some(ELSEWHERE));
    act(&server, &id, "suspend").await.with(StatusCode::OK);
    becomes(&server, &id, "suspended").await;
    settled(&server, &[fake]).await;
    assert_eq!(fake.hook_url(app.id).as_deref(), Some(ELSEWHERE));
}

on_both_engines!(known reaching_this_machine;
    an_app_that_was_taken_over_sends_here_once_github_can_be_told,
    what_a_repair_or_another_secret_wishes_is_told_later,
    another_address_of_this_server_is_told_by_itself,
);
