//! What a person types for a commit: its name, or the beginning of it.

use std::str::FromStr;

use super::CommitSha;

/// All commits whose names begin with these digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommitName {
    /// The first of them.
    pub low: CommitSha,
    /// The last of them; the same when all digits were given.
    pub high: CommitSha,
}

impl CommitName {
    /// The fewest digits: with fewer, half of all commits of a large repository would share them.
    pub const FEWEST_DIGITS: usize = 7;

    /// The commit, when all of its digits were given.
    pub fn whole(&self) -> Option<CommitSha> {
        (self.low == self.high).then_some(self.low)
    }

    /// Whether it may be the one that is meant.
    pub fn fits(&self, sha: &CommitSha) -> bool {
        (self.low..=self.high).contains(sha)
    }
}

impl From<CommitSha> for CommitName {
    fn from(sha: CommitSha) -> Self {
        Self { low: sha, high: sha }
    }
}

/// The text is not 7 to 40 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a commit is named by its 40 hexadecimal digits, or by the first {} or more of them",
    CommitName::FEWEST_DIGITS
)]
pub struct NotACommitName;

impl FromStr for CommitName {
    type Err = NotACommitName;

    fn from_str(text: &str) -> Result<Self, NotACommitName> {
        if !(Self::FEWEST_DIGITS..=40).contains(&text.len()) || !text.is_ascii() {
            return Err(NotACommitName);
        }
        let filled =
            |digit: &str| format!("{text}{}", digit.repeat(40 - text.len())).parse().map_err(|_| NotACommitName);
        Ok(Self { low: filled("0")?, high: filled("f")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_name_stands_for_all_that_begin_so() {
        let name: CommitName = "ABCDEF1".parse().expect("seven digits");
        assert_eq!(name.low.to_string(), format!("abcdef1{}", "0".repeat(33)));
        assert_eq!(name.high.to_string(), format!("abcdef1{}", "f".repeat(33)));
        assert_eq!(name.whole(), None);
        assert!(name.fits(&name.low) && name.fits(&name.high) && !name.fits(&CommitSha::default()));
    }

    #[test]
    fn all_digits_stand_for_one() {
        let sha = CommitSha([0xa5; 20]);
        let name: CommitName = sha.to_string().parse().expect("forty digits");
        assert_eq!((name.whole(), name), (Some(sha), CommitName::from(sha)));
    }

    #[test]
    fn what_is_too_short_too_long_or_no_number_is_refused() {
        for text in ["", "abcdef", "main", "abcdefg", "éabcdef", &"a".repeat(41), "abcdef1 "] {
            assert_eq!(text.parse::<CommitName>(), Err(NotACommitName), "{text}");
        }
    }
}
