//! A key of SSH that integrations have is not taken away from under them: the refusal names them, and once it is confirmed
//! nothing else is offered in its place. What a change of the way to a repository leaves as it is.

use keytrail_domain::{recorded::StreamId, ssh_key::SshKey as Aggregate};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    server::{Answer, Server, answer, on_both_engines, soon},
    ssh_keys::opened,
    ssh_transport::{Served, change, id, is_in_trouble, is_indexed, key, repository_of, trust},
    transports::by_both_transports,
};

async fn retire(server: &Server, key: &Value, query: &str, etag: &str) -> Answer {
    let path = format!("/api/v1/ssh-keys/{}{query}", id(key));
    answer(server.local(Method::DELETE, &path).header("If-Match", etag)).await
}

async fn told(server: &Server, key: &Value) -> Value {
    let head = server.app.log.feed().head().position;
    server.get(&format!("/api/v1/ssh-keys/{}?min_position={head}", id(key))).await.with(StatusCode::OK).body
}

/// A repository of a server that nobody runs.
fn nowhere(path: &str, key: &Value) -> Value {
    json!({ "kind": "git", "url": format!("ssh://git@127.0.0.1:1/{path}.git"), "ssh_key": key["id"] })
}

async fn a_key_that_integrations_have_is_retired_only_when_that_is_confirmed(server: Server) {
    let (used, other) = (key(&server, "used").await, key(&server, "other").await);
    assert_eq!((&used["used_by"], &used["integrations"]), (&json!(0), &Value::Null));
    let mut integrations = Vec::new();
    for name in ["shop", "pay", "gone"] {
        integrations.push(server.connect(name, nowhere(name, &used)).await.with(StatusCode::CREATED).id());
    }
    let at = |n: usize| format!("/api/v1/integrations/{}", integrations[n]);
    // A paused one needs its key when it goes on; a removed one needs none.
    server.post(&format!("{}/pause", at(1)), json!({})).await.with(StatusCode::OK);
    answer(server.local(Method::DELETE, &at(2)).header("If-Match", "*")).await.with(StatusCode::OK);
    let named = json!([{ "id": integrations[0], "name": "shop" }, { "id": integrations[1], "name": "pay" }]);

    for query in ["", "?confirmed=false"] {
        let refused = retire(&server, &used, query, "*").await.refused(409, "ssh_key_in_use");
        assert_eq!((&refused.body["used_by"], &refused.body["integrations"]), (&json!(2), &named), "{}", refused.text);
        assert!(refused.text_of("detail").contains("shop, pay"), "{}", refused.text);
    }
    retire(&server, &used, "?confirmed=perhaps", "*").await.refused(400, "query_invalid");
    // Whoever saw something else decides anew, whatever they confirm.
    for query in ["", "?confirmed=true"] {
        retire(&server, &used, query, "\"7\"").await.refused(412, "version_stale");
    }
    let kept = told(&server, &used).await;
    assert_eq!((&kept["state"], &kept["version"]), (&json!("active"), &json!(1)), "nothing was done");
    assert_eq!((&kept["used_by"], &kept["integrations"]), (&json!(2), &named));
    assert!(opened(&server, &id(&used)).await.contains("PRIVATE KEY"), "its private half is there");
    let listed = server.get("/api/v1/ssh-keys").await.with(StatusCode::OK);
    let counts: Vec<_> = listed.items().iter().map(|row| (&row["name"], &row["used_by"])).collect();
    assert_eq!(counts, [(&json!("used"), &json!(2)), (&json!("other"), &json!(0))]);
    assert!(listed.items().iter().all(|row| row["integrations"].is_null()), "{}", listed.text);

    // Who confirmed that one has it was not told of the other.
    for query in ["?confirmed=true&used_by=1", "?confirmed=false&used_by=2", "?used_by=2"] {
        retire(&server, &used, query, "*").await.refused(409, "ssh_key_in_use");
    }

    // Others have what is not theirs any more; then nobody is in the way.
    change(&server, &integrations[0], nowhere("shop", &other)).await.with(StatusCode::OK);
    let refused = retire(&server, &used, "", "*").await.refused(409, "ssh_key_in_use");
    assert_eq!((&refused.body["used_by"], &refused.body["integrations"][0]["name"]), (&json!(1), &json!("pay")));
    let common = json!({ "kind": "git", "url": "ssh://git@127.0.0.1:1/pay.git", "ssh_key": null });
    change(&server, &integrations[1], common).await.with(StatusCode::OK);
    retire(&server, &used, "", "\"1\"").await.with(StatusCode::OK);

    // It stays said of a key that was retired, who waits for another one; and saying it twice is no refusal.
    let retired = retire(&server, &other, "?confirmed=true&used_by=1", "*").await.with(StatusCode::OK);
    assert_eq!((&retired.body["state"], &retired.body["used_by"]), (&json!("retired"), &json!(1)));
    retire(&server, &other, "", "*").await.with(StatusCode::OK);
    server.look_behind().await;
}

/// What is offered in its place may not be taken there: who retires it is told of it before.
async fn a_common_key_is_retired_only_when_who_reads_with_it_was_told_of(server: Server) {
    let served = Served::new(&server, &[]);
    served.serve_another("pay.git");
    let (used, other) = (key(&server, "used").await, key(&server, "other").await);
    served.lets_in(&[&used, &other]);
    trust(&server, &served.sshd).await;
    let connection = |name: &str| json!({ "kind": "git", "url": served.url(name) });
    let shop = server.connect("shop", connection("shop.git")).await.with(StatusCode::CREATED).id();
    is_indexed(&server, &shop).await;
    let row = repository_of(&server, &shop).await;
    assert_eq!(row["ssh"]["accepted"], used["id"], "{row}");
    // One that has a key of its own does not need it.
    let mut own = connection("pay.git");
    own["ssh_key"] = other["id"].clone();
    let pay = server.connect("pay", connection("pay.git")).await.with(StatusCode::CREATED).id();
    is_indexed(&server, &pay).await;
    assert_eq!(told(&server, &used).await["common_for"], 2);
    change(&server, &pay, own).await.with(StatusCode::OK);
    let named = json!([{ "id": row["id"], "name": row["name"] }]);
    soon("only one is left", || async { told(&server, &used).await["common_repositories"] == named }).await;
    let chosen = repository_of(&server, &pay).await;
    let place = json!({ "id": chosen["id"], "name": chosen["name"] });
    soon("it is read with the chosen one", || async { told(&server, &other).await["last_used_for"] == place }).await;
    let kept = told(&server, &used).await;
    assert_eq!((&kept["common_for"], &kept["used_by"], &kept["associated"]), (&json!(1), &json!(0), &json!(0)));
    assert_eq!(told(&server, &other).await["common_for"], Value::Null, "where it was chosen it is counted as chosen");
    let listed = server.get("/api/v1/ssh-keys").await.with(StatusCode::OK);
    assert!(listed.items().iter().all(|row| row["common_for"].is_null()), "{}", listed.text);

    for query in ["", "?confirmed=true&common_for=0", "?confirmed=true&used_by=0&associated=0&common_for=0"] {
        let refused = retire(&server, &used, query, "*").await.refused(409, "ssh_key_in_use");
        assert_eq!((&refused.body["common_for"], &refused.body["common_repositories"]), (&json!(1), &named));
        let name = row["name"].as_str().expect("a name");
        assert!(refused.text_of("detail").contains(&format!("because it is common: {name}.")), "{}", refused.text);
    }
    assert_eq!(told(&server, &used).await["state"], "active", "nothing was done");
    retire(&server, &used, "?confirmed=true&used_by=0&associated=0&common_for=1", "*").await.with(StatusCode::OK);
    let retired = told(&server, &used).await;
    assert_eq!((&retired["state"], &retired["common_for"]), (&json!("retired"), &Value::Null), "{retired}");
    look(&server, &id(&row)).await;
    soon("it is read with the other", || async {
        repository_of(&server, &shop).await["ssh"]["accepted"] == other["id"]
    })
    .await;
    assert_eq!(told(&server, &other).await["common_repositories"], named);
    // Reserved, it is offered there no more.
    let share = server.local(Method::PUT, &format!("/api/v1/ssh-keys/{}/common", id(&other))).header("If-Match", "*");
    let shared = answer(share.json(&json!({ "common": false }))).await.with(StatusCode::OK);
    assert_eq!(shared.body["common_for"], Value::Null, "{}", shared.text);
    server.look_behind().await;
}

/// Its host took it because it refused the chosen one: it is read with it all the same.
async fn a_common_key_that_is_taken_in_the_place_of_a_chosen_one_is_in_use(server: Server) {
    let served = Served::new(&server, &[]);
    let (chosen, common) = (key(&server, "chosen").await, key(&server, "common").await);
    served.lets_in(&[&common]);
    trust(&server, &served.sshd).await;
    let connection = json!({ "kind": "git", "url": served.url("shop.git"), "ssh_key": chosen["id"] });
    let shop = server.connect("shop", connection).await.with(StatusCode::CREATED).id();
    is_indexed(&server, &shop).await;
    let row = repository_of(&server, &shop).await;
    assert_eq!((&row["ssh"]["accepted"], &row["ssh"]["chosen_refused"]), (&common["id"], &chosen["id"]), "{row}");
    let named = json!([{ "id": row["id"], "name": row["name"] }]);
    let kept = told(&server, &common).await;
    assert_eq!((&kept["common_for"], &kept["common_repositories"], &kept["used_by"]), (&json!(1), &named, &json!(0)));
    let refused = retire(&server, &common, "", "*").await.refused(409, "ssh_key_in_use");
    assert_eq!((&refused.body["common_for"], &refused.body["common_repositories"]), (&json!(1), &named));
    // Without the chosen one nothing is offered there.
    retire(&server, &chosen, "?confirmed=true&used_by=1", "*").await.with(StatusCode::OK);
    is_in_trouble(&server, &shop, "ssh_no_key").await;
    assert_eq!(told(&server, &common).await["common_for"], Value::Null);
    assert_eq!(repository_of(&server, &shop).await["ssh"]["chosen_refused"], Value::Null);
    retire(&server, &common, "", "*").await.with(StatusCode::OK);
    server.look_behind().await;
}

/// Neither looks away while the other is done: where both are asked for at once, at most one is.
async fn a_key_is_not_chosen_and_retired_at_the_same_moment(server: Server) {
    let common = json!({ "kind": "git", "url": "ssh://git@127.0.0.1:1/shop.git", "ssh_key": null });
    let integration = server.connect("shop", common.clone()).await.with(StatusCode::CREATED).id();
    for round in 0..12 {
        let fresh = key(&server, &format!("round {round}")).await;
        let name = format!("other {round}");
        let (retired, changed, added) = tokio::join!(
            retire(&server, &fresh, "", "*"),
            change(&server, &integration, nowhere("shop", &fresh)),
            server.connect(&name, nowhere(&name.replace(' ', "-"), &fresh)),
        );
        let stream = StreamId::new("ssh_key", fresh["id"].as_str().and_then(|id| id.parse().ok()).expect("an id"));
        let (state, _) = server.app.load::<Aggregate>(stream).await.expect("its state");
        let is_chosen = changed.status == StatusCode::OK || added.status == StatusCode::CREATED;
        let is_retired = matches!(state, Aggregate::Retired { .. });
        assert_eq!(retired.status == StatusCode::OK, is_retired, "{}", retired.text);
        assert!(is_chosen != is_retired, "{} {} {}", retired.text, changed.text, added.text);
        // What was not done says why.
        for (answer, done, codes) in [
            (retired, StatusCode::OK, ["ssh_key_in_use", "busy"]),
            (changed, StatusCode::OK, ["ssh_key_unusable", "busy"]),
            (added, StatusCode::CREATED, ["ssh_key_unusable", "busy"]),
        ] {
            let code = answer.body["code"].as_str().unwrap_or_default();
            assert!(answer.status == done || codes.contains(&code), "{}", answer.text);
        }
        change(&server, &integration, common.clone()).await.with(StatusCode::OK);
    }
    server.look_behind().await;
}

on_both_engines!(
    reaching_this_machine;
    a_key_that_integrations_have_is_retired_only_when_that_is_confirmed,
    a_common_key_is_retired_only_when_who_reads_with_it_was_told_of,
    a_common_key_that_is_taken_in_the_place_of_a_chosen_one_is_in_use,
    a_key_is_not_chosen_and_retired_at_the_same_moment,
);

async fn has(server: &Server, issue: &str) -> bool {
    server.get(&format!("/api/v1/issues/{issue}")).await.body["commits"] == 1
}

/// Has it looked at once more, to the end.
async fn look(server: &Server, repository: &str) {
    let asked = server.post(&format!("/api/v1/repositories/{repository}/fetch"), json!({})).await;
    let asked = asked.with(StatusCode::ACCEPTED);
    let href = asked.body["operation"]["href"].as_str().expect("an operation").to_owned();
    soon("it was looked at", || async { !server.get(&href).await.body["ended_at"].is_null() }).await;
}

/// Waits until it is read again.
async fn is_read(server: &Server, integration: &str) {
    soon("it is read", || async {
        let row = repository_of(server, integration).await;
        row["trouble"].is_null() && row["state"] == "indexed"
    })
    .await;
}

async fn nothing_is_offered_in_the_place_of_a_retired_key_until_a_person_chooses(server: Server) {
    let served = Served::new(&server, &[]);
    let (chosen, common, next) =
        (key(&server, "chosen").await, key(&server, "common").await, key(&server, "next").await);
    // The host would take each of them.
    served.lets_in(&[&chosen, &common, &next]);
    trust(&server, &served.sshd).await;
    let url = served.url("shop.git");
    let connection = json!({ "kind": "git", "url": url, "ssh_key": chosen["id"] });
    let integration = server.connect("shop", connection).await.with(StatusCode::CREATED).id();
    is_indexed(&server, &integration).await;
    let repository = id(&repository_of(&server, &integration).await);

    retire(&server, &chosen, "", "*").await.refused(409, "ssh_key_in_use");
    retire(&server, &chosen, "?confirmed=true", "*").await.with(StatusCode::OK);
    served.commit("SHOP-3 is new");
    is_in_trouble(&server, &integration, "ssh_no_key").await;
    // What was begun before that came to its end.
    server.look_behind().await;
    let before = served.connections();
    look(&server, &repository).await;
    assert_eq!(served.connections(), before, "nobody comes with another key");
    let row = repository_of(&server, &integration).await;
    let trouble = &row["trouble"];
    assert_eq!((&row["id"], &trouble["code"]), (&json!(repository), &json!("ssh_no_key")), "{row}");
    let said = trouble["sentence"].as_str().expect("a sentence");
    assert!(said.contains("he key that was chosen was retired: choose another"), "{said}");
    assert_eq!(row["ssh"]["offered"], json!([chosen["id"]]), "{row}");
    assert!(has(&server, "SHOP-2").await && !has(&server, "SHOP-3").await, "what was found stays");
    // A change that says nothing of keys chooses none.
    let refs = json!({ "kind": "git", "url": url, "refs": { "notes": true } });
    let changed = change(&server, &integration, refs).await.with(StatusCode::OK);
    assert_eq!(changed.body["connection"]["ssh_key"], chosen["id"]);
    look(&server, &repository).await;
    assert_eq!(served.connections(), before, "nobody comes with another key");
    assert_eq!(repository_of(&server, &integration).await["trouble"]["code"], "ssh_no_key");

    let another = json!({ "kind": "git", "url": url, "ssh_key": next["id"] });
    change(&server, &integration, another).await.with(StatusCode::OK);
    soon("the new commit is found", || has(&server, "SHOP-3")).await;
    is_read(&server, &integration).await;
    let row = repository_of(&server, &integration).await;
    assert_eq!((&row["id"], &row["ssh"]["accepted"]), (&json!(repository), &next["id"]), "{row}");

    retire(&server, &next, "?confirmed=true", "*").await.with(StatusCode::OK);
    is_in_trouble(&server, &integration, "ssh_no_key").await;
    let none = json!({ "kind": "git", "url": url, "ssh_key": null });
    change(&server, &integration, none).await.with(StatusCode::OK);
    is_read(&server, &integration).await;
    let row = repository_of(&server, &integration).await;
    assert_eq!((&row["id"], &row["ssh"]["accepted"]), (&json!(repository), &common["id"]), "{row}");
    assert!(has(&server, "SHOP-1").await && has(&server, "SHOP-3").await);
    server.look_behind().await;
}

/// One host, port and path is one repository, whatever the scheme.
async fn a_repository_stays_the_same_by_ssh_and_by_https(server: Server) {
    let served = Served::new(&server, &[]);
    let (first, second) = (key(&server, "first").await, key(&server, "second").await);
    served.lets_in(&[&first, &second]);
    trust(&server, &served.sshd).await;
    let ssh = served.url("shop.git");
    let user = format!("ssh://{}@", served.sshd.user());
    let https = format!("https://{}", ssh.strip_prefix(&user).expect("it begins so"));
    let connection = json!({ "kind": "git", "url": ssh, "ssh_key": first["id"] });
    let integration = server.connect("shop", connection).await.with(StatusCode::CREATED).id();
    is_indexed(&server, &integration).await;
    let repository = id(&repository_of(&server, &integration).await);

    // No web server answers there: it cannot be read for now, and is the same all along.
    let changed = change(&server, &integration, json!({ "kind": "git", "url": https })).await.with(StatusCode::OK);
    assert_eq!((changed.text_of("location"), &changed.body["connection"]["ssh_key"]), (https, &Value::Null));
    soon("it is looked for there", || async {
        repository_of(&server, &integration).await["trouble"]["code"].is_string()
    })
    .await;
    assert_eq!(repository_of(&server, &integration).await["id"], json!(repository));
    assert!(has(&server, "SHOP-2").await);
    assert_eq!(told(&server, &first).await["used_by"], 0, "over https nothing is chosen");

    served.commit("SHOP-3 is new");
    let connection = json!({ "kind": "git", "url": ssh, "ssh_key": second["id"] });
    change(&server, &integration, connection).await.with(StatusCode::OK);
    soon("the new commit is found", || has(&server, "SHOP-3")).await;
    is_read(&server, &integration).await;
    let row = repository_of(&server, &integration).await;
    assert_eq!((&row["id"], &row["ssh"]["accepted"]), (&json!(repository), &second["id"]), "{row}");
    assert!(has(&server, "SHOP-1").await && has(&server, "SHOP-2").await, "what was found stays");
    server.look_behind().await;
}

by_both_transports!(
    reaching_this_machine;
    nothing_is_offered_in_the_place_of_a_retired_key_until_a_person_chooses,
    a_repository_stays_the_same_by_ssh_and_by_https,
);
