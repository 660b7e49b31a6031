//! The git program: where it is, which version, whether it may be used. Called by the fetch, by `tend`, and by whoever
//! tells a person what this machine lacks. It never runs a program that it was not given the path of.

pub(in crate::git) mod fetch;
pub(in crate::git) mod invocation;
mod memory;
mod progress_line;
pub(in crate::git) mod running;
mod said;
mod source;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use self::{invocation::Invocation, running::Ending};

/// How long `git version` may take.
const VERSION_TAKES: Duration = Duration::from_secs(10);

/// A version such as 2.47.3; what follows the third number (a vendor's suffix) is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GitVersion(pub u16, pub u16, pub u16);

impl fmt::Display for GitVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The text is no version of git.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it does not say its version as git does")]
pub struct NoVersion;

impl FromStr for GitVersion {
    type Err = NoVersion;

    /// Reads `git version 2.39.5 (Apple Git-154)`, `2.50.0-rc1` and the like.
    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let text = text.trim().strip_prefix("git version ").unwrap_or(text.trim());
        let mut numbers = text.split(['.', '-', ' ', '+']);
        let mut number = || numbers.next().and_then(|number| number.parse().ok());
        let (major, minor) = (number().ok_or(NoVersion)?, number().ok_or(NoVersion)?);
        Ok(Self(major, minor, number().unwrap_or(0)))
    }
}

/// Whether a program may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Good,
    /// By its number it has published weaknesses.
    Vulnerable {
        /// The first version of its line without them.
        fixed_in: GitVersion,
    },
    /// The same, but an administrator vouches that they were mended under that number, as distributions do. It may be
    /// used.
    Vouched {
        /// The first version of its line that needs nobody to vouch.
        fixed_in: GitVersion,
    },
    /// It lacks what a safe fetch needs.
    TooOld {
        /// The first version that has it.
        needs: GitVersion,
    },
}

impl Verdict {
    /// `http.curloptResolve` (2.37), which pins the address that was checked, is the youngest of what is needed.
    pub const NEEDS: GitVersion = GitVersion(2, 37, 0);

    /// The first of each line with the fixes of July 2025 (CVE-2025-48384, -48385), from git's release notes. Older
    /// lines got none from git itself; what a distribution mended under an old number cannot be told from it.
    pub const FIXED: [GitVersion; 8] = [
        GitVersion(2, 43, 7),
        GitVersion(2, 44, 4),
        GitVersion(2, 45, 4),
        GitVersion(2, 46, 4),
        GitVersion(2, 47, 3),
        GitVersion(2, 48, 2),
        GitVersion(2, 49, 1),
        GitVersion(2, 50, 1),
    ];

    /// What is said of a version.
    pub fn of(version: GitVersion) -> Self {
        if version < Self::NEEDS {
            return Self::TooOld { needs: Self::NEEDS };
        }
        let of_line = Self::FIXED.into_iter().find(|fixed| (version.0, version.1) <= (fixed.0, fixed.1));
        match of_line {
            Some(fixed_in) if version < fixed_in => Self::Vulnerable { fixed_in },
            _ => Self::Good,
        }
    }

    /// What to install: `git 2.43.7 or a later 2.43, …, 2.50.1 or newer`. The one place that says so.
    pub fn good_versions() -> String {
        let [lines @ .., newest] = Self::FIXED;
        let lines: String = lines.iter().map(|line| format!("{line} or a later {}.{}, ", line.0, line.1)).collect();
        format!("git {lines}{newest} or newer")
    }
}

/// A git program of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitProgram {
    /// Where it is.
    pub path: PathBuf,
    /// Which it is.
    pub version: GitVersion,
    /// Whether it is used.
    pub verdict: Verdict,
}

impl GitProgram {
    /// The first good program of these files or, if none is good, the first that is a git at all.
    ///
    /// The caller knows the setting and the folders where programs are; relative paths are passed over, since they
    /// would depend on the folder that the server was started in.
    pub async fn find(candidates: &[PathBuf]) -> Option<Self> {
        let mut first = None;
        for path in candidates.iter().filter(|path| path.is_absolute() && path.is_file()) {
            let Ok(program) = Self::at(path).await else { continue };
            if program.is_good() {
                return Some(program);
            }
            first = first.or(Some(program));
        }
        first
    }

    /// Asks this file for its version.
    pub async fn at(path: &Path) -> io::Result<Self> {
        let output = running::output(path, &Invocation::new(["version"]), VERSION_TAKES).await?;
        let Ending { success: true, stdout, .. } = output else {
            return Err(io::Error::other("it does not run"));
        };
        let version = String::from_utf8_lossy(&stdout).parse().map_err(io::Error::other)?;
        Ok(Self { path: path.to_owned(), version, verdict: Verdict::of(version) })
    }

    /// The same, with an administrator's word that weaknesses of its number were mended. What it cannot do, no word
    /// mends.
    pub fn vouched(self) -> Self {
        match self.verdict {
            Verdict::Vulnerable { fixed_in } => Self { verdict: Verdict::Vouched { fixed_in }, ..self },
            Verdict::Good | Verdict::Vouched { .. } | Verdict::TooOld { .. } => self,
        }
    }

    /// Whether it is used for fetching and tending.
    pub fn is_good(&self) -> bool {
        matches!(self.verdict, Verdict::Good | Verdict::Vouched { .. })
    }

    /// What a person is told of it.
    pub fn sentence(&self) -> String {
        let (path, version) = (self.path.display(), self.version);
        match self.verdict {
            Verdict::Good => format!("{path} is git {version}; it is used to fetch"),
            Verdict::Vouched { .. } => format!(
                "{path} is git {version}, which has known weaknesses by its number; it is used to fetch, since \
                 git.program_trusted vouches that they were mended"
            ),
            Verdict::Vulnerable { .. } => format!(
                "{path} is git {version}, which has known weaknesses by its number and is not used; install {}. If the \
                 distribution mended that number, name the program as git.program and set git.program_trusted",
                Verdict::good_versions()
            ),
            Verdict::TooOld { .. } => format!(
                "{path} is git {version}, which is too old and is not used; install {}",
                Verdict::good_versions()
            ),
        }
    }
}
