//! Holds a call of the git program, and all that it starts, to a bound of memory. Called right after the start; what is
//! over the bound gets no memory and ends by itself. It never holds a process of anybody else.

use std::{fs, io};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

/// Gives every process of the group this bound of data (memory that is written to; mapped packs are read only and do not
/// count). What they start later inherits it.
///
/// A process may start another one before it is held. So the group is listed until all that are in it were held before
/// the listing: from then on there is nobody left who could hand on anything else. It takes milliseconds; the program
/// gets its first pack after it has spoken with a server.
pub(super) fn hold(group: Pid, bytes: u64) -> io::Result<()> {
    hold_one(group, bytes)?;
    loop {
        let mut has_changed = false;
        for member in members(group)? {
            has_changed |= hold_one(member, bytes)?;
        }
        if !has_changed {
            return Ok(());
        }
    }
}

/// Whether it was not held before.
fn hold_one(process: Pid, bytes: u64) -> io::Result<bool> {
    // Nobody may be given more than this server may have.
    let most = getrlimit(Resource::Data).maximum.map_or(bytes, |maximum| maximum.min(bytes));
    let bound = Rlimit { current: Some(most), maximum: Some(most) };
    match prlimit(Some(process), Resource::Data, bound) {
        Ok(before) => Ok(before.current != Some(most)),
        // It has ended.
        Err(rustix::io::Errno::SRCH) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The processes of a group.
fn members(group: Pid) -> io::Result<Vec<Pid>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(entry) = entry else { continue };
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else { continue };
        // `pid (name) state parent group …`; a name may hold anything.
        let Ok(text) = fs::read(entry.path().join("stat")) else { continue };
        let text = String::from_utf8_lossy(&text);
        let of = text.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(2)?.parse().ok());
        if of == Some(group.as_raw_pid()) {
            found.push(process);
        }
    }
    Ok(found)
}
