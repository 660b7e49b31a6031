//! How a ref's name is recorded and shown. Called by every listing; two names are never made one.

use std::sync::Arc;

use keytrail_domain::{display_text::DisplayText, hex::lower_hex};
use sha2::{Digest, Sha256};

/// The name as it is when it is fit to be shown. One that is not (no UTF-8, control characters, too long) is cleaned, and
/// ends in `~` and eight digits of its hash: `~` stands in no name of git's, so that it is told from every other.
pub(super) fn shown_name(name: &[u8]) -> Arc<str> {
    const MARK_BYTES: usize = 9;
    let clean = DisplayText::clean_bytes(name);
    if clean.as_str().as_bytes() == name {
        return clean.as_str().into();
    }
    let text = clean.as_str();
    let room = text.floor_char_boundary(DisplayText::MAX_BYTES - MARK_BYTES);
    let hash = Sha256::digest(name);
    format!("{}~{}", &text[..room], lower_hex(&hash[..4])).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_name_stays_and_others_stay_apart() {
        assert_eq!(&*shown_name(b"refs/heads/main"), "refs/heads/main");
        assert_eq!(&*shown_name("refs/heads/café".as_bytes()), "refs/heads/café");
        let (one, other) = (shown_name(b"refs/heads/caf\xe9"), shown_name(b"refs/heads/caf\xe8"));
        assert_ne!(one, other);
        assert!(one.starts_with("refs/heads/caf\u{fffd}~"), "{one}");
        let long = |end: &str| shown_name(format!("refs/heads/{}{end}", "ä".repeat(400)).as_bytes());
        assert_ne!(long("a"), long("b"));
        assert!(long("a").len() <= DisplayText::MAX_BYTES);
        assert_eq!(DisplayText::clean(&long("a")).as_str(), &*long("a"), "cleaning it again changes nothing");
    }
}
