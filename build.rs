//! Tells the program what it is built from: `keytrail --version` prints it. Run by cargo; it reads the repository of a
//! release build and never the network. Outside a repository `KEYTRAIL_BUILT_COMMIT` and `KEYTRAIL_BUILT_DATE` say it.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for name in ["KEYTRAIL_BUILT_COMMIT", "KEYTRAIL_BUILT_DATE"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let release = variable("PROFILE").as_deref() == Some("release");
    // A debug build would be built anew after every commit; it says that it is one instead.
    let commit = variable("KEYTRAIL_BUILT_COMMIT").or_else(|| release.then(|| git(&["rev-parse", "HEAD"])).flatten());
    let date = variable("KEYTRAIL_BUILT_DATE")
        .or_else(|| release.then(|| git(&["log", "-1", "--format=%cI", "HEAD"])).flatten());
    if release {
        // A commit moves the branch that HEAD names, or HEAD itself; the log of HEAD is written either way.
        for file in ["HEAD", "logs/HEAD"] {
            if let Some(path) =
                git(&["rev-parse", "--git-path", file]).filter(|path| std::fs::exists(path).is_ok_and(|is| is))
            {
                println!("cargo::rerun-if-changed={path}");
            }
        }
    }
    let unknown = if release { "not known: built outside its repository" } else { "not recorded: a debug build" };
    tell("KEYTRAIL_COMMIT", commit.as_deref().unwrap_or(unknown));
    tell("KEYTRAIL_COMMIT_DATE", date.as_deref().unwrap_or(unknown));
    tell("KEYTRAIL_TARGET", variable("TARGET").as_deref().unwrap_or("unknown"));
    let rustc = variable("RUSTC").and_then(|rustc| said(Command::new(rustc).arg("--version")));
    tell("KEYTRAIL_RUSTC", rustc.as_deref().unwrap_or("unknown"));
}

fn tell(name: &str, value: &str) {
    println!("cargo::rustc-env={name}={value}");
}

#[expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts through the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What git says of the repository that this package lies in; nothing when it lies in none of its own.
fn git(arguments: &[&str]) -> Option<String> {
    std::fs::exists(".git").is_ok_and(|is| is).then(|| said(Command::new("git").args(arguments))).flatten()
}

fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}
