//! The table by which a view knows which issues count: a copy of the rules, since views are rebuilt apart from each other.
//! A read asks it once; nothing else of a view knows the rules, so that changing one changes a handful of rows.
//!
//! The rules are those of today, also where the past is asked for: they are an opinion on what was recorded.

use keytrail_domain::{
    fact::Fact,
    project_key::{Denied, ProjectKey},
    project_rules::{Event, ProjectRules},
    recorded::{Position, Recorded},
};

use crate::{
    row,
    rows::{Keys, Rows},
    value::Row,
    view::{History, Kind, Table},
    word::words,
};

/// Before the first fact nobody can have changed a rule: with it comes what the program brings along.
const FIRST: Position = 1;

/// `verdict` of a project that is known.
const KNOWN: i64 = 0;
/// `verdict` of a project or, when `issue` is not 0, an issue that is denied.
const DENIED: i64 = 1;

/// The table under the name that its view gives it.
pub(crate) const fn table(name: &'static str) -> Table {
    Table {
        name,
        columns: &[("verdict", Kind::Int), ("project", Kind::Text), ("issue", Kind::Int)],
        key: 3,
        history: History::None,
        indexes: &[],
    }
}

words! {
    /// What the rules say of an issue or a project.
    Rule {
        /// It counts.
        Counts = "counts",
        /// There is a list of known projects, and its project is not on it.
        ProjectNotKnown = "project_not_known",
        /// Its project is denied.
        ProjectDenied = "project_denied",
        /// The issue itself is denied.
        IssueDenied = "issue_denied",
    }
}

/// The condition that the issue `$1`-`$2` counts, to be added to others. Each part is looked up once for a statement.
macro_rules! counts {
    ($table:literal) => {
        concat!(
            "AND NOT EXISTS (SELECT 1 FROM ",
            $table,
            "@ x WHERE x.verdict = 1 AND x.project = $1 AND x.issue = 0) AND NOT EXISTS (SELECT 1 FROM ",
            $table,
            "@ x WHERE x.verdict = 1 AND x.project = $1 AND x.issue = $2) AND (NOT EXISTS (SELECT 1 FROM ",
            $table,
            "@ k WHERE k.verdict = 0) OR EXISTS (SELECT 1 FROM ",
            $table,
            "@ k WHERE k.verdict = 0 AND k.project = $1)) "
        )
    };
}

/// What the rules say of the project in this column, as a [`Rule`].
macro_rules! project_rule {
    ($table:literal, $project:literal) => {
        concat!(
            "CASE WHEN EXISTS (SELECT 1 FROM ",
            $table,
            "@ x WHERE x.verdict = 1 AND x.issue = 0 AND x.project = ",
            $project,
            ") THEN 'project_denied' WHEN EXISTS (SELECT 1 FROM ",
            $table,
            "@ k WHERE k.verdict = 0) AND NOT EXISTS (SELECT 1 FROM ",
            $table,
            "@ k WHERE k.verdict = 0 AND k.project = ",
            $project,
            ") THEN 'project_not_known' ELSE 'counts' END"
        )
    };
}

pub(crate) use {counts, project_rule};

fn known(project: &ProjectKey) -> Row {
    row![KNOWN, project.as_str(), 0_i64]
}

fn denied(entry: &Denied) -> Row {
    match entry {
        Denied::Project(project) => row![DENIED, project.as_str(), 0_i64],
        Denied::Issue(issue) => row![DENIED, issue.project.clone(), issue.number],
    }
}

/// Asks for the rules that the fact is about.
pub(crate) fn keys(table: &'static Table, fact: &Recorded<Fact>, keys: &mut Keys) {
    if fact.position == FIRST {
        ProjectRules::brought_along().iter().for_each(|entry| keys.add(table, denied(entry)));
    }
    match &fact.fact {
        Fact::ProjectRules(Event::Changed { known: in_, no_longer_known, denied: out, no_longer_denied }) => {
            in_.union(no_longer_known).for_each(|project| keys.add(table, known(project)));
            out.union(no_longer_denied).for_each(|entry| keys.add(table, denied(entry)));
        }
        Fact::Integration(_)
        | Fact::Repository(_)
        | Fact::IndexRun(_)
        | Fact::IndexBatch(_)
        | Fact::Access(_)
        | Fact::CommitLink(_)
        | Fact::Person(_)
        | Fact::Installation(_)
        | Fact::PullRequest(_)
        | Fact::SshKey(_)
        | Fact::HostKey(_)
        | Fact::AccessSettings(_) => {}
    }
}

/// Keeps the rules.
pub(crate) fn fold(table: &'static Table, rows: &mut Rows, fact: &Recorded<Fact>) {
    if fact.position == FIRST {
        ProjectRules::brought_along().iter().for_each(|entry| rows.put(table, denied(entry)));
    }
    match &fact.fact {
        Fact::ProjectRules(Event::Changed { known: in_, no_longer_known, denied: out, no_longer_denied }) => {
            no_longer_known.iter().for_each(|project| rows.end(table, &known(project)));
            no_longer_denied.iter().for_each(|entry| rows.end(table, &denied(entry)));
            in_.iter().for_each(|project| rows.put(table, known(project)));
            out.iter().for_each(|entry| rows.put(table, denied(entry)));
        }
        Fact::Integration(_)
        | Fact::Repository(_)
        | Fact::IndexRun(_)
        | Fact::IndexBatch(_)
        | Fact::Access(_)
        | Fact::CommitLink(_)
        | Fact::Person(_)
        | Fact::Installation(_)
        | Fact::PullRequest(_)
        | Fact::SshKey(_)
        | Fact::HostKey(_)
        | Fact::AccessSettings(_) => {}
    }
}
