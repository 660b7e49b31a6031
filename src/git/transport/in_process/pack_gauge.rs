//! Looks through a pack while it comes, before libgit2 is given the same bytes: what the pack says of its objects bounds
//! the memory that putting them together takes. Fed by whoever writes the pack; it keeps no object.
//!
//! libgit2 holds whole what takes part in a difference: the object that it is made to, the difference, what comes out.
//! Everything else goes to the disk as it comes, however large it is. The shape of a pack is that of `gitformat-pack`.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use gix::zlib::{Decompress, FlushDecompress, Status};

use crate::git::{
    GitError,
    transport::{FetchError, room},
};

/// Bytes that libgit2 keeps of each object until the index is written: two structures, two lists, a table of names.
pub(super) const PER_OBJECT: u64 = 224;
/// Objects of the largest size that are held at a time: base, difference, result, and one in between.
const HELD: u64 = 4;
/// A bound for objects that is lower than this is none to work with.
const LEAST: u64 = 1024 * 1024;
/// Bytes of a difference that tell the sizes of its base and of its result.
const SIZES: usize = 20;
const SCRATCH: usize = 32 * 1024;
/// `PACK`, a version, a count.
const HEADER: usize = 12;
/// The checksum at the end.
const TRAILER: usize = 20;

/// What is known of the object whose bytes come.
#[derive(Clone, Copy)]
struct Entry {
    is_delta: bool,
    declared: u64,
    unpacked: u64,
}

#[derive(Clone, Copy)]
enum Stage {
    Header,
    /// Before an object.
    Between,
    Within(Entry),
    /// After the last; so many bytes of the trailer came.
    After(usize),
}

/// Measures a pack.
pub(super) struct PackGauge {
    memory: u64,
    stage: Stage,
    /// A header of the pack or of an object that is not whole yet.
    head: Vec<u8>,
    /// The first bytes of a difference.
    sizes: Vec<u8>,
    inflate: Decompress,
    scratch: Box<[u8]>,
    /// Bytes that were looked at.
    at: u64,
    objects_left: u64,
    /// Bytes that an object which takes part in a difference may have.
    largest: u64,
    /// Where objects are that have more.
    large: BTreeSet<u64>,
    /// Whether a difference names its base by its name, so that nobody knows yet how large that is.
    has_named_base: bool,
}

impl PackGauge {
    pub(super) fn new(memory: u64) -> Self {
        Self {
            memory,
            stage: Stage::Header,
            head: Vec::with_capacity(32),
            sizes: Vec::with_capacity(SIZES),
            inflate: Decompress::new(),
            scratch: vec![0; SCRATCH].into(),
            at: 0,
            objects_left: 0,
            largest: 0,
            large: BTreeSet::new(),
            has_named_base: false,
        }
    }

    /// Looks at the next bytes. An error means that libgit2 must not get them.
    pub(super) fn look(&mut self, mut bytes: &[u8]) -> Result<(), GitError> {
        while !bytes.is_empty() {
            let used = match self.stage {
                Stage::Header => self.header(bytes)?,
                Stage::Between => self.between(bytes)?,
                Stage::Within(entry) => self.within(entry, bytes)?,
                Stage::After(came) => {
                    if came + bytes.len() > TRAILER {
                        return Err(corrupt());
                    }
                    self.stage = Stage::After(came + bytes.len());
                    bytes.len()
                }
            };
            self.at += used as u64;
            bytes = &bytes[used..];
        }
        Ok(())
    }

    fn header(&mut self, bytes: &[u8]) -> Result<usize, GitError> {
        let used = bytes.len().min(HEADER - self.head.len());
        self.head.extend_from_slice(&bytes[..used]);
        let [b'P', b'A', b'C', b'K', 0, 0, 0, 2 | 3, count @ ..] = &self.head[..] else {
            return if self.head.len() < HEADER { Ok(used) } else { Err(corrupt()) };
        };
        let Ok(count) = <[u8; 4]>::try_from(count) else { return Ok(used) };
        self.objects_left = u64::from(u32::from_be_bytes(count));
        self.largest = self.memory.saturating_sub(self.objects_left * PER_OBJECT) / HELD;
        if self.largest < LEAST {
            return Err(self.too_much());
        }
        self.head.clear();
        self.next();
        Ok(used)
    }

    fn next(&mut self) {
        self.stage = if self.objects_left == 0 { Stage::After(0) } else { Stage::Between };
    }

    /// Reads the header of an object, a byte at a time: it has 32 at most, and its parts come in any portions.
    fn between(&mut self, bytes: &[u8]) -> Result<usize, GitError> {
        for (place, byte) in bytes.iter().enumerate() {
            self.head.push(*byte);
            if let Some(head) = Head::read(&self.head)? {
                let start = self.at + place as u64 + 1 - self.head.len() as u64;
                self.begin(start, head)?;
                return Ok(place + 1);
            }
        }
        Ok(bytes.len())
    }

    fn begin(&mut self, start: u64, head: Head) -> Result<(), GitError> {
        let is_large = head.size > self.largest;
        // Only files may be large: they are not read whole.
        if is_large && head.kind != Kind::File {
            return Err(self.too_much());
        }
        if is_large {
            self.large.insert(start);
        }
        match head.kind {
            Kind::DeltaAt(back) => {
                let base = start.checked_sub(back).filter(|_| back > 0).ok_or_else(corrupt)?;
                if self.large.contains(&base) {
                    return Err(self.too_much());
                }
            }
            Kind::DeltaOf => self.has_named_base = true,
            Kind::File | Kind::Other => {}
        }
        if self.has_named_base && !self.large.is_empty() {
            return Err(self.too_much());
        }
        self.head.clear();
        self.sizes.clear();
        self.inflate.reset();
        let is_delta = matches!(head.kind, Kind::DeltaAt(_) | Kind::DeltaOf);
        self.stage = Stage::Within(Entry { is_delta, declared: head.size, unpacked: 0 });
        Ok(())
    }

    fn within(&mut self, mut entry: Entry, bytes: &[u8]) -> Result<usize, GitError> {
        let (from, to) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(bytes, &mut self.scratch, FlushDecompress::None);
        let status = status.map_err(|_| corrupt())?;
        let (used, came) = ((self.inflate.total_in() - from) as usize, (self.inflate.total_out() - to) as usize);
        entry.unpacked += came as u64;
        if entry.unpacked > entry.declared {
            return Err(corrupt());
        }
        if entry.is_delta && self.sizes.len() < SIZES {
            let room = (SIZES - self.sizes.len()).min(came);
            self.sizes.extend_from_slice(&self.scratch[..room]);
        }
        if status == Status::StreamEnd {
            if entry.unpacked != entry.declared {
                return Err(corrupt());
            }
            if entry.is_delta {
                let (base, rest) = size(&self.sizes)?.ok_or_else(corrupt)?;
                let (result, _) = size(rest)?.ok_or_else(corrupt)?;
                if base.max(result) > self.largest {
                    return Err(self.too_much());
                }
            }
            self.objects_left -= 1;
            self.next();
        } else if used == 0 && came == 0 {
            return Err(corrupt());
        } else {
            self.stage = Stage::Within(entry);
        }
        Ok(used)
    }

    fn too_much(&self) -> GitError {
        room::over_memory(self.memory).into()
    }
}

fn corrupt() -> GitError {
    FetchError::CorruptPack.into()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    /// A commit, a tree, a tag.
    Other,
    /// A difference to the object so many bytes before.
    DeltaAt(u64),
    /// A difference to the object of a name.
    DeltaOf,
}

/// What stands before the packed bytes of an object.
struct Head {
    kind: Kind,
    size: u64,
}

impl Head {
    /// `None` while it is not whole.
    fn read(bytes: &[u8]) -> Result<Option<Self>, GitError> {
        let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
        let (mut size, mut rest, mut more, mut shift) = (u64::from(first & 15), rest, first & 128 != 0, 4);
        while more {
            let Some((byte, after)) = rest.split_first() else { return Ok(None) };
            size |= shifted(*byte, shift)?;
            (rest, more, shift) = (after, byte & 128 != 0, shift + 7);
        }
        let kind = match first >> 4 & 7 {
            1 | 2 | 4 => Kind::Other,
            3 => Kind::File,
            6 => match offset(rest)? {
                Some(back) => Kind::DeltaAt(back),
                None => return Ok(None),
            },
            7 if rest.len() < 20 => return Ok(None),
            7 => Kind::DeltaOf,
            _ => return Err(corrupt()),
        };
        Ok(Some(Self { kind, size }))
    }
}

/// How far back the base of a difference is.
fn offset(bytes: &[u8]) -> Result<Option<u64>, GitError> {
    let mut back = 0_u64;
    for (place, byte) in bytes.iter().enumerate() {
        // Each further byte stands for one more than its bits.
        let more = if place == 0 { 0 } else { back.checked_add(1).ok_or_else(corrupt)? };
        back = more.checked_mul(128).ok_or_else(corrupt)? | u64::from(byte & 127);
        if byte & 128 == 0 {
            return Ok(Some(back));
        }
    }
    Ok(None)
}

/// A size at the beginning of a difference, and what follows it. `None` when it is not whole.
fn size(bytes: &[u8]) -> Result<Option<(u64, &[u8])>, GitError> {
    let mut size = 0;
    for (place, byte) in bytes.iter().enumerate() {
        size |= shifted(*byte, 7 * place as u32)?;
        if byte & 128 == 0 {
            return Ok(Some((size, &bytes[place + 1..])));
        }
    }
    Ok(None)
}

/// Seven bits of a number, in their place; bits that would fall out of it are an error.
fn shifted(byte: u8, shift: u32) -> Result<u64, GitError> {
    let bits = u64::from(byte & 127);
    let placed = bits.checked_shl(shift).unwrap_or(0);
    if shift < 64 && placed >> shift == bits { Ok(placed) } else { Err(corrupt()) }
}
