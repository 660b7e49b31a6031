//! One stream, event by event, with the state after each: what was decided on, and what came of it.

use actix_web::{
    HttpResponse, get,
    web::{Data, Path, Query},
};
use keytrail_domain::{
    access::Access,
    access_settings::AccessSettings,
    aggregate::Aggregate,
    commit_link::CommitLink,
    fact::Fact,
    host_key::HostKeys,
    index_run::{IndexRun, batch},
    installation::Installation,
    integration::Integration,
    metadata::Metadata,
    person::Person,
    project_rules::ProjectRules,
    pull_request::PullRequest,
    recorded::{Position, Recorded, Sequence, StreamId},
    repository::Repository,
    ssh_key::SshKey,
    timestamp::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Api,
    auth::Auditor,
    conditions::unknown,
    cursor::{List, Page, limit},
    error::{ApiError, Code},
};

/// An event as it is stored.
#[derive(Serialize, ToSchema)]
pub(super) struct StreamEvent {
    /// Its place in the log.
    position: i64,
    /// Its place in its stream.
    sequence: i64,
    /// Its own id.
    event_id: Uuid,
    /// Its stored name.
    event_type: &'static str,
    /// The version of its payload's shape.
    event_version: &'static str,
    /// When it became durable.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Timestamp,
    /// When, who, through what, because of what.
    #[schema(value_type = Object)]
    metadata: Metadata,
    /// What happened.
    #[schema(value_type = Object)]
    payload: Box<RawValue>,
    /// The state after it, when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    state: Option<Value>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamQuery {
    /// Only those up to and with this position.
    until: Option<i64>,
    /// Whether to tell the state after each event.
    state: Option<bool>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows of a page: 1 to 500, 50 when nothing is said.
    limit: Option<u32>,
}

/// The events of a stream, with the state after each.
#[utoipa::path(tag = "history", operation_id = "ListStreamEvents", security(("bearer" = ["auditor"])),
    params(("type" = String, Path, description = "`integration`, `installation`, `repository`, `index_run`, `access`, `project_rules`, `commit_link`, \
        `person`, `access_settings`, `pull_request`, `ssh_key` or `host_key`."),
        ("id" = Uuid, Path, description = "Of the stream."), StreamQuery),
    responses((status = 200, description = "A page.", body = Page<StreamEvent>),
        (status = 422, description = "Streams of this type are not shown event by event.")))]
#[get("/api/v1/streams/{type}/{id}/events")]
pub(super) async fn list_stream_events(
    _: Auditor,
    api: Data<Api>,
    path: Path<(String, Uuid)>,
    query: Query<StreamQuery>,
) -> Result<HttpResponse, ApiError> {
    let (word, id) = path.into_inner();
    let stream_type = Fact::stream_type(&word).ok_or_else(|| {
        let detail = format!("The types of streams are {}.", Fact::STREAM_TYPES.join(", "));
        ApiError::new(Code::StreamUnknown, detail)
    })?;
    if stream_type == batch::STREAM_TYPE {
        let detail = "What an index run found may be millions of rows. Ask the issues for it.";
        return Err(ApiError::new(Code::StreamNotShown, detail));
    }
    let now = api.app.clock.now();
    let with_state = query.state.unwrap_or(false);
    let filters = (stream_type, id, query.until, with_state);
    let list = List::new("stream", &filters);
    let after: Option<Sequence> = api.cursors.after(query.cursor.as_deref(), &list, now)?;
    let limit = limit(query.limit)?;
    let until = query.until.unwrap_or(Position::MAX);
    let events = api.app.log.stream(StreamId::new(stream_type, id), until).await?;
    if events.is_empty() {
        return Err(unknown(Code::StreamUnknown));
    }
    // Streams are short: each page folds from the beginning.
    let mut state = State::default();
    let mut rows = Vec::new();
    for event in events {
        state.follow(&event.fact);
        if event.sequence > after.unwrap_or(0) && rows.len() <= limit as usize {
            let state = if with_state { state.told(&event.fact) } else { Ok(None) };
            let row = state.and_then(|state| shown(event, state)).map_err(|error| ApiError::internal(&error))?;
            rows.push(row);
        }
    }
    let page = api.cursors.page(rows, limit, &list, now, |row| row.sequence, |row| row)?;
    page.answer()
}

fn shown(event: Recorded<Fact>, state: Option<Value>) -> serde_json::Result<StreamEvent> {
    Ok(StreamEvent {
        position: event.position,
        sequence: event.sequence,
        event_id: event.event_id.0,
        event_type: event.fact.name(),
        event_version: event.fact.version(),
        recorded_at: event.recorded_at,
        payload: RawValue::from_string(event.fact.payload()?)?,
        metadata: event.metadata,
        state,
    })
}

/// The aggregate of the stream; only one of them ever moves.
#[derive(Default)]
struct State {
    integration: Integration,
    repository: Repository,
    index_run: IndexRun,
    access: Access,
    project_rules: ProjectRules,
    commit_link: CommitLink,
    person: Person,
    installation: Installation,
    access_settings: AccessSettings,
    pull_request: PullRequest,
    ssh_key: SshKey,
    host_key: HostKeys,
}

impl State {
    fn follow(&mut self, fact: &Fact) {
        match fact {
            Fact::Integration(event) => self.integration.evolve(event),
            Fact::Repository(event) => self.repository.evolve(event),
            Fact::IndexRun(event) => self.index_run.evolve(event),
            Fact::Access(event) => self.access.evolve(event),
            Fact::ProjectRules(event) => self.project_rules.evolve(event),
            Fact::CommitLink(event) => self.commit_link.evolve(event),
            Fact::Person(event) => self.person.evolve(event),
            Fact::Installation(event) => self.installation.evolve(event),
            Fact::AccessSettings(event) => self.access_settings.evolve(event),
            Fact::PullRequest(event) => self.pull_request.evolve(event),
            Fact::SshKey(event) => self.ssh_key.evolve(event),
            Fact::HostKey(event) => self.host_key.evolve(event),
            Fact::IndexBatch(_) => {}
        }
    }

    fn told(&self, fact: &Fact) -> serde_json::Result<Option<Value>> {
        match fact {
            Fact::Integration(_) => serde_json::to_value(&self.integration).map(Some),
            Fact::Repository(_) => serde_json::to_value(&self.repository).map(Some),
            Fact::IndexRun(_) => serde_json::to_value(&self.index_run).map(Some),
            Fact::Access(_) => serde_json::to_value(&self.access).map(Some),
            Fact::ProjectRules(_) => serde_json::to_value(&self.project_rules).map(Some),
            Fact::CommitLink(_) => serde_json::to_value(&self.commit_link).map(Some),
            Fact::Person(_) => serde_json::to_value(&self.person).map(Some),
            Fact::Installation(_) => serde_json::to_value(&self.installation).map(Some),
            Fact::AccessSettings(_) => serde_json::to_value(&self.access_settings).map(Some),
            Fact::PullRequest(_) => serde_json::to_value(&self.pull_request).map(Some),
            Fact::SshKey(_) => serde_json::to_value(&self.ssh_key).map(Some),
            Fact::HostKey(_) => serde_json::to_value(&self.host_key).map(Some),
            Fact::IndexBatch(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_names_every_type_of_stream_that_is_shown() {
        let spec: Value = serde_json::from_str(&crate::http::spec::json()).expect("a description");
        let parameters = &spec["paths"]["/api/v1/streams/{type}/{id}/events"]["get"]["parameters"];
        let text = parameters[0]["description"].as_str().expect("a description");
        let named: Vec<_> = text.split('`').skip(1).step_by(2).collect();
        let mut wanted: Vec<_> = Fact::STREAM_TYPES.iter().filter(|word| **word != batch::STREAM_TYPE).collect();
        wanted.sort_by_key(|word| named.iter().position(|named| named == *word));
        assert!(named.iter().eq(wanted), "{text}");
    }
}
