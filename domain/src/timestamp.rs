//! A moment, in microseconds since 1970 UTC. It is always handed in: nothing here reads a clock.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Microseconds since 1970-01-01T00:00:00Z. Written as RFC 3339 with six decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From whole seconds, as git and JSON web tokens count them. Out-of-range seconds saturate.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This moment moved by `micros`.
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::<Utc>::from_timestamp_micros(self.0) {
            Some(time) if (0..=9999).contains(&time.year()) => {
                let mut text = *b"0000-00-00T00:00:00.000000Z";
                let parts = [time.month(), time.day(), time.hour(), time.minute(), time.second()];
                digits(&mut text[..4], time.year().unsigned_abs());
                for (part, at) in parts.into_iter().zip([5, 8, 11, 14, 17]) {
                    digits(&mut text[at..at + 2], part);
                }
                digits(&mut text[20..26], time.timestamp_subsec_micros());
                f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
            }
            // Years that RFC 3339 cannot write: a commit may claim any second.
            _ => write!(f, "@{}", self.seconds()),
        }
    }
}

/// Fills `text` with the last digits of `number`. Answers hold thousands of times: a formatter that is told the shape
/// each time takes ten times as long.
fn digits(text: &mut [u8], mut number: u32) {
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The text was not a moment that we can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time such as 2026-11-21T06:00:00Z")]
pub struct NotATime;

impl FromStr for Timestamp {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        if let Some(seconds) = text.strip_prefix('@') {
            return seconds.parse().map(Self::from_seconds).map_err(|_| NotATime);
        }
        DateTime::parse_from_rfc3339(text).map(|time| Self(time.timestamp_micros())).map_err(|_| NotATime)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_moment_survives_its_text() {
        for micros in [0, 1, -1, 1_700_000_000_123_456, i64::MAX / 2, i64::MIN / 2] {
            let text = Timestamp(micros).to_string();
            let read: Timestamp = text.parse().expect("what we wrote");
            assert_eq!(read.seconds(), Timestamp(micros).seconds(), "{text}");
        }
        assert_eq!(Timestamp(1_700_000_000_123_456).to_string(), "2023-11-14T22:13:20.123456Z");
        assert_eq!("yesterday".parse::<Timestamp>(), Err(NotATime));
    }

    #[test]
    fn a_time_of_any_zone_is_read_as_utc() {
        for text in ["2026-11-21T06:00:00Z", "2026-11-21T07:30:00.000000+01:30", "2026-11-21t06:00:00z"] {
            assert_eq!(text.parse::<Timestamp>().expect("a time").to_string(), "2026-11-21T06:00:00.000000Z");
        }
        for text in ["", "@", "@x", "@1.5", "2026-11-21", "2026-11-21T06:00:00", "2026-13-01T00:00:00Z", "@\u{661}"] {
            assert_eq!(text.parse::<Timestamp>(), Err(NotATime), "{text}");
        }
        assert_eq!("@9223372036854775807".parse(), Ok(Timestamp(i64::MAX)));
    }

    proptest! {
        #[test]
        fn every_moment_of_a_year_of_four_digits_survives_exactly_and_in_order(
            one in -62_167_219_200_000_000..253_402_300_800_000_000_i64,
            other in -62_167_219_200_000_000..253_402_300_800_000_000_i64,
        ) {
            let [one, other] = [Timestamp(one), Timestamp(other)];
            prop_assert_eq!(one.to_string().parse(), Ok(one));
            let theirs = DateTime::<Utc>::from_timestamp_micros(one.0).expect("a year of four digits");
            prop_assert_eq!(one.to_string(), theirs.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
            prop_assert_eq!(one.to_string().cmp(&other.to_string()), one.cmp(&other));
        }

        #[test]
        fn every_other_moment_survives_to_its_second(micros: i64) {
            let read: Timestamp = Timestamp(micros).to_string().parse().expect("what we wrote");
            prop_assert_eq!(read.to_string(), Timestamp(micros).to_string());
            prop_assert!(read == Timestamp(micros) || read == Timestamp::from_seconds(Timestamp(micros).seconds()));
        }
    }
}
