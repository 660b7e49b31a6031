//! What an explanation can find, each with its step, whether it stands in the way, and what to do about it. A word that was
//! ever answered keeps its meaning; docs/issue-keys.md explains each.

use keytrail_domain::issue_key::WhyNot;
use keytrail_projections::word::words;

words! {
    /// What is looked at, in this order.
    StepName {
        /// Which repository it is about.
        Repository = "repository",
        /// Whether the repository was read.
        Fetched = "fetched",
        /// Whether a run has seen the commit.
        Seen = "seen",
        /// Whether all of its message was scanned.
        Scanned = "scanned",
        /// Whether what looks like the key is one.
        Grammar = "grammar",
        /// Whether the commit names the issue, and where.
        Candidate = "candidate",
        /// Whether the project is known.
        ProjectRule = "project_rule",
        /// Whether the project or the issue is denied.
        DenyRule = "deny_rule",
        /// What a person decided about them.
        Decision = "decision",
        /// Whether a ref leads to the commit.
        Superseded = "superseded",
        /// Whether who asks may see it.
        Visible = "visible",
    }
}

words! {
    /// How a step ended.
    StepState {
        /// It does not stand in the way.
        Ok = "ok",
        /// It is why the issue does not show the commit.
        Failed = "failed",
        /// It cannot be told.
        Unknown = "unknown",
        /// It was not looked at, since something before it is in the way, or since it does not matter.
        Skipped = "skipped",
    }
}

macro_rules! findings {
    ($($(#[$doc:meta])* $variant:ident = $step:ident $state:ident $word:literal $(, $next:literal)?;)*) => {
        /// What was found.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Finding {
            $($(#[$doc])* $variant,)*
            /// What looks like the key is none, by this rule.
            NoKey(WhyNot),
            /// The step was not looked at.
            NotAsked(StepName),
        }

        impl Finding {
            /// Those with words of their own.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable word.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::NoKey(why) => why.as_str(),
                    Self::NotAsked(_) => "not_asked",
                }
            }

            /// Of which step.
            pub const fn step(self) -> StepName {
                match self {
                    $(Self::$variant => StepName::$step,)*
                    Self::NoKey(_) => StepName::Grammar,
                    Self::NotAsked(step) => step,
                }
            }

            /// How the step ended.
            pub const fn state(self) -> StepState {
                match self {
                    $(Self::$variant => StepState::$state,)*
                    Self::NoKey(_) => StepState::Failed,
                    Self::NotAsked(_) => StepState::Skipped,
                }
            }

            /// What a person can do, where something can be done; in braces what `advice` puts there.
            pub fn next(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => [$($next)?].first().copied(),)*
                    Self::NoKey(_) => Some("Write the key as docs/issue-keys.md says in the next message, or link this commit by hand: `keytrail issue link {key} {sha}{in}`."),
                    Self::NotAsked(_) => None,
                }
            }
        }
    };
}

findings! {
    /// An integration sees it.
    RepositoryKnown = Repository Ok "repository_known";
    /// There is none with this id.
    RepositoryUnknown = Repository Failed "repository_unknown",
        "Look at `keytrail repository list`, and add an integration that sees the repository.";
    /// None was named, and several or none could be meant.
    RepositoryNotNamed = Repository Failed "repository_not_named",
        "Name the repository that should have the commit; `keytrail repository list` has their ids.";
    /// No integration sees it any more.
    RepositoryForgotten = Repository Failed "repository_forgotten",
        "Add an integration that sees the repository.";
    /// It may not or cannot be indexed.
    RepositoryRefused = Repository Failed "repository_refused",
        "Mend what the sentence names; a tracked folder is looked through again by itself.";
    /// It is read where it lies.
    ReadInPlace = Fetched Ok "read_in_place";
    /// It is read from a copy.
    Copied = Fetched Ok "copied";
    /// It was not read yet.
    NeverIndexed = Fetched Failed "never_indexed",
        "Ask for a run: `keytrail repository index {repository}`.";
    /// The last run failed.
    IndexFailed = Fetched Failed "index_failed",
        "Mend what the sentence names, and ask for a run: `keytrail repository index {repository}`.";
    /// Looking whether anything is new fails.
    NotFetched = Fetched Failed "not_fetched",
        "Mend what the sentence names, then look at once: `keytrail repository fetch {repository}`.";
    /// A run is under way.
    Indexing = Fetched Unknown "indexing",
        "Ask again when the run has ended.";
    /// A run has seen it.
    CommitSeen = Seen Ok "commit_seen";
    /// It is there, and no ref that is looked at led to it when a run looked.
    CommitNotReached = Seen Failed "commit_not_reached",
        "Push it to a branch, or have more refs looked at; what was just pushed is seen after `keytrail repository fetch {repository}`.";
    /// It is not where the repository is read.
    CommitAbsent = Seen Failed "commit_absent",
        "Check the name of the commit and the repository; what was just pushed is seen after `keytrail repository fetch {repository}`.";
    /// The repository cannot be read now.
    CommitUnchecked = Seen Unknown "commit_unchecked",
        "Mend what the sentence names, and ask again.";
    /// Its message was scanned.
    MessageScanned = Scanned Ok "message_scanned";
    /// The key stands behind a bound.
    BeyondBounds = Scanned Failed "beyond_bounds",
        "Link this commit by hand: `keytrail issue link {key} {sha}{in}`; name issues within the first 64 KiB of a message, and no more than 500 of them.";
    /// Today's grammar finds the issue, and what is recorded does not have it.
    FoundSince = Scanned Unknown "found_since",
        "Ask again in a moment; if it stays, reset the index: `keytrail repository reset {repository}`.";
    /// The commit cannot be read now.
    MessageUnread = Scanned Unknown "message_unread",
        "Mend what the sentence names, and ask again.";
    /// What was asked for is a key, and nothing in the message only looks like it.
    WellFormed = Grammar Ok "well_formed";
    /// In the first paragraph.
    NamedInSubject = Candidate Ok "named_in_subject";
    /// In the rest of the message.
    NamedInBody = Candidate Ok "named_in_body";
    /// In both.
    NamedInBoth = Candidate Ok "named_in_subject_and_body";
    /// Nowhere.
    NotNamed = Candidate Failed "not_named",
        "Link it by hand: `keytrail issue link {key} {sha}{in}`.";
    /// In the name of a branch of the repository, but not in the commit.
    NamedByBranch = Candidate Failed "named_by_branch",
        "The issue shows the branch. Link the commit by hand: `keytrail issue link {key} {sha}{in}`.";
    /// It counts.
    ProjectCounts = ProjectRule Ok "project_counts";
    /// There is a list of known projects, and it is not on it.
    ProjectNotKnown = ProjectRule Failed "project_not_known",
        "Let it count: `keytrail project allow {project}`.";
    /// Neither its project nor the issue is denied.
    NotDenied = DenyRule Ok "not_denied";
    /// Its project is.
    ProjectDenied = DenyRule Failed "project_denied",
        "If there is such a project: `keytrail project undeny {project}`.";
    /// The issue itself is.
    IssueDenied = DenyRule Failed "issue_denied",
        "Let it count: `keytrail project undeny {key}`.";
    /// What the commit names counts.
    NothingDecided = Decision Ok "nothing_decided";
    /// A person linked them.
    LinkedByHand = Decision Ok "linked_by_hand";
    /// A person unlinked them.
    UnlinkedByHand = Decision Failed "unlinked_by_hand",
        "Take it back: `keytrail issue restore {key} {sha}{in}`.";
    /// A ref led to it when a run last looked.
    Reachable = Superseded Ok "reachable";
    /// No ref leads to it any more; it is shown and says so.
    NoRefLeadsToIt = Superseded Ok "no_ref_leads_to_it";
    /// The role of who asks allows it.
    Visible = Visible Ok "visible";
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;

    #[test]
    fn every_finding_has_a_word_of_its_own_and_one_that_is_in_the_way_a_way_out() {
        let words: HashSet<_> = Finding::ALL.iter().map(|finding| finding.as_str()).collect();
        assert_eq!(words.len(), Finding::ALL.len());
        for finding in Finding::ALL {
            let is_in_the_way = matches!(finding.state(), StepState::Failed | StepState::Unknown);
            assert_eq!(finding.next().is_some(), is_in_the_way, "{}", finding.as_str());
        }
    }

    #[test]
    fn the_page_of_keys_explains_every_finding_and_no_other() {
        let page = include_str!("../../docs/issue-keys.md");
        let (_, page) = page.split_once("## Why is this commit not shown?").expect("the section");
        let explained: BTreeSet<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
            .flat_map(|(step, rest)| rest.split('`').skip(1).step_by(2).map(move |word| format!("{step} {word}")))
            .collect();
        let of_keys = WhyNot::ALL.map(Finding::NoKey);
        let known: BTreeSet<_> = Finding::ALL
            .iter()
            .chain(&of_keys)
            .map(|finding| format!("{} {}", finding.step().as_str(), finding.as_str()))
            .collect();
        assert_eq!(explained, known);
    }
}
