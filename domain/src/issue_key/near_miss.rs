//! Why a text is no issue key, and why the parser passed over what looks like one. Called when a person asks why a commit
//! is not shown; it decides nothing, and tests compare it with the parser.

use super::{IssueKey, Letters, MAX_DIGITS, MAX_PROJECT, candidate};

/// Why something that looks like a key is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WhyNot {
    /// There is no hyphen.
    NoHyphen,
    /// The project has fewer than two characters.
    ProjectTooShort,
    /// The project is longer than any of Jira.
    ProjectTooLong,
    /// The project begins with a digit or an underscore.
    ProjectBeginning,
    /// The project has other characters than ASCII letters, digits and underscores.
    ProjectCharacters,
    /// After the hyphen comes no digit.
    NumberMissing,
    /// The number begins with 0.
    LeadingZero,
    /// The number has more digits than any of Jira.
    NumberTooLong,
    /// A letter or digit stands before it.
    LetterBefore,
    /// A letter or digit stands after it.
    LetterAfter,
    /// Something else stands after it, where nothing should.
    TextAfter,
    /// In a message a project is written in upper case.
    LowerCase,
    /// It is the end of a longer key.
    LongerProject,
}

impl WhyNot {
    /// The whole list.
    pub const ALL: [Self; 13] = [
        Self::NoHyphen,
        Self::ProjectTooShort,
        Self::ProjectTooLong,
        Self::ProjectBeginning,
        Self::ProjectCharacters,
        Self::NumberMissing,
        Self::LeadingZero,
        Self::NumberTooLong,
        Self::LetterBefore,
        Self::LetterAfter,
        Self::TextAfter,
        Self::LowerCase,
        Self::LongerProject,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoHyphen => "no_hyphen",
            Self::ProjectTooShort => "project_too_short",
            Self::ProjectTooLong => "project_too_long",
            Self::ProjectBeginning => "project_beginning",
            Self::ProjectCharacters => "project_characters",
            Self::NumberMissing => "number_missing",
            Self::LeadingZero => "leading_zero",
            Self::NumberTooLong => "number_too_long",
            Self::LetterBefore => "letter_before",
            Self::LetterAfter => "letter_after",
            Self::TextAfter => "text_after",
            Self::LowerCase => "lower_case",
            Self::LongerProject => "longer_project",
        }
    }

    /// What the rule is.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NoHyphen => "A key has a hyphen between its project and its number.",
            Self::ProjectTooShort => "A project has two characters at least.",
            Self::ProjectTooLong => "A project has 255 characters at most.",
            Self::ProjectBeginning => "A project begins with a letter.",
            Self::ProjectCharacters => "A project has only ASCII letters, digits and underscores.",
            Self::NumberMissing => "After the hyphen comes a number.",
            Self::LeadingZero => "A number does not begin with 0.",
            Self::NumberTooLong => "A number has 18 digits at most.",
            Self::LetterBefore => "A letter or a digit stands directly before it, so it is another word.",
            Self::LetterAfter => "A letter or a digit stands directly after it, so it is another word.",
            Self::TextAfter => "Something stands after the number, and a key is the whole text here.",
            Self::LowerCase => "In a message a project counts in upper case only.",
            Self::LongerProject => "It is the end of a key with a longer project.",
        }
    }
}

/// Why the whole text is no key, whatever its case; `None` when it is one.
pub fn why_not(text: &str) -> Option<WhyNot> {
    let Some((project, rest)) = text.split_once('-') else { return Some(WhyNot::NoHyphen) };
    if !project.bytes().all(|byte| Letters::AnyCase.in_project(byte)) {
        return Some(WhyNot::ProjectCharacters);
    }
    match project.len() {
        0 => return Some(WhyNot::ProjectTooShort),
        _ if !project.starts_with(|first: char| first.is_ascii_alphabetic()) => return Some(WhyNot::ProjectBeginning),
        1 => return Some(WhyNot::ProjectTooShort),
        length if length > MAX_PROJECT => return Some(WhyNot::ProjectTooLong),
        _ => {}
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    match digits {
        0 => return Some(WhyNot::NumberMissing),
        _ if rest.starts_with('0') => return Some(WhyNot::LeadingZero),
        digits if digits > MAX_DIGITS => return Some(WhyNot::NumberTooLong),
        _ => {}
    }
    match rest[digits..].chars().next() {
        None => None,
        Some(after) if after.is_alphanumeric() => Some(WhyNot::LetterAfter),
        Some(_) => Some(WhyNot::TextAfter),
    }
}

/// Every place of `text` that looks like `key` and that the parser does not take for it, with the reason. For texts in
/// which the parser does not find the key; where it does, that place may be among them.
pub fn near_misses(text: &str, key: &IssueKey, letters: Letters) -> Vec<(usize, WhyNot)> {
    let number = key.number.to_string();
    let mut found = Vec::new();
    for (hyphen, _) in text.match_indices('-') {
        let Some(start) = hyphen.checked_sub(key.project.len()).filter(|start| text.is_char_boundary(*start)) else {
            continue;
        };
        let written = &text[start..hyphen];
        if !written.eq_ignore_ascii_case(&key.project) {
            continue;
        }
        let after = &text[hyphen + 1..];
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if after[..digits].trim_start_matches('0') != number {
            continue;
        }
        let neighbour = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
        let why = if neighbour(text[..start].chars().next_back()) {
            WhyNot::LetterBefore
        } else if letters == Letters::Upper && *written != *key.project {
            WhyNot::LowerCase
        } else if after.starts_with('0') {
            WhyNot::LeadingZero
        } else if neighbour(after[digits..].chars().next()) {
            WhyNot::LetterAfter
        } else {
            WhyNot::LongerProject
        };
        found.push((start, why));
    }
    found
}

/// Whether `key` stands anywhere in `text` by the grammar, however long the text is and however many keys come before.
pub fn stands_in(text: &str, key: &IssueKey, letters: Letters) -> bool {
    text.match_indices('-').any(|(hyphen, _)| {
        candidate(text, text.len(), hyphen, letters).is_some_and(|(start, number)| {
            number == key.number && text[start..hyphen].eq_ignore_ascii_case(&key.project)
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::issue_key::scan;

    fn key(text: &str) -> IssueKey {
        text.parse().expect("a key")
    }

    #[test]
    fn every_reason_has_a_word_and_a_sentence_of_its_own() {
        let words: HashSet<_> = WhyNot::ALL.iter().map(|why| why.as_str()).collect();
        let sentences: HashSet<_> = WhyNot::ALL.iter().map(|why| why.sentence()).collect();
        assert_eq!((words.len(), sentences.len()), (WhyNot::ALL.len(), WhyNot::ALL.len()));
    }

    #[test]
    fn a_text_that_is_no_key_is_told_why() {
        let long = "A".repeat(256) + "-1";
        for (text, why) in [
            ("SHOP", WhyNot::NoHyphen),
            ("-1", WhyNot::ProjectTooShort),
            ("A-1", WhyNot::ProjectTooShort),
            (long.as_str(), WhyNot::ProjectTooLong),
            ("1A-1", WhyNot::ProjectBeginning),
            ("_A-1", WhyNot::ProjectBeginning),
            ("ÄB-1", WhyNot::ProjectCharacters),
            ("SHOP-", WhyNot::NumberMissing),
            ("SHOP-x", WhyNot::NumberMissing),
            ("SHOP-007", WhyNot::LeadingZero),
            ("SHOP-0", WhyNot::LeadingZero),
            ("SHOP-1234567890123456789", WhyNot::NumberTooLong),
            ("SHOP-1x", WhyNot::LetterAfter),
            ("SHOP-1 ", WhyNot::TextAfter),
            ("SHOP-1-2", WhyNot::TextAfter),
        ] {
            assert_eq!(why_not(text), Some(why), "{text}");
        }
        assert_eq!(why_not("shop-12"), None);
    }

    #[test]
    fn what_looks_like_the_key_is_told_why_it_is_none() {
        for (text, at, why) in [
            ("fix xSHOP-1", 5, WhyNot::LetterBefore),
            ("修复SHOP-1问题", 6, WhyNot::LetterBefore),
            ("fix shop-1", 4, WhyNot::LowerCase),
            ("fix SHOP-001", 4, WhyNot::LeadingZero),
            ("fix SHOP-1b", 4, WhyNot::LetterAfter),
            ("fix MY_SHOP-1", 7, WhyNot::LongerProject),
        ] {
            assert_eq!(near_misses(text, &key("SHOP-1"), Letters::Upper), [(at, why)], "{text}");
        }
        // What another key hides is none either.
        assert!(!stands_in("SHOP-10SHOP-10SHOP-1__SHOP-1é", &key("SHOP-1"), Letters::Upper));
        for text in ["", "SHOP-12", "SHOP-", "SHOP", "OP-1", "é-1"] {
            assert_eq!(near_misses(text, &key("SHOP-1"), Letters::Upper), [], "{text}");
        }
    }

    #[test]
    fn what_stands_behind_the_bounds_of_a_scan_is_found_when_it_is_asked_for() {
        let far = format!("{} SHOP-1 {}", "x-1 ".repeat(40_000), "y".repeat(100));
        assert!(!scan(&far, Letters::Upper).keys.iter().any(|(found, _)| *found == key("SHOP-1")));
        assert!(stands_in(&far, &key("SHOP-1"), Letters::Upper));
        assert!(!stands_in(&far, &key("SHOP-2"), Letters::Upper));
    }

    proptest! {
        #[test]
        fn a_key_stands_in_a_short_text_when_a_scan_finds_it(text in "([A-Za-z0-9é _-]|SHOP-1){0,12}", any_case in any::<bool>()) {
            let letters = if any_case { Letters::AnyCase } else { Letters::Upper };
            let found = scan(&text, letters).keys.iter().any(|(found, _)| *found == key("SHOP-1"));
            prop_assert_eq!(stands_in(&text, &key("SHOP-1"), letters), found);
        }

        #[test]
        fn a_reason_is_given_when_and_only_when_the_text_is_no_key(text in "[A-Za-z0-9_é -]{0,12}|[A-Z]{0,3}-[0-9]{0,20}[a-z]?") {
            prop_assert_eq!(why_not(&text).is_none(), text.parse::<IssueKey>().is_ok());
        }

        #[test]
        fn what_stands_there_and_is_not_found_has_a_reason(
            before in "[A-Za-z0-9_é -]{0,4}",
            zeros in "0{0,2}",
            after in "([^0-9][A-Za-z0-9é -]{0,3})?",
            lower in any::<bool>(),
            any_case in any::<bool>(),
        ) {
            let letters = if any_case { Letters::AnyCase } else { Letters::Upper };
            let project = if lower { "shop" } else { "SHOP" };
            let text = format!("{before}{project}-{zeros}1{after}");
            let found = scan(&text, letters).keys.iter().any(|(found, _)| *found == key("SHOP-1"));
            let missed = near_misses(&text, &key("SHOP-1"), letters);
            prop_assert!(found || !missed.is_empty(), "{}", text);
        }
    }
}
