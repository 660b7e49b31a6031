//! Writes down what a GitHub tells of a pull request, in an answer or in a delivery. Persons become ids here: their names
//! stand beside the log, as those of authors of commits do, and are forgotten like them.

use keytrail_domain::{
    display_text::DisplayText,
    id::RepositoryId,
    issue_key::EXTRACTOR_VERSION,
    person::PersonId,
    pull_request::{Command, How, PullRequest, Review, Snapshot, named_by},
};

use crate::{
    app::{App, Context, DispatchError},
    git::services::github::{SeenAccount, SeenPull, SeenReview},
    secrets::Person,
    store::StoreError,
};

/// The person behind an account: by its id, as names change. No address in a commit has these brackets.
fn person_id(app: &App, host: &str, account: &SeenAccount) -> PersonId {
    app.keys.people.person_id(format!("<github-user:{host}/{}>", account.id).as_bytes())
}

/// Makes those known who opened these pull requests or reviewed them, before an event names them.
pub(in crate::jobs) async fn remember(
    app: &App,
    host: &str,
    told: &[(SeenPull, Vec<SeenReview>)],
) -> Result<(), StoreError> {
    app.people.remember(persons_in(app, host, told)).await
}

fn persons_in(app: &App, host: &str, told: &[(SeenPull, Vec<SeenReview>)]) -> Vec<(PersonId, Person)> {
    let mut persons = Vec::new();
    for (pull, reviews) in told {
        let reviewers = reviews.iter().filter_map(|review| review.reviewer.as_ref());
        for account in pull.author.iter().chain(reviewers) {
            let person = Person { name: account.login.clone(), email: DisplayText::default() };
            persons.push((person_id(app, host, account), person));
        }
    }
    persons
}

/// How a pull request is, as the log has it.
fn snapshot(app: &App, host: &str, pull: &SeenPull) -> Snapshot {
    Snapshot {
        updated_at: pull.updated_at,
        state: pull.state,
        draft: pull.draft,
        title: DisplayText::clean(&pull.title),
        source: DisplayText::clean(&pull.source),
        target: DisplayText::clean(&pull.target),
        author: pull.author.as_ref().map(|account| person_id(app, host, account)),
        created_at: pull.created_at,
        merged_at: pull.merged_at,
        closed_at: pull.closed_at,
        extractor: EXTRACTOR_VERSION,
        keys: named_by(&pull.title, &pull.body, &pull.source),
    }
}

/// Writes down how a pull request is, and reviews of it. Those in it were made known before.
pub(in crate::jobs) async fn record(
    app: &App,
    host: &str,
    repository: RepositoryId,
    (pull, reviews): &(SeenPull, Vec<SeenReview>),
    how: How,
    context: Context,
) -> Result<(), DispatchError> {
    let review = |seen: &SeenReview| Review {
        id: seen.id,
        reviewer: seen.reviewer.as_ref().map(|account| person_id(app, host, account)),
        verdict: seen.verdict,
        at: seen.at,
    };
    let reviews = reviews.iter().map(review).collect();
    let (number, snapshot) = (pull.number, Box::new(snapshot(app, host, pull)));
    let command = Command::Record { repository, number, snapshot, reviews, how };
    app.dispatch::<PullRequest>(PullRequest::id(repository, number), command, context, Vec::new()).await.map(|_| ())
}
