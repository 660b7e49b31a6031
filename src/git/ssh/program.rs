//! Which OpenSSH the program `ssh` is. Asked by the doctor; nobody is connected to.

use std::{fmt, io, path::Path, process::Stdio, str::FromStr, time::Duration};

use keytrail_domain::display_text::DisplayText;
use tokio::process::Command;

/// How long it may take to say its version.
const VERSION_TAKES: Duration = Duration::from_secs(5);

/// A version of OpenSSH.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SshVersion(pub u16, pub u16);

/// The text is no version of OpenSSH.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it does not say its version as OpenSSH does")]
pub struct NoSshVersion;

impl SshVersion {
    /// The first that knows all that it is told here: an agent named by an option, no jump, signatures with SHA-2.
    pub const OLDEST: Self = Self(7, 3);

    /// Asks this file for its version.
    ///
    /// # Errors
    /// When it does not run, or is another program.
    pub async fn of(program: &Path) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.arg("-V").env_clear().stdin(Stdio::null()).kill_on_drop(true);
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "it does not answer");
        let output = tokio::time::timeout(VERSION_TAKES, command.output()).await.map_err(late)??;
        // OpenSSH says it where errors are said, and there, too, that it does not run for this user.
        let said = String::from_utf8_lossy(&output.stderr);
        said.parse().map_err(|error: NoSshVersion| {
            let why = DisplayText::clean(said.lines().next().unwrap_or_default());
            if output.status.success() || why.as_str().is_empty() {
                io::Error::other(error)
            } else {
                io::Error::other(why.as_str().to_owned())
            }
        })
    }
}

impl fmt::Display for SshVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl FromStr for SshVersion {
    type Err = NoSshVersion;

    /// Reads `OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19 27 Jan 2026` and `OpenSSH_for_Windows_9.5p1`.
    fn from_str(text: &str) -> Result<Self, NoSshVersion> {
        let text = text.trim().strip_prefix("OpenSSH_").ok_or(NoSshVersion)?;
        let text = text.strip_prefix("for_Windows_").unwrap_or(text);
        let (major, rest) = text.split_once('.').ok_or(NoSshVersion)?;
        let minor = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        let number = |text: &str| text.parse().map_err(|_| NoSshVersion);
        Ok(Self(number(major)?, number(minor)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_openssh_says_them() {
        let read = |text: &str| text.parse::<SshVersion>();
        assert_eq!(read("OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19 27 Jan 2026\n"), Ok(SshVersion(9, 2)));
        assert_eq!(read("OpenSSH_for_Windows_9.5p1, LibreSSL 3.8.2"), Ok(SshVersion(9, 5)));
        assert_eq!(read("OpenSSH_10.0"), Ok(SshVersion(10, 0)));
        assert!(SshVersion(7, 2) < SshVersion::OLDEST && SshVersion::OLDEST < SshVersion(10, 0));
        for other in ["", "Dropbear v2022.83", "OpenSSH_", "OpenSSH_x.y", "OpenSSH_9"] {
            assert_eq!(read(other), Err(NoSshVersion), "{other}");
        }
    }
}
