//! Which objects a mirror lacks of a repository on this machine, put into a pack: from what is wanted down to what the mirror
//! has. Called by the fetch from a folder, on a thread that may be busy for a while.
//!
//! libgit2 would be given the tips that the mirror keeps, look at each of them before the first object, and tell nobody how
//! far it is. Here each object that is read is a step, and nothing is read for a tip that did not move.

use std::collections::HashSet;

use git2::{ObjectType, Odb, OdbLookupFlags, Oid, PackBuilder, Repository};

use super::pack_sink::Shared;
use crate::git::{GitError, transport::FetchError};

/// A way down through a repository.
pub(super) struct NewObjects<'a> {
    source: &'a Repository,
    /// What an object leads to is in it as well, as whoever fills it sees to.
    mirror: &'a Odb<'a>,
    shared: &'a Shared,
    seen: HashSet<Oid>,
}

impl<'a> NewObjects<'a> {
    pub(super) fn new(source: &'a Repository, mirror: &'a Odb<'a>, shared: &'a Shared) -> Self {
        Self { source, mirror, shared, seen: HashSet::new() }
    }

    /// Puts these into the pack, with all that is behind them: history, folders and files, and what tags lead to.
    pub(super) fn put_into(
        &mut self,
        pack: &mut PackBuilder<'_>,
        wanted: impl IntoIterator<Item = Oid>,
    ) -> Result<(), GitError> {
        let (source, shared) = (self.source, self.shared);
        let reading = |error| unreadable(shared, error);
        let mut open = Vec::new();
        for tip in wanted {
            open.push(tip);
            while let Some(id) = open.pop() {
                if !self.is_new(id)? {
                    continue;
                }
                let object = source.find_object(id, None).map_err(reading)?;
                pack.insert_object(id, None).map_err(reading)?;
                shared.steps().step();
                if let Some(commit) = object.as_commit() {
                    open.extend(commit.parent_ids());
                    open.push(commit.tree_id());
                } else if let Some(tag) = object.as_tag() {
                    open.push(tag.target_id());
                }
                for entry in object.as_tree().into_iter().flat_map(|tree| tree.iter()) {
                    let id = entry.id();
                    match entry.kind() {
                        Some(ObjectType::Tree) => open.push(id),
                        // The files of one name are likely to be alike.
                        Some(ObjectType::Blob) if self.is_new(id)? => {
                            pack.insert_object(id, entry.name().ok()).map_err(reading)?;
                            shared.steps().step();
                        }
                        // A submodule's commit is in another repository.
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether it is seen for the first time, and not in the mirror.
    fn is_new(&mut self, id: Oid) -> Result<bool, GitError> {
        self.shared.check_stop()?;
        // Nobody else fills the mirror meanwhile: what is not found needs no second look.
        Ok(self.seen.insert(id) && !self.mirror.exists_ext(id, OdbLookupFlags::NO_REFRESH))
    }
}

/// What libgit2 says of the source.
pub(super) fn unreadable(shared: &Shared, error: git2::Error) -> GitError {
    shared.check_stop().err().unwrap_or_else(|| match error.code() {
        git2::ErrorCode::NotFound => FetchError::RefsMoved.into(),
        _ => GitError::transient("reading the source", error),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use keytrail_test_support::repositories::{Shape, generate};

    use super::*;
    use crate::git::Mirror;

    #[test]
    fn whoever_stops_it_in_the_middle_waits_for_one_object_more_at_most() {
        let folder = tempfile::tempdir().expect("a folder");
        let shape = Shape { commits: 300, pull_requests: 0, ..Shape::default() };
        let made = generate(&folder.path().join("made.git"), &shape).expect("git fast-import works");
        let mirror = Mirror::open_or_make(&folder.path().join("mirror")).expect("a mirror");
        let shared = Shared::alone(&mirror);
        let objects = |path: &Path| {
            let odb = Odb::new().expect("libgit2");
            odb.add_disk_alternate(path.join("objects").to_str().expect("UTF-8")).expect("objects");
            odb
        };
        let (here, source) = (objects(mirror.path()), Repository::from_odb(objects(&made.path)).expect("objects"));
        let tip = |name: &str| {
            let sha = made.git_line(&["rev-parse", name]).expect("a commit");
            Oid::from_str(&sha).expect("a name")
        };
        // An old commit is walked from, and then somebody stops it.
        let tips = [tip("refs/heads/main~100"), tip("refs/heads/main")].into_iter().enumerate().map(|(number, tip)| {
            if number > 0 {
                shared.stop();
            }
            tip
        });
        let mut pack = source.packbuilder().expect("libgit2");
        let stopped = NewObjects::new(&source, &here, &shared).put_into(&mut pack, tips);
        assert!(matches!(stopped, Err(GitError::Cancelled)), "{stopped:?}");
        let (put, steps) = (pack.object_count() as u64, shared.steps().count());
        assert!((1..300).contains(&put) && steps == put, "{put} objects in {steps} steps");
    }
}
