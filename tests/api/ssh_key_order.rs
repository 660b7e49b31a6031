//! Which keys of SSH are offered for which repository, and in which order: whether a key is common is said of it, choosing it
//! for one repository changes nothing for others, and the common ones come after a chosen one.

use keytrail::{
    secrets::Secret,
    ssh_keys::{Target, ed25519},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    server::{Answer, Server, answer, on_both_engines, soon},
    ssh_keys::{self, written},
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

/// Has it looked at once more, to the end.
async fn look(server: &Server, integration: &str) {
    let one = id(&repository_of(server, integration).await);
    let asked = server.post(&format!("/api/v1/repositories/{one}/fetch"), json!({})).await.with(StatusCode::ACCEPTED);
    let href = asked.body["operation"]["href"].as_str().expect("an operation").to_owned();
    soon("it was looked at", || async { !server.get(&href).await.body["ended_at"].is_null() }).await;
}

/// Looks until these keys were offered, and the last of them was taken.
async fn is_read_by(server: &Server, integration: &str, keys: &[&Value]) {
    let wanted: Vec<_> = keys.iter().map(|key| key["id"].clone()).collect();
    soon("it is read with this key", || async {
        let row = repository_of(server, integration).await;
        let (ssh, taken) = (&row["ssh"], wanted.last());
        if row["trouble"].is_null() && ssh["offered"] == json!(wanted) && Some(&ssh["accepted"]) == taken {
            return true;
        }
        look(server, integration).await;
        false
    })
    .await;
}

async fn the_common_keys_come_after_a_chosen_one_that_is_offered_first_as_soon_as_it_is_chosen(server: Server) {
    let served = Served::new(&server, &[]);
    let (chosen, common, next) =
        (key(&server, "chosen").await, key(&server, "common").await, key(&server, "next").await);
    served.lets_in(&[&common, &next]);
    trust(&server, &served.sshd).await;
    let with = |key: &Value| json!({ "kind": "git", "url": served.url("shop.git"), "ssh_key": key["id"] });
    let shop = server.connect("shop", with(&chosen)).await.with(StatusCode::CREATED).id();
    is_indexed(&server, &shop).await;
    let ssh = repository_of(&server, &shop).await["ssh"].clone();
    assert_eq!((&ssh["offered"], &ssh["accepted"]), (&json!([chosen["id"], common["id"]]), &common["id"]), "{ssh}");
    assert_eq!(ssh["chosen_refused"], chosen["id"], "{ssh}");
    let text = ssh["text"].as_str().expect("a text");
    assert!(text.contains("refused the chosen key chosen, and took the common key common"), "{text}");
    // The refused one does not cost a failed login at each look.
    let logins = || served.sshd.log().matches("Accepted publickey").count();
    let (before, let_in) = (served.connections(), logins());
    look(&server, &shop).await;
    soon("it was looked at, by one connection for each look", || async {
        logins() > let_in && served.connections() - before == logins() - let_in
    })
    .await;

    // One that was never offered there comes first, though another one was taken.
    change(&server, &shop, with(&next)).await.with(StatusCode::OK);
    is_read_by(&server, &shop, &[&next]).await;
    let row = repository_of(&server, &shop).await;
    assert_eq!((&row["ssh"]["chosen_refused"], &row["ssh"]["text"]), (&Value::Null, &Value::Null), "{row}");
    // So does one that was refused there before it was chosen.
    served.lets_in(&[&chosen, &common, &next]);
    server.pass_seconds(1);
    change(&server, &shop, with(&chosen)).await.with(StatusCode::OK);
    is_read_by(&server, &shop, &[&chosen]).await;
    // And one that was refused a day ago.
    served.lets_in(&[&common]);
    is_read_by(&server, &shop, &[&chosen, &common]).await;
    served.lets_in(&[&chosen, &common]);
    look(&server, &shop).await;
    assert_eq!(repository_of(&server, &shop).await["ssh"]["accepted"], common["id"], "it was refused a moment ago");
    server.pass_days(1);
    server.pass_seconds(1);
    is_read_by(&server, &shop, &[&chosen]).await;
    server.look_behind().await;
}

/// A host may let a common key in and show it nothing: then the chosen one is tried at each look.
async fn a_chosen_key_comes_first_as_long_as_the_repository_cannot_be_read(server: Server) {
    let served = Served::new(&server, &[]);
    let (chosen, common) = (key(&server, "chosen").await, key(&server, "common").await);
    served.lets_in(&[&common]);
    trust(&server, &served.sshd).await;
    let connection = json!({ "kind": "git", "url": served.url("late.git"), "ssh_key": chosen["id"] });
    let late = server.connect("late", connection).await.with(StatusCode::CREATED).id();
    is_in_trouble(&server, &late, "remote_not_found").await;
    assert_eq!(offered(&server, &late).await, json!([chosen["id"], common["id"]]));
    served.lets_in(&[&chosen, &common]);
    served.serve_another("late.git");
    is_read_by(&server, &late, &[&chosen]).await;
    server.look_behind().await;
}

async fn where_the_associated_key_is_refused_no_common_one_is_offered(server: Server) {
    let served = Served::new(&server, &[]);
    let (mine, common) = (key(&server, "mine").await, key(&server, "common").await);
    served.lets_in(&[&common]);
    trust(&server, &served.sshd).await;
    let connection = json!({ "kind": "git", "url": served.url("shop.git"), "ssh_key": common["id"] });
    let shop = server.connect("shop", connection).await.with(StatusCode::CREATED).id();
    is_indexed(&server, &shop).await;
    let repository = id(&repository_of(&server, &shop).await);
    let associate = format!("/api/v1/ssh-keys/{}/associate", id(&mine));
    server.post(&associate, json!({ "repositories": [repository] })).await.with(StatusCode::OK);
    is_in_trouble(&server, &shop, "ssh_auth_failed").await;
    let ssh = repository_of(&server, &shop).await["ssh"].clone();
    assert_eq!((&ssh["offered"], &ssh["accepted"]), (&json!([mine["id"]]), &Value::Null), "{ssh}");
    server.look_behind().await;
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

async fn a_key_that_comes_is_tried_at_once_where_there_was_none(server: Server) {
    let served = Served::new(&server, &[]);
    trust(&server, &served.sshd).await;
    let connection = json!({ "kind": "git", "url": served.url("shop.git") });
    let shop = server.connect("shop", connection).await.with(StatusCode::CREATED).id();
    is_in_trouble(&server, &shop, "ssh_no_key").await;
    // Nobody asks for a look from here on, and the next poll is a minute away.
    let own = ed25519(Secret::new(vec![6; 32]), "ann@laptop").expect("a key");
    served.lets_in(&[&json!({ "public_key": own.public().openssh("") })]);
    let key = json!({ "name": "own", "private_key": written(&own, Target::OpenSsh, None) });
    let key = server.post("/api/v1/ssh-keys", key).await.with(StatusCode::CREATED).body;
    is_indexed(&server, &shop).await;
    share(&server, &key, false, "*").await.with(StatusCode::OK);
    is_in_trouble(&server, &shop, "ssh_no_key").await;
    share(&server, &key, true, "*").await.with(StatusCode::OK);
    soon("it is read again", || async { repository_of(&server, &shop).await["trouble"].is_null() }).await;
    server.look_behind().await;
}

on_both_engines!(
    reaching_this_machine;
    choosing_a_key_for_one_repository_takes_it_from_no_other,
    the_common_keys_come_after_a_chosen_one_that_is_offered_first_as_soon_as_it_is_chosen,
    a_chosen_key_comes_first_as_long_as_the_repository_cannot_be_read,
    where_the_associated_key_is_refused_no_common_one_is_offered,
    whether_a_key_is_common_is_said_when_it_comes_and_later,
    a_key_that_comes_is_tried_at_once_where_there_was_none,
);
