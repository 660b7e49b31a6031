//! Says in the log who may come in with a signed token, whenever that is not what was said last: at the start, and when a
//! file of keys changes. Begun by `serve`; a server that a command starts for itself lets nobody in and says nothing.

use std::{sync::Arc, time::Duration};

use keytrail_domain::access_settings::{AccessSettings, Command, Services as Told};

use super::{access::Access, services::Services};
use crate::app::{App, Context, DispatchError};

/// Who says it.
const PART: &str = "access_settings";
/// How often it is looked whether the files have changed: as often as requests look at them.
const LOOK: Duration = Duration::from_secs(1);

/// Says what counts now, and goes on as long as it may change. A log that cannot take it now is told later: the server
/// starts all the same.
pub async fn record_access(app: &Arc<App>, access: &Access) {
    let record = Record { app: app.clone(), services: access.services.clone() };
    let said = record.say(None).await;
    let may_change = record.services.as_ref().is_some_and(|services| services.may_change());
    // Without a file that may change it is only said again when it could not be said.
    if may_change || said.is_none() {
        app.jobs.keep(tokio::spawn(record.keep(said)));
    }
}

struct Record {
    app: Arc<App>,
    services: Option<Arc<Services>>,
}

/// What was said last by this server; nothing while nothing was.
type Said = Option<Option<Told>>;

impl Record {
    async fn keep(self, mut said: Said) {
        loop {
            tokio::select! {
                () = self.app.stopping().cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            said = self.say(said).await;
        }
    }

    /// Says it, unless it was said. What was said then.
    async fn say(&self, said: Said) -> Said {
        let now = self.services.as_ref().map(|services| services.told(&self.app.keys.fingerprints));
        if said.as_ref() == Some(&now) {
            return said;
        }
        match self.dispatch(now.clone()).await {
            Ok(()) => Some(now),
            Err(error) => {
                tracing::warn!(%error, "who may come in with a signed token has changed, and that is not in the log yet");
                said
            }
        }
    }

    async fn dispatch(&self, services: Option<Told>) -> Result<(), DispatchError> {
        let context = Context::server(PART, 0);
        let command = Command::Say { services };
        self.app.dispatch::<AccessSettings>(AccessSettings::ID, command, context, Vec::new()).await.map(|_| ())
    }
}
