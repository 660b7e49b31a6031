//! git's packets (gitprotocol-common): four hexadecimal digits, which count themselves, and what they count. Written
//! and read here; never more than one packet is held.

use bytes::{Bytes, BytesMut};

/// The most that a packet may count, by the protocol.
const LONGEST: usize = 65_520;

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Packet {
    Data(Bytes),
    /// `0000`: the end of a message.
    Flush,
    /// `0001`: the end of a section.
    Delimiter,
    /// `0002`: the end of an answer without connection.
    ResponseEnd,
}

/// It is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoPacket;

/// Packets, from bytes that come in any portions.
#[derive(Default)]
pub(super) struct Packets {
    buffer: BytesMut,
}

impl Packets {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next that is whole; `None` when more bytes are needed.
    pub(super) fn next(&mut self) -> Result<Option<Packet>, NoPacket> {
        let Some(digits) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let text = std::str::from_utf8(digits).map_err(|_| NoPacket)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(NoPacket);
        }
        let length = usize::from_str_radix(text, 16).map_err(|_| NoPacket)?;
        let packet = match length {
            0 => Packet::Flush,
            1 => Packet::Delimiter,
            2 => Packet::ResponseEnd,
            3 => return Err(NoPacket),
            4..=LONGEST => {
                if self.buffer.len() < length {
                    return Ok(None);
                }
                let mut whole = self.buffer.split_to(length);
                return Ok(Some(Packet::Data(whole.split_off(4).freeze())));
            }
            _ => return Err(NoPacket),
        };
        let _ = self.buffer.split_to(4);
        Ok(Some(packet))
    }
}

/// Appends a packet with this line.
pub(super) fn line(out: &mut Vec<u8>, text: &[u8]) {
    debug_assert!(text.len() + 4 <= LONGEST, "all that we say is short");
    out.extend_from_slice(format!("{:04x}", text.len() + 4).as_bytes());
    out.extend_from_slice(text);
}

pub(super) const FLUSH: &[u8] = b"0000";
pub(super) const DELIMITER: &[u8] = b"0001";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_whole_from_any_portions() {
        let mut written = Vec::new();
        line(&mut written, b"hello\n");
        written.extend_from_slice(DELIMITER);
        line(&mut written, b"");
        written.extend_from_slice(FLUSH);
        let expected =
            [Packet::Data(b"hello\n".as_slice().into()), Packet::Delimiter, Packet::Data(Bytes::new()), Packet::Flush];
        for portion in 1..written.len() {
            let mut packets = Packets::default();
            let mut found = Vec::new();
            for bytes in written.chunks(portion) {
                packets.push(bytes);
                while let Some(packet) = packets.next().expect("packets") {
                    found.push(packet);
                }
            }
            assert_eq!(found, expected, "portions of {portion}");
        }
    }

    #[test]
    fn what_is_no_packet_is_refused_at_once() {
        for bytes in [b"zzzz".as_slice(), b"+001", b"0003", b"ffff", b"<htm"] {
            let mut packets = Packets::default();
            packets.push(bytes);
            assert_eq!(packets.next(), Err(NoPacket));
        }
    }
}
