//! A value that must not be seen: it cannot be printed, written out or copied by accident.

use serde::{Deserialize, Deserializer};
use zeroize::Zeroize;

/// Holds a secret. It has no `Debug`, no `Display`, no `Serialize` and no `Clone`; its memory is cleared when it goes.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value in. Copies that the caller made are the caller's to clear.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Shows the value. Every place that looks at a secret says so with this word.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

/// Secrets come in with requests and configuration; they never go out.
impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}
