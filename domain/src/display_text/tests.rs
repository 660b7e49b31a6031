//! What cleaning keeps and what it does not.

use proptest::prelude::*;

use super::DisplayText;

fn clean(text: &str) -> String {
    DisplayText::clean(text).into()
}

#[test]
fn control_characters_become_blanks() {
    assert_eq!(clean(" a\0b\n\tc\u{1b}[31m "), "a b c [31m");
    assert_eq!(clean("line\u{2028}separator\u{85}next\u{a0}hard"), "line separator next hard");
    assert!(DisplayText::clean("\0\n \u{3000}").is_empty());
}

#[test]
fn sixty_four_kib_of_direction_marks_leave_eight() {
    let marks = "\u{202e}".repeat(64 * 1024 / 3);
    assert_eq!(clean(&format!("{marks}KEY-1")), format!("{}KEY-1", "\u{202e}".repeat(8)));
}

#[test]
fn what_is_not_utf8_is_replaced() {
    assert_eq!(DisplayText::clean_bytes(b"caf\xe9 ok").as_str(), "caf\u{fffd} ok");
    assert_eq!(DisplayText::clean_bytes(&[b'\xff'; 100_000]).as_str().len(), DisplayText::MAX_BYTES - 2);
}

#[test]
fn what_fits_without_its_outer_blanks_is_whole() {
    let full = "a".repeat(DisplayText::MAX_BYTES);
    assert_eq!(clean(&format!(" {full}\n\n")), full);
    assert_eq!(clean(&format!("{full}b")), format!("{}…", "a".repeat(DisplayText::MAX_BYTES - 3)));
}

#[test]
fn a_cut_never_halves_a_character() {
    for shift in 0..4 {
        let text = clean(&format!("{}{}", "a".repeat(shift), "😀".repeat(200)));
        assert!(text.ends_with("😀…"), "{text}");
        assert!(text.len() > DisplayText::MAX_BYTES - 4);
    }
}

#[test]
fn a_text_from_the_log_is_not_cleaned_again() {
    // An earlier build may have let through what today's would not.
    let text: DisplayText = serde_json::from_str(r#""two  blanks\n""#).expect("a text");
    assert_eq!(text.as_str(), "two  blanks\n");
    assert_eq!(serde_json::to_string(&text).expect("JSON"), r#""two  blanks\n""#);
}

proptest! {
    #[test]
    fn cleaning_bounds_and_settles(
        text in "\\PC*|[\\x00-\\x7f]{0,900}|\\u{1F600}{0,400}|[a \\u{202e}\\u{2066}é…]{0,700}"
    ) {
        let once = DisplayText::clean(&text);
        prop_assert!(once.as_str().len() <= DisplayText::MAX_BYTES);
        prop_assert!(!once.as_str().chars().any(char::is_control));
        prop_assert_eq!(once.as_str().trim(), once.as_str());
        prop_assert!(!once.as_str().contains("  "));
        prop_assert_eq!(DisplayText::clean(once.as_str()), once);
    }

    #[test]
    fn a_ref_name_as_people_make_them_is_kept(name in "refs/(heads|tags)/[!-~é漢]{1,160}") {
        prop_assert_eq!(clean(&name), name);
    }

    #[test]
    fn bytes_and_text_are_cleaned_alike(text in "\\PC{0,300}") {
        prop_assert_eq!(DisplayText::clean_bytes(text.as_bytes()), DisplayText::clean(&text));
    }
}
