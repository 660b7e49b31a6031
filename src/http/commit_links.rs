//! A commit and an issue that a person links, unlinks, or leaves to the index again.

use actix_web::{
    HttpResponse, delete, post,
    web::{Data, Path},
};
use keytrail_domain::{
    commit_link::{Command, CommitLink, Event, LinkedCommit},
    display_text::DisplayText,
    fact::Fact,
    id::RepositoryId,
    index_run::batch::{CommitSha, Places},
    issue_key::IssueKey,
    recorded::{Recorded, Sequence},
    timestamp::Timestamp,
};
use keytrail_projections::{
    Rule,
    issue_commits::{self, CommitCursor, Link, LinkDecision, LinkState, RecordedCommit},
    issue_search,
    repository_list::Repository,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Api,
    auth::Admin,
    changed::{Telling, Versioned, tell},
    commit_place::{ambiguous, commit_name, seen_repository_now},
    commits::problem,
    conditions::IfMatch,
    error::{ApiError, Code},
    idempotency::IdempotencyKey,
    issues::{hex, issue_key, words_of},
    words,
};
use crate::{
    app::Context,
    jobs::{Called, DiffTrouble, commit_called, look_up},
    secrets::Person,
};

/// How a commit and an issue stand to each other.
#[derive(Serialize, ToSchema)]
#[schema(as = CommitLink)]
pub(super) struct Shown {
    /// The issue.
    #[schema(example = "KAFKA-1234")]
    issue: String,
    /// The repository of the commit.
    repository: Uuid,
    /// The commit, 40 hexadecimal digits.
    #[serde(serialize_with = "hex")]
    #[schema(value_type = String)]
    sha: CommitSha,
    /// Whether the issue shows the commit.
    linked: bool,
    /// Whether a person linked it.
    manual: bool,
    /// Where the commit names the issue; empty when it does not.
    #[serde(serialize_with = "words_of")]
    #[schema(value_type = Vec<String>, example = json!(["subject"]))]
    places: Places,
    /// What a person decided last; nothing when nobody did.
    decision: Option<Decision>,
    /// Its version, which is its ETag, too; 0 while nobody has decided anything.
    version: i64,
}

/// What a person decided about a commit and an issue.
#[derive(Serialize, ToSchema)]
#[schema(as = LinkDecision)]
pub(super) struct Decision {
    /// `linked`, `unlinked`, or `as_found` when either was taken back.
    #[schema(schema_with = words::link_state)]
    state: LinkState,
    /// Who; the name at that time.
    by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<LinkDecision> for Decision {
    fn from(decision: LinkDecision) -> Self {
        Self { state: decision.state, by: decision.actor, at: decision.at }
    }
}

impl Shown {
    fn of(link: Link, issue: &IssueKey, repository: RepositoryId, sha: CommitSha) -> Self {
        Self {
            issue: issue.to_string(),
            repository: repository.0,
            sha,
            linked: link.holds(),
            manual: link.decision.as_ref().is_some_and(|decision| decision.state == LinkState::Linked),
            places: link.places.unwrap_or_default(),
            version: link.version,
            decision: link.decision.map(Decision::from),
        }
    }
}

impl Versioned for Shown {
    fn version(&self) -> Sequence {
        self.version
    }
}

/// An issue and a commit of a repository, as an address names them.
type Place = Path<(String, Uuid, String)>;

/// The same, looked up.
struct Pair {
    issue: IssueKey,
    repository: Repository,
    sha: CommitSha,
}

/// Links a commit to an issue that it does not name. It stays linked, also when the index is reset.
#[utoipa::path(tag = "issues", operation_id = "LinkCommit", security(("bearer" = ["admin"])),
    params(("key" = String, Path, description = "Such as KAFKA-1234, in any case."),
        ("repository" = Uuid, Path, description = "The repository of the commit."),
        ("commit" = String, Path, description = "The commit: 7 to 40 hexadecimal digits."),
        ("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once."),
        ("If-Match" = Option<String>, Header, description = "Only when the link has this ETag.")),
    responses((status = 200, description = "They are linked.", body = Shown),
        (status = 502, description = "The repository, or its copy, cannot be read.")))]
#[post("/api/v1/issues/{key}/commits/{repository}/{commit}")]
pub(super) async fn link_commit(
    admin: Admin,
    api: Data<Api>,
    place: Place,
    if_match: IfMatch,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "LinkCommit", b""), if_match.version());
    if let Some(answer) = repeated(&api, &context, &place).await? {
        return Ok(answer);
    }
    let pair = looked_up(&api, &place).await?;
    // Who has just changed the rules is not told of those of before.
    let rule = api.read_now(issue_commits::rule_of(&pair.issue)).await?.pop().unwrap_or(Rule::Counts);
    if rule != Rule::Counts {
        let detail = "The rules leave this issue out, so the link would not show. Look at GET /api/v1/project-rules.";
        return Err(ApiError::new(Code::IssueLeftOut, detail).with("rule", rule.as_str()));
    }
    let commit = linked_commit(&api, &pair).await?;
    let (repository, sha, issue) = (pair.repository.id, pair.sha, pair.issue.clone());
    dispatched(&api, pair, Command::Link { repository, sha, issue, commit }, context).await
}

/// Takes a commit away from an issue, whether it names it or was linked to it. It stays recorded.
#[utoipa::path(tag = "issues", operation_id = "UnlinkCommit", security(("bearer" = ["admin"])),
    params(("key" = String, Path, description = "Such as KAFKA-1234, in any case."),
        ("repository" = Uuid, Path, description = "The repository of the commit."),
        ("commit" = String, Path, description = "The commit: 7 to 40 hexadecimal digits."),
        ("If-Match" = Option<String>, Header, description = "Only when the link has this ETag.")),
    responses((status = 200, description = "They are not linked.", body = Shown)))]
#[delete("/api/v1/issues/{key}/commits/{repository}/{commit}")]
pub(super) async fn unlink_commit(
    admin: Admin,
    api: Data<Api>,
    place: Place,
    if_match: IfMatch,
) -> Result<HttpResponse, ApiError> {
    let pair = looked_up(&api, &place).await?;
    let read = issue_commits::link_of(&pair.issue, pair.repository.id, pair.sha);
    let link = api.one_now(read, Code::RepositoryUnknown).await?;
    let (repository, sha, issue) = (pair.repository.id, pair.sha, pair.issue.clone());
    let command = Command::Unlink { repository, sha, issue, named: link.places.is_some() };
    dispatched(&api, pair, command, admin.context(None, if_match.version())).await
}

/// Takes back what was decided about a commit and an issue: what the commit names counts again.
#[utoipa::path(tag = "issues", operation_id = "RestoreCommitLink", security(("bearer" = ["admin"])),
    params(("key" = String, Path, description = "Such as KAFKA-1234, in any case."),
        ("repository" = Uuid, Path, description = "The repository of the commit."),
        ("commit" = String, Path, description = "The commit: 7 to 40 hexadecimal digits."),
        ("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once."),
        ("If-Match" = Option<String>, Header, description = "Only when the link has this ETag.")),
    responses((status = 200, description = "It is as the index finds it.", body = Shown)))]
#[post("/api/v1/issues/{key}/commits/{repository}/{commit}/restore")]
pub(super) async fn restore_commit_link(
    admin: Admin,
    api: Data<Api>,
    place: Place,
    if_match: IfMatch,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "RestoreCommitLink", b""), if_match.version());
    if let Some(answer) = repeated(&api, &context, &place).await? {
        return Ok(answer);
    }
    let pair = looked_up(&api, &place).await?;
    let command = Command::Restore { repository: pair.repository.id, sha: pair.sha, issue: pair.issue.clone() };
    dispatched(&api, pair, command, context).await
}

/// Names of commits are looked up among those that runs have seen; a whole one of which something was decided need not be
/// there any more.
async fn looked_up(api: &Api, place: &Place) -> Result<Pair, ApiError> {
    let (key, repository, sha) = &**place;
    let issue = issue_key(key)?;
    let name = commit_name(sha)?;
    let repository = seen_repository_now(api, *repository).await?;
    let sha = match commit_called(&api.app, &repository, name).await? {
        Called::One(sha) => sha,
        Called::Several(found) => return Err(ambiguous(&found)),
        Called::None => match name.whole() {
            Some(sha) if is_decided(api, &issue, repository.id, sha).await? => sha,
            _ => return Err(problem(DiffTrouble::CommitUnknown { elsewhere: false })),
        },
    };
    Ok(Pair { issue, repository, sha })
}

async fn is_decided(api: &Api, issue: &IssueKey, repository: RepositoryId, sha: CommitSha) -> Result<bool, ApiError> {
    let link = api.read_now(issue_commits::link_of(issue, repository, sha)).await?;
    Ok(link.first().is_some_and(|link| link.decision.is_some()))
}

/// What is shown of the commit: as the index has it, or read where the repository is read.
async fn linked_commit(api: &Api, pair: &Pair) -> Result<LinkedCommit, ApiError> {
    let (number, sha) = (pair.repository.number, pair.sha);
    let named = api.read(None, issue_search::issues_of_commit(sha, number)).await?.into_iter().next();
    if let Some(named) = named {
        let at = CommitCursor { committed_at: named.committed_at, number, sha };
        let recorded = api.read(None, issue_commits::recorded_commit(&named.key, at)).await?.pop();
        if let Some(RecordedCommit { author, authored_at, committed_at, subject, introduced_by, on_default }) = recorded
        {
            let subject = DisplayText::clean(&subject);
            let introduced_by = Some(introduced_by.into());
            return Ok(LinkedCommit { author, authored_at, committed_at, subject, introduced_by, on_default });
        }
    }
    let text = look_up(&api.app, &pair.repository, pair.sha).await.map_err(problem)?.text;
    let Some(commit) = text else {
        let detail = "The commit was indexed, but is not on this machine now. Ask POST …/fetch of its repository, and \
                      try again when that is done.";
        return Err(ApiError::new(Code::RepositoryUnreadable, detail).with("reason", serde_json::Value::Null));
    };
    // Before the event: an id that the log knows has its row.
    let author = commit.author.who;
    let person = Person { name: author.name, email: author.email };
    api.app.people.remember([(author.id, person)]).await?;
    Ok(LinkedCommit {
        author: author.id,
        authored_at: commit.author.at,
        committed_at: commit.committer.at,
        subject: commit.subject,
        introduced_by: None,
        on_default: false,
    })
}

async fn dispatched(api: &Api, pair: Pair, command: Command, context: Context) -> Result<HttpResponse, ApiError> {
    let id = CommitLink::id(pair.repository.id, pair.sha);
    let committed = api.app.dispatch::<CommitLink>(id, command, context, Vec::new()).await?;
    let Pair { issue, repository: Repository { id: repository, .. }, sha } = pair;
    let read = issue_commits::link_of(&issue, repository, sha);
    let show = |link| Shown::of(link, &issue, repository, sha);
    api.changed(committed, Telling::changed(), read, show).await
}

/// The answer to a request that was carried out before. The commit may be gone since, and its repository, too, so nothing
/// is looked up that the event does not name.
async fn repeated(api: &Api, context: &Context, place: &Place) -> Result<Option<HttpResponse>, ApiError> {
    let Some(committed) = api.remembered(context).await? else { return Ok(None) };
    // Where nothing was left to decide there may be no event at all.
    let Some(event) = api.app.log.event(committed.stream, committed.sequence).await? else { return Ok(None) };
    let Fact::CommitLink(Event::Linked { sha, .. } | Event::Unlinked { sha, .. } | Event::Restored { sha, .. }) =
        &event.fact
    else {
        return Ok(None);
    };
    let (issue, repository) = (issue_key(&place.0)?, RepositoryId(place.1));
    let show = |link| Shown::of(link, &issue, repository, *sha);
    let shown = api.shown(&committed, issue_commits::link_of(&issue, repository, *sha), show).await;
    // Of a repository that was forgotten no row is left.
    let shown = shown.unwrap_or_else(|| show(as_decided(&event, &issue)));
    Ok(Some(tell(&committed, &Telling::changed(), Some(shown.version), &shown)))
}

/// How a commit and an issue stand to each other by what was decided alone.
fn as_decided(event: &Recorded<Fact>, of: &IssueKey) -> Link {
    let state = match &event.fact {
        Fact::CommitLink(Event::Linked { issue, .. }) if issue == of => Some(LinkState::Linked),
        Fact::CommitLink(Event::Unlinked { issue, .. }) if issue == of => Some(LinkState::Unlinked),
        Fact::CommitLink(Event::Restored { issue, .. }) if issue == of => Some(LinkState::AsFound),
        _ => None,
    };
    let metadata = &event.metadata;
    let decision = state.map(|state| LinkDecision { state, actor: metadata.actor.name().to_owned(), at: metadata.at });
    let version = if decision.is_some() { event.sequence } else { 0 };
    Link {
        places: None,
        extractor: None,
        superseded_position: None,
        position: decision.is_some().then_some(event.position),
        decision,
        version,
    }
}
