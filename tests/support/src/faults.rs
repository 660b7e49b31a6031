//! Disks that fail, disks that are full, clocks that jump: for a program that runs as a child of the test.
//!
//! A small C library is compiled when it is first needed and preloaded into the child; small files tell it what to do,
//! at any time while the child runs. It works for dynamically linked programs on Linux.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use tempfile::TempDir;

/// The orders for one child and its children.
pub struct Faults {
    below: PathBuf,
    orders: TempDir,
}

impl Faults {
    /// Nothing is wrong yet. Faults of the disk are for files below `folder`, which exists.
    ///
    /// # Panics
    /// When there is no C compiler; the text says which package brings one.
    pub fn below(folder: &Path) -> Self {
        library();
        let below = folder.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        Self { below, orders: tempfile::tempdir().expect("a temporary folder") }
    }

    /// What the child needs in its environment.
    pub fn env(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_str().expect("temporary folders have names in UTF-8").to_owned();
        vec![
            ("LD_PRELOAD".into(), text(library())),
            ("KEYTRAIL_FAULTS".into(), text(self.orders.path())),
            ("KEYTRAIL_FAULTS_BELOW".into(), text(&self.below)),
        ]
    }

    /// Whether fsync and fdatasync fail with EIO.
    pub fn fail_sync(&self, fails: bool) {
        self.order("sync", fails.then_some(""));
    }

    /// Whether everything that would write or grow fails with ENOSPC.
    pub fn no_space(&self, full: bool) {
        self.order("space", full.then_some(""));
    }

    /// How far the wall clock is ahead; negative when it is behind. Heard within a few milliseconds.
    pub fn shift_clock(&self, seconds: i64) {
        self.order("clock", Some(&seconds.to_string()));
    }

    fn order(&self, what: &str, order: Option<&str>) {
        let path = self.orders.path().join(what);
        match order {
            // In one step: the child never reads half a number.
            Some(text) => {
                let beside = self.orders.path().join(format!(".{what}"));
                std::fs::write(&beside, text).expect("we may write there");
                std::fs::rename(&beside, &path).expect("we may rename there");
            }
            None => {
                // Taking back what was never ordered is nothing.
                let _ = std::fs::remove_file(&path);
            }
        }
    }
}

/// The compiled library; one for all processes that run this build of the tests.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = include_str!("faults/faults.c");
        let folder = std::env::temp_dir().join(format!("keytrail-faults-{:016x}", fingerprint(source)));
        let library = folder.join("faults.so");
        if library.exists() {
            return library;
        }
        let making = tempfile::tempdir().expect("a temporary folder");
        let code = making.path().join("faults.c");
        std::fs::write(&code, source).expect("we may write there");
        let made = making.path().join("faults.so");
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-o"])
            .args([&made, &code])
            .arg("-ldl")
            .output()
            .unwrap_or_else(|error| {
                panic!("these tests need a C compiler: install the Debian package `gcc` ({error})")
            });
        assert!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
        std::fs::create_dir_all(&folder).expect("we may make a folder there");
        let beside = folder.join(format!("faults.{}", std::process::id()));
        std::fs::copy(&made, &beside).expect("we may write there");
        std::fs::rename(&beside, &library).expect("we may rename there");
        library
    })
}

/// FNV-1a: tells versions of the source apart.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes and syncs with `dd`, which says what went wrong.
    fn write(faults: &Faults, to: &Path) -> Result<(), String> {
        let output = Command::new("dd")
            .args(["if=/dev/zero", "bs=512", "count=1", "conv=fsync"])
            .arg(format!("of={}", to.display()))
            .env("LC_ALL", "C")
            .envs(faults.env())
            .output()
            .expect("dd is part of every system");
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
    }

    fn date(faults: &Faults) -> i64 {
        let output = Command::new("date").arg("+%s").envs(faults.env()).output().expect("date is part of every system");
        String::from_utf8_lossy(&output.stdout).trim().parse().expect("date prints seconds")
    }

    #[test]
    fn syncs_fail_when_told_to_and_only_below_the_folder() {
        let (folder, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let faults = Faults::below(folder.path());
        write(&faults, &folder.path().join("a")).expect("nothing is wrong");
        faults.fail_sync(true);
        let error = write(&faults, &folder.path().join("a")).expect_err("the disk fails");
        assert!(error.contains("Input/output error"), "{error}");
        write(&faults, &elsewhere.path().join("a")).expect("that disk is well");
        faults.fail_sync(false);
        write(&faults, &folder.path().join("a")).expect("it is well again");
    }

    #[test]
    fn writes_find_no_space_when_told_to_and_only_below_the_folder() {
        let (folder, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let faults = Faults::below(folder.path());
        faults.no_space(true);
        let error = write(&faults, &folder.path().join("a")).expect_err("the disk is full");
        assert!(error.contains("No space left on device"), "{error}");
        write(&faults, &elsewhere.path().join("a")).expect("there is space");
        faults.no_space(false);
        write(&faults, &folder.path().join("a")).expect("there is space again");
    }

    #[test]
    fn the_clock_is_as_wrong_as_it_is_told_to_be() {
        let folder = tempfile::tempdir().expect("a folder");
        let faults = Faults::below(folder.path());
        let now = date(&faults);
        faults.shift_clock(-315_576_000);
        assert!((date(&faults) - now + 315_576_000).abs() < 60);
        faults.shift_clock(3600);
        assert!((date(&faults) - now - 3600).abs() < 60);
        faults.shift_clock(0);
        assert!((date(&faults) - now).abs() < 60);
    }
}
