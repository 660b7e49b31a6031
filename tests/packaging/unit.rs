//! The systemd unit, as systemd itself reads it.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use crate::{ours, read, said, there_is};

/// Of 100; what systemd says of a service without any of it is 96.
const MOST_EXPOSED: &str = "15";

#[test]
fn systemd_finds_nothing_wrong_with_the_unit_and_little_exposed() {
    assert!(there_is("systemd-analyze"), "this test needs systemd-analyze: install the Debian package `systemd`");
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("etc/systemd/system");
    fs::create_dir_all(&folder).expect("a folder");
    fs::copy(ours("packaging/systemd/keytrail.service"), folder.join("keytrail.service")).expect("a copy");
    // It is looked for, not run.
    fs::create_dir_all(root.path().join("usr/bin")).expect("a folder");
    let program = root.path().join("usr/bin/keytrail");
    fs::write(&program, "").expect("a file");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a file of ours");
    let root = format!("--root={}", root.path().display());
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no", &root, "keytrail.service"])
        .output();
    let verified = verified.expect("it runs");
    let complaints = String::from_utf8_lossy(&verified.stderr).into_owned();
    let ours: Vec<_> = complaints.lines().filter(|line| line.contains("keytrail.service")).collect();
    assert!(verified.status.success() && ours.is_empty(), "{complaints}");
    said(Command::new("systemd-analyze").args([
        "security",
        "--offline=true",
        "--no-pager",
        &root,
        &format!("--threshold={MOST_EXPOSED}"),
        "keytrail.service",
    ]));
}

#[test]
fn the_unit_gives_the_service_nothing_that_it_does_not_need() {
    let unit = read(ours("packaging/systemd/keytrail.service"));
    let set = |line: &str| unit.lines().any(|found| found == line);
    for line in [
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "PrivateTmp=yes",
        "CapabilityBoundingSet=",
        "StateDirectory=keytrail",
        "MemoryDenyWriteExecute=yes",
        "SystemCallFilter=@system-service",
    ] {
        assert!(set(line), "{line}");
    }
}
