//! TLS, names, addresses and proxies: who is connected to, and what is said of who is not.

use std::{net::TcpListener, sync::Arc, time::Duration};

use keytrail_domain::{index_run::FailureCode, proxy_url::ProxyUrl};
use keytrail_test_support::web_server::{Door, ForwardProxy, Scripted, Shown, WebServer};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{AddressPolicy, Remote, Stage, Trust, list, refusal, remote};
use crate::git::remote::{HttpCredential, Proxy};

fn pin(server: &WebServer, shown: Shown) -> Trust {
    Trust::Pinned { spki_sha256: Sha256::digest(server.public_key_der(shown)).into() }
}

fn trusting(url: &str, trust: Trust) -> Remote {
    Remote { trust, ..remote(url) }
}

#[tokio::test]
async fn a_given_authority_is_trusted_and_no_other_is() {
    let stage = Stage::new();
    let (url, authority) = (stage.server.tls_url("demo.git"), Trust::Authority { pem: stage.server.ca_pem() });
    let listed = list(&trusting(&url, authority.clone())).await.expect("refs");
    assert_eq!(listed.refs, list(&remote(&stage.server.url("demo.git"))).await.expect("refs").refs);
    let other = Trust::Authority { pem: stage.server.other_ca_pem() };
    for trust in [Trust::WebPki, other] {
        assert_eq!(refusal(&trusting(&url, trust)).await, FailureCode::TlsUntrusted);
    }
    let both = Trust::Authority { pem: format!("{}{}", stage.server.other_ca_pem(), stage.server.ca_pem()).into() };
    assert!(list(&trusting(&url, both)).await.is_ok());
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let trust = Trust::Authority { pem: pem.into() };
        assert_eq!(refusal(&trusting(&url, trust)).await, FailureCode::TlsFailed, "{pem}");
    }
    for (shown, code) in [(Shown::Expired, FailureCode::TlsExpired), (Shown::WrongName, FailureCode::TlsWrongHost)] {
        let url = stage.server.tls_url_at(shown, Door::Open, "demo.git");
        assert_eq!(refusal(&trusting(&url, authority.clone())).await, code);
    }
}

#[tokio::test]
async fn a_pinned_key_is_accepted_whoever_signed_it_and_no_other_key_is() {
    let stage = Stage::new();
    for shown in [Shown::Good, Shown::Expired, Shown::WrongName] {
        let url = stage.server.tls_url_at(shown, Door::Open, "demo.git");
        assert!(list(&trusting(&url, pin(&stage.server, shown))).await.is_ok(), "{shown:?}");
    }
    let url = stage.server.tls_url("demo.git");
    let other = trusting(&url, pin(&stage.server, Shown::WrongName));
    assert_eq!(refusal(&other).await, FailureCode::TlsPinMismatch);
    assert!(!list(&other).await.expect_err("another key").is_transient());
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_one_that_is_not_trusted() {
    let stage = Stage::new();
    let url = stage.server.url("demo.git").replacen("http://", "https://", 1);
    assert_eq!(refusal(&remote(&url)).await, FailureCode::TlsFailed);
    // And the other way round: nginx says 400 to plain HTTP at a port for TLS.
    let url = stage.server.tls_url("demo.git").replacen("https://", "http://", 1);
    assert_eq!(refusal(&remote(&url)).await, FailureCode::RemoteError);
}

#[tokio::test]
async fn nobody_there_is_told_from_nobody_known() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/a", free.local_addr().expect("an address"));
    drop(free);
    assert_eq!(refusal(&remote(&url)).await, FailureCode::ConnectionRefused);
    assert!(list(&remote(&url)).await.expect_err("nobody").is_transient());
    assert_eq!(refusal(&remote("https://no-such-host.invalid/a")).await, FailureCode::HostUnknown);
}

#[tokio::test]
async fn what_the_policy_denies_is_not_even_connected_to() {
    let server = Scripted::answering("200 OK", "text/plain", b"");
    let open = Arc::new(AddressPolicy { allow_http: true, ..AddressPolicy::default() });
    let denied = |url: &str| Remote { addresses: open.clone(), ..remote(url) };
    let port = server.address().port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]"] {
        assert_eq!(refusal(&denied(&format!("http://{host}:{port}/a"))).await, FailureCode::AddressDenied, "{host}");
    }
    let closed = Remote { addresses: Arc::default(), ..remote(&server.url("a")) };
    assert_eq!(refusal(&closed).await, FailureCode::UrlNotAllowed);
    assert_eq!(refusal(&remote("git@host:a")).await, FailureCode::SshNoKey);
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_name_is_connected_to_by_its_checked_address() {
    let stage = Stage::new();
    let url = stage.server.tls_url("demo.git").replacen("127.0.0.1", "localhost", 1);
    let trust = Trust::Authority { pem: stage.server.ca_pem() };
    let listed = list(&trusting(&url, trust)).await.expect("refs");
    assert_eq!(listed.final_url.to_string(), url);
}

#[tokio::test]
async fn a_proxy_is_checked_asked_for_a_tunnel_and_named_when_it_refuses() {
    let by = |proxy: &str, url: &str| {
        let (url_of_proxy, _) = ProxyUrl::parse(proxy).expect("a proxy");
        Remote { proxy: Some(Proxy { url: url_of_proxy, credential: None }), ..remote(url) }
    };
    let refusing = Scripted::answering("403 Forbidden", "text/plain", b"");
    let proxy = format!("http://{}", refusing.address());
    // The name is the proxy's to look up: here it cannot be.
    let error = list(&by(&proxy, "https://no-such-host.invalid/a")).await.expect_err("a refusal");
    assert_eq!(error.failure_code(), Some(FailureCode::ProxyFailed), "{error}");
    let asked = refusing.asked();
    assert!(asked[0].starts_with("CONNECT no-such-host.invalid:443 HTTP/1.1\r\n"), "{asked:?}");
    // An address is not, and is checked by us.
    let metadata = by(&proxy, "https://169.254.169.254/a");
    assert_eq!(refusal(&metadata).await, FailureCode::AddressDenied);
    let mut closed = by(&proxy, "https://no-such-host.invalid/a");
    closed.addresses = Arc::default();
    let error = list(&closed).await.expect_err("a refusal");
    assert_eq!(error.failure_code(), Some(FailureCode::AddressDenied), "the proxy lies on this machine: {error}");
    assert_eq!(refusing.asked().len(), 1);
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nobody = format!("http://{}", free.local_addr().expect("an address"));
    drop(free);
    let error = list(&by(&nobody, "https://no-such-host.invalid/a")).await.expect_err("nobody");
    assert_eq!(error.failure_code(), Some(FailureCode::ProxyFailed));
}

#[tokio::test]
async fn a_proxy_lets_both_schemes_through_for_its_own_user_only() {
    let stage = Stage::new();
    let proxy = ForwardProxy::start();
    let by = |url: &str, password: &str| {
        let credential = HttpCredential::new(ForwardProxy::USER.to_owned(), Zeroizing::new(password.to_owned()));
        let (url_of_proxy, _) = ProxyUrl::parse(&proxy.url()).expect("a proxy");
        let trust = Trust::Authority { pem: stage.server.ca_pem() };
        Remote { proxy: Some(Proxy { url: url_of_proxy, credential: Some(credential) }), ..trusting(url, trust) }
    };
    for url in [stage.server.url("demo.git"), stage.server.tls_url("demo.git")] {
        let listed = list(&by(&url, ForwardProxy::PASSWORD)).await.expect("refs");
        assert_eq!(listed.refs, list(&remote(&stage.server.url("demo.git"))).await.expect("refs").refs);
        let mut unknown = by(&url, ForwardProxy::PASSWORD);
        unknown.proxy.as_mut().expect("a proxy").credential = None;
        assert_eq!(refusal(&unknown).await, FailureCode::ProxyFailed, "{url}");
    }
    let wrong = by(&stage.server.tls_url("demo.git"), "wrong");
    assert_eq!(refusal(&wrong).await, FailureCode::ProxyFailed);
    // What is wrong behind the tunnel is told as without one.
    let expired = stage.server.tls_url_at(Shown::Expired, Door::Open, "demo.git");
    assert_eq!(refusal(&by(&expired, ForwardProxy::PASSWORD)).await, FailureCode::TlsExpired);
    let private = stage.server.tls_url_at(Shown::Good, Door::Private, "demo.git");
    assert_eq!(refusal(&by(&private, ForwardProxy::PASSWORD)).await, FailureCode::Unauthorized);
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nobody = format!("https://{}/a", free.local_addr().expect("an address"));
    drop(free);
    assert_eq!(refusal(&by(&nobody, ForwardProxy::PASSWORD)).await, FailureCode::ProxyFailed);
}

#[tokio::test]
async fn a_slow_handshake_is_silence() {
    // It accepts and never says a word of TLS.
    let mute = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("https://{}/a", mute.local_addr().expect("an address"));
    let mut remote = remote(&url);
    remote.limits.connect = Duration::from_millis(300);
    assert_eq!(refusal(&remote).await, FailureCode::RemoteSilent);
}
