//! Which keys of SSH are offered for which repository: whether a key is common is said of it, and choosing it for one
//! repository changes nothing for others.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    server::{Answer, Server, answer, on_both_engines, soon},
    ssh_keys,
    ssh_transport::{Served, change, id, is_in_trouble, is_indexed, key, repository_of, trust},
};

async fn share(server: &Server, key: &Value, common: bool, etag: &str) -> Answer {
    let path = format!("/api/v1/ssh-keys/{}/common", id(key));
    answer(server.local(Method::PUT, &path).header("If-Match", etag).json(&json!({ "common": common }))).await
}

/// The keys that the latest attempt offered.
async fn offered(server: &Server, integration: &str) -> Value {
    repository_of(server, integration).await["ssh"]["offered"].clone()
}

async fn choosing_a_key_for_one_repository_takes_it_from_no_other(server: Server) {
    let served = Served::new(&server, &[]);
    let (first, second) = (key(&server, "first").await, key(&server, "second").await);
    assert_eq!((&first["common"], &second["common"]), (&json!(true), &json!(true)));
    served.lets_in(&[&second]);
    trust(&server, &served.sshd).await;
    let connection = json!({ "kind": "git", "url": served.url("shop.git"), "ssh_key": second["id"] });
    let chosen = server.connect("shop", connection).await.with(StatusCode::CREATED).id();
    is_indexed(&server, &chosen).await;
    assert_eq!(offered(&server, &chosen).await, json!([second["id"]]));
    let other = json!({ "kind": "git", "url": served.url("other.git") });
    let other = server.connect("other", other).await.with(StatusCode::CREATED).id();
    is_in_trouble(&server, &other, "remote_not_found").await;
    assert_eq!(offered(&server, &other).await, json!([first["id"], second["id"]]), "it is common all the same");

    // Giving it up changes nothing either, where it was taken from the common ones.
    share(&server, &second, false, "*").await.with(StatusCode::OK);
    let common = json!({ "kind": "git", "url": served.url("shop.git"), "ssh_key": null });
    change(&server, &chosen, common).await.with(StatusCode::OK);
    is_in_trouble(&server, &chosen, "ssh_auth_failed").await;
    assert_eq!(offered(&server, &chosen).await, json!([first["id"]]));
    share(&server, &second, true, "*").await.with(StatusCode::OK);
    soon("it is read with the key that is common again", || async {
        let row = repository_of(&server, &chosen).await;
        if row["trouble"].is_null() {
            return row["ssh"]["accepted"] == second["id"];
        }
        server.post(&format!("/api/v1/repositories/{}/fetch", id(&row)), json!({})).await.with(StatusCode::ACCEPTED);
        false
    })
    .await;
    server.look_behind().await;
}

async fn whether_a_key_is_common_is_said_when_it_comes_and_later(server: Server) {
    let generate = json!({ "name": "made", "common": false });
    let made = server.post("/api/v1/ssh-keys/generate", generate).await.with(StatusCode::CREATED);
    let private = ssh_keys::written(&ssh_keys::key(1), keytrail::ssh_keys::Target::OpenSsh, None);
    let add = json!({ "name": "given", "private_key": private, "common": false });
    let given = server.post("/api/v1/ssh-keys", add).await.with(StatusCode::CREATED);
    let usual = key(&server, "usual").await;
    assert_eq!(
        (&made.body["common"], &given.body["common"], &usual["common"]),
        (&json!(false), &json!(false), &json!(true))
    );
    let listed = server.get("/api/v1/ssh-keys").await;
    let told: Vec<_> = listed.items().iter().map(|row| row["common"].clone()).collect();
    assert_eq!(told, [json!(false), json!(false), json!(true)]);

    let shared = share(&server, &made.body, true, "\"1\"").await.with(StatusCode::OK);
    assert_eq!((&shared.body["common"], &shared.body["version"]), (&json!(true), &json!(2)));
    // Saying it twice is no second fact.
    let again = share(&server, &made.body, true, "*").await.with(StatusCode::OK);
    assert_eq!((&again.body["common"], &again.body["version"]), (&json!(true), &json!(2)));
    share(&server, &made.body, false, "\"1\"").await.refused(412, "version_stale");
    let path = format!("/api/v1/ssh-keys/{}/common", made.id());
    answer(server.local(Method::PUT, &path).json(&json!({ "common": false }))).await.refused(428, "if_match_missing");
    for body in [json!({}), json!({ "common": "no" }), json!({ "common": false, "more": 1 })] {
        answer(server.local(Method::PUT, &path).header("If-Match", "*").json(&body)).await.refused(400, "body_invalid");
    }
    let nobody = json!({ "id": "01890000-0000-7000-8000-000000000000" });
    share(&server, &nobody, true, "*").await.refused(404, "ssh_key_unknown");
    let retire = server.local(Method::DELETE, &format!("/api/v1/ssh-keys/{}", made.id()));
    answer(retire.header("If-Match", "*")).await.with(StatusCode::OK);
    share(&server, &made.body, true, "*").await.refused(409, "ssh_key_retired");
    server.look_behind().await;
}

on_both_engines!(
    reaching_this_machine;
    choosing_a_key_for_one_repository_takes_it_from_no_other,
    whether_a_key_is_common_is_said_when_it_comes_and_later,
);
