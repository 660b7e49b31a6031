//! What a person mends of SSH is tried at once: the repositories that could not be read because of it are looked at, and do
//! not wait for their next poll. Called by the routes of host keys and of keys, behind their answer's event.

use keytrail_domain::{host_key::HostKeyId, index_run::FailureCode, remote_url::RemoteUrl};
use keytrail_projections::repository_list::{Filter, Repository, Sort, listing};

use super::Api;

/// So many are looked for; others are looked at with their next poll.
const MOST: u32 = 1_000;
/// What another key of ours may mend.
const OF_KEYS: [FailureCode; 2] = [FailureCode::SshNoKey, FailureCode::SshAuthFailed];
/// What other trusted keys of a host may mend.
const OF_HOSTS: [FailureCode; 2] = [FailureCode::HostKeyUnknown, FailureCode::HostKeyChanged];

/// A key came into the pool, or is offered from now on.
pub(super) async fn with_keys(api: &Api) {
    at(api, &OF_KEYS, |_| true).await;
}

/// Somebody said which keys of this host are the right ones; of hosts in general where it is nothing.
pub(super) async fn with_hosts(api: &Api, host: Option<HostKeyId>) {
    let is_there = |repository: &Repository| {
        let url = RemoteUrl::parse(&repository.location).ok().map(|parsed| parsed.url);
        url.is_some_and(|url| host.is_none_or(|host| HostKeyId::of(&url.host().to_string(), url.port()) == host))
    };
    at(api, &OF_HOSTS, is_there).await;
}

async fn at(api: &Api, codes: &[FailureCode], is_meant: impl Fn(&Repository) -> bool) {
    let filter = Filter { trouble: Some(true), ..Filter::default() };
    let rows = match api.app.read(listing(&filter, Sort::Added, false, None, MOST)).await {
        Ok(rows) => rows,
        Err(error) => return tracing::debug!(%error, "what was mended is tried with the next poll"),
    };
    for repository in rows.into_iter().map(|row| row.repository) {
        let (looking, run) = (repository.trouble.as_ref(), repository.failure.as_ref());
        let is_why = |code: FailureCode| codes.contains(&code);
        if (looking.is_some_and(|trouble| is_why(trouble.code)) || run.is_some_and(|(code, _)| is_why(*code)))
            && is_meant(&repository)
        {
            api.app.jobs.look_now(repository.id, api.app.clock.now());
        }
    }
}
