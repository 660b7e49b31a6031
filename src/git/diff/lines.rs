//! The lines that differ between two texts, by libgit2's diff over memory: it is given no repository, and so knows no
//! configuration or attributes. Called for each shown file; within the bounds of one answer.

use git2::{DiffOptions, Patch};

use super::{DiffBounds, shown_line, words};
use crate::git::GitError;

/// Lines around a change.
const CONTEXT: u32 = 3;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// In both.
    Context,
    /// Only after.
    Added,
    /// Only before.
    Removed,
}

/// A line of a hunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub kind: LineKind,
    /// Its number before, from 1 on; `None` of one that is new.
    pub old: Option<u32>,
    /// Its number after; `None` of one that is gone.
    pub new: Option<u32>,
    /// Without the end of line; see [`shown_line`] for what is not shown as it is.
    pub text: String,
    /// The line is longer than `text`.
    pub cut: bool,
    /// It is the last, and has no end of line.
    pub no_newline: bool,
    /// Parts of `text` that differ from the line that stands for it on the other side: from a character to before
    /// another, counted from 0. Empty when there is no such line, or little is the same.
    pub changed: Vec<(u32, u32)>,
}

/// A changed place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// The first line before; 0 when there is none.
    pub old_start: u32,
    /// Lines before.
    pub old_lines: u32,
    /// The first line after; 0 when there is none.
    pub new_start: u32,
    /// Lines after.
    pub new_lines: u32,
    /// The lines.
    pub lines: Vec<Line>,
}

/// What is left of an answer's bounds.
pub(super) struct Budget {
    bytes: usize,
    lines: usize,
    pub(super) words: words::Budget,
}

impl Budget {
    pub(super) fn new(bounds: &DiffBounds) -> Self {
        Self { bytes: bounds.hunk_bytes, lines: bounds.lines, words: words::Budget::default() }
    }

    fn take(&mut self, line: &Line) -> bool {
        // A line costs something even when it is empty.
        let bytes = line.text.len() + 1;
        if self.lines == 0 || self.bytes < bytes {
            (self.lines, self.bytes) = (0, 0);
            return false;
        }
        self.lines -= 1;
        self.bytes -= bytes;
        true
    }
}

fn patch<'a>(old: &'a [u8], new: &'a [u8], context: u32) -> Result<Patch<'a>, GitError> {
    let mut options = DiffOptions::new();
    // Whether it is text was decided before.
    options.context_lines(context).interhunk_lines(0).force_text(true).indent_heuristic(true);
    Patch::from_buffers(old, None, new, None, Some(&mut options)).map_err(comparing)
}

fn comparing(error: git2::Error) -> GitError {
    GitError::transient("comparing two files", error)
}

/// Lines that are new, and lines that are gone.
pub(super) fn count(old: &[u8], new: &[u8]) -> Result<(u32, u32), GitError> {
    if old == new {
        return Ok((0, 0));
    }
    let (_, added, removed) = patch(old, new, 0)?.line_stats().map_err(comparing)?;
    Ok((added as u32, removed as u32))
}

/// The changed places, and whether there are more than the budget allows.
pub(super) fn hunks(old: &[u8], new: &[u8], budget: &mut Budget) -> Result<(Vec<Hunk>, bool), GitError> {
    let mut found = Vec::new();
    if old == new {
        return Ok((found, false));
    }
    let patch = patch(old, new, CONTEXT)?;
    for at in 0..patch.num_hunks() {
        let (header, count) = patch.hunk(at).map_err(comparing)?;
        let mut hunk = Hunk {
            old_start: header.old_start(),
            old_lines: header.old_lines(),
            new_start: header.new_start(),
            new_lines: header.new_lines(),
            lines: Vec::new(),
        };
        let mut cut = false;
        for place in 0..count {
            let line = patch.line_in_hunk(at, place).map_err(comparing)?;
            let kind = match line.origin() {
                ' ' => LineKind::Context,
                '+' => LineKind::Added,
                '-' => LineKind::Removed,
                // Remarks on the end of the file: the line itself shows it.
                _ => continue,
            };
            let content = line.content();
            let (text, is_cut) = shown_line::clean(content.strip_suffix(b"\n").unwrap_or(content));
            let line = Line {
                kind,
                old: line.old_lineno(),
                new: line.new_lineno(),
                text,
                cut: is_cut,
                no_newline: !content.ends_with(b"\n"),
                changed: Vec::new(),
            };
            if !budget.take(&line) {
                cut = true;
                break;
            }
            hunk.lines.push(line);
        }
        words::mark(&mut hunk.lines, &mut budget.words)?;
        if !hunk.lines.is_empty() {
            found.push(hunk);
        }
        if cut {
            return Ok((found, true));
        }
    }
    Ok((found, false))
}

/// Which of these tokens are only on one side: places of the first and of the second list. None has an end of line.
pub(super) fn tokens(old: &[&str], new: &[&str]) -> Result<(Vec<usize>, Vec<usize>), GitError> {
    let lines = |tokens: &[&str]| tokens.iter().flat_map(|token| [*token, "\n"]).collect::<String>();
    let (one, other) = (lines(old), lines(new));
    let patch = patch(one.as_bytes(), other.as_bytes(), 0)?;
    let (mut removed, mut added) = (Vec::new(), Vec::new());
    for at in 0..patch.num_hunks() {
        for place in 0..patch.num_lines_in_hunk(at).map_err(comparing)? {
            let line = patch.line_in_hunk(at, place).map_err(comparing)?;
            removed.extend(line.old_lineno().filter(|_| line.origin() == '-').map(|number| number as usize - 1));
            added.extend(line.new_lineno().filter(|_| line.origin() == '+').map(|number| number as usize - 1));
        }
    }
    Ok((removed, added))
}
