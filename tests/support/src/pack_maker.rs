//! Packs made by hand, byte by byte: what no git would send. Called by tests of fetching. The shape is that of git's
//! `gitformat-pack`; nothing is compressed (zlib's stored blocks), so that a size can be anything.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// A kind of object, by the number that it has in a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackedKind {
    /// A commit.
    Commit = 1,
    /// A folder.
    Tree = 2,
    /// A file.
    Blob = 3,
    /// An annotated tag.
    Tag = 4,
}

/// A pack as far as it is made.
#[derive(Clone, Debug)]
pub struct PackMaker {
    bytes: Vec<u8>,
    objects: u32,
}

impl Default for PackMaker {
    fn default() -> Self {
        Self { bytes: b"PACK\0\0\0\x02\0\0\0\0".to_vec(), objects: 0 }
    }
}

impl PackMaker {
    /// Adds an object. Where it begins.
    pub fn object(&mut self, kind: PackedKind, data: &[u8]) -> usize {
        self.claiming(kind, data.len() as u64, data)
    }

    /// Adds an object that claims to have so many bytes. Where it begins.
    pub fn claiming(&mut self, kind: PackedKind, size: u64, data: &[u8]) -> usize {
        let start = self.begin(kind as u8, size);
        self.bytes.extend(stored(data));
        start
    }

    /// Adds a difference to the object that begins at `base`. Where it begins.
    pub fn delta(&mut self, base: usize, delta: &Delta) -> usize {
        let start = self.begin(6, delta.0.len() as u64);
        let mut back = (start - base) as u64;
        let mut digits = vec![(back & 127) as u8];
        while back > 127 {
            back = (back >> 7) - 1;
            digits.push((back & 127) as u8 | 128);
        }
        self.bytes.extend(digits.iter().rev());
        self.bytes.extend(stored(&delta.0));
        start
    }

    /// Adds a difference to the object of this name. Where it begins.
    ///
    /// # Panics
    /// When that is no name.
    pub fn delta_to(&mut self, base: &str, delta: &Delta) -> usize {
        let start = self.begin(7, delta.0.len() as u64);
        let digits = |at: usize| u8::from_str_radix(&base[at..at + 2], 16).expect("a name has 40 digits");
        self.bytes.extend((0..40).step_by(2).map(digits));
        self.bytes.extend(stored(&delta.0));
        start
    }

    fn begin(&mut self, kind: u8, size: u64) -> usize {
        let start = self.bytes.len();
        self.objects += 1;
        let (mut byte, mut rest) = (kind << 4 | (size & 15) as u8, size >> 4);
        while rest > 0 {
            self.bytes.push(byte | 128);
            (byte, rest) = ((rest & 127) as u8, rest >> 7);
        }
        self.bytes.push(byte);
        start
    }

    /// The pack, with its count and its checksum.
    pub fn finish(self) -> Vec<u8> {
        let objects = self.objects;
        self.claiming_objects(objects)
    }

    /// The pack, with this count and a right checksum.
    pub fn claiming_objects(mut self, count: u32) -> Vec<u8> {
        self.bytes[8..12].copy_from_slice(&count.to_be_bytes());
        let checksum = sha1(&self.bytes);
        self.bytes.extend((0..40).step_by(2).map(|at| u8::from_str_radix(&checksum[at..at + 2], 16).expect("digits")));
        self.bytes
    }
}

/// What makes one object of another.
#[derive(Clone, Debug)]
pub struct Delta(Vec<u8>);

impl Delta {
    /// Between objects of these sizes.
    pub fn new(base: u64, result: u64) -> Self {
        let mut bytes = Vec::new();
        for mut size in [base, result] {
            while size > 127 {
                bytes.push((size & 127) as u8 | 128);
                size >>= 7;
            }
            bytes.push(size as u8);
        }
        Self(bytes)
    }

    /// Takes the first `length` bytes of the base; at most 16,777,215.
    #[must_use]
    pub fn copy(mut self, length: u32) -> Self {
        let [low, middle, high, _] = length.to_le_bytes();
        let parts = [(low, 0x10), (middle, 0x20), (high, 0x40)].into_iter().filter(|(byte, _)| *byte != 0);
        let (bytes, flags): (Vec<u8>, Vec<u8>) = parts.unzip();
        self.0.push(flags.iter().fold(0x80, |command, flag| command | flag));
        self.0.extend(bytes);
        self
    }

    /// Takes these bytes; 1 to 127.
    #[must_use]
    pub fn insert(mut self, bytes: &[u8]) -> Self {
        self.0.push(bytes.len() as u8);
        self.0.extend_from_slice(bytes);
        self
    }
}

/// A commit without parents and with no files.
pub fn commit_text(message: &str) -> Vec<u8> {
    let who = "A U Thor <author@example.org> 1700000000 +0000";
    let empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    format!("tree {empty}\nauthor {who}\ncommitter {who}\n\n{message}\n").into_bytes()
}

/// The name of an object.
pub fn name_of(kind: &str, data: &[u8]) -> String {
    let mut text = format!("{kind} {}\0", data.len()).into_bytes();
    text.extend_from_slice(data);
    sha1(&text)
}

/// A pack of a few kilobytes, one file of which has 8 GiB once it is put together; and the name of its one commit.
pub fn bomb() -> (Vec<u8>, String) {
    let mut pack = PackMaker::default();
    let commit = commit_text("SHOP-1 small");
    pack.object(PackedKind::Commit, &commit);
    let mut at = pack.object(PackedKind::Blob, &[b'x'; 4096]);
    let mut size = 4096_u64;
    for times in [128, 16, 1024] {
        let copy = |delta: Delta, _| delta.copy(size as u32);
        let delta = (0..times).fold(Delta::new(size, size * times), copy);
        at = pack.delta(at, &delta);
        size *= times;
    }
    assert_eq!(size, 8 << 30, "of {at}");
    (pack.finish(), name_of("commit", &commit))
}

/// zlib's stored blocks (RFC 1950 and 1951).
fn stored(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = data.chunks(0xffff).peekable();
    if data.is_empty() {
        out.extend([1, 0, 0, 0xff, 0xff]);
    }
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in data {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    out.extend((high << 16 | low).to_be_bytes());
    out
}

fn sha1(data: &[u8]) -> String {
    let mut child = Command::new("sha1sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sha1sum is part of every system");
    child.stdin.take().expect("it is piped").write_all(data).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout[..40]).into_owned()
}
