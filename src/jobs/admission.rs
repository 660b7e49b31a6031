//! Whose job is next: integrations have their turns, so that one of thousands of repositories keeps no other waiting. Asked
//! by the queue; it only makes statements, and none of them reads more than the heads of the lines.
//!
//! A job is given a turn when it is asked for: the one after the last of its line, or the one that is being served now when
//! that is later. The lowest turn goes first, so lines alternate, and whoever comes late begins beside the others.

#[cfg(test)]
mod tests;

use keytrail_domain::timestamp::Timestamp;
use keytrail_projections::value::Value;

use super::shards;
use crate::store::{Db, Statement};

/// How urgent a job is: 0 is what may take hours, such as a first index.
pub(super) type Priority = i64;

/// All that there are: those of kinds (`Kind::priority`), and one more of what is urgent.
const PRIORITIES: [Priority; 3] = [2, 1, 0];

/// How long a worker that falls silent keeps its job, in microseconds.
pub(super) const LEASE_MICROS: i64 = 30_000_000;

/// The turn of a job that joins a line now; both are of a statement over `jobs`.
pub(super) fn turn(db: &Db, line: &str, priority: &str) -> String {
    let later_of = match db {
        Db::Sqlite(_) => "MAX",
        Db::Postgres(_) => "GREATEST",
    };
    format!(
        "{later_of}(COALESCE((SELECT served FROM job_turns WHERE job_turns.priority = {priority}), 0), \
         COALESCE((SELECT MAX(waits.turn) + 1 FROM jobs AS waits \
         WHERE waits.line = {line} AND waits.priority = {priority}), 0))"
    )
}

/// Takes the next job that is due for this node: the most urgent first, and a minute of waiting is worth one step of
/// urgency; of those as urgent as each other, whose turn it is. The second statement notes which turn that was.
pub(super) fn claim(db: &Db, node: &str, least: Priority, now: Timestamp) -> [Statement; 2] {
    let (sql, args) = taking(db, node, least, now);
    let last = "(SELECT MAX(turn) FROM jobs WHERE state = 'running' AND jobs.priority = job_turns.priority)";
    let served = format!("UPDATE job_turns SET served = {last} WHERE served < {last}");
    [Statement::new(sql, args), Statement::new(served, vec![])]
}

fn taking(db: &Db, node: &str, least: Priority, now: Timestamp) -> (String, Vec<Value>) {
    let (args, now) = args(db, node, now);
    let (due, heads) = (due(db, &now), heads(db, least, &now));
    let sql = format!(
        "UPDATE jobs SET state = 'running', owner = $1, epoch = epoch + 1, again = 0, \
         lease_until = {now} + {LEASE_MICROS} \
         WHERE {due} AND (kind, key) = (SELECT kind, key FROM ({heads}) AS heads \
         ORDER BY priority + ({now} - created_at) / 60000000 DESC, priority DESC, kind, key LIMIT 1) \
         RETURNING kind, key, caused_by, attempts + 1, epoch"
    );
    (sql, args)
}

/// Whether [`claim`] would find one: a question, and its arguments.
pub(super) fn is_any_due(db: &Db, node: &str, least: Priority, now: Timestamp) -> (String, Vec<Value>) {
    let (args, now) = args(db, node, now);
    (format!("SELECT 1 FROM ({}) AS heads LIMIT 1", heads(db, least, &now)), args)
}

fn args(db: &Db, node: &str, now: Timestamp) -> (Vec<Value>, String) {
    let mut args = vec![Value::from(node)];
    let now = db.lease_clock(&mut args, now);
    (args, now)
}

/// Of each urgency the job whose turn it is, and one that was left by whoever had it.
fn heads(db: &Db, least: Priority, now: &str) -> String {
    let mine = mine(db, now);
    let head = |name: String, which: String| {
        format!(
            "SELECT * FROM (SELECT kind, key, priority, created_at FROM jobs WHERE {which} AND {mine} \
             ORDER BY turn, line, kind, key LIMIT 1) AS {name}"
        )
    };
    let urgencies = PRIORITIES.iter().filter(|priority| **priority >= least);
    let heads: Vec<String> = urgencies
        .flat_map(|priority| {
            let of = |state: &str, when: String| {
                let which = format!("state = '{state}' AND priority = {priority} AND {when}");
                head(format!("{state}_{priority}"), which)
            };
            [of("waiting", waited(now)), of("running", left(now))]
        })
        .collect();
    heads.join(" UNION ALL ")
}

/// A pause is over. One that began later than now was written before the clock was put back: it does not count.
fn waited(now: &str) -> String {
    format!("(run_after <= {now} OR noted_at > {now})")
}

/// Whoever had it is silent. A time that no lease leads to was written before the clock was put back, too.
fn left(now: &str) -> String {
    format!("(lease_until < {now} OR lease_until > {now} + {})", 2 * LEASE_MICROS)
}

/// Which jobs are this node's business, which is the first argument.
fn mine(db: &Db, now: &str) -> String {
    match db {
        // One node has them all.
        Db::Sqlite(_) => "$1 = $1".to_owned(),
        // What a node has in its caches is of use to jobs of the repositories that it looks after.
        Db::Postgres(_) => shards::held(now),
    }
}

fn due(db: &Db, now: &str) -> String {
    let (waited, left, mine) = (waited(now), left(now), mine(db, now));
    format!("((state = 'waiting' AND {waited}) OR (state = 'running' AND {left})) AND {mine}")
}
