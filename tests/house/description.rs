//! What the API promises is kept from one commit to the next, or it is said that it is not.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{breaking::losses, rule::Rule, tree};

const DESCRIPTION: &str = "openapi/v1.json";
const DECLARED: &str = "openapi/breaking-changes.md";

/// What clients were made from: the descriptions that landed since the last release, without words and examples, with their
/// SHA-256. However often the description is made anew, it is compared with these. One is added and none is changed; with a
/// release its description becomes the only one.
const BASELINES: [(&str, &str); 2] = [
    ("openapi/baselines/1.json", "c3fd8ff679deee8d57f075f789af9d59c71fdf608e19057ac67055e56621c1c4"),
    ("openapi/baselines/2.json", "799c279212fb45733b2cc2d30d671cdf15165962732f8e87955676b62ac35c3f"),
];

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("a description is JSON")
}

/// What is not declared, and what is declared and lost by nobody.
fn misdeclared<'a>(lost: &'a BTreeSet<String>, declared: &BTreeSet<&'a str>) -> [Vec<&'a str>; 2] {
    let lost: BTreeSet<&str> = lost.iter().map(String::as_str).collect();
    [&lost - declared, declared - &lost].map(|lines| lines.into_iter().collect())
}

#[test]
fn what_breaks_clients_of_the_api_is_declared_and_nothing_else() {
    let mut rule =
        Rule::new("openapi/breaking-changes.md has a line for each loss of clients of the API, and no other");
    let now = tree::read(DESCRIPTION);
    let declared = tree::read(DECLARED);
    let version = version_of(&now);
    let now = parsed(&now);
    let lost = BASELINES.iter().flat_map(|(baseline, _)| losses(&parsed(&tree::read(baseline)), &now)).collect();
    let [missing, idle] = misdeclared(&lost, &under(&declared, &version).into_iter().collect());
    for line in missing {
        rule.broken_in(DECLARED, format_args!("lacks the line \"- {line}\" under \"## {version}\""));
    }
    for line in idle {
        rule.broken_in(DECLARED, format_args!("has the line \"- {line}\" under \"## {version}\", which nobody lost"));
    }
    rule.hold();
}

#[test]
fn a_baseline_stays_as_it_landed() {
    let mut rule = Rule::new("a baseline of the description is never changed, so that no loss is hidden");
    for (path, landed) in BASELINES {
        let digest = Sha256::digest(tree::read(path));
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        if digest != landed {
            rule.broken_in(path, format_args!("has the SHA-256 {digest}"));
        }
    }
    for name in tree::names_in("openapi/baselines") {
        if !BASELINES.iter().any(|(path, _)| path.ends_with(&format!("/{name}"))) {
            rule.broken_in(
                "tests/house/description.rs",
                format_args!("compares nothing with openapi/baselines/{name}"),
            );
        }
    }
    rule.hold();
}

#[test]
fn a_loss_is_declared_and_what_is_declared_is_a_loss() {
    let lost = BTreeSet::from(["A: gone".to_owned(), "B: gone".to_owned()]);
    let judged = |declared: &[&'static str]| misdeclared(&lost, &declared.iter().copied().collect());
    assert_eq!(judged(&["A: gone", "B: gone"]), [vec![""; 0], vec![]]);
    assert_eq!(judged(&["B: gone"]), [vec!["A: gone"], vec![]]);
    assert_eq!(judged(&["A: gone", "B: gone", "C: gone"]), [vec![], vec!["C: gone"]]);
}

#[test]
fn making_the_description_anew_twice_hides_no_loss() {
    let answered = |members: Value| described(&json!({}), &json!({}), &json!({ "properties": members }));
    let landed = answered(json!({ "id": { "type": "string" }, "size": { "type": "integer" } }));
    let once = answered(json!({ "id": { "type": "string" } }));
    let twice = answered(json!({ "id": { "type": "string" }, "name": { "type": "string" } }));
    assert!(losses(&once, &twice).is_empty(), "the one before does not tell of it");
    assert_eq!(losses(&landed, &twice), BTreeSet::from(["AddThing: 201.size is gone".to_owned()]));
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
    parsed(description)["info"]["version"].as_str().expect("a version").to_owned()
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
        "responses": {
            "201": { "headers": { "ETag": {} }, "content": { "application/json": { "schema": answered } } },
            "409": { "$ref": "#/components/responses/Conflict" },
        },
    } } }, "components": {
        "schemas": { "Sent": sent },
        "responses": { "Conflict": { "x-codes": ["thing_taken", "thing_gone"] } },
    } })
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
    one("it does not answer 201 any more", &|new| at(new, &format!("{operation}/responses/201"), Value::Null));
    one("it does not answer 409 any more", &|new| at(new, &format!("{operation}/responses/409"), Value::Null));
    one("409 does not tell \"thing_gone\" any more", &|new| {
        at(new, "/components/responses/Conflict/x-codes", json!(["thing_taken", "thing_new"]));
    });
    one("201 has no header ETag any more", &|new| {
        at(new, &format!("{operation}/responses/201/headers"), json!({ "X-Tag": {} }));
    });
    one("201.id may be missing", &|new| at(new, &format!("{answer}/required"), json!([])));
    one("201.id may be null", &|new| at(new, &format!("{answer}/properties/id/type"), json!(["string", "null"])));
    one("201.id is \"integer\" and was \"string\"", &|new| {
        at(new, &format!("{answer}/properties/id/type"), json!("integer"));
    });
    one("201.parts[].size is gone", &|new| {
        at(new, &format!("{answer}/properties/parts/items/properties"), json!({}));
    });
}

#[test]
fn what_may_be_chosen_is_compared_with_what_it_fits_best() {
    let place = |needed: &[&str], kinds: &[&str]| {
        let folder = json!({ "type": "object", "required": ["kind", "path"], "properties": {
            "kind": { "type": "string", "enum": ["folder"] }, "path": { "type": "string" } } });
        let server = json!({ "type": "object", "required": needed, "properties": {
            "kind": { "type": "string", "enum": ["server"] }, "url": { "type": "string" }, "user": { "type": "string" } } });
        let mut all = vec![folder, server];
        all.retain(|one| kinds.iter().any(|kind| one["properties"]["kind"]["enum"][0] == *kind));
        json!({ "oneOf": all })
    };
    let state = |words: &[&str]| json!({ "oneOf": [{ "type": "null" }, { "type": "string", "enum": words }] });
    let whole = |sent: &Value, answered: &Value| {
        let parted = json!({ "allOf": [sent, { "type": "object", "properties": { "name": { "type": "string" } } }] });
        described(&json!({}), &parted, &json!({ "type": "object", "properties": { "state": answered } }))
    };
    let both = ["folder", "server"];
    let old = whole(&place(&["kind", "url"], &both), &state(&["idle", "done"]));
    let lost = |sent: &Value, answered: &Value| losses(&old, &whole(sent, answered)).into_iter().collect::<Vec<_>>();
    let (sent, answered) = (place(&["kind", "url"], &both), state(&["idle", "done"]));

    assert_eq!(lost(&sent, &answered), [""; 0]);
    assert_eq!(lost(&place(&["kind"], &both), &state(&["idle", "done", "lost"])), [""; 0]);
    assert_eq!(lost(&place(&["kind", "url", "user"], &both), &answered), ["AddThing: body.user is needed"]);
    let words = ["AddThing: 201.state does not say \"done\" any more"];
    assert_eq!(lost(&sent, &state(&["idle", "ended"])), words);
    let gone = lost(&place(&["kind", "url"], &["folder"]), &answered);
    assert!(gone.contains(&"AddThing: body.kind does not take \"server\" any more".to_owned()), "{gone:?}");
    assert_eq!(lost(&sent, &json!({ "type": "string", "enum": ["idle", "done"] })), [""; 0]);
    // Told the other way round, what is sent may be null no more, and what is answered may be.
    let plain = whole(&sent, &json!({ "type": "string", "enum": ["idle", "done"] }));
    assert_eq!(losses(&plain, &old), BTreeSet::from(["AddThing: 201.state may be null".to_owned()]));
    // What was one thing may not become one of two.
    let thing = json!({ "type": "object", "required": ["id"], "properties": { "id": { "type": "string" } } });
    let other = json!({ "type": "object", "properties": { "position": { "type": "integer" } } });
    let (alone, either) = (whole(&sent, &thing), whole(&sent, &json!({ "anyOf": [thing, other] })));
    let else_than = BTreeSet::from(["AddThing: 201.state may be something else".to_owned()]);
    assert_eq!((losses(&alone, &either), losses(&either, &either)), (else_than, BTreeSet::new()));
}
