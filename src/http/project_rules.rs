//! The rules that say which projects count: read by everybody, changed by an administrator. Changing them reads no
//! repository again.

use std::{collections::BTreeSet, str::FromStr};

use actix_web::{HttpResponse, get, put, web::Data};
use keytrail_domain::{
    aggregate::Aggregate,
    project_rules::{Command, ProjectRules},
    recorded::{Sequence, StreamId},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api,
    auth::{Admin, Viewer},
    changed::{Telling, Versioned, tell, tell_one},
    conditions::IfMatch,
    error::{ApiError, Code, sentence},
    input::Input,
};

/// Which projects count. An issue counts when its project is known, or no project is, and neither its project nor the
/// issue itself is denied. What does not count stays recorded, and shows again as soon as it counts.
#[derive(Serialize, ToSchema)]
#[schema(as = ProjectRules)]
pub(super) struct Shown {
    /// The projects that there are, such as KAFKA. Empty: every project counts.
    known: Vec<String>,
    /// What is left out: projects, such as UTF, and single issues, such as KAFKA-404.
    denied: Vec<String>,
    /// What is denied until somebody says otherwise: names of standards and products that look like projects.
    denied_at_first: Vec<String>,
    /// Their version, which is their ETag, too; 0 while nobody has changed them.
    version: i64,
}

impl Versioned for Shown {
    fn version(&self) -> Sequence {
        self.version
    }
}

/// The rules as they shall be, whatever they were.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RulesToSet {
    /// The projects that there are, in any case; empty to let every project count. 5,000 at most.
    known: Vec<String>,
    /// What to leave out: projects and single issues. 5,000 at most.
    denied: Vec<String>,
}

/// Which projects count.
#[utoipa::path(tag = "issues", operation_id = "GetProjectRules", security(("bearer" = ["viewer"])),
    responses((status = 200, description = "The rules.", body = Shown)))]
#[get("/api/v1/project-rules")]
pub(super) async fn get_project_rules(_: Viewer, api: Data<Api>) -> Result<HttpResponse, ApiError> {
    Ok(tell_one(&shown(&api).await?))
}

/// Lets other projects count from now on.
#[utoipa::path(tag = "issues", operation_id = "SetProjectRules", security(("bearer" = ["admin"])),
    params(("If-Match" = String, Header, description = "The ETag of the rules that you saw, or *.")),
    request_body = RulesToSet, responses((status = 200, description = "These are the rules now.", body = Shown)))]
#[put("/api/v1/project-rules")]
pub(super) async fn set_project_rules(
    admin: Admin,
    api: Data<Api>,
    if_match: IfMatch,
    body: Input<RulesToSet>,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(None, if_match.required()?);
    let command = Command::Set { known: parsed(&body.value.known)?, denied: parsed(&body.value.denied)? };
    let committed = api.app.dispatch::<ProjectRules>(ProjectRules::ID, command, context, Vec::new()).await?;
    let shown = shown(&api).await?;
    Ok(tell(&committed, &Telling::changed(), Some(shown.version), &shown))
}

/// From their own stream, which is short: whoever changes them sees what is there now.
async fn shown(api: &Api) -> Result<Shown, ApiError> {
    let stream = StreamId::new(ProjectRules::TYPE, ProjectRules::ID);
    let (rules, version) = api.app.load::<ProjectRules>(stream).await?;
    Ok(Shown {
        known: rules.known.iter().map(ToString::to_string).collect(),
        denied: rules.denied.iter().map(ToString::to_string).collect(),
        denied_at_first: ProjectRules::brought_along().iter().map(ToString::to_string).collect(),
        version,
    })
}

fn parsed<T: FromStr<Err: std::fmt::Display> + Ord>(texts: &[String]) -> Result<BTreeSet<T>, ApiError> {
    let parse = |text: &String| text.parse();
    let all: Result<_, T::Err> = texts.iter().map(parse).collect();
    all.map_err(|error| ApiError::new(Code::ProjectInvalid, sentence(&error.to_string())))
}
