//! Where `scripts/test` puts the judges, and how scripts in JavaScript find them.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Their sources.
pub(crate) const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/api_tools");

/// Where `scripts/test` puts the judges.
pub(crate) fn tools() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "where a test finds its tools, not a setting of the program")]
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache"))).unwrap_or_default();
    set("KEYTRAIL_API_TOOLS").unwrap_or_else(|| cache.join("keytrail/api-tools"))
}

/// Runs a script of ours among the modules, and reads the JSON that it prints. It must end well.
#[track_caller]
pub(crate) fn node<A: AsRef<OsStr>>(script: &str, arguments: impl IntoIterator<Item = A>) -> Value {
    // Beside the modules: node looks for them upwards.
    let folder = tempfile::tempdir_in(tools()).expect("./scripts/test installs the tools");
    let path = folder.path().join(script);
    fs::copy(Path::new(HERE).join(script), &path).expect("a file");
    let output = Command::new("node").arg(&path).args(arguments).output();
    let output = output.expect("node is there: ./scripts/test installs it");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{script}: {}: {said}{complained}", output.status);
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("{script} printed no JSON: {said}{complained}"))
}
