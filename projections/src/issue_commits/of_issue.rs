//! A question about an issue, in the two ways that it is asked. Who reads asks the plain way first: most issues have no
//! decisions, and pay next to nothing for those that have.

use crate::view::Read;

/// The same question twice.
pub struct OfIssue<T> {
    /// Answers nothing when persons decided something about the issue's commits, and nothing when the rules leave it out.
    pub plain: Read<T>,
    /// Asked when the other answered nothing: what the index found, with what persons decided.
    pub decided: Read<T>,
}
