//! Examples of the description: exchanges with a real server, recorded and committed as openapi/examples.json by the tests
//! of the API, which also tell when they are true no longer.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use utoipa::openapi::{RefOr, Schema, path::Operation};

/// By the names of operations.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Examples(BTreeMap<String, Exchange>);

#[derive(Deserialize)]
struct Exchange {
    /// The values of its parameters, by their names.
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
    /// What was sent.
    request: Option<Value>,
    /// What came, by status.
    #[serde(default)]
    responses: BTreeMap<String, Value>,
}

/// Those that are committed.
pub(super) fn recorded() -> Examples {
    serde_json::from_str(include_str!("../../../openapi/examples.json")).unwrap_or(Examples(BTreeMap::new()))
}

impl Examples {
    /// Adds them to an operation.
    pub(super) fn add(&self, operation: &mut Operation) {
        let Some(exchange) = operation.operation_id.as_ref().and_then(|name| self.0.get(name)) else { return };
        for parameter in operation.parameters.iter_mut().flatten() {
            if let Some(value) = exchange.parameters.get(&parameter.name)
                && let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema
            {
                schema.examples = vec![value.clone()];
            }
        }
        if let (Some(body), Some(sent)) = (&mut operation.request_body, &exchange.request) {
            body.content.values_mut().for_each(|content| content.example = Some(sent.clone()));
        }
        for (status, came) in &exchange.responses {
            if let Some(RefOr::T(response)) = operation.responses.responses.get_mut(status) {
                response.content.values_mut().for_each(|content| content.example = Some(came.clone()));
            }
        }
    }
}
