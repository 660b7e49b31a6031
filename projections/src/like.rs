//! Parts of texts, for LIKE: the same on both engines, where the texts are bytewise and `LOWER` knows ASCII only.

/// What a text that has `fragment` in it looks like: for `LOWER(text) LIKE pattern ESCAPE '!'`. The case of ASCII letters
/// does not count, that of others does.
pub fn containing(fragment: &str) -> String {
    let mut pattern = String::from("%");
    for character in fragment.chars() {
        if matches!(character, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(character.to_ascii_lowercase());
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_stands_for_itself() {
        assert_eq!(containing("100%_Sure! Ä"), "%100!%!_sure!! Ä%");
    }
}
