//! The pool of SSH keys from outside: taken in any form, told, kept sealed, refused with what mends it, retired. What is
//! sealed is opened here, and looked for in whatever the server answers.

use std::{collections::BTreeMap, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keytrail::{
    secrets::{Secret, ssh_private_keys},
    ssh_keys::{self, Fresh, SshKey, Target},
    store::Area,
};
use keytrail_domain::{
    id::SshKeyId,
    recorded::StreamId,
    ssh_key::{Event, SshKey as Aggregate},
    timestamp::Timestamp,
};
use keytrail_projections::{
    ssh_key_list::{self, KeyCounts},
    value::Cells,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    metrics::{measured, value},
    server::{Answer, Server, answer, on_both_engines},
};

const KEYS: &str = "/api/v1/ssh-keys";
const WORD: &str = "correct horse Ärger";

/// The key number `n`.
pub(crate) fn key(n: u8) -> SshKey {
    ssh_keys::ed25519(Secret::new(vec![n; 32]), "ann@laptop for ann@example.com").expect("a key")
}

/// As a file.
pub(crate) fn written(key: &SshKey, target: Target, word: Option<&str>) -> String {
    let fresh = Fresh { check: [1, 2, 3, 4], salt: [5; 16], iv: [6; 16] };
    let word = word.map(|word| Secret::new(word.to_owned()));
    key.written(target, word.as_ref(), &fresh).expect("it can be written").expose().clone()
}

fn plain(n: u8) -> String {
    written(&key(n), Target::OpenSsh, None)
}

async fn add(server: &Server, name: &str, text: &str) -> Answer {
    server.post(KEYS, json!({ "name": name, "private_key": text })).await
}

/// How many private halves are sealed.
pub(crate) async fn sealed(server: &Server) -> usize {
    let sql = "SELECT field FROM secrets WHERE owner_kind = 'ssh_key'";
    let rows = server.app.db.read(Area::Log, sql, &[]).await.expect("the secrets");
    assert!(rows.iter().all(|row| Cells::of(row).text() == Ok(ssh_private_keys::PRIVATE_KEY)));
    rows.len()
}

/// What is sealed of a key.
pub(crate) async fn opened(server: &Server, id: &str) -> String {
    let id: SshKeyId = id.parse().expect("an id");
    let events = server.app.log.stream(StreamId::new("ssh_key", id.0), i64::MAX).await.expect("its events");
    let secret = events.iter().find_map(|event| match &event.fact {
        keytrail_domain::fact::Fact::SshKey(Event::Added { secret, .. } | Event::Generated { secret, .. }) => {
            Some(*secret)
        }
        _ => None,
    });
    let (secret, owner) = (secret.expect("it names it"), ssh_private_keys::owner(id));
    let opened = server.app.vault.open(secret, owner, ssh_private_keys::PRIVATE_KEY).await.expect("it opens");
    String::from_utf8(opened.expose().clone()).expect("a text")
}

/// The lines of a key without a passphrase in the form of OpenSSH that hold its private half: the public one stands before
/// them.
pub(crate) fn private_lines(file: &str) -> impl Iterator<Item = String> {
    file.lines().skip(3).filter(|line| !line.starts_with("-----")).map(str::to_owned)
}

async fn change(server: &Server, method: Method, at: &str, etag: Option<&str>, body: Option<Value>) -> Answer {
    let mut request = server.local(method, at);
    if let Some(etag) = etag {
        request = request.header("If-Match", etag);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    answer(request).await
}

async fn a_key_with_a_passphrase_is_tried_out_told_and_kept_sealed_without_it(server: Server) {
    let (mine, file) = (key(7), written(&key(7), Target::Pem, Some(WORD)));
    let body = json!({ "name": "Deploy", "private_key": format!("\u{feff}\r\n {}", file.replace('\n', "\r\n")),
        "passphrase": WORD });
    let added = server.post(KEYS, body).await.with(StatusCode::CREATED);
    let public = mine.public();
    for (member, wanted) in [
        ("name", json!("Deploy")),
        ("state", json!("active")),
        ("origin", json!("pasted")),
        ("format", json!("pkcs8")),
        ("had_passphrase", json!(true)),
        ("algorithm", json!("ssh-ed25519")),
        ("bits", json!(256)),
        ("fingerprint_sha256", json!(public.sha256())),
        ("fingerprint_md5", json!(public.md5())),
        ("rsa_because", Value::Null),
        ("created_at", json!("2026-11-21T06:00:00.000000Z")),
        ("last_used_at", Value::Null),
        ("never_used", json!(true)),
        ("is_old", json!(false)),
        ("version", json!(1)),
    ] {
        assert_eq!(added.body[member], wanted, "{member} of {}", added.text);
    }
    let at = added.header("location");
    assert_eq!(at, format!("{KEYS}/{}", added.id()));
    let one = server.get(&at).await.with(StatusCode::OK);
    assert_eq!((&one.body, one.header("etag")), (&added.body, "\"1\"".to_owned()));
    let listed = server.get(KEYS).await.with(StatusCode::OK);
    assert_eq!((listed.items().len(), &listed.items()[0]), (1, &added.body));
    // Opened with the passphrase once: what is kept opens without it, and is the same key.
    let kept = opened(&server, &added.id()).await;
    let read = ssh_keys::read(kept.as_bytes(), None).expect("it is a key");
    assert_eq!((read.public(), read.encryption()), (public, None));
    assert_eq!(sealed(&server).await, 1);
}

async fn the_public_half_is_told_in_both_forms_with_where_it_goes(server: Server) {
    let file = written(&key(8), Target::OpenSsh, Some(WORD));
    let body = json!({ "name": "file", "private_key_base64": STANDARD.encode(&file), "passphrase": WORD });
    let added = server.post(KEYS, body).await.with(StatusCode::CREATED);
    assert_eq!((added.text_of("origin"), added.text_of("format")), ("file".into(), "openssh".into()));
    // An account of a machine stays, the address of a person does not get into the log.
    assert_eq!(added.text_of("comment"), "ann@laptop for …");
    let public = server.get(&format!("{KEYS}/{}/public", added.id())).await.with(StatusCode::OK);
    let half = key(8);
    assert_eq!(public.text_of("openssh"), half.public().openssh("ann@laptop for …"));
    assert_eq!(public.text_of("openssh"), added.text_of("public_key"));
    assert_eq!(public.text_of("rfc4716"), half.public().rfc4716("ann@laptop for …"));
    let hosts = public.body["hosts"].as_array().expect("hints");
    let of = |word: &str| hosts.iter().find(|host| host["host"] == word).expect("a host");
    assert_eq!((&of("github")["takes_it"], &of("azure_devops")["takes_it"]), (&json!(true), &json!(false)));
    assert!(of("gitlab")["hint"].as_str().is_some_and(|hint| hint.contains("Deploy keys")));
    let told: Vec<_> = hosts.iter().map(|one| (one["host"].as_str(), one["hint"].as_str())).collect();
    let wanted: Vec<_> = ssh_keys::GIT_HOSTS.iter().map(|host| (Some(host.name), Some(host.hint))).collect();
    assert_eq!(told, wanted, "a hint for each");
}

async fn a_generated_key_is_ed25519_unless_its_git_host_takes_only_rsa(server: Server) {
    let generate = |body: Value| {
        let server = server.clone();
        async move { server.post(&format!("{KEYS}/generate"), body).await }
    };
    let usual = generate(json!({ "name": "usual", "host": "github" })).await.with(StatusCode::CREATED);
    assert_eq!((usual.text_of("algorithm"), &usual.body["rsa_because"]), ("ssh-ed25519".into(), &Value::Null));
    assert_eq!((usual.text_of("origin"), &usual.body["format"]), ("generated".into(), &Value::Null));
    assert!(usual.text_of("halves").contains("belongs to this server alone"), "{}", usual.text);
    assert!(usual.text_of("public_key").ends_with(" usual"), "{}", usual.text);
    let azure = generate(json!({ "name": "azure", "host": "azure_devops" })).await.with(StatusCode::CREATED);
    assert_eq!((azure.text_of("algorithm"), azure.body["bits"].as_u64()), ("ssh-rsa".into(), Some(4096)));
    assert_eq!(azure.text_of("rsa_because"), "azure_devops");
    assert_eq!(azure.text_of("rsa_reason"), "Azure DevOps takes RSA only");
    let asked = generate(json!({ "name": "asked", "type": "rsa" })).await.with(StatusCode::CREATED);
    assert_eq!(asked.text_of("rsa_because"), "asked");
    let head = server.app.log.feed().head().position;
    let wrong = json!({ "name": "aws", "type": "ed25519", "host": "aws_codecommit" });
    generate(wrong).await.refused(422, "ssh_key_host_needs_rsa");
    generate(json!({ "name": "x", "host": "nowhere" })).await.refused(400, "body_invalid");
    generate(json!({ "name": "x", "type": "dsa" })).await.refused(400, "body_invalid");
    generate(json!({ "name": " " })).await.refused(422, "name_invalid");
    assert_eq!(server.app.log.feed().head().position, head, "nothing was recorded");
    // What is sealed belongs to what is shown.
    for shown in [&usual, &azure] {
        let kept = opened(&server, &shown.id()).await;
        let read = ssh_keys::read(kept.as_bytes(), None).expect("it is a key");
        assert_eq!(read.public().sha256(), shown.text_of("fingerprint_sha256"));
    }
    assert_eq!(sealed(&server).await, 3);
}

async fn the_same_key_is_kept_once_and_whoever_adds_it_again_is_told_which_it_is(server: Server) {
    let first = add(&server, "Deploy", &plain(1)).await.with(StatusCode::CREATED);
    for (name, file) in [("Other", written(&key(1), Target::Pem, None)), ("deploy", plain(1))] {
        let refused = add(&server, name, &file).await.refused(409, "ssh_key_taken");
        assert_eq!((refused.text_of("ssh_key"), refused.text_of("ssh_key_name")), (first.id(), "Deploy".into()));
    }
    let refused = add(&server, "dePLOY", &plain(2)).await.refused(409, "ssh_key_name_taken");
    assert_eq!(refused.text_of("ssh_key"), first.id());
    let second = add(&server, "Second", &plain(2)).await.with(StatusCode::CREATED);
    let at = format!("{KEYS}/{}/name", second.id());
    let taken = change(&server, Method::PUT, &at, Some("*"), Some(json!({ "name": "DEPLOY" }))).await;
    assert_eq!(taken.refused(409, "ssh_key_name_taken").text_of("ssh_key"), first.id());
    assert_eq!(sealed(&server).await, 2, "what was refused is not kept");
    // A retired key is none of the pool: it may come back, as another one.
    let gone = format!("{KEYS}/{}", first.id());
    change(&server, Method::DELETE, &gone, Some("*"), None).await.with(StatusCode::OK);
    let again = add(&server, "Deploy", &plain(1)).await.with(StatusCode::CREATED);
    assert_ne!(again.id(), first.id());
    let listed = server.get(&format!("{KEYS}?state=active")).await;
    let names: Vec<_> = listed.items().iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names, ["Second", "Deploy"]);
}

async fn a_key_is_renamed_and_retired_by_who_saw_it_and_its_private_half_goes(server: Server) {
    let at = add(&server, "Deploy", &plain(3)).await.with(StatusCode::CREATED).header("location");
    let rename = |etag: Option<&'static str>, name: &'static str| {
        let (server, at) = (server.clone(), format!("{at}/name"));
        async move { change(&server, Method::PUT, &at, etag, Some(json!({ "name": name }))).await }
    };
    rename(None, "Build").await.refused(428, "if_match_missing");
    rename(Some("\"7\""), "Build").await.refused(412, "version_stale");
    rename(Some("*"), "").await.refused(422, "name_invalid");
    let renamed = rename(Some("\"1\""), "Build").await.with(StatusCode::OK);
    assert_eq!((renamed.text_of("name"), renamed.header("etag")), ("Build".into(), "\"2\"".into()));
    change(&server, Method::DELETE, &at, None, None).await.refused(428, "if_match_missing");
    change(&server, Method::DELETE, &at, Some("\"1\""), None).await.refused(412, "version_stale");
    assert_eq!(sealed(&server).await, 1);
    let retired = change(&server, Method::DELETE, &at, Some("\"2\""), None).await.with(StatusCode::OK);
    assert_eq!((retired.text_of("state"), sealed(&server).await), ("retired".into(), 0));
    assert_eq!(retired.text_of("retired_at"), "2026-11-21T06:00:00.000000Z");
    // Twice is once; and it stays readable.
    change(&server, Method::DELETE, &at, Some("*"), None).await.with(StatusCode::OK);
    rename(Some("*"), "Other").await.refused(409, "ssh_key_retired");
    assert_eq!(server.get(&at).await.with(StatusCode::OK).text_of("name"), "Build");
    server.get(&format!("{at}/public")).await.with(StatusCode::OK);
    let nobody = format!("{KEYS}/0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b");
    for answer in [server.get(&nobody).await, server.get(&format!("{nobody}/public")).await] {
        answer.refused(404, "ssh_key_unknown");
    }
    change(&server, Method::DELETE, &nobody, Some("*"), None).await.refused(404, "ssh_key_unknown");
}

async fn a_request_that_is_sent_again_adds_and_makes_one_key(server: Server) {
    for (path, body) in [
        (KEYS.to_owned(), json!({ "name": "added", "private_key": plain(4) })),
        (format!("{KEYS}/generate"), json!({ "name": "made" })),
    ] {
        let send = || answer(server.local(Method::POST, &path).header("Idempotency-Key", "once").json(&body));
        let first = send().await.with(StatusCode::CREATED);
        let again = send().await.with(StatusCode::CREATED);
        assert_eq!((again.id(), again.header("idempotency-replayed")), (first.id(), "true".into()));
        let other = json!({ "name": "other" });
        let reused = answer(server.local(Method::POST, &path).header("Idempotency-Key", "once").json(&other)).await;
        reused.refused(422, "idempotency_key_reused");
    }
    assert_eq!(sealed(&server).await, 2);
}

/// What is no key, each with the code that tells it. RSA that is too short is made by no library of ours.
static BAD: LazyLock<Vec<(&'static str, Vec<u8>)>> = LazyLock::new(|| {
    let public = key(9).public().openssh("x");
    let dsa = {
        let blob = [&7_u32.to_be_bytes()[..], b"ssh-dss", &[0; 40]].concat();
        format!("ssh-dss {}", STANDARD.encode(blob))
    };
    let whole = plain(9);
    vec![
        ("ssh_key_empty", b" \r\n\t".to_vec()),
        ("ssh_key_unknown_format", b"hello, I am a key".to_vec()),
        ("ssh_key_unknown_format", (0..=255).cycle().take(4_000).collect()),
        ("ssh_key_public", public.into_bytes()),
        ("ssh_key_public", dsa.into_bytes()),
        ("ssh_key_certificate", b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_vec()),
        ("ssh_key_truncated", whole.as_bytes()[..whole.len() / 2].to_vec()),
        ("ssh_key_too_large", vec![b'A'; (64 << 10) + 1]),
        ("ssh_key_passphrase_needed", written(&key(9), Target::OpenSsh, Some(WORD)).into_bytes()),
    ]
});

async fn what_is_no_key_is_refused_with_what_mends_it_and_nothing_is_kept(server: Server) {
    let head = server.app.log.feed().head().position;
    for (code, bytes) in BAD.iter() {
        let mut bodies = vec![json!({ "name": "bad", "private_key_base64": STANDARD.encode(bytes) })];
        if let Ok(text) = std::str::from_utf8(bytes) {
            bodies.push(json!({ "name": "bad", "private_key": text }));
        }
        for body in bodies {
            let refused = server.post(KEYS, body).await.refused(422, code);
            let next = &refused.body["next"];
            assert!(next["says"].as_str().is_some_and(|says| !says.is_empty()), "{code}: {}", refused.text);
            assert!(next["commands"].as_array().is_some_and(|all| !all.is_empty()), "{code}: {}", refused.text);
        }
    }
    let sealed_file = written(&key(9), Target::Pem, Some(WORD));
    let wrong = json!({ "name": "bad", "private_key": sealed_file, "passphrase": "another geheim" });
    let refused = server.post(KEYS, wrong).await.refused(422, "ssh_key_passphrase_wrong");
    assert!(!refused.text.contains("geheim"), "{}", refused.text);
    for (body, status, code) in [
        (json!({ "name": "bad" }), 422, "ssh_key_empty"),
        (json!({ "name": "bad", "private_key": plain(9), "private_key_base64": "AAAA" }), 422, "ssh_key_twice"),
        (json!({ "name": "bad", "private_key_base64": "no base64!" }), 422, "ssh_key_unknown_format"),
        (json!({ "name": "bad", "private_key": plain(9), "passfrase": "geheim" }), 400, "body_invalid"),
        (json!({ "name": "bad", "private_key": 7 }), 400, "body_invalid"),
        (json!({ "private_key": plain(9) }), 400, "body_invalid"),
    ] {
        let refused = server.post(KEYS, body).await.refused(status, code);
        assert!(!refused.text.contains("geheim") && !refused.text.contains("PRIVATE KEY"), "{}", refused.text);
    }
    add(&server, " ", &plain(9)).await.refused(422, "name_invalid");
    let huge = json!({ "name": "bad", "private_key": "A".repeat(2 << 20) });
    server.post(KEYS, huge).await.refused(413, "body_too_large");
    assert_eq!(server.app.log.feed().head().position, head, "nothing was recorded");
    assert_eq!((sealed(&server).await, server.get(KEYS).await.items().len()), (0, 0));
}

async fn a_key_that_ages_says_so(server: Server) {
    add(&server, "old", &plain(5)).await.with(StatusCode::CREATED);
    server.pass_days(366);
    add(&server, "new", &plain(6)).await.with(StatusCode::CREATED);
    let listed = server.get(KEYS).await;
    let told: Vec<_> = listed
        .items()
        .iter()
        .map(|row| (row["name"].as_str(), row["is_old"].as_bool(), row["age_days"].as_i64()))
        .collect();
    assert_eq!(told, [(Some("old"), Some(true), Some(366)), (Some("new"), Some(false), Some(0))]);
    let old = server.get(&format!("{KEYS}?older_than_days=30")).await;
    assert_eq!((old.items().len(), old.items()[0]["name"].as_str()), (1, Some("old")));
    assert_eq!(server.get(&format!("{KEYS}?older_than_days=367")).await.items().len(), 0);
    server.get(&format!("{KEYS}?older_than_days=-1")).await.refused(400, "query_invalid");
    // What the metrics tell.
    let now = server.app.clock.now();
    let counts = async |before: Timestamp| server.app.read(ssh_key_list::counts(before)).await.expect("a view");
    let oldest = now.plus_micros(-366 * 24 * 3600 * 1_000_000);
    let half = now.plus_micros(-24 * 3600 * 1_000_000);
    assert_eq!(counts(half).await, [KeyCounts { all: 2, on_disk: 0, old: 1, oldest: Some(oldest) }]);
    let series = ["keytrail_ssh_keys_old", "keytrail_ssh_keys{store=\"server\"}", "keytrail_ssh_key_oldest_seconds"];
    let text = measured(&server.app).await;
    assert_eq!(series.map(|series| value(&text, series)), [1.0, 2.0, 366.0 * 86_400.0]);
    let at = format!("{KEYS}/{}", old.items()[0]["id"].as_str().expect("an id"));
    change(&server, Method::DELETE, &at, Some("*"), None).await.with(StatusCode::OK);
    server.get(&format!("{KEYS}?state=active")).await;
    let soon =
        async || server.app.read_at_least(server.app.log.feed().head().position, ssh_key_list::counts(half)).await;
    let left = soon().await.expect("a view");
    assert_eq!((left[0].all, left[0].old), (1, 0));
    assert_eq!(value(&measured(&server.app).await, "keytrail_ssh_keys_old"), 0.0);
    assert_eq!(server.get(&at).await.body["is_old"], false, "a retired key troubles nobody");
}

async fn a_private_half_is_in_no_answer_and_in_no_event(server: Server) {
    let added = add(&server, "added", &written(&key(10), Target::Pem, None)).await.with(StatusCode::CREATED);
    let made = server.post(&format!("{KEYS}/generate"), json!({ "name": "made" })).await.with(StatusCode::CREATED);
    let mut secrets = vec![STANDARD.encode([10_u8; 32]), "0a".repeat(32), "PRIVATE KEY".to_owned()];
    for shown in [&added, &made] {
        let kept = opened(&server, &shown.id()).await;
        secrets.extend(private_lines(&kept));
    }
    let is_clean = |what: &str, text: &str| {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{what} holds {secret}: {text}");
        }
    };
    is_clean("the answer", &added.text);
    is_clean("the answer", &made.text);
    let ids = BTreeMap::from([("added", added.id()), ("made", made.id())]);
    for id in ids.values() {
        for path in [
            format!("{KEYS}/{id}"),
            format!("{KEYS}/{id}/public"),
            format!("/api/v1/streams/ssh_key/{id}/events?state=true"),
        ] {
            is_clean(&path, &server.get(&path).await.with(StatusCode::OK).text);
        }
    }
    for path in [KEYS, "/api/v1/events?limit=500", "/api/v1/doctor"] {
        is_clean(path, &server.get(path).await.with(StatusCode::OK).text);
    }
    // In the state of the aggregate and in the log as it is stored there is only its name.
    let stream = StreamId::new("ssh_key", ids["made"].parse().expect("an id"));
    let (state, _) = server.app.load::<Aggregate>(stream).await.expect("its state");
    is_clean("the state", &serde_json::to_string(&state).expect("JSON"));
}

async fn the_private_half_opens_again_after_all_secrets_were_sealed_anew(server: Server) {
    let added = add(&server, "added", &plain(11)).await.with(StatusCode::CREATED);
    let before = opened(&server, &added.id()).await;
    let done = server.app.vault.rotate_data_key(server.app.clock.now(), |_| {}).await;
    assert!(done.expect("it can be sealed").resealed > 0);
    assert_eq!(opened(&server, &added.id()).await, before);
}

on_both_engines!(
    a_key_with_a_passphrase_is_tried_out_told_and_kept_sealed_without_it,
    the_public_half_is_told_in_both_forms_with_where_it_goes,
    a_generated_key_is_ed25519_unless_its_git_host_takes_only_rsa,
    the_same_key_is_kept_once_and_whoever_adds_it_again_is_told_which_it_is,
    a_key_is_renamed_and_retired_by_who_saw_it_and_its_private_half_goes,
    a_request_that_is_sent_again_adds_and_makes_one_key,
    what_is_no_key_is_refused_with_what_mends_it_and_nothing_is_kept,
    a_key_that_ages_says_so,
    a_private_half_is_in_no_answer_and_in_no_event,
    the_private_half_opens_again_after_all_secrets_were_sealed_anew,
);
