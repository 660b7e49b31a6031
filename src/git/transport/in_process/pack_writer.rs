//! Makes a pack of whole objects, and writes it into the sink of packs, a portion at a time. Called by the fetch from a
//! folder. It makes no differences: looking for them would hold many objects at once. The shape of a pack is that of
//! `gitformat-pack`.

use std::{io::Write as _, mem, sync::Arc};

use flate2::{Compression, write::ZlibEncoder};
use gix::{hash::Hasher, objs::Kind};
use keytrail_domain::index_run::batch::CommitSha;

use super::pack_sink::{PackSink, Shared};
use crate::git::{
    GitError, Mirror,
    transport::{fetch::Fetched, room},
};

/// Bytes that are packed between two looks at whether anybody wants them still.
const PORTION: usize = 64 * 1024;

pub(super) struct PackWriter<'a> {
    sink: PackSink<'a>,
    checksum: Hasher,
    packed: ZlibEncoder<Vec<u8>>,
    /// What the sink gets next: most objects are small, and each write costs.
    ready: Vec<u8>,
    shared: &'a Shared,
}

impl<'a> PackWriter<'a> {
    /// Begins a pack of so many objects.
    pub(super) fn new(mirror: &Mirror, shared: &'a Arc<Shared>, objects: usize) -> Result<Self, GitError> {
        let count = u32::try_from(objects).map_err(|_| room::over_memory(shared.limits.memory_bytes))?;
        let mut writer = Self {
            sink: PackSink::new(mirror, shared)?,
            checksum: gix::hash::hasher(gix::hash::Kind::Sha1),
            packed: ZlibEncoder::new(Vec::new(), Compression::default()),
            ready: Vec::new(),
            shared,
        };
        writer.put(b"PACK\0\0\0\x02")?;
        writer.put(&count.to_be_bytes())?;
        Ok(writer)
    }

    /// Adds an object.
    pub(super) fn object(&mut self, kind: Kind, bytes: &[u8]) -> Result<(), GitError> {
        self.put(&head(kind, bytes.len()))?;
        for portion in bytes.chunks(PORTION) {
            self.shared.check_stop()?;
            self.shared.steps().step();
            self.packed.write_all(portion).map_err(failed)?;
            let packed = mem::take(self.packed.get_mut());
            self.put(&packed)?;
        }
        let rest = self.packed.reset(Vec::new()).map_err(failed)?;
        self.put(&rest)
    }

    /// Makes the pack the mirror's, when all is there that these tips lead to.
    pub(super) fn finish(mut self, tips: &[CommitSha]) -> Result<Fetched, GitError> {
        let checksum = self.checksum.try_finalize().map_err(failed)?;
        self.ready.extend_from_slice(checksum.as_slice());
        self.sink.write(&self.ready)?;
        self.sink.finish(tips)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), GitError> {
        self.checksum.update(bytes);
        self.ready.extend_from_slice(bytes);
        if self.ready.len() >= PORTION {
            self.sink.write(&self.ready)?;
            self.ready.clear();
        }
        Ok(())
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> GitError {
    GitError::transient("packing what is copied", error)
}

/// What stands before the packed bytes of an object: four bits of the size, then seven at a time.
fn head(kind: Kind, size: usize) -> Vec<u8> {
    let number = match kind {
        Kind::Commit => 1,
        Kind::Tree => 2,
        Kind::Blob => 3,
        Kind::Tag => 4,
    };
    let (mut byte, mut rest) = (number << 4 | (size & 15) as u8, size >> 4);
    let mut head = Vec::new();
    while rest > 0 {
        head.push(byte | 128);
        (byte, rest) = ((rest & 127) as u8, rest >> 7);
    }
    head.push(byte);
    head
}
