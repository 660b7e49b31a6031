//! The frames of git's protocol: four hexadecimal digits of length and then the data (gitprotocol-common). Called by
//! the listing of refs and by transports; it holds one frame at most beside what was just read.

/// A frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    /// `0000`: the end of a part.
    Flush,
    /// `0001`: what separates the parts of a request.
    Delimiter,
    /// `0002`: the end of an answer of a connection without state.
    ResponseEnd,
    /// Anything else.
    Data(&'a [u8]),
}

impl<'a> Packet<'a> {
    /// The data without the line feed that ends most of them.
    pub(crate) fn line(self) -> Option<&'a [u8]> {
        match self {
            Self::Data(data) => Some(data.strip_suffix(b"\n").unwrap_or(data)),
            _ => None,
        }
    }
}

/// The length of a frame is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadLength;

/// Takes frames out of what was read.
#[derive(Default)]
pub(crate) struct PktDecoder {
    buffer: Vec<u8>,
    at: usize,
}

impl PktDecoder {
    /// The greatest length, digits included.
    const LONGEST: usize = 65520;

    /// Where to append what is read.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        self.buffer.drain(..std::mem::take(&mut self.at));
        &mut self.buffer
    }

    /// The next frame; `None` when more must be read.
    pub(crate) fn take(&mut self) -> Result<Option<Packet<'_>>, BadLength> {
        let rest = &self.buffer[self.at..];
        let Some((digits, rest)) = rest.split_at_checked(4) else { return Ok(None) };
        let mut length = 0;
        for digit in digits {
            length = length << 4 | char::from(*digit).to_digit(16).ok_or(BadLength)? as usize;
        }
        let packet = match length {
            0 => Packet::Flush,
            1 => Packet::Delimiter,
            2 => Packet::ResponseEnd,
            4..=Self::LONGEST => match rest.get(..length - 4) {
                Some(data) => Packet::Data(data),
                None => return Ok(None),
            },
            _ => return Err(BadLength),
        };
        self.at += length.max(4);
        Ok(Some(packet))
    }

    /// Whether nothing is left over.
    pub(crate) const fn is_empty(&self) -> bool {
        self.at == self.buffer.len()
    }
}

/// Appends a frame with this line and a line feed. Lines of ours are short.
pub(crate) fn push_line(out: &mut Vec<u8>, line: &str) {
    out.extend_from_slice(format!("{:04x}{line}\n", line.len() + 5).as_bytes());
}

/// Appends [`Packet::Flush`].
pub(crate) fn push_flush(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0000");
}

/// Appends [`Packet::Delimiter`].
pub(crate) fn push_delimiter(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0001");
}
