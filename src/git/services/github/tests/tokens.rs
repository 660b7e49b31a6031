//! Tokens of installations: how often one is asked for, how long it is kept, where it goes.

use std::sync::Arc;

use keytrail_domain::timestamp::Timestamp;
use keytrail_test_support::{
    fake_github::{Limit, Silence, TokenShape},
    web_server::{Ending, Scripted},
};

use super::{
    super::{InstallationToken, Tokens, Use},
    Installed, NOW, reached, refused,
};

impl Installed {
    async fn token(&self, tokens: &Tokens, now: Timestamp) -> InstallationToken {
        let (access, key) = (self.access().await, self.key());
        let token =
            tokens.token(&access, &key.fingerprint, &self.fake.name(), self.installation, Use::Short, now).await;
        token.expect("a token")
    }
}

const fn later(seconds: i64) -> Timestamp {
    NOW.plus_micros(seconds * 1_000_000)
}

#[tokio::test]
async fn a_hundred_callers_at_once_make_one_request() {
    let github = Installed::start().await;
    let (tokens, access, key) = (Tokens::default(), github.access().await, github.key());
    let name = github.fake.name();
    let all = (0..100).map(|_| tokens.token(&access, &key.fingerprint, &name, github.installation, Use::Short, NOW));
    let all = futures::future::join_all(all).await;
    let first = all[0].as_ref().expect("a token").expose().to_string();
    assert!(all.iter().all(|token| token.as_ref().is_ok_and(|token| **token.expose() == first)));
    assert_eq!(github.fake.mints(), 1);
}

#[tokio::test]
async fn a_token_is_kept_until_a_minute_before_it_is_over() {
    let github = Installed::start().await;
    let tokens = Tokens::default();
    let first = github.token(&tokens, NOW).await;
    // The GitHub's clock goes on while it answers.
    assert_eq!(github.token(&tokens, later(3_600 - 65)).await.expose(), first.expose());
    assert_eq!(github.fake.mints(), 1);
    let second = github.token(&tokens, later(3_600 - 55)).await;
    assert_ne!(second.expose(), first.expose());
    assert_eq!(github.fake.mints(), 2);
    // One that is over at once is used once.
    github.fake.set_token_shape(TokenShape { seconds: 50, characters: 40 });
    let tokens = Tokens::default();
    github.token(&tokens, NOW).await;
    github.token(&tokens, NOW).await;
    assert_eq!(github.fake.mints(), 4);
}

#[tokio::test]
async fn a_token_ends_by_our_clock_whatever_githubs_says() {
    for ahead in [-300, 300, 7_200] {
        let github = Installed::start().await;
        github.fake.set_clock(NOW.seconds() + ahead);
        let token = github.token(&Tokens::default(), NOW).await;
        let left = token.expires_at().seconds() - NOW.seconds();
        assert!((3_590..=3_600).contains(&left), "{ahead}: {left}");
    }
}

#[tokio::test]
async fn a_token_that_is_forgotten_is_asked_for_anew_and_can_be_taken_back() {
    let github = Installed::start().await;
    let tokens = Tokens::default();
    let first = github.token(&tokens, NOW).await;
    assert!(tokens.take(&github.fake.name(), github.installation + 1).await.is_none(), "another installation");
    let forgotten = tokens.take(&github.fake.name(), github.installation).await.expect("a token");
    assert_eq!(forgotten.expose(), first.expose());
    assert!(tokens.take(&github.fake.name(), github.installation).await.is_none());
    let connection = reached(&github.fake.url()).await;
    connection.revoke(&forgotten, NOW).await.expect("it is taken back");
    assert_eq!(refused(connection.repositories(&forgotten, None, None, NOW).await), "token_rejected");
    connection.revoke(&forgotten, NOW).await.expect("taken back already is taken back");
    github.token(&tokens, NOW).await;
    assert_eq!(github.fake.mints(), 2);
}

#[tokio::test]
async fn a_token_that_is_forgotten_while_it_is_made_is_given_to_nobody_else() {
    let github = Installed::start().await;
    let (tokens, access, key) = (Tokens::default(), github.access().await, github.key());
    let name = github.fake.name();
    let ask = || tokens.token(&access, &key.fingerprint, &name, github.installation, Use::Short, NOW);
    github.fake.set_silence(Some(Silence::Trickles));
    let (mut first, mut second) = (Box::pin(ask()), Box::pin(ask()));
    assert!(futures::poll!(first.as_mut()).is_pending(), "it asks");
    assert!(futures::poll!(second.as_mut()).is_pending(), "it waits for that");
    // Whoever forgets it waits for nobody, however long GitHub takes.
    tokens.forget(&name, github.installation);
    let mut third = Box::pin(ask());
    assert!(futures::poll!(third.as_mut()).is_pending(), "it asks for one of its own");
    github.fake.set_silence(None);
    let (first, second, third) = tokio::join!(first, second, third);
    let [first, second, third] = [first, second, third].map(|token| token.expect("a token"));
    assert!(!second.is(&first) && second.is(&third));
    assert_eq!(github.fake.mints(), 2);
    // Who wants to take it back does wait, for it would be good otherwise.
    github.fake.set_silence(Some(Silence::Trickles));
    let tokens = Tokens::default();
    let mut making = Box::pin(tokens.token(&access, &key.fingerprint, &name, github.installation, Use::Short, NOW));
    assert!(futures::poll!(making.as_mut()).is_pending());
    let mut taking = Box::pin(tokens.take(&name, github.installation));
    assert!(futures::poll!(taking.as_mut()).is_pending());
    github.fake.set_silence(None);
    let (made, taken) = tokio::join!(making, taking);
    assert!(taken.expect("a token").is(&made.expect("a token")));
}

#[tokio::test]
async fn a_token_that_is_refused_goes_and_a_newer_one_stays() {
    let github = Installed::start().await;
    let tokens = Tokens::default();
    let (key, host) = (github.key().fingerprint, github.fake.name());
    let first = github.token(&tokens, NOW).await;
    tokens.drop_refused(&key, &host, github.installation, &first).await;
    let second = github.token(&tokens, NOW).await;
    assert_ne!(second.expose(), first.expose());
    tokens.drop_refused(&key, &host, github.installation, &first).await;
    assert_eq!(github.token(&tokens, NOW).await.expose(), second.expose());
    assert_eq!(github.fake.mints(), 2);
}

#[tokio::test]
async fn another_key_has_another_token() {
    let github = Installed::start().await;
    let tokens = Tokens::default();
    github.token(&tokens, NOW).await;
    let other = github.fake.add_key(github.app.id);
    let (access, key) = (github.access_by(&other.pkcs8).await, super::AppKey::read(&other.pkcs8).expect("a key"));
    let name = github.fake.name();
    tokens.token(&access, &key.fingerprint, &name, github.installation, Use::Short, NOW).await.expect("a token");
    assert_eq!(github.fake.mints(), 2);
}

#[tokio::test]
async fn tokens_of_any_length_are_taken() {
    for characters in [40, 520, 700, 1_000] {
        let github = Installed::start().await;
        github.fake.set_token_shape(TokenShape { seconds: 3_600, characters });
        github.fake.add_repository("acme", "shop");
        let token = github.token(&Tokens::default(), NOW).await;
        assert_eq!(token.expose().len(), characters);
        let (page, budget) =
            github.access().await.github().repositories(&token, None, None, NOW).await.expect("a page");
        let page = page.expect("documents");
        assert_eq!((page.documents.len(), page.total, page.next), (1, Some(1), None));
        assert_eq!(budget.map(|budget| (budget.limit, budget.remaining)), Some((5_000, 4_999)));
    }
}

#[tokio::test]
async fn all_pages_are_read_and_one_that_fails_is_no_end() {
    let github = Installed::start().await;
    for number in 0..250 {
        github.fake.add_repository("acme", &format!("repository-{number}"));
    }
    let (token, access) = (github.token(&Tokens::default(), NOW).await, github.access().await);
    let mut names = Vec::new();
    let mut next: Option<String> = None;
    github.fake.fail_next_at("page=2", 502, 1);
    loop {
        match access.github().repositories(&token, next.as_deref(), None, NOW).await {
            Ok((page, _)) => {
                let page = page.expect("documents");
                names.extend(page.documents.iter().map(|one| one["name"].as_str().unwrap_or_default().to_owned()));
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
            Err(error) => assert_eq!(error.trouble.code(), "github_troubled"),
        }
    }
    assert_eq!(names.len(), 250);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 250);
    let asked = github.fake.requests().iter().filter(|one| one.path.contains("/installation/repositories")).count();
    assert_eq!(asked, 4, "three pages, one of them twice");
}

#[tokio::test]
async fn a_token_follows_no_link_to_another_origin() {
    let other = Scripted::answering("200 OK", "application/json", b"{\"total_count\":0,\"repositories\":[]}");
    let body = b"{\"total_count\":2,\"repositories\":[]}";
    let link = format!("<http://{}/api/v3/installation/repositories?page=2>; rel=\"next\"", other.address());
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLink: {link}\r\nContent-Length: {}\r\n\r\n{}",
        body.len(),
        String::from_utf8_lossy(body)
    );
    let server = Scripted::start(answer.as_bytes(), Ending::Closes);
    let github = reached(&format!("http://{}", server.address())).await;
    let token = InstallationToken::new("ghs_secret".to_owned().into(), NOW, later(3_600));
    let (page, _) = github.repositories(&token, None, None, NOW).await.expect("a page");
    let next = page.expect("documents").next.expect("a link");
    assert_eq!(refused(github.repositories(&token, Some(&next), None, NOW).await), "not_github");
    assert!(other.asked().is_empty(), "nothing went there");
    // Neither does it go where a redirection leads.
    let answer = format!("HTTP/1.1 302 Found\r\nLocation: http://{}/x\r\nContent-Length: 0\r\n\r\n", other.address());
    let server = Scripted::start(answer.as_bytes(), Ending::Closes);
    let github = reached(&format!("http://{}", server.address())).await;
    assert_eq!(refused(github.repositories(&token, None, None, NOW).await), "not_github");
    assert!(other.asked().is_empty(), "nothing went there");
}

#[tokio::test]
async fn one_installation_that_is_limited_leaves_the_others_alone() {
    let github = Installed::start().await;
    let other = github.fake.register_app("other", "Keytrail other");
    let elsewhere = github.fake.install(other.id, "other", keytrail_test_support::fake_github::Selection::All);
    let token = github.token(&Tokens::default(), NOW).await;
    github.fake.limit(github.installation, Limit::Primary { reset_in: 600 }, 403);
    let connection = reached(&github.fake.url()).await;
    assert_eq!(refused(connection.repositories(&token, None, None, NOW).await), "rate_limited");
    let host = keytrail_domain::github::GithubHost::parse(&github.fake.url()).expect("a host");
    let access = super::AppAccess::new(connection, host, other.id, &other.key.pkcs1, Arc::new(|| NOW)).expect("a key");
    let token = access.mint(elsewhere).await.expect("a token");
    access.github().repositories(&token, None, None, NOW).await.expect("a page");
}
