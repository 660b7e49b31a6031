//! Bodies as they are stored: deflated, the fast way. JSON of git services shrinks to a fifth.

use std::{cell::RefCell, io::Read};

use flate2::{Compress, Compression, FlushCompress, Status, read::ZlibDecoder};

/// A body is never larger than this, whatever a damaged row says.
const LARGEST: u64 = 64 << 20;

thread_local! {
    /// To make one, 300 KiB are cleared: several times the work of packing a delivery.
    static PACKER: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), true));
}

pub(super) fn packed(body: &[u8]) -> Vec<u8> {
    PACKER.with_borrow_mut(|packer| {
        packer.reset();
        let mut packed = Vec::with_capacity(body.len() / 4 + 64);
        loop {
            let read = usize::try_from(packer.total_in()).unwrap_or(usize::MAX);
            let rest = body.get(read..).unwrap_or_default();
            match packer.compress_vec(rest, &mut packed, FlushCompress::Finish) {
                Ok(Status::StreamEnd) => return packed,
                Ok(Status::Ok | Status::BufError) => packed.reserve(packed.len().max(256)),
                // Of a stream in a wrong state, which this one is not after it was reset.
                Err(_) => return Vec::new(),
            }
        }
    })
}

/// The body; nothing when it is damaged.
pub(super) fn unpacked(packed: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    ZlibDecoder::new(packed).take(LARGEST).read_to_end(&mut body).ok()?;
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_body_after_the_other_comes_back_as_it_was() {
        let json = r#"{"ref":"refs/heads/main","commits":[]}"#.repeat(20_000);
        // What does not shrink needs more room than is first given.
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(300_000)
        .collect();
        for body in [json.as_bytes(), b"", &noise, b"{}", &noise[..7_000], json.as_bytes()] {
            let packed = packed(body);
            assert!(packed.len() <= body.len() + body.len() / 100 + 64, "{} of {}", packed.len(), body.len());
            assert_eq!(unpacked(&packed).as_deref(), Some(body));
        }
        assert!(packed(json.as_bytes()).len() < json.len() / 5);
    }
}
