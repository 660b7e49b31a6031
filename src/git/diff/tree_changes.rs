//! Compares the trees of a commit and a parent: which paths differ, by names of objects alone. Called first of a diff;
//! no file is read. Trees that are not here are named all at once, so that they can be fetched at once.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, HashMap, HashSet},
};

use keytrail_domain::index_run::batch::CommitSha;

use super::{DiffBounds, DiffError, DiffObjects, Side, files::is_meant};
use crate::git::GitError;

/// Changes that are kept to be counted and searched for renames.
const MOST_CHANGES: usize = 100_000;
/// Bytes of all their paths: one folder with an endless name is in each path below it.
const MOST_PATH_BYTES: usize = 32 << 20;
/// No file system has longer ones, in bytes; what is longer is left out.
const LONGEST_PATH: usize = 32 << 10;
/// Bytes of folders that are held at once, each with those above it.
const MOST_OPEN_BYTES: usize = 128 << 20;
/// A folder of hundreds of thousands of entries; what is larger is left out.
const LARGEST_TREE: u64 = 16 << 20;
/// Bytes of folders that are read in all: two large ones may differ below each of thousands of names.
const MOST_TREE_BYTES: u64 = 512 << 20;
/// Folders that are looked into: one that holds itself ten times over, ten levels deep, has no end.
const MOST_TREES: usize = 200_000;
/// No real tree is deeper; what is deeper is left out.
const DEEPEST: usize = 256;

/// A path with what it was and what it became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: Vec<u8>,
    pub(super) old: Option<Side>,
    pub(super) new: Option<Side>,
}

/// Paths that differ between a commit and a parent.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The commit.
    pub commit: CommitSha,
    /// What it is compared with; `None` for a commit without parents, which is compared with nothing.
    pub parent: Option<CommitSha>,
    /// How many parents it has.
    pub parents: usize,
    /// In the order of paths.
    pub(super) changes: Vec<Change>,
    /// There are more, which nobody counted.
    pub(super) endless: bool,
}

/// How a look at trees ended.
#[derive(Debug)]
pub enum Looked {
    /// All of them were there.
    Compared(Comparison),
    /// These trees are needed and not here; there may be others below them.
    Lacking(BTreeSet<CommitSha>),
}

/// Compares a commit with its parent number `parent` (1 is the first, which is taken when nothing is said).
pub fn compare(objects: &mut DiffObjects, commit: CommitSha, parent: Option<usize>) -> Result<Looked, DiffError> {
    let parts = objects.commit(commit)?;
    let parents = parts.parents.len();
    let parent = match parent {
        None => parts.parents.first().copied(),
        Some(number) => {
            let found = number.checked_sub(1).and_then(|place| parts.parents.get(place));
            Some(*found.ok_or(DiffError::NoSuchParent { sha: commit, parents })?)
        }
    };
    let before = parent.map(|parent| objects.commit(parent)).transpose()?.map(|parts| parts.tree);
    let mut walk = Walk::new(objects);
    walk.trees(before, Some(parts.tree), &mut Vec::new(), 0)?;
    let Walk { mut changes, lacking, endless, .. } = walk;
    if !lacking.is_empty() {
        return Ok(Looked::Lacking(lacking));
    }
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Looked::Compared(Comparison { commit, parent, parents, changes, endless }))
}

impl Comparison {
    /// The files whose bytes are looked at, within the bound of files, and of the wanted path: not those that only moved
    /// or changed their mode.
    pub fn files(&self, bounds: &DiffBounds, path: Option<&str>) -> HashSet<CommitSha> {
        let mut files = HashSet::new();
        // Of each object how often it came less how often it went.
        let mut moves: HashMap<CommitSha, i64> = HashMap::new();
        for (place, change) in self.changes.iter().enumerate() {
            if place >= bounds.files && (path.is_none() || !is_meant(&change.path, path)) {
                continue;
            }
            let (old, new) = (change.old, change.new);
            if old.map(|side| side.id) == new.map(|side| side.id) {
                continue;
            }
            for (side, sign) in [(old, -1), (new, 1)] {
                let Some(side) = side.filter(|side| !side.is_submodule()) else { continue };
                files.insert(side.id);
                let sum = moves.entry(side.id).or_default();
                // One that was changed where it was is read in any case.
                *sum = if old.is_some() && new.is_some() { i64::MAX / 2 } else { *sum + sign };
            }
        }
        files.retain(|id| moves.get(id).is_none_or(|sum| *sum != 0));
        files
    }
}

struct Entry<'a> {
    name: &'a [u8],
    mode: u32,
    id: CommitSha,
}

impl Entry<'_> {
    fn is_tree(&self) -> bool {
        self.mode == 0o040_000
    }

    fn side(&self) -> Side {
        Side { mode: self.mode, id: self.id, size: None }
    }

    /// git sorts folders as if their names ended in a slash.
    fn order(&self, other: &Self) -> Ordering {
        let slash = |entry: &Self| entry.is_tree().then_some(b'/');
        self.name.iter().copied().chain(slash(self)).cmp(other.name.iter().copied().chain(slash(other)))
    }
}

/// Takes a tree apart.
fn entries(mut rest: &[u8]) -> Option<Vec<Entry<'_>>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let space = memchr::memchr(b' ', rest)?;
        let mode = rest[..space].iter().try_fold(0_u32, |mode, digit| match digit {
            b'0'..=b'7' => mode.checked_mul(8)?.checked_add(u32::from(digit - b'0')),
            _ => None,
        })?;
        let name_end = memchr::memchr(0, &rest[space + 1..])? + space + 1;
        let (id, after) = rest[name_end + 1..].split_first_chunk::<20>()?;
        found.push(Entry { name: &rest[space + 1..name_end], mode: usual(mode), id: CommitSha(*id) });
        rest = after;
    }
    // A tree that was written in another order is compared all the same.
    if !found.is_sorted_by(|a, b| a.order(b).is_le()) {
        found.sort_by(Entry::order);
    }
    Some(found)
}

/// Old programs wrote other permissions; git knows five modes.
const fn usual(mode: u32) -> u32 {
    match mode & 0o170_000 {
        0o100_000 if mode & 0o100 != 0 => 0o100_755,
        0o100_000 => 0o100_644,
        0o120_000 => 0o120_000,
        0o040_000 => 0o040_000,
        _ => 0o160_000,
    }
}

struct Walk<'a> {
    objects: &'a mut DiffObjects,
    changes: Vec<Change>,
    lacking: BTreeSet<CommitSha>,
    trees: usize,
    /// Bytes of all paths that were found.
    path_bytes: usize,
    /// Bytes of the folders that are open: this one and those above it.
    open_bytes: usize,
    /// Bytes of all folders that were read.
    tree_bytes: u64,
    endless: bool,
}

impl<'a> Walk<'a> {
    fn new(objects: &'a mut DiffObjects) -> Self {
        let (changes, lacking) = (Vec::new(), BTreeSet::new());
        Self { objects, changes, lacking, trees: 0, path_bytes: 0, open_bytes: 0, tree_bytes: 0, endless: false }
    }

    fn trees(
        &mut self,
        old: Option<CommitSha>,
        new: Option<CommitSha>,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), GitError> {
        if old == new {
            return Ok(());
        }
        self.trees += 1;
        if self.trees > MOST_TREES || depth > DEEPEST || self.changes.len() >= MOST_CHANGES {
            self.endless = true;
            return Ok(());
        }
        let (old_bytes, new_bytes) = (self.read(old)?, self.read(new)?);
        let (Some(old_bytes), Some(new_bytes)) = (old_bytes, new_bytes) else { return Ok(()) };
        let open = old_bytes.len() + new_bytes.len();
        if self.open_bytes + open > MOST_OPEN_BYTES {
            self.endless = true;
            return Ok(());
        }
        self.open_bytes += open;
        let compared = self.compare((old, &old_bytes), (new, &new_bytes), path, depth);
        self.open_bytes -= open;
        compared
    }

    fn compare(
        &mut self,
        (old, old_bytes): (Option<CommitSha>, &[u8]),
        (new, new_bytes): (Option<CommitSha>, &[u8]),
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), GitError> {
        let parse = |sha: Option<CommitSha>, bytes| {
            let reason = "a folder is malformed".to_owned();
            entries(bytes).ok_or(GitError::CorruptObject { sha: sha.unwrap_or_default(), reason })
        };
        let (old, new) = (parse(old, old_bytes)?, parse(new, new_bytes)?);
        let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => old.order(new),
            };
            let before = old.next_if(|_| order.is_le());
            let after = new.next_if(|_| order.is_ge());
            let Some(name) = before.or(after).map(|entry| entry.name) else { return Ok(()) };
            let length = path.len();
            if length + name.len() > LONGEST_PATH {
                self.endless = true;
                continue;
            }
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            self.entry(before, after, path, depth)?;
            path.truncate(length);
        }
    }

    fn entry(
        &mut self,
        old: Option<&Entry<'_>>,
        new: Option<&Entry<'_>>,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), GitError> {
        let tree = |entry: Option<&Entry<'_>>| entry.filter(|entry| entry.is_tree()).map(|entry| entry.id);
        let file = |entry: Option<&Entry<'_>>| entry.filter(|entry| !entry.is_tree()).map(Entry::side);
        self.trees(tree(old), tree(new), path, depth + 1)?;
        let (old, new) = (file(old), file(new));
        if old != new {
            if self.changes.len() < MOST_CHANGES && self.path_bytes + path.len() <= MOST_PATH_BYTES {
                self.path_bytes += path.len();
                self.changes.push(Change { path: path.clone(), old, new });
            } else {
                self.endless = true;
            }
        }
        Ok(())
    }

    /// The bytes of a tree; none of no tree. One that is not here is remembered.
    fn read(&mut self, tree: Option<CommitSha>) -> Result<Option<Vec<u8>>, GitError> {
        let Some(tree) = tree else { return Ok(Some(Vec::new())) };
        let Some(size) = self.objects.tree_size(tree)? else {
            self.lacking.insert(tree);
            return Ok(None);
        };
        if size > LARGEST_TREE || self.tree_bytes + size > MOST_TREE_BYTES {
            self.endless = true;
            return Ok(None);
        }
        self.tree_bytes += size;
        self.objects.tree(tree)
    }
}
