//! Repositories that cannot be looked at, fetched or indexed at this moment.

use std::sync::Arc;

use keytrail_projections::repository_list::{self, RepositoryState};

use super::Finding;
use crate::{app::App, jobs::JobError};

const ID: &str = "repositories";
/// So many are told.
const TOLD: usize = 20;

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let (mut all, mut troubled, mut after) = (0_u64, Vec::new(), None);
    loop {
        let page = app.read(repository_list::page(None, None, after, 1_000)).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.repository.added_position);
        for row in page.into_iter().map(|listed| listed.repository) {
            if row.state == RepositoryState::Forgotten {
                continue;
            }
            all += 1;
            let failed = matches!(row.state, RepositoryState::Failed | RepositoryState::Refused);
            let why = match (row.trouble, row.failure) {
                (Some(trouble), _) => trouble.text,
                (None, Some((_, text))) if failed => text,
                _ => continue,
            };
            troubled.push(format!("{} ({}): {why}", row.name, row.id));
        }
    }
    Ok(vec![if troubled.is_empty() {
        Finding::ok(
            ID,
            match all {
                1 => "the repository is in no trouble".to_owned(),
                all => format!("none of {all} repositories is in trouble"),
            },
        )
    } else {
        let sentence = match (troubled.len(), all) {
            (_, 1) => "the repository is in trouble".to_owned(),
            (1, all) => format!("1 of {all} repositories is in trouble"),
            (several, all) => format!("{several} of {all} repositories are in trouble"),
        };
        troubled.truncate(TOLD);
        Finding::warn(ID, sentence, "do what each sentence says; `keytrail repository list --trouble` has all of them")
            .of(troubled)
    }])
}
