//! The examples of the description are exchanges with a real server: a tour calls every operation once. What is committed
//! as openapi/examples.json still has the form of what the tour gets; after a route changed,
//! `KEYTRAIL_WRITE_EXAMPLES=1 cargo test --test api examples` records it anew.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::{
    description::{DESCRIPTION, mismatch},
    server::{Answer, Server, answer, on_sqlite_besides, with_key_folder},
};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/examples.json");

/// Calls operations by their names, and remembers what went to and fro.
pub(crate) struct Tour {
    server: Server,
    exchanges: BTreeMap<String, Value>,
    names: Names,
}

/// What differs from one tour to the next, made the same.
struct Names {
    folders: [(String, &'static str); 2],
    ids: Vec<String>,
    id: Regex,
    secret: Regex,
    ticket: Regex,
    key: Regex,
    address: Regex,
    cursor: Regex,
}

impl Names {
    fn steady(&mut self, value: &Value) -> Value {
        let mut text = value.to_string();
        for (folder, steady) in &self.folders {
            text = text.replace(folder, steady);
        }
        let found: Vec<_> = self.id.find_iter(&text).map(|id| id.as_str().to_owned()).collect();
        for id in found {
            let number = self.ids.iter().position(|known| *known == id).unwrap_or_else(|| {
                self.ids.push(id.clone());
                self.ids.len() - 1
            });
            text = text.replace(&id, &format!("01a1ff00-0000-7000-8000-{number:012}"));
        }
        text = self.secret.replace_all(&text, "kt_…").into_owned();
        text = self.ticket.replace_all(&text, "/TICKET?").into_owned();
        text = self.key.replace_all(&text, "-----BEGIN $1 PRIVATE KEY-----\\n…").into_owned();
        text = self.address.replace_all(&text, "https://git.example.com").into_owned();
        text = self.cursor.replace_all(&text, "eyJ…").into_owned();
        serde_json::from_str(&text).expect("JSON stays JSON")
    }
}

impl Tour {
    fn of(server: Server) -> Self {
        let regex = |text| Regex::new(text).expect("a pattern");
        let names = Names {
            folders: [
                (server.root.display().to_string(), "/srv/git"),
                (server.root.parent().expect("a folder").display().to_string(), "/var/lib/keytrail"),
            ],
            ids: Vec::new(),
            id: regex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
            address: regex(r"http://127\.0\.0\.1:[0-9]+"),
            secret: regex("kt_[A-Za-z0-9_-]+"),
            ticket: regex("/[0-9a-f]{64}\\?"),
            key: regex(
                r"-----BEGIN (RSA|OPENSSH) PRIVATE KEY-----[A-Za-z0-9+/=\\]+-----END (?:RSA|OPENSSH) PRIVATE KEY-----",
            ),
            cursor: regex(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"),
        };
        Self { server, exchanges: BTreeMap::new(), names }
    }

    /// Calls an operation with the values of its parameters, wherever they go.
    pub(crate) async fn call(&mut self, operation: &str, parameters: &[(&str, &str)], body: Option<Value>) -> Answer {
        let (method, template, described) = by_name(operation);
        let mut path = template.to_owned();
        let (mut query, mut headers) = (Vec::new(), Vec::new());
        for (name, value) in parameters {
            let all = described["parameters"].as_array().into_iter().flatten();
            let place = all.filter(|one| one["name"] == *name).find_map(|one| one["in"].as_str());
            match place.unwrap_or_else(|| panic!("{operation} has no parameter {name}")) {
                "path" => path = path.replace(&format!("{{{name}}}"), value),
                "query" => query.push((*name, *value)),
                _ => headers.push((*name, *value)),
            }
        }
        let mut request = self.server.local(method, &path).query(&query);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = answer(request).await;
        assert!(answer.status.is_success() && answer.body["code"].is_null(), "{operation}: {}", answer.text);
        let mut exchange = Map::new();
        let given: Map<_, _> =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), told(described, name, value))).collect();
        if !given.is_empty() {
            exchange.insert("parameters".to_owned(), self.names.steady(&Value::Object(given)));
        }
        if let Some(body) = &body {
            exchange.insert("request".to_owned(), self.names.steady(body));
        }
        if !answer.body.is_null() {
            let came = json!({ (answer.status.as_str()): self.names.steady(&answer.body) });
            exchange.insert("responses".to_owned(), came);
        }
        self.exchanges.entry(operation.to_owned()).or_insert(Value::Object(exchange));
        answer
    }
}

impl Tour {
    /// Listens to a stream until the first event has come, and remembers its data.
    pub(crate) async fn listen(&mut self, operation: &str, parameters: &[(&str, &str)]) {
        let (method, template, described) = by_name(operation);
        let is_in_path = |name: &str| template.contains(&format!("{{{name}}}"));
        let path = parameters
            .iter()
            .fold(template.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
        let query: Vec<_> = parameters.iter().filter(|(name, _)| !is_in_path(name)).collect();
        let mut stream = self.server.local(method, &path).query(&query).send().await.expect("an answer");
        assert_eq!(stream.headers()["content-type"], "text/event-stream", "{operation}");
        let mut text = String::new();
        let data = loop {
            let bytes = stream.chunk().await.expect("bytes").expect("an event before the end");
            text.push_str(std::str::from_utf8(&bytes).expect("UTF-8"));
            // What follows the last empty line has not come whole.
            let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
            if let Some(data) = whole.lines().find_map(|line| line.strip_prefix("data: ")) {
                break serde_json::from_str::<Value>(data).expect("JSON");
            }
        };
        let given: Map<_, _> =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), told(described, name, value))).collect();
        let exchange = json!({
            "parameters": self.names.steady(&Value::Object(given)),
            "responses": { "200": self.names.steady(&data) },
        });
        self.exchanges.entry(operation.to_owned()).or_insert(exchange);
    }
}

/// The value of a parameter as the description has it: a number or a text.
fn told(described: &Value, name: &str, value: &str) -> Value {
    let all = described["parameters"].as_array().into_iter().flatten();
    let is_text = all.filter(|one| one["name"] == name).all(|one| !is_number(&one["schema"]));
    if is_text { json!(value) } else { serde_json::from_str(value).expect("a number") }
}

fn operations() -> impl Iterator<Item = (Method, &'static str, &'static Value)> {
    let paths = DESCRIPTION["paths"].as_object().expect("paths").iter();
    paths.flat_map(|(path, item)| {
        item.as_object().expect("operations").iter().map(move |(method, operation)| {
            (method.to_uppercase().parse().expect("a method"), path.as_str(), operation)
        })
    })
}

fn by_name(name: &str) -> (Method, &'static str, &'static Value) {
    let found = operations().find(|(.., operation)| operation["operationId"] == name);
    found.unwrap_or_else(|| panic!("there is no operation {name}"))
}

fn is_number(schema: &Value) -> bool {
    let kind = &schema["type"];
    kind == "integer" || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "integer"))
}

/// The names of members, of the first of several.
fn form(value: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut waiting = vec![(String::new(), value)];
    while let Some((at, value)) = waiting.pop() {
        match value {
            Value::Object(members) => {
                waiting.extend(members.iter().map(|(name, value)| (format!("{at}/{name}"), value)))
            }
            Value::Array(items) => waiting.extend(items.first().map(|item| (format!("{at}/0"), item))),
            _ => {
                // What is absent today may be there tomorrow.
                names.insert(at.split('/').take(3).collect::<Vec<_>>().join("/"));
            }
        }
    }
    names
}

async fn tour(server: Server) {
    let mut tour = Tour::of(server.clone());
    crate::examples_tour::walk(&mut tour, &server).await;
    let untold: Vec<_> = operations()
        .filter(|(.., operation)| {
            let content = &operation["responses"]["200"]["content"];
            // The example of text stands where it is described.
            !content["text/plain"].is_object()
        })
        .filter_map(|(.., operation)| operation["operationId"].as_str())
        .filter(|name| !tour.exchanges.contains_key(*name))
        .collect();
    assert!(untold.is_empty(), "the tour leaves out {untold:?}");
    #[expect(clippy::disallowed_methods, reason = "a switch for who changes a route, not for the program")]
    if std::env::var_os("KEYTRAIL_WRITE_EXAMPLES").is_some() {
        let text = serde_json::to_string_pretty(&tour.exchanges).expect("JSON") + "\n";
        std::fs::write(COMMITTED, text).expect("the folder openapi can be written");
    }
    let committed = std::fs::read_to_string(COMMITTED).expect("the examples");
    let committed: BTreeMap<String, Value> = serde_json::from_str(&committed).expect("JSON");
    for (name, now) in &tour.exchanges {
        let then = committed.get(name).unwrap_or_else(|| panic!("{name} has no example: record them anew"));
        assert_eq!(form(then), form(now), "the example of {name} is out of date: record them anew");
    }
    assert_eq!(committed.len(), tour.exchanges.len(), "an example is of no operation: record them anew");
}

#[test]
fn every_operation_has_an_example_that_a_server_gave() {
    on_sqlite_besides(with_key_folder, tour);
}

#[test]
fn every_example_has_the_form_that_the_description_gives() {
    for (method, path, operation) in operations() {
        let name = operation["operationId"].as_str().expect("a name");
        if let Some(content) = operation["requestBody"]["content"].get("application/json") {
            let example = &content["example"];
            assert!(!example.is_null(), "the body of {name} has no example");
            assert_eq!(mismatch(&content["schema"], example), None, "the body of {name}");
        }
        let mut shown = false;
        for (status, response) in operation["responses"].as_object().expect("responses") {
            for (kind, content) in response["content"].as_object().into_iter().flatten() {
                let Some(example) = content.get("example") else { continue };
                shown = true;
                if kind.ends_with("json") || kind == "text/event-stream" || kind == "text/plain" {
                    assert_eq!(mismatch(&content["schema"], example), None, "{name} {status}");
                }
            }
        }
        let answers = operation["responses"].as_object().expect("responses").iter().any(|(status, response)| {
            status.starts_with('2') && response["content"].as_object().is_some_and(|kinds| !kinds.is_empty())
        });
        assert!(shown || !answers, "{method} {path} has no example of an answer");
    }
}
