//! Which words of a changed line are others. Called for each hunk: the first removed line of a block is held against the
//! first added one, and so on, by the same diff as whole lines. Bounded: what is too much is not marked.

use super::lines::{Line, LineKind, tokens};
use crate::git::GitError;

/// A longer line is not compared word by word.
const MOST_BYTES: usize = 1_000;

/// How many pairs of lines are compared in one answer.
pub(super) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(2_000)
    }
}

/// Marks the changed parts of lines that stand for each other.
pub(super) fn mark(lines: &mut [Line], budget: &mut Budget) -> Result<(), GitError> {
    let mut at = 0;
    while at < lines.len() {
        let run = |from: usize, kind| lines[from..].iter().take_while(|line| line.kind == kind).count();
        let removed = run(at, LineKind::Removed);
        let added = run(at + removed, LineKind::Added);
        for pair in 0..removed.min(added) {
            let (old, new) = (at + pair, at + removed + pair);
            if budget.0 == 0 {
                return Ok(());
            }
            budget.0 -= 1;
            let (before, after) = differing(&lines[old].text, &lines[new].text)?;
            (lines[old].changed, lines[new].changed) = (before, after);
        }
        at += (removed + added).max(1);
    }
    Ok(())
}

type Parts = Vec<(u32, u32)>;

/// The parts of each that are not in the other; none when too little is the same to be worth showing.
fn differing(old: &str, new: &str) -> Result<(Parts, Parts), GitError> {
    if old.len() > MOST_BYTES || new.len() > MOST_BYTES {
        return Ok(Default::default());
    }
    let (one, other) = (words(old), words(new));
    let (removed, added) = tokens(&one, &other)?;
    let visible = |tokens: &[&str]| tokens.iter().map(|token| token.trim().len()).sum::<usize>();
    let of = |tokens: &[&str], places: &[usize]| places.iter().map(|place| tokens[*place].trim().len()).sum::<usize>();
    let same = visible(&one) - of(&one, &removed);
    if same * 3 < visible(&one).max(visible(&other)) {
        return Ok(Default::default());
    }
    Ok((parts(&one, &removed), parts(&other, &added)))
}

/// Letters and digits together, blanks together, everything else for itself.
fn words(text: &str) -> Vec<&str> {
    let class = |character: char| match character {
        letter if letter.is_alphanumeric() || letter == '_' => 1,
        blank if blank.is_whitespace() => 2,
        _ => 0,
    };
    let mut found = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (at, character) in text.char_indices() {
        let class = class(character);
        if last.is_some_and(|last| last != class || class == 0) {
            found.push(&text[start..at]);
            start = at;
        }
        last = Some(class);
    }
    if start < text.len() {
        found.push(&text[start..]);
    }
    found
}

/// Places of tokens as ranges of characters; neighbours become one.
fn parts(tokens: &[&str], places: &[usize]) -> Parts {
    let mut found: Parts = Vec::new();
    let (mut at, mut places) = (0, places.iter().copied().peekable());
    for (place, token) in tokens.iter().enumerate() {
        let end = at + token.chars().count() as u32;
        if places.next_if_eq(&place).is_some() {
            match found.last_mut() {
                Some(last) if last.1 == at => last.1 = end,
                _ => found.push((at, end)),
            }
        }
        at = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changed_words_of_a_line_are_marked() {
        let (old, new) = differing("let größe = f(a, b);", "let größe = f(a, cd);").expect("two lines");
        assert_eq!((old, new), (vec![(17, 18)], vec![(17, 19)]));
        let (old, new) = differing("one two three four", "one three four five").expect("two lines");
        assert_eq!((old, new), (vec![(4, 8)], vec![(14, 19)]));
    }

    #[test]
    fn lines_with_little_in_common_are_not_marked() {
        let nothing = (Vec::new(), Vec::new());
        assert_eq!(differing("alpha beta gamma", "x = 1;").expect("two lines"), nothing);
        assert_eq!(differing("", "x").expect("two lines"), nothing);
        assert_eq!(differing(&"a ".repeat(600), &"a b".repeat(400)).expect("two lines"), nothing);
    }
}
