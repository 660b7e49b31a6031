//! Given, when, then.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*, sample::select};

use super::{Command, Error, Event, ProjectRules};
use crate::{
    given::given,
    histories,
    issue_key::DENIED_PROJECTS,
    project_key::{Denied, ProjectKey},
};

fn projects(keys: &[&str]) -> BTreeSet<ProjectKey> {
    keys.iter().map(|key| key.parse().expect("a project")).collect()
}

fn entries(keys: &[&str]) -> BTreeSet<Denied> {
    keys.iter().map(|key| key.parse().expect("it can be denied")).collect()
}

fn set(known: &[&str], denied: &[&str]) -> Command {
    Command::Set { known: projects(known), denied: entries(denied) }
}

fn changed(known: &[&str], no_longer_known: &[&str], denied: &[&str], no_longer_denied: &[&str]) -> Event {
    Event::Changed {
        known: projects(known),
        no_longer_known: projects(no_longer_known),
        denied: entries(denied),
        no_longer_denied: entries(no_longer_denied),
    }
}

#[test]
fn at_first_every_project_counts_but_the_names_that_only_look_like_projects() {
    let rules = ProjectRules::default();
    assert!(rules.known.is_empty());
    assert_eq!(rules.denied, entries(DENIED_PROJECTS));
    assert_eq!(rules.denied.len(), DENIED_PROJECTS.len(), "every entry of the list can be denied, and is there once");
    given::<ProjectRules>(&[]).when(set(&[], DENIED_PROJECTS)).then_nothing();
}

#[test]
fn a_change_says_what_is_different() {
    let mut denied = DENIED_PROJECTS.to_vec();
    denied.retain(|project| *project != "UTF");
    denied.push("SHOP-404");
    let first = changed(&["SHOP", "UTF"], &[], &["SHOP-404"], &["UTF"]);
    given::<ProjectRules>(&[]).when(set(&["utf", "shop"], &denied)).then(std::slice::from_ref(&first));
    let given = given::<ProjectRules>(std::slice::from_ref(&first));
    given.when(set(&["SHOP", "UTF"], &denied)).then_nothing();
    given.when(set(&["SHOP"], DENIED_PROJECTS)).then(&[changed(&[], &["UTF"], &["UTF"], &["SHOP-404"])]);
}

#[test]
fn a_project_is_known_or_denied_and_an_issue_of_a_known_project_may_be_denied() {
    given::<ProjectRules>(&[]).when(set(&["SHOP"], &["SHOP"])).then_refused("project_rules_contradict");
    given::<ProjectRules>(&[changed(&["SHOP"], &[], &[], &[])]).when(set(&["SHOP"], &["SHOP-1"])).then(&[
        Event::Changed {
            known: BTreeSet::new(),
            no_longer_known: BTreeSet::new(),
            denied: entries(&["SHOP-1"]),
            no_longer_denied: ProjectRules::brought_along(),
        },
    ]);
}

#[test]
fn there_is_a_bound() {
    let many: Vec<String> = (0..=ProjectRules::MOST).map(|n| format!("P{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    given::<ProjectRules>(&[]).when(set(&many, &[])).then_refused("project_rules_too_many");
    given::<ProjectRules>(&[]).when(set(&[], &many)).then_refused("project_rules_too_many");
    histories::refusals_differ(&[Error::Contradiction, Error::TooMany]);
}

proptest! {
    #[test]
    fn any_history_of_wishes_folds(
        commands in vec(
            (vec(select(vec!["SHOP", "ABC", "UTF"]), 0..3), vec(select(vec!["UTF", "SHA", "ABC-1", "ABC"]), 0..3))
                .prop_map(|(known, denied)| set(&known, &denied)),
            0..20,
        )
    ) {
        histories::fold::<ProjectRules>(commands)?;
    }
}
