//! Issues by what is known of them: how their keys begin, the names of their commits, words of subjects, authors.

use std::{collections::BTreeSet, sync::Arc};

use actix_web::{
    HttpResponse, get,
    web::{Data, Query},
};
use keytrail_domain::{
    issue_key::{IssueKey, MAX_PROJECT},
    person::PersonId,
    timestamp::Timestamp,
};
use keytrail_projections::{
    issue_branches,
    issue_commits::{self, IssueCommit, IssueShare},
    issue_search::{self, Found, FoundCursor, MOST_AUTHORS, MOST_WORDS, Order, Through, Wanted},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Api,
    auth::{Caller, Viewer},
    cursor::{List, Page, limit},
    error::{ApiError, Code},
    people::{fragment, sees_addresses},
};
use crate::{app::App, secrets::PeopleFilter, views::ViewError};

/// Rows that lead to issues and are put in order for a page. Where everything that is asked for has more, the issues are
/// looked at in their order instead, until the page is full.
const FEW: u32 = 20_000;
/// The most commits of an issue that are counted for a page.
const COUNTED_COMMITS: u32 = 1_000;
/// The most branches of an issue that are counted for a page.
const COUNTED_BRANCHES: u32 = 100;

/// An issue that was found.
#[derive(Serialize, ToSchema)]
pub(super) struct Hit {
    /// In upper case.
    #[schema(example = "KAFKA-1234")]
    key: String,
    /// Commits that name it or were linked to it, with those that no ref leads to any more, without those that were
    /// unlinked.
    commits: u64,
    /// To how many of them no ref leads any more.
    superseded: u64,
    /// How many persons wrote them.
    authors: u64,
    /// In how many repositories the commits are.
    repositories: u64,
    /// Branches whose name carries it.
    branches: u64,
    /// Whether these are all: the latest 1,000 commits and the first 100 branches are counted.
    complete: bool,
    /// When the last of the commits was committed; nothing when there are only branches.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_commit_at: Option<Timestamp>,
}

/// In which order issues come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sort {
    /// The one with the latest commit first; those that only branches name after all that have one.
    #[default]
    Activity,
    /// By key: projects by their letters, numbers as numbers.
    Key,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchQuery {
    /// How keys begin: `KA` is of all projects that begin so, `KAFKA-12` KAFKA-12 and KAFKA-1234. In any case.
    key: Option<String>,
    /// Only issues of this project, in any case.
    project: Option<String>,
    /// Only issues that a commit names whose own name begins so: 4 to 40 hexadecimal digits.
    sha: Option<String>,
    /// Only issues all of whose words, 6 at most, are in the subjects of commits that name them. Whole words, in any case.
    words: Option<String>,
    /// Only issues for which this person wrote a commit: an id, or a part of a name that fits at most 16 persons; of an
    /// administrator, also of an address.
    author: Option<String>,
    /// `activity`: the latest commit first; `key`: by key.
    #[param(inline)]
    sort: Option<Sort>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows of a page: 1 to 500, 50 when nothing is said.
    limit: Option<u32>,
    /// The answer is at least as new as this position.
    min_position: Option<i64>,
}

/// Where a page ended.
#[derive(Clone, Serialize, Deserialize)]
struct After(Option<i64>, String, u64);

/// The issues of which all holds that is asked for, whether commits or branches name them; without anything, those with the
/// latest commits.
#[utoipa::path(tag = "issues", operation_id = "SearchIssues", security(("bearer" = ["viewer"])),
    params(SearchQuery), responses((status = 200, description = "A page.", body = Page<Hit>),
        (status = 422, description = "The part of a name fits too many persons.")))]
#[get("/api/v1/search")]
pub(super) async fn search_issues(
    viewer: Viewer,
    api: Data<Api>,
    query: Query<SearchQuery>,
) -> Result<HttpResponse, ApiError> {
    let now = api.app.clock.now();
    let query = query.into_inner();
    let order = match query.sort.unwrap_or_default() {
        Sort::Activity => Order::Activity,
        Sort::Key => Order::Key,
    };
    let wanted = wanted(&api, &viewer, &query).await?;
    // As it was asked, not whom it means now: a person who comes to be known between two pages does not end the list.
    let filters = (&query.key, &query.project, &query.sha, &query.words, &query.author, order);
    let list = List::new("search", &filters);
    let after: Option<After> = api.cursors.after(query.cursor.as_deref(), &list, now)?;
    let limit = limit(query.limit)?;
    let after = after.map(|After(seconds, project, number)| FoundCursor {
        last_at: seconds.map(Timestamp::from_seconds),
        key: IssueKey { project: project.into(), number },
    });
    if let Some(position) = query.min_position {
        // The one finds, the others count.
        for view in ["issue_search", "issue_commits", "issue_branches"] {
            api.app.views.wait_for(view, position).await.map_err(ApiError::asked_for)?;
        }
    }
    // It looks at some ten thousand rows.
    let asked = wanted.clone();
    let searching = move |app: Arc<App>| async move { search(&app, &asked, order, after.as_ref(), limit + 1).await };
    let hits = api.app.read_aside(searching).await?;
    let after = |(found, _): &(Found, Hit)| {
        After(found.last_at.map(Timestamp::seconds), found.key.project.to_string(), found.key.number)
    };
    api.cursors.page(hits, limit, &list, now, after, |(_, hit)| hit)?.answer()
}

async fn search(
    app: &App,
    wanted: &Wanted,
    order: Order,
    after: Option<&FoundCursor>,
    limit: u32,
) -> Result<Vec<(Found, Hit)>, ViewError> {
    // Nobody has such a name, so nobody wrote anything.
    if wanted.authors.as_ref().is_some_and(Vec::is_empty) {
        return Ok(Vec::new());
    }
    let through = through(app, wanted).await?;
    let (mut hits, mut after) = (Vec::with_capacity(limit as usize), after.cloned());
    loop {
        let lacking = limit - hits.len() as u32;
        let found = app.read(issue_search::search(wanted, through, order, after.as_ref(), lacking)).await?;
        let more = found.len() == lacking as usize;
        after = found.last().map(Found::cursor);
        for found in found {
            hits.extend(hit(app, wanted, &found).await?.map(|hit| (found, hit)));
        }
        // Where something found is not shown, the page goes on behind it.
        if !more || hits.len() == limit as usize {
            return Ok(hits);
        }
    }
}

/// How an issue that was found is shown; nothing when it is shown by nothing that was asked for, since persons unlinked it.
async fn hit(app: &App, wanted: &Wanted, found: &Found) -> Result<Option<Hit>, ViewError> {
    let asks_of_commits = wanted.sha.is_some() || wanted.authors.is_some() || !wanted.words.is_empty();
    let asked = issue_commits::shares_of_issue(&found.key, None, COUNTED_COMMITS + 1);
    let (shares, is_decided) = app.read_of_issue(asked).await?;
    if is_decided && asks_of_commits {
        let latest = issue_commits::page_of_issue(&found.key, None, None, false, COUNTED_COMMITS);
        let shown = app.read(latest.decided).await?;
        // An earlier one that is not looked at may be what was asked for.
        if shown.len() < COUNTED_COMMITS as usize && !fits(wanted, &shown) {
            return Ok(None);
        }
    }
    let branches = issue_branches::branches_of_issue(&found.key, None, None, COUNTED_BRANCHES + 1);
    let branches = app.read(branches).await?.len();
    Ok((!shares.is_empty() || branches > 0).then(|| Hit::of(&found.key, &shares, branches)))
}

/// Whether what is asked of commits holds of these.
fn fits(wanted: &Wanted, commits: &[IssueCommit]) -> bool {
    let sha = wanted.sha.as_ref().is_none_or(|(from, to)| {
        commits.iter().any(|commit| from[..] <= commit.sha.0[..] && commit.sha.0[..] < to[..])
    });
    let author =
        wanted.authors.as_ref().is_none_or(|authors| commits.iter().any(|commit| authors.contains(&commit.author)));
    let words =
        || -> BTreeSet<_> { commits.iter().flat_map(|commit| issue_search::words_of(&commit.subject)).collect() };
    sha && author && (wanted.words.is_empty() || words().is_superset(&wanted.words.iter().cloned().collect()))
}

impl Hit {
    /// Of an issue with these shares and so many branches.
    fn of(key: &IssueKey, shares: &[IssueShare], branches: usize) -> Self {
        let commits = shares.iter().map(|share| share.commits).sum();
        Self {
            last_commit_at: shares.iter().map(|share| share.last_at).max(),
            key: key.to_string(),
            commits,
            superseded: shares.iter().map(|share| share.superseded).sum(),
            authors: shares.iter().map(|share| share.author).collect::<BTreeSet<_>>().len() as u64,
            repositories: shares.iter().map(|share| share.repository).collect::<BTreeSet<_>>().len() as u64,
            branches: branches.min(COUNTED_BRANCHES as usize) as u64,
            complete: commits <= u64::from(COUNTED_COMMITS) && branches <= COUNTED_BRANCHES as usize,
        }
    }
}

/// What leads to the fewest issues, when that is few.
async fn through(app: &App, wanted: &Wanted) -> Result<Through, ViewError> {
    if wanted.sha.is_some() {
        return Ok(Through::Sha);
    }
    let mut least = (u64::from(FEW) + 1, Through::All);
    for (place, word) in wanted.words.iter().enumerate() {
        let weight = app.read(issue_search::word_weighs(word, FEW + 1)).await?.pop().unwrap_or_default();
        if weight < least.0 {
            least = (weight, Through::Word(place));
        }
    }
    if let Some(authors) = &wanted.authors {
        let weight = app.read(issue_search::authors_weigh(authors, FEW + 1)).await?.pop().unwrap_or_default();
        if weight < least.0 {
            least = (weight, Through::Authors);
        }
    }
    Ok(least.1)
}

fn invalid(detail: &'static str) -> ApiError {
    ApiError::new(Code::QueryInvalid, detail)
}

async fn wanted(api: &Api, caller: &Caller, query: &SearchQuery) -> Result<Wanted, ApiError> {
    let (project, number) = match (&query.key, &query.project) {
        (Some(_), Some(_)) => return Err(invalid("Ask for the beginning of a key or for a project, not for both.")),
        (Some(key), None) => key_prefix(key)?,
        (None, Some(key)) => (Some((project(key)?, false)), None),
        (None, None) => (None, None),
    };
    let words = match query.words.as_deref().map(issue_search::words_of) {
        None => Vec::new(),
        Some(words) if (1..=MOST_WORDS).contains(&words.len()) => words.into_iter().collect(),
        Some(_) => return Err(invalid("Ask for 1 to 6 words; they are of letters and digits.")),
    };
    let authors = match &query.author {
        Some(author) => Some(persons(api, caller, author).await?),
        None => None,
    };
    Ok(Wanted { project, number, sha: query.sha.as_deref().map(sha_range).transpose()?, words, authors })
}

/// A project, and whether only its beginning; and how its numbers begin.
type KeyPrefix = (Option<(String, bool)>, Option<String>);

fn key_prefix(text: &str) -> Result<KeyPrefix, ApiError> {
    let Some((key, digits)) = text.split_once('-') else { return Ok((Some((project(text)?, true)), None)) };
    let good = digits.len() <= 18 && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !good {
        return Err(invalid("After the hyphen of a key comes a number without a leading zero, such as in KAFKA-12."));
    }
    Ok((Some((project(key)?, false)), (!digits.is_empty()).then(|| digits.to_owned())))
}

fn project(text: &str) -> Result<String, ApiError> {
    let mut bytes = text.bytes();
    let good = bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && text.len() <= MAX_PROJECT;
    good.then(|| text.to_ascii_uppercase())
        .ok_or_else(|| invalid("A project is a letter and then letters, digits or underscores, such as KAFKA."))
}

/// From the first name that begins so to before the first that comes after all of them.
fn sha_range(digits: &str) -> Result<(Vec<u8>, Vec<u8>), ApiError> {
    let wrong = || invalid("The beginning of a commit's name is 4 to 40 hexadecimal digits.");
    if !(4..=40).contains(&digits.len()) {
        return Err(wrong());
    }
    let nibbles: Option<Vec<u8>> = digits.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect();
    let nibbles = nibbles.ok_or_else(wrong)?;
    let bytes = |last: u8| -> Vec<u8> {
        nibbles.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(last)).collect()
    };
    // A name is longer than its beginning, or the same; `ff…` after it is longer than any name.
    let mut end = bytes(15);
    end.extend([u8::MAX; 21]);
    Ok((bytes(0), end))
}

/// The person with this id, or those whose name has this in it.
async fn persons(api: &Api, caller: &Caller, author: &str) -> Result<Vec<PersonId>, ApiError> {
    if let Ok(id) = author.parse::<Uuid>() {
        return Ok(vec![PersonId(id)]);
    }
    let filter = PeopleFilter {
        fragment: fragment(Some(author.to_owned()))?,
        in_addresses: sees_addresses(caller),
        forgotten: false,
    };
    let found = api.app.people.page(&filter, None, MOST_AUTHORS as u32 + 1).await?;
    if found.len() > MOST_AUTHORS {
        let detail = "It is a part of more than 16 persons' names. Write more of the name, or take one person's id.";
        return Err(ApiError::new(Code::AuthorAmbiguous, detail));
    }
    Ok(found.into_iter().map(|person| person.id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_key_is_read() {
        let read = |text| key_prefix(text).ok();
        assert_eq!(read("ka"), Some((Some(("KA".into(), true)), None)));
        assert_eq!(read("Kafka-"), Some((Some(("KAFKA".into(), false)), None)));
        assert_eq!(read("KAFKA-12"), Some((Some(("KAFKA".into(), false)), Some("12".into()))));
        for bad in ["", "-", "-1", "1A", "KAFKA-0", "KAFKA-1x", "KAFKA-%", "K%", "Ä", "K-1-2", "K-1234567890123456789"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_beginning_of_a_name_is_a_range() {
        let holds = |digits: &str, sha: [u8; 20]| {
            let (from, to) = sha_range(digits).expect("digits");
            from.as_slice() <= sha.as_slice() && sha.as_slice() < to.as_slice()
        };
        let mut sha = [0xab; 20];
        for digits in ["abab", "ABABa", "ababab", &"ab".repeat(20)] {
            assert!(holds(digits, sha), "{digits}");
        }
        assert!(!holds("abac", sha) && !holds("ababb", sha) && !holds("abaa", sha));
        sha[19] = 0xac;
        assert!(!holds(&"ab".repeat(20), sha));
        assert!(holds("ffff", [0xff; 20]));
        for bad in ["abc", "", "xyzw", &"a".repeat(41), "ab%_"] {
            assert!(sha_range(bad).is_err(), "{bad}");
        }
    }
}
