//! The refs of a mirror, which are git's file `packed-refs` and nothing else. Read and replaced under the mirror's lock.
//! It never makes a loose ref: 23,000 of these cost more than the fetch.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write as _},
    path::Path,
};

use keytrail_domain::index_run::batch::CommitSha;

/// Where the tips are.
const KEPT: &str = "refs/keytrail/kept/";

pub(super) fn read(mirror: &Path) -> io::Result<BTreeSet<CommitSha>> {
    let text = match fs::read_to_string(mirror.join("packed-refs")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        other => other?,
    };
    let of_line = |line: &str| line.split_once(' ')?.1.strip_prefix(KEPT)?.parse().ok();
    Ok(text.lines().filter_map(of_line).collect())
}

pub(super) fn write(mirror: &Path, tips: &BTreeSet<CommitSha>) -> io::Result<()> {
    // The names are the objects' names: in order of one is in order of the other, as `sorted` promises. Nothing is
    // said of what annotated tags lead to, so git looks itself.
    let mut text = b"# pack-refs with: sorted \n".to_vec();
    for tip in tips {
        writeln!(text, "{tip} {KEPT}{tip}")?;
    }
    super::replace(&mirror.join("packed-refs"), &text)
}
