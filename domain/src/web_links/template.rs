//! One template of a link: an address of the web with variables behind its host. What stands for a variable is
//! percent-encoded, so that nothing that a person wrote into a repository leads to another place.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::remote_url::{RemoteUrl, Scheme};

/// What stands for a part of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// The name of a commit.
    Rev,
    /// The path of a file.
    Path,
    /// The name of a branch, without `refs/heads/`.
    Branch,
    /// The number of a pull request.
    Number,
}

impl Variable {
    const ALL: [Self; 4] = [Self::Rev, Self::Path, Self::Branch, Self::Number];

    /// As it is written between `${` and `}`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rev => "rev",
            Self::Path => "path",
            Self::Branch => "branch",
            Self::Number => "number",
        }
    }
}

/// A template that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkTemplate(String);

/// The text is no template. Names no part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// Longer than [`LinkTemplate::MAX_BYTES`].
    #[error("it is longer than {} bytes", LinkTemplate::MAX_BYTES)]
    TooLong,
    /// Something that browsers do not open, or do more than open.
    #[error("it begins with https:// or http:// and a host; no variable, user or password stands there")]
    NotTheWeb,
    /// A blank, a control character, a quote and the like.
    #[error("it holds a character that no address holds; write it percent-encoded")]
    BadCharacter,
    /// No such variable.
    #[error("the variables are ${{rev}}, ${{path}}, ${{branch}} and ${{number}}; another $ is written %24")]
    UnknownVariable,
    /// All that is shown would have one link, or a part of it could not be known.
    #[error(
        "a link to a commit has ${{rev}} in it, one to a file ${{path}} and perhaps ${{rev}}, one to a branch ${{branch}}, \
         one to a pull request ${{number}}, and no other"
    )]
    OtherVariables,
}

impl LinkTemplate {
    /// The bound in bytes of its text.
    pub const MAX_BYTES: usize = 1_000;

    /// Reads one. `must` is the variable that it has to have, `may` another one that it can have.
    ///
    /// # Errors
    /// When it is not an address of the web with these variables.
    pub fn parse(text: &str, must: Variable, may: Option<Variable>) -> Result<Self, BadTemplate> {
        let read = Self::read(text)?;
        let has = |variable: Variable| text.contains(&format!("${{{}}}", variable.as_str()));
        let others = Variable::ALL.into_iter().filter(|one| *one != must && Some(*one) != may);
        if !has(must) || others.into_iter().any(has) {
            return Err(BadTemplate::OtherVariables);
        }
        Ok(read)
    }

    fn read(text: &str) -> Result<Self, BadTemplate> {
        if text.len() > Self::MAX_BYTES {
            return Err(BadTemplate::TooLong);
        }
        let mut plain = text.to_owned();
        for variable in Variable::ALL {
            plain = plain.replace(&format!("${{{}}}", variable.as_str()), "x");
        }
        if plain.contains('$') {
            return Err(BadTemplate::UnknownVariable);
        }
        if !plain.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)) || !is_encoded(&plain)
        {
            return Err(BadTemplate::BadCharacter);
        }
        let (scheme, rest) = text.split_once("://").ok_or(BadTemplate::NotTheWeb)?;
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        // A variable would show there as what is no host.
        let parsed = RemoteUrl::parse(&format!("{scheme}://{host}/x")).map_err(|_| BadTemplate::NotTheWeb)?;
        let is_web = matches!(scheme, "https" | "http") && matches!(parsed.url.scheme(), Scheme::Https | Scheme::Http);
        if !is_web || host.contains(['$', '@']) || parsed.credential.is_some() {
            return Err(BadTemplate::NotTheWeb);
        }
        Ok(Self(text.to_owned()))
    }

    /// The link. `None` where a value would lead out of its place: browsers resolve `..`, however it is written.
    pub(super) fn fill(&self, values: &[(Variable, &[u8])]) -> Option<String> {
        let mut out = String::with_capacity(self.0.len() + 40);
        let mut rest = self.0.as_str();
        while let Some((before, behind)) = rest.split_once("${") {
            let (name, behind) = behind.split_once('}')?;
            let (_, value) = values.iter().find(|(variable, _)| variable.as_str() == name)?;
            if value.split(|byte| *byte == b'/').any(|part| part == b"." || part == b"..") {
                return None;
            }
            out.push_str(before);
            encode_into(&mut out, value);
            rest = behind;
        }
        out.push_str(rest);
        Some(out)
    }
}

/// Percent-encodes whatever is not plain; slashes stay.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode_into(&mut out, text.as_bytes());
    out
}

fn encode_into(out: &mut String, value: &[u8]) {
    for byte in value {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(byte) {
            out.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

fn is_encoded(text: &str) -> bool {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = text.as_bytes();
    let mut percents = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    percents.all(|(at, _)| is_digit(bytes.get(at + 1)) && is_digit(bytes.get(at + 2)))
}

impl fmt::Display for LinkTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for LinkTemplate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for LinkTemplate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
