//! The first words of a server: which protocol it speaks. Called before a question is asked; refs that an old server
//! lists there are passed over, since they were listed before.

use crate::git::remote::pkt_line::{BadLength, Packet, PktDecoder};

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// The protocol before versions: capabilities stand with the first want.
    Old,
    /// Version 2: commands.
    Two,
}

/// Reads an advertisement to its end.
#[derive(Default)]
pub(super) struct Advertisement {
    packets: PktDecoder,
    /// `# service=…` and a flush come first over HTTP.
    service: bool,
    dialect: Option<Dialect>,
    is_shallow: bool,
}

impl Advertisement {
    /// What the server speaks, as soon as it is known.
    pub(super) const fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    /// Whether an old server said, behind its refs, where its own history ends. Others say so with the objects.
    pub(super) const fn is_shallow(&self) -> bool {
        self.is_shallow
    }

    /// Where to append what is read.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        self.packets.buffer()
    }

    /// `Some` when it is whole.
    pub(super) fn read(&mut self) -> Result<Option<Dialect>, BadLength> {
        while let Some(packet) = self.packets.take()? {
            match packet {
                Packet::Data(line) if line.starts_with(b"# service=") => self.service = true,
                Packet::Data(line) if line.starts_with(b"ERR ") => return Err(BadLength),
                Packet::Data(line) if self.dialect.is_none() => {
                    let two = line.trim_ascii_end() == b"version 2";
                    self.dialect = Some(if two { Dialect::Two } else { Dialect::Old });
                }
                Packet::Data(line) => self.is_shallow |= line.starts_with(b"shallow "),
                Packet::Flush if self.service && self.dialect.is_none() => self.service = false,
                Packet::Flush => return self.dialect.map(Some).ok_or(BadLength),
                Packet::Delimiter | Packet::ResponseEnd => return Err(BadLength),
            }
        }
        Ok(None)
    }
}
