//! Services that come in with a signed token: which do, which do not, and what the log says of them.

use std::{path::Path, sync::OnceLock};

use keytrail::{
    config::{Access, Jwt, JwtAlgorithm, JwtKey},
    http,
};
use keytrail_test_support::{
    issuer::{Signer, base64url},
    server::{Home, Options},
};
use reqwest::{Method, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};

use crate::{
    access::operations,
    command_line::{done, lines},
    listener::Listener,
    server::{Answer, Server, answer, on_both_engines, soon},
};

/// The issuer of all cases: making a key takes a while.
struct Issuer {
    rsa: Signer,
    ec: Signer,
}

fn issuer() -> &'static Issuer {
    static ISSUER: OnceLock<Issuer> = OnceLock::new();
    ISSUER.get_or_init(|| Issuer { rsa: Signer::rsa(), ec: Signer::ec() })
}

/// An issuer is trusted, with a key of each place.
pub(crate) fn trusting(access: &mut Access, folder: &Path) {
    let (file, set) = (folder.join("issuer.pem"), folder.join("jwks.json"));
    std::fs::write(&file, issuer().rsa.file()).expect("a file");
    std::fs::write(&set, json!({ "keys": [issuer().ec.jwk("e")] }).to_string()).expect("a file");
    access.requests_per_minute = 0;
    access.address_failures_per_minute = 0;
    access.address_requests_per_minute = 0;
    access.jwt = Some(Jwt {
        issuer: "https://issuer.example".into(),
        audience: "keytrail".into(),
        role_claim: "role".into(),
        roles: std::collections::BTreeMap::new(),
        leeway_seconds: 60,
        keys: vec![JwtKey { kid: Some("r".into()), algorithm: JwtAlgorithm::RS256, file }],
        jwks_file: Some(set),
    });
}

/// 2026-11-21T06:00:00Z, where the clock of a case stands.
const NOW: i64 = 1_795_240_800;

fn claims(role: &str) -> Value {
    json!({ "iss": "https://issuer.example", "aud": "keytrail", "sub": "build", "role": role, "exp": NOW + 300 })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

async fn ask(server: &Server, token: &str) -> Answer {
    answer(server.request(Method::GET, "/api/v1/integrations").bearer_auth(token)).await
}

async fn a_service_does_what_its_role_allows_and_is_named_in_the_log(server: Server) {
    let admin = issuer().rsa.token("r", &claims("admin"));
    let body = json!({ "name": "ci", "role": "viewer", "expires_in_days": 3 });
    let post = || {
        let request = server.request(Method::POST, "/api/v1/tokens").bearer_auth(&admin);
        answer(request.header("Idempotency-Key", "once").json(&body))
    };
    let issued = post().await.with(StatusCode::CREATED);
    assert_eq!(post().await.id(), issued.id(), "sending it again does it once");
    // The key of another service is another key.
    let other = issuer().ec.token("e", &with(claims("admin"), "sub", json!("other")));
    let request = server.request(Method::POST, "/api/v1/tokens").bearer_auth(&other);
    let again = answer(request.header("Idempotency-Key", "once").json(&body)).await.with(StatusCode::CREATED);
    assert_ne!(again.id(), issued.id());
    let events = server.get("/api/v1/events?actor=service:build").await.with(StatusCode::OK);
    assert_eq!(events.items().len(), 1);
    assert_eq!(
        events.items()[0]["actor"],
        json!({ "kind": "service", "name": "service:build", "token": null }),
        "{}",
        events.text
    );
    let stream = server.get(&format!("/api/v1/streams/access/{}/events", issued.id())).await;
    assert_eq!(stream.items()[0]["metadata"]["actor"], json!({ "kind": "service", "name": "service:build" }));
    let viewer = issuer().ec.token("e", &claims("viewer"));
    ask(&server, &viewer).await.with(StatusCode::OK);
    let refused = answer(server.request(Method::GET, "/api/v1/events").bearer_auth(&viewer)).await;
    refused.refused(403, "role_insufficient");
    // Its time passes by the server's clock.
    server.pass_days(1);
    let expired = ask(&server, &viewer).await.refused(401, "token_invalid");
    assert_eq!(expired.body["reason"], "expired");
    assert!(expired.header("www-authenticate").contains("invalid_token"));
}

async fn no_forged_token_opens_any_operation(server: Server) {
    let (rsa, ec) = (&issuer().rsa, &issuer().ec);
    let good = rsa.token("r", &claims("admin"));
    let parts: Vec<_> = good.split('.').collect();
    let public = Signer::Hmac(rsa.file());
    let forged = [
        ("algorithm", format!("{}.{}.", base64url(r#"{"alg":"none","kid":"r"}"#), parts[1])),
        ("algorithm", public.sign(&json!({ "alg": "HS256", "kid": "r" }), &claims("admin"))),
        ("signature", public.sign(&json!({ "alg": "RS256", "kid": "r" }), &claims("admin"))),
        ("signature", Signer::ec().token("e", &claims("admin"))),
        ("signature", format!("{}.{}.{}", parts[0], base64url(claims("admin").to_string() + " "), parts[2])),
        ("key_unknown", rsa.token("other", &claims("admin"))),
        ("issuer", rsa.token("r", &with(claims("admin"), "iss", json!("https://other.example")))),
        ("audience", rsa.token("r", &with(claims("admin"), "aud", json!("other")))),
        ("expired", rsa.token("r", &with(claims("admin"), "exp", json!(NOW - 60)))),
        ("expired", rsa.token("r", &with(claims("admin"), "exp", Value::Null))),
        ("not_yet_valid", ec.token("e", &with(claims("admin"), "nbf", json!(NOW + 61)))),
        ("role", ec.token("e", &claims("root"))),
        ("subject", ec.token("e", &with(claims("admin"), "sub", Value::Null))),
        ("malformed", ec.token("e", &with(claims("admin"), "filler", json!("x".repeat(9_000))))),
        ("malformed", "a.b.c".to_owned()),
    ];
    for (reason, token) in &forged {
        let refused = ask(&server, token).await.refused(401, "token_invalid");
        assert_eq!(refused.body["reason"], *reason, "{token}");
        assert!(!refused.text.contains(&token[..token.len().min(12)]), "{}", refused.text);
    }
    for operation in operations().iter().filter(|one| one.role.is_some()) {
        for (_, token) in &forged[..3] {
            let request = server.request(operation.method.clone(), &operation.path).bearer_auth(token);
            answer(request).await.refused(401, "token_invalid");
        }
    }
    ask(&server, &good).await.with(StatusCode::OK);
}

async fn a_token_of_one_kind_is_of_no_use_in_the_place_of_another(server: Server) {
    let service = issuer().rsa.token("r", &claims("admin"));
    let ours = server.token("admin").await;
    server.token("viewer").await;
    let cursor = server.get("/api/v1/tokens?limit=1").await.text_of("next");
    // A cursor is signed, too, but lets nobody in.
    assert_eq!(ask(&server, &cursor).await.refused(401, "token_invalid").body["reason"], "key_unknown");
    for token in [&service, &ours] {
        let path = format!("/api/v1/tokens?cursor={token}");
        let refused = server.get(&path).await.refused(400, "cursor_invalid");
        assert!(!refused.text.contains(token.as_str()), "{}", refused.text);
        // Neither in the address nor in another header.
        let path = format!("/api/v1/integrations?access_token={token}");
        let refused = answer(server.request(Method::GET, &path)).await.refused(401, "token_missing");
        assert!(!refused.text.contains(token.as_str()), "{}", refused.text);
        for (name, value) in [("X-Api-Key", token.clone()), ("Cookie", format!("token={token}"))] {
            answer(server.request(Method::GET, "/api/v1/integrations").header(name, value))
                .await
                .refused(401, "token_missing");
        }
        for scheme in ["Basic", "Token", "JWT"] {
            let request = server.request(Method::GET, "/api/v1/integrations");
            answer(request.header(AUTHORIZATION, format!("{scheme} {token}"))).await.refused(401, "token_invalid");
        }
    }
    let other = server.get(&format!("/api/v1/events?cursor={cursor}")).await;
    other.refused(400, "cursor_other_list");
}

/// What the log says of who may come in.
async fn said(server: &Server) -> Vec<Value> {
    let id = keytrail_domain::access_settings::AccessSettings::ID;
    let told = server.get(&format!("/api/v1/streams/access_settings/{id}/events?state=true&limit=100")).await;
    if told.status == StatusCode::NOT_FOUND { Vec::new() } else { told.with(StatusCode::OK).items().to_vec() }
}

async fn who_may_come_in_is_an_event_whenever_that_changes(server: Server) {
    let mut settings = server.app.config.access.clone();
    let open = |settings: &Access| http::Access::open(settings).expect("the settings can be used");
    assert!(said(&server).await.is_empty());
    for _ in 0..2 {
        http::record_access(&server.app, &open(&settings)).await;
    }
    let first = said(&server).await;
    assert_eq!(first.len(), 1, "said once, however often the server starts: {first:?}");
    let services = &first[0]["payload"]["changed"]["services"];
    assert_eq!((&services["issuer"], &services["audience"]), (&json!("https://issuer.example"), &json!("keytrail")));
    assert_eq!(services["roles"], json!({ "admin": "admin", "auditor": "auditor", "viewer": "viewer" }));
    let named = |services: &Value| {
        let keys = services["keys"].as_array().expect("keys").iter();
        keys.map(|key| format!("{} {}", key["kid"].as_str().unwrap_or("-"), key["algorithm"])).collect::<Vec<_>>()
    };
    assert_eq!(named(services), [r#"e "ES256""#, r#"r "RS256""#]);
    assert_eq!(first[0]["state"]["services"], *services);
    let at = format!("/api/v1/events?type=access_settings.&min_position={}", first[0]["position"]);
    let listed = server.get(&at).await.with(StatusCode::OK);
    assert!(listed.items()[0]["summary"].as_str().is_some_and(|told| told.contains("https://issuer.example")));
    assert_eq!(listed.items()[0]["actor"]["name"], "access_settings");

    // The key set changes while the server runs; a shared secret is told by a fingerprint that gives nothing of it away.
    let set = settings.jwt.as_ref().and_then(|jwt| jwt.jwks_file.clone()).expect("a file");
    let secret = "a secret that nobody knows, 32 bytes";
    let jwk = json!({ "kty": "oct", "alg": "HS256", "kid": "s", "k": base64url(secret) });
    let next = set.with_extension("new");
    std::fs::write(&next, json!({ "keys": [jwk] }).to_string()).expect("a file");
    std::fs::rename(&next, &set).expect("it takes its place");
    soon("the change is in the log", || async { said(&server).await.len() == 2 }).await;
    let now = said(&server).await.remove(1);
    let services = &now["payload"]["changed"]["services"];
    assert_eq!(named(services), [r#"r "RS256""#, r#"s "HS256""#]);
    let told = now.to_string();
    assert!(!told.contains(secret) && !told.contains(&base64url(secret)), "{told}");
    let digest = sha256(secret.as_bytes());
    assert!(!told.contains(&digest), "a digest that anybody can make gives a weak secret away: {told}");
    assert!(!told.contains("BEGIN"), "{told}");

    // Without services nobody comes in any more, and that is said, too.
    settings.jwt = None;
    http::record_access(&server.app, &open(&settings)).await;
    let last = said(&server).await;
    assert_eq!((last.len(), &last[2]["payload"]), (3, &json!({ "changed": {} })));
}

async fn a_stream_of_a_service_ends_when_the_keys_change_and_one_that_is_still_let_in_comes_again(server: Server) {
    let settings = server.app.config.access.clone();
    let access = http::Access::open(&settings).expect("the settings can be used");
    http::record_access(&server.app, &access).await;
    let stream = |token: &str| server.request(Method::GET, "/api/v1/events/stream").bearer_auth(token);
    // The key of the one is in the set, that of the other lies beside it.
    let gone = issuer().ec.token("e", &claims("auditor"));
    let stays = issuer().rsa.token("r", &claims("auditor"));
    let ours = server.token("auditor").await;
    let open = async |token: &str| {
        let mut listener = Listener::open(stream(token)).await;
        let last = listener.mark().await;
        (listener, last)
    };
    let ((mut one, _), (mut other, last), (mut own, _)) = (open(&gone).await, open(&stays).await, open(&ours).await);

    let set = settings.jwt.as_ref().and_then(|jwt| jwt.jwks_file.clone()).expect("a file");
    let next = set.with_extension("new");
    std::fs::write(&next, json!({ "keys": [] }).to_string()).expect("a file");
    std::fs::rename(&next, &set).expect("it takes its place");
    for listener in [&mut one, &mut other] {
        let end = listener.next().await.expect("it says why");
        assert_eq!((end.name.as_str(), &end.data), ("end", &json!({ "code": "token_invalid" })));
        assert!(listener.next().await.is_none(), "nothing comes after it");
    }
    // Who comes in with a token of ours hears of it like of everything else.
    assert_eq!(own.next().await.expect("an event").data["event_type"], "access_settings.changed");
    soon("its key is none any more", || async {
        stream(&gone).send().await.expect("an answer").status() == StatusCode::UNAUTHORIZED
    })
    .await;
    assert_eq!(answer(stream(&gone)).await.refused(401, "token_invalid").body["reason"], "key_unknown");
    let mut again = Listener::open(stream(&stays).header("Last-Event-ID", &last)).await;
    assert_eq!(again.next().await.expect("an event").data["event_type"], "access_settings.changed");
    server.token("viewer").await;
    assert_eq!(again.next().await.expect("it goes on").data["event_type"], "access.token_issued");
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    keytrail_domain::hex::lower_hex(&sha2::Sha256::digest(bytes))
}

on_both_engines!(access trusting;
    who_may_come_in_is_an_event_whenever_that_changes,
    a_stream_of_a_service_ends_when_the_keys_change_and_one_that_is_still_let_in_comes_again,
    a_service_does_what_its_role_allows_and_is_named_in_the_log,
    no_forged_token_opens_any_operation,
    a_token_of_one_kind_is_of_no_use_in_the_place_of_another,
);

#[tokio::test(flavor = "multi_thread")]
async fn the_program_says_at_its_start_who_may_come_in_and_a_command_without_a_server_says_nothing() {
    let home = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default());
    let folder = home.folder().join(".config/keytrail");
    std::fs::create_dir_all(&folder).expect("a folder");
    let set = folder.join("jwks.json");
    std::fs::write(&set, json!({ "keys": [issuer().ec.jwk("e")] }).to_string()).expect("a file");
    let settings = format!(
        "[access.jwt]\nissuer = \"https://issuer.example\"\naudience = \"keytrail\"\njwks_file = \"{}\"\n",
        set.display()
    );
    std::fs::write(folder.join("keytrail.toml"), settings).expect("a file");
    // A command that starts a server for itself lets nobody in, and that is no change.
    done(home.run(["token", "list"]).await);
    let server = home.start().await;
    let said = async || {
        let events = lines(&done(server.home().run(["events", "--json", "--last", "0"]).await));
        events.into_iter().filter(|event| event["event_type"] == "access_settings.changed").collect::<Vec<_>>()
    };
    let first = said().await;
    assert_eq!(first.len(), 1, "{first:?}");
    let (home, _) = server.terminate().await;
    done(home.run(["token", "list"]).await);
    let server = home.start().await;
    let events = lines(&done(server.home().run(["events", "--json", "--last", "0"]).await));
    let said = events.iter().filter(|event| event["event_type"] == "access_settings.changed").count();
    assert_eq!(said, 1, "nothing changed: {events:?}");
}

mod without_an_issuer {
    use super::*;

    async fn nobody_comes_in_with_a_signed_token(server: Server) {
        let refused = ask(&server, &issuer().rsa.token("r", &claims("admin"))).await.refused(401, "token_invalid");
        assert_eq!(refused.body["reason"], Value::Null);
    }

    on_both_engines!(nobody_comes_in_with_a_signed_token);
}
