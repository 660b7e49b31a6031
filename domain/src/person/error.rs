//! Why a wish about a person is refused: nothing is. Who was forgotten may be forgotten again.

pub use std::convert::Infallible as Error;
