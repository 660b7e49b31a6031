//! Every refusal that was recorded of GitHub is brought about here, and answered as it was there.

use reqwest::Response;
use serde_json::{Value, json};

use super::{super::Limit, Known, committed};

const RECORDED: &str = include_str!("../../../../fixtures/github/observed-errors.json");

/// What programs act on: where it was not recorded it is not said.
const ACTED_ON: [&str; 5] =
    ["location", "retry-after", "www-authenticate", "x-accepted-github-permissions", "x-github-sso"];

/// A GitHub with a repository of one commit; the id of that.
async fn with_a_repository() -> (Known, u64) {
    let known = Known::start().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    committed(folder.path(), &["PROJ-1 begins"]);
    let shop = known.github.add_repository("acme", "shop");
    known.github.serve_repository(shop, folder.path());
    (known, shop)
}

/// Asks git's address of the repository for what this program of git wants first.
async fn by_git(known: &Known, service: &str, token: &str) -> Response {
    let url = format!("{}/acme/shop.git/info/refs?service={service}", known.github.url());
    known.http.get(url).basic_auth("x-access-token", Some(token)).send().await.expect("an answer")
}

/// Asks for a branch at the commit of the branch `main`.
async fn branched(known: &Known, token: &str, name: &str) -> Response {
    let (_, main) = known.ask("GET", "/repos/acme/shop/git/ref/heads/main", &known.token().await, None).await;
    let body = json!({ "ref": format!("refs/heads/{name}"), "sha": main["object"]["sha"] });
    known.asked("POST", "/repos/acme/shop/git/refs", token, Some(body)).await
}

/// Asks for a pull request from the branch `PROJ-1`.
async fn pulled(known: &Known) -> Response {
    let body = json!({ "title": "PROJ-1", "head": "PROJ-1", "base": "main" });
    known.asked("POST", "/repos/acme/shop/pulls", &known.token().await, Some(body)).await
}

/// What is answered when this comes about. A new row needs a line, which says how, or why it cannot come about here.
async fn brought_about(known: &Known, shop: u64, op: &str, when: &str) -> Response {
    let (github, installation, id) = (&known.github, known.installation, Value::from(known.app.id));
    let minting = format!("/app/installations/{installation}/access_tokens");
    let minted = async |wish: Option<Value>| known.asked("POST", &minting, &known.usual(), wish).await;
    let app = async |signed: &str| known.asked("GET", "/app", signed, None).await;
    let listed = async |token: &str| known.asked("GET", "/installation/repositories", token, None).await;
    match (op, when) {
        ("POST /app/installations/{id}/access_tokens", "installation suspended (by either side)") => {
            github.suspend_by(installation, "boss");
            minted(None).await
        }
        ("POST /app/installations/{id}/access_tokens", "installation deleted or never existed") => {
            github.uninstall(installation);
            minted(None).await
        }
        ("POST /app/installations/{id}/access_tokens", "asked for a permission the installation lacks") => {
            minted(Some(json!({ "permissions": { "issues": "write" } }))).await
        }
        ("POST /app/installations/{id}/access_tokens", "asked for a repository outside the installation") => {
            minted(Some(json!({ "repositories": ["other"] }))).await
        }
        ("any JWT endpoint", "app deleted, or iss unknown") => {
            let signed = known.usual();
            github.delete_app(known.app.id);
            app(&signed).await
        }
        ("any JWT endpoint", "key does not belong to the app (rotated, deleted, wrong id)") => {
            github.delete_key(known.app.id, &known.app.key.fingerprint);
            app(&known.usual()).await
        }
        ("any JWT endpoint", "exp in the past") => app(&known.signed(&id, -60, -1)).await,
        ("any JWT endpoint", "exp more than 10 minutes ahead of the server clock") => {
            app(&known.signed(&id, -60, 660)).await
        }
        ("any JWT endpoint", "iat in the future of the server clock") => app(&known.signed(&id, 60, 540)).await,
        ("any", "no credentials") => app("").await,
        ("any installation-token endpoint", "token expired or revoked") => {
            let token = known.token().await;
            github.revoke_tokens();
            listed(&token).await
        }
        ("any installation-token endpoint", "permission missing") => {
            let made = minted(Some(json!({ "permissions": { "contents": "read" } }))).await;
            let made: Value = made.json().await.expect("JSON");
            branched(known, made["token"].as_str().expect("a token"), "PROJ-1").await
        }
        ("any installation-token endpoint", "organisation IP allow list") => {
            let token = known.token().await;
            github.set_ip_allow_list("acme", true);
            listed(&token).await
        }
        ("any", "primary rate limit") => {
            github.limit(installation, Limit::Primary { reset_in: 600 }, 403);
            listed(&known.token().await).await
        }
        ("any", "secondary rate limit, with retry-after") => {
            github.limit(installation, Limit::Secondary { retry_after: Some(60) }, 403);
            listed(&known.token().await).await
        }
        ("any", "secondary rate limit, WITHOUT retry-after") => {
            github.limit(installation, Limit::Secondary { retry_after: None }, 403);
            listed(&known.token().await).await
        }
        ("GET /repos/{o}/{r}", "repository renamed or transferred") => {
            github.rename_repository(shop, "store");
            known.asked("GET", "/repos/acme/shop", &known.token().await, None).await
        }
        ("PATCH|POST|PUT|DELETE /repos/{o}/{r}...", "repository renamed or transferred") => {
            github.rename_repository(shop, "store");
            pulled(known).await
        }
        ("POST /app-manifests/{code}/conversions", "code used, expired (1 h), or sent to the wrong host") => {
            known.asked("POST", "/app-manifests/used/conversions", "", None).await
        }
        ("POST /repos/{o}/{r}/git/refs", "branch exists") => branched(known, &known.token().await, "main").await,
        ("POST /repos/{o}/{r}/git/refs", "empty repository") => {
            github.add_repository("acme", "empty");
            let body = json!({ "ref": "refs/heads/PROJ-1", "sha": "0".repeat(40) });
            known.asked("POST", "/repos/acme/empty/git/refs", &known.token().await, Some(body)).await
        }
        ("POST /repos/{o}/{r}/pulls", "pull request exists") => {
            github.open_pull(shop, "PROJ-1", "PROJ-1", "main", "ada");
            pulled(known).await
        }
        ("POST /repos/{o}/{r}/pulls", "head equals base") => {
            assert_eq!(branched(known, &known.token().await, "PROJ-1").await.status(), 201);
            pulled(known).await
        }
        ("git upload-pack over https", "token expired, revoked, or sent as the username") => {
            let token = known.token().await;
            github.revoke_tokens();
            by_git(known, "git-upload-pack", &token).await
        }
        ("git receive-pack over https", "contents:write missing") => {
            github.ask_for(known.app.id, &[("contents", "read"), ("metadata", "read")], &[]);
            github.accept_permissions(installation);
            by_git(known, "git-receive-pack", &known.token().await).await
        }
        _ => panic!("nobody says how this comes about here, or why it cannot: {op}: {when}"),
    }
}

#[tokio::test]
async fn every_refusal_that_was_recorded_is_answered_as_it_was() {
    let recorded: Value = serde_json::from_str(RECORDED).expect("JSON");
    let rows = recorded["errors"].as_array().expect("rows");
    for row in rows {
        let (op, when) = (row["op"].as_str().expect("a text"), row["when"].as_str().expect("a text"));
        let (known, shop) = with_a_repository().await;
        let answer = brought_about(&known, shop, op, when).await;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        // Ids and addresses are those of this one.
        let here = |text: &str| {
            let repository = format!("{}/repositories/{shop}", known.github.api());
            let text = text.replace("https://api.github.com/repositories/1000", &repository);
            text.replace("installation ID 12345", &format!("installation ID {}", known.installation))
        };
        let expected: Value = serde_json::from_str(&here(&row["body"].to_string())).expect("JSON");
        assert_eq!((Some(u64::from(status)), body), (row["status"].as_u64(), expected), "{op}: {when}");
        let said = row["headers"].as_object().expect("headers");
        for (name, value) in said {
            let (told, value) = (headers.get(name.as_str()), value.as_str().expect("a text"));
            let told = told.and_then(|told| told.to_str().ok()).unwrap_or_default();
            match value {
                "EPOCH" => assert!(told.parse::<i64>().is_ok_and(|at| at > known.now()), "{op}: {when}: {name} {told}"),
                _ => assert_eq!(told, here(value), "{op}: {when}: {name}"),
            }
        }
        for name in ACTED_ON {
            let is_recorded = said.keys().any(|known| known.eq_ignore_ascii_case(name));
            assert_eq!(headers.contains_key(name), is_recorded, "{op}: {when}: {name}");
        }
    }
    assert_eq!(rows.len(), 25);
}
