//! A proxy that nobody here wrote stands between our server and our GitHub for tests, and judges each exchange by GitHub's
//! own description of its API: what we ask, and what our GitHub answers. Git and pages, which it does not describe, pass
//! beside it.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::Stdio,
    time::Duration,
};

use keytrail_test_support::{
    fake_github::{FakeGithub, Limit, Selection},
    faults::Faults,
    postgres::database,
    server::{Options, Server},
    web_server::{Front, Passed, Scripted},
};
use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{
    adopted::{Adopted, options, repository, soon},
    browser::Browser,
    description::commit,
    tools::tools,
};

const DESCRIPTION: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/github/ghes-3.19.app-subset.openapi.json");
/// Where the API of a server of one's own begins; the judge knows the paths without it.
const API: &str = "/api/v3/";
const TWENTY_MINUTES: i64 = 1_200;
const EIGHT_DAYS: i64 = 8 * 24 * 3_600;
const PATIENCE: Duration = Duration::from_secs(120);

/// Answers that GitHub was seen to give and does not describe. The judge says of those, mildly, that it cannot judge them;
/// of their bodies `tests/support` knows the words that were seen.
const NOT_DESCRIBED: [(&str, &str, u16); 1] = [("GET", "/api/v3/orgs/acme/installation", 404)];

/// The description as the judge can read it. It passes over a schema that is `nullable` and has no `type`, and over all
/// that holds one, without a word; GitHub's has some.
fn readable(description: &mut Value) {
    match description {
        Value::Array(all) => all.iter_mut().for_each(readable),
        Value::Object(all) => {
            all.values_mut().for_each(readable);
            if !all.contains_key("type") && all.get("nullable") == Some(&Value::Bool(true)) {
                all.remove("nullable");
                let none = json!({ "type": "object", "nullable": true, "not": { "type": "object" } });
                *description = json!({ "anyOf": [description.take(), none] });
            }
        }
        _ => {}
    }
}

/// The judge; it ends with the value.
struct Judge {
    address: SocketAddr,
    /// Has the description.
    _folder: TempDir,
    /// Ends with it.
    _process: Child,
}

impl Judge {
    /// Starts it before a server.
    async fn before(url: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let readable = folder.path().join("readable.json");
        std::fs::write(&readable, described().to_string()).expect("we may write our folder");
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = held.local_addr().expect("a listener has an address");
        drop(held);
        let program = tools().join("node_modules/.bin/prism");
        let port = address.port().to_string();
        let mut process = Command::new(&program)
            .args(["proxy", "--errors", "-h", "127.0.0.1", "-p", &port])
            .args([readable.as_os_str(), url.as_ref()])
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|_| panic!("{} is not there: ./scripts/test installs it", program.display()));
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let ready = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains("Prism is listening") {
                    return true;
                }
            }
            false
        };
        assert!(tokio::time::timeout(PATIENCE, ready).await.expect("it starts"), "it ended");
        // What it says from here on goes nowhere, but the pipe stays open.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { address, _folder: folder, _process: process }
    }
}

fn described() -> Value {
    let text = std::fs::read(DESCRIPTION).expect("it is there");
    let mut description = serde_json::from_slice(&text).expect("it is JSON");
    readable(&mut description);
    description
}

/// A GitHub with a judge before it.
struct Judged {
    fake: FakeGithub,
    front: Front,
    _judge: Judge,
}

impl Judged {
    async fn start() -> Self {
        let fake = FakeGithub::start().await;
        let judge = Judge::before(&fake.api()).await;
        let there = fake.name().parse().expect("an address");
        let front = Front::start(API, judge.address, there, "sl_violations");
        fake.stand_behind(&front.url());
        Self { fake, front, _judge: judge }
    }

    /// Every exchange so far was as the description has it, and this many were of this kind.
    #[track_caller]
    fn passes(&self, wanted: &[(&str, &str, u16)]) {
        let passed = self.front.passed();
        let wrong: Vec<String> = passed.iter().filter(|one| is_wrong(one)).map(Passed::to_string).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        for (method, part, status) in wanted {
            let is = |one: &&Passed| one.method == *method && one.path.contains(part) && one.status == *status;
            let all: Vec<String> = passed.iter().map(Passed::to_string).collect();
            assert!(passed.iter().any(|one| is(&one)), "no {method} {part}: {status} among {all:#?}");
        }
    }
}

/// Whether the judge objected; not where all that it says is that it has no description of this status.
fn is_wrong(passed: &Passed) -> bool {
    let Some(told) = &passed.told else { return false };
    let known = NOT_DESCRIBED.contains(&(passed.method.as_str(), passed.path.as_str(), passed.status));
    let mild = !told.contains("\"Error\"") && told.contains("Unable to match the returned status code");
    !(known && mild)
}

/// A schema that the judge cannot read lets everything pass.
#[tokio::test(flavor = "multi_thread")]
async fn the_judge_objects_to_nonsense_in_the_answer_of_whatever_is_asked() {
    let nonsense = Scripted::answering("200 OK", "application/json", b"0");
    let judge = Judge::before(&format!("http://{}", nonsense.address())).await;
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let described = described();
    let paths = described["paths"].as_object().expect("paths");
    let mut asked = 0;
    for path in paths.iter().filter(|(_, operations)| operations["get"].is_object()).map(|(path, _)| path) {
        let words: Vec<&str> = path.split('/').map(|word| if word.starts_with('{') { "1" } else { word }).collect();
        let request =
            http.get(format!("http://{}{}", judge.address, words.join("/"))).header("Accept", "application/json");
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let said = answer.text().await.expect("a body");
        assert!(status == 500 && said.contains("Response body must be"), "{path}: {status} {said}");
        asked += 1;
    }
    assert!(asked > 25, "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_judge_objects_to_what_is_not_as_described() {
    let judged = Judged::start().await;
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let ask = |method: Method, path: &str, body: Option<Value>| {
        let request = http.request(method, format!("{}{API}{path}", judged.front.url())).header("User-Agent", "a test");
        match body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.to_string()),
            None => request,
        }
    };
    let body = json!({ "permissions": { "contents": "everything" } });
    let refused = ask(Method::POST, "app/installations/1/access_tokens", Some(body)).send().await.expect("an answer");
    assert_eq!(refused.status(), 422);
    let refused = ask(Method::GET, "app/nothing", None).send().await.expect("an answer");
    assert_eq!(refused.status(), 404);
    assert_eq!(judged.fake.requests().len(), 0, "neither came through");
    // A refusal that the description has for this path, and passes.
    let unknown = ask(Method::POST, "app-manifests/unknown/conversions", None).send().await.expect("an answer");
    assert_eq!(unknown.status(), 404);
    assert_eq!(judged.fake.requests().len(), 1);
    assert!(judged.front.passed().iter().all(|one| one.told.is_none()), "{:?}", judged.front.passed());
    // An answer that is none: a permission that there is not.
    let adopted = Adopted::at(&judged.fake, &judged.front.url(), options(None)).await;
    judged.fake.ask_for(adopted.app.id, &[("contents", "everything")], &[]);
    judged.fake.accept_permissions(adopted.installation);
    adopted.act("repair", &json!({})).await;
    let passed = judged.front.passed();
    let told: Vec<_> = passed.iter().filter(|one| one.told.is_some()).collect();
    assert!(told.iter().any(|one| one.status == 500), "{passed:?}");
    adopted.end().await;
}

/// What a client of ours does in the life of an app that is taken over.
async fn life(database_url: Option<String>) {
    let (judged, folder) = (Judged::start().await, tempfile::tempdir().expect("a temporary folder"));
    let fake = &judged.fake;
    let shop = repository(fake, folder.path(), "shop", &["SHOP-1 begins"]);
    for number in 0..120 {
        let id = fake.add_repository("acme", &format!("old-{number}"));
        fake.archive_repository(id, true);
    }
    let number = fake.open_pull(shop, "SHOP-1 a change", "main", "main", "ada");
    fake.review_pull(shop, number, "grace", "approved");
    let own = free_address();
    let mut options = with_address(options(database_url), own);
    let faults = Faults::below(folder.path());
    options.env.extend(faults.env());
    let adopted = Adopted::filtered(fake, &judged.front.url(), options, Some("repositories[?!archived]")).await;
    adopted.indexed(1).await;
    let (app, installation) = (adopted.app.id, adopted.installation);
    judged.passes(&[
        ("GET", "/app", 200),
        ("GET", "/orgs/acme/installation", 200),
        ("GET", "/app/hook/config", 200),
        ("PATCH", "/app/hook/config", 200),
        ("POST", "/access_tokens", 201),
        ("GET", "/installation/repositories?per_page=100", 200),
        ("GET", "page=2", 200),
    ]);
    soon("its pull request is listed", || async {
        let passed = judged.front.passed();
        passed.iter().any(|one| one.path.contains(&format!("/pulls/{number}/reviews")))
    })
    .await;
    judged.passes(&[("GET", "/acme/shop/pulls?state=all", 200), ("GET", &format!("/pulls/{number}/reviews"), 200)]);

    // Stopped and let go, here and there.
    adopted.act("suspend", &json!({})).await;
    soon("GitHub knows", || async { fake.installation(installation) == Some(true) }).await;
    adopted.act("resume", &json!({})).await;
    adopted.becomes("active").await;
    fake.suspend_by(installation, "boss");
    adopted.becomes_when_asked("suspended").await;
    fake.unsuspend(installation);
    adopted.becomes_when_asked("active").await;
    judged.passes(&[("PUT", "/suspended", 204), ("DELETE", "/suspended", 204), ("DELETE", "/installation/token", 204)]);

    // What is otherwise there is mended, and what did not get here is fetched.
    fake.set_hook(app, Some("http://127.0.0.1:9/elsewhere"));
    commit(&folder.path().join("shop"), "SHOP-2 goes on");
    fake.push(shop, &folder.path().join("shop"));
    fake.deliveries_are_sent().await;
    // The list of deliveries is looked at every ten minutes at most.
    faults.shift_clock(TWENTY_MINUTES);
    fake.set_clock_offset(TWENTY_MINUTES);
    soon("the server knows how late it is", || async {
        adopted.act("repair", &json!({})).await;
        judged.front.passed().iter().any(|one| one.path.contains("/app/hook/deliveries?per_page=100"))
    })
    .await;
    let hook = format!("http://{own}/webhooks/github/{}", adopted.integration());
    soon("the hook is mended", || async {
        adopted.act("repair", &json!({})).await;
        fake.hook_url(app).as_deref() == Some(hook.as_str())
    })
    .await;
    soon("what did not get here is fetched", || async {
        let all = adopted.client.list(&format!("{}/deliveries", adopted.at)).await.expect("a list");
        all.iter().any(|one| one["event"] == "push" && one["origin"] == "fetched")
    })
    .await;
    judged.passes(&[("GET", "/app/hook/deliveries?per_page=100", 200), ("GET", "/app/hook/deliveries/", 200)]);

    // What goes wrong is described, too, or at least not against the description.
    fake.rename_repository(shop, "store");
    adopted.act("repair", &json!({})).await;
    soon("it is called otherwise", || async {
        adopted.repositories().await.iter().any(|one| one["name"] == "acme/store")
    })
    .await;
    // A pull request that is no more is asked for when all of them are listed again.
    fake.delete_pull(shop, number);
    faults.shift_clock(EIGHT_DAYS);
    fake.set_clock_offset(EIGHT_DAYS);
    soon("it is asked for", || async {
        adopted.act("repair", &json!({})).await;
        let passed = judged.front.passed();
        passed.iter().any(|one| one.path.ends_with(&format!("/pulls/{number}")))
    })
    .await;
    judged.passes(&[("GET", &format!("/pulls/{number}"), 404)]);
    fake.limit(installation, Limit::Secondary { retry_after: Some(1) }, 403);
    adopted.act("repair", &json!({})).await;
    fake.lift_limit(installation);
    fake.uninstall(installation);
    adopted.becomes_when_asked("uninstalled").await;
    fake.request_approval(app, "acme", "member");
    adopted.becomes_when_asked("approval_requested").await;
    let again = fake.install(app, "acme", Selection::All);
    adopted.becomes_when_asked("active").await;
    judged.passes(&[("GET", "/orgs/acme/installation", 404), ("GET", "/app/installation-requests", 200)]);

    // The end.
    let removed = adopted.client.delete(&adopted.at).await.expect("an answer");
    assert_eq!(removed.status, 200, "{}", removed.body);
    adopted.becomes("removed").await;
    soon("it is gone there", || async { fake.installation(again).is_none() }).await;
    judged.passes(&[("DELETE", &format!("/app/installations/{again}"), 204)]);
    adopted.end().await;
    // Nothing of the API went another way.
    let by_api = fake.requests().iter().filter(|asked| asked.path.starts_with(API)).count();
    assert_eq!(judged.front.passed().len(), by_api, "the judge saw all of it");
}

/// What a person does by browser: the app is created from a manifest, and installed.
async fn connected_by_browser(database_url: Option<String>) {
    let (judged, folder) = (Judged::start().await, tempfile::tempdir().expect("a temporary folder"));
    repository(&judged.fake, folder.path(), "shop", &["SHOP-1 begins"]);
    let options = with_address(options(database_url), free_address());
    let server = Server::start(env!("CARGO_BIN_EXE_keytrail"), options).await;
    let client = server.client();
    let place = json!({ "kind": "github_app", "host": judged.front.url(), "organisation": "acme" });
    let body = json!({ "name": "acme", "connection": place });
    let added = client.post("/api/v1/integrations", None, &body).await.expect("an answer");
    assert_eq!(added.status, 201, "{}", added.body);
    let at = format!("/api/v1/integrations/{}", added.id());
    let link = client.post(&format!("{at}/installation/connect"), None, &json!({})).await.expect("an answer");
    judged.passes(&[("GET", "/meta", 200), ("GET", "/api/v3/orgs/acme", 200)]);
    let browser = Browser::new();
    let start = browser.open(link.body["url"].as_str().expect("a link")).await.belongs_to_us(200);
    let form = browser.press(&start, "Begin", &[]).await.belongs_to_us(200);
    let creating = browser.press(&form, "Go to GitHub", &[]).await;
    let installing = browser.press(&creating, "Create GitHub App", &[]).await;
    assert!(installing.url.as_str().starts_with(&judged.front.url()), "{}", installing.url);
    browser.press(&installing, "Install", &[("selection", "all")]).await.belongs_to_us(200);
    soon("it is indexed", || async {
        let all = client.list(&format!("{at}/repositories")).await.expect("a list");
        all.len() == 1 && all[0]["state"] == "indexed"
    })
    .await;
    judged.passes(&[("POST", "/conversions", 201), ("GET", "/orgs/acme/installation", 200)]);
    server.terminate().await;
}

fn free_address() -> SocketAddr {
    let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    held.local_addr().expect("a listener has an address")
}

/// A server that is there, and knows it.
fn with_address(mut options: Options, own: SocketAddr) -> Options {
    options.listen = Some(own);
    options.env.push(("KEYTRAIL__SERVER__PUBLIC_URL".to_owned(), format!("http://{own}")));
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn every_exchange_of_an_app_that_is_taken_over_is_as_described_on_the_embedded_engine() {
    life(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_exchange_of_an_app_that_is_taken_over_is_as_described_on_postgresql() {
    let database = database().await;
    life(Some(database.url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_exchange_of_connecting_by_browser_is_as_described_on_the_embedded_engine() {
    connected_by_browser(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_exchange_of_connecting_by_browser_is_as_described_on_postgresql() {
    let database = database().await;
    connected_by_browser(Some(database.url())).await;
}
