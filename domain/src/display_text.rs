//! Text from outside, made fit to be stored, compared and shown.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// Valid UTF-8 without control characters, at most [`DisplayText::MAX_BYTES`] long, without blanks at its ends.
///
/// Reading one from the log trusts it: it was cleaned when it came in, and facts are not rewritten.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct DisplayText(String);

impl DisplayText {
    /// The bound in bytes. Index entries of both engines take it with room to spare.
    pub const MAX_BYTES: usize = 512;

    /// Cleans `text`: control characters (NUL, escape, line ends) become blanks, runs of blanks one blank; what is
    /// too long is cut at a character and ends in `…`. Marks of writing direction are kept, since names use them,
    /// but only 8 of them: more can only be there to mislead.
    pub fn clean(text: &str) -> Self {
        const ELLIPSIS: char = '…';
        let mut out = String::with_capacity(text.len().min(Self::MAX_BYTES));
        let mut marks = 0;
        let mut blank = true;
        for character in text.chars() {
            let character = if character.is_control() || character.is_whitespace() { ' ' } else { character };
            if character == ' ' && blank || is_direction_mark(character) && marks == 8 {
                continue;
            }
            if out.len() + character.len_utf8() > Self::MAX_BYTES {
                while out.len() + ELLIPSIS.len_utf8() > Self::MAX_BYTES {
                    out.pop();
                }
                out.push(ELLIPSIS);
                return Self(out);
            }
            marks += usize::from(is_direction_mark(character));
            blank = character == ' ';
            out.push(character);
        }
        out.truncate(out.trim_end().len());
        Self(out)
    }

    /// Cleans bytes that should be UTF-8 and may not be.
    pub fn clean_bytes(bytes: &[u8]) -> Self {
        // Enough to fill the bound even when each kept character follows a run of dropped ones of moderate length.
        const LOOK_AT: usize = 64 * 1024;
        Self::clean(&String::from_utf8_lossy(&bytes[..bytes.len().min(LOOK_AT)]))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Characters that change the direction of what follows (Unicode bidirectional controls).
const fn is_direction_mark(character: char) -> bool {
    matches!(character, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for DisplayText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<DisplayText> for String {
    fn from(text: DisplayText) -> Self {
        text.0
    }
}

impl<'de> Deserialize<'de> for DisplayText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_become_blanks() {
        assert_eq!(DisplayText::clean(" a\0b\n\tc\u{1b}[31m ").as_str(), "a b c [31m");
    }

    #[test]
    fn sixty_four_kib_of_direction_marks_leave_eight() {
        let marks = "\u{202e}".repeat(64 * 1024 / 3);
        assert_eq!(DisplayText::clean(&format!("{marks}KEY-1")).as_str(), format!("{}KEY-1", "\u{202e}".repeat(8)));
    }

    #[test]
    fn what_is_not_utf8_is_replaced() {
        assert_eq!(DisplayText::clean_bytes(b"caf\xe9 ok").as_str(), "caf\u{fffd} ok");
    }

    proptest! {
        #[test]
        fn cleaning_bounds_and_settles(text in "\\PC*|[\\x00-\\x7f]{0,900}|\\u{1F600}{0,400}") {
            let once = DisplayText::clean(&text);
            prop_assert!(once.as_str().len() <= DisplayText::MAX_BYTES);
            prop_assert!(!once.as_str().chars().any(char::is_control));
            prop_assert_eq!(DisplayText::clean(once.as_str()), once);
        }
    }
}
