//! The repositories that an app of ours sees at its GitHub, all pages of them, through the filter of the integration. Called
//! by the job that looks for repositories, and by a preview. It writes nothing but what stands in the way.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use keytrail_domain::{
    display_text::DisplayText,
    github::GithubConnection,
    id::IntegrationId,
    installation::{Cause, Command, Confirmation, Diagnosis, Installation, TooMany},
    recorded::Position,
    timestamp::Timestamp,
};
use serde_json::Value;

use super::{
    JobError,
    app_access::{self, Allowed, AskError},
    known_obstacles::what_stands,
    reconcile_installation::cause_of,
};
use crate::{
    app::{App, Context, DispatchError},
    git::services::github::{
        FilterTrouble, GithubError, GithubTrouble, InstallationToken, ListedRepository, RepositoryFilter,
        RepositoryPage, Use,
    },
};

const PART: &str = "discover_repositories";
/// How often pages are read again because they moved meanwhile.
const PASSES: u32 = 3;
/// More pages than any organisation has: a server that always names another one is no GitHub.
const MOST_PAGES: usize = 2_000;
/// Kilobytes that most repositories do not have.
const LARGE: u64 = 1 << 20;
/// Days after which a repository that nobody pushed to is seldom wanted.
const QUIET_DAYS: i64 = 365;

/// What came of looking.
pub(super) enum Listing {
    /// Nothing is to be seen now: it is not installed, or suspended.
    Unseen,
    /// As it was the last time.
    AsBefore,
    /// What it sees cannot be told: a person has to do something first, and is told.
    Held,
    /// These.
    Seen(Box<Seen>),
}

/// What an app sees.
pub(super) struct Seen {
    /// Those that the filter keeps.
    pub(super) repositories: Vec<ListedRepository>,
    /// Whether nothing can have been missed: what is not among them is gone.
    pub(super) complete: bool,
    /// Whether what is not known yet has to wait for a person's word, because there are so many.
    pub(super) held: bool,
    pass: Pass,
}

/// A complete pass that was taken in: what its pages were called, under the token that asked for them.
struct Pass {
    token: InstallationToken,
    connection: GithubConnection,
    /// Where each page was, the first one nowhere, and its ETag.
    pages: Vec<(Option<String>, String)>,
}

/// The last passes of this node.
#[derive(Default)]
pub(super) struct Passes(Mutex<HashMap<IntegrationId, Arc<Pass>>>);

impl Passes {
    /// All that was seen in it is written down.
    pub(super) fn taken_in(&self, id: IntegrationId, seen: Seen) {
        // What waits is looked for again with the next pass, for it may have its word by then.
        if seen.complete && !seen.held {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::new(seen.pass));
        }
    }

    /// The next pass reads everything.
    pub(super) fn forget(&self, id: IntegrationId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// ETags are good for the token that they were told to, and only while the same is wanted.
    fn of(&self, id: IntegrationId, token: &InstallationToken, connection: &GithubConnection) -> Option<Arc<Pass>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&id).filter(|pass| pass.token.is(token) && pass.connection == *connection).cloned()
    }
}

/// All that an app sees, as GitHub tells it.
struct Told {
    /// GitHub's own documents, each repository once.
    documents: Vec<Value>,
    complete: bool,
    /// So many more were counted than are told.
    missed: u64,
    pages: Vec<(Option<String>, String)>,
}

/// Looks, and says what stands in the way.
pub(super) async fn list(
    app: &App,
    id: IntegrationId,
    github: &GithubConnection,
    cause: Position,
) -> Result<Listing, JobError> {
    let allowed = match app_access::allowed(app, id, github, Use::Short).await {
        Ok(Some(allowed)) => allowed,
        Ok(None) => return Ok(Listing::Unseen),
        Err(error) => return Err(in_the_way(app, id, cause, error).await),
    };
    let news = match news(app, id, github, &allowed).await {
        Ok(news) => news,
        Err(error) => return Err(in_the_way(app, id, cause, error).await),
    };
    let Some(Told { mut documents, complete, missed, pages }) = news else {
        stands_no_more(app, id, cause).await?;
        return Ok(Listing::AsBefore);
    };
    if let Some(filter) = &github.filter {
        match kept(filter.clone(), documents).await? {
            Ok((all, kept)) => {
                documents = all;
                documents.retain(|document| document_id(document).is_some_and(|id| kept.contains(&id)));
            }
            Err(trouble) => {
                tracing::warn!(integration = %id, %trouble, "the filter of an integration does not work");
                say(app, id, cause, Command::Diagnose(Diagnosis::by_listing(Cause::FilterInvalid))).await?;
                return Ok(Listing::Held);
            }
        }
    }
    stands_no_more(app, id, cause).await?;
    let repositories: Vec<_> =
        documents.iter().filter_map(|document| ListedRepository::of(document, &github.host)).collect();
    let kilobytes = repositories.iter().map(|one| one.size).fold(0, u64::saturating_add);
    let count = repositories.len() as u64;
    let too_many = (count > app.jobs.git.confirm_repositories).then(|| TooMany {
        repositories: count,
        kilobytes,
        proposed: DisplayText::clean(&proposed(app.clock.now())),
    });
    // What has gaps can be seen to be too many, and never that it is few enough.
    if complete || too_many.is_some() {
        say(app, id, cause, Command::CountRepositories { too_many }).await?;
    }
    let held =
        is_held(confirmation(app, id).await?.as_ref(), count.saturating_add(missed), app.jobs.git.confirm_repositories);
    let pass = Pass { token: allowed.token, connection: github.clone(), pages };
    Ok(Listing::Seen(Box::new(Seen { repositories, complete, held, pass })))
}

/// Whether what is new has to wait for a person's word, where there are perhaps so many.
const fn is_held(confirmation: Option<&Confirmation>, perhaps: u64, most: u64) -> bool {
    match confirmation {
        Some(Confirmation::Wanted { .. }) => true,
        Some(Confirmation::Given { .. }) => false,
        // Nobody was asked yet: all is to be seen first, or something else stands in the way of asking.
        None => perhaps > most,
    }
}

/// Says what keeps the repositories from being listed, unless the status of the app says it already.
async fn in_the_way(app: &App, id: IntegrationId, cause: Position, error: AskError) -> JobError {
    use GithubTrouble::{AppDeleted, KeyRejected, NotFound, Suspended, TokenRejected};
    let of_the_app = match &error {
        AskError::Later(_) => true,
        AskError::Sealed(_) | AskError::ProxySealed(_) | AskError::Elsewhere(_) => false,
        AskError::Github(GithubError { trouble, .. }) => {
            matches!(trouble, AppDeleted | KeyRejected | NotFound | Suspended | TokenRejected)
        }
    };
    if !of_the_app {
        let found = Diagnosis::by_listing(cause_of(&error));
        if let Err(unsaid) = say(app, id, cause, Command::Diagnose(found)).await {
            return unsaid;
        }
    }
    error.into()
}

/// What a filter keeps of what an app sees now: the documents, and the ids that are kept. `None` while it sees nothing.
pub async fn preview(
    app: &App,
    id: IntegrationId,
    github: &GithubConnection,
    filter: &RepositoryFilter,
) -> Result<Option<Result<(Vec<Value>, HashSet<u64>), FilterTrouble>>, AskError> {
    let Some(allowed) = app_access::allowed(app, id, github, Use::Short).await? else { return Ok(None) };
    let Told { documents, .. } = read(app, &allowed).await?;
    let tried = kept(filter.as_str().to_owned(), documents).await;
    tried.map(Some).map_err(|error| AskError::Later(format!("the filter was not worked through ({error:?})")))
}

/// A filter that leaves out what is seldom wanted: archived, forked, large, quiet. JMESPath orders numbers alone: of two texts
/// it tells the greater one.
fn proposed(now: Timestamp) -> String {
    let quiet = now.plus_micros(-QUIET_DAYS * 86_400 * 1_000_000);
    let day: String = quiet.to_string().chars().take(10).collect();
    format!(
        "repositories[?!archived && !fork && size < `{LARGE}` && pushed_at && max([pushed_at, '{day}']) != '{day}']"
    )
}

async fn kept(
    filter: String,
    documents: Vec<Value>,
) -> Result<Result<(Vec<Value>, HashSet<u64>), FilterTrouble>, JobError> {
    let work = move || {
        let kept = RepositoryFilter::parse(&filter)?.kept(&documents)?;
        Ok((documents, kept))
    };
    Ok(tokio::task::spawn_blocking(work).await?)
}

/// Nothing, where every page is what it was.
async fn news(
    app: &App,
    id: IntegrationId,
    github: &GithubConnection,
    allowed: &Allowed,
) -> Result<Option<Told>, AskError> {
    if let Some(pass) = app.jobs.passes.of(id, &allowed.token, github)
        && is_as_before(app, allowed, &pass).await?
    {
        return Ok(None);
    }
    read(app, allowed).await.map(Some)
}

/// All pages. Rows move while they are read: what the pages count says whether something can have been missed.
async fn read(app: &App, allowed: &Allowed) -> Result<Told, AskError> {
    let mut pass = one_pass(app, allowed).await?;
    for _ in 1..PASSES {
        if pass.complete {
            break;
        }
        let before = pass.documents;
        pass = one_pass(app, allowed).await?;
        if !pass.complete {
            // What was on some page is there, or was a moment ago.
            let known: HashSet<_> = pass.documents.iter().filter_map(document_id).collect();
            pass.documents
                .extend(before.into_iter().filter(|one| document_id(one).is_some_and(|id| !known.contains(&id))));
        }
    }
    Ok(pass)
}

async fn one_pass(app: &App, allowed: &Allowed) -> Result<Told, AskError> {
    let (mut documents, mut known, mut pages) = (Vec::new(), HashSet::new(), Vec::new());
    let (mut at, mut totals, mut tagged, mut count) = (None, HashSet::new(), true, 0);
    loop {
        count += 1;
        let Some(page) = page(app, allowed, at.as_deref(), None).await? else {
            return Err(AskError::Later("GitHub said that a page is as before, which nobody asked".to_owned()));
        };
        totals.insert(page.total);
        documents.extend(page.documents.into_iter().filter(|one| document_id(one).is_some_and(|id| known.insert(id))));
        match page.etag {
            Some(etag) => pages.push((at.take(), etag)),
            None => tagged = false,
        }
        at = page.next;
        if at.is_none() {
            break;
        }
        if count >= MOST_PAGES {
            return Err(AskError::Later("GitHub names ever more pages of repositories".to_owned()));
        }
    }
    let count = documents.len() as u64;
    let complete = totals.len() == 1 && totals.iter().all(|total| total.is_none_or(|total| count >= total));
    let missed = totals.into_iter().flatten().max().unwrap_or(0).saturating_sub(count);
    if !tagged {
        pages.clear();
    }
    Ok(Told { documents, complete, missed, pages })
}

/// Whether every page is what it was.
async fn is_as_before(app: &App, allowed: &Allowed, pass: &Pass) -> Result<bool, AskError> {
    for (at, etag) in &pass.pages {
        if page(app, allowed, at.as_deref(), Some(etag)).await?.is_some() {
            return Ok(false);
        }
    }
    Ok(!pass.pages.is_empty())
}

/// One page, within the budget of the installation.
async fn page(
    app: &App,
    allowed: &Allowed,
    at: Option<&str>,
    known: Option<&str>,
) -> Result<Option<RepositoryPage>, AskError> {
    let ask = || allowed.access.github().repositories(&allowed.token, at, known, app.clock.now());
    app_access::ask_within(app, allowed, ask).await
}

fn document_id(document: &Value) -> Option<u64> {
    document.get("id")?.as_u64()
}

/// What a listing found in its way before, this one did not.
async fn stands_no_more(app: &App, id: IntegrationId, cause: Position) -> Result<(), JobError> {
    let Installation::Registered(registered) = app_access::installation(app, id).await? else { return Ok(()) };
    if registered.diagnosis.is_some_and(Diagnosis::is_of_listing) {
        let command = what_stands(app, id, &registered).await?;
        say(app, id, cause, command).await?;
    }
    Ok(())
}

async fn confirmation(app: &App, id: IntegrationId) -> Result<Option<Confirmation>, JobError> {
    let Installation::Registered(registered) = app_access::installation(app, id).await? else { return Ok(None) };
    Ok(registered.confirmation)
}

async fn say(app: &App, id: IntegrationId, cause: Position, command: Command) -> Result<(), JobError> {
    match app.dispatch::<Installation>(id.0, command, Context::server(PART, cause), Vec::new()).await {
        // It was removed meanwhile.
        Ok(_) | Err(DispatchError::Refused { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_proposed_leaves_out_what_is_archived_forked_large_or_quiet_and_keeps_the_rest() {
        let one = |id: u64, archived: bool, fork: bool, size: u64, pushed_at: Option<&str>| json!({ "id": id, "archived": archived, "fork": fork, "size": size, "pushed_at": pushed_at });
        let (late, quiet) = (Some("2025-11-21T00:00:01Z"), Some("2025-11-20T23:59:59Z"));
        let documents = [
            one(1, false, false, 10, late),
            one(2, true, false, 10, late),
            one(3, false, true, 10, late),
            one(4, false, false, LARGE, late),
            one(5, false, false, 10, quiet),
            // Nobody ever pushed to it.
            one(6, false, false, 0, None),
        ];
        // 2026-11-21T06:00:00Z
        let filter = RepositoryFilter::parse(&proposed(Timestamp(1_795_240_800_000_000))).expect("it can be read");
        assert_eq!(filter.kept(&documents), Ok(HashSet::from([1])), "{}", filter.as_str());
    }

    #[test]
    fn what_may_be_too_many_waits_until_all_of_it_was_seen() {
        let wanted = Confirmation::Wanted { repositories: 1_005, kilobytes: 0, proposed: DisplayText::clean("all") };
        let given = Confirmation::Given { repositories: 1_005 };
        for (confirmation, perhaps, held) in [
            (None, 1_000, false),
            // 998 that were seen, and 7 that were missed.
            (None, 998 + 7, true),
            (Some(&wanted), 998, true),
            (Some(&given), 5_000, false),
        ] {
            assert_eq!(is_held(confirmation, perhaps, 1_000), held, "{confirmation:?}: {perhaps}");
        }
    }
}
