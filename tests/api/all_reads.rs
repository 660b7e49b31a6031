//! Every GET operation of the description and every command that reads, asked with what leads to something: for who looks
//! for what must be nowhere. A route or a command that is new is asked, too, or the case fails until it is told how.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use futures::StreamExt;
use keytrail_test_support::server::Home;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::{description::DESCRIPTION, server::Server};

/// A server as an administrator of its machine asks it.
pub(crate) struct Reader {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// How long a stream may say nothing until all is taken to be said.
const SILENCE: Duration = Duration::from_millis(500);

/// What is asked for besides, where less would be shown without.
const MORE: [(&str, &str); 5] = [
    ("FollowEvents", "after=0"),
    ("ListEvents", "limit=500"),
    ("ListStreamEvents", "state=true"),
    ("ListIssueCommits", "unlinked=true"),
    ("ListProjects", "all=true"),
];

impl Reader {
    pub(crate) fn new(url: &str, token: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { http, url: url.to_owned(), token: token.to_owned() }
    }

    pub(crate) fn of(server: &Server) -> Self {
        Self::new(&format!("http://{}", server.address), &server.local_token)
    }

    async fn ask(&self, path: &str) -> reqwest::Response {
        let request = self.http.request(Method::GET, format!("{}{path}", self.url)).bearer_auth(&self.token);
        request.send().await.expect("an answer")
    }

    async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.ask(path).await.text().await.expect("a body")).expect("JSON")
    }

    /// The first of a list.
    async fn first(&self, list: &str, member: &str) -> String {
        let found = self.json(list).await;
        let value = found["items"][0][member].as_str();
        value.unwrap_or_else(|| panic!("{list} shows nothing: {found}")).to_owned()
    }

    /// What leads to something of a server where `issue` has a commit, a token was issued, an SSH key is kept and an SSH server
    /// is known: by the name of a parameter, of ids by the list that they are of.
    pub(crate) async fn values(&self, issue: &str) -> BTreeMap<&'static str, String> {
        let id = async |list: &str| self.first(&format!("/api/v1/{list}"), "id").await;
        let integration = id("integrations").await;
        let run = id("index-runs").await;
        let commits = format!("/api/v1/issues/{issue}/commits");
        let sha = self.first(&commits, "sha").await;
        BTreeMap::from([
            ("repositories", id("repositories").await),
            ("people", id("people").await),
            ("tokens", id("tokens").await),
            ("operations", format!("index_run.{run}")),
            ("index-runs", run),
            ("ssh-keys", id("ssh-keys").await),
            ("host-keys", id("host-keys").await),
            ("type", "integration".to_owned()),
            ("delivery", "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b".to_owned()),
            ("streams", integration.clone()),
            ("integrations", integration),
            ("key", issue.to_owned()),
            ("issue", issue.to_owned()),
            ("commit", sha.clone()),
            ("sha", sha),
        ])
    }

    /// Every answer to a read, head and body, by the name of its operation; of a stream what it says at first. None is a
    /// refusal.
    pub(crate) async fn every_answer(&self, values: &BTreeMap<&str, String>) -> BTreeMap<&'static str, String> {
        let replies = self.every_reply(values).await;
        let told = replies.into_iter().map(|(name, (status, said))| {
            let is_off = name == "GetMetrics" && said.contains("metrics_off");
            // Of a server without apps there is nothing to say of them.
            let has_none = ["installation_unknown", "delivery_unknown"].iter().any(|code| said.contains(code))
                && !values.contains_key("apps");
            assert!(status.is_success() || is_off || has_none, "{name}: {status} {said}");
            (name, said)
        });
        told.collect()
    }

    /// The same with its status, refusals too.
    pub(crate) async fn every_reply(
        &self,
        values: &BTreeMap<&str, String>,
    ) -> BTreeMap<&'static str, (StatusCode, String)> {
        let mut replies = BTreeMap::new();
        for (template, item) in DESCRIPTION["paths"].as_object().expect("paths") {
            let operation = &item["get"];
            let Some(name) = operation["operationId"].as_str() else { continue };
            let response = self.ask(&address(name, template, operation, values)).await;
            let status = response.status();
            let mut said = format!("{:?}\n", response.headers());
            if response.headers()["content-type"] == "text/event-stream" {
                let mut stream = response.bytes_stream();
                while let Ok(Some(Ok(part))) = tokio::time::timeout(SILENCE, stream.next()).await {
                    said.push_str(&String::from_utf8_lossy(&part));
                }
                assert!(said.contains("\ndata:"), "{name} says nothing: {said}");
            } else {
                said.push_str(&response.text().await.expect("a body"));
            }
            replies.insert(name, (status, said));
        }
        assert!(replies.len() >= 30, "{:?}", replies.keys());
        replies
    }
}

/// What is read of the app of an integration.
const APP_READS: [&str; 3] = ["GetDelivery", "GetInstallation", "ListDeliveries"];

/// Where an operation is asked.
fn address(name: &str, template: &str, operation: &Value, values: &BTreeMap<&str, String>) -> String {
    let value = |of: &str| {
        // Those of an app lead to one of the apps, where there are any.
        let of = match of {
            "integrations" if APP_READS.contains(&name) && values.contains_key("apps") => "apps",
            of => of,
        };
        values.get(of).unwrap_or_else(|| panic!("say in tests/api/all_reads.rs what {of} of {name} may be")).as_str()
    };
    let mut list = "";
    let mut path = String::new();
    for part in template.split('/').skip(1) {
        let filled = match parameter(part) {
            None => part,
            Some("id") => value(list),
            Some(name) => value(name),
        };
        // The one of a stream comes after its type.
        if parameter(part).is_none() {
            list = part;
        }
        write!(path, "/{filled}").expect("a text takes all");
    }
    let needed = operation["parameters"].as_array().into_iter().flatten();
    let needed = needed.filter(|one| one["in"] == "query" && one["required"] == true);
    let mut query: Vec<String> = needed
        .filter_map(|one| one["name"].as_str())
        .map(|parameter| format!("{parameter}={}", value(parameter)))
        .collect();
    query.extend(MORE.iter().filter(|(operation, _)| *operation == name).map(|(_, more)| (*more).to_owned()));
    if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
}

/// Tells of every command.
const PAGE: &str = include_str!("../../docs/cli.md");

/// The commands that read, with what they are asked for, by its name among the values.
const READS: [&[&str]; 36] = [
    &["issue", "show", "{key}"],
    &["issue", "commits", "{key}"],
    &["issue", "branches", "{key}"],
    &["issue", "pull-requests", "{key}"],
    &["search"],
    &["commit", "show", "{sha}"],
    &["commit", "refs", "{sha}"],
    &["commit", "files", "{sha}"],
    &["commit", "diff", "{sha}"],
    &["explain", "{sha}", "{key}"],
    &["project", "list"],
    &["project", "rules"],
    &["events"],
    &["integration", "list"],
    &["integration", "show", "{integrations}"],
    &["repository", "list"],
    &["repository", "show", "{repositories}"],
    &["run", "list"],
    &["run", "show", "{index-runs}"],
    &["run", "log", "{index-runs}"],
    &["operation", "list"],
    &["operation", "show", "{operations}"],
    &["person", "list"],
    &["token", "list"],
    &["ssh-key", "list"],
    &["ssh-key", "show", "{ssh-keys}"],
    &["ssh-key", "files"],
    &["host-key", "list"],
    &["host-key", "show", "{host-keys}"],
    &["views", "list"],
    &["views", "verify"],
    &["doctor"],
    &["config", "show"],
    &["config", "check"],
    &["config", "default"],
    &["health"],
];

/// The commands that read of an app, the same way.
const APP_COMMANDS: [&[&str]; 3] = [
    &["delivery", "list", "{apps}"],
    &["delivery", "show", "{apps}", "{delivery}"],
    &["installation", "show", "{apps}"],
];

/// The commands that change something, or say nothing of a server.
const OTHERS: [&str; 65] = [
    "integration test",
    "host-key scan",
    "host-key trust",
    "host-key import",
    "host-key accept",
    "host-key refuse",
    "host-key forget",
    "ssh-key add",
    "ssh-key rename",
    "ssh-key retire",
    "ssh-key share",
    "ssh-key reserve",
    "ssh-key associate",
    "ssh-key dissociate",
    "ssh-key rotate",
    "integration set-web-links",
    "ssh-key inspect",
    "ssh-key convert",
    "ssh-key generate",
    "ssh-key register",
    "ssh-key make-file",
    "ssh-key guide",
    "installation set-filter",
    "installation set-route",
    "integration connect",
    "delivery replay",
    "installation adopt",
    "installation suspend",
    "installation resume",
    "installation rotate-key",
    "installation rotate-webhook-secret",
    "installation preview-filter",
    "installation confirm-repositories",
    "installation confirm-gone",
    "installation repair",
    "serve",
    "index",
    "issue link",
    "issue unlink",
    "issue restore",
    "project allow",
    "project disallow",
    "project deny",
    "project undeny",
    "integration add",
    "integration rename",
    "integration move",
    "integration pause",
    "integration resume",
    "integration remove",
    "repository fetch",
    "repository index",
    "integration reindex",
    "integration reset",
    "repository reset",
    "run retry",
    "run cancel",
    "operation cancel",
    "person forget",
    "token issue",
    "token revoke",
    "views rebuild",
    "migrate",
    "vault rotate-root-key",
    "openapi",
];

/// What every command that reads prints and complains of, as a table and as JSON where it can.
pub(crate) async fn every_print(home: &Home, values: &BTreeMap<&str, String>) -> BTreeMap<String, String> {
    let mut prints = BTreeMap::new();
    let of_apps = APP_COMMANDS.iter().filter(|_| values.contains_key("apps"));
    for words in READS.iter().chain(of_apps).copied() {
        let filled: Vec<&str> =
            words.iter().map(|word| parameter(word).map_or(*word, |name| values[name].as_str())).collect();
        let command: Vec<&str> = words.iter().copied().filter(|word| parameter(word).is_none()).collect();
        let (_, page) =
            PAGE.split_once(&format!("# keytrail {}\n", command.join(" "))).expect("every command is told of");
        let takes_json = page.split("\n#").next().is_some_and(|section| section.contains("`--json`"));
        for form in [None].into_iter().chain(takes_json.then_some(Some("--json"))) {
            let (code, printed, said) = home.run(filled.iter().copied().chain(form)).await;
            let name = format!("{} {}", words.join(" "), form.unwrap_or_default());
            // The doctor ends with what it found.
            assert!(code == Some(0) || words == ["doctor"], "{name}: {code:?} {printed}{said}");
            // A delivery is shown as it came; explanations and events are sentences of the server, which are exact.
            if form.is_none() && !["delivery", "explain", "events"].contains(&words[0]) {
                let machine = printed.split_whitespace().find(|word| is_time_of_machines(word));
                assert_eq!(machine, None, "{name} tells a time as people do not: {printed}");
            }
            prints.insert(name, format!("{printed}{said}"));
        }
    }
    prints
}

/// `2026-11-21T23:42:07.123Z`
fn is_time_of_machines(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric()).as_bytes();
    word.len() >= 20 && word[4] == b'-' && word[10] == b'T' && word[13] == b':' && word.ends_with(b"Z")
}

/// What stands in braces.
fn parameter(part: &str) -> Option<&str> {
    part.strip_prefix('{')?.strip_suffix('}')
}

#[test]
fn every_command_is_one_that_reads_or_one_that_does_not() {
    let headings: Vec<&str> =
        PAGE.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(" keytrail ")).collect();
    let is_group = |name: &str| headings.iter().any(|other| other.starts_with(&format!("{name} ")));
    let leaves = headings.iter().filter(|name| !is_group(name));
    let command = |words: &[&'static str]| -> Vec<&str> {
        words.iter().copied().filter(|word| parameter(word).is_none()).collect()
    };
    let reads: Vec<_> = READS.iter().chain(&APP_COMMANDS).map(|words| command(words).join(" ")).collect();
    let beside = ["completions", "man"];
    let unknown: Vec<_> = leaves
        .filter(|name| !reads.iter().any(|read| read == *name) && !OTHERS.contains(name) && !beside.contains(name))
        .collect();
    assert!(unknown.is_empty(), "say in tests/api/all_reads.rs whether these read: {unknown:?}");
}
