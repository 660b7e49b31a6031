//! The copies of repositories on this node: how many, how large, which nobody needs, which are kept for a removed
//! integration.

use std::sync::Arc;

use super::{Finding, blocking, duration, megabytes};
use crate::{
    app::App,
    git::Neglect,
    jobs::{JobError, Standing, Survey, standing_of},
};

/// So many are named.
const NAMED: usize = 5;

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let caches = app.caches.clone();
    let survey = blocking(move || Survey::of(&caches).map_err(|error| error.to_string())).await?;
    let (mut count, mut bytes, mut leftovers, mut unneeded) = (0_u64, 0_u64, 0_u64, 0_u64);
    let (mut kept, mut large, mut handed_over) = (Vec::new(), Vec::new(), Vec::new());
    let quota = app.jobs.git.limits.quota_bytes;
    for (id, found) in survey.repositories {
        leftovers += u64::from(found.half_made);
        let Some(mirror) = found.mirror else { continue };
        let (path, objects, is_elsewhere) = (mirror.path().to_owned(), found.objects, mirror.handed_over().is_some());
        let measured = blocking(move || {
            // One that is being deleted at this moment has nothing any more.
            let neglect = Neglect::of(&mirror).map_or(0, |neglect| neglect.leftovers);
            let beside = objects.map_or(0, |objects| objects.bytes().unwrap_or(0));
            mirror.bytes().map(|bytes| (bytes + beside, neglect)).map_err(|error| error.to_string())
        });
        let (size, neglected) = measured.await?;
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
            "there are {} that nothing reads, and {leftovers} leftovers of fetches that were interrupted or go on",
            copies(unneeded)
        );
        Finding::ok("mirrors_leftovers", sentence + "; the next round of the upkeep removes what is of no use")
    });
    if survey.foreign > 0 {
        let sentence = format!("{} entries of {} are not of this server", survey.foreign, folder.display());
        findings.push(Finding::warn("mirrors_foreign", sentence, "move them elsewhere; the server never touches them"));
    }
    Ok(findings)
}

fn copies(count: u64) -> String {
    if count == 1 { "1 copy".to_owned() } else { format!("{count} copies") }
}

/// The first of them, and how many there are besides.
pub(super) fn some(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
