//! The answer to a question, taken apart while it comes: the pack, and words beside it. It never keeps what the server
//! says in words.

use crate::git::{
    GitError,
    remote::{
        Remote, RemoteTrouble,
        pkt_line::{BadLength, Packet, PktDecoder},
    },
    transport::FetchError,
};

/// A part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The next bytes of the pack.
    Pack(Vec<u8>),
    /// Something else, such as how far the server is.
    Word,
    /// That was all.
    End,
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is not git's.
    NoPacket,
    /// The server says that an object is not there for us.
    NotThere,
    /// The server says that it failed.
    Failed,
    /// The server says where its own history ends.
    Shallow,
}

impl From<BadLength> for Wrong {
    fn from(_: BadLength) -> Self {
        Self::NoPacket
    }
}

impl Wrong {
    pub(super) fn error(self, remote: &Remote) -> GitError {
        match self {
            Self::NoPacket => remote.trouble(RemoteTrouble::Protocol { what: "its answer is no answer of git's" }),
            Self::NotThere => FetchError::RefsMoved.into(),
            Self::Failed => FetchError::BrokeOff.into(),
            Self::Shallow => remote.trouble(RemoteTrouble::Shallow),
        }
    }
}

/// Parts, from bytes that come in any portions. Version 2 has a line `packfile` first, its forerunner `NAK` or `ACK`;
/// then both send bands: 1 is the pack, 2 words, 3 a failure.
#[derive(Default)]
pub(super) struct Parts {
    packets: PktDecoder,
    begun: bool,
}

impl Parts {
    /// Where to append what is read.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        self.packets.buffer()
    }

    /// The next that is whole; `None` when more bytes are needed.
    pub(super) fn next(&mut self) -> Result<Option<Part>, Wrong> {
        let Some(packet) = self.packets.take()? else { return Ok(None) };
        let line = match packet {
            Packet::Data(line) => line,
            Packet::Flush if self.begun => return Ok(Some(Part::End)),
            Packet::Flush | Packet::Delimiter | Packet::ResponseEnd => return Err(Wrong::NoPacket),
        };
        let Some(band) = line.first().copied() else { return Ok(Some(Part::Word)) };
        match band {
            1 => {
                self.begun = true;
                Ok(Some(Part::Pack(line[1..].to_vec())))
            }
            2 => Ok(Some(Part::Word)),
            3 => Err(refusal(&line[1..])),
            _ if line.starts_with(b"ERR ") => Err(refusal(&line[4..])),
            // Unasked for only when the repository is shallow itself.
            _ if !self.begun && line.trim_ascii_end() == b"shallow-info" => Err(Wrong::Shallow),
            _ if !self.begun && is_opening(line.trim_ascii_end()) => Ok(Some(Part::Word)),
            _ => Err(Wrong::NoPacket),
        }
    }
}

fn is_opening(line: &[u8]) -> bool {
    line == b"packfile" || line == b"NAK" || line.starts_with(b"ACK ")
}

/// git says "upload-pack: not our ref", JGit "want … not valid".
fn refusal(words: &[u8]) -> Wrong {
    let has = |text: &[u8]| memchr::memmem::find(words, text).is_some();
    if has(b"not our ref") || has(b"not valid") { Wrong::NotThere } else { Wrong::Failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(packets: &[&[u8]]) -> Result<Vec<Part>, Wrong> {
        let mut bytes = Vec::new();
        for packet in packets {
            let length = if packet.is_empty() { 0 } else { packet.len() + 4 };
            bytes.extend_from_slice(format!("{length:04x}").as_bytes());
            bytes.extend_from_slice(packet);
        }
        let mut parts = Parts::default();
        parts.buffer().extend_from_slice(&bytes);
        let mut found = Vec::new();
        while let Some(part) = parts.next()? {
            found.push(part);
        }
        Ok(found)
    }

    #[test]
    fn the_pack_is_taken_out_of_answers_of_both_protocols() {
        for opening in [b"packfile\n".as_slice(), b"NAK\n", b"ACK 0101010101010101010101010101010101010101\n"] {
            let found = parts(&[opening, b"\x02counting", b"\x01PA", b"\x01CK", b""]).expect("an answer");
            let pack = |bytes: &'static [u8]| Part::Pack(bytes.to_vec());
            assert_eq!(found, [Part::Word, Part::Word, pack(b"PA"), pack(b"CK"), Part::End]);
        }
    }

    #[test]
    fn what_is_wrong_with_an_answer_is_told_apart() {
        assert_eq!(parts(&[b"packfile\n", b"\x03fatal: disk"]), Err(Wrong::Failed));
        assert_eq!(parts(&[b"ERR upload-pack: not our ref 01"]), Err(Wrong::NotThere));
        assert_eq!(parts(&[b"shallow-info\n", b"shallow 01\n"]), Err(Wrong::Shallow));
        assert_eq!(parts(&[b""]), Err(Wrong::NoPacket));
        assert_eq!(parts(&[b"hello\n"]), Err(Wrong::NoPacket));
        assert_eq!(parts(&[b"packfile\n", b"\x01PACK", b"packfile\n"]), Err(Wrong::NoPacket));
    }
}
