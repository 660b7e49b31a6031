//! Every way to come in with a token that should not open, and the few that should.

use std::{path::Path, time::Duration};

use keytrail_test_support::issuer::{Signer, base64url};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::config::{JwtAlgorithm, JwtKey};

const NOW: i64 = 1_800_000_000;

fn claims() -> Value {
    json!({ "iss": "https://issuer.example", "aud": "keytrail", "sub": "build", "role": "auditor", "exp": NOW + 300 })
}

fn with(change: Value) -> Value {
    let mut all = claims();
    for (name, value) in change.as_object().expect("members") {
        match value {
            Value::Null => drop(all.as_object_mut().expect("members").remove(name)),
            value => all[name] = value.clone(),
        }
    }
    all
}

fn key(folder: &Path, kid: Option<&str>, algorithm: JwtAlgorithm, signer: &Signer) -> JwtKey {
    let file = folder.join(format!("{}-{algorithm:?}", kid.unwrap_or("none")));
    std::fs::write(&file, signer.file()).expect("a file");
    JwtKey { kid: kid.map(str::to_owned), algorithm, file }
}

fn settings(keys: Vec<JwtKey>) -> Jwt {
    Jwt {
        issuer: "https://issuer.example".into(),
        audience: "keytrail".into(),
        role_claim: "role".into(),
        roles: BTreeMap::new(),
        leeway_seconds: 60,
        keys,
        jwks_file: None,
    }
}

struct Stage {
    folder: TempDir,
    rsa: Signer,
    ec: Signer,
    hmac: Signer,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, rsa: Signer::rsa(), ec: Signer::ec(), hmac: Signer::Hmac(vec![7; 32]) }
    }

    fn services(&self) -> Services {
        let folder = self.folder.path();
        Services::open(&settings(vec![
            key(folder, Some("r"), JwtAlgorithm::RS256, &self.rsa),
            key(folder, Some("e"), JwtAlgorithm::ES256, &self.ec),
            key(folder, Some("h"), JwtAlgorithm::HS256, &self.hmac),
        ]))
        .expect("good keys")
    }
}

fn asked(services: &Services, token: &str) -> Result<Service, Refused> {
    services.authenticate(token, Timestamp::from_seconds(NOW))
}

#[test]
fn a_token_of_each_algorithm_lets_in() {
    let stage = Stage::new();
    let services = stage.services();
    let expected =
        Service { subject: "build".into(), role: Role::Auditor, expires_at: Timestamp::from_seconds(NOW + 360) };
    for (kid, signer) in [("r", &stage.rsa), ("e", &stage.ec), ("h", &stage.hmac)] {
        assert_eq!(asked(&services, &signer.token(kid, &claims())), Ok(expected.clone()), "{kid}");
    }
    for (change, role) in [
        (json!({ "aud": ["other", "keytrail"] }), Role::Auditor),
        (json!({ "role": ["viewer", "admin", "unheard"] }), Role::Admin),
        (json!({ "nbf": NOW + 60 }), Role::Auditor),
        (json!({ "exp": NOW - 59 }), Role::Auditor),
        (json!({ "exp": 1_800_000_300.5 }), Role::Auditor),
        (json!({ "scope": "anything", "jti": 1 }), Role::Auditor),
    ] {
        let token = stage.rsa.token("r", &with(change.clone()));
        assert_eq!(asked(&services, &token).map(|service| service.role), Ok(role), "{change}");
    }
}

#[test]
fn claims_that_are_not_for_us_do_not_let_in() {
    let stage = Stage::new();
    let services = stage.services();
    for (change, reason) in [
        (json!({ "iss": "https://other.example" }), Refused::Issuer),
        (json!({ "iss": null }), Refused::Issuer),
        (json!({ "iss": ["https://issuer.example"] }), Refused::Issuer),
        (json!({ "aud": "other" }), Refused::Audience),
        (json!({ "aud": ["other", 7] }), Refused::Audience),
        (json!({ "aud": [] }), Refused::Audience),
        (json!({ "aud": null }), Refused::Audience),
        (json!({ "exp": null }), Refused::Expired),
        (json!({ "exp": "never" }), Refused::Expired),
        (json!({ "exp": -1 }), Refused::Expired),
        (json!({ "exp": NOW - 60 }), Refused::Expired),
        (json!({ "nbf": NOW + 61 }), Refused::NotYetValid),
        (json!({ "nbf": "later" }), Refused::NotYetValid),
        (json!({ "sub": null }), Refused::Subject),
        (json!({ "sub": "" }), Refused::Subject),
        (json!({ "sub": 7 }), Refused::Subject),
        (json!({ "sub": "two\nlines" }), Refused::Subject),
        (json!({ "sub": " build" }), Refused::Subject),
        (json!({ "sub": "x".repeat(201) }), Refused::Subject),
        (json!({ "role": null }), Refused::Role),
        (json!({ "role": "root" }), Refused::Role),
        (json!({ "role": ["root"] }), Refused::Role),
        (json!({ "role": { "admin": true } }), Refused::Role),
    ] {
        let token = stage.ec.token("e", &with(change.clone()));
        assert_eq!(asked(&services, &token), Err(reason), "{change}");
    }
}

#[test]
fn a_key_is_used_with_its_own_algorithm_and_no_other() {
    let stage = Stage::new();
    let services = stage.services();
    let sign = |signer: &Signer, header: Value| signer.sign(&header, &claims());
    // The public key of RS256, which everybody may have, as a secret of HS256.
    let public = Signer::Hmac(stage.rsa.file());
    let none = format!("{}.{}.", base64url(r#"{"alg":"none","kid":"r"}"#), base64url(claims().to_string()));
    let unnamed = format!("{}.{}.", base64url(r#"{"alg":"none"}"#), base64url(claims().to_string()));
    for (token, reason) in [
        (sign(&public, json!({ "alg": "HS256", "kid": "r" })), Refused::Algorithm),
        (sign(&public, json!({ "alg": "RS256", "kid": "r" })), Refused::Signature),
        (sign(&public, json!({ "alg": "HS256", "kid": "h" })), Refused::Signature),
        (sign(&stage.rsa, json!({ "alg": "RS256", "kid": "e" })), Refused::Algorithm),
        (sign(&stage.ec, json!({ "alg": "ES256", "kid": "r" })), Refused::Algorithm),
        (sign(&stage.rsa, json!({ "alg": "RS512", "kid": "r" })), Refused::Algorithm),
        (sign(&stage.rsa, json!({ "alg": "rs256", "kid": "r" })), Refused::Algorithm),
        (sign(&stage.rsa, json!({ "alg": ["RS256"], "kid": "r" })), Refused::Algorithm),
        (sign(&stage.rsa, json!({ "kid": "r" })), Refused::Algorithm),
        (sign(&Signer::rsa(), json!({ "alg": "RS256", "kid": "r" })), Refused::Signature),
        (none.clone(), Refused::Algorithm),
        (none.replace("none", "nOnE"), Refused::Algorithm),
        (unnamed, Refused::KeyUnknown),
        (sign(&stage.rsa, json!({ "alg": "RS256" })), Refused::KeyUnknown),
        (sign(&stage.rsa, json!({ "alg": "RS256", "kid": "R" })), Refused::KeyUnknown),
        (sign(&stage.rsa, json!({ "alg": "RS256", "kid": "../r" })), Refused::KeyUnknown),
        (sign(&stage.rsa, json!({ "alg": "RS256", "kid": 7 })), Refused::Malformed),
        (sign(&stage.rsa, json!({ "alg": "RS256", "kid": "r", "crit": ["b64"], "b64": false })), Refused::Malformed),
        (sign(&stage.rsa, json!([])), Refused::Malformed),
    ] {
        let answered = asked(&services, &token);
        // A header whose `none` was spelled otherwise may be no header at all any more.
        let refused = answered.expect_err(&token);
        assert!(refused == reason || refused == Refused::Malformed && token.contains("nOnE"), "{token}: {refused:?}");
    }
    // A key that the token brings along, or says where to find.
    let stranger = Signer::rsa();
    for header in [
        json!({ "alg": "RS256", "kid": "mine", "jwk": stranger.jwk("mine") }),
        json!({ "alg": "RS256", "kid": "mine", "jku": "http://127.0.0.1:9/keys" }),
        json!({ "alg": "RS256", "kid": "mine", "x5u": "http://127.0.0.1:9/keys", "x5c": ["AA=="] }),
    ] {
        assert_eq!(asked(&services, &sign(&stranger, header)), Err(Refused::KeyUnknown));
    }
    assert_eq!(
        asked(&services, &sign(&stranger, json!({ "alg": "RS256", "kid": "r", "jwk": stranger.jwk("r") }))),
        Err(Refused::Signature)
    );
}

#[test]
fn what_is_cut_swapped_or_too_long_does_not_let_in() {
    let stage = Stage::new();
    let services = stage.services();
    let token = stage.rsa.token("r", &claims());
    let parts: Vec<_> = token.split('.').collect();
    let other = base64url(with(json!({ "role": "admin" })).to_string());
    assert_eq!(asked(&services, &format!("{}.{other}.{}", parts[0], parts[2])), Err(Refused::Signature));
    for cut in ["", ".", "..", "...", "a.b.c", &format!("{}.{}.", parts[0], parts[1]), &token[1..], &token[..40]] {
        assert!(asked(&services, cut).is_err(), "{cut}");
    }
    for place in (0..token.len()).step_by(7) {
        let mut bytes = token.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(bytes).expect("ASCII");
        // The last bits of a part may stand for nothing; they are refused, too.
        assert!(asked(&services, &altered).is_err(), "{place}");
    }
    let long = stage.rsa.token("r", &with(json!({ "filler": "x".repeat(8 * 1024) })));
    assert_eq!(asked(&services, &long), Err(Refused::Malformed));
    let deep = format!("{}.{}.{}", base64url("[".repeat(5_000)), parts[1], parts[2]);
    assert_eq!(asked(&services, &deep), Err(Refused::Malformed));
    assert!(has_the_form(&token) && !has_the_form("kt_abc") && !has_the_form("a.b.c.d"));
}

#[test]
fn without_a_name_only_the_only_key_is_meant() {
    let stage = Stage::new();
    let only = key(stage.folder.path(), None, JwtAlgorithm::ES256, &stage.ec);
    let services = Services::open(&settings(vec![only])).expect("a good key");
    assert!(asked(&services, &stage.ec.sign(&json!({ "alg": "ES256" }), &claims())).is_ok());
    assert_eq!(asked(&services, &stage.ec.token("e", &claims())), Err(Refused::KeyUnknown));
}

#[test]
fn the_words_of_an_issuer_are_mapped_to_roles() {
    let stage = Stage::new();
    let mut settings = settings(vec![key(stage.folder.path(), Some("e"), JwtAlgorithm::ES256, &stage.ec)]);
    settings.role_claim = "groups".into();
    settings.roles = [("ops".into(), "admin".into()), ("all".into(), "viewer".into())].into();
    let services = Services::open(&settings).expect("good settings");
    let role = |groups: Value| {
        asked(&services, &stage.ec.token("e", &with(json!({ "groups": groups })))).map(|service| service.role)
    };
    assert_eq!(role(json!(["all", "ops"])), Ok(Role::Admin));
    assert_eq!(role(json!("all")), Ok(Role::Viewer));
    // The role's own word means nothing then.
    assert_eq!(role(json!("admin")), Err(Refused::Role));
}

#[test]
fn a_set_of_keys_is_read_again_when_it_changes() {
    let stage = Stage::new();
    let file = stage.folder.path().join("jwks.json");
    let put = |keys: Value| {
        let new = stage.folder.path().join("new");
        std::fs::write(&new, json!({ "keys": keys }).to_string()).expect("a file");
        std::fs::rename(new, &file).expect("in one step");
    };
    let encryption = json!({ "kty": "RSA", "use": "enc", "kid": "x", "n": "AQ", "e": "AQAB" });
    let unheard = json!({ "kty": "OKP", "crv": "Ed448", "kid": "y", "x": "AQ" });
    put(json!([stage.rsa.jwk("one"), stage.ec.jwk("two"), stage.hmac.jwk("three"), encryption, unheard]));
    let services = Services::open(&Jwt { jwks_file: Some(file.clone()), ..settings(Vec::new()) }).expect("a good set");
    let ask = |signer: &Signer, kid: &str| asked(&services, &signer.token(kid, &claims())).map(|_| ());
    let again = || std::thread::sleep(LOOK_EVERY + Duration::from_millis(100));
    assert_eq!((ask(&stage.rsa, "one"), ask(&stage.ec, "two"), ask(&stage.hmac, "three")), (Ok(()), Ok(()), Ok(())));
    put(json!([stage.ec.jwk("two"), stage.rsa.jwk("new")]));
    again();
    assert_eq!(ask(&stage.rsa, "one"), Err(Refused::KeyUnknown), "it was taken away");
    assert_eq!((ask(&stage.ec, "two"), ask(&stage.rsa, "new")), (Ok(()), Ok(())));
    std::fs::write(&file, "{").expect("a file");
    again();
    assert_eq!(ask(&stage.ec, "two"), Err(Refused::KeyUnknown), "what cannot be read holds no keys");
    put(json!([stage.ec.jwk("two")]));
    again();
    assert_eq!(ask(&stage.ec, "two"), Ok(()));
    std::fs::remove_file(&file).expect("it is there");
    again();
    assert_eq!(ask(&stage.ec, "two"), Err(Refused::KeyUnknown));
}

#[test]
fn settings_that_would_let_the_wrong_ones_in_are_refused_without_telling_a_key() {
    let stage = Stage::new();
    let folder = stage.folder.path();
    let canary = "canary-of-a-shared-secret";
    let written = |name: &str, text: &str| {
        let file = folder.join(name);
        std::fs::write(&file, text).expect("a file");
        file
    };
    let one = |algorithm, file: PathBuf| settings(vec![JwtKey { kid: None, algorithm, file }]);
    let private = rcgen::KeyPair::generate().expect("a key").serialize_pem();
    let public = String::from_utf8(stage.rsa.file()).expect("PEM");
    let set = |keys: Value| {
        let file = folder.join(format!("set-{}", crate::ids::new_id()));
        std::fs::write(&file, json!({ "keys": keys }).to_string()).expect("a file");
        Jwt { jwks_file: Some(file), ..settings(Vec::new()) }
    };
    let mut with_d = stage.ec.jwk("e");
    with_d["d"] = json!(canary);
    let good = || vec![key(folder, Some("g"), JwtAlgorithm::ES256, &stage.ec)];
    for (what, settings) in [
        ("no key", settings(Vec::new())),
        ("no file", one(JwtAlgorithm::RS256, folder.join("nothing"))),
        ("a short secret", one(JwtAlgorithm::HS256, written("short", canary))),
        ("a public key as a secret", one(JwtAlgorithm::HS256, written("public", &public))),
        ("a private key", one(JwtAlgorithm::ES256, written("private", &private))),
        ("another kind of key", one(JwtAlgorithm::ES256, written("rsa", &public))),
        ("no PEM", one(JwtAlgorithm::RS256, written("text", canary))),
        ("a private key in a set", set(json!([with_d]))),
        ("a short secret in a set", set(json!([{ "kty": "oct", "alg": "HS256", "k": base64url(canary) }]))),
        ("two of one name", set(json!([stage.ec.jwk("e"), stage.rsa.jwk("e")]))),
        ("a broken key", set(json!([{ "kty": "RSA", "kid": "x", "n": canary }]))),
        ("no issuer", Jwt { issuer: String::new(), ..settings(good()) }),
        ("no audience", Jwt { audience: String::new(), ..settings(good()) }),
        ("no such role", Jwt { roles: [("a".into(), "root".into())].into(), ..settings(good()) }),
    ] {
        let Err(error) = Services::open(&settings) else { panic!("{what} is taken") };
        let told = error.to_string();
        assert!(!told.contains(canary) && !told.contains("PRIVATE"), "{what}: {told}");
    }
}
