//! Finds which added files are deleted files under another name, as git does without being asked for copies
//! (diffcore-rename.c): first the same bytes, then the same name with much the same bytes, then whatever is most alike.
//! Called after trees were compared. It reads a bounded number of files, and says when it left some out.

use std::collections::HashMap;

use keytrail_domain::index_run::batch::CommitSha;

use super::{
    DiffBounds, DiffObjects, Side,
    similarity::{MAX_SCORE, Pieces},
    tree_changes::Change,
};
use crate::git::GitError;

/// Half of a file is the same.
const LEAST: u64 = MAX_SCORE / 2;
/// What files of the same name need.
const LEAST_OF_NAMESAKES: u64 = LEAST + (MAX_SCORE - LEAST) / 2;
/// Candidates that are kept for each added file.
const CANDIDATES: usize = 4;

/// A found rename: places among the changes, and how alike they are in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rename {
    pub(super) old: usize,
    pub(super) new: usize,
    pub(super) percent: u8,
}

/// What was found.
pub(super) struct Found {
    pub(super) renames: Vec<Rename>,
    /// There were too many files to compare all.
    pub(super) limited: bool,
}

struct Half<'a> {
    place: usize,
    path: &'a [u8],
    side: Side,
    used: bool,
}

impl Half<'_> {
    fn base(&self) -> &[u8] {
        let start = memchr::memrchr(b'/', self.path).map_or(0, |slash| slash + 1);
        &self.path[start..]
    }
}

pub(super) fn find(objects: &mut DiffObjects, changes: &[Change], bounds: &DiffBounds) -> Result<Found, GitError> {
    let half = |place: usize, path, side| Half { place, path, side, used: false };
    let mut search = Search { old: Vec::new(), new: Vec::new(), renames: Vec::new(), pieces: HashMap::new(), read: 0 };
    for (place, change) in changes.iter().enumerate() {
        match (change.old, change.new) {
            (Some(old), None) => search.old.push(half(place, &change.path, old)),
            (None, Some(new)) => search.new.push(half(place, &change.path, new)),
            _ => {}
        }
    }
    search.same_bytes();
    let mut limited = search.open_pairs() > bounds.rename_pairs;
    if !limited {
        search.namesakes(objects, bounds)?;
        search.most_alike(objects, bounds)?;
        limited = search.read > bounds.all_bytes;
    }
    Ok(Found { renames: search.renames, limited })
}

struct Search<'a> {
    old: Vec<Half<'a>>,
    new: Vec<Half<'a>>,
    renames: Vec<Rename>,
    /// `None` of a file that is too large, or not here.
    pieces: HashMap<CommitSha, Option<Pieces>>,
    read: u64,
}

impl Search<'_> {
    fn pair(&mut self, old: usize, new: usize, score: u64) {
        let (from, to) = (&mut self.old[old], &mut self.new[new]);
        (from.used, to.used) = (true, true);
        self.renames.push(Rename { old: from.place, new: to.place, percent: (score * 100 / MAX_SCORE) as u8 });
    }

    fn open_pairs(&self) -> usize {
        let open = |halves: &[Half<'_>]| halves.iter().filter(|half| !half.used && half.side.is_file()).count();
        open(&self.old).saturating_mul(open(&self.new))
    }

    fn same_bytes(&mut self) {
        let mut by_id: HashMap<CommitSha, Vec<usize>> = HashMap::new();
        for (at, old) in self.old.iter().enumerate() {
            by_id.entry(old.side.id).or_default().push(at);
        }
        for at in 0..self.new.len() {
            let new = &self.new[at];
            // A thousand empty files are all alike: the first ones are looked at.
            const LOOKED_AT: usize = 100;
            let candidates = by_id.get(&new.side.id).map(Vec::as_slice).unwrap_or_default();
            let fits = |old: &Half<'_>| {
                !old.used && (old.side.is_file() && new.side.is_file() || old.side.mode == new.side.mode)
            };
            let open = || candidates.iter().copied().filter(|place| fits(&self.old[*place])).take(LOOKED_AT);
            let same_name = open().find(|place| self.old[*place].base() == new.base());
            if let Some(old) = same_name.or_else(|| open().next()) {
                self.pair(old, at, MAX_SCORE);
            }
        }
    }

    /// A name that one deleted and one added file have, and no other.
    fn namesakes(&mut self, objects: &mut DiffObjects, bounds: &DiffBounds) -> Result<(), GitError> {
        fn unique<'a>(halves: &'a [Half<'_>]) -> HashMap<&'a [u8], Option<usize>> {
            let mut found: HashMap<&[u8], Option<usize>> = HashMap::new();
            for (at, half) in halves.iter().enumerate().filter(|(_, half)| !half.used) {
                found.entry(half.base()).and_modify(|place| *place = None).or_insert(Some(at));
            }
            found
        }
        let new = unique(&self.new);
        let mut pairs: Vec<(usize, usize)> =
            unique(&self.old).into_iter().filter_map(|(name, old)| Some((old?, (*new.get(name)?)?))).collect();
        pairs.sort_unstable();
        for (old, new) in pairs {
            let score = self.score(old, new, LEAST_OF_NAMESAKES, objects, bounds)?;
            if score >= LEAST_OF_NAMESAKES {
                self.pair(old, new, score);
            }
        }
        Ok(())
    }

    fn most_alike(&mut self, objects: &mut DiffObjects, bounds: &DiffBounds) -> Result<(), GitError> {
        let mut matrix = Vec::new();
        for new in (0..self.new.len()).filter(|new| !self.new[*new].used).collect::<Vec<_>>() {
            let mut best: Vec<(u64, bool, usize)> = Vec::new();
            for old in (0..self.old.len()).filter(|old| !self.old[*old].used).collect::<Vec<_>>() {
                let score = self.score(old, new, LEAST, objects, bounds)?;
                if score >= LEAST {
                    best.push((score, self.old[old].base() == self.new[new].base(), old));
                }
            }
            // Stable: of equals the first path stays.
            best.sort_by(|a, b| (b.0, b.1).cmp(&(a.0, a.1)));
            best.truncate(CANDIDATES);
            matrix.extend(best.into_iter().map(|(score, same_name, old)| (score, same_name, old, new)));
        }
        matrix.sort_by(|a, b| (b.0, b.1).cmp(&(a.0, a.1)));
        for (score, _, old, new) in matrix {
            if !self.old[old].used && !self.new[new].used {
                self.pair(old, new, score);
            }
        }
        Ok(())
    }

    fn score(
        &mut self,
        old: usize,
        new: usize,
        least: u64,
        objects: &mut DiffObjects,
        bounds: &DiffBounds,
    ) -> Result<u64, GitError> {
        let (old, new) = (self.old[old].side, self.new[new].side);
        if !old.is_file() || !new.is_file() {
            return Ok(0);
        }
        for id in [old.id, new.id] {
            if self.pieces.contains_key(&id) {
                continue;
            }
            let size = objects.size(id)?.filter(|size| *size <= bounds.file_bytes);
            self.read += size.unwrap_or(0);
            let fits = size.is_some() && self.read <= bounds.all_bytes;
            let data = if fits { objects.file(id)? } else { None };
            self.pieces.insert(id, data.map(|data| Pieces::of(&data)));
        }
        let of = |id| self.pieces.get(&id).and_then(Option::as_ref);
        Ok(of(old.id).zip(of(new.id)).map_or(0, |(old, new)| old.score(new, least)))
    }
}
