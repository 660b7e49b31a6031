//! Random ids and random bytes. Nothing else makes any.

use keytrail_domain::{id::EventId, recorded::Position};
use uuid::Uuid;

/// A new id. Its beginning is the time, so that ids of one table stay close together.
#[expect(clippy::disallowed_methods, reason = "this is the place that makes random ids")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// The id of the `nth` event that a policy causes because of the event at `cause`: the same whenever it is done again.
pub fn derived_id(part: &str, cause: Position, nth: usize) -> Uuid {
    const SPACE: Uuid = Uuid::from_u128(0x6b65_7974_7261_696c_8000_0000_0000_0001);
    Uuid::new_v5(&SPACE, format!("{part}/{cause}/{nth}").as_bytes())
}

/// A new event id.
pub fn new_event_id() -> EventId {
    EventId(new_id())
}

/// `N` random bytes from the operating system.
///
/// # Panics
/// When the operating system has no randomness to give: nothing that needs a secret may go on then.
#[expect(clippy::disallowed_methods, reason = "this is the place that takes random bytes")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes once it has booted");
    bytes
}
