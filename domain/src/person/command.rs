//! What can be wished of a person.

/// In the API: ForgetPerson.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Name and address go, and no later run brings them back.
    Forget,
}
