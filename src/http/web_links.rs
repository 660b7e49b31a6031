//! Which links the repository of an integration has: shown with it, and set. The links themselves are in answers that show
//! commits, files, refs and pull requests.

use std::borrow::Cow;

use actix_web::{
    HttpResponse, put,
    web::{Data, Path},
};
use keytrail_domain::{
    id::IntegrationId,
    integration::{Command, Integration as Aggregate},
    service::Connection,
    web_links::{BadTemplate, LinkTemplate, Preset, Templates, Variable, WebLinks},
};
use keytrail_projections::integration_list::{self, Integration as Row};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Api,
    auth::Admin,
    changed::Telling,
    conditions::IfMatch,
    error::{ApiError, Code},
    input::Input,
    integrations::Shown,
    words,
};

/// By what links are told.
pub(super) const WAYS: [&str; 4] = ["host", "preset", "templates", "off"];

/// Which links the repository has.
#[derive(Serialize, ToSchema)]
#[schema(as = WebLinks)]
pub(super) struct ShownWebLinks {
    /// `host`: those of the host, where its name tells for certain what it is; `preset`: those of a kind of host that a person
    /// said; `templates`: a person's own; `off`: none.
    #[schema(schema_with = words::web_links_way)]
    by: &'static str,
    /// The kind of host whose links they are.
    #[schema(schema_with = words::maybe_web_links_preset)]
    preset: Option<&'static str>,
    /// The kind of host that the address lets one guess: set it when it is right.
    #[schema(schema_with = words::maybe_web_links_preset)]
    proposed: Option<&'static str>,
    /// The template of a commit; nothing where there is no link.
    #[schema(example = "https://git.example.com/shop/api/-/commit/${rev}")]
    commit: Option<String>,
    /// The template of a file as a commit left it.
    file: Option<String>,
    /// The template of a branch.
    branch: Option<String>,
    /// The template of a pull request.
    pull_request: Option<String>,
}

impl ShownWebLinks {
    /// Those of an integration; nothing of an app, whose repositories have the links of their GitHub, and of a folder.
    pub(super) fn of(row: &Row) -> Option<Self> {
        let url = match &row.connection {
            Connection::Git(remote) => Some(&remote.url),
            Connection::Path { .. } => None,
            Connection::Folder { .. } | Connection::GithubApp(_) => return None,
        };
        let by = match &row.web_links {
            WebLinks::Host => WAYS[0],
            WebLinks::Preset { .. } => WAYS[1],
            WebLinks::Templates(_) => WAYS[2],
            WebLinks::Off => WAYS[3],
        };
        let text = |template: Option<LinkTemplate>| template.map(|template| template.to_string());
        let Templates { commit, file, branch, pull_request } = row.web_links.templates(&row.connection, &row.name);
        Some(Self {
            by,
            preset: url.and_then(|url| row.web_links.preset(url)).map(Preset::as_str),
            proposed: url.and_then(Preset::proposed).map(Preset::as_str),
            commit: text(commit),
            file: text(file),
            branch: text(branch),
            pull_request: text(pull_request),
        })
    }
}

/// Links that are to be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWebLinks {
    /// `host`: those of the host, where its name tells for certain what it is; `preset`: those of the kind of host that
    /// `preset` says; `templates`: those that are given; `off`: none.
    #[schema(schema_with = words::web_links_way)]
    by: String,
    /// With `preset`: the kind of host.
    #[serde(default)]
    #[schema(schema_with = words::maybe_web_links_preset)]
    preset: Option<String>,
    /// With `templates`: the address of a commit, which begins with https:// or http:// and a host, and has `${rev}` behind it.
    #[serde(default)]
    commit: Option<String>,
    /// With `templates`: the address of a file, with `${path}` and mostly `${rev}`.
    #[serde(default)]
    file: Option<String>,
    /// With `templates`: the address of a branch, with `${branch}`.
    #[serde(default)]
    branch: Option<String>,
    /// With `templates`: the address of a pull request, with `${number}`.
    #[serde(default)]
    pull_request: Option<String>,
}

/// Sets where a browser finds the commits, files, branches and pull requests of its repository. What is put into a template is
/// percent-encoded.
#[utoipa::path(tag = "integrations", operation_id = "SetWebLinks", security(("bearer" = ["admin"])),
    params(("If-Match" = String, Header, description = "The ETag that was seen, or *.")), request_body = NewWebLinks,
    responses((status = 200, description = "Its repository has these links.", body = Shown)))]
#[put("/api/v1/integrations/{id}/web-links")]
pub(super) async fn set_web_links(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    body: Input<NewWebLinks>,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(None, if_match.required()?);
    let command = Command::SetWebLinks { web_links: body.value.checked()? };
    let committed = api.app.dispatch::<Aggregate>(*id, command, context, Vec::new()).await?;
    api.changed(committed, Telling::changed(), integration_list::by_id(IntegrationId(*id)), Shown::of).await
}

impl NewWebLinks {
    /// As they are set, once they can be read.
    pub(super) fn checked(&self) -> Result<WebLinks, ApiError> {
        let Self { by, preset, commit, file, branch, pull_request } = self;
        let has_templates = [commit, file, branch, pull_request].into_iter().any(Option::is_some);
        let is_preset = by == WAYS[1];
        if is_preset != preset.is_some() || has_templates != (by == WAYS[2]) {
            let detail =
                "`preset` belongs to `by: preset`, at least one template to `by: templates`, nothing to others.";
            return Err(invalid(detail));
        }
        match by.as_str() {
            "host" => Ok(WebLinks::Host),
            "off" => Ok(WebLinks::Off),
            "preset" => {
                let preset = Preset::ALL.into_iter().find(|known| preset.as_deref() == Some(known.as_str()));
                let words = Preset::ALL.map(Preset::as_str).join(", ");
                let preset = preset.ok_or_else(|| invalid(format!("`preset` is one of: {words}.")))?;
                Ok(WebLinks::Preset { preset })
            }
            "templates" => Ok(WebLinks::Templates(Templates {
                commit: template("commit", commit.as_deref(), Variable::Rev, None)?,
                file: template("file", file.as_deref(), Variable::Path, Some(Variable::Rev))?,
                branch: template("branch", branch.as_deref(), Variable::Branch, None)?,
                pull_request: template("pull_request", pull_request.as_deref(), Variable::Number, None)?,
            })),
            _ => Err(invalid(format!("`by` is one of: {}.", WAYS.join(", ")))),
        }
    }
}

fn template(
    what: &str,
    text: Option<&str>,
    must: Variable,
    may: Option<Variable>,
) -> Result<Option<LinkTemplate>, ApiError> {
    let read = |text| LinkTemplate::parse(text, must, may);
    text.map(read)
        .transpose()
        .map_err(|bad: BadTemplate| invalid(format!("The template of `{what}` cannot be used: {bad}.")))
}

fn invalid(detail: impl Into<Cow<'static, str>>) -> ApiError {
    ApiError::new(Code::WebLinksInvalid, detail)
}
