//! What is said of what was not looked at, and of decisions by hand.

use keytrail_domain::{index_run::batch::CommitSha, timestamp::Timestamp};
use keytrail_projections::issue_commits::LinkDecision;

use super::*;

#[test]
fn what_was_not_looked_at_is_not_said_to_lack_the_commit() {
    let question =
        Question { commit: CommitSha([7; 20]).into(), issue: "SHOP-1".into(), repository: None, role: Role::Viewer };
    let said = |are_more| {
        let gathered = Gathered { repositories: 1_000, are_more, ..Gathered::default() };
        steps(&question, &gathered).remove(0).sentence
    };
    assert!(said(false).starts_with("No run of any of the 1000 repositories"), "{}", said(false));
    assert!(said(true).contains("first 1000") && said(true).contains("not looked at"), "{}", said(true));
    assert!(!said(true).contains("any of the"), "{}", said(true));
}

/// What is said of a decision and of the message, and what is advised about the decision.
fn told(state: Option<LinkState>, places: Option<Places>, rule: Rule) -> (Step, &'static str, bool) {
    let sha = CommitSha([7; 20]);
    let question = Question { commit: sha.into(), issue: "SHOP-1".into(), repository: None, role: Role::Viewer };
    let decision = state.map(|state| LinkDecision { state, actor: "ann".to_owned(), at: Timestamp(0) });
    let gathered = Gathered {
        issue: "SHOP-1".parse().ok(),
        rule: Some(rule),
        link: Some(Link {
            places,
            extractor: None,
            superseded_position: None,
            decision,
            version: 1,
            position: Some(1),
        }),
        commit: Some(sha),
        is_seen: true,
        there: Some(There::Unreadable("it is away".to_owned())),
        ..Gathered::default()
    };
    let (issue, is_shown) = (gathered.issue.clone().expect("a key"), gathered.is_shown());
    let [_, _, candidate] = message(&issue, &gathered, None);
    let mut decided = super::decision(&issue, &gathered);
    decided.next = advice(decided.finding, &question, &gathered);
    (decided, candidate.finding.as_str(), is_shown)
}

#[test]
fn a_decision_is_told_with_what_holds_without_it() {
    let (named, not) = (Some(Places::SUBJECT), None);
    for rule in [Rule::Counts, Rule::ProjectNotKnown, Rule::ProjectDenied, Rule::IssueDenied] {
        for (state, places, is_linked, said) in [
            (Some(LinkState::Linked), named, true, "The commit names SHOP-1, too: taken back, they stay linked."),
            (Some(LinkState::Linked), not, true, "not find SHOP-1 in it: taken back, nothing links them."),
            (Some(LinkState::Unlinked), named, false, "names SHOP-1: taken back, they are linked again."),
            (Some(LinkState::Unlinked), not, false, "in it: taken back, still nothing links them."),
            (Some(LinkState::AsFound), named, true, "was taken back by ann at "),
            (Some(LinkState::AsFound), not, false, "was taken back by ann at "),
            (None, named, true, "No person decided otherwise."),
            (None, not, false, "No person decided otherwise."),
        ] {
            let (step, candidate, is_shown) = told(state, places, rule);
            assert!(step.sentence.contains(said), "{}", step.sentence);
            assert_eq!(candidate == "named_in_subject", places.is_some(), "{candidate}");
            assert_eq!(is_shown, is_linked && rule == Rule::Counts, "{}", step.sentence);
            // Taking it back is advised only where that links them again.
            let next = step.next.unwrap_or_default();
            assert_eq!(next.contains("issue restore"), state == Some(LinkState::Unlinked) && places.is_some());
            let is_linking = state == Some(LinkState::Unlinked) && places.is_none() && rule == Rule::Counts;
            assert_eq!(next.contains("issue link"), is_linking, "{next}");
        }
    }
}
