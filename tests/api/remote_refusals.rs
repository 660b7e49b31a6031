//! What is no address of a git server, no credential, no certificate and no selection of refs: refused before anything is
//! made, and never repeated.

use serde_json::{Value, json};

use crate::server::{Server, on_both_engines};

async fn nothing_was_made(server: &Server) {
    assert!(server.get("/api/v1/integrations").await.items().is_empty());
    assert!(server.get("/api/v1/events?type=integration.").await.items().is_empty());
    assert!(server.sealed().await.is_empty());
}

async fn refused(server: &Server, connection: Value, code: &str, reason: Option<&str>) {
    let said = format!("{connection}");
    let status = if code == "body_invalid" { 400 } else { 422 };
    let refused = server.connect("shop", connection).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (status, &json!(code)), "{said}: {}", refused.text);
    assert_eq!(refused.body["reason"].as_str(), reason, "{said}: {}", refused.text);
    assert!(!refused.text.contains("geheim"), "{}", refused.text);
}

fn at(url: &str) -> Value {
    json!({ "kind": "git", "url": url })
}

async fn what_is_no_address_of_a_git_server_is_refused_in_words(server: Server) {
    for (url, word) in [
        ("", "empty"),
        (&format!("https://git.example/{}", "x".repeat(2048)), "too_long"),
        ("ext::sh -c geheim", "remote_helper"),
        ("ext::/bin/sh", "remote_helper"),
        ("fd::17", "remote_helper"),
        ("--upload-pack=geheim", "leading_dash"),
        ("-oProxyCommand=geheim", "leading_dash"),
        ("--upload-pack=geheim x", "control_character"),
        ("https://-oProxyCommand=geheim/shop", "leading_dash"),
        ("ssh://-oProxyCommand=geheim/shop", "leading_dash"),
        ("https://git.example/-geheim", "leading_dash"),
        ("https://git.example/geheim\nHost: x", "control_character"),
        ("https://git.example/geheim\u{0}", "control_character"),
        ("https://git.example/geheim\u{1b}[2J", "control_character"),
        ("file:///srv/geheim", "local_path"),
        ("/srv/geheim", "local_path"),
        ("../geheim", "relative_path"),
        ("ftp://git.example/geheim", "unknown_scheme"),
        ("https://git.example/a/../geheim", "dot_segment"),
        ("https://git.example/$(geheim)", "unsafe_character"),
        ("https://git.example/geheim?x=1", "query_or_fragment"),
        ("https://git.example", "no_path"),
        ("https:///geheim", "bad_host"),
        ("https://127.1/geheim", "odd_address"),
        ("https://2130706433/geheim", "odd_address"),
        ("https://0x7f000001/geheim", "odd_address"),
        ("https://[fe80::1%25eth0]/geheim", "zone_id"),
        ("https://git.example:0/geheim", "bad_port"),
        ("https://a:geheim@b:geheim@git.example/x", "bad_user"),
        ("user:geheim@git.example/x", "bad_user"),
    ] {
        refused(&server, at(url), "url_invalid", Some(&format!("url_{word}"))).await;
    }
    nothing_was_made(&server).await;
}

async fn schemes_and_addresses_that_are_off_are_refused(server: Server) {
    for url in ["http://git.example/shop", "http://alice:geheim@git.example/shop", "git://git.example/shop"] {
        refused(&server, at(url), "url_not_allowed", None).await;
    }
    for host in [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1:8443",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[fd00::1]",
        "[64:ff9b::a00:1]",
    ] {
        refused(&server, at(&format!("https://alice:geheim@{host}/shop")), "address_denied", None).await;
        let proxied = json!({ "kind": "git", "url": "https://git.example/shop",
            "proxy": { "url": format!("http://{host}") } });
        refused(&server, proxied, "address_denied", None).await;
    }
    nothing_was_made(&server).await;
}

async fn a_credential_that_cannot_be_used_is_refused_and_not_repeated(server: Server) {
    let with =
        |credential: Value| json!({ "kind": "git", "url": "https://git.example/shop", "credential": credential });
    let long = "geheim".repeat(700);
    for (user, password) in [
        ("", ""),
        ("alice", long.as_str()),
        (long.as_str(), "geheim"),
        ("alice:geheim", "geheim"),
        ("alice", "geheim\n"),
        ("geheim\u{0}", "geheim"),
    ] {
        let credential = json!({ "user": user, "password": password });
        refused(&server, with(credential.clone()), "credential_invalid", None).await;
        let proxied = json!({ "kind": "git", "url": "https://git.example/shop",
            "proxy": { "url": "http://proxy.example:3128", "credential": credential } });
        refused(&server, proxied, "credential_invalid", None).await;
    }
    for given in [json!({ "user": "alice", "password": "geheim" }), Value::Null] {
        let twice = json!({ "kind": "git", "url": "https://a:geheim@git.example/shop", "credential": given });
        refused(&server, twice, "credential_twice", None).await;
    }
    for odd in [
        json!("geheim"),
        json!(["geheim"]),
        json!({ "user": "alice" }),
        json!({ "user": "alice", "password": 1 }),
        json!({ "user": ["geheim"], "password": "geheim" }),
        json!({ "user": "alice", "password": "geheim", "more": "geheim" }),
    ] {
        refused(&server, with(odd), "body_invalid", None).await;
    }
    nothing_was_made(&server).await;
}

async fn what_cannot_be_trusted_proxied_or_selected_is_refused(server: Server) {
    let with = |member: &str, value: Value| {
        let mut connection = at("https://git.example/shop");
        connection[member] = value;
        connection
    };
    let key = "-----BEGIN PRIVATE KEY-----\ngeheim\n-----END PRIVATE KEY-----\n";
    for pem in ["", "geheim", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key] {
        refused(&server, with("trust", json!({ "kind": "authority", "pem": pem })), "trust_invalid", None).await;
    }
    let large = json!({ "kind": "authority", "pem": "x".repeat(70_000) });
    refused(&server, with("trust", large), "trust_invalid", None).await;
    for pin in ["", "geheim", "sha256//geheim", "sha256//AAAA", "md5//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="] {
        refused(&server, with("trust", json!({ "kind": "pinned", "key": pin })), "trust_invalid", None).await;
    }
    for (kind, more) in [("anything", json!(null)), ("web_pki", json!("geheim")), ("authority", json!("geheim"))] {
        refused(&server, with("trust", json!({ "kind": kind, "more": more })), "body_invalid", None).await;
    }
    for (url, reason) in [
        ("socks5://proxy.example:1080", "url_unknown_scheme"),
        ("https://proxy.example", "url_unknown_scheme"),
        ("http://", "url_bad_host"),
        ("http://proxy.example:0", "url_bad_port"),
        ("http://proxy.example\r\ngeheim", "url_control_character"),
        ("http://-proxy", "url_leading_dash"),
    ] {
        refused(&server, with("proxy", json!({ "url": url })), "proxy_invalid", Some(reason)).await;
    }
    let many: Vec<_> = (0..21).map(|number| format!("refs/x{number}/*")).collect();
    for patterns in [
        json!(["heads/*"]),
        json!(["refs/*/*"]),
        json!(["refs/a*b"]),
        json!(["refs/-x"]),
        json!(["refs/x y"]),
        json!(["refs/remotes/*"]),
        json!([format!("refs/{}", "x".repeat(300))]),
        json!(many),
    ] {
        refused(&server, with("refs", json!({ "patterns": patterns })), "refs_invalid", None).await;
        let path = json!({ "kind": "path", "path": server.root, "refs": { "patterns": patterns } });
        refused(&server, path, "refs_invalid", None).await;
    }
    for (member, value) in [
        ("refs", json!({ "heads": true })),
        ("refs", json!({ "notes": "geheim" })),
        ("proxy", json!({ "url": "http://x", "more": "geheim" })),
        ("depth", json!(1)),
        ("more", json!("geheim")),
    ] {
        refused(&server, with(member, value), "body_invalid", None).await;
    }
    nothing_was_made(&server).await;
}

async fn what_a_scheme_cannot_keep_is_not_promised(server: Server) {
    let pin = json!({ "kind": "pinned", "key": "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" });
    for scheme in ["http", "git"] {
        let url = format!("{scheme}://127.0.0.1/shop");
        refused(&server, json!({ "kind": "git", "url": url, "trust": pin }), "trust_invalid", None).await;
    }
    let login = json!({ "user": "alice", "password": "geheim" });
    let body = json!({ "kind": "git", "url": "git://127.0.0.1/shop", "credential": login });
    refused(&server, body, "credential_invalid", None).await;
    let body = json!({ "kind": "git", "url": "git://127.0.0.1/shop", "proxy": { "url": "http://127.0.0.1:3128" } });
    refused(&server, body, "proxy_invalid", None).await;
    nothing_was_made(&server).await;
}

mod with_all_schemes {
    use super::{on_both_engines, what_a_scheme_cannot_keep_is_not_promised};
    on_both_engines!(reaching_this_machine; what_a_scheme_cannot_keep_is_not_promised);
}

on_both_engines!(
    what_is_no_address_of_a_git_server_is_refused_in_words,
    schemes_and_addresses_that_are_off_are_refused,
    a_credential_that_cannot_be_used_is_refused_and_not_repeated,
    what_cannot_be_trusted_proxied_or_selected_is_refused,
);
