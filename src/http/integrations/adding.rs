//! An integration that is connected for the first time. Called by its route; it says what is in the way.

use keytrail_domain::integration::{Command, Integration as Aggregate};

use super::{NewIntegration, TRIES, name, naming_the_holder};
use crate::{
    app::{Context, DispatchError},
    http::{
        Api,
        auth::Caller,
        error::ApiError,
        place::{self, Asked, Checked},
        web_links::NewWebLinks,
    },
    ids,
    log::Committed,
    store::StoreError,
};

/// Adds it. Where its key of SSH is retired at the same moment, the key is looked up once more, and refused.
pub(super) async fn added(
    api: &Api,
    caller: &Caller,
    wanted: &NewIntegration,
    context: Context,
) -> Result<Committed, ApiError> {
    let name = name(&wanted.name)?;
    let web_links = wanted.web_links.as_ref().map(NewWebLinks::checked).transpose()?;
    // The secrets belong to it, so it has its id before it is there.
    let id = ids::new_id();
    for _ in 0..TRIES {
        let asked = Asked { caller, integration: id, before: None };
        let Checked { connection, companions } = place::checked(api, asked, &wanted.connection).await?;
        let command = Command::Add { name: name.clone(), connection: connection.clone(), web_links: web_links.clone() };
        match api.app.dispatch::<Aggregate>(id, command, context.clone(), companions).await {
            Ok(committed) => return Ok(committed),
            Err(DispatchError::Store(StoreError::Fenced)) => {}
            Err(error) => return Err(naming_the_holder(api, Some(&name), Some(&connection), error).await),
        }
    }
    Err(DispatchError::Busy.into())
}
