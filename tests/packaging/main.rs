//! What the program is shipped as: the Debian package is built from the program at hand, looked into, installed and run;
//! the unit is judged by systemd; the list of what is in it is compared with the lock file.

mod debian;
mod image;
mod sbom;
mod unit;

use std::{path::Path, process::Command};

const PROGRAM: &str = env!("CARGO_BIN_EXE_keytrail");

/// A path of the repository.
fn ours(path: &str) -> String {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))
}

/// What a program printed that must succeed.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not run: {error}"));
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} ended with {}: {said}{complained}", output.status);
    said.into_owned()
}

/// Whether a program is on the path.
fn there_is(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()))
}
