//! The first words of a server: which protocol it speaks. Called before a question is asked; refs that an old server
//! lists there are passed over, since they were listed before.

use super::packets::{NoPacket, Packet, Packets};

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
    packets: Packets,
    /// `# service=…` and a flush come first over HTTP.
    service: bool,
    dialect: Option<Dialect>,
}

impl Advertisement {
    /// What the server speaks, as soon as it is known.
    pub(super) const fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    /// `Some` when it is whole.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Option<Dialect>, NoPacket> {
        self.packets.push(bytes);
        while let Some(packet) = self.packets.next()? {
            match packet {
                Packet::Data(line) if line.starts_with(b"# service=") => self.service = true,
                Packet::Data(line) if line.starts_with(b"ERR ") => return Err(NoPacket),
                Packet::Data(line) if self.dialect.is_none() => {
                    let two = line.trim_ascii_end() == b"version 2";
                    self.dialect = Some(if two { Dialect::Two } else { Dialect::Old });
                }
                Packet::Data(_) => {}
                Packet::Flush if self.service && self.dialect.is_none() => self.service = false,
                Packet::Flush => return self.dialect.map(Some).ok_or(NoPacket),
                Packet::Delimiter | Packet::ResponseEnd => return Err(NoPacket),
            }
        }
        Ok(None)
    }
}
