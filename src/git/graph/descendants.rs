//! Which commits lead to a given one: for whoever asks in which branches and tags a commit is. Called by a route, on a
//! blocking thread; reads no object of the repository.

use std::io;

use keytrail_domain::index_run::batch::CommitSha;

use super::{Graph, parents::Parents};
use crate::git::GitError;

/// A commit of a graph and all those that lead to it.
pub struct Descendants<'a> {
    graph: &'a Graph,
    /// The commit's row.
    first: u32,
    /// A bit for each row from `first` on.
    leading: Vec<u64>,
}

impl Graph {
    /// The commits that lead to this one, itself among them; `None` when the graph does not know it.
    ///
    /// Reads the parents of the commits that stand above it in the file, each once, and none below: 4 bytes a parent
    /// are kept meanwhile. Transient when the graph's file cannot be read or was changed.
    pub fn descendants(&self, sha: CommitSha) -> Result<Option<Descendants<'_>>, GitError> {
        let Some(first) = self.row(sha) else { return Ok(None) };
        let rows = self.len() - first as usize;
        let mut found = Descendants { graph: self, first, leading: vec![0; rows.div_ceil(64)] };
        found.insert(first);
        let unreadable = |error: io::Error| GitError::transient("reading the graph of commits", error);
        let file = Parents::open(self.path.as_deref(), self.number, self.good_bytes, self.len()).map_err(unreadable)?;
        // The file is read from its end, and children stand behind their parents: what was read is passed backwards.
        let (flat, ends) = parents_above(file, first).map_err(unreadable)?;
        let mut end = flat.len();
        for (place, start) in ends.iter().enumerate().rev() {
            let row = first + (ends.len() - place) as u32;
            if flat[*start..end].iter().any(|parent| found.contains(*parent)) {
                found.insert(row);
            }
            end = *start;
        }
        Ok(Some(found))
    }
}

/// The parents of all rows above `first`, the last row's first, and where those of each row begin.
fn parents_above(mut file: Parents, first: u32) -> io::Result<(Vec<u32>, Vec<usize>)> {
    let (mut flat, mut starts, mut parents) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(row) = file.next(&mut parents)? {
        if row <= first {
            break;
        }
        starts.push(flat.len());
        // What stands below the commit cannot lead to it.
        flat.extend(parents.iter().copied().filter(|parent| *parent >= first));
    }
    Ok((flat, starts))
}

impl Descendants<'_> {
    fn insert(&mut self, row: u32) {
        let place = (row - self.first) as usize;
        self.leading[place / 64] |= 1 << (place % 64);
    }

    fn contains(&self, row: u32) -> bool {
        let Some(place) = row.checked_sub(self.first).map(|place| place as usize) else { return false };
        self.leading.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    /// Whether this commit leads there; `None` when the graph does not know it.
    pub fn lead_from(&self, sha: CommitSha) -> Option<bool> {
        self.graph.row(sha).map(|row| self.contains(row))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use keytrail_domain::person::PersonId;
    use keytrail_test_support::repositories::{Shape, generate};
    use uuid::Uuid;

    use super::*;
    use crate::git::{Bounds, MAX_REFS, Progress, WalkRequest, list_refs, transport::LocalRepository, walk};

    #[test]
    fn what_leads_to_a_commit_is_what_git_says() {
        let folder = tempfile::tempdir().expect("a folder");
        let shape = Shape { commits: 300, merges_percent: 30, ..Shape::default() };
        let repository = generate(&folder.path().join("made.git"), &shape).expect("git fast-import works");
        let path = folder.path().join("3.graph");
        let opened = LocalRepository::InPlace(repository.path.clone()).open().expect("a repository");
        let known = Graph::load(&path, 3);
        let refs = list_refs(&opened, &known, &Default::default(), MAX_REFS).expect("refs");
        let request = WalkRequest {
            refs: &refs,
            known: &known,
            after: None,
            identify: &|_| PersonId(Uuid::nil()),
            cancel: &Default::default(),
            progress: &Progress::default(),
            bounds: Bounds::default(),
        };
        let new = walk(&opened, &request, &mut |_| Ok(())).expect("a walk to its end").new;
        known.append(&new).expect("a writable folder");
        let graph = Graph::load(&path, 3);
        let all = repository.git_line(&["rev-list", "--all"]).expect("names");
        let all: Vec<&str> = all.split_whitespace().collect();
        assert!(all.len() >= 300);
        for sha in all.iter().step_by(23) {
            let said =
                repository.git_line(&["rev-list", "--all", "--ancestry-path", &format!("^{sha}")]).expect("names");
            let mut said: BTreeSet<&str> = said.split_whitespace().collect();
            said.insert(sha);
            said.retain(|sha| graph.contains(sha.parse().expect("a name")));
            let found = graph.descendants(sha.parse().expect("a name")).expect("readable").expect("known");
            let ours: BTreeSet<&str> =
                all.iter().copied().filter(|tip| found.lead_from(tip.parse().expect("a name")) == Some(true)).collect();
            assert_eq!(ours, said, "{sha}");
            assert_eq!(found.lead_from(CommitSha([7; 20])), None);
        }
        assert!(graph.descendants(CommitSha([7; 20])).expect("readable").is_none());
        assert!(Graph::empty().descendants(CommitSha([7; 20])).expect("readable").is_none());
    }
}
