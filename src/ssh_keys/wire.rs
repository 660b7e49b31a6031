//! The data types of SSH (RFC 4251, section 5): read from what may be cut off anywhere, and written. Called by the readers
//! of OpenSSH and PuTTY files and by the public half.

/// There are fewer bytes than they say, or a number is negative.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Short;

/// What is left to be read.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// So many bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Short> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Short)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A `uint32`.
    pub(super) fn number(&mut self) -> Result<u32, Short> {
        let bytes = self.take(4)?.try_into().map_err(|_| Short)?;
        Ok(u32::from_be_bytes(bytes))
    }

    /// A `string`.
    pub(super) fn string(&mut self) -> Result<&'a [u8], Short> {
        let length = self.number()?;
        self.take(length as usize)
    }

    /// An `mpint` that is not negative, without zeros before it.
    pub(super) fn large(&mut self) -> Result<&'a [u8], Short> {
        let bytes = self.string()?;
        if bytes.first().is_some_and(|first| *first >= 0x80) {
            return Err(Short);
        }
        Ok(without_zeros(bytes))
    }

    /// All that is left.
    pub(super) fn finish(self) -> &'a [u8] {
        self.rest
    }
}

/// Without the zeros that it begins with.
pub(super) fn without_zeros(bytes: &[u8]) -> &[u8] {
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    &bytes[first..]
}

/// Appends a `string`. What is so long does not come here: files are capped long before.
pub(super) fn put_string(to: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    to.extend_from_slice(&length.to_be_bytes());
    to.extend_from_slice(bytes);
}

/// Appends an `mpint` that is not negative.
pub(super) fn put_large(to: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = without_zeros(bytes);
    let padded = bytes.first().is_some_and(|first| *first >= 0x80);
    let length = u32::try_from(bytes.len() + usize::from(padded)).unwrap_or(u32::MAX);
    to.extend_from_slice(&length.to_be_bytes());
    if padded {
        to.push(0);
    }
    to.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_went_and_negative_ones_are_refused() {
        // The examples of RFC 4251, section 5.
        let examples: [(&[u8], &[u8]); 3] = [
            (&[], &[0, 0, 0, 0]),
            (&[0x80], &[0, 0, 0, 2, 0, 0x80]),
            (
                &[9, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7],
                &[0, 0, 0, 8, 9, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7],
            ),
        ];
        for (number, written) in examples {
            let mut to = Vec::new();
            put_large(&mut to, number);
            assert_eq!(to, written);
            assert_eq!(Reader::new(written).large(), Ok(number));
        }
        assert_eq!(Reader::new(&[0, 0, 0, 2, 0xed, 0xcc]).large(), Err(Short));
    }

    #[test]
    fn what_is_cut_off_is_short_and_lengths_beyond_the_end_take_nothing() {
        assert_eq!(Reader::new(&[0, 0, 0, 3, 1, 2]).string(), Err(Short));
        assert_eq!(Reader::new(&[0xff; 8]).string(), Err(Short));
        assert_eq!(Reader::new(&[0, 0]).number(), Err(Short));
    }
}
