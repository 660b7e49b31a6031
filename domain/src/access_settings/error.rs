//! Why a wish about the settings of access is refused: nothing is, as they count already.

use std::fmt;

use crate::aggregate::Refusal;

/// There is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {}

impl fmt::Display for Error {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for Error {}

impl Refusal for Error {
    fn code(&self) -> &'static str {
        match *self {}
    }
}
