//! The parents in a graph's file, read from the last commit to the first, and no further than somebody asks. Called by
//! the pass that compares what refs reach; what the file holds was checked against its digests when it was loaded.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use keytrail_domain::recorded::Position;

use super::file::{DIGEST_BYTES, HEADER_BYTES, LAST, NO_PARENTS, header, u32_at};

/// How many bytes are read at a time; a multiple of 4.
const CHUNK: u64 = 64 * 1024;

/// A stretch of the file that holds the parents of one segment: where it begins, and where what is unread ends.
struct Stretch {
    start: u64,
    end: u64,
}

/// Parents, commit by commit, downwards.
pub(super) struct Parents {
    /// `None` when there is nothing to read.
    file: Option<File>,
    /// The last one is being read.
    stretches: Vec<Stretch>,
    /// What was read and not given out, upwards.
    chunk: Vec<u8>,
    /// The row whose parents were given out last; all rows at first.
    row: u32,
}

impl Parents {
    /// The parents of the first `commits` rows, which are the segments until `good_bytes`.
    pub(super) fn open(path: Option<&Path>, number: Position, good_bytes: u64, commits: usize) -> io::Result<Self> {
        let row = u32::try_from(commits).map_err(io::Error::other)?;
        let Some(path) = path.filter(|_| commits > 0) else {
            return Ok(Self { file: None, stretches: Vec::new(), chunk: Vec::new(), row });
        };
        let mut file = BufReader::with_capacity(512, File::open(path)?);
        let mut found = [0; HEADER_BYTES as usize];
        file.read_exact(&mut found)?;
        let mut rows = 0_u64;
        let mut at = HEADER_BYTES;
        let mut stretches = Vec::new();
        while at < good_bytes {
            let mut counts = [0; 12];
            file.read_exact(&mut counts)?;
            let [first_row, commits, parents] = [0, 4, 8].map(|at| u64::from(u32_at(&counts, at)));
            if first_row != rows {
                return Err(changed());
            }
            rows += commits;
            let start = at + 12 + commits * 24;
            let end = start + parents * 4;
            stretches.push(Stretch { start, end });
            let next = end + DIGEST_BYTES as u64;
            file.seek_relative((next - at - 12) as i64)?;
            at = next;
        }
        if found != header(number) || at != good_bytes || rows != u64::from(row) {
            return Err(changed());
        }
        Ok(Self { file: Some(file.into_inner()), stretches, chunk: Vec::new(), row })
    }

    /// The next lower row and its parents, as rows; `None` below the first.
    pub(super) fn next(&mut self, parents: &mut Vec<u32>) -> io::Result<Option<u32>> {
        parents.clear();
        let Some(row) = self.row.checked_sub(1) else { return Ok(None) };
        self.row = row;
        let last = self.entry()?.ok_or_else(changed)?;
        if last & LAST == 0 {
            return Err(changed());
        }
        if last != NO_PARENTS {
            parents.push(last & !LAST);
            // The flag of the row below ends this one.
            while let Some(parent) = self.entry()? {
                if parent & LAST != 0 {
                    self.chunk.extend_from_slice(&parent.to_le_bytes());
                    break;
                }
                parents.push(parent);
            }
        }
        if parents.iter().any(|parent| *parent >= row) {
            return Err(changed());
        }
        Ok(Some(row))
    }

    fn entry(&mut self) -> io::Result<Option<u32>> {
        if self.chunk.is_empty() {
            self.fill()?;
        }
        let Some(entry) = self.chunk.last_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes)) else { return Ok(None) };
        self.chunk.truncate(self.chunk.len() - 4);
        Ok(Some(entry))
    }

    fn fill(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        while let Some(stretch) = self.stretches.last_mut() {
            let bytes = (stretch.end - stretch.start).min(CHUNK);
            if bytes == 0 {
                self.stretches.pop();
                continue;
            }
            stretch.end -= bytes;
            file.seek(SeekFrom::Start(stretch.end))?;
            self.chunk.resize(bytes as usize, 0);
            return file.read_exact(&mut self.chunk);
        }
        Ok(())
    }
}

fn changed() -> io::Error {
    io::Error::other("the file changed since it was loaded")
}
