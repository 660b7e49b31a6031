//! A server of ours without its doors, in a folder of its own.

use std::{path::Path, sync::Arc};

use keytrail::{app::App, boot, clock::Clock, config::Config};

/// What a server in `folder` is told; over PostgreSQL when a database is given.
pub(crate) fn settings(folder: &Path, database: Option<String>) -> Config {
    let mut config = Config::default();
    config.store.folder = folder.join("data");
    let key = folder.join("secrets/root.key");
    if let Some(url) = database {
        config.store.database_url = Some(url.into());
        config.store.connections = 16;
        make_root_key(&key);
    }
    config.secrets.root_key_file = Some(key);
    config
}

/// Starts it.
pub(crate) async fn start(folder: &Path, database: Option<String>) -> Arc<App> {
    boot::start(&settings(folder, database), Clock::System).await.expect("a server starts in an empty folder")
}

/// Over PostgreSQL the root key must be given.
fn make_root_key(path: &Path) {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    if path.exists() {
        return;
    }
    std::fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder can be made");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .expect("a file can be made in a new folder");
    // Any 32 bytes do; nothing that is sealed here is worth anything.
    file.write_all(b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").expect("a file can be written");
}
