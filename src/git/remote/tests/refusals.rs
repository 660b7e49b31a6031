//! What servers refuse, break off, drag out and make up, each with its word.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use keytrail_domain::index_run::FailureCode;
use keytrail_test_support::{
    repositories::Repository,
    web_server::{Door, Ending, Fault, Relay, Scripted},
};

use super::{Limits, Remote, Stage, impatient, list, refusal, remote};

#[tokio::test]
async fn what_a_real_server_refuses_has_a_word_of_its_own() {
    let stage = Stage::new();
    for (door, code, again) in [
        (Door::Private, FailureCode::Unauthorized, false),
        (Door::Forbidden, FailureCode::Forbidden, false),
        (Door::RateLimited, FailureCode::RateLimited, true),
        (Door::Failing, FailureCode::RemoteError, true),
        (Door::Unavailable, FailureCode::RemoteError, true),
        (Door::SignIn, FailureCode::NotGit, false),
        (Door::Dumb, FailureCode::DumbServer, false),
        (Door::Loop, FailureCode::RedirectedAway, false),
        (Door::Away, FailureCode::RedirectedAway, false),
    ] {
        let remote = remote(&stage.server.url_at(door, "demo.git"));
        assert_eq!(refusal(&remote).await, code, "{door:?}");
        assert_eq!(list(&remote).await.expect_err("a refusal").is_transient(), again, "{door:?}");
    }
    assert_eq!(refusal(&remote(&stage.server.url("none.git"))).await, FailureCode::RemoteNotFound);
    let limited = list(&remote(&stage.server.url_at(Door::RateLimited, "demo.git"))).await.expect_err("a refusal");
    assert!(limited.to_string().contains("for 7 seconds"), "{limited}");
}

#[tokio::test]
async fn a_redirect_within_the_origin_is_followed_and_tells_where_the_repository_is_now() {
    let stage = Stage::new();
    let listed = list(&remote(&stage.server.url_at(Door::Moved, "demo.git"))).await.expect("refs");
    assert_eq!(listed.final_url.to_string(), stage.server.url("demo.git"));
    assert_eq!(listed.refs, list(&remote(&stage.server.url("demo.git"))).await.expect("refs").refs);
}

#[tokio::test]
async fn what_only_a_part_comes_of_is_no_list() {
    let stage = Stage::new();
    let url = stage.server.url_at(Door::Old, "demo.git");
    let whole = Relay::start(stage.server.address(), Fault::None);
    let listed = list(&remote(&whole.url(&url))).await.expect("refs");
    let bytes = whole.answered();
    assert!(listed.bytes < bytes && bytes > 1000);
    // In the head, in the middle, one byte before the end.
    for after in [10, bytes / 2, bytes - 1] {
        let relay = Relay::start(stage.server.address(), Fault::Dies(after));
        assert_eq!(refusal(&remote(&relay.url(&url))).await, FailureCode::ConnectionLost, "{after}");
        let relay = Relay::start(stage.server.address(), Fault::Stalls(after));
        assert_eq!(refusal(&impatient(&relay.url(&url))).await, FailureCode::RemoteSilent, "{after}");
    }
    let relay = Relay::start(stage.server.address(), Fault::Spoils(bytes / 2));
    let spoilt = refusal(&remote(&relay.url(&url))).await;
    assert!([FailureCode::Protocol, FailureCode::ConnectionLost].contains(&spoilt), "{spoilt:?}");
}

/// How many bytes the server answers with to the first question of a listing, head and body.
fn first_answer(stage: &Stage, name: &str) -> u64 {
    let mut stream = TcpStream::connect(stage.server.address()).expect("a connection");
    let path = format!("/open/{name}/info/refs?service=git-upload-pack");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: host\r\nGit-Protocol: version=2\r\n\r\n").expect("a question");
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n0\r\n\r\n") {
        stream.read_exact(&mut byte).expect("an answer in chunks");
        answer.push(byte[0]);
    }
    answer.len() as u64
}

#[tokio::test]
async fn a_connection_that_ends_between_two_questions_is_made_again() {
    let stage = Stage::new();
    Repository::init(&stage.path("empty.git"), &["--bare"]).expect("a repository");
    // Each connection lives for as many bytes as the first answer has; the second is shorter.
    let relay = Relay::start(stage.server.address(), Fault::Dies(first_answer(&stage, "empty.git")));
    let listed = list(&remote(&relay.url(&stage.server.url("empty.git")))).await.expect("no refs, but a list");
    assert_eq!(listed.head.as_deref(), Some(&b"refs/heads/main"[..]));
    let relay = Relay::start(stage.server.address(), Fault::Dies(first_answer(&stage, "demo.git")));
    let url = relay.url(&stage.server.url("demo.git"));
    assert_eq!(refusal(&remote(&url)).await, FailureCode::ConnectionLost, "here the second is longer");
}

#[tokio::test]
async fn who_accepts_and_says_nothing_or_next_to_nothing_is_silent() {
    let mute = Scripted::start(b"", Ending::Stays);
    assert_eq!(refusal(&impatient(&mute.url("a"))).await, FailureCode::RemoteSilent);
    let stage = Stage::new();
    // A byte comes before the patience ends, again and again: that is no progress. In the head and in the body of the
    // first answer, and in the body of the second.
    let second = first_answer(&stage, "demo.git") + 600;
    for (door, after) in [(Door::Old, 20), (Door::Old, 600), (Door::Open, second)] {
        let relay = Relay::start(stage.server.address(), Fault::Trickles(after));
        let mut remote = impatient(&relay.url(&stage.server.url_at(door, "demo.git")));
        // Longer than the frames between two parts of a body take to trickle in.
        remote.limits.silence = Duration::from_secs(1);
        assert_eq!(refusal(&remote).await, FailureCode::RemoteSilent, "{door:?} {after}");
    }
}

#[tokio::test]
async fn an_answer_over_the_bound_is_cut_off() {
    let stage = Stage::new();
    let url = stage.server.url_at(Door::Old, "demo.git");
    let all = list(&remote(&url)).await.expect("refs").bytes;
    let bounded = |answer_bytes| Remote { limits: Limits { answer_bytes, ..Limits::default() }, ..remote(&url) };
    assert!(list(&bounded(all)).await.is_ok());
    assert_eq!(refusal(&bounded(all - 1)).await, FailureCode::AnswerTooLarge);
    // A page without an end, of another type.
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n";
    let endless = Scripted::start(&[&head[..], &[b'x'; 100_000]].concat(), Ending::Stays);
    assert_eq!(refusal(&remote(&endless.url("a"))).await, FailureCode::NotGit);
}

#[tokio::test]
async fn answers_that_are_not_git_are_told_from_git_that_is_broken() {
    const GIT: &str = "application/x-git-upload-pack-advertisement";
    let line = |text: &str| format!("{:04x}{text}", text.len() + 4);
    let sha = "1".repeat(40);
    let start = format!("{}0000", line("# service=git-upload-pack\n"));
    let main = line(&format!("{sha} refs/heads/main\0symref=HEAD:refs/heads/main\n"));
    for (content_type, body, code) in [
        ("text/html", "<h1>Sign in</h1>".to_owned(), FailureCode::NotGit),
        ("text/plain", String::new(), FailureCode::NotGit),
        ("text/plain", format!("{sha}\trefs/heads/main\n"), FailureCode::DumbServer),
        (GIT, String::new(), FailureCode::Protocol),
        (GIT, "zzzz".to_owned(), FailureCode::Protocol),
        (GIT, "0003".to_owned(), FailureCode::Protocol),
        (GIT, "fff1".to_owned(), FailureCode::Protocol),
        (GIT, "0001".to_owned(), FailureCode::Protocol),
        (GIT, start.clone(), FailureCode::Protocol),
        (GIT, format!("{start}{main}"), FailureCode::Protocol),
        (GIT, format!("{start}{main}00"), FailureCode::Protocol),
        (GIT, format!("{start}{main}0000{main}"), FailureCode::Protocol),
        (GIT, format!("{start}{}0000", line("nonsense")), FailureCode::Protocol),
        (GIT, format!("{start}{}0000", line(&format!("{} refs/heads/x\n", "x".repeat(40)))), FailureCode::Protocol),
        (GIT, format!("{start}{main}{}0000", line(&format!("{sha} refs/heads/main"))), FailureCode::Protocol),
        (GIT, format!("{}0000", line("ERR go away, alice")), FailureCode::Protocol),
        (
            GIT,
            format!("{start}{}0000", line(&format!("{} refs/heads/main", "1".repeat(64)))),
            FailureCode::Sha256Unsupported,
        ),
    ] {
        let server = Scripted::answering("200 OK", content_type, body.as_bytes());
        assert_eq!(refusal(&remote(&server.url("a"))).await, code, "{body:?}");
    }
    let good = Scripted::answering("200 OK", GIT, format!("{start}{main}0000").as_bytes());
    assert_eq!(list(&remote(&good.url("a"))).await.expect("a ref").refs.len(), 1);
    let other = Scripted::start(b"SSH-2.0-OpenSSH_9.2\r\n", Ending::Closes);
    assert_eq!(refusal(&remote(&other.url("a"))).await, FailureCode::NotGit);
}

#[tokio::test]
async fn hostile_names_are_left_out_and_never_reach_a_caller() {
    const GIT: &str = "application/x-git-upload-pack-advertisement";
    let sha = "1".repeat(40);
    let mut body = "001e# service=git-upload-pack\n0000".to_owned();
    for name in
        ["refs/heads/good", "refs/heads/a\nrefs/heads/b", "refs/heads/../../x", "--upload-pack=x", "refs/heads/a:b"]
    {
        let line = format!("{sha} {name}\n");
        body += &format!("{:04x}{line}", line.len() + 4);
    }
    let server = Scripted::answering("200 OK", GIT, format!("{body}0000").as_bytes());
    let listed = list(&remote(&server.url("a"))).await.expect("refs");
    let names: Vec<_> = listed.refs.iter().map(|one| one.name.as_slice()).collect();
    assert_eq!(names, [b"refs/heads/good"]);
}

#[tokio::test]
async fn a_post_that_redirects_is_refused() {
    // Protocol 2 goes on with a POST; this server answers both alike.
    let body = b"000eversion 2\n000cls-refs\n0000";
    let server = Scripted::answering("200 OK", "application/x-git-upload-pack-advertisement", body);
    assert_eq!(refusal(&remote(&server.url("a"))).await, FailureCode::NotGit);
    let asked = server.asked();
    assert!(asked[0].starts_with("GET /a/info/refs?service=git-upload-pack HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[0].contains("git-protocol: version=2\r\n") && asked[0].contains("user-agent: git/"), "{}", asked[0]);
    assert!(asked[1].starts_with("POST /a/git-upload-pack HTTP/1.1\r\n"), "{}", asked[1]);
}

#[tokio::test]
async fn dropping_the_listing_ends_its_connection() {
    let mute = Scripted::start(b"HTTP/1.1 200 OK\r\n", Ending::Stays);
    let patient = remote(&mute.url("a"));
    let stopped = tokio::time::timeout(Duration::from_millis(200), list(&patient)).await;
    assert!(stopped.is_err(), "it still waited");
}
