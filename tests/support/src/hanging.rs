//! A repository on a file system that hangs, as a share whose server is away, without one: somebody holds a lease
//! (fcntl(2), `F_SETLEASE`) on one of its files, so that whoever opens it waits in the kernel until he lets go, or for 45
//! seconds. Called by tests; what waits goes on when the value ends.

use std::{
    io::{self, BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::repositories::Repository;

/// Holds it until its input ends. The kernel tells a holder that somebody waits by a signal, which ends who does not expect it.
const HOLDER: &str = "\
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
fcntl.fcntl(os.open(sys.argv[1], os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('held', flush=True)
sys.stdin.read()
";

/// Such a repository.
pub struct Hanging {
    /// The repository, in which everything looks well.
    pub repository: Repository,
    file: PathBuf,
    holder: Option<Child>,
}

/// What of it cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangs {
    /// Of its two commits the one that the branch leads to: whoever lists refs hangs.
    Tip,
    /// The one before it: whoever reads the history hangs.
    Parent,
    /// Its configuration: whoever opens it hangs.
    Configuration,
}

impl Hanging {
    /// Makes one in this folder, which is not there yet. Its commits name the issues `KEY-1` and `KEY-2`.
    ///
    /// # Errors
    /// When git or python3 cannot be run, or the disk fails.
    pub fn make(folder: &Path, key: &str, hangs: Hangs) -> io::Result<Self> {
        let repository = Repository::init(&folder.join("shop.git"), &["--bare"])?;
        let parent = repository.commit("refs/heads/main", &format!("{key}-1 one"), &[])?;
        let tip = repository.commit("refs/heads/main", &format!("{key}-2 two"), &[&parent])?;
        let object = |name: &str| repository.path.join("objects").join(&name[..2]).join(&name[2..]);
        let file = match hangs {
            Hangs::Tip => object(&tip),
            Hangs::Parent => object(&parent),
            Hangs::Configuration => repository.path.join("config"),
        };
        let mut made = Self { repository, file, holder: None };
        made.go_away()?;
        Ok(made)
    }

    /// From now on whoever reads that hangs.
    ///
    /// # Errors
    /// When python3 cannot be run, or the file system of temporary files knows no leases.
    pub fn go_away(&mut self) -> io::Result<()> {
        // No lease is given while somebody has the file open, who may be a server that looks at it now and then.
        for _ in 0..50 {
            if self.hold()? {
                return Ok(());
            }
        }
        Err(io::Error::other("no lease was given"))
    }

    fn hold(&mut self) -> io::Result<bool> {
        let mut holder = Command::new("python3")
            .args(["-c", HOLDER])
            .arg(&self.file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let said = holder.stdout.take().map(BufReader::new).and_then(|mut out| {
            let mut line = String::new();
            out.read_line(&mut line).ok().map(|_| line)
        });
        if said.as_deref() == Some("held\n") {
            self.holder = Some(holder);
            return Ok(true);
        }
        holder.wait().map(|_| false)
    }

    /// It answers again, and whoever waits goes on.
    ///
    /// # Errors
    /// When the holder cannot be waited for.
    pub fn come_back(&mut self) -> io::Result<()> {
        let Some(mut holder) = self.holder.take() else { return Ok(()) };
        drop(holder.stdin.take());
        holder.wait().map(|_| ())
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        // A runtime waits for its threads when it ends, also when a test failed.
        let _ = self.come_back();
    }
}
