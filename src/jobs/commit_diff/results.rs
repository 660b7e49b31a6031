//! Answers that were given, as long as there is room for them; the one that was asked for longest ago goes first. Asked
//! before any work is done. What a commit changed never changes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{CommitChanges, Key};
use crate::git::diff::{ChangedFile, FileHunks};

pub(super) struct Results {
    room: usize,
    bytes: usize,
    uses: u64,
    kept: HashMap<Key, Kept>,
    /// By use.
    order: BTreeMap<u64, Key>,
}

struct Kept {
    changes: Arc<CommitChanges>,
    bytes: usize,
    used: u64,
}

impl Results {
    pub(super) fn new(room: usize) -> Self {
        Self { room, bytes: 0, uses: 0, kept: HashMap::new(), order: BTreeMap::new() }
    }

    pub(super) fn get(&mut self, key: &Key) -> Option<Arc<CommitChanges>> {
        let kept = self.kept.get_mut(key)?;
        self.uses += 1;
        self.order.remove(&kept.used);
        self.order.insert(self.uses, key.clone());
        kept.used = self.uses;
        Some(kept.changes.clone())
    }

    /// What is larger than an eighth of the room is not kept.
    pub(super) fn put(&mut self, key: Key, changes: Arc<CommitChanges>) {
        let bytes = size(&changes);
        if bytes > self.room / 8 || self.kept.contains_key(&key) {
            return;
        }
        self.uses += 1;
        self.bytes += bytes;
        self.order.insert(self.uses, key.clone());
        self.kept.insert(key, Kept { changes, bytes, used: self.uses });
        while self.bytes > self.room
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.bytes -= self.kept.remove(&oldest).map_or(0, |kept| kept.bytes);
        }
    }
}

/// About what it takes in memory.
fn size(changes: &CommitChanges) -> usize {
    let of_file =
        |file: &ChangedFile| size_of::<ChangedFile>() + file.path.len() + file.old_path.as_ref().map_or(0, Vec::len);
    let of_lines = |file: &FileHunks| {
        let lines = file.hunks.iter().flat_map(|hunk| &hunk.lines);
        of_file(&file.file)
            + lines.map(|line| size_of_val(line) + line.text.len() + line.changed.len() * 8).sum::<usize>()
    };
    let files: usize = changes.files.files.iter().map(of_file).sum();
    size_of::<CommitChanges>() + files + changes.lines.iter().map(of_lines).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use keytrail_domain::{id::RepositoryId, index_run::batch::CommitSha};

    use super::*;
    use crate::{
        git::diff::ChangedFiles,
        jobs::commit_diff::{Asked, Part},
    };

    fn key(number: u8) -> Key {
        let asked = Asked { commit: CommitSha([number; 20]), parent: None, part: Part::Files };
        (RepositoryId(uuid::Uuid::nil()), 1, asked)
    }

    fn changes(files: usize) -> Arc<CommitChanges> {
        let file = ChangedFile {
            path: vec![b'x'; 1_000],
            old_path: None,
            status: crate::git::diff::Status::Added,
            old: None,
            new: None,
            content: crate::git::diff::Content::Binary,
        };
        let files = ChangedFiles {
            commit: CommitSha([0; 20]),
            parent: None,
            parents: 0,
            files: vec![file; files],
            total: files,
            endless: false,
            renames_limited: false,
        };
        Arc::new(CommitChanges { files, lines: Vec::new() })
    }

    #[test]
    fn the_answer_that_was_asked_for_longest_ago_goes_first() {
        let mut results = Results::new(30_000);
        for number in 0..40 {
            results.put(key(number), changes(1));
            assert!(results.get(&key(0)).is_some(), "asked for again and again");
        }
        let kept: Vec<u8> = (0..40).filter(|number| results.get(&key(*number)).is_some()).collect();
        assert!(kept.len() > 10 && results.bytes <= 30_000, "{kept:?}");
        assert_eq!(kept[1..], (40 - kept.len() as u8 + 1..40).collect::<Vec<_>>());
        assert_eq!((results.kept.len(), results.order.len()), (kept.len(), kept.len()));
    }

    #[test]
    fn what_would_drive_out_many_others_is_not_kept() {
        let mut results = Results::new(30_000);
        results.put(key(1), changes(1));
        results.put(key(2), changes(10));
        assert!(results.get(&key(1)).is_some() && results.get(&key(2)).is_none());
    }
}
