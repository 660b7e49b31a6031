//! The copies of repositories on this node: how many, how large, whether they open, which nobody needs, which are kept for a removed
//! integration.

use std::sync::Arc;

use super::{Finding, blocking, counted, duration, megabytes};
use crate::{
    app::App,
    git::{
        GitError, Mirror, Neglect,
        mirror::{Filter, TransportKind},
        transport::GitProgram,
    },
    jobs::{JobError, Standing, Survey, standing_of},
};

const TRANSPORTS: &str = "mirrors_transports";
/// So many are named.
const NAMED: usize = 5;
/// So many are told with what is wrong with each.
const TOLD: usize = 20;

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let caches = app.caches.clone();
    let survey = blocking(move || Survey::of(&caches).map_err(|error| error.to_string())).await?;
    let (mut count, mut bytes, mut leftovers, mut unneeded) = (0_u64, 0_u64, 0_u64, 0_u64);
    let (mut kept, mut large, mut handed_over) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ways, mut damaged) = (Vec::new(), Vec::new());
    let quota = app.jobs.git.limits.quota_bytes;
    for (id, found) in survey.repositories {
        leftovers += u64::from(found.half_made);
        let Some(mirror) = found.mirror else { continue };
        let (path, objects, is_elsewhere) = (mirror.path().to_owned(), found.objects, mirror.handed_over().is_some());
        let measured = blocking(move || {
            // One that is being deleted at this moment has nothing any more.
            let neglect = Neglect::of(&mirror).map_or(0, |neglect| neglect.leftovers);
            let beside = objects.map_or(0, |objects| objects.bytes().unwrap_or(0));
            let (damage, filled) = (damage(&mirror), mirror.filled_by());
            let found = mirror.bytes().and_then(|bytes| filled.map(|filled| (bytes + beside, neglect, damage, filled)));
            found.map_err(|error| error.to_string())
        });
        let (size, neglected, damage, filled) = measured.await?;
        damaged.extend(damage.map(|error| format!("{id}: {error}")));
        ways.push(Way { id: id.to_string(), filled, size });
        (count, bytes) = (count + 1, bytes + size);
        leftovers += neglected as u64;
        if size > quota {
            large.push(format!("{id} ({})", megabytes(size)));
        }
        match standing_of(app, id).await? {
            Standing::KeptOnRemoval(_) => kept.push((path, size)),
            Standing::Unneeded | Standing::ReadInPlace => unneeded += 1,
            Standing::Needed { .. } if is_elsewhere => handed_over.push(size),
            Standing::Needed { .. } => {}
        }
    }
    let folder = app.caches.mirrors();
    let sum = format!("{} holds {} of repositories, {} in all", folder.display(), copies(count), megabytes(bytes));
    let mut findings = vec![if large.is_empty() {
        Finding::ok("mirrors", format!("{sum}; each may have {} (git.quota_bytes)", megabytes(quota)))
    } else {
        let sentence = format!("{sum}; larger than git.quota_bytes ({}): {}", megabytes(quota), some(&large));
        let remedy = "raise the quota, or leave refs or repositories out; until then they are served, and nothing more is \
                      fetched into them";
        Finding::warn("mirrors", sentence, remedy)
    }];
    let has_program = app.jobs.git.program.as_ref().is_some_and(GitProgram::is_good);
    findings.push(transports(&ways, has_program));
    findings.push(if damaged.is_empty() {
        Finding::ok("mirrors_open", "every copy can be opened, and has the commits that its refs lead to".to_owned())
    } else {
        let sentence = format!("damaged: {}", copies(damaged.len() as u64));
        let remedy = "a run that meets the damage makes the copy anew by itself; `keytrail repository reset ID` has one look at \
                      all of it now";
        damaged.truncate(TOLD);
        Finding::warn("mirrors_open", sentence, remedy).of(damaged)
    });
    findings.push(if kept.is_empty() {
        Finding::ok("mirrors_kept", "no copy is kept of an integration that was removed".to_owned())
    } else {
        let each: Vec<_> =
            kept.iter().map(|(path, size)| format!("{} ({})", path.display(), megabytes(*size))).collect();
        let all = megabytes(kept.iter().map(|(_, size)| size).sum());
        let sentence =
            format!("kept of integrations that were removed: {} ({all}): {}", copies(kept.len() as u64), some(&each));
        Finding::warn("mirrors_kept", sentence, "delete the folders that nobody needs any more; the server never does")
    });
    findings.push(if handed_over.is_empty() {
        Finding::ok("mirrors_handed_over", "no copy is of a repository that another node looks after".to_owned())
    } else {
        let (count, all) = (copies(handed_over.len() as u64), megabytes(handed_over.iter().sum()));
        let time = duration(app.config.git.handed_over_seconds.try_into().unwrap_or(i64::MAX));
        let sentence = format!(
            "this node has {count} ({all}) of repositories that another node looks after; each is removed once that node has \
             its own and {time} are over (git.handed_over_seconds), or when room is short"
        );
        Finding::ok("mirrors_handed_over", sentence)
    });
    let waiting = leftovers + unneeded;
    findings.push(if waiting == 0 {
        Finding::ok("mirrors_leftovers", "nothing waits to be removed".to_owned())
    } else {
        let sentence = format!(
            "what is of no use: {} that nothing reads, and {} of fetches that were interrupted or go on",
            copies(unneeded),
            counted(leftovers, "leftover")
        );
        Finding::ok("mirrors_leftovers", sentence + "; the next round of the upkeep removes it")
    });
    if survey.foreign > 0 {
        let sentence =
            format!("not of this server: {} of {}", counted(survey.foreign as u64, "entry"), folder.display());
        findings.push(Finding::warn("mirrors_foreign", sentence, "move them elsewhere; the server never touches them"));
    }
    Ok(findings)
}

/// How a copy is filled.
struct Way {
    id: String,
    /// Nothing was fetched into it yet when there is nothing.
    filled: Option<(Filter, TransportKind)>,
    size: u64,
}

impl Way {
    /// Only the program that left folders and files out goes on with such a copy.
    fn needs_program(&self) -> bool {
        self.filled.is_some_and(|(filter, _)| filter != Filter::Everything)
    }
}

/// By which way each copy is filled, which is the one that goes on with it.
fn transports(ways: &[Way], has_program: bool) -> Finding {
    let of = |kind| ways.iter().filter(|way| way.filled.is_some_and(|(_, by)| by == kind)).count() as u64;
    let (program, process) = (of(TransportKind::GitProgram), of(TransportKind::InProcess));
    let partial = ways.iter().filter(|way| way.needs_program()).count() as u64;
    let sentence = format!(
        "filled by the git program: {}, of which {partial} without folders or files; in this process: {}",
        copies(program),
        copies(process)
    );
    let each = ways.iter().map(|way| {
        let how = way.filled.map_or("empty".to_owned(), |(filter, by)| {
            let by = match by {
                TransportKind::GitProgram => "git_program",
                TransportKind::InProcess => "in_process",
            };
            format!("{by}, {}", filter.specification().unwrap_or("everything"))
        });
        format!("{}: {how}, {}", way.id, megabytes(way.size))
    });
    let finding = if partial > 0 && !has_program {
        let remedy = "see git_program; or reset the index of these repositories, which makes their copies anew";
        Finding::warn(TRANSPORTS, format!("{sentence}; nothing new comes into those without them"), remedy)
    } else {
        Finding::ok(TRANSPORTS, sentence)
    };
    finding.of(each.collect())
}

/// What is wrong with a copy. One that is being deleted at this moment has nothing any more.
fn damage(mirror: &Mirror) -> Option<GitError> {
    let found = mirror.damage().unwrap_or_else(Some);
    found.filter(|_| Mirror::recognised(mirror.path()).is_some())
}

fn copies(count: u64) -> String {
    counted(count, "copy")
}

/// The first of them, and how many there are besides.
pub(super) fn some(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn each_copy_says_who_fills_it_and_what_it_leaves_out() {
        let way = |id: &str, filled| Way { id: id.to_owned(), filled, size: 3_000_000 };
        let ways = [
            way("a", Some((Filter::Trees, TransportKind::GitProgram))),
            way("b", Some((Filter::Everything, TransportKind::GitProgram))),
            way("c", Some((Filter::Everything, TransportKind::InProcess))),
            way("d", None),
        ];
        let found = transports(&ways, true);
        assert_eq!(found.state, State::Ok);
        assert!(found.sentence.contains("git program: 2 copies, of which 1 without"), "{found:?}");
        assert!(found.sentence.contains("in this process: 1 copy"), "{found:?}");
        let each = ["a: git_program, tree:0, 3 MB", "b: git_program, everything, 3 MB"];
        assert_eq!(found.details[..2], each);
        assert_eq!(found.details[2..], ["c: in_process, everything, 3 MB", "d: empty, 3 MB"]);
        assert_eq!(transports(&ways, false).state, State::Warn, "nobody goes on with the first");
        assert_eq!(transports(&ways[1..], false).state, State::Ok);
    }
}
