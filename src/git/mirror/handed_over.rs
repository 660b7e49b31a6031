//! Since when another node looks after the repository of a mirror, as the upkeep noted it in the mirror itself. It decides
//! nothing, and what cannot be read is as if it were not noted.

use std::{fs, io, path::Path};

use keytrail_domain::{recorded::Position, timestamp::Timestamp};

use super::Mirror;
use crate::git::GitError;

/// When it was noted that another node looks after the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandedOver {
    /// By this node's clock.
    pub since: Timestamp,
    /// Where the log stood.
    pub position: Position,
}

impl Mirror {
    /// What was noted; `None` as long as the repository is this node's.
    pub fn handed_over(&self) -> Option<HandedOver> {
        let text = fs::read_to_string(self.note()).ok()?;
        let (since, position) = text.trim().split_once(' ')?;
        Some(HandedOver { since: Timestamp(since.parse().ok()?), position: position.parse().ok()? })
    }

    /// Notes that another node looks after it.
    pub fn note_handed_over(&self, noted: HandedOver) -> Result<(), GitError> {
        let HandedOver { since, position } = noted;
        self.noted(fs::write(self.note(), format!("{} {position}\n", since.0)))
    }

    /// The repository is this node's again: it works with the mirror.
    pub fn note_used(&self) -> Result<(), GitError> {
        match fs::remove_file(self.note()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => self.noted(removed),
        }
    }

    fn note(&self) -> std::path::PathBuf {
        Path::new(self.path()).join("keytrail.handed-over")
    }

    fn noted(&self, written: io::Result<()>) -> Result<(), GitError> {
        written.map_err(|error| self.failed("noting who looks after the mirror", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read_again_until_the_mirror_is_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let mirror = Mirror::open_or_make(&folder.path().join("one.git")).expect("a mirror");
        assert_eq!(mirror.handed_over(), None);
        let noted = HandedOver { since: Timestamp(7_000_000), position: 9 };
        mirror.note_handed_over(noted).expect("it can be written");
        assert_eq!(mirror.handed_over(), Some(noted));
        assert!(Mirror::recognised(mirror.path()).is_some());
        for _ in 0..2 {
            mirror.note_used().expect("it can be removed");
            assert_eq!(mirror.handed_over(), None);
        }
        fs::write(mirror.note(), "torn").expect("a file");
        assert_eq!(mirror.handed_over(), None);
    }
}
