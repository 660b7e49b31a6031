//! What all routes of a shape have in common, so that no route repeats it: their refusals, the bounds of what goes by one
//! name everywhere, and that some need no token.

use utoipa::openapi::{
    ContentBuilder, Ref, RefOr, Required, ResponseBuilder, Schema,
    path::{Operation, Parameter, ParameterIn},
    schema::{AnyOfBuilder, SchemaType, Type},
    security::SecurityRequirement,
};

use super::{headers, refusals};

/// Adds it to an operation at this address.
pub(super) fn add(path: &str, is_read: bool, operation: &mut Operation) {
    // Said of each that needs none, as what is left out may have been forgotten.
    let secured = operation.security.get_or_insert_default().iter().any(|one| *one != SecurityRequirement::default());
    for parameter in operation.parameters.iter_mut().flatten() {
        named(parameter);
        bound(parameter);
    }
    let body = operation.request_body.is_some();
    let header = |name: &str| {
        let all = operation.parameters.iter().flatten();
        all.filter(|one| matches!(one.parameter_in, ParameterIn::Header)).any(|one| one.name == name)
    };
    let (condition, key) = (header("If-Match"), header("Idempotency-Key"));
    let must_condition = operation
        .parameters
        .iter()
        .flatten()
        .any(|one| one.name == "If-Match" && matches!(one.required, Required::True));
    let name = operation.operation_id.as_deref().unwrap_or_default();
    let (records, is_told_at_once) = (condition || key || RECORDING.contains(&name), TOLD_AT_ONCE.contains(&name));
    let asks_for_run = ASKING_FOR_RUNS.contains(&name);
    let waits = operation.parameters.iter().flatten().any(|one| one.name == "min_position");
    let problems = [
        ("400", "The address, the query, a header or the body cannot be read.", true),
        ("401", "The token is missing or not accepted.", secured),
        ("403", "The token's role does not allow this.", secured),
        ("404", "There is no such thing.", path.contains('{')),
        ("408", "The body did not arrive in time.", body),
        (
            "409",
            "This cannot be done as things are.",
            records || path.ends_with("/filter-preview") || path.ends_with("/ssh-key-files"),
        ),
        ("412", "It was changed since If-Match was read.", condition),
        ("413", "The body is too large.", body),
        ("415", "The body is not JSON.", body),
        (
            "422",
            "What the body wishes cannot be done, or the idempotency key was used for another request.",
            body && !ALWAYS_POSSIBLE.contains(&name) || key,
        ),
        ("428", "If-Match is needed.", must_condition),
        ("429", "Too many requests were made. Retry-After says when to try again.", secured),
        (
            "500",
            "The server made a mistake, which its log tells of under the request id. Whether a change was recorded is not \
             known: look, or send it again with the same Idempotency-Key.",
            true,
        ),
        ("503", "The view is being built, or the server is busy. Retry-After says when to try again.", secured),
        ("507", "There is no space left on the server's disk.", records),
    ];
    if records && !is_told_at_once && !operation.responses.responses.contains_key("202") {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Pending"))).build();
        let response = ResponseBuilder::new()
            .description("It is done and on disk; the view does not show it yet.")
            .content("application/json", content)
            .build();
        operation.responses.responses.insert("202".to_owned(), RefOr::T(response));
    }
    // One that the view does not show yet is told by its place in the log.
    if asks_for_run
        && let Some(RefOr::T(response)) = operation.responses.responses.get_mut("202")
        && let Some(content) = response.content.get_mut("application/json")
        && let Some(run) = content.schema.take()
    {
        let pending = Ref::from_schema_name("Pending");
        content.schema = Some(AnyOfBuilder::new().item(run).item(pending).into());
    }
    let behind = "The view has not come to min_position yet. Retry-After says when to try again.";
    let problems = problems.into_iter().chain([("202", behind, waits)]);
    for (status, description, _) in problems.filter(|(.., applies)| *applies) {
        let response = ResponseBuilder::new().description(description).build();
        operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
    }
    // A refusal is a problem, and so is a view that has to be waited for.
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.content.is_empty()
            && (status.starts_with(['4', '5']) || status == "202")
        {
            let shape = if status == "202" { "Behind" } else { "Problem" };
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(shape))).build();
            response.content.insert("application/problem+json".to_owned(), content);
        }
    }
    refusals::add(path, is_read, operation);
    let name = operation.operation_id.as_deref().unwrap_or_default();
    let facts = headers::Facts {
        is_secured: secured,
        has_key: key,
        changes: records,
        is_versioned: (records && !OF_SEVERAL.contains(&name)) || VERSIONED.contains(&name),
        begins: condition || key || BEGUN.contains(&name),
    };
    headers::add(&facts, operation);
}

/// Reads of one thing that has a version.
const VERSIONED: [&str; 8] = [
    "GetHostKeys",
    "GetIndexRun",
    "GetInstallation",
    "GetIntegration",
    "GetProjectRules",
    "GetRepository",
    "GetSshKey",
    "GetToken",
];

/// What is recorded without a key: doing it twice is doing it once.
const RECORDING: [&str; 3] = ["ImportKnownHosts", "RepairInstallation", "ScanHostKeys"];

/// Changes whose answer is of no one thing that has a version.
const OF_SEVERAL: [&str; 2] = ["ImportKnownHosts", "ScanHostKeys"];

/// What they wish can always be done: their bodies leave nothing to choose but yes and no.
const ALWAYS_POSSIBLE: [&str; 1] = ["ShareSshKey"];

/// Changes whose answer waits for no view.
const TOLD_AT_ONCE: [&str; 5] =
    ["ConnectGithubApp", "ForgetPerson", "ImportKnownHosts", "ScanHostKeys", "SetProjectRules"];

/// What asks for an index run, and answers with it.
const ASKING_FOR_RUNS: [&str; 3] = ["RequestIndex", "ResetIndex", "RetryIndex"];

/// What begins long work that is not recorded.
const BEGUN: [&str; 3] = ["FetchRepository", "RebuildView", "VerifyViews"];

/// A part of an address, where the route says nothing of it.
fn named(parameter: &mut Parameter) {
    if parameter.description.is_some() || !matches!(parameter.parameter_in, ParameterIn::Path) {
        return;
    }
    let said = match parameter.name.as_str() {
        "delivery" => "The delivery, by the id that the list of deliveries gives.",
        "name" => "As the list of views calls it.",
        _ => "The id, as answers give it.",
    };
    parameter.description = Some(said.to_owned());
}

/// The form of what has one name everywhere.
fn bound(parameter: &mut Parameter) {
    let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema else { return };
    // What may be left out is not sent as null: there is no such thing in an address or a header.
    if let SchemaType::Array(types) = &schema.schema_type
        && let [one] = types.iter().filter(|one| **one != Type::Null).collect::<Vec<_>>()[..]
    {
        schema.schema_type = SchemaType::Type(one.clone());
    }
    match (&parameter.parameter_in, parameter.name.as_str()) {
        (ParameterIn::Query, "limit") => (schema.minimum, schema.maximum) = (Some(1.into()), Some(500.into())),
        (ParameterIn::Query, "cursor" | "name" | "fragment") => schema.min_length = Some(1),
        (ParameterIn::Query, "event") => schema.pattern = Some("^[a-z_]{1,64}$".to_owned()),
        (ParameterIn::Query, "author") => (schema.min_length, schema.max_length) = (Some(1), Some(100)),
        (ParameterIn::Query, "key") => {
            schema.pattern = Some("^[A-Za-z][A-Za-z0-9_]{0,254}(-([1-9][0-9]{0,17})?)?$".to_owned());
        }
        (ParameterIn::Query, "project") => schema.pattern = Some("^[A-Za-z][A-Za-z0-9_]{1,254}$".to_owned()),
        (ParameterIn::Query, "sha") => schema.pattern = Some("^[0-9A-Fa-f]{4,40}$".to_owned()),
        (ParameterIn::Path, "key") => {
            schema.pattern = Some("^[A-Za-z][A-Za-z0-9_]{1,254}-[1-9][0-9]{0,17}$".to_owned());
        }
        (ParameterIn::Path, "sha") | (ParameterIn::Path | ParameterIn::Query, "commit") => {
            schema.pattern = Some("^[0-9A-Fa-f]{7,40}$".to_owned());
        }
        (ParameterIn::Header, "If-Match") => schema.pattern = Some(r#"^(\*|"[0-9]{1,18}")$"#.to_owned()),
        (ParameterIn::Header, "Idempotency-Key") => schema.pattern = Some("^[ -~]{1,200}$".to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    /// What takes no key though it is a POST, with the reason.
    const HARMLESS: &[(&str, &str)] = &[
        ("FetchRepository", "a look that goes on is the one that was asked for"),
        ("ImportKnownHosts", "what is trusted already is said once"),
        ("PreviewFilter", "it reads"),
        ("RebuildView", "a build that goes on is the one that was asked for"),
        ("ReceiveGithubWebhook", "a delivery has an id of its own"),
        ("RepairInstallation", "it does again what is wished already"),
        ("ReplayDelivery", "what follows from a delivery is said once"),
        ("ScanHostKeys", "what a server shows is said once"),
        ("TestConnection", "it keeps nothing"),
        ("VerifyViews", "a verification that goes on is the one that was asked for"),
    ];
    /// PUTs that make something new each time.
    const MAKING: &[&str] = &["RotatePemKey", "RotateWebhookSecret"];

    #[test]
    fn what_is_of_several_things_answers_at_once_and_has_no_version() {
        let spec: Value = serde_json::from_str(&crate::http::spec::json()).expect("a description");
        for path in ["/api/v1/host-keys/scan", "/api/v1/host-keys/import"] {
            let responses = &spec["paths"][path]["post"]["responses"];
            assert!(responses["200"]["headers"].is_object() && responses["202"].is_null(), "{path}: {responses}");
            assert!(responses["200"]["headers"]["ETag"].is_null(), "{path}: {responses}");
        }
        assert!(!spec["paths"]["/api/v1/host-keys"]["post"]["responses"]["201"]["headers"]["ETag"].is_null());
    }

    #[test]
    fn every_change_can_be_sent_again_by_one_rule() {
        let spec: Value = serde_json::from_str(&crate::http::spec::json()).expect("a description");
        let mut harmless = Vec::new();
        for item in spec["paths"].as_object().expect("paths").values() {
            for (method, operation) in item.as_object().expect("operations") {
                let name = operation["operationId"].as_str().expect("a name");
                let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
                let takes = |header: &str| parameters.iter().any(|one| one["name"] == header);
                let (key, condition) = (takes("Idempotency-Key"), takes("If-Match"));
                match method.as_str() {
                    "get" => assert!(!key && !condition, "{name} changes nothing"),
                    "post" if key => {}
                    "post" => harmless.push(name),
                    _ => {
                        assert!(condition, "{name} says how something is to be: let it take If-Match");
                        assert_eq!(key, MAKING.contains(&name), "{name}: a key, or the same each time it is sent");
                    }
                }
            }
        }
        harmless.sort_unstable();
        let known: Vec<_> = HARMLESS.iter().map(|(name, _)| *name).collect();
        assert_eq!(harmless, known, "a POST takes an Idempotency-Key, or has a line in HARMLESS");
    }
}
