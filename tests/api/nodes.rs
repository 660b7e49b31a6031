//! Servers without doors, so that a case can start, stop and shift in time more than one over the same store.

use std::{path::Path, sync::Arc, time::Duration};

use keytrail::{
    app::{App, Context},
    boot::{self, BootError},
    clock::Clock,
    config::Config,
    ids,
    store::StoreError,
};
use keytrail_domain::{
    id::IntegrationId,
    integration::{Command, Integration, IntegrationName},
    service::Connection,
};

/// A server over the store in `folder`, or over this database.
pub(crate) async fn node(folder: &Path, database_url: Option<&str>, clock: Clock) -> Arc<App> {
    node_with(folder, database_url, clock, |_| {}).await
}

/// The same with settings of its own.
pub(crate) async fn node_with(
    folder: &Path,
    database_url: Option<&str>,
    clock: Clock,
    set: impl FnOnce(&mut Config),
) -> Arc<App> {
    let mut config = Config::default();
    set(&mut config);
    config.store.folder = folder.join("data");
    let root_key = folder.join("root.key");
    if let Some(url) = database_url {
        if !root_key.exists() {
            keytrail::secrets::RootKey::random().write_new(&root_key).expect("a root key");
        }
        config.store.database_url = Some(url.to_owned().into());
        config.store.connections = 6;
    }
    config.secrets.root_key_file = Some(root_key);
    // One that was stopped lets go of the folder a moment later.
    for _ in 0..200 {
        match boot::start(&config, clock.clone()).await {
            Err(BootError::Store(StoreError::Unavailable(_))) => tokio::time::sleep(Duration::from_millis(20)).await,
            started => return started.expect("it starts"),
        }
    }
    panic!("the folder stays in use");
}

/// Adds the repository at `path`.
pub(crate) async fn add(app: &App, name: &str, path: &Path) -> IntegrationId {
    connect(app, name, Connection::path(path.to_str().expect("UTF-8").to_owned())).await
}

/// Adds what is at this place.
pub(crate) async fn connect(app: &App, name: &str, connection: Connection) -> IntegrationId {
    let id = IntegrationId(ids::new_id());
    let name = IntegrationName::parse(name).expect("a good name");
    let command = Command::Add { name, connection, web_links: None };
    app.dispatch::<Integration>(id.0, command, Context::server("case", 0), Vec::new()).await.expect("it is added");
    id
}
