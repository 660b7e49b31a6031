//! Why a wish about the settings of access is refused: nothing is, as they count already.

pub use std::convert::Infallible as Error;
