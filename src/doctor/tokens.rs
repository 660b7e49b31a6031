//! Access tokens that end soon. Those that ended let nobody in and need no word.

use std::sync::Arc;

use keytrail_projections::token_list;

use super::{Finding, counted};
use crate::{app::App, jobs::JobError};

const ID: &str = "tokens";
/// Time enough to make a new one and to put it where the old one is.
const SOON_SECONDS: i64 = 14 * 86_400;
const PAGE: u32 = 1_000;

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let now = app.clock.now();
    let (mut alive, mut expired, mut soon, mut after) = (0_u64, 0_u64, Vec::new(), None);
    loop {
        let page = app.read(token_list::page(after, PAGE)).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.issued_position);
        for token in page.into_iter().filter(|token| token.revoked_at.is_none()) {
            let left = token.expires_at.seconds() - now.seconds();
            match left {
                ..=0 => expired += 1,
                _ => alive += 1,
            }
            if (1..=SOON_SECONDS).contains(&left) {
                let end = token.expires_at.to_string();
                let day = end.split('T').next().unwrap_or(&end);
                soon.push(format!("{} ({}…) ends on {day}", token.name, token.prefix));
            }
        }
    }
    let sentence = format!("{} in force, {expired} ended", counted(alive, "access token"));
    Ok(vec![if soon.is_empty() {
        Finding::ok(ID, sentence)
    } else {
        let sentence = format!("{sentence}; ending within two weeks: {}", soon.len());
        Finding::warn(ID, sentence, "issue new ones in time: `keytrail token issue`").of(soon)
    }])
}
