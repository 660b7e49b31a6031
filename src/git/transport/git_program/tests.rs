//! Which programs are used, and what they get to see.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, sync::Arc};

use tokio::sync::Semaphore;

use super::*;

fn version(text: &str) -> GitVersion {
    text.parse().expect("a version")
}

#[test]
fn versions_are_read_as_git_and_its_vendors_write_them() {
    for (text, expected) in [
        ("git version 2.39.5 (Apple Git-154)\n", GitVersion(2, 39, 5)),
        ("git version 2.50.0-rc1", GitVersion(2, 50, 0)),
        ("git version 2.47.1.windows.2", GitVersion(2, 47, 1)),
        ("git version 3.0", GitVersion(3, 0, 0)),
    ] {
        assert_eq!(version(text), expected, "{text}");
    }
    for text in ["", "git version", "hello 2", "git version x.y"] {
        assert_eq!(text.parse::<GitVersion>(), Err(NoVersion), "{text}");
    }
}

#[test]
fn a_version_is_good_from_the_first_of_its_line_with_the_fixes() {
    for (text, expected) in [
        ("2.30.2", Verdict::TooOld { needs: GitVersion(2, 37, 0) }),
        ("2.39.5", Verdict::Vulnerable { fixed_in: GitVersion(2, 43, 7) }),
        ("2.43.6", Verdict::Vulnerable { fixed_in: GitVersion(2, 43, 7) }),
        ("2.43.7", Verdict::Good),
        ("2.47.2", Verdict::Vulnerable { fixed_in: GitVersion(2, 47, 3) }),
        ("2.47.3", Verdict::Good),
        ("2.49.0", Verdict::Vulnerable { fixed_in: GitVersion(2, 49, 1) }),
        ("2.50.0", Verdict::Vulnerable { fixed_in: GitVersion(2, 50, 1) }),
        ("2.50.1", Verdict::Good),
        ("2.51.0", Verdict::Good),
        ("3.0.0", Verdict::Good),
    ] {
        assert_eq!(Verdict::of(version(text)), expected, "{text}");
    }
}

/// A program that does this.
fn script(folder: &Path, name: &str, does: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{does}\n")).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a file of ours");
    path
}

#[tokio::test]
async fn the_first_good_program_is_found_and_a_bad_one_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let bad = script(at, "bad", "echo git version 2.47.2");
    let good = script(at, "good", "echo git version 2.51.0");
    let other = script(at, "other", "echo hello");
    let fails = script(at, "fails", "echo git version 2.51.0; exit 1");
    let absent = at.join("absent");
    let found = GitProgram::find(&[absent.clone(), other.clone(), fails, bad.clone(), good.clone()]).await;
    assert_eq!(found.map(|found| found.path), Some(good));
    let found = GitProgram::find(&[other, bad.clone()]).await.expect("a git");
    assert_eq!((&found.path, found.is_good()), (&bad, false));
    assert!(found.sentence().contains("2.47.3 or a later 2.47"), "{}", found.sentence());
    let vouched = found.vouched();
    assert!(vouched.is_good() && vouched.sentence().contains("git.program_trusted"), "{}", vouched.sentence());
    assert_eq!(GitProgram::find(&[absent, PathBuf::from("good")]).await, None);
}

#[tokio::test]
async fn a_program_gets_nothing_of_the_environment_and_no_secret_as_an_argument() {
    let folder = tempfile::tempdir().expect("a folder");
    let tell = script(folder.path(), "tell", "echo \"$@\"; /usr/bin/env");
    let invocation = Invocation::new(["fetch"]).config("http.https://h/.extraHeader", "Authorization: Basic c2VjcmV0");
    let ending = running::output(&tell, &invocation, VERSION_TAKES).await.expect("it runs");
    let text = String::from_utf8_lossy(&ending.stdout).into_owned();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("fetch"));
    for line in lines {
        let (name, value) = line.split_once('=').expect("a variable");
        let ours = name.starts_with("GIT_") || ["LC_ALL", "HOME", "PWD", "OLDPWD", "_", "SHLVL"].contains(&name);
        assert!(ours, "{line}");
        assert_eq!(value.contains("c2VjcmV0"), value.starts_with("Authorization"), "{line}");
    }
    for expected in ["GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C"] {
        assert!(text.contains(expected), "{expected}");
    }
}

/// Lets a call go on until its program has written down which child it started.
async fn child_of(mark: &Path, calling: &mut (impl Future + Unpin)) -> String {
    loop {
        let _ = tokio::time::timeout(Duration::from_millis(5), &mut *calling).await;
        match fs::read_to_string(mark) {
            Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_program_that_does_not_end_is_ended_with_its_children() {
    let folder = tempfile::tempdir().expect("a folder");
    let mark = folder.path().join("child");
    let does = format!("sleep 1000 & echo $! > {}; wait", mark.display());
    let hangs = script(folder.path(), "hangs", &does);
    let invocation = Invocation::new([]);
    let calling = running::output(&hangs, &invocation, Duration::from_secs(600));
    let mut calling = Box::pin(calling);
    let child = child_of(&mark, &mut calling).await;
    drop(calling);
    // A dead process that nobody waits for is still listed: its state is Z.
    let state = || fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    while !state().is_empty() && !state().contains(") Z ") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_place_of_a_program_that_is_ended_is_given_back_when_nothing_that_it_started_is_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let mark = folder.path().join("child");
    // Out of the group, as one that takes its time to end.
    let does = format!("setsid sh -c 'echo $$ > {}; exec sleep 1000' & wait", mark.display());
    let hangs = script(folder.path(), "hangs", &does);
    let places = Arc::new(Semaphore::new(1));
    let place = places.clone().try_acquire_owned().expect("it is free");
    let invocation = Invocation::new([]).keeping(Some(Arc::new(place)));
    let mut calling = Box::pin(running::output(&hangs, &invocation, Duration::from_secs(600)));
    let child = child_of(&mark, &mut calling).await;
    drop(calling);
    drop(invocation);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(places.available_permits(), 0, "one of them goes on");
    let child = rustix::process::Pid::from_raw(child.parse().expect("a number")).expect("a process");
    rustix::process::kill_process(child, rustix::process::Signal::KILL).expect("it goes on");
    let _place = places.acquire().await.expect("it is given back");
}

#[tokio::test]
async fn a_program_and_all_that_it_starts_are_held_to_a_bound_of_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    // One that was started at once, one later.
    let does = "held() { until [ \"$(ulimit -d)\" != unlimited ]; do :; done; ulimit -d; ulimit -H -d; }\n\
                (held) & held; wait; sh -c 'ulimit -d'";
    let tells = script(folder.path(), "tells", does);
    let bounded = Invocation::new([]).within(300 << 20);
    let ending = running::output(&tells, &bounded, Duration::from_secs(60)).await.expect("it is held, and ends");
    assert_eq!(String::from_utf8_lossy(&ending.stdout), "307200\n".repeat(5), "kilobytes");
}
