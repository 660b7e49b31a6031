//! Holds every answer that a case gets against the description of the API: the status is one that it names, the body has
//! the form that it gives, its headers and its code are described, and nothing comes that it does not tell of.

use std::{
    collections::BTreeSet,
    sync::{LazyLock, Mutex},
};

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

/// The committed description. What is described is the whole: members that it does not name are refused.
pub(crate) static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    let mut spec: Value = serde_json::from_str(include_str!("../../openapi/v1.json")).expect("JSON");
    let parts = parts_of_others(&spec);
    for (name, schema) in spec["components"]["schemas"].as_object_mut().expect("schemas") {
        if !parts.contains(name) {
            close(schema);
        }
    }
    spec
});

/// Schemas that are one part of what is shown, beside other parts.
fn parts_of_others(spec: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![spec];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(members) => {
                let together = members.get("allOf").and_then(Value::as_array).into_iter().flatten();
                found.extend(together.filter_map(|part| Some(part["$ref"].as_str()?.rsplit('/').next()?.to_owned())));
                waiting.extend(members.values());
            }
            Value::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
    found
}

/// Refuses what a schema of an object does not name.
fn close(schema: &mut Value) {
    let Some(members) = schema.as_object_mut().filter(|members| !members.contains_key("additionalProperties")) else {
        return;
    };
    if members.contains_key("allOf") || members.contains_key("properties") {
        members.entry("unevaluatedProperties").or_insert(Value::Bool(false));
    } else if let Some(Value::Array(variants)) = members.get_mut("oneOf") {
        variants.iter_mut().for_each(close);
    }
}

/// An answer as an operation describes it, where it stands itself or where it refers to.
pub(crate) fn answer(told: &'static Value) -> &'static Value {
    let reference = told["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    reference.map_or(told, |at| DESCRIPTION.pointer(at).expect("a shared answer"))
}

/// The operation at an address, with its template.
pub(crate) fn operation(method: &Method, path: &str) -> Option<(&'static str, &'static Value)> {
    let given: Vec<_> = path.split('/').collect();
    let fits = |template: &str| {
        let parts: Vec<_> = template.split('/').collect();
        parts.len() == given.len()
            && parts.iter().zip(&given).all(|(part, given)| part.starts_with('{') && !given.is_empty() || part == given)
    };
    let paths = DESCRIPTION["paths"].as_object().expect("paths");
    // One without parameters goes before one with.
    let mut fitting: Vec<_> = paths.iter().filter(|(template, _)| fits(template)).collect();
    fitting.sort_by_key(|(template, _)| template.matches('{').count());
    let (template, item) = fitting.first()?;
    item.get(method.as_str().to_lowercase()).map(|operation| (template.as_str(), operation))
}

/// Headers that tell a program something: those that come have to be described.
const HEADERS: [&str; 10] = [
    "etag",
    "idempotency-replayed",
    "location",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "retry-after",
    "www-authenticate",
    "x-log-position",
    "x-request-id",
];

/// Why an answer is not one that the description tells of.
pub(crate) fn objection(
    method: &Method,
    path: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &Value,
) -> Option<String> {
    let (template, operation) = operation(method, path)?;
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        return Some(format!("{method} {template} met a mistake of the server, which is described and never right"));
    }
    let told = answer(&operation["responses"][status.as_str()]);
    if told.is_null() {
        return Some(format!("{method} {template} is not described as answering {status}"));
    }
    let described: BTreeSet<_> =
        told["headers"].as_object().into_iter().flatten().map(|(name, _)| name.to_lowercase()).collect();
    if let Some(name) = HEADERS.iter().find(|name| headers.contains_key(**name) && !described.contains(**name)) {
        return Some(format!("{method} {template} {status} is not described with the header {name}"));
    }
    let content_type = headers.get("content-type").and_then(|kind| kind.to_str().ok());
    let code = &body["code"];
    if content_type == Some("application/problem+json")
        && !told["x-codes"].as_array().is_some_and(|codes| codes.contains(code))
    {
        return Some(format!("{method} {template} {status} is not described with the code {code}"));
    }
    let Some(contents) = told["content"].as_object() else {
        return (!body.is_null()).then(|| format!("{method} {template} {status} is described as empty"));
    };
    let kind = content_type.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    let Some(content) = contents.get(kind) else {
        return Some(format!("{method} {template} {status} is described as {:?}, not {kind}", contents.keys()));
    };
    if !kind.ends_with("json") {
        return None;
    }
    mismatch(&content["schema"], body).map(|why| format!("{method} {template} {status}: {why}"))
}

/// How a value does not fit a schema of the description.
pub(crate) fn mismatch(schema: &Value, value: &Value) -> Option<String> {
    /// Compiled once each; a case asks the same few again and again.
    static COMPILED: Mutex<Vec<(String, jsonschema::Validator)>> = Mutex::new(Vec::new());
    let key = schema.to_string();
    let mut compiled = COMPILED.lock().expect("nobody panics while holding it");
    let place = compiled.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
        let whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [schema],
            "components": DESCRIPTION["components"],
        });
        let validator = jsonschema::options().should_validate_formats(true).build(&whole).expect("a schema");
        compiled.push((key, validator));
        compiled.len() - 1
    });
    let (_, validator) = &compiled[place];
    let wrong: Vec<_> =
        validator.iter_errors(value).map(|error| format!("{} at {}", error, error.instance_path())).collect();
    (!wrong.is_empty()).then(|| wrong.join("; "))
}
