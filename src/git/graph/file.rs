//! The file of a graph: a header, then one segment for each run. Called by [`super::Graph`]; a segment counts when
//! its digest is right and all before it count, so that a torn end is as if it had never been written.
//!
//! All numbers are little-endian. Header: magic, number of the repository. Segment: first row, commits, parents
//! (three u32), then names, generations, parents as rows; the digest is over the header and the segment.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
};

use keytrail_domain::{
    index_run::batch::{CommitName, CommitSha},
    recorded::Position,
};
use sha2::{Digest, Sha256};

use crate::git::{NewCommits, walk::Parent};

const MAGIC: [u8; 8] = *b"KTGRAPH1";
pub(super) const HEADER_BYTES: u64 = 16;
pub(super) const DIGEST_BYTES: usize = 32;
/// The last parent of its commit.
pub(super) const LAST: u32 = 1 << 31;
/// Stands in the place of the parents of a commit that has none.
pub(super) const NO_PARENTS: u32 = u32::MAX;

/// What a file holds.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) good_bytes: u64,
    /// By row.
    pub(super) shas: Vec<CommitSha>,
    /// By row.
    pub(super) generations: Vec<u32>,
}

/// Reads what is good; says so when not everything is.
pub(super) fn load(path: &Path, number: Position) -> Loaded {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Loaded::default(),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the graph of commits cannot be read; the next run walks everything");
            return Loaded::default();
        }
    };
    let mut loaded = Loaded::default();
    if let Err(error) = read(file, number, &mut loaded) {
        let commits = loaded.shas.len();
        tracing::warn!(path = %path.display(), %error, commits, "the graph of commits is good only in part; the next run walks the rest again");
    }
    loaded
}

pub(super) fn header(number: Position) -> [u8; HEADER_BYTES as usize] {
    let mut header = [0; HEADER_BYTES as usize];
    header[..8].copy_from_slice(&MAGIC);
    header[8..].copy_from_slice(&number.to_le_bytes());
    header
}

fn read(file: File, number: Position, loaded: &mut Loaded) -> io::Result<()> {
    let length = file.metadata()?.len();
    let mut file = BufReader::with_capacity(256 * 1024, file);
    let expected = header(number);
    let mut found = [0; HEADER_BYTES as usize];
    file.read_exact(&mut found)?;
    if found[..8] != MAGIC {
        return Err(io::Error::other("it is no graph of this version"));
    }
    if found != expected {
        // The index was reset: nothing is wrong.
        return Ok(());
    }
    loaded.good_bytes = HEADER_BYTES;
    while loaded.good_bytes < length {
        read_segment(&mut file, length - loaded.good_bytes, &expected, loaded)?;
    }
    Ok(())
}

fn read_segment(file: &mut impl Read, left: u64, header: &[u8], loaded: &mut Loaded) -> io::Result<()> {
    let torn = || io::Error::other("a segment is torn");
    let mut counts = [0; 12];
    file.read_exact(&mut counts)?;
    let [first_row, commits, parents] = [0, 4, 8].map(|at| u32_at(&counts, at));
    let bytes = u64::from(commits) * 24 + u64::from(parents) * 4;
    if first_row as usize != loaded.shas.len() || bytes + 12 + DIGEST_BYTES as u64 > left {
        return Err(torn());
    }
    let mut digest = Sha256::new_with_prefix(header);
    digest.update(counts);
    // Read in one piece: a segment that turns out bad leaves no trace.
    let mut body = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
    file.read_exact(&mut body)?;
    digest.update(&body);
    let mut found = [0; DIGEST_BYTES];
    file.read_exact(&mut found)?;
    if found != digest.finalize()[..] {
        return Err(torn());
    }
    let (shas, rest) = body.split_at(commits as usize * 20);
    let (generations, _) = rest.split_at(commits as usize * 4);
    let (shas, _) = shas.as_chunks::<20>();
    loaded.shas.extend(shas.iter().map(|sha| CommitSha(*sha)));
    let (generations, _) = generations.as_chunks::<4>();
    loaded.generations.extend(generations.iter().map(|bytes| u32::from_le_bytes(*bytes)));
    loaded.good_bytes += bytes + 12 + DIGEST_BYTES as u64;
    Ok(())
}

/// Whether a name is in the file. What cannot be read is not there; digests are left to [`load`].
pub(super) fn knows(path: &Path, number: Position, sha: CommitSha) -> bool {
    let mut found = false;
    // What was found before it turned out that the rest cannot be read is found all the same.
    let _ = File::open(path).and_then(|file| {
        find(file, number, |names| {
            found = names.contains(&sha.0);
            found
        })
    });
    found
}

/// The names in the file that may be the one that is meant, at most `most`. What cannot be read is not there.
pub(super) fn called(path: &Path, number: Position, name: &CommitName, most: usize) -> Vec<CommitSha> {
    let mut found = Vec::new();
    let _ = File::open(path).and_then(|file| {
        find(file, number, |names| {
            found.extend(names.iter().map(|name| CommitSha(*name)).filter(|sha| name.fits(sha)));
            found.len() >= most
        })
    });
    found.truncate(most);
    found
}

/// Hands out the names in the file, some thousands at a time, until it was enough.
fn find(file: File, number: Position, mut is_enough: impl FnMut(&[[u8; 20]]) -> bool) -> io::Result<()> {
    const NAMES_AT_ONCE: usize = 4_096;
    let length = file.metadata()?.len();
    let mut file = BufReader::with_capacity(NAMES_AT_ONCE * 20, file);
    let mut found = [0; HEADER_BYTES as usize];
    file.read_exact(&mut found)?;
    if found != header(number) {
        return Ok(());
    }
    let mut at = HEADER_BYTES;
    let mut names = Vec::new();
    while at < length {
        let mut counts = [0; 12];
        file.read_exact(&mut counts)?;
        let [_, commits, parents] = [0, 4, 8].map(|at| u32_at(&counts, at));
        let mut left = commits as usize;
        while left > 0 {
            names.resize(left.min(NAMES_AT_ONCE) * 20, 0);
            file.read_exact(&mut names)?;
            if is_enough(names.as_chunks::<20>().0) {
                return Ok(());
            }
            left -= names.len() / 20;
        }
        let rest = u64::from(commits) * 4 + u64::from(parents) * 4 + DIGEST_BYTES as u64;
        file.seek_relative(rest.cast_signed())?;
        at += 12 + u64::from(commits) * 20 + rest;
    }
    Ok(())
}

pub(super) fn u32_at(bytes: &[u8; 12], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Appends a segment behind what is good, or writes the file anew, and syncs it.
pub(super) fn append(path: &Path, number: Position, good_bytes: u64, new: &NewCommits) -> io::Result<()> {
    if good_bytes >= HEADER_BYTES {
        let mut file = OpenOptions::new().write(true).open(path)?;
        if file.metadata()?.len() < good_bytes {
            return Err(io::Error::other("the file became shorter since it was loaded"));
        }
        file.set_len(good_bytes)?;
        file.seek(SeekFrom::Start(good_bytes))?;
        return write_segment(file, number, new)?.sync_all();
    }
    let folder = path.parent().ok_or_else(|| io::Error::other("the path names no file"))?;
    fs::create_dir_all(folder)?;
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(&header(number))?;
    write_segment(file, number, new)?.sync_all()?;
    fs::rename(&fresh, path)?;
    // The rename is durable only when its folder is.
    File::open(folder)?.sync_all()
}

fn write_segment(file: File, number: Position, new: &NewCommits) -> io::Result<File> {
    let mut row_of = vec![NO_PARENTS; new.met_shas.len()];
    for (place, commit) in new.order.iter().enumerate() {
        row_of[*commit as usize] = (new.known + place) as u32;
    }
    let mut out =
        Digesting { file: BufWriter::with_capacity(256 * 1024, file), digest: Sha256::new_with_prefix(header(number)) };
    let parents: usize = new.order.iter().map(|commit| new.parents(*commit).count().max(1)).sum();
    for count in [new.known, new.len(), parents] {
        out.write(&u32::try_from(count).map_err(io::Error::other)?.to_le_bytes())?;
    }
    for commit in &new.order {
        out.write(&new.met_shas[*commit as usize].0)?;
    }
    for commit in &new.order {
        out.write(&new.generations[*commit as usize].to_le_bytes())?;
    }
    for commit in &new.order {
        let mut rows = new
            .parents(*commit)
            .map(|parent| match parent {
                Parent::New(number) => row_of[number as usize],
                Parent::Known(row) => row,
            })
            .peekable();
        if rows.peek().is_none() {
            out.write(&NO_PARENTS.to_le_bytes())?;
        }
        while let Some(row) = rows.next() {
            let flag = if rows.peek().is_none() { LAST } else { 0 };
            out.write(&(row | flag).to_le_bytes())?;
        }
    }
    let Digesting { mut file, digest } = out;
    file.write_all(&digest.finalize())?;
    file.into_inner().map_err(io::IntoInnerError::into_error)
}

struct Digesting {
    file: BufWriter<File>,
    digest: Sha256,
}

impl Digesting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.file.write_all(bytes)
    }
}
