//! Bodies as they are stored: deflated, the fast way. JSON of git services shrinks to a fifth.

use std::io::{Read, Write};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};

/// A body is never larger than this, whatever a damaged row says.
const LARGEST: u64 = 64 << 20;

pub(super) fn packed(body: &[u8]) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::with_capacity(body.len() / 4 + 64), Compression::fast());
    // Memory takes all that is written to it.
    let done = packer.write_all(body).and_then(|()| packer.finish());
    done.unwrap_or_default()
}

/// The body; nothing when it is damaged.
pub(super) fn unpacked(packed: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    ZlibDecoder::new(packed).take(LARGEST).read_to_end(&mut body).ok()?;
    Some(body)
}
