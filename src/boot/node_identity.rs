//! What a node is called in the tables of leases: the same before and after a restart, so that it takes back at once what
//! it held. Asked at the start, by whoever has locked the data folder; nobody else may use the name.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::Path,
};

use uuid::Uuid;

use crate::{config::Config, ids};

/// The configured name or the host's, and the identity of the data folder: two folders on one host are two nodes. Who only
/// looks does not keep one that is new.
pub(super) fn node_identity(config: &Config, keep: bool) -> io::Result<String> {
    let host = || fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned());
    let name = config.store.node.clone().or_else(|| host().ok()).unwrap_or_else(|| "node".into());
    Ok(format!("{name}-{}", folder_identity(&config.store.folder, keep)?))
}

/// The file holds it with its own inode: in a copy of the folder that is another one, and the copy another node.
fn folder_identity(folder: &Path, keep: bool) -> io::Result<Uuid> {
    let path = folder.join("node");
    let known = || {
        let (text, file) = (fs::read_to_string(&path).ok()?, fs::metadata(&path).ok()?);
        let (id, inode) = text.trim().split_once(' ')?;
        let id = id.parse::<Uuid>().ok()?;
        (inode.parse() == Ok(file.ino())).then_some(id)
    };
    if let Some(id) = known() {
        return Ok(id);
    }
    let (id, new) = (ids::new_id(), folder.join("node.new"));
    if !keep {
        return Ok(id);
    }
    let mut file = File::create(&new)?;
    writeln!(file, "{id} {}", file.metadata()?.ino())?;
    file.sync_all()?;
    fs::rename(new, path)?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_only_looks_leaves_a_folder_without_an_identity_and_finds_the_one_that_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = |keep| folder_identity(folder.path(), keep).expect("it can be read");
        assert_ne!(of(false), of(false));
        assert!(!folder.path().join("node").exists());
        let kept = of(true);
        assert_eq!(of(false), kept);
    }

    #[test]
    fn a_folder_keeps_its_identity_and_a_copy_of_it_has_another() {
        let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let of = |folder: &tempfile::TempDir| folder_identity(folder.path(), true).expect("it can be written");
        let first = of(&one);
        assert_eq!(of(&one), first);
        fs::copy(one.path().join("node"), two.path().join("node")).expect("a copy");
        let second = of(&two);
        assert_ne!(second, first);
        assert_eq!((of(&two), of(&one)), (second, first));
        fs::write(one.path().join("node"), "torn").expect("a file");
        assert_ne!(of(&one), first);
    }
}
