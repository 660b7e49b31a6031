//! What the server should be, and what it should say. Knows nothing of HTTP.

use std::collections::{BTreeMap, BTreeSet};

use super::wish::{BRANCHES, Deed, ISSUES, SUBJECTS, Seen};

/// A commit of a place.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) sha: String,
    pub(super) parent: Option<usize>,
    pub(super) subject: usize,
    pub(super) author: usize,
    pub(super) committed_at: i64,
}

impl Commit {
    pub(super) fn names(&self, issue: usize) -> bool {
        SUBJECTS[self.subject].1.contains(&ISSUES[issue])
    }
}

/// A repository as git has it.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) commits: Vec<Commit>,
    pub(super) main: usize,
    /// By their place among the names, where each points.
    pub(super) branches: BTreeMap<usize, usize>,
}

impl Place {
    /// What the refs lead to.
    fn reached(&self) -> BTreeSet<usize> {
        let mut reached = BTreeSet::new();
        for tip in [self.main].iter().chain(self.branches.values()) {
            let mut next = Some(*tip);
            while let Some(commit) = next.filter(|commit| reached.insert(*commit)) {
                next = self.commits[commit].parent;
            }
        }
        reached
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Active,
    Paused,
    Removed,
}

/// An integration with its one repository.
#[derive(Debug)]
pub(super) struct Repository {
    pub(super) place: usize,
    pub(super) id: String,
    pub(super) integration: String,
    pub(super) state: State,
    pub(super) version: i64,
    /// Commits of the place that runs have seen since the last reset.
    pub(super) seen: BTreeSet<usize>,
    /// Those that no ref led to when a run last looked.
    pub(super) over: BTreeSet<usize>,
    pub(super) branches: BTreeSet<usize>,
}

/// What was decided last about an issue and a commit, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decided {
    pub(super) deed: Deed,
    pub(super) version: i64,
}

/// Status, and the code that comes with a refusal.
pub(super) type Expected = (u16, Option<&'static str>);

pub(super) const DONE: Expected = (200, None);
const STALE: Expected = (412, Some("version_stale"));

impl Seen {
    fn is_stale(self) -> bool {
        matches!(self, Self::Another)
    }
}

#[derive(Default)]
pub(super) struct Model {
    pub(super) places: Vec<Place>,
    pub(super) repositories: Vec<Repository>,
    /// By issue, repository and commit.
    pub(super) decided: BTreeMap<(usize, usize, usize), Decided>,
    /// How often something was decided about a commit of a repository.
    decisions: BTreeMap<(usize, usize), i64>,
    pub(super) known: BTreeSet<&'static str>,
    pub(super) denied: BTreeSet<&'static str>,
    pub(super) rules_version: i64,
    pub(super) forgotten: BTreeSet<usize>,
    /// By operation and key, what was sent.
    pub(super) remembered: BTreeMap<(&'static str, usize), String>,
}

/// What is shown of a commit at an issue.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) sha: String,
    pub(super) repository: String,
    pub(super) author: usize,
    pub(super) is_named: bool,
    pub(super) is_over: bool,
    pub(super) decided: Option<&'static str>,
    pub(super) committed_at: i64,
}

impl Model {
    pub(super) fn live(&self, place: usize) -> Option<usize> {
        self.repositories.iter().position(|one| one.place == place && one.state != State::Removed)
    }

    /// A run has ended.
    pub(super) fn index(&mut self, which: usize, is_reset: bool) {
        let one = &mut self.repositories[which];
        let place = &self.places[one.place];
        let reached = place.reached();
        if is_reset {
            one.seen.clear();
        }
        one.seen.extend(&reached);
        one.over = one.seen.difference(&reached).copied().collect();
        one.branches = place.branches.keys().copied().collect();
    }

    /// What the rules say of an issue.
    pub(super) fn rule(&self, issue: usize) -> &'static str {
        let (project, _) = ISSUES[issue].split_once('-').expect("a key");
        if self.denied.contains(project) {
            "project_denied"
        } else if self.denied.contains(ISSUES[issue]) {
            "issue_denied"
        } else if !self.known.is_empty() && !self.known.contains(project) {
            "project_not_known"
        } else {
            "counts"
        }
    }

    /// The commits of an issue; those that were unlinked, too, when they are asked for.
    pub(super) fn rows(&self, issue: usize, with_unlinked: bool) -> Vec<Row> {
        let mut rows = Vec::new();
        if self.rule(issue) != "counts" {
            return rows;
        }
        for (which, one) in self.repositories.iter().enumerate().filter(|(_, one)| one.state != State::Removed) {
            for (at, commit) in self.places[one.place].commits.iter().enumerate() {
                let is_named = one.seen.contains(&at) && commit.names(issue);
                let decided = match self.decided.get(&(issue, which, at)).map(|decided| decided.deed) {
                    Some(Deed::Link) => Some("linked"),
                    Some(Deed::Unlink) => Some("unlinked"),
                    Some(Deed::Restore) | None => None,
                };
                let is_shown = match decided {
                    Some("linked") => true,
                    Some(_) => with_unlinked && is_named,
                    None => is_named,
                };
                if is_shown {
                    let is_over = one.over.contains(&at);
                    let (sha, repository) = (commit.sha.clone(), one.id.clone());
                    let (author, committed_at) = (commit.author, commit.committed_at);
                    rows.push(Row { sha, repository, author, is_named, is_over, decided, committed_at });
                }
            }
        }
        rows.sort();
        rows
    }

    /// The branches of an issue: repository and name.
    pub(super) fn branches(&self, issue: usize) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if self.rule(issue) == "counts" {
            for one in self.repositories.iter().filter(|one| one.state != State::Removed) {
                let of_it = one.branches.iter().map(|at| BRANCHES[*at]);
                let of_it = of_it.filter(|(_, issues)| issues.contains(&ISSUES[issue]));
                found.extend(of_it.map(|(name, _)| (one.id.clone(), format!("refs/heads/{name}"))));
            }
        }
        found.sort();
        found
    }

    /// The version that a commit's decisions have.
    pub(super) fn decisions(&self, which: usize, commit: usize) -> i64 {
        self.decisions.get(&(which, commit)).copied().unwrap_or(0)
    }

    /// What deciding about an issue and a commit leads to, and whether it is the answer to an earlier request.
    pub(super) fn decide(
        &mut self,
        deed: Deed,
        at: (usize, usize, usize),
        seen: Seen,
        sent: Option<((&'static str, usize), String)>,
    ) -> (Expected, bool) {
        let (issue, which, commit) = at;
        // First: whatever is gone since is no matter.
        if let Some(same) = sent.as_ref().and_then(|(key, path)| Some(self.remembered.get(key)? == path)) {
            return if same { (DONE, true) } else { ((422, Some("idempotency_key_reused")), false) };
        }
        let one = &self.repositories[which];
        if one.state == State::Removed {
            return ((409, Some("repository_forgotten")), false);
        }
        let is_named = one.seen.contains(&commit) && self.places[one.place].commits[commit].names(issue);
        if !one.seen.contains(&commit) && !self.decided.contains_key(&at) {
            return ((404, Some("commit_unknown")), false);
        }
        if deed == Deed::Link && self.rule(issue) != "counts" {
            return ((409, Some("issue_left_out")), false);
        }
        if seen.is_stale() {
            return (STALE, false);
        }
        let before = self.decided.get(&at).map(|decided| decided.deed).filter(|deed| *deed != Deed::Restore);
        let is_new = match deed {
            Deed::Link => before != Some(Deed::Link),
            Deed::Unlink if before.is_none() && !is_named => return ((404, Some("commit_not_linked")), false),
            Deed::Unlink => before != Some(Deed::Unlink),
            Deed::Restore => before.is_some(),
        };
        if is_new {
            let version = self.decisions.entry((which, commit)).or_default();
            *version += 1;
            self.decided.insert(at, Decided { deed, version: *version });
        }
        self.remembered.extend(sent);
        (DONE, false)
    }

    pub(super) fn set_rules(&mut self, known: &[&'static str], denied: &[&'static str], seen: Seen) -> Expected {
        let (known, denied) = (known.iter().copied().collect(), denied.iter().copied().collect());
        if matches!(seen, Seen::Nothing) {
            return (428, Some("if_match_missing"));
        }
        if seen.is_stale() {
            return STALE;
        }
        if !BTreeSet::is_disjoint(&known, &denied) {
            return (422, Some("project_rules_contradict"));
        }
        // At first more is denied than anybody here says.
        if self.rules_version == 0 || (&known, &denied) != (&self.known, &self.denied) {
            self.rules_version += 1;
            (self.known, self.denied) = (known, denied);
        }
        DONE
    }

    /// Pauses or resumes.
    pub(super) fn switch(&mut self, which: usize, state: State, seen: Seen) -> Expected {
        let one = &mut self.repositories[which];
        if seen.is_stale() {
            return STALE;
        }
        if one.state == State::Removed {
            return (409, Some("integration_removed"));
        }
        if one.state != state {
            (one.state, one.version) = (state, one.version + 1);
        }
        DONE
    }
}
