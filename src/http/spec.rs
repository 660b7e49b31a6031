//! The description of the API: what the routes say of themselves, framed. Committed as openapi/v1.json, served at
//! /openapi.json, shown at /docs/.

mod conventions;
mod examples;
mod headers;
mod pages;
#[cfg(test)]
mod reference;
mod refusals;
mod shared;
mod variants;

use actix_web::{App, HttpResponse, guard::Get, http::header::LOCATION, web};
use serde::Serialize as _;
use serde_json::{Serializer, ser::PrettyFormatter};
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, RefOr, Schema,
    ServerBuilder,
    path::{Operation, PathItem},
    schema::{AdditionalProperties, Type},
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::TagBuilder,
};
use utoipa_actix_web::AppExt;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{changed::Pending, error::Problem, routes, scopes};

/// What a bearer token is called in the description.
const BEARER: &str = "bearer";

const TAGS: [(&str, &str); 13] = [
    ("integrations", "Connections to git repositories."),
    ("installations", "The GitHub Apps of integrations: connected, watched, suspended, repaired."),
    ("repositories", "What integrations see, and the requests to index it."),
    ("index-runs", "Passes of the indexer."),
    ("issues", "Commits and branches by issue."),
    ("operations", "Long work: watched, stopped."),
    ("people", "Whom commits name as authors: found, forgotten."),
    ("history", "The log: every event, and the state after it."),
    ("ssh-keys", "Keys of SSH that the server keeps sealed or finds in files: added, generated, registered, retired."),
    ("host-keys", "The keys by which SSH servers are known: looked at, trusted, accepted or refused when they change."),
    ("tokens", "Who may come in."),
    ("views", "What is shown: how it stands, rebuilt, verified."),
    ("server", "Health and metrics."),
];

/// Everything but the routes.
fn frame() -> OpenApi {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("kt_")
        .description(Some(
            "An access token, or the signed token (JWT) of a service. Roles: viewer, auditor, admin; each may do what \
             the one before may. A token that was made with scopes needs the scope of the operation, too: each operation \
             names it as `x-scope`.",
        ))
        .build();
    let mut problem = <Problem<'_> as utoipa::PartialSchema>::schema();
    let mut behind = problem.clone();
    if let (RefOr::T(Schema::Object(problem)), RefOr::T(Schema::Object(behind))) = (&mut problem, &mut behind) {
        problem.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(true)));
        // Closed, so that programs can tell it from what was asked for.
        behind.description = Some("The view has not come to the position that was asked for.".to_owned());
        let members = [
            ("view", Type::String, "Which."),
            ("position", Type::Integer, "Where it stands."),
            ("min_position", Type::Integer, "What was asked for."),
        ];
        for (name, kind, description) in members {
            let schema = ObjectBuilder::new().schema_type(kind).description(Some(description)).build();
            behind.properties.insert(name.to_owned(), schema.into());
            behind.required.push(name.to_owned());
        }
    }
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Keytrail")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "Ties git to Jira. Times are RFC 3339 in UTC, ids are UUIDs, lists are pages with a cursor. Whatever \
                     is not carried out is answered with application/problem+json and a stable code.",
                ))
                .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
                .build(),
        )
        .servers(Some([ServerBuilder::new().url("/").description(Some("Where this description was read.")).build()]))
        .tags(Some(TAGS.map(|(name, description)| {
            TagBuilder::new().name(name).description(Some(description)).build()
        })))
        .components(Some(
            ComponentsBuilder::new()
                .security_scheme(BEARER, SecurityScheme::Http(bearer))
                .schema("Behind", behind)
                .schema("Problem", problem)
                .schema("Pending", <Pending as utoipa::PartialSchema>::schema())
                .schemas_from_iter(headers::schemas())
                .build(),
        ))
        .build()
}

/// The whole description.
pub fn spec() -> OpenApi {
    let (_, mut spec) =
        App::new().into_utoipa_app().openapi(frame()).configure(|config| routes::routes(config)).split_for_parts();
    pages::refer(&mut spec);
    variants::close(&mut spec, &["Place", "Trust"]);
    let examples = examples::recorded();
    for (path, item) in &mut spec.paths.paths {
        for (is_read, operation) in operations(item) {
            conventions::add(path, is_read, operation);
            scopes::describe(operation);
            examples.add(operation);
        }
    }
    shared::refer(&mut spec);
    spec
}

/// The operations of an address, and whether each only reads.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, &mut Operation)> {
    let read = item.get.iter_mut().map(|operation| (true, operation));
    let others = [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
    read.chain(others.into_iter().flatten().map(|operation| (false, operation)))
}

/// The whole description as it is committed and printed: indented JSON.
pub fn json() -> String {
    // Deeply nested: with two blanks a level, half of it would be blanks.
    let mut text = Vec::new();
    let mut writer = Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b" "));
    // It is made of strings, numbers and lists, which can always be written.
    spec().serialize(&mut writer).map(|()| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
}

/// The description as it is committed, which a test holds to what the routes say. A part of the program as text: as a
/// value it would stay in memory once for each thread that answers, in many small pieces.
const COMMITTED: &str = include_str!("../../openapi/v1.json");
/// Where it is served.
const PLACE: &str = "/openapi.json";

/// The description and its viewer, whose files are part of the program.
pub(super) fn viewer(config: &mut web::ServiceConfig) {
    let to_viewer = || async { HttpResponse::PermanentRedirect().insert_header((LOCATION, "/docs/")).finish() };
    let described = || async { HttpResponse::Ok().content_type("application/json").body(COMMITTED) };
    config
        .route("/docs", web::get().to(to_viewer))
        .service(web::resource(PLACE).guard(Get()).to(described))
        .service(SwaggerUi::new("/docs/{file:.*}").config(Config::new([PLACE])));
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
