//! Tokens and the keys that sign them are nowhere to be found: in no log line, no file, no answer, no figure, no stream,
//! wherever a caller put them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::StreamExt;
use keytrail_test_support::{
    issuer::{Signer, base64url},
    server::{Home, Options},
};
use reqwest::Method;
use serde_json::json;

use crate::{
    all_reads::{Reader, every_print},
    command_line::{done, text},
    host_key_commands::knows_a_server,
    repository,
};

/// In every form in which it could have been written down.
fn forms(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![secret.to_owned(), hex.to_uppercase(), hex, STANDARD.encode(secret), base64url(secret)]
}

fn is_clean(what: &str, bytes: &[u8], secrets: &[(&str, &str)]) {
    for (name, secret) in secrets {
        for form in forms(secret) {
            let found = bytes.windows(form.len()).position(|part| part == form.as_bytes());
            if let Some(at) = found {
                let before = String::from_utf8_lossy(&bytes[at.saturating_sub(400)..at]);
                panic!("{what} holds {name} after …{before}");
            }
        }
    }
}

fn files_are_clean(folder: &std::path::Path, but: &[&str], secrets: &[(&str, &str)]) -> usize {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let name = entry.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if entry.is_dir() {
            seen += files_are_clean(&entry, but, secrets);
        } else if let (false, Ok(bytes)) = (but.contains(&name.as_str()), std::fs::read(&entry)) {
            is_clean(&entry.display().to_string(), &bytes, secrets);
            seen += 1;
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_the_keys_of_services_are_in_no_log_line_no_file_and_no_answer() {
    const SHARED: &str = "a shared secret of the issuer, 47 bytes long: %s";
    let beside = tempfile::tempdir().expect("a temporary folder");
    let key = beside.path().join("shared");
    std::fs::write(&key, SHARED).expect("a file");
    let keys = format!(r#"[{{algorithm="HS256",file="{}"}}]"#, key.display());
    let home = Home::new(
        env!("CARGO_BIN_EXE_keytrail"),
        Options {
            env: [
                ("KEYTRAIL__ACCESS__JWT__ISSUER", "https://issuer.example"),
                ("KEYTRAIL__ACCESS__JWT__AUDIENCE", "keytrail"),
                ("KEYTRAIL__ACCESS__JWT__KEYS", &keys),
                ("KEYTRAIL__LOG__LEVEL", "trace"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
            ..Options::default()
        },
    );
    let server = home.start().await;
    let body = json!({ "name": "x", "role": "admin", "expires_in_days": 9 });
    let ours = server.client().post("/api/v1/tokens", None, &body).await.expect("an answer").body["token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let claims = |exp: i64| json!({ "iss": "https://issuer.example", "aud": "keytrail", "sub": "build", "role": "admin", "exp": exp });
    let signer = Signer::Hmac(SHARED.as_bytes().to_vec());
    let service = signer.sign(&json!({ "alg": "HS256" }), &claims(4_000_000_000));
    let expired = signer.sign(&json!({ "alg": "HS256" }), &claims(1));
    // What makes a token worth something: its random part, its signature.
    let random = ours.split('_').nth(1).expect("three parts");
    let signature = service.rsplit('.').next().expect("three parts");
    let old = expired.rsplit('.').next().expect("three parts");
    let secrets =
        [("our token", random), ("a service's token", signature), ("an expired one", old), ("its key", SHARED)];
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = server.client().url().to_owned();
    let local = |path: &str| http.get(format!("{url}{path}")).bearer_auth(local_token(&home));
    let mut stream = local("/api/v1/events/stream?after=0").send().await.expect("an answer").bytes_stream();
    let mut answers = String::new();
    for token in [&ours, &service, &expired] {
        for request in [
            http.get(format!("{url}/api/v1/integrations")).bearer_auth(token),
            http.post(format!("{url}/api/v1/tokens"))
                .bearer_auth(token)
                .json(&json!({ "name": "y", "role": "viewer", "expires_in_days": 0 })),
            local(&format!("/api/v1/integrations?access_token={token}")),
            local(&format!("/api/v1/integrations?cursor={token}")),
            local(&format!("/api/v1/integrations/{token}")),
            local(&format!("/api/v1/{token}/x")),
            local(&format!("/{token}")),
            local("/api/v1/events").header("Last-Event-ID", token),
            local("/api/v1/events/stream").header("Last-Event-ID", token),
            local("/api/v1/integrations").header("Cookie", token).header("Referer", format!("https://x/{token}")),
            local("/api/v1/integrations").header("X-Request-Id", token).header("User-Agent", token),
            http.post(format!("{url}/api/v1/integrations"))
                .bearer_auth(local_token(&home))
                .json(&json!({ "name": [token] })),
            http.post(format!("{url}/api/v1/integrations")).bearer_auth(local_token(&home)).json(&json!({ token: 1 })),
            http.get(format!("{url}/api/v1/integrations")).header("Authorization", format!("Basic {token}")),
            http.get(format!("{url}/api/v1/integrations")).header("Authorization", format!("Bearer {token}x")),
            http.request(Method::from_bytes(b"KT").expect("a method"), format!("{url}/api/v1/{token}")),
        ] {
            let response = request.send().await.expect("an answer");
            let headers = format!("{:?}", response.headers());
            let text = response.text().await.expect("a body");
            answers.push_str(&text);
            answers.push_str(&headers);
        }
    }
    let path = home.folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    done(home.run(["index", text(&path)]).await);
    done(home.run(["ssh-key", "generate", "deploy"]).await);
    knows_a_server(&home).await;
    let reader = Reader::new(&url, &local_token(&home));
    let values = reader.values("SHOP-1").await;
    answers.extend(reader.every_answer(&values).await.into_values());
    answers.extend(every_print(&home, &values).await.into_values());
    assert!(answers.contains("token_invalid") && answers.contains("keytrail_http_request_seconds"), "{answers}");
    is_clean("an answer", answers.as_bytes(), &secrets);
    let told = stream.next().await.expect("an event").expect("bytes");
    is_clean("the stream", &told, &secrets);
    let (home, _) = server.terminate().await;
    assert!(home.log().contains("a token was refused"), "it says that it refused something");
    // The log lies in the folder of the home, too.
    assert!(files_are_clean(home.folder(), &["server.json"], &secrets) > 4);
    is_clean("the log", home.log().as_bytes(), &secrets);
}

fn local_token(home: &Home) -> String {
    let endpoint = std::fs::read(home.data().join("server.json")).expect("a server that serves says how to come in");
    let endpoint: serde_json::Value = serde_json::from_slice(&endpoint).expect("JSON");
    endpoint["token"].as_str().expect("a token").to_owned()
}
