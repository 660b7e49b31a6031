//! Which file system of this machine a path lies in, told without a look at the file system itself: one that hangs, as a
//! share whose server is away, would not answer. Asked by the schedule, by scans of folders and by who reads for a person.

use std::{
    fs,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// For so long what was read is as good as now, for who asks often: with many file systems it is a long list.
const MOMENT: Duration = Duration::from_secs(1);

/// Where file systems are mounted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Mounts(Vec<PathBuf>);

impl Mounts {
    /// As they were a moment ago at most.
    pub(super) fn lately() -> Arc<Self> {
        static LAST: Latest = Latest(Mutex::new(None));
        LAST.within(MOMENT, Self::read)
    }

    /// As they are now. Where that cannot be read, all is one file system.
    pub(super) fn read() -> Self {
        Self::parse(&fs::read("/proc/self/mountinfo").unwrap_or_default())
    }

    /// From the lines of proc(5): the fifth word is the place, with blanks and the like as `\040`.
    pub(super) fn parse(lines: &[u8]) -> Self {
        let place = |line: &[u8]| {
            Some(PathBuf::from(std::ffi::OsString::from_vec(plain(line.split(|byte| *byte == b' ').nth(4)?))))
        };
        Self(lines.split(|byte| *byte == b'\n').filter_map(place).collect())
    }

    /// The place of the file system that a path lies in, or would; links are not followed.
    pub(super) fn of(&self, path: &Path) -> Arc<str> {
        let innermost =
            self.0.iter().filter(|place| path.starts_with(place)).max_by_key(|place| place.as_os_str().len());
        innermost.map_or_else(|| "/".into(), |place| place.to_string_lossy().into())
    }
}

/// What was read last, and when.
struct Latest(Mutex<Option<(Instant, Arc<Mounts>)>>);

impl Latest {
    fn within(&self, moment: Duration, read: impl FnOnce() -> Mounts) -> Arc<Mounts> {
        let last = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last().clone().filter(|(at, _)| at.elapsed() < moment);
        if let Some((_, mounts)) = known {
            return mounts;
        }
        // Nobody waits for who reads.
        let (at, mounts) = (Instant::now(), Arc::new(read()));
        *last() = Some((at, mounts.clone()));
        mounts
    }
}

/// The bytes of a word with octal escapes.
fn plain(word: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let code = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match code {
            Some(code) => {
                bytes.push(code);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_belongs_to_the_innermost_file_system() {
        let mounts = Mounts::parse(
            b"21 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
              40 21 0:50 / /mnt/nas rw - nfs nas:/git rw\n\
              41 40 0:51 / /mnt/nas/two\\040words rw - nfs nas:/old rw\n",
        );
        for (path, place) in [
            ("/srv/git/shop.git", "/"),
            ("/mnt/nas", "/mnt/nas"),
            ("/mnt/nas/shop.git", "/mnt/nas"),
            ("/mnt/nasty/shop.git", "/"),
            ("/mnt/nas/two words/shop.git", "/mnt/nas/two words"),
        ] {
            assert_eq!(&*mounts.of(Path::new(path)), place, "{path}");
        }
        assert_eq!(&*Mounts::parse(b"no such lines").of(Path::new("/srv")), "/");
    }

    #[test]
    fn what_was_read_a_moment_ago_is_not_read_again() {
        let of = |place: &str| Mounts(vec![PathBuf::from(place)]);
        let last = Latest(Mutex::new(None));
        let hour = Duration::from_secs(3_600);
        assert_eq!(*last.within(hour, || of("/one")), of("/one"));
        assert_eq!(*last.within(hour, || panic!("it is known")), of("/one"));
        assert_eq!(*last.within(Duration::ZERO, || of("/two")), of("/two"));
        assert_eq!(*last.within(hour, || of("/three")), of("/two"));
    }

    #[test]
    fn this_machine_has_more_than_one() {
        let mounts = Mounts::lately();
        assert_ne!(mounts.of(Path::new("/proc/self")), mounts.of(Path::new("/no such folder")));
    }
}
