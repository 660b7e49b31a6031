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
        let sent = Sides { old, new, direction: Direction::Sent };
        sent.parameters(before, after, &mut lost);
        sent.body(before, after, &mut lost);
        Sides { direction: Direction::Answered, ..sent }.answers(before, after, &mut lost);
    }
    found
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn listed(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn operations(spec: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let of =
        |(path, item)| members(item).map(move |(method, operation)| (String::as_str(path), method.as_str(), operation));
    members(&spec["paths"]).flat_map(of)
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

impl<'a> Sides<'a> {
    /// Schemas that refer to themselves are followed so far.
    const DEEPEST: usize = 12;

    fn is_sent(self) -> bool {
        self.direction == Direction::Sent
    }

    /// Those of an operation.
    fn parameters(self, before: &'a Value, after: &'a Value, lost: &mut dyn FnMut(String)) {
        let (before, after) = (&before["parameters"], &after["parameters"]);
        let same = |one: &Value, other: &Value| one["name"] == other["name"] && one["in"] == other["in"];
        for old in listed(before) {
            let at = format!("the parameter {}", old["name"]);
            let Some(new) = listed(after).find(|new| same(new, old)) else {
                lost(format!("{at} is gone"));
                continue;
            };
            if new["required"] == true && old["required"] != true {
                lost(format!("{at} is needed"));
            }
            self.compare(&old["schema"], &new["schema"], &at, lost, 0);
        }
        for new in listed(after).filter(|new| new["required"] == true) {
            if !listed(before).any(|old| same(old, new)) {
                lost(format!("the parameter {} is needed", new["name"]));
            }
        }
    }

    /// What an operation is sent.
    fn body(self, before: &'a Value, after: &'a Value, lost: &mut dyn FnMut(String)) {
        let (before, after) = (&before["requestBody"], &after["requestBody"]);
        if after["required"] == true && before["required"] != true {
            lost("a body is needed".to_owned());
        }
        for (kind, content) in members(&before["content"]) {
            self.compare(&content["schema"], &after["content"][kind]["schema"], "body", lost, 0);
        }
    }

    /// What an operation answers, refusals among it.
    fn answers(self, before: &'a Value, after: &'a Value, lost: &mut dyn FnMut(String)) {
        for (status, was) in members(&before["responses"]) {
            let was = resolved(self.old, was);
            let now = resolved(self.new, &after["responses"][status]);
            if now.is_null() {
                lost(format!("it does not answer {status} any more"));
                continue;
            }
            for (name, _) in members(&was["headers"]).filter(|(name, _)| now["headers"][name].is_null()) {
                lost(format!("{status} has no header {name} any more"));
            }
            for code in listed(&was["x-codes"]).filter(|code| listed(&now["x-codes"]).all(|kept| kept != *code)) {
                lost(format!("{status} does not tell {code} any more"));
            }
            for (kind, content) in members(&was["content"]) {
                self.compare(&content["schema"], &now["content"][kind]["schema"], status, lost, 0);
            }
        }
    }

    /// Each way to be what the old schema takes has to fit one of the new schema: the one that loses the least is told of.
    fn compare(self, old: &'a Value, new: &'a Value, at: &str, lost: &mut dyn FnMut(String), depth: usize) {
        if depth > Self::DEEPEST || old.is_null() {
            return;
        }
        if new.is_null() {
            return lost(format!("{at} is gone"));
        }
        match (self.direction, may_be_null(self.old, old), may_be_null(self.new, new)) {
            (Direction::Answered, false, true) => lost(format!("{at} may be null")),
            (Direction::Sent, true, false) => lost(format!("{at} may not be null any more")),
            _ => {}
        }
        let (was, now) = (shapes(self.old, old), shapes(self.new, new));
        for before in &was {
            let each = now.iter().map(|after| {
                let mut lost = Vec::new();
                self.fit(before, after, at, &mut |what| lost.push(what), depth);
                lost
            });
            let mut each: Vec<Vec<String>> = each.collect();
            each.sort_by_key(Vec::len);
            // Whoever was answered one thing knows no other.
            let are_others =
                each.first().is_some_and(Vec::is_empty) && each.last().is_some_and(|last| !last.is_empty());
            if !self.is_sent() && was.len() == 1 && are_others {
                lost(format!("{at} may be something else"));
            }
            each.into_iter().take(1).flatten().for_each(&mut *lost);
        }
    }

    fn fit(self, before: &Shape<'a>, after: &Shape<'a>, at: &str, lost: &mut dyn FnMut(String), depth: usize) {
        self.types(before, after, at, lost);
        self.words(before, after, at, lost);
        if self.is_sent() {
            narrowed(before, after, at, lost);
        }
        let (had, has) = (before.of("additionalProperties"), after.of("additionalProperties"));
        if had.is_object() && has.is_object() {
            self.compare(had, has, &format!("{at}.*"), lost, depth + 1);
        } else if self.is_sent() && !has.is_null() && has != had && *has != true {
            lost(format!("{at} has additionalProperties {has} and had {had}"));
        }
        for &(name, schema, needed) in &before.members {
            let at = format!("{at}.{name}");
            // Parts may share a name: what fits one of them fits.
            let each = after.members.iter().filter(|(now, ..)| *now == name).map(|&(_, now, needed_now)| {
                let mut lost = Vec::new();
                match self.direction {
                    Direction::Sent if needed_now && !needed => lost.push(format!("{at} is needed")),
                    Direction::Answered if needed && !needed_now => lost.push(format!("{at} may be missing")),
                    Direction::Sent | Direction::Answered => {}
                }
                self.compare(schema, now, &at, &mut |what| lost.push(what), depth + 1);
                lost
            });
            match each.min_by_key(Vec::len) {
                None => lost(format!("{at} is gone")),
                Some(found) => found.into_iter().for_each(&mut *lost),
            }
        }
        for (name, _, needed) in after.members.iter().filter(|_| self.is_sent()) {
            if *needed && !before.members.iter().any(|(old, ..)| old == name) {
                lost(format!("{at}.{name} is needed"));
            }
        }
        self.compare(before.of("items"), after.of("items"), &format!("{at}[]"), lost, depth + 1);
    }

    /// Whoever sends may send what it sent; whoever is answered gets nothing that it did not get.
    fn types(self, before: &Shape<'a>, after: &Shape<'a>, at: &str, lost: &mut dyn FnMut(String)) {
        let (was, is) = (before.types(), after.types());
        let (whole, part) = if self.is_sent() { (&is, &was) } else { (&was, &is) };
        // One without a type is of any.
        let fits = whole.is_empty() || !part.is_empty() && part.is_subset(whole);
        if !fits {
            lost(format!("{at} is {} and was {}", after.of("type"), before.of("type")));
        }
        let (had, has) = (before.of("format"), after.of("format"));
        let is_closer = if self.is_sent() { !has.is_null() } else { !had.is_null() };
        if is_closer && had != has {
            lost(format!("{at} has format {has} and had {had}"));
        }
    }

    /// Words that are gone. Whoever waits for one that is answered waits for ever; that more may come everybody was told.
    fn words(self, before: &Shape<'a>, after: &Shape<'a>, at: &str, lost: &mut dyn FnMut(String)) {
        let does = if self.is_sent() { "take" } else { "say" };
        match (before.of("enum").as_array(), after.of("enum").as_array()) {
            (Some(before), Some(now)) => {
                for word in before.iter().filter(|word| !word.is_null() && !now.contains(word)) {
                    lost(format!("{at} does not {does} {word} any more"));
                }
            }
            (None, Some(_)) if self.is_sent() => lost(format!("{at} takes only some words now")),
            (_, None) | (None, Some(_)) => {}
        }
    }
}

/// Bounds that are tighter.
fn narrowed(before: &Shape<'_>, after: &Shape<'_>, at: &str, lost: &mut dyn FnMut(String)) {
    for (bound, is_lower) in BOUNDS {
        let (had, has) = (before.of(bound), after.of(bound));
        let is_tighter = match (had.as_f64(), has.as_f64()) {
            (Some(before), Some(now)) if is_lower => now > before,
            (Some(before), Some(now)) => now < before,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if is_tighter {
            lost(format!("{at} has {bound} {has} and had {had}"));
        }
    }
    // Whether one pattern takes all that another takes cannot be told: any other one counts as tighter.
    for exact in ["pattern", "multipleOf", "const"] {
        let (had, has) = (before.of(exact), after.of(exact));
        if !has.is_null() && has != had {
            lost(format!("{at} has {exact} {has} and had {had}"));
        }
    }
}

/// What a schema does not say.
static NOTHING: Value = Value::Null;

/// One way to be what a schema takes: the schemas that hold at once, and the members that they name, each with whether it is
/// always there.
#[derive(Clone)]
struct Shape<'a> {
    parts: Vec<&'a Value>,
    members: Vec<(&'a str, &'a Value, bool)>,
}

impl<'a> Shape<'a> {
    /// What the first part that says anything of it says.
    fn of(&self, key: &str) -> &'a Value {
        self.parts.iter().map(|&part| &part[key]).find(|said| !said.is_null()).unwrap_or(&NOTHING)
    }

    fn types(&self) -> BTreeSet<&'a str> {
        self.parts.iter().flat_map(|&part| types(part)).filter(|one| *one != "null").collect()
    }
}

/// All ways: what always holds, with each of what may be chosen. That it may be null is told apart.
fn shapes<'a>(spec: &'a Value, schema: &'a Value) -> Vec<Shape<'a>> {
    let schema = resolved(spec, schema);
    let needed: Vec<_> = listed(&schema["required"]).filter_map(Value::as_str).collect();
    let own = members(&schema["properties"]).map(|(name, one)| (name.as_str(), one, needed.contains(&name.as_str())));
    let mut found = vec![Shape { parts: vec![schema], members: own.collect() }];
    for part in listed(&schema["allOf"]) {
        found = crossed(&found, &shapes(spec, part));
    }
    for choice in ["oneOf", "anyOf"] {
        let all = listed(&schema[choice]).filter(|one| types(resolved(spec, one)) != ["null"]);
        let each: Vec<_> = all.flat_map(|one| shapes(spec, one)).collect();
        if !each.is_empty() {
            found = crossed(&found, &each);
        }
    }
    found
}

/// Each of these with each of those.
fn crossed<'a>(these: &[Shape<'a>], those: &[Shape<'a>]) -> Vec<Shape<'a>> {
    let both = |one: &Shape<'a>, other: &Shape<'a>| Shape {
        parts: [&one.parts[..], &other.parts].concat(),
        members: [&one.members[..], &other.members].concat(),
    };
    these.iter().flat_map(|one| those.iter().map(move |other| both(one, other))).collect()
}

fn may_be_null(spec: &Value, schema: &Value) -> bool {
    let schema = resolved(spec, schema);
    let mut choices = ["oneOf", "anyOf"].into_iter().flat_map(move |choice| listed(&schema[choice]));
    types(schema).contains(&"null") || choices.any(|one| may_be_null(spec, one))
}

fn resolved<'a>(spec: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|reference| spec.pointer(reference.strip_prefix('#')?)) {
        Some(found) => resolved(spec, found),
        None => schema,
    }
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        Value::String(one) => vec![one.as_str()],
        _ => Vec::new(),
    }
}
