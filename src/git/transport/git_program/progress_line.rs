//! Reads what the git program says of its progress. Called with parts of its standard error; holds one bounded line.

/// A longer line is cut.
const LONGEST: usize = 4 * 1024;

/// Cuts what is said into lines, at the ends that git uses: `\n`, and `\r` for what is to be written over.
#[derive(Default)]
pub(super) struct Lines {
    open: Vec<u8>,
}

impl Lines {
    /// Gives each line that is whole now.
    pub(super) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        for part in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (text, ends) = match part {
                [text @ .., b'\n' | b'\r'] => (text, true),
                text => (text, false),
            };
            let room = LONGEST.saturating_sub(self.open.len()).min(text.len());
            self.open.extend_from_slice(&text[..room]);
            if ends {
                if !self.open.is_empty() {
                    each(&self.open);
                }
                self.open.clear();
            }
        }
    }

    /// What stands behind the last end of line.
    pub(super) fn rest(&self) -> &[u8] {
        &self.open
    }
}

/// A line that tells progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProgressLine {
    /// The server counts, compresses and the like.
    Remote,
    /// Objects come: this many of these.
    Receiving(u64, u64),
    /// What came is put together or checked.
    Resolving,
}

impl ProgressLine {
    /// `None` for any other line.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let (title, counts) = line.split_once(':')?;
        match title {
            "remote" => counts.contains("objects:").then_some(Self::Remote),
            "Receiving objects" => {
                let (_, counts) = counts.split_once('(')?;
                let (done, counts) = counts.split_once('/')?;
                let (total, _) = counts.split_once(')')?;
                Some(Self::Receiving(done.parse().ok()?, total.parse().ok()?))
            }
            "Resolving deltas" | "Checking connectivity" | "Indexing objects" => Some(Self::Resolving),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_git_ends_them_and_are_bounded() {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        for part in [b"a\rb".as_slice(), b"c\n\n", b"d"] {
            lines.push(part, |line| seen.push(String::from_utf8_lossy(line).into_owned()));
        }
        assert_eq!((seen, lines.rest()), (vec!["a".to_owned(), "bc".to_owned()], b"d".as_slice()));
        lines.push(&vec![b'x'; 1 << 20], |_| {});
        assert_eq!(lines.rest().len(), LONGEST);
    }

    #[test]
    fn progress_is_told_from_other_lines() {
        let cases: [(&str, Option<ProgressLine>); 7] = [
            ("remote: Counting objects:  10% (5/50)        ", Some(ProgressLine::Remote)),
            ("Receiving objects:  12% (123/1000), 1.20 MiB | 2.30 MiB/s", Some(ProgressLine::Receiving(123, 1000))),
            ("Receiving objects: 100% (3/3), done.", Some(ProgressLine::Receiving(3, 3))),
            ("Resolving deltas:   0% (0/10)", Some(ProgressLine::Resolving)),
            ("Receiving objects: what?", None),
            ("remote: hello", None),
            ("fatal: no", None),
        ];
        for (line, expected) in cases {
            assert_eq!(ProgressLine::parse(line.as_bytes()), expected, "{line}");
        }
    }
}
