//! Follows the log for one stream: what is new, signs of life, and when the stream must end. Called by the routes that
//! stream. It reads the pages that all followers share, and asks the store nothing while nothing happens.

use std::time::Duration;

use actix_web::web::Data;
use keytrail_domain::{
    access,
    fact::Fact,
    metadata::Actor,
    recorded::{Position, Recorded},
};

use super::{Api, auth::Caller, outlet::End};
use crate::log::Page;

/// How often it is looked at whether the caller's token has expired.
const LOOK: Duration = Duration::from_secs(1);

/// What comes next.
pub(super) enum Next {
    /// Facts, in order; the caller may see them.
    Facts(Page),
    /// A second passed, and nothing happened.
    Tick,
    /// The stream is over.
    Ended(End),
}

/// Follows the log from where it stood when the caller was let in.
pub(super) struct Following {
    api: Data<Api>,
    caller: Caller,
    at: Position,
}

impl Following {
    pub(super) fn new(api: Data<Api>, caller: Caller) -> Self {
        Self { at: caller.since, api, caller }
    }

    /// Where it stands.
    pub(super) const fn position(&self) -> Position {
        self.at
    }

    /// The server.
    pub(super) const fn api(&self) -> &Data<Api> {
        &self.api
    }

    /// What comes next. A token that was revoked, on whichever node, ends the stream here: its event is in the log.
    pub(super) async fn next(&mut self) -> Next {
        let app = &self.api.app;
        tokio::select! {
            biased;
            () = app.stopping().cancelled() => return Next::Ended(End::Stopping),
            () = app.log.feed().wait_beyond(self.at) => {}
            () = tokio::time::sleep(LOOK) => {
                return if self.has_expired() { Next::Ended(End::Unwelcome) } else { Next::Tick };
            }
        }
        if self.has_expired() {
            return Next::Ended(End::Unwelcome);
        }
        let Ok(page) = app.log.feed().page(self.at).await else { return Next::Ended(End::Trouble) };
        let revoked = |fact: &Recorded<Fact>| match &fact.fact {
            Fact::Access(access::Event::TokenRevoked {}) => {
                self.caller.token().is_some_and(|token| token.0 == fact.stream.id)
            }
            // Its key may be none any more; one that is still let in comes again.
            Fact::AccessSettings(_) => matches!(self.caller.actor, Actor::Service { .. }),
            _ => false,
        };
        if page.iter().any(revoked) {
            return Next::Ended(End::Unwelcome);
        }
        self.at = page.last().map_or(self.at, |fact| fact.position);
        Next::Facts(page)
    }

    /// Whether the caller is still let in, while what is sent lies behind where this stands.
    pub(super) async fn is_welcome(&mut self) -> Result<(), End> {
        if self.api.app.stopping().is_cancelled() {
            return Err(End::Stopping);
        }
        let Some(token) = self.caller.token() else {
            return if self.has_expired() { Err(End::Unwelcome) } else { Ok(()) };
        };
        match self.api.app.tokens.works(token, self.api.app.clock.now()).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(End::Unwelcome),
            Err(_) => Err(End::Trouble),
        }
    }

    fn has_expired(&self) -> bool {
        self.caller.until.is_some_and(|until| self.api.app.clock.now() >= until)
    }
}
