//! The canonical leaf of an event: what a proof over the log is built from. Byte vectors in tests/golden.

use sha2::{Digest, Sha256};

/// The fields of a leaf. All are known before the event has its position: the place in the tree is the position.
#[derive(Clone, Copy, Debug)]
pub struct Leaf<'a> {
    /// The event's id, hyphenated lower-case hexadecimal.
    pub event_id: &'a str,
    /// The stream's type.
    pub aggregate_type: &'a str,
    /// The stream's id, hyphenated lower-case hexadecimal.
    pub aggregate_id: &'a str,
    /// The place in the stream.
    pub sequence: i64,
    /// The event's stored name.
    pub event_type: &'a str,
    /// The version of its shape.
    pub event_version: &'a str,
    /// The exact stored text.
    pub payload: &'a str,
    /// The exact stored text.
    pub metadata: &'a str,
}

/// Says which layout was hashed.
const LAYOUT: &[u8] = b"keytrail-leaf/1";

impl Leaf<'_> {
    /// SHA-256 of 0x00 (as RFC 6962 marks leaves), the layout's name, and each field after its length: texts as 4 bytes
    /// big-endian and the bytes, the sequence as 8 bytes big-endian.
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update([0]);
        hasher.update(LAYOUT);
        let mut text = |text: &str| {
            // A text is bounded far below 4 GiB before it comes here.
            hasher.update((text.len() as u32).to_be_bytes());
            hasher.update(text.as_bytes());
        };
        text(self.event_id);
        text(self.aggregate_type);
        text(self.aggregate_id);
        hasher.update(self.sequence.to_be_bytes());
        let mut text = |text: &str| {
            hasher.update((text.len() as u32).to_be_bytes());
            hasher.update(text.as_bytes());
        };
        text(self.event_type);
        text(self.event_version);
        text(self.payload);
        text(self.metadata);
        hasher.finalize().into()
    }
}
