//! Every answer is as GitHub's own description of its API demands.

use jsonschema::Validator;
use serde_json::{Value, json};

use super::{Known, committed};

const DESCRIPTION: &str = include_str!("../../../../fixtures/github/ghes-3.19.app-subset.openapi.json");

/// What the description says, in the words of JSON Schema: 3.0 writes `nullable` where that has a type.
struct Description(Value);

impl Description {
    fn read() -> Self {
        let mut whole: Value = serde_json::from_str(DESCRIPTION).expect("JSON");
        translate(&mut whole);
        Self(whole)
    }

    #[track_caller]
    fn demands(&self, method: &str, path: &str, status: u16, document: &Value) {
        let answers = &self.0["paths"][path][method.to_lowercase()]["responses"];
        let mut answer = &answers[status.to_string()];
        assert!(answer.is_object(), "{method} {path}: {status} is not described: {document}");
        if let Some(place) = answer["$ref"].as_str() {
            answer = self.0.pointer(place.trim_start_matches('#')).expect("it is there");
        }
        let schema = &answer["content"]["application/json"]["schema"];
        if schema.is_null() {
            return;
        }
        let mut whole = json!({ "components": self.0["components"], "allOf": [schema] });
        whole["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
        let validator: Validator = jsonschema::validator_for(&whole).expect("a schema");
        let wrong: Vec<String> =
            validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{method} {path}: {status}: {wrong:#?}");
    }
}

fn translate(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(translate);
            // In one place it says that an account is a person and an enterprise at the same time; in all others, one of
            // them.
            if members
                .get("allOf")
                .is_some_and(|all| all[0]["title"] == "Simple User" && all[1]["title"] == "Enterprise")
            {
                let all = members.remove("allOf").unwrap_or_default();
                members.insert("anyOf".to_owned(), all);
            }
            if members.remove("nullable") == Some(Value::Bool(true)) {
                let as_it_was = Value::Object(members.clone());
                *value = json!({ "anyOf": [as_it_was, { "type": "null" }] });
            }
        }
        Value::Array(all) => all.iter_mut().for_each(translate),
        _ => {}
    }
}

#[tokio::test]
async fn every_answer_is_as_the_description_demands() {
    let (known, description) = (Known::start().await, Description::read());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let work = folder.path().join("work");
    committed(&work, &["SHOP-1 begins"]);
    let shop = known.github.add_repository("acme", "shop");
    known.github.serve_repository(shop, &work);
    let number = known.github.open_pull(shop, "SHOP-1 a change", "main", "main", "ada");
    known.github.review_pull(shop, number, "grace", "approved");
    known.github.request_approval(known.app.id, "elsewhere", "member");
    // Nobody listens there: what is sent is in the log as failed.
    known.github.set_hook(known.app.id, Some("http://127.0.0.1:9/hook"));
    known.github.suspend_by(known.installation, "boss");
    known.github.deliveries_are_sent().await;
    let (signed, installation) = (known.usual(), known.installation);
    let one = format!("/app/installations/{installation}");
    let (_, log) = known.ask("GET", "/app/hook/deliveries", &signed, None).await;
    let delivery = log[0]["id"].as_u64().expect("an id");
    let suspended = known.ask("POST", &format!("{one}/access_tokens"), &signed, None).await;
    assert_eq!((suspended.0, &suspended.1["message"]), (403, &json!("This installation has been suspended")));
    for (method, path, template, body, expected) in [
        ("GET", "/app".to_owned(), "/app", None, 200),
        ("GET", "/app/installations".to_owned(), "/app/installations", None, 200),
        ("GET", one.clone(), "/app/installations/{installation_id}", None, 200),
        ("GET", "/app/installations/9".to_owned(), "/app/installations/{installation_id}", None, 404),
        ("GET", "/orgs/acme".to_owned(), "/orgs/{org}", None, 200),
        ("GET", "/orgs/none".to_owned(), "/orgs/{org}", None, 404),
        ("GET", "/orgs/acme/installation".to_owned(), "/orgs/{org}/installation", None, 200),
        ("GET", "/repos/acme/shop/installation".to_owned(), "/repos/{owner}/{repo}/installation", None, 200),
        ("GET", "/app/installation-requests".to_owned(), "/app/installation-requests", None, 200),
        ("GET", "/app/hook/config".to_owned(), "/app/hook/config", None, 200),
        ("PATCH", "/app/hook/config".to_owned(), "/app/hook/config", Some(json!({ "content_type": "json" })), 200),
        ("GET", "/app/hook/deliveries".to_owned(), "/app/hook/deliveries", None, 200),
        ("GET", "/app/hook/deliveries?cursor=x".to_owned(), "/app/hook/deliveries", None, 422),
        ("GET", format!("/app/hook/deliveries/{delivery}"), "/app/hook/deliveries/{delivery_id}", None, 200),
        (
            "POST",
            format!("/app/hook/deliveries/{delivery}/attempts"),
            "/app/hook/deliveries/{delivery_id}/attempts",
            None,
            202,
        ),
        ("POST", "/app-manifests/used/conversions".to_owned(), "/app-manifests/{code}/conversions", None, 404),
        ("PUT", format!("{one}/suspended"), "/app/installations/{installation_id}/suspended", None, 204),
        ("GET", "/meta".to_owned(), "/meta", None, 200),
        ("GET", "/rate_limit".to_owned(), "/rate_limit", None, 200),
    ] {
        let (status, document) = known.ask(method, &path, &signed, body).await;
        assert_eq!(status, expected, "{method} {path}: {document}");
        description.demands(method, template, status, &document);
    }
    known.github.unsuspend(installation);
    let (status, _) = known.ask("DELETE", &format!("{one}/suspended"), &signed, None).await;
    assert_eq!(status, 204);
    let template = "/app/installations/{installation_id}/access_tokens";
    for (wish, expected) in [
        (json!({ "repositories": ["shop"], "permissions": { "contents": "read" } }), 201),
        (json!({ "repositories": ["other"] }), 422),
        (json!({ "permissions": { "issues": "write" } }), 422),
        (json!({}), 201),
    ] {
        let (status, document) = known.ask("POST", &format!("{one}/access_tokens"), &signed, Some(wish)).await;
        assert_eq!(status, expected, "{document}");
        description.demands("POST", template, status, &document);
    }
    let token = known.token().await;
    for (method, path, template, body, expected) in [
        ("GET", "/installation/repositories", "/installation/repositories", None, 200),
        ("GET", "/repos/acme/shop", "/repos/{owner}/{repo}", None, 200),
        ("GET", "/repos/acme/none", "/repos/{owner}/{repo}", None, 404),
        ("GET", "/repos/acme/shop/branches", "/repos/{owner}/{repo}/branches", None, 200),
        ("GET", "/repos/acme/shop/git/ref/heads/main", "/repos/{owner}/{repo}/git/ref/{ref}", None, 200),
        ("GET", "/repos/acme/shop/git/ref/heads/none", "/repos/{owner}/{repo}/git/ref/{ref}", None, 404),
        ("GET", "/repos/acme/shop/pulls?state=all", "/repos/{owner}/{repo}/pulls", None, 200),
        ("GET", "/repos/acme/shop/pulls/1", "/repos/{owner}/{repo}/pulls/{pull_number}", None, 200),
        ("GET", "/repos/acme/shop/pulls/9", "/repos/{owner}/{repo}/pulls/{pull_number}", None, 404),
        ("GET", "/repos/acme/shop/pulls/1/reviews", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", None, 200),
        ("GET", "/rate_limit", "/rate_limit", None, 200),
        ("DELETE", "/installation/token", "/installation/token", None, 204),
    ] {
        let (status, document) = known.ask(method, path, &token, body).await;
        assert_eq!(status, expected, "{method} {path}: {document}");
        description.demands(method, template, status, &document);
    }
    assert_eq!(known.ask("GET", "/installation/repositories", &token, None).await.0, 401);
    known.github.rename_repository(shop, "store");
    let (status, document) = known.ask("GET", "/repos/acme/shop", &known.token().await, None).await;
    assert_eq!(status, 301);
    description.demands("GET", "/repos/{owner}/{repo}", status, &document);
    let (status, _) = known.ask("DELETE", &one, &signed, None).await;
    assert_eq!(status, 204);
}
