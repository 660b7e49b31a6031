//! What a bench is told: `--name value`, each with a small default. What cargo adds (`--bench`) is passed over.

use std::str::FromStr;

/// The words after the program's name.
pub(crate) struct Flags(Vec<String>);

impl Flags {
    /// Of this process.
    pub(crate) fn read() -> Self {
        Self(std::env::args().skip(1).filter(|word| word != "--bench").collect())
    }

    /// The value of `--name`.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.iter().position(|word| word.strip_prefix("--") == Some(name))?;
        self.0.get(at + 1).map(String::as_str)
    }

    /// The value of `--name`, or what it is when it is not said.
    pub(crate) fn or<T: FromStr>(&self, name: &str, default: T) -> T {
        match self.get(name).map(str::parse) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(_)) => panic!("--{name} cannot be read"),
        }
    }
}
