//! Collects where a rule is broken, and says so with the rule's own sentence. Used by every test here.

use std::fmt::Display;

/// A rule and the places that break it.
pub(crate) struct Rule {
    sentence: &'static str,
    broken: Vec<String>,
}

impl Rule {
    /// A rule, in one sentence.
    pub(crate) const fn new(sentence: &'static str) -> Self {
        Self { sentence, broken: Vec::new() }
    }

    /// It is broken in this file.
    pub(crate) fn broken_in(&mut self, path: &str, what: impl Display) {
        self.broken.push(format!("{path}: {what}"));
    }

    /// It is broken at this line.
    pub(crate) fn broken_at(&mut self, path: &str, line: usize, what: impl Display) {
        self.broken.push(format!("{path}:{line}: {what}"));
    }

    /// Fails when it was broken anywhere.
    pub(crate) fn hold(self) {
        assert!(self.broken.is_empty(), "{}\n  {}\n", self.sentence, self.broken.join("\n  "));
    }
}
