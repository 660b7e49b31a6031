//! Why a wish about a pull request is refused: nothing is.

use std::fmt;

use crate::aggregate::Refusal;

/// There is none: what is old or known leads to nothing.
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
