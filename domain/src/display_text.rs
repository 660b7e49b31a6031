//! Text from outside, made fit to be stored, compared and shown.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

#[cfg(test)]
mod tests;

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
        // A blank is written only when something follows it, so that blanks at the end cost no room.
        let mut blank = false;
        for character in text.chars() {
            if character.is_control() || character.is_whitespace() {
                blank = !out.is_empty();
                continue;
            }
            if is_direction_mark(character) {
                if marks == 8 {
                    continue;
                }
                marks += 1;
            }
            if out.len() + usize::from(blank) + character.len_utf8() > Self::MAX_BYTES {
                while out.len() + ELLIPSIS.len_utf8() > Self::MAX_BYTES {
                    out.pop();
                }
                out.push(ELLIPSIS);
                return Self(out);
            }
            if std::mem::take(&mut blank) {
                out.push(' ');
            }
            out.push(character);
        }
        Self(out)
    }

    /// A text from the log, where it was clean when it was written. Never cleaned again: facts are not rewritten.
    pub(crate) const fn stored(text: String) -> Self {
        Self(text)
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
        String::deserialize(deserializer).map(Self::stored)
    }
}
