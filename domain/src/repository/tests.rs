//! Given, when, then.

use proptest::{collection::vec, prelude::*};
use uuid::Uuid;

use super::{Command, Error, Event, Repository};
use crate::{
    display_text::DisplayText,
    given::given,
    histories,
    id::{IntegrationId, RepositoryId},
    index_run::FailureCode,
    service::Connection,
};

const INTEGRATION: IntegrationId = IntegrationId(Uuid::from_u128(1));

fn discover(name: &str) -> Command {
    Command::Discover { integration: INTEGRATION, name: DisplayText::clean(name), location: location() }
}

fn discovered(name: &str) -> Event {
    Event::Discovered { integration: INTEGRATION, name: DisplayText::clean(name), location: location() }
}

fn location() -> Connection {
    Connection::path("/git/kafka")
}

#[test]
fn an_integration_sees_a_repository_for_the_first_time() {
    given::<Repository>(&[]).when(discover("kafka")).then(&[discovered("kafka")]);
}

#[test]
fn seeing_it_again_is_no_second_fact() {
    given::<Repository>(&[discovered("kafka")]).when(discover("kafka")).then_nothing();
}

#[test]
fn a_repository_that_is_called_something_else_is_the_same_one() {
    let moved = Event::Moved { name: DisplayText::clean("other"), location: location() };
    given::<Repository>(&[discovered("kafka")]).when(discover("other")).then(std::slice::from_ref(&moved));
    given::<Repository>(&[discovered("kafka"), moved]).when(discover("other")).then_nothing();
}

#[test]
fn a_forgotten_repository_can_be_discovered_again() {
    let forgotten = [discovered("kafka"), Event::Forgotten {}];
    given::<Repository>(&forgotten).when(discover("other")).then(&[discovered("other")]);
}

#[test]
fn a_repository_is_forgotten_once() {
    given::<Repository>(&[discovered("kafka")]).when(Command::Forget).then(&[Event::Forgotten {}]);
    given::<Repository>(&[discovered("kafka"), Event::Forgotten {}]).when(Command::Forget).then_nothing();
}

fn refuse(code: FailureCode) -> Command {
    let text = DisplayText::clean("no");
    Command::Refuse { integration: INTEGRATION, name: DisplayText::clean("kafka"), location: location(), code, text }
}

fn refused(code: FailureCode) -> Event {
    let text = DisplayText::clean("no");
    Event::Refused { integration: INTEGRATION, name: DisplayText::clean("kafka"), location: location(), code, text }
}

#[test]
fn what_is_refused_says_why_until_it_is_good() {
    use FailureCode::{Denied, Shallow};
    given::<Repository>(&[]).when(refuse(Denied)).then(&[refused(Denied)]);
    given::<Repository>(&[refused(Denied)]).when(refuse(Denied)).then_nothing();
    given::<Repository>(&[refused(Denied)]).when(refuse(Shallow)).then(&[refused(Shallow)]);
    given::<Repository>(&[refused(Denied)]).when(discover("kafka")).then(&[discovered("kafka")]);
    given::<Repository>(&[refused(Denied)]).when(Command::Forget).then(&[Event::Forgotten {}]);
    given::<Repository>(&[refused(Denied)]).when(Command::ReportReachable).then_nothing();
    given::<Repository>(&[discovered("kafka")]).when(refuse(Denied)).then_nothing();
    given::<Repository>(&[discovered("kafka"), Event::Forgotten {}]).when(refuse(Denied)).then(&[refused(Denied)]);
}

#[test]
fn trouble_is_said_once_and_again_when_it_is_another_or_was_over() {
    let text = || DisplayText::clean("it does not answer");
    let failed = |code| Command::ReportUnreachable { code, text: text() };
    let unreachable = |code| Event::Unreachable { code, text: text() };
    let known = [discovered("kafka")];
    given::<Repository>(&known).when(Command::ReportReachable).then_nothing();
    given::<Repository>(&known).when(failed(FailureCode::Denied)).then(&[unreachable(FailureCode::Denied)]);
    let in_trouble = [discovered("kafka"), unreachable(FailureCode::Denied)];
    given::<Repository>(&in_trouble).when(failed(FailureCode::Denied)).then_nothing();
    given::<Repository>(&in_trouble)
        .when(failed(FailureCode::TooManyRefs))
        .then(&[unreachable(FailureCode::TooManyRefs)]);
    given::<Repository>(&in_trouble).when(Command::ReportReachable).then(&[Event::Reachable {}]);
    let forgotten = [discovered("kafka"), Event::Forgotten {}];
    given::<Repository>(&forgotten).when(failed(FailureCode::Denied)).then_nothing();
    given::<Repository>(&forgotten).when(Command::ReportReachable).then_nothing();
    given::<Repository>(&[]).when(Command::ReportReachable).then_refused("repository_unknown");
}

#[test]
fn what_was_never_seen_cannot_be_forgotten() {
    given::<Repository>(&[]).when(Command::Forget).then_refused("repository_unknown");
    histories::refusals_differ(&[Error::Unknown]);
}

#[test]
fn the_id_of_a_repository_is_that_of_its_place_in_its_integration() {
    let key = location().natural_key();
    let other = IntegrationId(Uuid::from_u128(2));
    assert_eq!(RepositoryId::of(INTEGRATION, &key), RepositoryId::of(INTEGRATION, &key));
    assert_ne!(RepositoryId::of(INTEGRATION, &key), RepositoryId::of(other, &key));
    // Ids stand in the log: how they are made never changes.
    assert_eq!(RepositoryId::of(INTEGRATION, "path:/git/kafka").to_string(), "d0697a9d-ff82-5cef-9014-3666b0e9031a");
}

proptest! {
    #[test]
    fn any_history_of_wishes_folds(
        commands in vec(
            prop_oneof![
                Just(discover("a")),
                Just(discover("b")),
                Just(Command::Forget),
                Just(refuse(FailureCode::Denied)),
                Just(refuse(FailureCode::Shallow)),
                Just(Command::ReportReachable),
                Just(Command::ReportUnreachable { code: FailureCode::Denied, text: DisplayText::clean("no") }),
                Just(Command::ReportUnreachable { code: FailureCode::Internal, text: DisplayText::clean("no") }),
            ],
            0..40
        )
    ) {
        histories::fold::<Repository>(commands)?;
    }
}
