//! What a client of the API loses between two descriptions of it. Used by the rule about breaking changes.

use std::collections::BTreeSet;

use serde_json::Value;

/// Every loss, as a line: the operation, and what became of it. A change that no client that keeps to the old description
/// notices is none.
pub(crate) fn losses(old: &Value, new: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (path, method, before) in operations(old) {
        let name = before["operationId"].as_str().unwrap_or(path);
        let after = &new["paths"][path][method];
        if after.is_null() {
            found.insert(format!("{name}: {} {path} is gone", method.to_uppercase()));
            continue;
        }
        let mut lost = |what: String| {
            found.insert(format!("{name}: {what}"));
        };
        if after["operationId"] != before["operationId"] {
            lost(format!("it is called {} now", after["operationId"]));
        }
        if after["security"] != before["security"] {
            lost("another right is needed".to_owned());
        }
        if after["x-scope"] != before["x-scope"] {
            lost(format!("the scope {} is needed and was {}", after["x-scope"], before["x-scope"]));
        }
        parameters((old, before), (new, after), &mut lost);
        let body = |operation: &Value| operation["requestBody"]["content"]["application/json"]["schema"].clone();
        if body(before).is_null() && !body(after).is_null() {
            lost("a body is needed".to_owned());
        } else {
            if after["requestBody"]["required"] == true && before["requestBody"]["required"] != true {
                lost("a body is needed".to_owned());
            }
            let sides = Sides { old, new, direction: Direction::Sent };
            sides.compare(&body(before), &body(after), "body", &mut lost, 0);
        }
        for (status, response) in members(&before["responses"]).filter(|(status, _)| status.starts_with('2')) {
            let now = &after["responses"][status];
            if now.is_null() {
                lost(format!("it does not answer {status} any more"));
                continue;
            }
            for (kind, content) in members(&response["content"]) {
                let sides = Sides { old, new, direction: Direction::Answered };
                sides.compare(&content["schema"], &now["content"][kind]["schema"], status, &mut lost, 0);
            }
        }
    }
    found
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn operations(spec: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let of =
        |(path, item)| members(item).map(move |(method, operation)| (String::as_str(path), method.as_str(), operation));
    members(&spec["paths"]).flat_map(of)
}

/// Those of an operation, each beside its description.
fn parameters((was, before): (&Value, &Value), (is, after): (&Value, &Value), lost: &mut impl FnMut(String)) {
    let all = |operation: &Value| operation["parameters"].as_array().cloned().unwrap_or_default();
    let same = |one: &Value, other: &Value| one["name"] == other["name"] && one["in"] == other["in"];
    for old in all(before) {
        match all(after).iter().find(|new| same(new, &old)) {
            None => lost(format!("the parameter {} is gone", old["name"])),
            Some(new) => {
                if new["required"] == true && old["required"] != true {
                    lost(format!("the parameter {} is needed", old["name"]));
                }
                let at = format!("the parameter {}", old["name"]);
                sent(resolved(was, &old["schema"]), resolved(is, &new["schema"]), &at, lost);
            }
        }
    }
    for new in all(after).iter().filter(|new| new["required"] == true) {
        if !all(before).iter().any(|old| same(old, new)) {
            lost(format!("the parameter {} is needed", new["name"]));
        }
    }
}

/// What a client may not send any more under one schema: another type, a word that is gone, what is out of bounds now.
fn sent(old: &Value, new: &Value, at: &str, lost: &mut dyn FnMut(String)) {
    if !types(new).is_empty() && (types(old).is_empty() || !types(old).is_subset(&types(new))) {
        lost(format!("{at} is {} and was {}", new["type"], old["type"]));
    }
    narrowed(old, new, at, lost);
}

/// Words that are gone and bounds that are tighter.
fn narrowed(old: &Value, new: &Value, at: &str, lost: &mut dyn FnMut(String)) {
    let words = |schema: &Value| schema["enum"].as_array().cloned();
    match (words(old), words(new)) {
        (Some(before), Some(now)) => {
            if let Some(word) = before.iter().find(|word| !now.contains(word)) {
                lost(format!("{at} does not take {word} any more"));
            }
        }
        (None, Some(_)) => lost(format!("{at} takes only some words now")),
        (_, None) => {}
    }
    for (bound, is_lower) in BOUNDS {
        let (before, now) = (old[bound].as_f64(), new[bound].as_f64());
        let is_tighter = match (before, now) {
            (Some(before), Some(now)) if is_lower => now > before,
            (Some(before), Some(now)) => now < before,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if is_tighter {
            lost(format!("{at} has {bound} {} and had {}", new[bound], old[bound]));
        }
    }
    // Whether one pattern takes all that another takes cannot be told: any other one counts as tighter.
    for exact in ["pattern", "format", "multipleOf", "additionalProperties"] {
        if !new[exact].is_null() && new[exact] != old[exact] && new[exact] != true {
            lost(format!("{at} has {exact} {} and had {}", new[exact], old[exact]));
        }
    }
}

/// What a value may be, and whether it is the least.
const BOUNDS: [(&str, bool); 10] = [
    ("minimum", true),
    ("exclusiveMinimum", true),
    ("minLength", true),
    ("minItems", true),
    ("minProperties", true),
    ("maximum", false),
    ("exclusiveMaximum", false),
    ("maxLength", false),
    ("maxItems", false),
    ("maxProperties", false),
];

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Sent,
    Answered,
}

#[derive(Clone, Copy)]
struct Sides<'a> {
    old: &'a Value,
    new: &'a Value,
    direction: Direction,
}

impl Sides<'_> {
    /// Schemas that refer to themselves are followed so far.
    const DEEPEST: usize = 12;

    fn compare(self, old: &Value, new: &Value, at: &str, lost: &mut dyn FnMut(String), depth: usize) {
        let (old, new) = (resolved(self.old, old), resolved(self.new, new));
        if depth > Self::DEEPEST || old.is_null() || old == new && self.old == self.new {
            return;
        }
        if new.is_null() {
            return lost(format!("{at} is gone"));
        }
        if !old["type"].is_null() && types(old) != types(new) && !self.is_wider(&types(old), &types(new)) {
            lost(format!("{at} is {} and was {}", new["type"], old["type"]));
        }
        if self.direction == Direction::Sent {
            narrowed(old, new, at, lost);
        }
        let (before, after) = (properties(self.old, old), properties(self.new, new));
        for (name, schema, needed) in &before {
            let at = format!("{at}.{name}");
            // Variants may share a name: what fits one of them fits.
            let fitting = after.iter().filter(|(now, ..)| now == name).map(|(_, now, needed_now)| {
                let mut lost = Vec::new();
                match self.direction {
                    Direction::Sent if *needed_now && !needed => lost.push(format!("{at} is needed")),
                    Direction::Answered if *needed && !needed_now => lost.push(format!("{at} may be missing")),
                    Direction::Sent | Direction::Answered => {}
                }
                self.compare(schema, now, &at, &mut |what| lost.push(what), depth + 1);
                lost
            });
            match fitting.min_by_key(Vec::len) {
                None => lost(format!("{at} is gone")),
                Some(found) => found.into_iter().for_each(&mut *lost),
            }
        }
        if self.direction == Direction::Sent && !before.is_empty() {
            for (name, _, needed) in &after {
                if *needed && !before.iter().any(|(old, ..)| old == name) {
                    lost(format!("{at}.{name} is needed"));
                }
            }
        }
        if !old["items"].is_null() {
            self.compare(&old["items"], &new["items"], &format!("{at}[]"), lost, depth + 1);
        }
    }

    /// Whoever sends may send what it sent; whoever is answered gets nothing that it did not get.
    fn is_wider(self, old: &BTreeSet<String>, new: &BTreeSet<String>) -> bool {
        match self.direction {
            Direction::Sent => old.is_subset(new),
            Direction::Answered => new.is_subset(old),
        }
    }
}

fn resolved<'a>(spec: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|reference| spec.pointer(reference.strip_prefix('#')?)) {
        Some(found) => resolved(spec, found),
        None => schema,
    }
}

fn types(schema: &Value) -> BTreeSet<String> {
    match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
        Value::String(one) => BTreeSet::from([one.clone()]),
        _ => BTreeSet::new(),
    }
}

/// The members of an object and of what it is put together from: name, schema, whether it is always there. Of variants,
/// each is compared as far as they share names.
fn properties<'a>(spec: &'a Value, schema: &'a Value) -> Vec<(String, &'a Value, bool)> {
    let schema = resolved(spec, schema);
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let own = members(&schema["properties"]).map(|(name, one)| (name.clone(), one, required.contains(&name.as_str())));
    let parts = ["allOf", "oneOf", "anyOf"].into_iter().flat_map(|together| {
        schema[together].as_array().into_iter().flatten().flat_map(move |part| {
            let found = properties(spec, part).into_iter();
            found.map(move |(name, one, needed)| (name, one, needed && together == "allOf"))
        })
    });
    own.chain(parts).collect()
}
