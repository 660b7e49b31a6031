//! Requests that no route takes: nothing at the address, another method, an address that cannot be read, or a query that
//! nobody would read.

use actix_web::{
    HttpRequest, HttpResponse,
    dev::ResourceDef,
    error::{PathError, QueryPayloadError},
    http::{Method, header::ALLOW},
    web::{Data, Query},
};
use keytrail_domain::access::Scope;
use serde_json::Value;
use utoipa::openapi::{
    OpenApi, PathItem,
    path::{Operation, ParameterIn},
};
use uuid::Uuid;

use super::{
    Api,
    error::{ApiError, Code},
    input::{without_secret, without_secrets},
    scopes::{also_in, scope_of},
};

/// Every address of the description.
pub(super) struct Known(Vec<KnownAddress>);

struct KnownAddress {
    path: ResourceDef,
    /// The methods it takes.
    methods: String,
    operations: Vec<KnownOperation>,
}

struct KnownOperation {
    method: Method,
    /// What a token with scopes needs, and what else lets it in.
    scope: Option<(Scope, &'static [Scope])>,
    /// The parameters of its query, each with what it takes.
    query: Vec<(String, Value)>,
    /// Whether it is one of the API and takes no query.
    refuses_queries: bool,
}

impl KnownOperation {
    fn of(path: &str, method: Method, operation: &Operation) -> Self {
        let parameters = operation.parameters.iter().flatten();
        let query: Vec<_> = parameters
            .filter(|one| matches!(one.parameter_in, ParameterIn::Query))
            .map(|one| (one.name.clone(), serde_json::to_value(&one.schema).unwrap_or_default()))
            .collect();
        let name = operation.operation_id.as_deref();
        let scope = name.and_then(|name| Some((scope_of(name)?, also_in(name))));
        // Not what looks after the server or delivers to it: an address may have been given to it with a query.
        let refuses_queries = query.is_empty() && path.starts_with("/api/");
        Self { method, scope, query, refuses_queries }
    }
}

impl Known {
    /// Of this description.
    pub(super) fn of(spec: &OpenApi) -> Self {
        let methods = |item: &PathItem| {
            let all = [(&item.get, "GET, HEAD"), (&item.post, "POST"), (&item.put, "PUT"), (&item.delete, "DELETE")];
            let mut words: Vec<_> =
                all.into_iter().filter_map(|(operation, word)| operation.is_some().then_some(word)).collect();
            words.push("OPTIONS");
            words.join(", ")
        };
        let operations = |path: &str, item: &PathItem| {
            let all = [
                (&item.get, Method::GET),
                (&item.post, Method::POST),
                (&item.put, Method::PUT),
                (&item.delete, Method::DELETE),
            ];
            let known = |(operation, method): (&Option<Operation>, Method)| {
                operation.as_ref().map(|operation| KnownOperation::of(path, method, operation))
            };
            all.into_iter().filter_map(known).collect()
        };
        let known = |(path, item): (&String, &PathItem)| KnownAddress {
            path: ResourceDef::new(path.as_str()),
            methods: methods(item),
            operations: operations(path, item),
        };
        Self(spec.paths.paths.iter().map(known).collect())
    }

    /// What a token with scopes needs for this request, and what else lets it in; nothing where no such token has a right.
    pub(super) fn scope(&self, request: &HttpRequest) -> Option<(Scope, &'static [Scope])> {
        self.operation(request)?.scope
    }

    fn operation(&self, request: &HttpRequest) -> Option<&KnownOperation> {
        // As the router matched it: no other form of the address counts.
        let pattern = request.match_pattern()?;
        let known = self.0.iter().find(|known| known.path.pattern() == Some(pattern.as_str()))?;
        known.operations.iter().find(|one| one.method == *request.method())
    }

    fn at(&self, path: &str) -> Option<&KnownAddress> {
        self.0.iter().find(|known| known.path.is_match(path))
    }
}

/// Says what is wrong with the address or the method.
pub(super) async fn unrouted(request: HttpRequest, api: Data<Api>) -> Result<HttpResponse, ApiError> {
    match api.known.at(request.match_info().as_str()).map(|known| known.methods.as_str()) {
        Some(methods) if *request.method() == Method::OPTIONS => {
            Ok(HttpResponse::NoContent().insert_header((ALLOW, methods)).finish())
        }
        Some(methods) => {
            let detail = format!("This address takes {methods}.");
            Err(ApiError::new(Code::MethodNotAllowed, detail).header(ALLOW, methods))
        }
        None => Err(ApiError::new(Code::RouteUnknown, "The addresses of this server are listed at /docs/.")),
    }
}

/// A part of the address does not have its form. The parser repeats letters of it, which may be those of a secret.
pub(super) fn bad_path(_: &PathError) -> ApiError {
    ApiError::new(Code::ParameterInvalid, "A part of the address cannot be read. Ids are UUIDs, as answers give them.")
}

/// A query parameter is unknown or does not have its form. The parser repeats values, which may be secrets that stand in
/// the wrong place, and does not say of which parameter: the description does.
pub(super) fn bad_query(error: &QueryPayloadError, request: &HttpRequest) -> ApiError {
    let text = match error {
        QueryPayloadError::Deserialize(reason) => reason.to_string(),
        _ => String::new(),
    };
    let names_only = ["unknown field", "missing field", "duplicate field"];
    if names_only.iter().any(|start| text.starts_with(start)) {
        return ApiError::new(Code::QueryInvalid, format!("The query cannot be read: {}.", without_secrets(&text)));
    }
    let sent = Query::<Vec<(String, String)>>::from_query(request.query_string()).map(Query::into_inner);
    let known = request.app_data::<Data<Api>>().and_then(|api| api.known.operation(request));
    let wrong = known.zip(sent.ok()).and_then(|(known, sent)| {
        let mut all = known.query.iter();
        all.find_map(|(name, schema)| {
            let values = sent.iter().filter(|(sent, _)| sent == name);
            values.filter_map(|(_, value)| misfit(schema, value)).next().map(|takes| (name, takes))
        })
    });
    let detail = match wrong {
        Some((name, takes)) => format!("The parameter {name} cannot be read: it takes {takes}."),
        None => "One of the values of the query does not have its form.".to_owned(),
    };
    ApiError::new(Code::QueryInvalid, detail)
}

/// Refuses a query where nobody reads one: who sends it counts on something that would not happen. An operation that takes
/// one refuses by itself what it does not know.
pub(super) fn refuse_unread_query(request: &HttpRequest) -> Result<(), ApiError> {
    if request.query_string().is_empty() {
        return Ok(());
    }
    let known = request.app_data::<Data<Api>>().and_then(|api| api.known.operation(request));
    if known.is_none_or(|known| !known.refuses_queries) {
        return Ok(());
    }
    let sent = Query::<Vec<(String, String)>>::from_query(request.query_string()).map(Query::into_inner);
    let detail = match sent.as_deref().map(<[_]>::first) {
        // Separators alone.
        Ok(None) => return Ok(()),
        Ok(Some((name, _))) => {
            format!("The parameter {} is unknown: this operation takes no query.", without_secret(name))
        }
        Err(_) => "The query cannot be read: this operation takes none.".to_owned(),
    };
    Err(ApiError::new(Code::QueryInvalid, detail))
}

/// What a parameter takes, when this value is nothing of it.
fn misfit(schema: &Value, value: &str) -> Option<String> {
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
        return (!words.contains(&value)).then(|| words.join(", "));
    }
    let text = |member: &str| schema[member].as_str().unwrap_or_default();
    let (fits, takes) = match (text("type"), text("format"), schema["minimum"].is_number()) {
        ("integer", "int32", true) => (value.parse::<u32>().is_ok(), "a whole number from 0 on"),
        ("integer", _, true) => (value.parse::<u64>().is_ok(), "a whole number from 0 on"),
        ("integer", ..) => (value.parse::<i64>().is_ok(), "a whole number"),
        ("boolean", ..) => (matches!(value, "true" | "false"), "true or false"),
        (_, "uuid", _) => (Uuid::parse_str(value).is_ok(), "a UUID, as answers give it"),
        _ => (true, ""),
    };
    (!fits).then(|| takes.to_owned())
}
