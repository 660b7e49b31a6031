//! What this process has of its machine: memory, open files, how long it runs. Read from `/proc`; where there is none,
//! nothing is known. Asked by the doctor and the metrics.

use std::{fs, path::Path, sync::OnceLock, time::Instant};

static BEGAN: OnceLock<Instant> = OnceLock::new();

/// Says that the process begins. Called once, early; how long it runs is counted from here.
pub fn begin() {
    BEGAN.get_or_init(Instant::now);
}

/// How many seconds it runs.
pub fn uptime_seconds() -> f64 {
    BEGAN.get_or_init(Instant::now).elapsed().as_secs_f64()
}

/// Bytes of memory that it holds.
pub fn resident_bytes() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// Bytes of memory that can still be had: of the machine, or of what its control group leaves, if that is less.
pub fn available_bytes() -> Option<u64> {
    let machine = kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")?;
    Some(left_in_group(Path::new("/sys/fs/cgroup")).map_or(machine, |left| left.min(machine)))
}

/// How many files and connections it has open.
pub fn open_files() -> Option<u64> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}

/// The number of a line such as `VmRSS:     1234 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|number| number * 1_024)
}

/// What a control group (version 2) leaves; nothing when it has no limit. What files it has in memory can be had again.
fn left_in_group(folder: &Path) -> Option<u64> {
    let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let (most, has) = (number("memory.max")?, number("memory.current")?);
    let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let files = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.trim().parse::<u64>().ok());
    Some(most.saturating_sub(has.saturating_sub(files.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_files_and_an_age() {
        begin();
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1_000_000));
        assert!(available_bytes().is_some_and(|bytes| bytes > 1_000_000));
        assert!(open_files().is_some_and(|files| files > 2));
        assert!(uptime_seconds() >= 0.0);
    }

    #[test]
    fn a_groups_limit_counts_without_the_files_that_it_may_drop() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
        write("memory.max", "max\n");
        write("memory.current", "700\n");
        assert_eq!(left_in_group(folder.path()), None);
        write("memory.max", "1000\n");
        assert_eq!(left_in_group(folder.path()), Some(300));
        write("memory.stat", "anon 1\ninactive_file 200\n");
        assert_eq!(left_in_group(folder.path()), Some(500));
        assert_eq!(kilobytes("A: 1 kB\nVmRSS:\t 12 kB\n", "VmRSS:"), Some(12_288));
    }
}
