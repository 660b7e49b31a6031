//! What each node finds in the folder with keys of its own account: rows beside the log, written when they differ, so that
//! the doctor of any node can say where a key is missing. Started with the server; nothing of a key but its fingerprint is in
//! a row.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use keytrail_projections::{row, value::Value};
use tokio_util::sync::CancellationToken;

use super::keys_on_disk::{DiskTrouble, KeysOnDisk};
use crate::{
    app::App,
    key_folder::KeyFile,
    store::{Area, Db, Statement, StoreError},
};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(60);

/// What a node found at its last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeKeys {
    /// Which node.
    pub node: String,
    /// Why it could not look.
    pub trouble: Option<String>,
    /// The SHA-256 fingerprints of the keys that it can use.
    pub fingerprints: BTreeSet<String>,
}

/// Looks again and again, as long as a folder is named.
pub(super) fn start(app: &Arc<App>, stop: &CancellationToken) {
    app.jobs.keep(tokio::spawn(again_and_again(app.clone(), stop.clone())));
}

async fn again_and_again(app: Arc<App>, stop: CancellationToken) {
    let keys = &app.jobs.git.ssh.keys_on_disk;
    loop {
        match note(&app.db, &app.jobs.node, keys).await {
            Ok(()) if keys.folder().is_none() => return,
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(%error, "what is in the folder with SSH keys cannot be written down; trying again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Writes down what is there, where that is news. A node without a folder has no row.
async fn note(db: &Db, node: &str, keys: &KeysOnDisk) -> Result<(), StoreError> {
    let found = match keys.look().await {
        Ok(listing) => {
            let fingerprints = listing.files.iter().filter_map(KeyFile::usable).collect();
            Some(NodeKeys { node: node.to_owned(), trouble: None, fingerprints })
        }
        Err(DiskTrouble::Off) => None,
        // It looks again.
        Err(DiskTrouble::Busy) => return Ok(()),
        Err(trouble) => {
            let (trouble, fingerprints) = (Some(trouble.to_string()), BTreeSet::new());
            Some(NodeKeys { node: node.to_owned(), trouble, fingerprints })
        }
    };
    if keys_of_nodes(db).await?.into_iter().find(|known| known.node == node) == found {
        return Ok(());
    }
    let statements = match found {
        Some(found) => {
            let write = "INSERT INTO ssh_key_folders (node, trouble, fingerprints) VALUES ($1, $2, $3) \
                         ON CONFLICT (node) DO UPDATE SET trouble = excluded.trouble, \
                         fingerprints = excluded.fingerprints";
            // Nodes that are no more; one that only starts writes its own again.
            let bury = "DELETE FROM ssh_key_folders WHERE node <> $1 AND node NOT IN (SELECT node FROM poll_nodes)";
            let lines = found.fingerprints.into_iter().collect::<Vec<_>>().join("\n");
            vec![
                Statement::new(write, row![node, found.trouble.as_deref(), lines]),
                Statement::new(bury, vec![Value::from(node)]),
            ]
        }
        None => vec![Statement::new("DELETE FROM ssh_key_folders WHERE node = $1", vec![Value::from(node)])],
    };
    db.write(Area::Log, statements).await.map(|_| ())
}

/// What the nodes found, in the order of their names. Some of them may be no more.
pub async fn keys_of_nodes(db: &Db) -> Result<Vec<NodeKeys>, StoreError> {
    let sql = "SELECT node, trouble, fingerprints FROM ssh_key_folders ORDER BY node";
    let read = db.read_as(Area::Log, sql, &[], |cells| {
        Ok(NodeKeys {
            node: cells.text()?.to_owned(),
            trouble: cells.maybe_text()?.map(str::to_owned),
            fingerprints: cells.text()?.lines().map(str::to_owned).collect(),
        })
    });
    read.await
}
