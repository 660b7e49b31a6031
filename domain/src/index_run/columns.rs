//! How columns of a batch are written: object names as one base64 text, sorted names without their common beginnings.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::batch::CommitSha;

/// Object names one after the other. 27 characters each, where hexadecimal takes 40 and two quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shas(pub(super) Vec<CommitSha>);

impl Serialize for Shas {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|sha| sha.0).collect();
        serializer.serialize_str(&STANDARD_NO_PAD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Shas {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let bytes = STANDARD_NO_PAD.decode(text.as_bytes()).map_err(de::Error::custom)?;
        let (names, rest) = bytes.as_chunks::<20>();
        if !rest.is_empty() {
            return Err(de::Error::custom("object names are 20 bytes each"));
        }
        Ok(Self(names.iter().map(|name| CommitSha(*name)).collect()))
    }
}

/// Names as (bytes shared with the name before, rest).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FrontCoded {
    shared: Vec<usize>,
    rest: Vec<String>,
}

impl FrontCoded {
    pub(super) fn encode<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut out = Self::default();
        let mut before = "";
        for name in names {
            let mut shared = before.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
            while !name.is_char_boundary(shared) || !before.is_char_boundary(shared) {
                shared -= 1;
            }
            out.shared.push(shared);
            out.rest.push(name[shared..].to_owned());
            before = name;
        }
        out
    }

    pub(super) fn decode(&self) -> Result<Vec<String>, &'static str> {
        if self.shared.len() != self.rest.len() {
            return Err("names and their shared beginnings differ in number");
        }
        let mut names: Vec<String> = Vec::with_capacity(self.rest.len());
        for (&shared, rest) in self.shared.iter().zip(&self.rest) {
            let before = names.last().map_or("", String::as_str);
            let beginning = before.get(..shared).ok_or("a name shares more than there is")?;
            names.push([beginning, rest].concat());
        }
        Ok(names)
    }
}

/// Numbers as differences to the one before.
pub(super) fn differences(values: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut before = 0_i64;
    values.map(|value| value.wrapping_sub(std::mem::replace(&mut before, value))).collect()
}

/// The inverse of [`differences`].
pub(super) fn sums(differences: &[i64]) -> impl Iterator<Item = i64> + '_ {
    differences.iter().scan(0_i64, |sum, difference| {
        *sum = sum.wrapping_add(*difference);
        Some(*sum)
    })
}
