//! What a start refuses, it refuses before it changes anything.

use std::sync::Arc;

use keytrail::{
    boot::{self, BootError},
    clock::Clock,
    config::Config,
    store::{Area, Db},
};

use crate::engines::{number, on_empty_postgres};

#[test]
fn without_its_root_key_a_node_changes_nothing_in_the_database() {
    on_empty_postgres(|db: Arc<Db>, url| async move {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config::default();
        config.store.folder = folder.path().join("data");
        config.store.database_url = Some(url.into());
        for key in [None, Some(folder.path().join("root.key"))] {
            config.secrets.root_key_file = key;
            let outcome = boot::start(&config, Clock::System).await;
            assert!(matches!(outcome, Err(BootError::Secrets(_))));
            let tables = "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'";
            assert_eq!(number(&db, Area::Log, tables).await, 0, "no migration ran");
        }
    });
}
