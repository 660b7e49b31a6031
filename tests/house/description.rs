//! What the API promises is kept from one commit to the next, or it is said that it is not.

use std::{collections::BTreeSet, process::Command};

use serde_json::{Value, json};

use crate::{breaking::losses, rule::Rule, tree};

const DESCRIPTION: &str = "openapi/v1.json";
const DECLARED: &str = "openapi/breaking-changes.md";

/// What git prints, if it knows an answer.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").current_dir(tree::root()).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The description before the present one: the committed one while it is being changed, otherwise the one before that.
fn previous(now: &str) -> Option<String> {
    let commits = git(&["log", "-n", "2", "--format=%H", "--", DESCRIPTION])?;
    commits.lines().find_map(|commit| git(&["show", &format!("{commit}:{DESCRIPTION}")]).filter(|then| then != now))
}

#[test]
fn a_breaking_change_of_the_api_is_declared() {
    let mut rule =
        Rule::new("a change that breaks clients of the API stands in openapi/breaking-changes.md, as a line");
    let now = tree::read(DESCRIPTION);
    let declared = tree::read(DECLARED);
    let version = version_of(&now);
    let excused = under(&declared, &version);
    let Some(before) = previous(&now) else {
        eprintln!("there is no earlier {DESCRIPTION} in this clone: nothing was compared");
        return;
    };
    let parse = |text: &str| serde_json::from_str::<Value>(text).expect("the description is JSON");
    for loss in losses(&parse(&before), &parse(&now)) {
        if !excused.contains(&loss.as_str()) {
            rule.broken_in(DECLARED, format_args!("lacks the line \"- {loss}\" under \"## {version}\""));
        }
    }
    rule.hold();
}

#[test]
fn a_breaking_change_is_declared_once() {
    let mut rule = Rule::new("a line stands once under its version in openapi/breaking-changes.md");
    let declared = tree::read(DECLARED);
    for version in declared.lines().filter_map(|line| line.strip_prefix("## ")) {
        let mut seen = BTreeSet::new();
        for line in under(&declared, version).into_iter().filter(|line| !seen.insert(*line)) {
            rule.broken_in(DECLARED, format_args!("has the line \"- {line}\" again under \"## {version}\""));
        }
    }
    rule.hold();
}

/// The version that a description is of.
fn version_of(description: &str) -> String {
    let description: Value = serde_json::from_str(description).expect("the description is JSON");
    description["info"]["version"].as_str().expect("a version").to_owned()
}

/// What was declared under the heading of one version: a line excuses the loss of no other.
fn under<'a>(declared: &'a str, version: &str) -> Vec<&'a str> {
    let mut lines = declared.lines().skip_while(|line| line.strip_prefix("## ") != Some(version)).skip(1);
    let own = lines.by_ref().take_while(|line| !line.starts_with("## "));
    own.filter_map(|line| line.strip_prefix("- ")).collect()
}

#[test]
fn a_line_excuses_only_the_loss_of_the_version_that_it_stands_under() {
    let declared = "# Changes\n\n## 0.2.0\n\n- A: gone\n\n## 0.1.0\n\n- B: gone\n- C: gone\n";
    assert_eq!(under(declared, "0.2.0"), ["A: gone"]);
    assert_eq!(under(declared, "0.1.0"), ["B: gone", "C: gone"]);
    assert_eq!(under(declared, "0.3.0"), [""; 0]);
}

/// A description of one operation.
fn described(parameter: &Value, sent: &Value, answered: &Value) -> Value {
    json!({ "paths": { "/things": { "post": {
        "operationId": "AddThing",
        "security": [{ "bearer": ["admin"] }],
        "x-scope": "things:write",
        "parameters": [parameter],
        "requestBody": { "required": false, "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Sent" } } } },
        "responses": { "201": { "content": { "application/json": { "schema": answered } } } },
    } } }, "components": { "schemas": { "Sent": sent } } })
}

#[test]
fn every_kind_of_loss_is_found_and_nothing_else() {
    let parameter = json!({ "name": "limit", "in": "query", "schema": { "type": "integer", "maximum": 500 } });
    let sent = json!({ "type": "object", "required": ["name"], "properties": {
        "name": { "type": "string", "maxLength": 100 }, "kind": { "type": "string", "enum": ["a", "b"] } } });
    let answered = json!({ "type": "object", "required": ["id"], "properties": {
        "id": { "type": "string" }, "parts": { "type": "array", "items": { "type": "object",
            "properties": { "size": { "type": "integer" } } } } } });
    let old = described(&parameter, &sent, &answered);
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut new = old.clone();
        change(&mut new);
        losses(&old, &new).into_iter().collect::<Vec<_>>()
    };
    let at = |new: &mut Value, pointer: &str, value: Value| *new.pointer_mut(pointer).expect("a place") = value;
    let operation = "/paths/~1things/post";
    let body = "/components/schemas/Sent";
    let answer = format!("{operation}/responses/201/content/application~1json/schema");

    assert_eq!(changed(&|_| {}), [""; 0]);
    // More is taken and more is told: nobody loses anything.
    let more = changed(&|new| {
        at(new, &format!("{body}/properties/kind/enum"), json!(["a", "b", "c"]));
        at(new, &format!("{answer}/required"), json!(["id", "parts"]));
        at(new, &format!("{body}/properties/name/maxLength"), json!(200));
        at(new, &format!("{operation}/parameters/0/schema"), json!({ "type": ["integer", "string"] }));
        new["paths"]["/others"] = json!({ "get": { "operationId": "ListOthers" } });
    });
    assert_eq!(more, [""; 0]);

    let one = |loss: &str, change: &dyn Fn(&mut Value)| assert_eq!(changed(change), [format!("AddThing: {loss}")]);
    one("POST /things is gone", &|new| at(new, "/paths", json!({})));
    one("it is called \"MakeThing\" now", &|new| at(new, &format!("{operation}/operationId"), json!("MakeThing")));
    one("another right is needed", &|new| at(new, &format!("{operation}/security"), json!([])));
    one("the scope \"things:all\" is needed and was \"things:write\"", &|new| {
        at(new, &format!("{operation}/x-scope"), json!("things:all"));
    });
    let limit = format!("{operation}/parameters/0/schema");
    one("the parameter \"limit\" is \"string\" and was \"integer\"", &|new| {
        at(new, &limit, json!({ "type": "string", "maximum": 500 }));
    });
    one("the parameter \"limit\" has maximum 100 and had 500", &|new| {
        at(new, &limit, json!({ "type": "integer", "maximum": 100 }));
    });
    one("the parameter \"limit\" has minimum 1 and had null", &|new| {
        at(new, &limit, json!({ "type": "integer", "minimum": 1, "maximum": 500 }));
    });
    one("a body is needed", &|new| at(new, &format!("{operation}/requestBody/required"), json!(true)));
    one("body.name has maxLength 50 and had 100", &|new| {
        at(new, &format!("{body}/properties/name/maxLength"), json!(50));
    });
    one("body.name has pattern \"^a\" and had null", &|new| {
        new["components"]["schemas"]["Sent"]["properties"]["name"]["pattern"] = json!("^a")
    });
    one("the parameter \"limit\" is gone", &|new| at(new, &format!("{operation}/parameters"), json!([])));
    one("the parameter \"page\" is needed", &|new| {
        let more = json!([parameter, { "name": "page", "in": "query", "required": true }]);
        at(new, &format!("{operation}/parameters"), more);
    });
    one("body.kind is gone", &|new| at(new, &format!("{body}/properties"), json!({ "name": { "type": "string" } })));
    one("body.kind is needed", &|new| at(new, &format!("{body}/required"), json!(["name", "kind"])));
    one("body.kind does not take \"b\" any more", &|new| {
        at(new, &format!("{body}/properties/kind/enum"), json!(["a"]));
    });
    one("body.name is \"integer\" and was \"string\"", &|new| {
        at(new, &format!("{body}/properties/name/type"), json!("integer"));
    });
    one("it does not answer 201 any more", &|new| {
        at(new, &format!("{operation}/responses"), json!({ "200": {} }));
    });
    one("201.id may be missing", &|new| at(new, &format!("{answer}/required"), json!([])));
    one("201.parts[].size is gone", &|new| {
        at(new, &format!("{answer}/properties/parts/items/properties"), json!({}));
    });
}
