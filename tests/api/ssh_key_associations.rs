//! Keys of SSH that are associated with repositories: the only ones that are offered there, one for a repository; what cannot
//! be associated; and what becomes of it when a key is retired, or a repository goes.

use keytrail::store::{Area, Statement};
use keytrail_domain::{
    id::{RepositoryId, SshKeyId},
    recorded::StreamId,
    ssh_key::SshKey as Aggregate,
};
use keytrail_projections::{repository_list::MOST_NAMED, row};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    repository,
    server::{Answer, Server, answer, on_both_engines, soon},
    ssh_transport::{Served, change, id, is_in_trouble, is_indexed, key, repository_of, trust},
    transports::by_both_transports,
};

async fn said(server: &Server, what: &str, key: &Value, repositories: &[&str]) -> Answer {
    let path = format!("/api/v1/ssh-keys/{}/{what}", id(key));
    server.post(&path, json!({ "repositories": repositories })).await
}

async fn retire(server: &Server, key: &Value, query: &str) -> Answer {
    let path = format!("/api/v1/ssh-keys/{}{query}", id(key));
    answer(server.local(Method::DELETE, &path).header("If-Match", "*")).await
}

async fn told(server: &Server, key: &Value) -> Value {
    let head = server.app.log.feed().head().position;
    server.get(&format!("/api/v1/ssh-keys/{}?min_position={head}", id(key))).await.with(StatusCode::OK).body
}

/// Connects a repository of a server that nobody runs. The integration, and the repository.
async fn nowhere(server: &Server, name: &str) -> (String, String) {
    let connection = json!({ "kind": "git", "url": format!("ssh://git@127.0.0.1:1/{name}.git") });
    let integration = server.connect(name, connection).await.with(StatusCode::CREATED).id();
    (integration.clone(), seen(server, &integration).await)
}

async fn seen(server: &Server, integration: &str) -> String {
    soon("it is seen", || async { repository_of(server, integration).await["id"].is_string() }).await;
    id(&repository_of(server, integration).await)
}

async fn remove(server: &Server, integration: &str) -> Answer {
    answer(server.local(Method::DELETE, &format!("/api/v1/integrations/{integration}")).header("If-Match", "*")).await
}

/// Who holds the repository, as the log has it.
async fn holder(server: &Server, repository: &str) -> Option<String> {
    let claim = Aggregate::association(RepositoryId(repository.parse().expect("an id")));
    server.app.log.holder(&claim).await.expect("the claims").map(|id| id.to_string())
}

async fn is_read_with(server: &Server, integration: &str, key: &Value) {
    soon("it is read with this key alone", || async {
        let row = repository_of(server, integration).await;
        let ssh = &row["ssh"];
        row["trouble"].is_null() && ssh["accepted"] == key["id"] && ssh["offered"] == json!([key["id"]])
    })
    .await;
}

async fn the_associated_key_is_the_only_one_that_is_offered_and_nothing_takes_its_place(server: Server) {
    let served = Served::new(&server, &[]);
    let (shared, chosen, mine) =
        (key(&server, "shared").await, key(&server, "chosen").await, key(&server, "mine").await);
    // The host would take each of them.
    served.lets_in(&[&shared, &chosen, &mine]);
    trust(&server, &served.sshd).await;
    let url = served.url("shop.git");
    let connection = json!({ "kind": "git", "url": url, "ssh_key": chosen["id"] });
    let integration = server.connect("shop", connection).await.with(StatusCode::CREATED).id();
    is_indexed(&server, &integration).await;
    let row = repository_of(&server, &integration).await;
    let repository = id(&row);
    assert_eq!((&row["ssh_key"], &row["ssh"]["accepted"]), (&Value::Null, &chosen["id"]), "{row}");

    let associated = said(&server, "associate", &mine, &[&repository]).await.with(StatusCode::OK);
    let named = json!([{ "id": repository, "name": row["name"] }]);
    assert_eq!((&associated.body["associated"], &associated.body["repositories"]), (&json!(1), &named));
    assert_eq!((&associated.body["used_by"], &associated.body["version"]), (&json!(0), &json!(2)));
    is_read_with(&server, &integration, &mine).await;
    assert_eq!(told(&server, &mine).await["last_used_for"], named[0]);
    assert_eq!(repository_of(&server, &integration).await["ssh_key"], mine["id"]);
    let listed = server.get("/api/v1/ssh-keys").await.with(StatusCode::OK);
    let counts: Vec<_> = listed.items().iter().map(|row| row["associated"].clone()).collect();
    assert_eq!(counts, [json!(0), json!(0), json!(1)]);
    assert!(listed.items().iter().all(|row| row["repositories"].is_null()), "{}", listed.text);
    // Whatever its connection says.
    let common = json!({ "kind": "git", "url": url, "ssh_key": null });
    change(&server, &integration, common).await.with(StatusCode::OK);
    served.commit("SHOP-3 is new");
    soon("the new commit is found", || async { server.get("/api/v1/issues/SHOP-3").await.body["commits"] == 1 }).await;
    is_read_with(&server, &integration, &mine).await;
    // Saying it twice is no second fact.
    let again = said(&server, "associate", &mine, &[&repository]).await.with(StatusCode::OK);
    assert_eq!(again.body["version"], 2);

    let refused = retire(&server, &mine, "").await.refused(409, "ssh_key_in_use");
    assert_eq!((&refused.body["associated"], &refused.body["repositories"]), (&json!(1), &named), "{}", refused.text);
    assert_eq!((&refused.body["used_by"], &refused.body["integrations"]), (&json!(0), &json!([])));
    // Who was told of none of them does not mean this one.
    for query in ["?confirmed=true&used_by=0&associated=0", "?confirmed=true&associated=0", "?associated=1"] {
        retire(&server, &mine, query).await.refused(409, "ssh_key_in_use");
    }
    retire(&server, &mine, "?confirmed=true&used_by=0&associated=1").await.with(StatusCode::OK);
    is_in_trouble(&server, &integration, "ssh_no_key").await;
    server.look_behind().await;
    let before = served.connections();
    let asked = server.post(&format!("/api/v1/repositories/{repository}/fetch"), json!({})).await;
    let href = asked.with(StatusCode::ACCEPTED).body["operation"]["href"].as_str().expect("an operation").to_owned();
    soon("it was looked at", || async { !server.get(&href).await.body["ended_at"].is_null() }).await;
    assert_eq!(served.connections(), before, "nobody comes with another key");
    let row = repository_of(&server, &integration).await;
    assert_eq!((&row["trouble"]["code"], &row["ssh_key"]), (&json!("ssh_no_key"), &mine["id"]), "{row}");
    let sentence = row["trouble"]["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("associated with the repository was retired: dissociate it"), "{sentence}");

    // It is a person who takes it from there.
    let taken = said(&server, "associate", &chosen, &[&repository]).await.refused(409, "ssh_key_associated");
    assert_eq!((taken.text_of("ssh_key"), taken.text_of("ssh_key_name")), (id(&mine), "mine".to_owned()));
    assert_eq!(taken.text_of("repository"), repository);
    let free = said(&server, "dissociate", &mine, &[&repository]).await.with(StatusCode::OK);
    assert_eq!((&free.body["state"], &free.body["associated"]), (&json!("retired"), &json!(0)));
    said(&server, "associate", &chosen, &[&repository]).await.with(StatusCode::OK);
    is_read_with(&server, &integration, &chosen).await;
    said(&server, "dissociate", &chosen, &[&repository]).await.with(StatusCode::OK);
    soon("it is read with a common key", || async {
        let row = repository_of(&server, &integration).await;
        row["trouble"].is_null() && row["ssh_key"].is_null()
    })
    .await;
    server.look_behind().await;
}

by_both_transports!(
    reaching_this_machine;
    the_associated_key_is_the_only_one_that_is_offered_and_nothing_takes_its_place,
);

async fn what_cannot_be_associated_is_refused_and_changes_nothing(server: Server) {
    let (mine, other) = (key(&server, "mine").await, key(&server, "other").await);
    let (shop, shop_repository) = nowhere(&server, "shop").await;
    let (_, pay) = nowhere(&server, "pay").await;
    let folder = server.root.join("local");
    repository::with_commits(&folder, &["SHOP-1 begins"]);
    let local = server.connect("local", json!({ "kind": "path", "path": folder })).await.with(StatusCode::CREATED).id();
    let local = seen(&server, &local).await;
    let nobody = "01890000-0000-7000-8000-000000000000";

    let refused = said(&server, "associate", &mine, &[&pay, &local]).await.refused(409, "repository_not_ssh");
    assert_eq!(refused.text_of("repository"), local);
    let refused = said(&server, "associate", &mine, &[&pay, nobody]).await.refused(404, "repository_unknown");
    assert_eq!(refused.text_of("repository"), nobody);
    let unknown = json!({ "id": nobody });
    said(&server, "associate", &unknown, &[&pay]).await.refused(404, "ssh_key_unknown");
    said(&server, "dissociate", &unknown, &[&pay]).await.refused(404, "ssh_key_unknown");
    let many: Vec<_> = (0..101).map(|n| format!("01890000-0000-7000-8000-{n:012}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    for what in ["associate", "dissociate"] {
        said(&server, what, &mine, &[]).await.refused(400, "body_invalid");
        said(&server, what, &mine, &many).await.refused(400, "body_invalid");
        said(&server, what, &mine, &["shop"]).await.refused(400, "body_invalid");
        let path = format!("/api/v1/ssh-keys/{}/{what}", id(&mine));
        let stale = server.local(Method::POST, &path).header("If-Match", "\"7\"");
        answer(stale.json(&json!({ "repositories": [pay] }))).await.refused(412, "version_stale");
    }
    let kept = told(&server, &mine).await;
    assert_eq!((&kept["version"], &kept["associated"]), (&json!(1), &json!(0)), "nothing was done");

    // All of them or none.
    said(&server, "associate", &other, &[&shop_repository]).await.with(StatusCode::OK);
    let both = [shop_repository.as_str(), pay.as_str()];
    let taken = said(&server, "associate", &mine, &both).await.refused(409, "ssh_key_associated");
    assert_eq!((taken.text_of("repository"), taken.text_of("ssh_key")), (shop_repository.clone(), id(&other)));
    assert_eq!(holder(&server, &pay).await, None);
    said(&server, "dissociate", &mine, &both).await.with(StatusCode::OK);
    assert_eq!(holder(&server, &shop_repository).await, Some(id(&other)), "it was another's");

    // What was done once is done once.
    let path = format!("/api/v1/ssh-keys/{}/associate", id(&mine));
    let send = async |repository: &str| {
        let request = server.local(Method::POST, &path).header("Idempotency-Key", "once");
        answer(request.json(&json!({ "repositories": [repository] }))).await
    };
    send(&pay).await.with(StatusCode::OK);
    said(&server, "dissociate", &mine, &[&pay]).await.with(StatusCode::OK);
    let replayed = send(&pay).await.with(StatusCode::OK);
    assert_eq!((replayed.header("idempotency-replayed"), holder(&server, &pay).await), ("true".to_owned(), None));
    send(&shop_repository).await.refused(422, "idempotency_key_reused");

    retire(&server, &mine, "").await.with(StatusCode::OK);
    said(&server, "associate", &mine, &[&pay]).await.refused(409, "ssh_key_retired");
    remove(&server, &shop).await.with(StatusCode::OK);
    said(&server, "associate", &mine, &[&shop_repository]).await.refused(409, "repository_forgotten");
    server.look_behind().await;
}

/// Also where it goes because its connection leads to another one.
async fn a_repository_that_goes_holds_no_key_any_more(server: Server) {
    let mine = key(&server, "mine").await;
    let (shop, shop_repository) = nowhere(&server, "shop").await;
    let (pay, pay_repository) = nowhere(&server, "pay").await;
    said(&server, "associate", &mine, &[&shop_repository, &pay_repository]).await.with(StatusCode::OK);
    assert_eq!(told(&server, &mine).await["associated"], 2);
    remove(&server, &shop).await.with(StatusCode::OK);
    soon("one is left", || async { told(&server, &mine).await["associated"] == 1 }).await;
    // The common keys are offered elsewhere only where somebody says so.
    for place in ["127.0.0.1:1/elsewhere.git", "127.0.0.1:2/pay.git", "localhost:1/pay.git"] {
        let elsewhere = json!({ "kind": "git", "url": format!("ssh://git@{place}") });
        change(&server, &pay, elsewhere).await.refused(422, "ssh_key_not_said");
    }
    assert_eq!(holder(&server, &pay_repository).await, Some(id(&mine)), "nothing was changed");
    // The same repository keeps it.
    let same = json!({ "kind": "git", "url": "ssh://other@127.0.0.1:1/pay" });
    change(&server, &pay, same).await.with(StatusCode::OK);
    assert_eq!(holder(&server, &pay_repository).await, Some(id(&mine)));
    let elsewhere = json!({ "kind": "git", "url": "ssh://git@127.0.0.1:1/elsewhere.git", "ssh_key": null });
    change(&server, &pay, elsewhere).await.with(StatusCode::OK);
    soon("none is left", || async { told(&server, &mine).await["associated"] == 0 }).await;
    assert_eq!((holder(&server, &shop_repository).await, holder(&server, &pay_repository).await), (None, None));
    retire(&server, &mine, "").await.with(StatusCode::OK);
    server.look_behind().await;
}

/// Neither looks away while the other is done.
async fn a_key_is_not_associated_with_what_goes_nor_retired_at_the_same_moment(server: Server) {
    for round in 0..8 {
        let fresh = key(&server, &format!("round {round}")).await;
        let (integration, repository) = nowhere(&server, &format!("shop-{round}")).await;
        let repositories = [repository.as_str()];
        let (associated, removed) =
            tokio::join!(said(&server, "associate", &fresh, &repositories), remove(&server, &integration));
        removed.with(StatusCode::OK);
        let code = associated.body["code"].as_str().unwrap_or_default();
        let is_done = associated.status == StatusCode::OK;
        assert!(is_done || ["repository_forgotten", "busy"].contains(&code), "{}", associated.text);
        let forgotten = format!("/api/v1/repositories/{repository}");
        soon("it is forgotten", || async { server.get(&forgotten).await.body["state"] == "forgotten" }).await;
        assert_eq!(holder(&server, &repository).await, None, "round {round}");

        let (_, repository) = nowhere(&server, &format!("pay-{round}")).await;
        let repositories = [repository.as_str()];
        let (associated, retired) =
            tokio::join!(said(&server, "associate", &fresh, &repositories), retire(&server, &fresh, ""));
        let stream = StreamId::new("ssh_key", id(&fresh).parse().expect("an id"));
        let (state, _) = server.app.load::<Aggregate>(stream).await.expect("its state");
        let is_retired = matches!(state, Aggregate::Retired { .. });
        let is_associated = holder(&server, &repository).await.is_some();
        assert_eq!(
            (associated.status == StatusCode::OK, retired.status == StatusCode::OK),
            (is_associated, is_retired)
        );
        assert!(is_associated != is_retired, "{} {}", associated.text, retired.text);
        for (answer, codes) in [(associated, ["ssh_key_retired", "busy"]), (retired, ["ssh_key_in_use", "busy"])] {
            let code = answer.body["code"].as_str().unwrap_or_default();
            assert!(answer.status == StatusCode::OK || codes.contains(&code), "{}", answer.text);
        }
    }
    server.look_behind().await;
}

/// They are read some at a time: more than are asked for at once.
async fn those_that_are_read_with_a_common_key_are_counted_however_many_there_are(server: Server) {
    const MANY: usize = MOST_NAMED + 1;
    let (shared, own) = (key(&server, "shared").await, key(&server, "own").await);
    let mut repositories = Vec::new();
    for n in 0..MANY {
        repositories.push(nowhere(&server, &format!("shop-{n}")).await.1);
    }
    let sql =
        "INSERT INTO ssh_key_uses (repository, ssh_key, place, offered_at, accepted_at) VALUES ($1, $2, 0, $3, $3)";
    let taken = |(repository, at): (&String, i64)| {
        let repository = RepositoryId(repository.parse().expect("an id"));
        let key = SshKeyId(id(&shared).parse().expect("an id"));
        Statement::new(sql, row![repository, key, at])
    };
    let statements = repositories.iter().zip(1_000_i64..).map(taken).collect();
    server.app.db.write(Area::Log, statements).await.expect("they are written");
    let all = told(&server, &shared).await;
    assert_eq!(all["common_for"], MANY, "{all}");
    // Where it was taken last comes first.
    let named: Vec<_> = all["common_repositories"].as_array().expect("a list").iter().map(id).collect();
    assert_eq!(named, repositories.iter().rev().take(50).cloned().collect::<Vec<_>>());
    assert_eq!(all["last_used_for"], all["common_repositories"][0]);
    let (first, last) = (repositories[0].as_str(), repositories[MANY - 1].as_str());
    said(&server, "associate", &own, &[first, last]).await.with(StatusCode::OK);
    let fewer = told(&server, &shared).await;
    assert_eq!(fewer["common_for"], MANY - 2, "{fewer}");
    assert_eq!(id(&fewer["common_repositories"][0]), repositories[MANY - 2]);
    assert_eq!(id(&fewer["last_used_for"]), last, "where it was last used does not change with that");
}

on_both_engines!(
    reaching_this_machine;
    what_cannot_be_associated_is_refused_and_changes_nothing,
    those_that_are_read_with_a_common_key_are_counted_however_many_there_are,
    a_repository_that_goes_holds_no_key_any_more,
    a_key_is_not_associated_with_what_goes_nor_retired_at_the_same_moment,
);
