//! Lists the refs of a repository in their fixed rank. Called by jobs; reads at most the objects of tags that it does
//! not know yet, and never the history.

mod moved;
mod shown_name;
mod stamp;
#[cfg(test)]
mod tests;

use std::{io, sync::Arc, thread, time::Duration};

use gix::{objs::Kind, refs::Target};
use keytrail_domain::{index_run::batch::CommitSha, ref_selection::RefSelection};
use sha2::{Digest as _, Sha256};

use self::shown_name::shown_name;
pub(super) use self::stamp::{FileMark, file_mark};
pub use self::{moved::moved, stamp::RefsStamp};
use super::{GitError, Graph, OpenedRepository, opened::ObjectReader, remote::Listed};

/// The usual bound of [`list_refs`].
pub const MAX_REFS: usize = 500_000;

/// A chain of symbolic refs or of tags of tags that is longer than this is an accident or an attack.
const LONGEST_CHAIN: usize = 8;

/// How often refs are listed when they are packed at the same time.
const MOST_LISTINGS: usize = 8;
/// What its owner has to finish meanwhile.
const BETWEEN_LISTINGS: Duration = Duration::from_millis(10);

/// A ref that names a commit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ref {
    /// Its full name, made fit to be shown.
    pub name: Arc<str>,
    /// The commit, annotated tags peeled.
    pub commit: CommitSha,
}

/// The refs of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefList {
    /// In the order of rank: default branch, branches, tags, pull requests; then bytewise.
    pub refs: Vec<Ref>,
    /// How many could not be read, or name an object that is not there.
    pub broken: u64,
    /// How many name something else than a commit.
    pub not_commits: u64,
    /// How many objects were read.
    pub objects_read: u64,
    /// The full name of the default branch, made fit to be shown; it need not have a commit yet. `None` when HEAD names
    /// no branch, or the remote does not say.
    pub default_branch: Option<Arc<str>>,
}

/// Lists the refs that are selected.
///
/// A ref that is broken is counted and left out, as git does. A commit in `known` is not looked for again.
pub fn list_refs(
    repository: &OpenedRepository,
    known: &Graph,
    selection: &RefSelection,
    max_refs: usize,
) -> Result<RefList, GitError> {
    let packed = repository.common_dir().join("packed-refs");
    for _ in 0..MOST_LISTINGS {
        let before = file_mark(&packed);
        let (list, vanished) = list_once(repository, known, selection, max_refs)?;
        // A ref that its owner packs after the packed ones were read, and before the loose ones were, is in neither. One
        // whose loose file is taken away between being found and being read is not looked for among the packed ones.
        if before == file_mark(&packed) && !vanished {
            return Ok(list);
        }
        thread::sleep(BETWEEN_LISTINGS);
    }
    Err(GitError::transient("listing the refs", "they change faster than they can be read"))
}

/// The refs, and whether the file of one was found and not there any more.
fn list_once(
    repository: &OpenedRepository,
    known: &Graph,
    selection: &RefSelection,
    max_refs: usize,
) -> Result<(RefList, bool), GitError> {
    let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| GitError::transient("listing the refs", error);
    let store = gix::refs::file::Store::at(repository.common_dir().to_owned(), gix::hash::Kind::Sha1);
    let mut listing = Listing { known, reader: repository.reader(), list: RefList::default() };
    let mut default = None;
    let mut vanished = false;
    let platform = store.iter().map_err(|error| unreadable(error.into()))?;
    for prefix in selection.prefixes() {
        let prefix: &gix::path::RelativePath =
            prefix.as_bytes().try_into().map_err(|error: gix::Error| unreadable(error.into()))?;
        for item in platform.prefixed(prefix).map_err(|error| unreadable(error.into()))? {
            repository.steps().step();
            let item = match item {
                Ok(item) => item,
                Err(error) => {
                    let mut causes = error.iter_errors().filter_map(|error| error.downcast_ref::<io::Error>());
                    vanished |= causes.any(|error| error.kind() == io::ErrorKind::NotFound);
                    listing.list.broken += 1;
                    continue;
                }
            };
            let name = item.name.as_bstr();
            if !selection.selects(name) {
                continue;
            }
            let Some(commit) = listing.commit_of(&store, &item)? else { continue };
            if listing.list.refs.len() == max_refs {
                return Err(GitError::TooManyRefs { bound: max_refs });
            }
            let shown = shown_name(name);
            if Some(name.as_ref()) == repository.default_branch() {
                default = Some(listing.list.refs.len());
            }
            listing.list.refs.push(Ref { name: shown, commit });
        }
    }
    let default = default.map(|at| listing.list.refs[at].name.clone());
    listing.list.objects_read = listing.reader.objects_read();
    listing.list.finish(default.as_deref());
    listing.list.default_branch = repository.default_branch().map(shown_name);
    Ok((listing.list, vanished))
}

impl RefList {
    /// The list that a remote gave. What its refs name is known only once it was fetched.
    pub fn of_remote(listed: &Listed) -> Self {
        let refs = listed.refs.iter().map(|item| Ref { name: shown_name(&item.name), commit: item.leads_to() });
        let branch = listed.head.as_deref().filter(|name| name.starts_with(b"refs/heads/"));
        let mut list = Self { refs: refs.collect(), default_branch: branch.map(shown_name), ..Self::default() };
        let default = listed.refs.iter().position(|item| Some(item.name.as_slice()) == branch);
        let default = default.map(|at| list.refs[at].name.clone());
        list.finish(default.as_deref());
        list
    }

    /// Tells lists apart: of two with the same names, commits and order it is the same.
    pub fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for item in &self.refs {
            // No name holds a zero byte.
            digest.update(item.name.as_bytes());
            digest.update([0]);
            digest.update(item.commit.0);
        }
        digest.finalize().into()
    }

    /// Brings the refs in rank. Two of one name would be an accident of hashes, or an attack: one is as good as both.
    fn finish(&mut self, default: Option<&str>) {
        in_rank(&mut self.refs, default);
        let all = self.refs.len();
        self.refs.dedup_by(|later, first| later.name == first.name);
        self.broken += (all - self.refs.len()) as u64;
    }
}

/// Brings refs into the order of rank, with this default branch.
pub fn in_rank(refs: &mut [Ref], default: Option<&str>) {
    refs.sort_by(|a, b| rank(a, default).cmp(&rank(b, default)));
}

fn rank<'a>(item: &'a Ref, default: Option<&str>) -> (u8, &'a str) {
    let kind = match &*item.name {
        name if default == Some(name) => 0,
        name if name.starts_with("refs/heads/") => 1,
        name if name.starts_with("refs/tags/") => 2,
        _ => 3,
    };
    (kind, &item.name)
}

struct Listing<'a> {
    known: &'a Graph,
    reader: ObjectReader,
    list: RefList,
}

impl Listing<'_> {
    /// The commit that a ref leads to; `None` when it is counted as none.
    fn commit_of(
        &mut self,
        store: &gix::refs::file::Store,
        item: &gix::refs::Reference,
    ) -> Result<Option<CommitSha>, GitError> {
        let mut target = item.peeled.map_or_else(|| item.target.clone(), Target::Object);
        for _ in 0..LONGEST_CHAIN {
            match target {
                Target::Object(id) => {
                    let name = item.name.as_bstr();
                    let of_commits = [&b"refs/heads/"[..], b"refs/pull/", b"refs/merge-requests/"];
                    return self.peel(sha_of(&id), !of_commits.iter().any(|prefix| name.starts_with(prefix)));
                }
                Target::Symbolic(name) => match store.try_find(name.as_ref()) {
                    Ok(Some(next)) => target = next.peeled.map_or(next.target, Target::Object),
                    Ok(None) | Err(_) => break,
                },
            }
        }
        self.list.broken += 1;
        Ok(None)
    }

    fn peel(&mut self, mut sha: CommitSha, may_be_a_tag: bool) -> Result<Option<CommitSha>, GitError> {
        if self.known.contains(sha) {
            return Ok(Some(sha));
        }
        // A branch that names something else was made by hand; reading what the walk reads again is slow.
        if !may_be_a_tag && self.reader.is_commit(sha) {
            return Ok(Some(sha));
        }
        for _ in 0..LONGEST_CHAIN {
            match self.reader.read(sha)? {
                Some((Kind::Commit, _)) => return Ok(Some(sha)),
                Some((Kind::Tag, bytes)) => match tagged(bytes) {
                    Some(next) => sha = next,
                    None => break,
                },
                Some((Kind::Tree | Kind::Blob, _)) => {
                    self.list.not_commits += 1;
                    return Ok(None);
                }
                None => break,
            }
            if self.known.contains(sha) {
                return Ok(Some(sha));
            }
        }
        self.list.broken += 1;
        Ok(None)
    }
}

fn sha_of(id: &gix::ObjectId) -> CommitSha {
    let mut sha = CommitSha::default();
    sha.0.copy_from_slice(id.as_bytes());
    sha
}

/// What an annotated tag's first line names.
pub(super) fn tagged(tag: &[u8]) -> Option<CommitSha> {
    let hex = tag.strip_prefix(b"object ")?.get(..40)?;
    std::str::from_utf8(hex).ok()?.parse().ok()
}
