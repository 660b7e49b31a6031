//! The description of the API: what the routes say of themselves, framed. Committed as openapi/v1.json, served at
//! /openapi.json, shown at /docs/.

use actix_web::{App, HttpResponse, http::header::LOCATION, web};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder,
    path::{Operation, ParameterIn},
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::TagBuilder,
};
use utoipa_actix_web::AppExt;
use utoipa_swagger_ui::SwaggerUi;

use super::{changed::Pending, error::Problem, routes};

/// What a bearer token is called in the description.
const BEARER: &str = "bearer";

const TAGS: [(&str, &str); 10] = [
    ("integrations", "Connections to git repositories."),
    ("repositories", "What integrations see, and the requests to index it."),
    ("index-runs", "Passes of the indexer."),
    ("issues", "Commits and branches by issue."),
    ("operations", "Long work: watched, stopped."),
    ("people", "Whom commits name as authors: found, forgotten."),
    ("history", "The log: every event, and the state after it."),
    ("tokens", "Who may come in."),
    ("views", "What is shown: how it stands, rebuilt, verified."),
    ("server", "Health and metrics."),
];

/// Everything but the routes.
pub(super) fn frame() -> OpenApi {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("kt_")
        .description(Some("An access token. Roles: viewer, auditor, admin; each may do what the one before may."))
        .build();
    let problem = <Problem<'_> as utoipa::PartialSchema>::schema();
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Keytrail")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "Ties git to Jira. Times are RFC 3339 in UTC, ids are UUIDs, lists are pages with a cursor. Whatever \
                     is not carried out is answered with application/problem+json and a stable code.",
                ))
                .build(),
        )
        .tags(Some(TAGS.map(|(name, description)| {
            TagBuilder::new().name(name).description(Some(description)).build()
        })))
        .components(Some(
            ComponentsBuilder::new()
                .security_scheme(BEARER, SecurityScheme::Http(bearer))
                .schema("Problem", problem)
                .schema("Pending", <Pending as utoipa::PartialSchema>::schema())
                .build(),
        ))
        .build()
}

/// The whole description.
pub fn spec() -> OpenApi {
    let (_, mut spec) = App::new().into_utoipa_app().openapi(frame()).configure(routes::routes).split_for_parts();
    for (path, item) in &mut spec.paths.paths {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
        operations.into_iter().flatten().for_each(|operation| add_common(path, operation));
    }
    spec
}

/// The whole description as it is committed and printed: indented JSON.
pub fn json() -> String {
    // It is made of strings, numbers and lists, which can always be written.
    spec().to_pretty_json().unwrap_or_default()
}

/// What is the same for all routes of a shape; no route repeats it.
fn add_common(path: &str, operation: &mut Operation) {
    let secured = operation.security.is_some();
    let body = operation.request_body.is_some();
    let header = |name: &str| {
        let all = operation.parameters.iter().flatten();
        all.filter(|one| matches!(one.parameter_in, ParameterIn::Header)).any(|one| one.name == name)
    };
    let (condition, key) = (header("If-Match"), header("Idempotency-Key"));
    let problems = [
        ("400", "The address, the query, a header or the body cannot be read.", true),
        ("401", "The token is missing or not accepted.", secured),
        ("403", "The token's role does not allow this.", secured),
        ("404", "There is no such thing.", path.contains('{')),
        ("409", "This cannot be done as things are.", condition || key),
        ("412", "It was changed since If-Match was read.", condition),
        ("413", "The body is too large.", body),
        ("415", "The body is not JSON.", body),
        (
            "422",
            "What the body wishes cannot be done, or the idempotency key was used for another request.",
            body || key,
        ),
        ("428", "If-Match is needed.", condition),
        ("503", "The view is being built, or the server is busy. Retry-After says when to try again.", secured),
        ("507", "There is no space left on the server's disk.", condition || key),
    ];
    if (condition || key) && !operation.responses.responses.contains_key("202") {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Pending"))).build();
        let response = ResponseBuilder::new()
            .description("It is done and on disk; the view does not show it yet.")
            .content("application/json", content)
            .build();
        operation.responses.responses.insert("202".to_owned(), RefOr::T(response));
    }
    for (status, description, _) in problems.into_iter().filter(|(.., applies)| *applies) {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response =
            ResponseBuilder::new().description(description).content("application/problem+json", content).build();
        operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
    }
}

/// The description and its viewer, whose files are part of the program.
pub(super) fn viewer(config: &mut web::ServiceConfig) {
    let to_viewer = || async { HttpResponse::PermanentRedirect().insert_header((LOCATION, "/docs/")).finish() };
    config
        .route("/docs", web::get().to(to_viewer))
        .service(SwaggerUi::new("/docs/{file:.*}").url("/openapi.json", spec()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_description_is_the_one_that_the_routes_give() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/v1.json");
        let now = json() + "\n";
        #[expect(clippy::disallowed_methods, reason = "a switch for who changes a route, not for the program")]
        let rewrite = std::env::var_os("KEYTRAIL_WRITE_OPENAPI").is_some();
        if rewrite {
            std::fs::write(path, &now).expect("the folder openapi can be written");
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == now,
            "openapi/v1.json is not what the routes say; run KEYTRAIL_WRITE_OPENAPI=1 cargo test -p keytrail spec and \
             look at the difference"
        );
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let text = spec().to_json().expect("a description is JSON");
        let spec: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap_or_default();
            assert!(spec.pointer(pointer).is_some(), "{pointer} is described nowhere");
        }
    }

    #[test]
    fn every_operation_has_a_name_in_command_words_a_tag_and_a_summary() {
        for (path, item) in spec().paths.paths {
            for operation in [item.get, item.post, item.put, item.delete].into_iter().flatten() {
                let name = operation.operation_id.expect(&path);
                assert!(name.starts_with(|first: char| first.is_ascii_uppercase()), "{name}");
                assert!(operation.summary.is_some_and(|summary| !summary.is_empty()), "{name}");
                let tags = operation.tags.unwrap_or_default();
                assert!(tags.len() == 1 && TAGS.iter().any(|(tag, _)| *tag == tags[0]), "{name}: {tags:?}");
            }
        }
    }
}
