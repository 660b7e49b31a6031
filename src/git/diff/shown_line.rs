//! A line of a file, fit to be shown. Called for every line of a hunk; what it gives is valid UTF-8 of bounded length,
//! in which no control character is left but tabs.

/// Bytes of a line that are shown.
const MOST_BYTES: usize = 4 * 1024;

/// Bytes that are no UTF-8 become `�`; control characters become their pictures (`␍` for a carriage return, `␛` for an
/// escape), so that a change of one is seen and none takes effect; marks of writing direction become `�`, since they
/// can make a line look like another. Whether the line was cut.
pub(super) fn clean(line: &[u8]) -> (String, bool) {
    let cut = line.len() > MOST_BYTES;
    let mut end = line.len().min(MOST_BYTES);
    // Not in the middle of a character, which would look like a broken one.
    while cut && end > MOST_BYTES - 4 && line[end] & 0b1100_0000 == 0b1000_0000 {
        end -= 1;
    }
    let picture = |character: char| match character {
        '\t' => '\t',
        '\0'..='\u{1f}' => char::from_u32(0x2400 + character as u32).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        other => other,
    };
    (String::from_utf8_lossy(&line[..end]).chars().map(picture).collect(), cut)
}

/// A path, fit to be shown on one line: as a line of a file, and without tabs. Different paths may look the same.
pub fn shown_path(path: &[u8]) -> String {
    clean(path).0.replace('\t', "␉")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_pictures_and_tabs_stay() {
        assert_eq!(clean(b"a\tb\r\x1b[31m\0\x7f"), ("a\tb␍␛[31m␀␡".to_owned(), false));
        assert_eq!(clean("x\u{202e}y\u{85}".as_bytes()).0, "x\u{fffd}y\u{fffd}");
        assert_eq!(clean(b"caf\xe9").0, "caf\u{fffd}");
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let line = format!("{}ä and more", "x".repeat(MOST_BYTES - 1));
        assert_eq!(clean(line.as_bytes()), ("x".repeat(MOST_BYTES - 1), true));
        assert_eq!(clean("x".repeat(MOST_BYTES).as_bytes()), ("x".repeat(MOST_BYTES), false));
    }
}
