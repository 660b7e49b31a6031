//! The data folder: whose it is, who can read it, whether it can be written, what kind of disk it lies on; and the file in
//! it that lets the command line in.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use super::Finding;
use crate::config::Config;

const FOLDER: &str = "data_folder";
const FILE_SYSTEM: &str = "data_file_system";
const ENDPOINT: &str = "server_file";

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let folder = &config.store.folder;
    let shown = folder.display();
    let found = match fs::metadata(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let sentence = format!("{shown} is not there yet; the first server makes it");
            return vec![Finding::ok(FOLDER, sentence)];
        }
        Err(error) => {
            let remedy = "let the server's user into every folder above it, or name another: store.folder";
            return vec![Finding::fail(FOLDER, format!("{shown} cannot be looked at: {error}"), remedy)];
        }
    };
    vec![folder_finding(folder, &found), file_system(config, folder), endpoint(folder)]
}

fn folder_finding(folder: &Path, found: &fs::Metadata) -> Finding {
    let shown = folder.display();
    let mode = found.permissions().mode() & 0o7777;
    let us = rustix::process::geteuid().as_raw();
    if !found.is_dir() {
        let remedy = "name a folder: store.folder, or --data";
        return Finding::fail(FOLDER, format!("{shown} is no folder"), remedy);
    }
    if rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_err() {
        let sentence = format!("{shown} (mode {mode:04o}) cannot be written by this user ({us})");
        return Finding::fail(FOLDER, sentence, format!("chown {us} '{shown}'; chmod 700 '{shown}'"));
    }
    if mode & 0o077 != 0 {
        let sentence = format!("others can look into {shown} (mode {mode:04o}), and who can read it can do everything");
        return Finding::fail(FOLDER, sentence, format!("chmod 700 '{shown}'"));
    }
    if found.uid() != us {
        let sentence = format!("{shown} belongs to the user {}, and this is {us}", found.uid());
        return Finding::warn(FOLDER, sentence, "run the server, and this command, as the owner of the folder");
    }
    Finding::ok(FOLDER, format!("{shown} is there, is ours alone (mode {mode:04o}), and can be written"))
}

/// The numbers of Linux (statfs(2)), of those that are not a disk of this machine.
const FILE_SYSTEMS: &[(u64, &str)] = &[
    (0x6969, "NFS"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x517b, "SMB"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "FUSE"),
    (0x5346_414f, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
];
const IN_MEMORY: &[u64] = &[0x0102_1994, 0x8584_58f6];

fn file_system(config: &Config, folder: &Path) -> Finding {
    let kind = match rustix::fs::statfs(folder) {
        // Some platforms sign it; the numbers have 32 bits.
        Ok(found) => (found.f_type as u64) & 0xffff_ffff,
        Err(error) => {
            let sentence = format!("the file system of {} does not say what it is: {error}", folder.display());
            return Finding::warn(FILE_SYSTEM, sentence, "look at it with: stat -f");
        }
    };
    judged(kind, config.store.database_url.is_none())
}

fn judged(kind: u64, is_embedded: bool) -> Finding {
    if IN_MEMORY.contains(&kind) {
        let sentence = "the data folder lies in the machine's memory, and is gone after its next start";
        return match is_embedded {
            true => Finding::warn(FILE_SYSTEM, sentence, "move it to a disk: store.folder"),
            false => Finding::ok(FILE_SYSTEM, format!("{sentence}; it holds caches only")),
        };
    }
    match (FILE_SYSTEMS.iter().find(|(number, _)| *number == kind), is_embedded) {
        (None, _) => Finding::ok(FILE_SYSTEM, "the data folder is on a disk of this machine"),
        (Some((_, name)), false) => {
            Finding::ok(FILE_SYSTEM, format!("the data folder is on {name}; it holds caches only"))
        }
        (Some((_, name)), true) => {
            let sentence = format!(
                "the data folder is on {name}, where locks and syncs of the embedded store cannot be relied on"
            );
            Finding::fail(FILE_SYSTEM, sentence, "move it to a disk of this machine, or use PostgreSQL")
        }
    }
}

fn endpoint(folder: &Path) -> Finding {
    let path = folder.join("server.json");
    match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Finding::ok(ENDPOINT, "no server has told the command line of this folder how to come in")
        }
        Err(error) => {
            let sentence = format!("{} cannot be looked at: {error}", path.display());
            Finding::warn(ENDPOINT, sentence, "the command line finds no server by it; look at its owner")
        }
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            let mode = found.permissions().mode() & 0o7777;
            let sentence =
                format!("{} can be read by others (mode {mode:04o}), and its token may do everything", path.display());
            Finding::fail(ENDPOINT, sentence, "chmod 600 it, and restart the server, which makes a new token")
        }
        Ok(_) => Finding::ok(ENDPOINT, "only the server's user can read how the command line comes in"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_disk_of_another_machine_fails_the_embedded_store_alone() {
        assert_eq!(judged(0x6969, true).state, State::Fail);
        assert_eq!(judged(0x6969, false).state, State::Ok);
        assert_eq!(judged(0xef53, true).state, State::Ok);
        assert_eq!((judged(0x0102_1994, true).state, judged(0x0102_1994, false).state), (State::Warn, State::Ok));
    }
}
