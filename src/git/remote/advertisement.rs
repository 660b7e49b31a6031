//! What a server says first: its capabilities and, before protocol 2, its refs; and the answer to `ls-refs` (see
//! gitprotocol-pack, gitprotocol-http, gitprotocol-v2). Called by the listing, frame by frame; it keeps only refs that
//! are selected.

use keytrail_domain::{index_run::batch::CommitSha, ref_selection::RefSelection};

use super::{GitError, RemoteTrouble, pkt_line::Packet};

/// A ref of a remote.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedRef {
    /// Its full name, byte for byte.
    pub name: Vec<u8>,
    /// The object that it names.
    pub target: CommitSha,
    /// What an annotated tag leads to at last.
    pub peeled: Option<CommitSha>,
}

impl ListedRef {
    /// What it leads to, tags peeled. It is a commit unless somebody tagged a file or a tree, or pointed a branch at
    /// one: a listing cannot tell.
    pub fn leads_to(&self) -> CommitSha {
        self.peeled.unwrap_or(self.target)
    }
}

/// Where the reading of an answer stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// At the first frame of an advertisement.
    Begin,
    /// After `# service=git-upload-pack`.
    AfterService,
    /// At the first frame that says something.
    First,
    /// Among refs, as before protocol 2.
    OldRefs,
    /// Among the capabilities of protocol 2.
    Capabilities,
    /// Among the refs of an answer to `ls-refs`.
    Refs,
    /// After the last flush.
    Done,
}

/// Reads an advertisement, and then the answer to `ls-refs` if the server speaks protocol 2.
pub(super) struct Reading<'a> {
    selection: &'a RefSelection,
    max_refs: usize,
    stage: Stage,
    /// The refs that are selected.
    pub(super) refs: Vec<ListedRef>,
    /// What `HEAD` stands for.
    pub(super) head: Option<Vec<u8>>,
    /// What the server can do with `ls-refs`; `None` when it does not speak protocol 2.
    pub(super) ls_refs: Option<LsRefs>,
}

/// What protocol 2 adds to a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LsRefs {
    /// Whether `HEAD` of an empty repository can be asked for.
    pub(super) unborn: bool,
    /// Whether the server wants to hear of the names' format.
    pub(super) object_format: bool,
}

impl<'a> Reading<'a> {
    pub(super) const fn new(selection: &'a RefSelection, max_refs: usize) -> Self {
        let refs = Vec::new();
        Self { selection, max_refs, stage: Stage::Begin, refs, head: None, ls_refs: None }
    }

    /// Goes on with the answer to `ls-refs`.
    pub(super) const fn expect_refs(&mut self) {
        self.stage = Stage::Refs;
    }

    /// Whether everything came.
    pub(super) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Reads a frame; `trouble` makes an error of this remote.
    pub(super) fn accept(
        &mut self,
        packet: Packet<'_>,
        trouble: &dyn Fn(RemoteTrouble) -> GitError,
    ) -> Result<(), GitError> {
        let breaks = |what| trouble(RemoteTrouble::Protocol { what });
        let Some(line) = packet.line() else {
            self.stage = match (self.stage, packet) {
                (Stage::AfterService, Packet::Flush) => Stage::First,
                (Stage::First | Stage::OldRefs | Stage::Capabilities | Stage::Refs, Packet::Flush) => Stage::Done,
                (Stage::Done, Packet::ResponseEnd) => Stage::Done,
                _ => return Err(breaks("a part of its answer ends where it should not")),
            };
            return Ok(());
        };
        if line.starts_with(b"ERR ") {
            return Err(breaks("it reports an error instead of its refs"));
        }
        match self.stage {
            Stage::Begin if line == b"# service=git-upload-pack" => self.stage = Stage::AfterService,
            Stage::Begin | Stage::First => match line {
                b"version 2" => {
                    self.stage = Stage::Capabilities;
                    self.ls_refs = Some(LsRefs::default());
                }
                b"version 1" => self.stage = Stage::First,
                _ => {
                    self.stage = Stage::OldRefs;
                    self.first_old_ref(line, trouble)?;
                }
            },
            Stage::OldRefs => self.old_ref(line, trouble)?,
            Stage::Capabilities => self.capability(line, trouble)?,
            Stage::Refs => self.listed(line, trouble)?,
            Stage::AfterService | Stage::Done => return Err(breaks("its answer goes on after its end")),
        }
        Ok(())
    }

    fn capability(&mut self, line: &[u8], trouble: &dyn Fn(RemoteTrouble) -> GitError) -> Result<(), GitError> {
        let (name, value) = split(line, b'=').unwrap_or((line, b""));
        let mut words = value.split(|byte| *byte == b' ');
        let ls_refs = self.ls_refs.get_or_insert_default();
        match name {
            b"ls-refs" => ls_refs.unborn = words.any(|word| word == b"unborn"),
            b"object-format" if value == b"sha1" => ls_refs.object_format = true,
            b"object-format" => return Err(trouble(RemoteTrouble::Sha256Unsupported)),
            _ => {}
        }
        Ok(())
    }

    fn first_old_ref(&mut self, line: &[u8], trouble: &dyn Fn(RemoteTrouble) -> GitError) -> Result<(), GitError> {
        let (item, capabilities) = split(line, 0).unwrap_or((line, b""));
        for word in capabilities.split(|byte| *byte == b' ') {
            if let Some(format) = word.strip_prefix(b"object-format=")
                && format != b"sha1"
            {
                return Err(trouble(RemoteTrouble::Sha256Unsupported));
            }
            if let Some(head) = word.strip_prefix(b"symref=HEAD:") {
                self.head = Some(head.to_vec());
            }
        }
        // Stands in the place of refs where there are none.
        if item.ends_with(b" capabilities^{}") {
            return Ok(());
        }
        self.old_ref(item, trouble)
    }

    fn old_ref(&mut self, line: &[u8], trouble: &dyn Fn(RemoteTrouble) -> GitError) -> Result<(), GitError> {
        // Where the history of a shallow clone ends. Protocol 2 tells that with the objects.
        if line.starts_with(b"shallow ") {
            return Err(trouble(RemoteTrouble::Shallow));
        }
        let (target, name) = named(line, trouble)?;
        if let Some(tag) = name.strip_suffix(b"^{}") {
            if let Some(last) = self.refs.last_mut().filter(|last| last.name == tag) {
                last.peeled = Some(target);
            }
            return Ok(());
        }
        self.keep(name, target, None)
    }

    fn listed(&mut self, line: &[u8], trouble: &dyn Fn(RemoteTrouble) -> GitError) -> Result<(), GitError> {
        let (line, attributes) = match line.iter().enumerate().filter(|(_, byte)| **byte == b' ').nth(1) {
            Some((end, _)) => (&line[..end], &line[end + 1..]),
            None => (line, &b""[..]),
        };
        let mut peeled = None;
        let is_head = line.ends_with(b" HEAD");
        for word in attributes.split(|byte| *byte == b' ') {
            if let Some(id) = word.strip_prefix(b"peeled:") {
                peeled = Some(sha(id, trouble)?);
            }
            if let Some(head) = word.strip_prefix(b"symref-target:").filter(|_| is_head) {
                self.head = Some(head.to_vec());
            }
        }
        if line.starts_with(b"unborn ") {
            return Ok(());
        }
        let (target, name) = named(line, trouble)?;
        self.keep(name, target, peeled)
    }

    fn keep(&mut self, name: &[u8], target: CommitSha, peeled: Option<CommitSha>) -> Result<(), GitError> {
        if self.selection.selects(name) {
            if self.refs.len() == self.max_refs {
                return Err(GitError::TooManyRefs { bound: self.max_refs });
            }
            self.refs.push(ListedRef { name: name.to_vec(), target, peeled });
        }
        Ok(())
    }
}

/// `<object> <name>`.
fn named<'l>(line: &'l [u8], trouble: &dyn Fn(RemoteTrouble) -> GitError) -> Result<(CommitSha, &'l [u8]), GitError> {
    let breaks = || trouble(RemoteTrouble::Protocol { what: "a line of its refs cannot be read" });
    let (id, name) = split(line, b' ').ok_or_else(breaks)?;
    Ok((sha(id, trouble)?, name))
}

fn sha(id: &[u8], trouble: &dyn Fn(RemoteTrouble) -> GitError) -> Result<CommitSha, GitError> {
    if id.len() == 64 && id.iter().all(u8::is_ascii_hexdigit) {
        return Err(trouble(RemoteTrouble::Sha256Unsupported));
    }
    let text = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
    text.ok_or_else(|| trouble(RemoteTrouble::Protocol { what: "the name of an object cannot be read" }))
}

fn split(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = memchr::memchr(at, bytes)?;
    Some((&bytes[..position], &bytes[position + 1..]))
}
