//! Against the vector of GitHub's documentation, and payloads that GitHub sent.

use std::{collections::BTreeMap, fs, path::Path};

use keytrail_domain::{
    github::GithubHost,
    installation::{Heard, Selection},
    timestamp::Timestamp,
};
use serde_json::{Value, json};

use super::{Says, Unreadable, action, counted_as, is_signed, read, signature};

const SECRET: &[u8] = b"It's a Secret to Everybody";
const BODY: &[u8] = b"Hello, World!";
const SIGNED: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

/// Every payload, with its event.
fn payloads() -> BTreeMap<String, (String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/github/webhooks");
    let files = fs::read_dir(folder).expect("the payloads").map(|file| file.expect("a file").path());
    let of = |path: &Path| {
        let name = path.file_name()?.to_str()?.to_owned();
        let event = name.strip_prefix("ghes35.").unwrap_or(&name).split('.').next()?.to_owned();
        Some((name, (event, fs::read(path).ok()?)))
    };
    files.map(|path| of(&path).expect("a payload")).collect()
}

fn read_file(name: &str) -> super::Webhook {
    let (event, body) = &payloads()[name];
    read(event, body, &GithubHost::cloud()).expect("it is read")
}

#[test]
fn a_signature_is_the_one_of_the_documentation() {
    assert_eq!(signature(SECRET, BODY), SIGNED);
    assert!(is_signed([SECRET], BODY, SIGNED));
    assert!(is_signed([b"the new one".as_slice(), SECRET], BODY, SIGNED), "while a secret is changed both are good");
    let utf8 = "{\"name\":\"Zoë, 名\"}".as_bytes();
    assert!(is_signed([SECRET], utf8, &signature(SECRET, utf8)));
}

#[test]
fn whatever_is_not_that_signature_is_refused() {
    for flipped in 0..BODY.len() * 8 {
        let mut body = BODY.to_vec();
        body[flipped / 8] ^= 1 << (flipped % 8);
        assert!(!is_signed([SECRET], &body, SIGNED), "bit {flipped}");
    }
    let upper = SIGNED.replace("sha256=", "SHA256=");
    for header in ["", "sha256=", &SIGNED[7..], &SIGNED[..70], &format!("{SIGNED}0"), &SIGNED.replace('7', "g"), &upper]
    {
        assert!(!is_signed([SECRET], BODY, header), "{header}");
    }
    assert!(!is_signed([b"another".as_slice()], BODY, SIGNED));
    assert!(!is_signed([], BODY, SIGNED));
    // Whoever knows no secret knows the empty one.
    assert!(!is_signed([b"".as_slice()], BODY, &signature(b"", BODY)));
}

#[test]
fn every_payload_that_github_sent_is_read() {
    let payloads = payloads();
    assert!(payloads.len() >= 79, "{}", payloads.len());
    for (name, (event, body)) in &payloads {
        let read = read(event, body, &GithubHost::cloud()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let value: Value = serde_json::from_slice(body).expect("JSON");
        assert_eq!(action(body).expect("JSON").as_deref(), value["action"].as_str(), "{name}");
        let means = match read.says {
            Says::Hello => "ping",
            Says::Of(Heard::SelectionChanged { .. }) => "installation_repositories",
            Says::Of(_) => "installation",
            Says::Moved(id) => {
                assert_eq!(value["repository"]["id"], id, "{name}");
                event.as_str()
            }
            Says::Repositories => event.as_str(),
            Says::HookDeleted => "meta",
            Says::PullRequest(heard) => {
                assert_eq!(value["repository"]["id"], heard.repository, "{name}");
                assert_eq!(value["pull_request"]["number"], heard.pull.number, "{name}");
                assert_eq!(heard.review.is_some(), event == "pull_request_review", "{name}");
                "pull_request"
            }
            Says::Nothing => "nothing",
        };
        let wanted = match event.as_str() {
            known @ ("ping"
            | "installation"
            | "installation_repositories"
            | "push"
            | "create"
            | "delete"
            | "repository"
            | "public"
            | "meta") => known,
            event if event.starts_with("pull_request") => "pull_request",
            _ => "nothing",
        };
        assert_eq!(means, wanted, "{name}");
        if counted_as(event) != "other" {
            assert_eq!(json!(read.installation), value["installation"]["id"], "{name}");
        }
    }
}

#[test]
fn an_installation_is_told_as_the_api_tells_it() {
    let Says::Of(Heard::Installed(seen)) = read_file("installation.created.1.json").says else { panic!("installed") };
    assert_eq!((seen.account.host.as_str(), seen.account.login.as_str()), ("github.com", "Codertocat"), "{seen:?}");
    assert!(!seen.permissions.is_empty() && seen.suspended.is_none(), "{seen:?}");
    let Says::Of(Heard::Uninstalled { installation }) = read_file("installation.deleted.1.json").says else {
        panic!("uninstalled")
    };
    assert!(installation > 0);
    assert!(matches!(read_file("installation.unsuspend.1.json").says, Says::Of(Heard::Resumed { .. })));
    let Says::Of(Heard::SelectionChanged { selection, .. }) = read_file("installation_repositories.added.1.json").says
    else {
        panic!("selection")
    };
    assert_eq!(selection, Selection::Selected);
}

#[test]
fn a_suspension_says_who_and_since_when_in_any_shape_of_a_time() {
    let host = GithubHost::cloud();
    let since = Some(Timestamp::from_seconds(1_600_000_000));
    for time in [json!(1_600_000_000), json!("2020-09-13T12:26:40Z"), json!("2020-09-13T08:26:40.000-04:00")] {
        let body = json!({
            "action": "suspend",
            "installation": { "id": 7, "suspended_at": time, "suspended_by": { "login": "ada" } },
            "sender": { "login": "grace" },
        });
        let read = read("installation", body.to_string().as_bytes(), &host).expect("it is read");
        let Says::Of(Heard::Suspended { installation: 7, suspension }) = read.says else { panic!("{read:?}") };
        assert_eq!((suspension.by.as_ref().map(|by| by.as_str()), suspension.since), (Some("ada"), since));
    }
    let body = json!({ "action": "suspend", "installation": { "id": 7 }, "sender": { "login": "grace" } });
    let read = read("installation", body.to_string().as_bytes(), &host).expect("it is read");
    let Says::Of(Heard::Suspended { suspension, .. }) = read.says else { panic!("{read:?}") };
    assert_eq!((suspension.by.as_ref().map(|by| by.as_str()), suspension.since), (Some("grace"), None));
}

#[test]
fn a_renamed_organisation_is_known_by_its_id() {
    let body = json!({
        "action": "renamed", "account": { "id": 9, "login": "new-name" }, "installation": { "id": 7 },
        "changes": { "login": { "from": "old-name" } }, "target_type": "Organization",
    });
    let read = read("installation_target", body.to_string().as_bytes(), &GithubHost::cloud()).expect("it is read");
    let Says::Of(Heard::AccountRenamed { account: 9, login }) = read.says else { panic!("{read:?}") };
    assert_eq!(login.as_str(), "new-name");
}

#[test]
fn what_is_not_as_its_event_is_refused_and_never_panics() {
    let host = GithubHost::cloud();
    for (event, body) in [
        ("push", "{}"),
        ("push", r#"{"repository":{"id":"1"}}"#),
        ("installation", "{}"),
        ("installation", r#"{"action":"created","installation":{"id":1}}"#),
        ("installation_repositories", r#"{"installation":{"id":1},"repository_selection":"some"}"#),
        ("pull_request", r#"{"repository":{"id":1}}"#),
        ("pull_request", r#"{"repository":{"id":1},"pull_request":{"number":1}}"#),
        ("ping", "nothing"),
        ("ping", "[]"),
        ("ping", ""),
    ] {
        assert_eq!(read(event, body.as_bytes(), &host), Err(Unreadable), "{event} {body}");
    }
    // An event of tomorrow is not looked into.
    assert_eq!(read("tomorrow", b"{}", &host).map(|read| read.says), Ok(Says::Nothing));
    assert_eq!(counted_as("tomorrow"), "other");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(action(deep.as_bytes()), Err(Unreadable));
}
