//! The answer to a change: its position in the log, and the view's own row as soon as the view has it.

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{ETAG, HeaderName, LOCATION, RETRY_AFTER},
    },
};
use keytrail_domain::recorded::{Position, Sequence};
use keytrail_projections::view::Read;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Api, conditions::etag, error::ApiError, idempotency::IDEMPOTENCY_REPLAYED};
use crate::log::Committed;

/// The position of a change.
pub(super) const X_LOG_POSITION: HeaderName = HeaderName::from_static("x-log-position");

/// A change that is on disk, and that the view does not show yet.
#[derive(Serialize, ToSchema)]
pub(super) struct Pending {
    /// Of what.
    pub(super) id: Uuid,
    /// The position of the change in the log; reads take it as `min_position`.
    pub(super) position: i64,
}

/// What is shown with its version.
pub(super) trait Versioned {
    /// The version of its stream: its ETag.
    fn version(&self) -> Sequence;
}

/// How the answer to a change is told.
pub(super) struct Telling {
    /// When the view has the row.
    pub(super) status: StatusCode,
    /// Where the thing is from now on, without the id at its end.
    pub(super) location: Option<&'static str>,
}

impl Telling {
    /// Something new is at this address.
    pub(super) const fn created(location: &'static str) -> Self {
        Self { status: StatusCode::CREATED, location: Some(location) }
    }

    /// Work began, and is to be watched at this address.
    pub(super) const fn begun(location: &'static str) -> Self {
        Self { status: StatusCode::ACCEPTED, location: Some(location) }
    }

    /// Something is otherwise than before.
    pub(super) const fn changed() -> Self {
        Self { status: StatusCode::OK, location: None }
    }
}

impl Api {
    /// The row of `read` at the position of the change. Nothing when the view is not there yet: the change is made all
    /// the same, so that is no error.
    pub(super) async fn shown<R, T>(&self, committed: &Committed, read: Read<R>, show: impl Fn(R) -> T) -> Option<T> {
        match self.app.read_at_least(committed.last, read).await {
            Ok(rows) => rows.into_iter().next().map(show),
            Err(error) => {
                tracing::debug!(%error, "a change is answered without its row");
                None
            }
        }
    }

    /// The answer to a change. Where nothing was left to change there is nothing to tell of that the view does not show: then
    /// it is waited for, or the caller is to come again.
    pub(super) async fn changed<R, T: Serialize + Versioned>(
        &self,
        committed: Committed,
        telling: Telling,
        read: Read<R>,
        show: impl Fn(R) -> T,
    ) -> Result<HttpResponse, ApiError> {
        let item = if committed.appended {
            self.shown(&committed, read, show).await
        } else {
            self.read_at(committed.last, read).await?.into_iter().next().map(show)
        };
        Ok(match item {
            Some(item) => tell(&committed, &telling, Some(item.version()), &item),
            None => {
                let pending = Pending { id: committed.stream.id, position: committed.last };
                tell(&committed, &telling, None, &pending)
            }
        })
    }
}

/// Headers and body of the answer to a change.
pub(super) fn tell(
    committed: &Committed,
    telling: &Telling,
    version: Option<Sequence>,
    body: &impl Serialize,
) -> HttpResponse {
    let status = if version.is_some() { telling.status } else { StatusCode::ACCEPTED };
    let mut response = HttpResponse::build(status);
    response.insert_header((X_LOG_POSITION, committed.last.to_string()));
    match version {
        Some(version) => response.insert_header((ETAG, etag(version))),
        None => response.insert_header((RETRY_AFTER, "1")),
    };
    if let Some(location) = telling.location {
        response.insert_header((LOCATION, format!("{location}/{}", committed.stream.id)));
    }
    if committed.replayed {
        response.insert_header((IDEMPOTENCY_REPLAYED, "true"));
    }
    response.json(body)
}

/// The answer where something was done that is no single change, and the view does not show it yet.
pub(super) fn tell_pending(id: Uuid, position: Position) -> HttpResponse {
    HttpResponse::Accepted()
        .insert_header((X_LOG_POSITION, position.to_string()))
        .insert_header((RETRY_AFTER, "1"))
        .json(Pending { id, position })
}

/// The answer to a read of one thing.
pub(super) fn tell_one(item: &(impl Serialize + Versioned)) -> HttpResponse {
    HttpResponse::Ok().insert_header((ETAG, etag(item.version()))).json(item)
}
