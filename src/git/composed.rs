//! A bare repository that is written from scratch, object by object, without the git program. Called by the demo; nothing
//! that a person owns is ever written to, and no configuration of a user or of the machine is read.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use gix::objs::{Kind, Write as _};
use keytrail_domain::index_run::batch::CommitSha;

/// It cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("the repository {} cannot be written: {why}", .path.display())]
pub struct ComposeError {
    path: PathBuf,
    why: String,
}

/// The name of a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobName(gix::ObjectId);

/// Who, and when.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// As people write it.
    pub name: &'a str,
    /// Where mail goes.
    pub email: &'a str,
    /// Seconds since 1970.
    pub seconds: i64,
}

/// A commit to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewCommit<'a> {
    /// Author and committer.
    pub by: Signed<'a>,
    /// The whole message.
    pub message: &'a str,
    /// Its parents, the first one first.
    pub parents: &'a [CommitSha],
    /// Its files.
    pub files: Files<'a>,
}

/// The files of a commit.
#[derive(Clone, Copy, Debug)]
pub enum Files<'a> {
    /// All of them: paths with `/`, at most one folder deep.
    These(&'a BTreeMap<String, BlobName>),
    /// The same as those of another commit.
    AsIn(CommitSha),
}

/// A bare repository.
pub struct Composed {
    path: PathBuf,
    objects: gix::odb::loose::Store,
    /// Trees that were written: most folders stay what they are from commit to commit.
    trees: RefCell<HashMap<Vec<u8>, gix::ObjectId>>,
}

impl Composed {
    /// A new one, where nothing is yet. Its default branch is `main`.
    pub fn create(path: &Path) -> Result<Self, ComposeError> {
        let made = || -> io::Result<()> {
            for folder in ["objects/info", "objects/pack", "refs/heads", "refs/tags"] {
                fs::create_dir_all(path.join(folder))?;
            }
            fs::write(path.join("HEAD"), "ref: refs/heads/main\n")?;
            fs::write(path.join("config"), "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n")
        };
        made().map_err(|error| ComposeError { path: path.to_owned(), why: error.to_string() })?;
        Ok(Self::open(path))
    }

    /// One that was written before.
    pub fn open(path: &Path) -> Self {
        let objects = gix::odb::loose::Store::at(path.join("objects"), gix::hash::Kind::Sha1);
        Self { path: path.to_owned(), objects, trees: RefCell::default() }
    }

    /// The bytes of a file.
    pub fn blob(&self, bytes: &[u8]) -> Result<BlobName, ComposeError> {
        self.write(Kind::Blob, bytes).map(BlobName)
    }

    /// A commit. No ref leads to it yet.
    pub fn commit(&self, commit: &NewCommit<'_>) -> Result<CommitSha, ComposeError> {
        let tree = match commit.files {
            Files::These(files) => self.tree(files)?,
            Files::AsIn(other) => self.tree_in(other)?,
        };
        let mut text = format!("tree {tree}\n");
        for parent in commit.parents {
            text.push_str(&format!("parent {parent}\n"));
        }
        let by = signed(commit.by);
        text.push_str(&format!("author {by}\ncommitter {by}\n\n{}\n", commit.message));
        self.write(Kind::Commit, text.as_bytes()).map(sha_of)
    }

    /// An annotated tag, and the ref that leads to it.
    pub fn tag(&self, name: &str, target: CommitSha, by: Signed<'_>, message: &str) -> Result<(), ComposeError> {
        let text = format!("object {target}\ntype commit\ntag {name}\ntagger {}\n\n{message}\n", signed(by));
        let tag = self.write(Kind::Tag, text.as_bytes())?;
        self.point(&format!("refs/tags/{name}"), Some(sha_of(tag)))
    }

    /// Lets a ref lead to a commit, whatever it led to before; or takes it away.
    pub fn point(&self, name: &str, to: Option<CommitSha>) -> Result<(), ComposeError> {
        let file = self.path.join(name);
        let moved = || -> io::Result<()> {
            let Some(to) = to else { return fs::remove_file(&file) };
            fs::create_dir_all(file.parent().unwrap_or(&self.path))?;
            // As git does it: whoever reads at this moment sees the one or the other.
            let lock = self.path.join(format!("{name}.lock"));
            fs::write(&lock, format!("{to}\n"))?;
            fs::rename(lock, &file)
        };
        moved().map_err(|error| self.failed(&error))
    }

    /// Where a ref leads.
    pub fn target(&self, name: &str) -> Result<CommitSha, ComposeError> {
        let text = fs::read_to_string(self.path.join(name)).map_err(|error| self.failed(&error))?;
        text.trim().parse().map_err(|error| self.failed(&error))
    }

    fn tree_in(&self, commit: CommitSha) -> Result<gix::ObjectId, ComposeError> {
        let mut bytes = Vec::new();
        let id = gix::ObjectId::from_bytes_or_panic(&commit.0);
        let found = self.objects.try_find(&id, &mut bytes).map_err(|error| self.failed(&error))?;
        let hex = found.and_then(|commit| commit.data.strip_prefix(b"tree ")?.get(..40).map(<[u8]>::to_vec));
        let hex = hex.ok_or_else(|| self.failed(&format_args!("{commit} is no commit of it")))?;
        gix::ObjectId::from_hex(&hex).map_err(|error| self.failed(&error))
    }

    fn tree(&self, files: &BTreeMap<String, BlobName>) -> Result<gix::ObjectId, ComposeError> {
        let mut root: BTreeMap<Vec<u8>, (&str, gix::ObjectId)> = BTreeMap::new();
        let mut folders: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        for (path, blob) in files {
            match path.split_once('/') {
                None => drop(root.insert(path.clone().into_bytes(), ("100644", blob.0))),
                Some((folder, name)) => entry(folders.entry(folder).or_default(), "100644", name.as_bytes(), blob.0),
            }
        }
        for (folder, entries) in folders {
            let tree = self.tree_of(entries)?;
            // Git sorts a folder as if a slash stood at its end.
            root.insert(format!("{folder}/").into_bytes(), ("40000", tree));
        }
        let mut entries = Vec::new();
        for (name, (mode, id)) in &root {
            entry(&mut entries, mode, name.strip_suffix(b"/").unwrap_or(name), *id);
        }
        self.tree_of(entries)
    }

    fn tree_of(&self, entries: Vec<u8>) -> Result<gix::ObjectId, ComposeError> {
        if let Some(known) = self.trees.borrow().get(&entries) {
            return Ok(*known);
        }
        let id = self.write(Kind::Tree, &entries)?;
        self.trees.borrow_mut().insert(entries, id);
        Ok(id)
    }

    fn write(&self, kind: Kind, bytes: &[u8]) -> Result<gix::ObjectId, ComposeError> {
        self.objects.write_buf(kind, bytes).map_err(|error| self.failed(&error))
    }

    fn failed(&self, why: &dyn std::fmt::Display) -> ComposeError {
        ComposeError { path: self.path.clone(), why: why.to_string() }
    }
}

fn entry(entries: &mut Vec<u8>, mode: &str, name: &[u8], id: gix::ObjectId) {
    entries.extend_from_slice(mode.as_bytes());
    entries.push(b' ');
    entries.extend_from_slice(name);
    entries.push(0);
    entries.extend_from_slice(id.as_bytes());
}

fn signed(by: Signed<'_>) -> String {
    format!("{} <{}> {} +0000", by.name, by.email, by.seconds)
}

fn sha_of(id: gix::ObjectId) -> CommitSha {
    let mut sha = CommitSha::default();
    sha.0.copy_from_slice(id.as_bytes());
    sha
}

#[cfg(test)]
mod tests {
    use keytrail_test_support::repositories::Repository;

    use super::*;

    #[test]
    fn git_itself_finds_nothing_wrong_with_what_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("shop.git");
        let composed = Composed::create(&path).expect("it is written");
        let file = composed.blob(b"one\n").expect("a blob");
        let files: BTreeMap<_, _> =
            ["a", "a.b", "a/z", "a/b", "a-b", "b/c"].into_iter().skip(1).map(|path| (path.to_owned(), file)).collect();
        let by = Signed { name: "Zoë Ünal", email: "zoe@example.com", seconds: 1_700_000_000 };
        let message = "SHOP-1 begins\n\nWith a body.";
        let root = NewCommit { by, message, parents: &[], files: Files::These(&files) };
        let first = composed.commit(&root).expect("a commit");
        let second = composed.commit(&NewCommit { parents: &[first], ..root }).expect("a commit");
        let same = Files::AsIn(second);
        let merge = composed.commit(&NewCommit { parents: &[second, first], files: same, ..root }).expect("a commit");
        composed.point("refs/heads/main", Some(merge)).expect("a ref");
        composed.point("refs/heads/topic/x", Some(first)).expect("a ref");
        composed.tag("v1", second, by, "One").expect("a tag");
        let git = Repository { path: path.clone() };
        let said = git.git(&["fsck", "--strict", "--full"]).expect("fsck finds nothing");
        assert!(String::from_utf8_lossy(&said).is_empty(), "{}", String::from_utf8_lossy(&said));
        assert_eq!(git.git_line(&["rev-list", "--count", "main"]).expect("a count"), "3");
        assert_eq!(git.git_line(&["rev-parse", "v1^{commit}"]).expect("a name"), second.to_string());
        assert_eq!(git.git_line(&["ls-tree", "-r", "--name-only", "main"]).expect("paths").lines().count(), 5);
        composed.point("refs/heads/topic/x", None).expect("it is taken away");
        assert_eq!(Composed::open(&path).target("refs/heads/main").expect("a target"), merge);
        assert!(git.git(&["rev-parse", "--verify", "topic/x"]).is_err());
    }
}
