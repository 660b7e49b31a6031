//! What a word is, for what is recorded and for what is asked: the same function of both, so that they meet.

use std::collections::BTreeSet;

use keytrail_domain::{display_text::DisplayText, index_run::batch::Places, issue_key::IssueKey};

/// Longer words are cut to so many characters.
const MOST_CHARACTERS: usize = 32;
/// Words of one subject that are kept.
const MOST_WORDS: usize = 32;

/// The words of a text, each once, in their order by bytes: runs of letters and digits of any script, in lower case.
/// One character is no word unless it is beyond ASCII, where it may well be one.
pub fn words_of(text: &str) -> BTreeSet<String> {
    let parts = text.split(|character: char| !character.is_alphanumeric());
    let parts = parts.filter(|part| part.len() > 1);
    parts.map(|part| part.chars().flat_map(char::to_lowercase).take(MOST_CHARACTERS).collect()).collect()
}

/// The words of a subject without those of its own keys: an issue is found by its key anyway.
pub(super) fn words_beside(subject: &DisplayText, keys: &[(IssueKey, Places)]) -> Vec<String> {
    let mut words = words_of(subject.as_str());
    for (key, _) in keys {
        words.remove(&key.project.to_lowercase());
        words.remove(&key.number.to_string());
    }
    words.into_iter().take(MOST_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        words_of(text).into_iter().collect()
    }

    #[test]
    fn words_are_runs_of_letters_and_digits_in_lower_case() {
        assert_eq!(
            words("Fix the LOGIN-page's log-in, fix x 404!"),
            ["404", "fix", "in", "log", "login", "page", "the"]
        );
        assert_eq!(words("Größe ÄNDERN 我 --"), ["größe", "ändern", "我"]);
        assert_eq!(words(&"ab".repeat(40)), ["ab".repeat(16)]);
        assert!(words("- x % _").is_empty());
    }

    #[test]
    fn the_words_of_its_keys_are_left_out() {
        let keys = [(IssueKey { project: "SHOP".into(), number: 12 }, Places::SUBJECT)];
        assert_eq!(words_beside(&DisplayText::clean("SHOP-12: Open 24 hours"), &keys), ["24", "hours", "open"]);
        let long: String = (100..200).map(|number| format!("{number} ")).collect();
        assert_eq!(words_beside(&DisplayText::clean(&long), &keys).len(), MOST_WORDS);
    }
}
