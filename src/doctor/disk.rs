//! The free space on the disks of the data and of the caches, against what fetches leave free and what the log needs.

use std::path::Path;

use super::{Finding, grouped, megabytes};
use crate::config::Config;

const CACHES: &str = "disk";
const DATA: &str = "disk_data";
const FILES: &str = "disk_files";
/// From so many times the floor on there is nothing to say.
const COMFORT: u64 = 2;
/// With less than this the log may stop within minutes.
const DATA_FLOOR: u64 = 200_000_000;
/// A copy of a repository has some dozens of files.
const FILES_FLOOR: u64 = 10_000;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let folder = nearest(&config.store.folder);
    let caches = config.store.folder.join("caches");
    let caches = nearest(&caches);
    let room = |path: &Path| rustix::fs::statvfs(path).map(|room| (room.f_bavail.saturating_mul(room.f_frsize), room));
    let (data, caches) = match (room(folder), room(caches)) {
        (Ok(data), Ok(caches)) => (data, caches),
        (Err(error), _) | (_, Err(error)) => {
            let sentence = format!("the disk of {} does not say how full it is: {error}", folder.display());
            return vec![Finding::fail(CACHES, sentence, "look at the disk")];
        }
    };
    vec![of_caches(caches.0, config.git.free_bytes), of_data(data.0), of_files(caches.1.f_files, caches.1.f_favail)]
}

/// The folder, or the one above it that is there.
fn nearest(folder: &Path) -> &Path {
    folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"))
}

fn of_caches(free: u64, floor: u64) -> Finding {
    let sentence = format!(
        "the disk of the caches has {} free; fetches stop below {} (git.free_bytes)",
        megabytes(free),
        megabytes(floor)
    );
    if free < floor {
        Finding::fail(CACHES, sentence, "make room, or move the data folder; runs that were stopped are tried again")
    } else if free / COMFORT < floor {
        Finding::warn(CACHES, sentence, "make room before it is needed")
    } else {
        Finding::ok(CACHES, sentence)
    }
}

fn of_data(free: u64) -> Finding {
    let sentence = format!("the disk of the data folder has {} free", megabytes(free));
    if free < DATA_FLOOR {
        Finding::fail(DATA, sentence, "make room now: without any, commands are refused with no_space")
    } else if free / COMFORT < DATA_FLOOR {
        Finding::warn(DATA, sentence, "make room before it is needed")
    } else {
        Finding::ok(DATA, sentence)
    }
}

/// File systems that have no bound of files say 0 of all.
fn of_files(all: u64, free: u64) -> Finding {
    if all == 0 {
        return Finding::ok(FILES, "the disk of the caches has no bound of files");
    }
    let sentence = format!("the disk of the caches takes {} more files", grouped(free));
    if free < FILES_FLOOR {
        Finding::fail(FILES, sentence, "delete small files, or move the data folder to a disk with more inodes")
    } else {
        Finding::ok(FILES, sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn below_the_floor_it_fails_and_near_it_it_warns() {
        let states = [(999, 1_000), (1_000, 1_000), (1_999, 1_000), (2_000, 1_000), (0, 0)]
            .map(|(free, floor)| of_caches(free * 1_000_000, floor * 1_000_000).state);
        assert_eq!(states, [State::Fail, State::Warn, State::Warn, State::Ok, State::Ok]);
        assert!(of_caches(1_234_567_890, 0).sentence.contains("1,235 MB"));
        let states = [DATA_FLOOR - 1, DATA_FLOOR, 2 * DATA_FLOOR].map(|free| of_data(free).state);
        assert_eq!(states, [State::Fail, State::Warn, State::Ok]);
        assert_eq!(
            [(0, 0), (9, 9), (20_000, 10_000)].map(|(all, free)| of_files(all, free).state),
            [State::Ok, State::Fail, State::Ok]
        );
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_on_the_disk_of_the_one_above() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(nearest(&folder.path().join("a/b/c")), folder.path());
    }
}
