//! What of the comment of a key is kept. Programs write a person's e-mail address there, and the log is for ever: addresses
//! are left out before an event is made.

use crate::display_text::DisplayText;

/// What stands for an address.
const LEFT_OUT: &str = "…";

/// The comment, clean, and without what looks like an e-mail address: a word with an `@` and a dot behind it. `ann@laptop`,
/// which `ssh-keygen` writes by itself, names an account of a machine and stays.
pub fn shown_comment(comment: &str) -> DisplayText {
    let words = comment.split_whitespace().map(|word| if is_address(word) { LEFT_OUT } else { word });
    DisplayText::clean(&words.collect::<Vec<_>>().join(" "))
}

fn is_address(word: &str) -> bool {
    word.split_once('@').is_some_and(|(local, host)| !local.is_empty() && host.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_person_is_left_out_of_a_comment() {
        for (comment, shown) in [
            ("ann@example.com", "…"),
            ("deploy key <ann@example.com> 2026", "deploy key … 2026"),
            ("ann@laptop", "ann@laptop"),
            ("keytrail", "keytrail"),
            ("@a.b", "@a.b"),
            ("", ""),
        ] {
            assert_eq!(shown_comment(comment).as_str(), shown, "{comment}");
        }
    }
}
