//! The keys that lie in a folder of the server's account, for who may not block: a look through the folder, and a key opened
//! for one attempt. Called by the jobs that reach repositories, by routes and by the doctor. A folder whose share hangs holds
//! few threads, and nobody waits for it without an end.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use keytrail_domain::display_text::DisplayText;

use crate::{
    app::{Busy, Turns},
    key_folder::{KeyFolder, Listing, Missing, Unreadable},
    ssh_keys::SshKey,
};

/// Looks at the folder at once.
const AT_ONCE: usize = 4;
/// A folder of a handful of small files answers sooner.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The folder of this node, if one is named.
#[derive(Debug)]
pub struct KeysOnDisk {
    folder: Option<KeyFolder>,
    turns: Turns,
}

/// Why nothing was found, or no key opened.
#[derive(Debug, thiserror::Error)]
pub enum DiskTrouble {
    /// There is no looking.
    #[error("this node looks into no folder with keys: ssh_keys.folder is not set")]
    Off,
    /// The folder.
    #[error(transparent)]
    Folder(#[from] Unreadable),
    /// The key.
    #[error(transparent)]
    Key(Missing),
    /// The share or the disk that it is on hangs.
    #[error(
        "the folder {} has not answered for {} seconds; look at its disk, or at the server of the share",
        .0.display(),
        PATIENCE.as_secs()
    )]
    Silent(PathBuf),
    /// There was no turn in time.
    #[error("the folder with keys is looked at by too many at once; try again in a moment")]
    Busy,
    /// A fault of ours.
    #[error("the look ended with a fault of its own: {0}")]
    Fault(String),
}

impl KeysOnDisk {
    /// Those of this folder.
    pub fn new(folder: Option<KeyFolder>) -> Self {
        Self { folder, turns: Turns::new(AT_ONCE, PATIENCE) }
    }

    /// Where they lie, if a folder is named.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_ref().map(KeyFolder::path)
    }

    /// What is there now.
    pub async fn look(&self) -> Result<Listing, DiskTrouble> {
        self.at_work(|folder| folder.look().map_err(DiskTrouble::from)).await
    }

    /// The key with this fingerprint, which was seen last at `place`.
    pub(super) async fn open(&self, sha256: String, place: DisplayText) -> Result<SshKey, DiskTrouble> {
        self.at_work(move |folder| folder.open(&sha256, place.as_str()).map_err(DiskTrouble::Key)).await
    }

    async fn at_work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&KeyFolder) -> Result<T, DiskTrouble> + Send + 'static,
    ) -> Result<T, DiskTrouble> {
        let folder = self.folder.clone().ok_or(DiskTrouble::Off)?;
        let path = folder.path().to_owned();
        let turn = self.turns.take().await.map_err(|Busy| DiskTrouble::Busy)?;
        let done = tokio::task::spawn_blocking(move || {
            // Until it is done, also when nobody waits for it any more.
            let _turn = turn;
            work(&folder)
        });
        match tokio::time::timeout(PATIENCE, done).await {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => Err(DiskTrouble::Fault(error.to_string())),
            Err(_) => Err(DiskTrouble::Silent(path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn a_node_without_a_folder_says_so_and_one_with_a_folder_looks_into_it() {
        let off = KeysOnDisk::new(None);
        assert!(off.folder().is_none());
        assert!(matches!(off.look().await.err(), Some(DiskTrouble::Off)));
        let opened = off.open("SHA256:x".to_owned(), DisplayText::clean("/x")).await;
        assert!(matches!(opened.err(), Some(DiskTrouble::Off)));

        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("cut"), "-----BEGIN OPENSSH PRIVATE KEY-----\n").expect("a file");
        let on = KeysOnDisk::new(Some(KeyFolder::at(folder.path().to_owned())));
        assert_eq!(on.look().await.expect("it is there").files.len(), 1);
        let opened = on.open("SHA256:x".to_owned(), DisplayText::clean("/x")).await;
        assert!(matches!(opened.err(), Some(DiskTrouble::Key(Missing::Absent(_)))));
        drop(folder);
        assert!(matches!(on.look().await.err(), Some(DiskTrouble::Folder(_))));
    }
}
