//! To whom a credential goes, and that it is shown nowhere.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keytrail_domain::{index_run::FailureCode, proxy_url::ProxyUrl};
use keytrail_test_support::web_server::{Door, Scripted, WebServer};
use zeroize::Zeroizing;

use super::{Remote, Stage, list, refusal, remote};
use crate::git::remote::{HttpCredential, Proxy};

fn credential(password: &str) -> Option<HttpCredential> {
    Some(HttpCredential::new(WebServer::USER.to_owned(), Zeroizing::new(password.to_owned())))
}

fn known(url: &str, password: &str) -> Remote {
    Remote { credential: credential(password), ..remote(url) }
}

#[tokio::test]
async fn the_right_password_opens_and_a_wrong_one_does_not() {
    let stage = Stage::new();
    let url = stage.server.url_at(Door::Private, "demo.git");
    let listed = list(&known(&url, WebServer::PASSWORD)).await.expect("refs");
    assert_eq!(listed.refs, list(&remote(&stage.server.url("demo.git"))).await.expect("refs").refs);
    assert_eq!(refusal(&known(&url, "wrong")).await, FailureCode::Unauthorized);
    assert_eq!(refusal(&remote(&url)).await, FailureCode::Unauthorized);
}

#[tokio::test]
async fn a_credential_goes_to_its_own_origin_only() {
    let elsewhere = Scripted::answering("200 OK", "text/html", b"");
    let to = format!("Location: {}/info/refs?service=git-upload-pack", elsewhere.url("a"));
    let answer = format!("HTTP/1.1 302 Found\r\n{to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let here = Scripted::start(answer.as_bytes(), keytrail_test_support::web_server::Ending::Closes);
    assert_eq!(refusal(&known(&here.url("a"), WebServer::PASSWORD)).await, FailureCode::RedirectedAway);
    let plain = format!("{}:{}", WebServer::USER, WebServer::PASSWORD);
    let sent = format!("authorization: Basic {}\r\n", STANDARD.encode(plain));
    assert!(here.asked()[0].contains(&sent), "{:?}", here.asked());
    assert_eq!(elsewhere.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_proxy_gets_its_own_credential_and_not_that_of_the_remote() {
    let proxy = Scripted::answering("407 Proxy Authentication Required", "text/plain", b"");
    let (url, _) = ProxyUrl::parse(&format!("http://{}", proxy.address())).expect("a proxy");
    let own = HttpCredential::new("porter".to_owned(), Zeroizing::new("door".to_owned()));
    let remote = Remote {
        proxy: Some(Proxy { url, credential: Some(own) }),
        ..known("https://no-such-host.invalid/a", WebServer::PASSWORD)
    };
    assert_eq!(refusal(&remote).await, FailureCode::ProxyFailed);
    let asked = proxy.asked().join("").to_lowercase();
    let sent = format!("proxy-authorization: basic {}\r\n", STANDARD.encode("porter:door").to_lowercase());
    assert!(asked.contains(&sent) && !asked.contains("\nauthorization:"), "{asked}");
}

#[test]
fn neither_a_credential_nor_a_remote_with_one_can_be_printed() {
    let remote = known("https://host/a", "p@ss w0rd");
    let text = format!("{remote:?} {:?}", remote.credential);
    assert!(!text.contains("p@ss") && !text.contains("alice"), "{text}");
}
