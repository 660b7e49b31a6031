//! A newer version wrote to a stream: this one decides nothing on it.

use std::sync::Arc;

use keytrail::{
    app::{App, Context, DispatchError, Parts},
    boot,
    clock::Clock,
    jobs::Caches,
    secrets::{RootKey, ServerSecrets, Vault},
    store::Db,
};
use keytrail_domain::{
    integration::{Command, Integration},
    recorded::Position,
};

use crate::samples::{added, append, new_stream, of};

on_both_engines!(a_command_on_a_stream_that_a_newer_version_wrote_to_is_refused);

async fn start(db: &Arc<Db>, folder: &tempfile::TempDir) -> Arc<App> {
    let clock = Clock::System;
    let vault = Vault::open_with(db.clone(), RootKey::random(), clock.now()).await.expect("the vault opens");
    let keys = ServerSecrets::load_or_make(&vault, clock.now()).await.expect("the keys are made");
    let parts = Parts {
        db: db.clone(),
        clock,
        node: "one".into(),
        lock: None,
        vault,
        keys,
        caches: Caches::new(folder.path().join("caches")),
        git: boot::git_settings(&Default::default()).await.expect("the defaults are good"),
        workers: 0,
        works: true,
        config: Arc::default(),
        public_address: keytrail::public_address::PublicAddress::default(),
        on_fatal: Arc::new(|error| panic!("{error}")),
    };
    App::start(parts).await.expect("it starts")
}

async fn a_command_on_a_stream_that_a_newer_version_wrote_to_is_refused(db: Arc<Db>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let app = start(&db, &folder).await;
    for (name, event_type, version, payload) in [
        // It looks like ours, and means what we cannot know.
        ("one", "integration.paused", "2", "{\"paused\":{}}"),
        ("two", "integration.levitated", "1", "{\"levitated\":{\"height\":3}}"),
    ] {
        let stream = new_stream();
        let mut future = of(stream, 0, &[added(name), keytrail_domain::integration::Event::Paused {}]);
        future.events[1].event_type = event_type;
        future.events[1].version = version;
        future.events[1].payload = payload.into();
        append(&app.log, future).await;
        let before: Position = app.log.stored_head().await.expect("a head").position;
        let context = Context::server("a_test", before);
        let outcome = app.dispatch::<Integration>(stream.id, Command::Resume, context, Vec::new()).await;
        assert!(matches!(outcome, Err(DispatchError::Outdated(_))), "{name}: {outcome:?}");
        assert_eq!(app.log.stored_head().await.expect("a head").position, before, "nothing was appended");
    }
    app.stop().await;
}
