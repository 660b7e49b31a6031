//! Given, when, then.

use proptest::{collection::vec, prelude::*};

use super::{Command, Event, Person};
use crate::{given::given, histories};

#[test]
fn a_person_is_forgotten_once() {
    given::<Person>(&[]).when(Command::Forget).then(&[Event::Forgotten {}]);
    given::<Person>(&[Event::Forgotten {}]).when(Command::Forget).then_nothing();
}

proptest! {
    #[test]
    fn wishes_in_any_number_hold_what_every_aggregate_promises(commands in vec(Just(Command::Forget), 0..6)) {
        histories::fold::<Person>(commands)?;
    }
}
