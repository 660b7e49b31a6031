//! Names, proxies and pinned keys: how a server is reached, and that it is the right one.

use std::{fs, os::unix::fs::PermissionsExt as _};

use keytrail_domain::proxy_url::ProxyUrl;
use keytrail_test_support::web_server::{Door, ForwardProxy, Shown};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{
    stage::{git_program, remote},
    *,
};
use crate::git::remote::{HttpCredential, Proxy, Trust};

fn small() -> Shape {
    Shape { commits: 10, ..Shape::default() }
}

#[tokio::test]
async fn a_server_is_reached_by_its_name_at_the_address_that_was_checked() {
    for way in WAYS {
        let mut stage = Stage::new(Server::Web(Door::Open), &small());
        let url = stage.web().url("made.git").replace("127.0.0.1", "localhost");
        stage.from(remote(&url));
        stage.fetch(way).await.unwrap_or_else(|error| panic!("{way:?}: {error}"));
        assert_eq!(stage.in_the_mirror(), stage.on_the_server());
    }
}

#[tokio::test]
async fn a_proxy_lets_its_user_through_and_its_credential_is_in_no_sentence() {
    for (way, server) in WAYS.into_iter().flat_map(|way| [Server::Web(Door::Open), Server::Tls].map(|of| (way, of))) {
        let mut stage = Stage::new(server, &small());
        let running = ForwardProxy::start();
        let through = |password: &str| {
            let url = ProxyUrl::parse(&running.url()).expect("a URL").0;
            let password = Zeroizing::new(password.to_owned());
            let credential = Some(HttpCredential::new(ForwardProxy::USER.to_owned(), password));
            Remote { proxy: Some(Proxy { url, credential }), ..stage.remote().clone() }
        };
        let (right, wrong) = (through(ForwardProxy::PASSWORD), through("wrong-secret"));
        stage.from(wrong);
        let error = stage.fetch(way).await.expect_err("a wrong password");
        // Of a wrong password for a request without a tunnel, this proxy says 401 as if it were the server.
        let tunnel = server == Server::Tls;
        let expected = if tunnel { FailureCode::ProxyFailed } else { FailureCode::Unauthorized };
        assert_eq!(error.failure_code(), Some(expected), "{way:?} {server:?}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("wrong-secret"));
        stage.from(right);
        stage.fetch(way).await.unwrap_or_else(|error| panic!("{way:?} {server:?}: {error}"));
        assert_eq!(stage.in_the_mirror(), stage.on_the_server());
    }
}

/// A git whose TLS library does not know pinned keys, as git would hide it.
#[tokio::test]
async fn a_program_that_does_not_compare_keys_is_never_sent_to_a_pinned_server() {
    let mut stage = Stage::new(Server::Tls, &small());
    let real = git_program().await;
    let path = stage.mirror.path().with_file_name("careless-git");
    let script = format!(
        "#!/bin/sh\n\
         i=0\n\
         while [ $i -lt $GIT_CONFIG_COUNT ]; do\n\
           eval key=\\$GIT_CONFIG_KEY_$i\n\
           [ \"$key\" = http.pinnedPubkey ] && export GIT_CONFIG_KEY_$i=keytrail.ignored\n\
           i=$((i+1))\n\
         done\n\
         exec {} \"$@\"\n",
        real.path.display()
    );
    fs::write(&path, script).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a file of ours");
    let careless = GitProgram { path, ..real };
    let trust = Trust::Pinned { spki_sha256: Sha256::digest(stage.web().public_key_der(Shown::Good)).into() };
    stage.from(Remote { trust, ..stage.remote().clone() });
    let error = stage.fetch_by(Some(&careless), &stage.refs()).await.expect_err("nothing would be checked");
    assert!(matches!(error, GitError::Fetch(FetchError::CannotPin)), "{error:?}");
    stage.fetch(Way::Program).await.expect("the real one compares");
}
