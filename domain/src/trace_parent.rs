//! The W3C `traceparent` of a request, as metadata keep it. The edge reads it from the header; nothing sends it on.
//!
//! Source: W3C Trace Context (2021), section 3.2.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Characters of version 00; a later version may only add some behind a hyphen.
const LENGTH: usize = 55;

/// Which trace a request belongs to, and which span of the caller it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// 16 bytes, not all zero.
    trace: u128,
    /// 8 bytes, not all zero.
    parent: u64,
    /// Whether the caller keeps the trace.
    sampled: bool,
}

impl TraceParent {
    /// From the header's text. Nothing when the standard says that it is to be ignored: another form, capitals, the
    /// version ff, a trace or a span of zeros.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let plain = bytes.len() >= LENGTH && bytes[..LENGTH].iter().all(|byte| is_hex(*byte) || *byte == b'-');
        if !plain || [2, 35, 52].iter().any(|hyphen| bytes[*hyphen] != b'-') {
            return None;
        }
        let version = hex(&text[..2])?;
        match (version, bytes.get(LENGTH)) {
            (0xff, _) => return None,
            (0, Some(_)) => return None,
            (_, Some(next)) if *next != b'-' => return None,
            _ => {}
        }
        let (trace, parent) = (hex(&text[3..35])?, hex(&text[36..52])?);
        let sampled = hex(&text[53..LENGTH])? & 1 == 1;
        // 16 digits fill 64 bits.
        let parent = u64::try_from(parent).ok()?;
        (trace != 0 && parent != 0).then_some(Self { trace, parent, sampled })
    }

    /// The trace: 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }
}

const fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Digits alone: the parser of numbers would take a sign, too.
fn hex(text: &str) -> Option<u128> {
    text.bytes().all(is_hex).then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

impl fmt::Display for TraceParent {
    /// As version 00.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-0{}", self.trace, self.parent, u8::from(self.sampled))
    }
}

impl Serialize for TraceParent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceParent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not a traceparent"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard.
    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_example_of_the_standard_is_read_and_written_again() {
        let parent = TraceParent::parse(EXAMPLE).expect("it is valid");
        assert_eq!(parent.to_string(), EXAMPLE);
        assert_eq!(parent.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(serde_json::to_string(&parent).expect("JSON"), format!("\"{EXAMPLE}\""));
        assert_eq!(serde_json::from_str::<TraceParent>(&format!("\"{EXAMPLE}\"")).expect("JSON"), parent);
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known_and_flags_that_are_not_are_dropped() {
        for later in
            ["cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes", &EXAMPLE.replace("00-4", "cc-4")]
        {
            assert_eq!(TraceParent::parse(later).expect("it is valid").to_string(), EXAMPLE);
        }
        let flags = EXAMPLE.replace("-01", "-fe");
        assert_eq!(TraceParent::parse(&flags).expect("it is valid").to_string(), EXAMPLE.replace("-01", "-00"));
    }

    #[test]
    fn what_the_standard_says_to_ignore_is_nothing() {
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-ébf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceParent::parse(bad), None, "{bad}");
            assert!(serde_json::from_str::<TraceParent>(&format!("\"{bad}\"")).is_err());
        }
    }
}
