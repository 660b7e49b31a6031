//! The page about transports says what a server does: what each address takes, what each setting lets be reached, and by which
//! code and setting each attack ends.

use std::net::IpAddr;

use keytrail::{boot, config::Git};
use keytrail_domain::{index_run::FailureCode, remote_url::Host};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Server, answer, on_both_engines};

const PAGE: &str = include_str!("../../docs/transports.md");
const CODES: &str = include_str!("../../docs/errors.md");

/// The cells of the rows of the one table below this heading, without the line of its columns.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, below) = PAGE.split_once(&format!("## {heading}\n")).expect("the page has the heading");
    let section = below.split("\n## ").next().expect("there is always a first part");
    let rows = section.lines().filter(|line| line.starts_with("| ") && line.ends_with('|')).skip(1);
    let cells = |line: &'static str| line[1..line.len() - 1].split(" |").map(str::trim).collect::<Vec<_>>();
    rows.map(cells).collect()
}

/// The words in backticks of a cell.
fn words(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

async fn each_address_takes_what_the_page_says_and_nothing_else(server: Server) {
    let (pem, pin) = (authority(), "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    let found = rows("Addresses");
    assert_eq!(found.len(), 4);
    for row in found {
        let [scheme, switched, credential, certificates, proxy] = row[..] else { panic!("five columns: {row:?}") };
        let scheme = words(scheme)[0];
        let connect = async |what: &str, member: &str, value: Value| {
            let name = format!("{scheme} {what}");
            // A place is connected once, whatever the scheme.
            let url = format!("{scheme}127.0.0.1:1/{}-{what}.git", &scheme[..scheme.len() - 3]);
            server.connect(&name, json!({ "kind": "git", "url": url, member: value })).await
        };
        if switched == "not yet" {
            connect("plain", "proxy", Value::Null).await.refused(422, "url_not_allowed");
            assert_eq!([credential, certificates, proxy], ["", "", ""]);
            continue;
        }
        connect("plain", "proxy", Value::Null).await.with(StatusCode::CREATED);
        let login = json!({ "user": "ada", "password": "secret" });
        let answer = connect("credential", "credential", login).await;
        match words(credential)[..] {
            ["sealed"] => assert_eq!(answer.with(StatusCode::CREATED).body["connection"]["credential"], true),
            _ => drop(answer.refused(422, "credential_invalid")),
        }
        for (kind, trust) in [
            ("authority", json!({ "kind": "authority", "pem": pem })),
            ("pinned", json!({ "kind": "pinned", "key": pin })),
        ] {
            let answer = connect(kind, "trust", trust).await;
            match words(certificates).contains(&kind) {
                true => assert_eq!(answer.with(StatusCode::CREATED).body["connection"]["trust"]["kind"], kind),
                false => drop(answer.refused(422, "trust_invalid")),
            }
        }
        let answer = connect("proxy", "proxy", json!({ "url": "http://127.0.0.1:1" })).await;
        match words(proxy)[..] {
            ["http"] => {
                assert_eq!(answer.with(StatusCode::CREATED).body["connection"]["proxy"]["url"], "http://127.0.0.1:1")
            }
            _ => drop(answer.refused(422, "proxy_invalid")),
        }
    }
    for integration in server.get("/api/v1/integrations").await.items() {
        let at = format!("/api/v1/integrations/{}", integration["id"].as_str().expect("an id"));
        answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await.with(StatusCode::OK);
    }
}

/// Certificates of an authority, in PEM.
fn authority() -> String {
    let folder = tempfile::tempdir().expect("a folder");
    keytrail_test_support::web_server::WebServer::start(folder.path()).ca_pem().to_string()
}

on_both_engines!(
    reaching_this_machine;
    each_address_takes_what_the_page_says_and_nothing_else,
);

#[tokio::test]
async fn each_setting_lets_be_reached_what_the_page_says_and_not_more() {
    let found = rows("Which hosts");
    assert_eq!(found.iter().map(|row| words(row[0])[0]).collect::<Vec<_>>(), ["allow_private", "networks", "hosts"]);
    for row in found {
        let [setting, example, reaches, not] = row[..] else { panic!("four columns: {row:?}") };
        let (setting, example) = (words(setting)[0], words(example)[0]);
        let value: Value = serde_json::from_str(example).expect("an example as it stands in a file");
        let git: Git = serde_json::from_value(json!({ setting: value })).expect("a setting");
        let without = boot::git_settings(&Git::default()).await.expect("settings").addresses;
        let with = boot::git_settings(&git).await.expect("settings").addresses;
        for (cell, expected) in [(reaches, true), (not, false)] {
            assert!(!words(cell).is_empty());
            for address in words(cell) {
                let written = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
                let host = Host::parse(&written).expect("an address is a host");
                let ip: IpAddr = address.parse().expect("an address");
                assert!(without.allows(&host, ip).is_err(), "{address} without any setting");
                assert_eq!(with.allows(&host, ip).is_ok(), expected, "{setting} = {example}: {address}");
            }
        }
    }
}

#[test]
fn each_attack_ends_by_a_code_that_there_is_and_is_bounded_by_a_setting_that_there_is() {
    let settings = serde_json::to_value(Git::default()).expect("settings");
    let found = rows("What a remote cannot do");
    assert!(found.len() > 10);
    for row in found {
        let [what, code, setting] = row[..] else { panic!("three columns: {row:?}") };
        let [code] = words(code)[..] else { panic!("one code: {what}") };
        let known: Result<FailureCode, _> = serde_json::from_value(json!(code));
        assert!(known.is_ok() && CODES.contains(&format!("`{code}`")), "{what}: {code}");
        assert!(words(setting).iter().all(|setting| settings.get(setting).is_some()), "{what}: {setting}");
    }
}
