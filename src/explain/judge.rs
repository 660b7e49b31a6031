//! From what was looked up to steps. Pure: called once an explanation has gathered all.

#[cfg(test)]
mod tests;

use keytrail_domain::{
    access::Role,
    index_run::batch::Places,
    issue_key::{EXTRACTOR_VERSION, IssueKey, Letters, near_misses, stands_in, why_not},
    ref_selection::RefSelection,
};
use keytrail_projections::{
    Rule,
    issue_commits::{Link, LinkState},
    repository_list::{Repository, RepositoryState},
};

use super::{
    Question, Step,
    advice::advice,
    finding::{Finding, StepName},
    gathered::{Gathered, There},
};
use crate::git::CommitText;

/// Keys of a commit of which a person is told.
const MOST_KEYS: usize = 10;

/// All steps in their order.
pub(super) fn steps(question: &Question, gathered: &Gathered) -> Vec<Step> {
    let is_linked = linked_by(gathered, LinkState::Linked).is_some();
    // What stands in the way of what is new: of what was seen before, or linked by hand, it does not matter.
    let is_settled = gathered.is_seen || is_linked;
    let (repository, is_known) = of_repository(question, gathered, is_settled);
    let mut steps = vec![repository];
    match &gathered.repository {
        Some(repository) if is_known => {
            steps.push(fetched(repository, gathered, is_settled));
            steps.push(if gathered.is_seen || !is_linked { seen(gathered) } else { no_matter(StepName::Seen) });
        }
        _ => steps.extend([not_asked(StepName::Fetched), not_asked(StepName::Seen)]),
    }
    let commit = match &gathered.there {
        Some(There::Commit(commit, _)) => Some(&**commit),
        Some(There::Nothing(_) | There::Unreadable(_)) | None => None,
    };
    steps.extend(match &gathered.issue {
        None => {
            let why = why_not(&question.issue).map_or(Finding::WellFormed, Finding::NoKey);
            let rule = if let Finding::NoKey(why) = why { why.sentence() } else { "" };
            let sentence = format!("What was asked for is no issue key. {rule}");
            [not_asked(StepName::Scanned), say(why, sentence), not_asked(StepName::Candidate)]
        }
        Some(_) if !is_settled => [StepName::Scanned, StepName::Grammar, StepName::Candidate].map(not_asked),
        Some(_) if is_linked && !gathered.is_named() => {
            [StepName::Scanned, StepName::Grammar, StepName::Candidate].map(no_matter)
        }
        Some(issue) => message(issue, gathered, commit),
    });
    steps.extend(match (&gathered.issue, gathered.rule) {
        (Some(issue), Some(rule)) => rules(issue, rule),
        _ => [StepName::ProjectRule, StepName::DenyRule].map(not_asked),
    });
    match (&gathered.issue, &gathered.link) {
        (Some(issue), Some(link)) if is_known => steps.extend([decision(issue, gathered), superseded(link)]),
        _ => steps.extend([StepName::Decision, StepName::Superseded].map(not_asked)),
    }
    steps.push(visible(question.role));
    for step in &mut steps {
        step.next = advice(step.finding, question, gathered);
    }
    steps
}

fn say(finding: Finding, sentence: impl Into<String>) -> Step {
    Step { finding, sentence: sentence.into(), next: None }
}

fn not_asked(step: StepName) -> Step {
    say(Finding::NotAsked(step), "Something before it is in the way.")
}

fn no_matter(step: StepName) -> Step {
    say(Finding::NotAsked(step), "It does not matter: a person linked the commit.")
}

fn of_repository(question: &Question, gathered: &Gathered, is_settled: bool) -> (Step, bool) {
    let Some(repository) = &gathered.repository else {
        let step = match question.repository {
            Some(_) => say(Finding::RepositoryUnknown, "There is no repository with this id."),
            None if gathered.are_more => say(
                Finding::RepositoryNotNamed,
                format!(
                    "No run of the first {} repositories has seen such a commit, and it names no issue in any. There are \
                     more, which were not looked at.",
                    gathered.repositories
                ),
            ),
            None => say(
                Finding::RepositoryNotNamed,
                format!("No run of any of the {} repositories has seen such a commit.", gathered.repositories),
            ),
        };
        return (step, false);
    };
    let name = &repository.name;
    match (repository.state, &repository.failure) {
        (RepositoryState::Forgotten, _) => {
            (say(Finding::RepositoryForgotten, format!("No integration sees the repository {name} any more.")), false)
        }
        (RepositoryState::Refused, Some((_, why))) if is_settled => {
            let sentence = format!("An integration sees the repository {name}, which cannot be indexed now: {why}.");
            (say(Finding::RepositoryKnown, sentence), true)
        }
        (RepositoryState::Refused, Some((_, why))) => {
            (say(Finding::RepositoryRefused, format!("The repository {name} cannot be indexed: {why}.")), false)
        }
        _ => (say(Finding::RepositoryKnown, format!("An integration sees the repository {name}.")), true),
    }
}

fn fetched(repository: &Repository, gathered: &Gathered, is_settled: bool) -> Step {
    if !is_settled {
        if repository.state == RepositoryState::Indexing {
            return say(Finding::Indexing, "An index run is under way.");
        }
        if let Some(trouble) = &repository.trouble {
            return say(Finding::NotFetched, format!("Looking whether anything is new fails: {}.", trouble.text));
        }
        if let Some((_, why)) = &repository.failure {
            return say(Finding::IndexFailed, format!("The last index run failed: {why}."));
        }
        if repository.indexed_at.is_none() {
            return say(Finding::NeverIndexed, "No index run of it has completed.");
        }
    }
    let last = match repository.indexed_at {
        Some(at) => format!(", and was last indexed at {at}"),
        None => String::new(),
    };
    if gathered.is_copied {
        say(Finding::Copied, format!("It is read from a copy of {}{last}.", repository.location))
    } else {
        say(Finding::ReadInPlace, format!("It is read where it lies, at {}{last}.", repository.location))
    }
}

fn seen(gathered: &Gathered) -> Step {
    if gathered.is_seen {
        return say(Finding::CommitSeen, "An index run has seen the commit.");
    }
    match &gathered.there {
        Some(There::Commit(_, refs)) => say(
            Finding::CommitNotReached,
            format!(
                "The commit is there, but no ref that is looked at led to it when a run last looked. {}",
                looked_at(refs)
            ),
        ),
        Some(There::Nothing(refs)) => {
            say(Finding::CommitAbsent, format!("No run has seen it, and it is not there. {}", looked_at(refs)))
        }
        Some(There::Unreadable(why)) => {
            say(Finding::CommitUnchecked, format!("No run has seen it, and the repository cannot be read: {why}."))
        }
        None => say(Finding::CommitAbsent, "No run has seen it."),
    }
}

fn looked_at(refs: &RefSelection) -> String {
    let mut all = vec!["branches", "tags", "heads of pull and merge requests"];
    if refs.notes() {
        all.push("notes");
    }
    if refs.changes() {
        all.push("changes");
    }
    all.extend(refs.patterns().iter().map(|pattern| pattern.as_str()));
    format!("Looked at are: {}.", all.join(", "))
}

/// The decision of this kind that holds, with who made it and when.
fn linked_by(gathered: &Gathered, state: LinkState) -> Option<String> {
    let decision = gathered.link.as_ref()?.decision.as_ref().filter(|decision| decision.state == state)?;
    Some(format!("{} at {}", decision.actor, decision.at))
}

/// What the commit says: whether all was scanned, whether something only looks like the key, and where the key is.
fn message(issue: &IssueKey, gathered: &Gathered, commit: Option<&CommitText>) -> [Step; 3] {
    let link = gathered.link.as_ref();
    if let Some(places) = link.and_then(|link| link.places) {
        let version = link.and_then(|link| link.extractor).unwrap_or(EXTRACTOR_VERSION);
        let (finding, place) = match (places.contains(Places::SUBJECT), places.contains(Places::BODY)) {
            (true, true) => (Finding::NamedInBoth, "in its subject and in its body"),
            (_, true) => (Finding::NamedInBody, "in its body"),
            (..) => (Finding::NamedInSubject, "in its subject"),
        };
        return [
            say(Finding::MessageScanned, format!("Its message was scanned by version {version} of the grammar.")),
            say(Finding::WellFormed, format!("{issue} is an issue key.")),
            say(finding, format!("The commit names {issue} {place}.")),
        ];
    }
    let Some(commit) = commit else {
        let why = match &gathered.there {
            Some(There::Unreadable(why)) => why.as_str(),
            _ => "it is not on this machine now",
        };
        return [
            say(
                Finding::MessageUnread,
                format!("The index does not find {issue} in it, and its message cannot be read: {why}."),
            ),
            not_asked(StepName::Grammar),
            not_asked(StepName::Candidate),
        ];
    };
    if commit.keys.iter().any(|(key, _)| key == issue) {
        return [
            say(Finding::FoundSince, format!("Today's grammar finds {issue} in it, but that is not recorded.")),
            say(Finding::WellFormed, format!("{issue} is an issue key.")),
            not_asked(StepName::Candidate),
        ];
    }
    if commit.bounded && stands_in(&commit.message, issue, Letters::Upper) {
        return [
            say(
                Finding::BeyondBounds,
                format!("{issue} stands behind the first 64 KiB of the message, or after 500 other keys."),
            ),
            say(Finding::WellFormed, format!("{issue} is an issue key.")),
            not_asked(StepName::Candidate),
        ];
    }
    let scanned = say(
        Finding::MessageScanned,
        format!("Its message was scanned; version {EXTRACTOR_VERSION} of the grammar is today's."),
    );
    let missed = near_misses(&commit.message, issue, Letters::Upper);
    if let Some((at, why)) = missed.first() {
        let found = &commit.message[*at..];
        let end = found
            .find('-')
            .map_or(0, |hyphen| hyphen + 1 + found[hyphen + 1..].bytes().take_while(u8::is_ascii_digit).count());
        let sentence = format!("{:?} stands in its message and is not {issue}. {}", &found[..end], why.sentence());
        return [scanned, say(Finding::NoKey(*why), sentence), not_asked(StepName::Candidate)];
    }
    let well_formed =
        say(Finding::WellFormed, format!("{issue} is an issue key, and nothing else in the message looks like it."));
    [scanned, well_formed, not_named(issue, gathered, commit)]
}

fn not_named(issue: &IssueKey, gathered: &Gathered, commit: &CommitText) -> Step {
    let keys: Vec<String> = commit.keys.iter().take(MOST_KEYS).map(|(key, _)| key.to_string()).collect();
    let more = commit.keys.len().saturating_sub(MOST_KEYS);
    let names = match (keys.is_empty(), more) {
        (true, _) => "It names no issue.".to_owned(),
        (false, 0) => format!("It names {}.", keys.join(", ")),
        (false, more) => format!("It names {} and {more} more.", keys.join(", ")),
    };
    match &gathered.branch {
        Some(branch) => say(
            Finding::NamedByBranch,
            format!("The branch {branch} carries {issue}, but the commit does not name it. {names}"),
        ),
        None => say(Finding::NotNamed, format!("The commit does not name {issue}. {names}")),
    }
}

fn rules(issue: &IssueKey, rule: Rule) -> [Step; 2] {
    let project = &issue.project;
    let counts = || say(Finding::ProjectCounts, format!("The project {project} counts."));
    let free = || say(Finding::NotDenied, format!("Neither {project} nor {issue} is denied."));
    match rule {
        Rule::Counts => [counts(), free()],
        Rule::ProjectNotKnown => {
            let sentence = format!("There is a list of known projects, and {project} is not on it.");
            [say(Finding::ProjectNotKnown, sentence), free()]
        }
        Rule::ProjectDenied => [
            counts(),
            say(Finding::ProjectDenied, format!("The project {project} is denied, as the name of something else.")),
        ],
        Rule::IssueDenied => [counts(), say(Finding::IssueDenied, format!("The issue {issue} is denied."))],
    }
}

/// What holds, and what would hold without it: `restore` leaves it to what the index finds.
fn decision(issue: &IssueKey, gathered: &Gathered) -> Step {
    let is_named = gathered.is_named();
    if let Some(who) = linked_by(gathered, LinkState::Linked) {
        let without = if is_named {
            format!("The commit names {issue}, too: taken back, they stay linked.")
        } else {
            format!("The index does not find {issue} in it: taken back, nothing links them.")
        };
        return say(Finding::LinkedByHand, format!("Linked by {who}. {without}"));
    }
    if let Some(who) = linked_by(gathered, LinkState::Unlinked) {
        let without = if is_named {
            format!("The commit names {issue}: taken back, they are linked again.")
        } else {
            format!("The index does not find {issue} in it: taken back, still nothing links them.")
        };
        return say(Finding::UnlinkedByHand, format!("Unlinked by {who}. {without}"));
    }
    match linked_by(gathered, LinkState::AsFound) {
        Some(who) => say(Finding::NothingDecided, format!("What was decided was taken back by {who}.")),
        None => say(Finding::NothingDecided, "No person decided otherwise."),
    }
}

fn superseded(link: &Link) -> Step {
    match link.superseded_position {
        Some(position) => say(
            Finding::NoRefLeadsToIt,
            format!(
                "No ref leads to it since event {position}: a branch was rewritten or deleted. It is shown and says so."
            ),
        ),
        None => say(Finding::Reachable, "A ref led to it when a run last looked."),
    }
}

fn visible(role: Role) -> Step {
    say(Finding::Visible, format!("The role {role} may see every issue."))
}
