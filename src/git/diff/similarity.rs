//! How much of one file is in another, as git measures it (diffcore-delta.c): both are cut into lines, or pieces of 64
//! bytes, and the bytes of pieces that both have are counted. Called by the search for renames.

use std::collections::HashMap;

/// As much as there can be.
pub(super) const MAX_SCORE: u64 = 60_000;

/// The pieces of a file: how many bytes there are of each.
pub(super) struct Pieces {
    bytes: u64,
    counts: HashMap<u32, u64>,
}

impl Pieces {
    pub(super) fn of(data: &[u8]) -> Self {
        const PIECE: u64 = 64;
        const BASE: u32 = 107_927;
        let is_text = !is_binary(data);
        let mut counts = HashMap::new();
        let (mut one, mut two, mut length) = (0_u32, 0_u32, 0_u64);
        let mut end = |one: u32, two: u32, length: u64| {
            *counts.entry(one.wrapping_add(two.wrapping_mul(0x61)) % BASE).or_default() += length;
        };
        let mut rest = data.iter().copied().peekable();
        while let Some(byte) = rest.next() {
            if is_text && byte == b'\r' && rest.peek() == Some(&b'\n') {
                continue;
            }
            let before = one;
            one = (one << 7) ^ (two >> 25);
            two = (two << 7) ^ (before >> 25);
            one = one.wrapping_add(u32::from(byte));
            length += 1;
            if length == PIECE || byte == b'\n' {
                end(one, two, length);
                (one, two, length) = (0, 0, 0);
            }
        }
        if length > 0 {
            end(one, two, length);
        }
        Self { bytes: data.len() as u64, counts }
    }

    /// 0 to [`MAX_SCORE`]; 0 when their sizes alone say that it is less than `least`.
    pub(super) fn score(&self, new: &Self, least: u64) -> u64 {
        let (larger, smaller) = (self.bytes.max(new.bytes), self.bytes.min(new.bytes));
        if new.bytes == 0 || larger * (MAX_SCORE - least) < (larger - smaller) * MAX_SCORE {
            return 0;
        }
        let both = |(piece, count): (&u32, &u64)| new.counts.get(piece).map_or(0, |other| *count.min(other));
        let copied: u64 = self.counts.iter().map(both).sum();
        copied * MAX_SCORE / larger
    }
}

/// As git tells: a NUL among the first 8,000 bytes.
pub(super) fn is_binary(data: &[u8]) -> bool {
    memchr::memchr(0, &data[..data.len().min(8_000)]).is_some()
}
