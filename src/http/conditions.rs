//! On which condition a change is made (`If-Match`), and how fresh an answer must be (`min_position`).
//!
//! A view that is behind is told in one of two ways. Who asked for a position is told `view_behind`: it is an answer to come
//! again for. Where a view has to decide, or to tell of what nobody asked a position for, `busy`: nothing was done.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header::IF_MATCH};
use keytrail_domain::recorded::{Position, Sequence};
use keytrail_projections::{
    issue_commits::OfIssue,
    view::{Read, View},
};
use tokio::time::timeout;

use super::{
    Api,
    error::{ApiError, Code},
};
use crate::views::{PATIENCE, ViewError};

/// What `If-Match` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IfMatch {
    /// The header did not come.
    Missing,
    /// `*`: whatever version is there.
    Any,
    /// The version that the caller saw.
    Version(Sequence),
}

impl IfMatch {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let digits = text.strip_prefix('"')?.strip_suffix('"')?;
        let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        whole.then(|| digits.parse().ok()).flatten().map(Self::Version)
    }

    /// The version to check, if any.
    pub(super) const fn version(self) -> Option<Sequence> {
        match self {
            Self::Missing | Self::Any => None,
            Self::Version(version) => Some(version),
        }
    }

    /// The same, where changing blindly is not taken.
    pub(super) fn required(self) -> Result<Option<Sequence>, ApiError> {
        if self == Self::Missing {
            let detail = "Send the ETag of what you saw as If-Match, so that nobody else's change is lost; or *.";
            return Err(ApiError::new(Code::IfMatchMissing, detail));
        }
        Ok(self.version())
    }
}

impl FromRequest for IfMatch {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut all = request.headers().get_all(IF_MATCH);
        let found = match (all.next(), all.next()) {
            (None, _) => Some(Self::Missing),
            (Some(value), None) => value.to_str().ok().and_then(Self::parse),
            (Some(_), Some(_)) => None,
        };
        ready(found.ok_or_else(|| {
            let detail = "If-Match is one ETag as it came, such as \"3\", or *. Weak ETags and lists are not taken.";
            ApiError::new(Code::IfMatchInvalid, detail)
        }))
    }
}

/// The ETag of a row: the version of its stream.
pub(super) fn etag(version: Sequence) -> String {
    format!("\"{version}\"")
}

impl Api {
    /// Reads a view that stands at `min_position` or beyond, if one is asked for.
    pub(super) async fn read<T>(&self, min_position: Option<Position>, read: Read<T>) -> Result<Vec<T>, ApiError> {
        match min_position {
            Some(position) => self.app.read_at_least(position, read).await.map_err(ApiError::asked_for),
            None => Ok(self.app.read(read).await?),
        }
    }

    /// Reads a view that stands at a position or beyond, which is not the caller's.
    pub(super) async fn read_at<T>(&self, position: Position, read: Read<T>) -> Result<Vec<T>, ApiError> {
        Ok(self.app.read_at_least(position, read).await?)
    }

    /// Reads a view that stands where the log stands now: for what is decided by it.
    pub(super) async fn read_now<T>(&self, read: Read<T>) -> Result<Vec<T>, ApiError> {
        self.read_at(self.app.log.feed().head().position, read).await
    }

    /// Waits a moment until this node knows of more than what stood at `head`: somebody else went on from there.
    pub(super) async fn knows_more(&self, head: Position) {
        // Who does not hear of it in time tries as things are known.
        let _ = timeout(PATIENCE, self.app.log.feed().wait_beyond(head)).await;
    }

    /// Waits until these views stand at `min_position` or beyond, if one is asked for; without any view, until this node
    /// knows of it. For answers that are made of several reads.
    pub(super) async fn stands_at(&self, min_position: Option<Position>, views: &[&dyn View]) -> Result<(), ApiError> {
        let Some(position) = min_position else { return Ok(()) };
        for view in views {
            self.app.views.wait_for(view.name(), position).await.map_err(ApiError::asked_for)?;
        }
        let feed = self.app.log.feed();
        if views.is_empty() && timeout(PATIENCE, feed.wait_beyond(position.saturating_sub(1))).await.is_err() {
            let behind = ViewError::Behind { view: "log", position: feed.head().position, wanted: position };
            return Err(ApiError::asked_for(behind));
        }
        Ok(())
    }

    /// Asks about an issue. `min_position` as with [`Api::read`].
    pub(super) async fn read_of_issue<T>(
        &self,
        min_position: Option<Position>,
        asked: OfIssue<T>,
    ) -> Result<Vec<T>, ApiError> {
        if let Some(position) = min_position {
            self.app.views.wait_for(asked.plain.view.name(), position).await.map_err(ApiError::asked_for)?;
        }
        Ok(self.app.read_of_issue(asked).await?.0)
    }

    /// The one row of a read. `again` makes the same read once more.
    ///
    /// Another view may have told the caller of something that this one does not show yet: it is unknown only when this
    /// one stands where the log stood.
    pub(super) async fn one<T>(
        &self,
        min_position: Option<Position>,
        again: impl Fn() -> Read<T>,
        missing: Code,
    ) -> Result<T, ApiError> {
        let head = self.app.log.feed().head().position;
        if let Some(row) = self.read(min_position, again()).await?.into_iter().next() {
            return Ok(row);
        }
        self.one_at(head, again(), missing).await
    }

    /// The one row of a read of a view that stands at a position or beyond, which is not the caller's.
    pub(super) async fn one_at<T>(&self, position: Position, read: Read<T>, missing: Code) -> Result<T, ApiError> {
        self.read_at(position, read).await?.into_iter().next().ok_or_else(|| unknown(missing))
    }

    /// The one row of a read of a view that stands where the log stands now: for what is decided by it.
    pub(super) async fn one_now<T>(&self, read: Read<T>, missing: Code) -> Result<T, ApiError> {
        self.one_at(self.app.log.feed().head().position, read, missing).await
    }
}

/// There is none with this id.
pub(super) fn unknown(code: Code) -> ApiError {
    // No list has apps: each is its integration's.
    let detail = if code == Code::InstallationUnknown {
        "It has no app: only an integration of the kind `github_app` has one; GET /api/v1/integrations tells the kinds."
    } else {
        "Look at the list for what is there."
    };
    ApiError::new(code, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_taken_back_as_it_went_out_and_nothing_else() {
        assert_eq!(IfMatch::parse(&etag(17)), Some(IfMatch::Version(17)));
        assert_eq!(IfMatch::parse("*"), Some(IfMatch::Any));
        for text in
            ["", "17", "W/\"17\"", "\"17\", \"18\"", "\"\"", "\"-1\"", "\"x\"", "\"+1\"", "\"9999999999999999999\""]
        {
            assert_eq!(IfMatch::parse(text), None, "{text}");
        }
    }
}
