//! The headers of answers: each is described once, and stands at every answer that may carry it. Called by the conventions
//! for every operation.

use utoipa::openapi::{HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, Schema, path::Operation, schema::Type};

/// What of an operation tells which headers its answers have.
pub(super) struct Facts {
    /// It needs a token.
    pub(super) is_secured: bool,
    /// It takes an idempotency key.
    pub(super) has_key: bool,
    /// It changes what has a version.
    pub(super) changes: bool,
    /// It is about one thing that has a version.
    pub(super) is_versioned: bool,
    /// It makes something, or begins long work.
    pub(super) begins: bool,
}

/// A header, and with which answers it comes.
struct Described {
    name: &'static str,
    schema: &'static str,
    kind: Type,
    description: &'static str,
    comes_with: fn(&Facts, &str) -> bool,
}

const fn is_done(status: &str) -> bool {
    matches!(status.as_bytes(), [b'2', ..])
}

fn has_budget(facts: &Facts, status: &str) -> bool {
    facts.is_secured && status != "401" || status == "429"
}

const ALL: &[Described] = &[
    Described {
        name: "X-Request-Id",
        schema: "RequestIdHeader",
        kind: Type::String,
        description: "The request, as the server's log names it.",
        comes_with: |_, _| true,
    },
    Described {
        name: "RateLimit-Limit",
        schema: "RateLimitHeader",
        kind: Type::Integer,
        description: "How many requests may be made at once.",
        comes_with: has_budget,
    },
    Described {
        name: "RateLimit-Remaining",
        schema: "RateRemainingHeader",
        kind: Type::Integer,
        description: "How many of them are left.",
        comes_with: has_budget,
    },
    Described {
        name: "RateLimit-Reset",
        schema: "RateResetHeader",
        kind: Type::Integer,
        description: "In how many seconds all of them are back.",
        comes_with: has_budget,
    },
    Described {
        name: "Retry-After",
        schema: "RetryAfterHeader",
        kind: Type::Integer,
        description: "In how many seconds asking again may help.",
        comes_with: |_, status| ["202", "429", "502", "503", "507"].contains(&status),
    },
    Described {
        name: "WWW-Authenticate",
        schema: "AuthenticateHeader",
        kind: Type::String,
        description: "How to come in: with a bearer token.",
        comes_with: |_, status| status == "401",
    },
    Described {
        name: "ETag",
        schema: "EtagHeader",
        kind: Type::String,
        description: "The version of what is shown, for If-Match.",
        comes_with: |facts, status| facts.is_versioned && is_done(status),
    },
    Described {
        name: "X-Log-Position",
        schema: "LogPositionHeader",
        kind: Type::Integer,
        description: "The position of the change in the log, for min_position.",
        comes_with: |facts, status| facts.changes && is_done(status),
    },
    Described {
        name: "Location",
        schema: "LocationHeader",
        kind: Type::String,
        description: "Where what was made, or was begun, is shown.",
        comes_with: |facts, status| facts.begins && ["201", "202"].contains(&status),
    },
    Described {
        name: "Idempotency-Replayed",
        schema: "ReplayedHeader",
        kind: Type::String,
        description: "`true` when this answers what was done at an earlier request with the same idempotency key.",
        comes_with: |facts, status| facts.has_key && is_done(status),
    },
];

/// What each header holds, to be referred to.
pub(super) fn schemas() -> impl Iterator<Item = (&'static str, RefOr<Schema>)> {
    ALL.iter().map(|header| {
        let schema = ObjectBuilder::new().schema_type(header.kind.clone()).description(Some(header.description));
        (header.schema, Schema::Object(schema.build()).into())
    })
}

/// Adds to each answer the headers that it may have.
pub(super) fn add(facts: &Facts, operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        for header in ALL.iter().filter(|header| (header.comes_with)(facts, status)) {
            insert(response, header);
        }
    }
}

fn insert(response: &mut Response, header: &Described) {
    let described = HeaderBuilder::new().schema(Ref::from_schema_name(header.schema)).build();
    response.headers.insert(header.name.to_owned(), described);
}
