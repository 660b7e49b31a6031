//! Deliveries as a receiver gets them.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

use super::{
    super::{Selection, Sending, courier::signature},
    Known, committed,
};

/// One delivery as it came.
#[derive(Clone, Debug)]
struct Got {
    head: String,
    body: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        let found = self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        });
        found.unwrap_or_default()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// Takes everything in and answers with this status.
fn receiver(status: &'static str) -> (String, Arc<Mutex<Vec<Got>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let all: Arc<Mutex<Vec<Got>>> = Arc::default();
    let got = Arc::clone(&all);
    // It ends with the process.
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let mut one = Got { head, body: Vec::new() };
            one.body = vec![0; one.header("content-length").parse().unwrap_or(0)];
            if stream.read_exact(&mut one.body).is_ok() {
                got.lock().expect("nobody panicked").push(one);
            }
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        }
    });
    (url, all)
}

#[test]
fn a_body_is_signed_as_githubs_own_example_is() {
    let tag = signature("It's a Secret to Everybody", b"Hello, World!", aws_lc_rs::hmac::HMAC_SHA256);
    assert_eq!(tag, "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
}

#[tokio::test]
async fn what_happens_is_told_signed_and_logged() {
    let known = Known::start().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let work = folder.path().join("work");
    committed(&work, &["SHOP-1 begins"]);
    let (url, got) = receiver("202 Accepted");
    known.github.set_hook(known.app.id, Some(&url));
    let shop = known.github.add_repository("acme", "shop");
    known.github.serve_repository(shop, &work);
    committed(&work, &["SHOP-2 Grüße\n\nand more"]);
    known.github.push(shop, &work);
    known.github.open_pull(shop, "SHOP-2", "main", "main", "ada");
    known.github.rename_repository(shop, "store");
    known.github.choose(known.installation, Selection::Selected([].into()));
    known.github.suspend_by(known.installation, "boss");
    known.github.unsuspend(known.installation);
    known.github.uninstall(known.installation);
    known.github.deliveries_are_sent().await;
    let all = got.lock().expect("nobody panicked").clone();
    let told: Vec<String> = all
        .iter()
        .map(|one| format!("{}.{}", one.header("x-github-event"), one.json()["action"].as_str().unwrap_or("-")))
        .collect();
    let expected = [
        "ping.-",
        "repository.created",
        "installation_repositories.added",
        "push.-",
        "pull_request.opened",
        "repository.renamed",
        "installation_repositories.removed",
        "installation.suspend",
        "installation.unsuspend",
        "installation.deleted",
    ];
    assert_eq!(told, expected);
    for one in &all {
        let tag = signature(&known.app.webhook_secret, &one.body, aws_lc_rs::hmac::HMAC_SHA256);
        assert_eq!(one.header("x-hub-signature-256"), format!("sha256={tag}"));
        assert_eq!(one.header("x-github-hook-installation-target-id"), known.app.id.to_string());
        assert!(one.header("user-agent").starts_with("GitHub-Hookshot/"));
    }
    let push = all[3].json();
    assert_eq!(push["commits"][0]["message"], "SHOP-2 Grüße\n\nand more");
    assert_eq!(
        (&push["ref"], &push["forced"], &push["created"]),
        (&json!("refs/heads/main"), &json!(false), &json!(false))
    );
    assert_eq!(push["head_commit"]["id"], push["after"]);
    assert!(push["repository"]["pushed_at"].is_i64() && push["installation"]["id"] == known.installation);
    assert_eq!(known.github.deliveries(known.app.id).len(), expected.len());
}

#[tokio::test]
async fn what_was_not_taken_is_sent_again_only_when_that_is_asked_for() {
    let known = Known::start().await;
    known.github.set_sending(Sending { on: false, ..Sending::default() });
    let (url, got) = receiver("200 OK");
    known.github.set_hook(known.app.id, Some(&url));
    known.github.deliveries_are_sent().await;
    assert!(got.lock().expect("nobody panicked").is_empty());
    let (_, log) = known.ask("GET", "/app/hook/deliveries?status=failure", &known.usual(), None).await;
    assert_eq!(
        (log.as_array().map(Vec::len), &log[0]["event"], &log[0]["redelivery"]),
        (Some(1), &json!("ping"), &json!(false))
    );
    known.github.set_sending(Sending { copies: 2, ..Sending::default() });
    let path = format!("/app/hook/deliveries/{}/attempts", log[0]["id"]);
    assert_eq!(known.ask("POST", &path, &known.usual(), None).await.0, 202);
    known.github.deliveries_are_sent().await;
    let (_, log) = known.ask("GET", "/app/hook/deliveries", &known.usual(), None).await;
    assert_eq!(log[0]["guid"], log[1]["guid"]);
    assert_eq!((&log[0]["redelivery"], &log[0]["status"]), (&json!(true), &json!("OK")));
    assert_eq!(got.lock().expect("nobody panicked").len(), 1);
    known.github.suspend_by(known.installation, "boss");
    known.github.deliveries_are_sent().await;
    let all = got.lock().expect("nobody panicked").clone();
    assert_eq!(all.len(), 3, "twice, as it was told to");
    assert_eq!(all[1].header("x-github-delivery"), all[2].header("x-github-delivery"));
}
