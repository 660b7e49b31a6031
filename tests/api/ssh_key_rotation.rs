//! One key of SSH in the place of another: tried at every repository that is read with the old one, switched where all of them
//! take it, and nothing where one does not; stopped by a person, and going on after a restart.

use std::net::TcpListener;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    server::{Answer, Server, answer, on_both_engines, soon},
    ssh_keys::sealed,
    ssh_transport::{Served, id, is_indexed, key, repository_of, trust},
};

async fn told(server: &Server, key: &Value) -> Value {
    let head = server.app.log.feed().head().position;
    server.get(&format!("/api/v1/ssh-keys/{}?min_position={head}", id(key))).await.with(StatusCode::OK).body
}

async fn rotate(server: &Server, old: &Value, new: &Value) -> Answer {
    server.post(&format!("/api/v1/ssh-keys/{}/rotate", id(old)), json!({ "to": new["id"] })).await
}

/// Asks for it, and waits until it has ended; how.
async fn rotated(server: &Server, old: &Value, new: &Value) -> Value {
    let asked = rotate(server, old, new).await.with(StatusCode::ACCEPTED);
    assert_eq!(asked.text_of("kind"), "rotate_ssh_key");
    let href = asked.header("location");
    soon("it has ended", || async { !server.get(&href).await.body["ended_at"].is_null() }).await;
    server.get(&href).await.with(StatusCode::OK).body
}

async fn retire(server: &Server, key: &Value) -> Answer {
    let path = format!("/api/v1/ssh-keys/{}?confirmed=true", id(key));
    answer(server.local(Method::DELETE, &path).header("If-Match", "*")).await
}

async fn connect(server: &Server, name: &str, url: &str, chosen: Option<&Value>) -> String {
    let mut connection = json!({ "kind": "git", "url": url });
    if let Some(key) = chosen {
        connection["ssh_key"] = key["id"].clone();
    }
    server.connect(name, connection).await.with(StatusCode::CREATED).id()
}

async fn is_read_with(server: &Server, integration: &str, key: &Value) {
    soon("it is read with this key", || async {
        let row = repository_of(server, integration).await;
        if row["trouble"].is_null() && row["ssh"]["accepted"] == key["id"] {
            return true;
        }
        server.post(&format!("/api/v1/repositories/{}/fetch", id(&row)), json!({})).await.with(StatusCode::ACCEPTED);
        false
    })
    .await;
}

async fn a_key_that_all_repositories_take_gets_all_that_the_old_one_had(server: Server) {
    let served = Served::new(&server, &[]);
    served.serve_another("pay.git");
    served.serve_another("docs.git");
    let old = key(&server, "old").await;
    let new = json!({ "name": "new", "common": false });
    let new = server.post("/api/v1/ssh-keys/generate", new).await.with(StatusCode::CREATED).body;
    served.lets_in(&[&old, &new]);
    trust(&server, &served.sshd).await;
    // Chosen for one, associated with another, and the common key of a third.
    let chosen = connect(&server, "shop", &served.url("shop.git"), Some(&old)).await;
    let associated = connect(&server, "pay", &served.url("pay.git"), None).await;
    let common = connect(&server, "docs", &served.url("docs.git"), None).await;
    for integration in [&chosen, &associated, &common] {
        is_indexed(&server, integration).await;
        is_read_with(&server, integration, &old).await;
    }
    let pay = id(&repository_of(&server, &associated).await);
    let associate = format!("/api/v1/ssh-keys/{}/associate", id(&old));
    server.post(&associate, json!({ "repositories": [pay] })).await.with(StatusCode::OK);

    let done = rotated(&server, &old, &new).await;
    assert_eq!((&done["state"], &done["problem"]), (&json!("succeeded"), &Value::Null), "{done}");
    let (was, is) = (told(&server, &old).await, told(&server, &new).await);
    assert_eq!((&was["state"], &was["rotation_to"]), (&json!("retired"), &new["id"]), "{was}");
    assert_eq!((&was["used_by"], &was["associated"]), (&json!(0), &json!(0)), "{was}");
    assert_eq!((&is["used_by"], &is["associated"], &is["common"]), (&json!(1), &json!(1), &json!(true)), "{is}");
    assert_eq!((&is["integrations"][0]["name"], &is["repositories"][0]["id"]), (&json!("shop"), &json!(pay)));
    assert_eq!(repository_of(&server, &associated).await["ssh_key"], new["id"]);
    let shop = server.get(&format!("/api/v1/integrations/{chosen}")).await.with(StatusCode::OK);
    assert_eq!(shop.body["connection"]["ssh_key"], new["id"]);
    // The old one may go at the host, too: nobody needs it.
    served.lets_in(&[&new]);
    for integration in [&chosen, &associated, &common] {
        is_read_with(&server, integration, &new).await;
    }
    assert_eq!(sealed(&server).await, 1, "its private half is forgotten");
    // Its name is free again.
    let again = json!({ "name": "old" });
    server.post("/api/v1/ssh-keys/generate", again).await.with(StatusCode::CREATED);
    rotate(&server, &old, &new).await.refused(409, "ssh_key_retired");
    server.look_behind().await;
}

async fn a_key_that_one_repository_does_not_take_changes_nothing(server: Server) {
    let served = Served::new(&server, &[]);
    let (old, new) = (key(&server, "old").await, key(&server, "new").await);
    served.lets_in(&[&old]);
    trust(&server, &served.sshd).await;
    let shop = connect(&server, "shop", &served.url("shop.git"), Some(&old)).await;
    is_indexed(&server, &shop).await;
    let lost = connect(&server, "lost", "ssh://git@127.0.0.1:1/lost.git", Some(&old)).await;
    soon("it is seen", || async { repository_of(&server, &lost).await["id"].is_string() }).await;
    let names = [&shop, &lost].map(|integration| repository_of(&server, integration));
    let [shop_row, lost_row] = futures::future::join_all(names).await.try_into().expect("two");

    let failed = rotated(&server, &old, &new).await;
    assert_eq!(
        (&failed["state"], &failed["problem"]["code"]),
        (&json!("failed"), &json!("ssh_key_not_taken")),
        "{failed}"
    );
    let detail = failed["problem"]["detail"].as_str().expect("a text");
    for (row, code) in [(&shop_row, "ssh_auth_failed"), (&lost_row, "host_key_unknown")] {
        let name = row["name"].as_str().expect("a name");
        assert!(detail.contains(&format!("{name} ({code}: ")), "{detail}");
    }
    assert!(detail.contains("othing was changed: give its public half"), "{detail}");
    let (was, is) = (told(&server, &old).await, told(&server, &new).await);
    assert_eq!((&was["state"], &was["used_by"], &was["rotation_to"]), (&json!("active"), &json!(2), &Value::Null));
    assert_eq!((&is["used_by"], &is["version"]), (&json!(0), &json!(1)), "{is}");
    is_read_with(&server, &shop, &old).await;

    // One that lets it in is not enough.
    served.lets_in(&[&old, &new]);
    let failed = rotated(&server, &old, &new).await;
    let detail = failed["problem"]["detail"].as_str().expect("a text");
    assert!(detail.contains("host_key_unknown") && !detail.contains("ssh_auth_failed"), "{detail}");
    assert_eq!(told(&server, &old).await["used_by"], 2);
    let at = format!("/api/v1/integrations/{lost}");
    answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await.with(StatusCode::OK);
    server.look_behind().await;
    let done = rotated(&server, &old, &new).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    is_read_with(&server, &shop, &new).await;
    server.look_behind().await;
}

/// Who takes the common key in the place of the chosen one is asked, too.
async fn a_common_key_is_rotated_where_it_is_taken_in_the_place_of_a_chosen_one(server: Server) {
    let served = Served::new(&server, &[]);
    let (chosen, old) = (key(&server, "chosen").await, key(&server, "old").await);
    let new = json!({ "name": "new", "common": false });
    let new = server.post("/api/v1/ssh-keys/generate", new).await.with(StatusCode::CREATED).body;
    served.lets_in(&[&old]);
    trust(&server, &served.sshd).await;
    let shop = connect(&server, "shop", &served.url("shop.git"), Some(&chosen)).await;
    is_indexed(&server, &shop).await;
    is_read_with(&server, &shop, &old).await;
    let failed = rotated(&server, &old, &new).await;
    assert_eq!(failed["problem"]["code"], "ssh_key_not_taken", "{failed}");
    served.lets_in(&[&old, &new]);
    let done = rotated(&server, &old, &new).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    served.lets_in(&[&new]);
    is_read_with(&server, &shop, &new).await;
    assert_eq!(told(&server, &chosen).await["used_by"], 1, "the chosen one stays chosen");
    server.look_behind().await;
}

async fn a_rotation_is_watched_stopped_and_goes_on_after_a_restart(server: Server) {
    let mut served = Served::new(&server, &[]);
    let (old, new, other) = (key(&server, "old").await, key(&server, "new").await, key(&server, "other").await);
    served.lets_in(&[&old]);
    trust(&server, &served.sshd).await;
    let url = served.url("shop.git");
    let shop = connect(&server, "shop", &url, Some(&old)).await;
    is_indexed(&server, &shop).await;
    let repository = id(&repository_of(&server, &shop).await);
    // From now on it accepts, and never answers.
    served.sshd.stop();
    let silent = TcpListener::bind(("127.0.0.1", served.sshd.port)).expect("its port is free");

    let asked = rotate(&server, &old, &new).await.with(StatusCode::ACCEPTED);
    let href = asked.header("location");
    soon("it is tried", || async {
        let now = server.get(&href).await.body;
        now["state"] == "running" && now["progress"]["total"] == 1
    })
    .await;
    let now = server.get(&href).await.body;
    assert_eq!((&now["progress"]["done"], &now["cancellable"]), (&json!(0), &json!(true)), "{now}");
    let listed = server.get("/api/v1/operations").await.with(StatusCode::OK);
    assert!(listed.items().iter().any(|one| one["id"] == now["id"]), "{}", listed.text);
    // Meanwhile both keys stay as they are.
    rotate(&server, &old, &other).await.refused(409, "ssh_key_rotating");
    rotate(&server, &new, &other).await.refused(409, "ssh_key_rotating");
    retire(&server, &old).await.refused(409, "ssh_key_rotating");
    retire(&server, &new).await.refused(409, "ssh_key_rotating");
    let associate = format!("/api/v1/ssh-keys/{}/associate", id(&old));
    server.post(&associate, json!({ "repositories": [repository] })).await.refused(409, "ssh_key_rotating");
    let choosing = json!({ "kind": "git", "url": "ssh://git@127.0.0.1:1/next.git", "ssh_key": old["id"] });
    server.connect("next", choosing).await.refused(422, "ssh_key_unusable");
    assert_eq!(told(&server, &old).await["rotation_to"], new["id"]);

    let cancelled = server.post(&format!("{href}/cancel"), json!({})).await.with(StatusCode::ACCEPTED);
    assert_eq!(cancelled.text_of("state"), "cancelled");
    server.post(&format!("{href}/cancel"), json!({})).await.with(StatusCode::ACCEPTED);
    let was = told(&server, &old).await;
    assert_eq!((&was["state"], &was["used_by"], &was["rotation_to"]), (&json!("active"), &json!(1), &Value::Null));

    let again = rotate(&server, &old, &new).await.with(StatusCode::ACCEPTED).header("location");
    soon("it is tried", || async { server.get(&again).await.body["state"] == "running" }).await;
    let server = server.restarted().await;
    soon("it is tried again", || async { server.get(&again).await.body["state"] == "running" }).await;
    drop(silent);
    soon("it has ended", || async { !server.get(&again).await.body["ended_at"].is_null() }).await;
    let ended = server.get(&again).await.body;
    assert_eq!(
        (&ended["state"], &ended["problem"]["code"]),
        (&json!("failed"), &json!("ssh_key_not_taken")),
        "{ended}"
    );
    served.sshd.start_again().expect("it listens again");
    served.lets_in(&[&old, &new]);
    let done = rotated(&server, &old, &new).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    is_read_with(&server, &shop, &new).await;
    server.look_behind().await;
}

/// Hosts that never answer hold it up no longer than it may take, and not one after the other.
async fn a_rotation_asks_several_repositories_at_once_and_has_an_end(server: Server) {
    let mut served = Served::new(&server, &[]);
    let (old, new) = (key(&server, "old").await, key(&server, "new").await);
    served.lets_in(&[&old]);
    trust(&server, &served.sshd).await;
    let mut names = Vec::new();
    for name in ["shop", "pay", "docs"] {
        if name != "shop" {
            served.serve_another(&format!("{name}.git"));
        }
        let integration = connect(&server, name, &served.url(&format!("{name}.git")), Some(&old)).await;
        is_indexed(&server, &integration).await;
        names.push(repository_of(&server, &integration).await["name"].as_str().expect("a name").to_owned());
        // So that nobody else comes to the host.
        server.post(&format!("/api/v1/integrations/{integration}/pause"), json!({})).await.with(StatusCode::OK);
    }
    served.sshd.stop();
    let silent = TcpListener::bind(("127.0.0.1", served.sshd.port)).expect("its port is free");
    let host = format!("127.0.0.1:{}", served.sshd.port);
    let open = || server.app.jobs.git.ssh.places.open_at(&host);
    soon("nobody is there", || async { open() == 0 }).await;

    let href = rotate(&server, &old, &new).await.with(StatusCode::ACCEPTED).header("location");
    soon("all three are asked", || async { open() == names.len() }).await;
    server.pass_seconds(29 * 60);
    assert_eq!(server.get(&href).await.body["ended_at"], Value::Null, "it may take so long");
    server.pass_seconds(60);
    soon("it has ended", || async { !server.get(&href).await.body["ended_at"].is_null() }).await;
    let ended = server.get(&href).await.body;
    assert_eq!(
        (&ended["state"], &ended["problem"]["code"]),
        (&json!("failed"), &json!("ssh_key_not_taken")),
        "{ended}"
    );
    let detail = ended["problem"]["detail"].as_str().expect("a text");
    for name in &names {
        assert!(detail.contains(&format!("{name} (remote_slow: it had not answered 30 minutes")), "{detail}");
    }
    soon("nobody waits for them any more", || async { open() == 0 }).await;
    let was = told(&server, &old).await;
    assert_eq!((&was["state"], &was["used_by"], &was["rotation_to"]), (&json!("active"), &json!(3), &Value::Null));

    drop(silent);
    served.sshd.start_again().expect("it listens again");
    served.lets_in(&[&old, &new]);
    let done = rotated(&server, &old, &new).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    assert_eq!(told(&server, &new).await["used_by"], 3);
    server.look_behind().await;
}

async fn what_cannot_take_the_place_of_a_key_is_refused(server: Server) {
    let (old, gone) = (key(&server, "old").await, key(&server, "gone").await);
    retire(&server, &gone).await.with(StatusCode::OK);
    let nobody = json!({ "id": "01890000-0000-7000-8000-000000000000" });
    for to in [&old, &gone, &nobody] {
        rotate(&server, &old, to).await.refused(422, "ssh_key_unusable");
    }
    let new = key(&server, "new").await;
    rotate(&server, &nobody, &new).await.refused(404, "ssh_key_unknown");
    rotate(&server, &gone, &new).await.refused(409, "ssh_key_retired");
    let path = format!("/api/v1/ssh-keys/{}/rotate", id(&old));
    server.post(&path, json!({})).await.refused(400, "body_invalid");
    let stale = server.local(Method::POST, &path).header("If-Match", "\"7\"");
    answer(stale.json(&json!({ "to": new["id"] }))).await.refused(412, "version_stale");
    assert_eq!(told(&server, &old).await["version"], 1, "nothing was done");
    for operation in ["rotate_ssh_key.x", &format!("rotate_ssh_key.{}.1", id(&old))] {
        server.get(&format!("/api/v1/operations/{operation}")).await.refused(404, "operation_unknown");
    }
    // A key that nobody uses makes way at once; asked twice with one key it is asked once.
    let send = async || {
        let request = server.local(Method::POST, &path).header("Idempotency-Key", "once");
        answer(request.json(&json!({ "to": new["id"] }))).await.with(StatusCode::ACCEPTED)
    };
    let (first, second) = (send().await, send().await);
    assert_eq!((second.id(), second.header("idempotency-replayed")), (first.id(), "true".to_owned()));
    let href = first.header("location");
    soon("it has ended", || async { server.get(&href).await.body["state"] == "succeeded" }).await;
    assert_eq!(told(&server, &old).await["state"], "retired");
    server.look_behind().await;
}

/// Each would take the place of the other: one does.
async fn two_keys_do_not_take_the_place_of_each_other(server: Server) {
    for round in 0..8 {
        let (a, b) = (key(&server, &format!("a {round}")).await, key(&server, &format!("b {round}")).await);
        let (there, back) = tokio::join!(rotate(&server, &a, &b), rotate(&server, &b, &a));
        let is_done = |answer: &Answer| answer.status == StatusCode::ACCEPTED;
        assert!(is_done(&there) != is_done(&back), "{} {}", there.text, back.text);
        let (done, refused, gone, stays) = if is_done(&there) { (there, back, a, b) } else { (back, there, b, a) };
        let code = refused.body["code"].as_str().unwrap_or_default();
        assert!(["ssh_key_unusable", "ssh_key_rotating", "busy"].contains(&code), "{}", refused.text);
        let href = done.header("location");
        soon("it has ended", || async { server.get(&href).await.body["state"] == "succeeded" }).await;
        let (was, is) = (told(&server, &gone).await, told(&server, &stays).await);
        assert_eq!((&was["state"], &was["rotation_to"]), (&json!("retired"), &stays["id"]), "{was}");
        assert_eq!((&is["state"], &is["rotation_to"]), (&json!("active"), &Value::Null), "{is}");
    }
    server.look_behind().await;
}

on_both_engines!(
    reaching_this_machine;
    a_key_that_all_repositories_take_gets_all_that_the_old_one_had,
    a_key_that_one_repository_does_not_take_changes_nothing,
    a_common_key_is_rotated_where_it_is_taken_in_the_place_of_a_chosen_one,
    a_rotation_is_watched_stopped_and_goes_on_after_a_restart,
    a_rotation_asks_several_repositories_at_once_and_has_an_end,
    what_cannot_take_the_place_of_a_key_is_refused,
    two_keys_do_not_take_the_place_of_each_other,
);
