//! The search: issues of which all holds that is asked for, in their order. Called by whoever reads the view; it never counts.
//!
//! An issue that several repositories name has a row for each; the one with the latest commit stands for it. A page is a
//! stretch of an index that is filtered, or, when something rare is asked for, what that leads to, put in order. Issues
//! with decisions of persons are merged into it.

use super::{
    reads::{Found, FoundCursor, MOST_WORDS, Order, Through, Wanted, authors, read},
    schema::NO_COMMIT,
};
use crate::{
    row,
    value::{Row, Value},
    view::Read,
};
use keytrail_domain::timestamp::Timestamp;

macro_rules! word {
    ($marker:literal) => {
        concat!(
            "AND (CAST(",
            $marker,
            " AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM search_words@ w CROSS JOIN search_repositories@ q ",
            "WHERE w.word = CAST(",
            $marker,
            " AS TEXT) AND w.project = i.project AND w.issue = i.issue ",
            "AND q.number = w.repository_number AND q.to_position IS NULL)) "
        )
    };
}

// A row counts by a commit, or while a branch carries the key. The number is `NO_COMMIT`.
macro_rules! is_there {
    ($row:literal) => {
        concat!(
            "AND (",
            $row,
            ".last_at > -10000000000000 OR EXISTS (SELECT 1 FROM search_branches@ b WHERE b.project = ",
            $row,
            ".project AND b.issue = ",
            $row,
            ".issue AND b.repository_number = ",
            $row,
            ".repository_number)) "
        )
    };
}

// What is asked for, whichever way issues are found.
macro_rules! fits {
    () => {
        concat!(
            "AND i.project >= $5 AND i.project < $6 ",
            "AND NOT EXISTS (SELECT 1 FROM search_rules@ x ",
            "WHERE x.verdict = 1 AND x.project = i.project AND x.issue IN (0, i.issue)) ",
            "AND (NOT EXISTS (SELECT 1 FROM search_rules@ k WHERE k.verdict = 0) OR EXISTS ",
            "(SELECT 1 FROM search_rules@ k WHERE k.verdict = 0 AND k.project = i.project)) ",
            "AND (CAST($7 AS TEXT) IS NULL OR CAST(i.issue AS TEXT) LIKE CAST($7 AS TEXT)) ",
            "AND ($8 = 0 OR EXISTS (SELECT 1 FROM search_commits@ n CROSS JOIN search_repositories@ q ",
            "WHERE n.sha >= $9 AND n.sha < $10 AND n.project = i.project AND n.issue = i.issue ",
            "AND q.number = n.repository_number AND q.to_position IS NULL)) ",
            word!("$11"),
            word!("$12"),
            word!("$13"),
            word!("$14"),
            word!("$15"),
            word!("$16"),
            "AND ($17 = 0 OR EXISTS (SELECT 1 FROM search_authors@ a CROSS JOIN search_repositories@ q ",
            "WHERE a.author IN ($18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33) ",
            "AND a.project = i.project AND a.issue = i.issue ",
            "AND q.number = a.repository_number AND q.to_position IS NULL)) "
        )
    };
}

// Issues about whose commits nobody decided anything: the row with the latest commit stands for each.
macro_rules! undecided {
    ($from:literal) => {
        concat!(
            "SELECT i.project AS project, i.issue AS issue, i.last_at AS last_at FROM ",
            $from,
            " CROSS JOIN search_repositories@ r ",
            "WHERE r.number = i.repository_number AND r.to_position IS NULL ",
            "AND NOT EXISTS (SELECT 1 FROM search_decisions@ d WHERE d.project = i.project AND d.issue = i.issue) ",
            is_there!("i"),
            "AND NOT EXISTS (SELECT 1 FROM search_issues@ o CROSS JOIN search_repositories@ q ",
            "WHERE o.project = i.project AND o.issue = i.issue ",
            "AND (o.last_at > i.last_at OR (o.last_at = i.last_at AND o.repository_number > i.repository_number)) ",
            "AND q.number = o.repository_number AND q.to_position IS NULL ",
            is_there!("o"),
            ") ",
            fits!()
        )
    };
}

// The others: the last of the commits that are left says when each was last. All of them are looked at, as they are few.
// Below is a number of `linked::number`: what was linked is taken from the decision.
macro_rules! decided {
    () => {
        concat!(
            "SELECT i.project AS project, i.issue AS issue, i.last_at AS last_at FROM (",
            "SELECT k.project AS project, k.issue AS issue, COALESCE((SELECT MAX(m.committed_at) FROM (",
            "SELECT f.committed_at AS committed_at FROM (",
            "SELECT n.committed_at AS committed_at FROM search_commits@ n CROSS JOIN search_repositories@ q ",
            "WHERE n.project = k.project AND n.issue = k.issue AND n.repository_number > 0 ",
            "AND q.number = n.repository_number AND q.to_position IS NULL ",
            "AND NOT EXISTS (SELECT 1 FROM search_decisions@ d WHERE d.project = k.project AND d.issue = k.issue ",
            "AND d.repository = q.repository AND d.sha = n.sha AND d.linked = 0) ",
            "ORDER BY n.committed_at DESC LIMIT 1) f UNION ALL ",
            "SELECT d.committed_at FROM search_decisions@ d CROSS JOIN search_repositories@ q ",
            "WHERE d.project = k.project AND d.issue = k.issue AND d.linked = 1 ",
            "AND q.repository = d.repository AND q.to_position IS NULL) m), -10000000000000) AS last_at ",
            "FROM (SELECT DISTINCT project, issue FROM search_decisions@) k) i ",
            "WHERE (i.last_at > -10000000000000 OR EXISTS (SELECT 1 FROM search_branches@ b ",
            "CROSS JOIN search_repositories@ q WHERE b.project = i.project AND b.issue = i.issue ",
            "AND q.number = b.repository_number AND q.to_position IS NULL)) ",
            fits!()
        )
    };
}

// Each half is in its order already, so that neither is read further than a page.
macro_rules! select {
    ($from:literal, $of_these:literal, $after:literal, $order:literal) => {
        concat!(
            "SELECT u.project, u.issue, u.last_at FROM (",
            undecided!($from),
            $of_these,
            $after,
            "ORDER BY ",
            $order,
            " LIMIT $4) u UNION ALL SELECT v.project, v.issue, v.last_at FROM (",
            decided!(),
            $after,
            "ORDER BY ",
            $order,
            " LIMIT $4) v ORDER BY ",
            $order,
            " LIMIT $4"
        )
    };
}

// A stretch of an index, in its order.
macro_rules! by_activity {
    ($from:literal) => {
        select!(
            $from,
            "",
            "AND (i.last_at, i.project, i.issue) < ($1, $2, $3) ",
            "last_at DESC, project DESC, issue DESC"
        )
    };
}

macro_rules! by_key {
    ($from:literal) => {
        // The first marker has its type also where nothing is compared with it.
        select!($from, "", "AND $1 IS NOT NULL AND (i.project, i.issue) > ($2, $3) ", "project, issue")
    };
}

// The same of what something leads to. The sum keeps SQLite from taking the comparison for a way to the rows: they are
// looked up by the key.
macro_rules! of_these {
    ($from:literal, $order:expr) => {
        match $order {
            Order::Activity => select!(
                $from,
                "AND i.project = c.project AND i.issue = c.issue ",
                "AND (i.last_at + 0, i.project, i.issue) < ($1, $2, $3) ",
                "last_at DESC, project DESC, issue DESC"
            ),
            Order::Key => select!(
                $from,
                "AND i.project = c.project AND i.issue = c.issue ",
                "AND $1 IS NOT NULL AND (i.project, i.issue) > ($2, $3) ",
                "project, issue"
            ),
        }
    };
}

/// Issues, in their order, from after `after` on.
pub fn search(wanted: &Wanted, through: Through, order: Order, after: Option<&FoundCursor>, limit: u32) -> Read<Found> {
    let mut args = start(order, after);
    args.push(limit.into());
    args.extend(range(wanted.project.as_ref()));
    args.push(wanted.number.as_ref().map(|digits| format!("{digits}%")).into());
    let none: (&[u8], &[u8]) = (&[], &[]);
    let (from, to) = wanted.sha.as_ref().map_or(none, |(from, to)| (from, to));
    args.extend(row![wanted.sha.is_some(), from, to]);
    args.extend((0..MOST_WORDS).map(|place| Value::from(wanted.words.get(place).map(String::as_str))));
    args.push(wanted.authors.is_some().into());
    args.extend(authors(wanted.authors.as_deref().unwrap_or_default()));
    let one_project = matches!(wanted.project, Some((_, false)));
    let sql = match (through, order) {
        (Through::All, Order::Activity) if one_project => {
            // The range is one project: said as an equation the index of its activity is used.
            by_activity!("(SELECT * FROM search_issues@ WHERE project = $5) i")
        }
        (Through::All, Order::Activity) => by_activity!("search_issues@ i"),
        (Through::All, Order::Key) => by_key!("search_issues@ i"),
        (Through::Sha, order) => of_these!(
            "(SELECT DISTINCT project, issue FROM search_commits@ WHERE sha >= $9 AND sha < $10) c \
             CROSS JOIN search_issues@ i",
            order
        ),
        (Through::Word(place), order) => {
            // The word that leads is the first.
            let first = 10;
            if place < MOST_WORDS {
                args.swap(first, first + place);
            }
            of_these!(
                "(SELECT DISTINCT project, issue FROM search_words@ WHERE word = CAST($11 AS TEXT)) c \
                 CROSS JOIN search_issues@ i",
                order
            )
        }
        (Through::Authors, order) => of_these!(
            "(SELECT DISTINCT project, issue FROM search_authors@ WHERE author IN \
             ($18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33)) c \
             CROSS JOIN search_issues@ i",
            order
        ),
    };
    read(sql, args, Found::read)
}

/// Where a page begins.
fn start(order: Order, after: Option<&FoundCursor>) -> Row {
    match (order, after) {
        (Order::Activity, Some(after)) => {
            let last_at = after.last_at.map_or(NO_COMMIT, Timestamp::seconds);
            row![last_at, after.key.project.clone(), after.key.number]
        }
        (Order::Key, Some(after)) => row![i64::MAX, after.key.project.clone(), after.key.number],
        (Order::Activity, None) => row![i64::MAX, "~", i64::MAX],
        (Order::Key, None) => row![i64::MAX, "", 0_i64],
    }
}

/// The projects that are meant. Keys are of A to Z, 0 to 9 and `_`: `!` is before and `~` after all of them.
fn range(project: Option<&(String, bool)>) -> Row {
    match project {
        None => row!["", "~"],
        Some((project, true)) => row![project.as_str(), format!("{project}~")],
        Some((project, false)) => row![project.as_str(), format!("{project}!")],
    }
}
