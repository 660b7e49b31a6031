//! What the API promises is kept from one commit to the next, or it is said that it is not.

use std::process::Command;

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
    let Some(before) = previous(&now) else {
        eprintln!("there is no earlier {DESCRIPTION} in this clone: nothing was compared");
        return;
    };
    let parse = |text: &str| serde_json::from_str::<Value>(text).expect("the description is JSON");
    for loss in losses(&parse(&before), &parse(&now)) {
        if !declared.lines().any(|line| line.strip_prefix("- ").is_some_and(|line| line == loss)) {
            rule.broken_in(DECLARED, format_args!("lacks the line \"- {loss}\""));
        }
    }
    rule.hold();
}

/// A description of one operation.
fn described(parameter: &Value, sent: &Value, answered: &Value) -> Value {
    json!({ "paths": { "/things": { "post": {
        "operationId": "AddThing",
        "security": [{ "bearer": ["admin"] }],
        "parameters": [parameter],
        "requestBody": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Sent" } } } },
        "responses": { "201": { "content": { "application/json": { "schema": answered } } } },
    } } }, "components": { "schemas": { "Sent": sent } } })
}

#[test]
fn every_kind_of_loss_is_found_and_nothing_else() {
    let parameter = json!({ "name": "limit", "in": "query", "schema": { "type": "integer" } });
    let sent = json!({ "type": "object", "required": ["name"], "properties": {
        "name": { "type": "string" }, "kind": { "type": "string", "enum": ["a", "b"] } } });
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
        new["paths"]["/others"] = json!({ "get": { "operationId": "ListOthers" } });
    });
    assert_eq!(more, [""; 0]);

    let one = |loss: &str, change: &dyn Fn(&mut Value)| assert_eq!(changed(change), [format!("AddThing: {loss}")]);
    one("POST /things is gone", &|new| at(new, "/paths", json!({})));
    one("it is called \"MakeThing\" now", &|new| at(new, &format!("{operation}/operationId"), json!("MakeThing")));
    one("another right is needed", &|new| at(new, &format!("{operation}/security"), json!([])));
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
