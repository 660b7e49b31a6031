//! The stack that was decided on, and what cargo says of our packages.

use std::{process::Command, sync::OnceLock};

use serde_json::Value;

use super::{rule::Rule, source, tree};

/// Direct dependencies that do real work.
const STACK: &[&str] = &[
    "actix-web",
    "cqrs-es",
    "git2",
    "hmac",
    "jsonwebtoken",
    "postgres-es",
    "serde",
    "sha2",
    "sqlx",
    "tokio",
    "utoipa",
];

/// A dependency as a manifest of ours names it.
pub(crate) struct Dependency {
    /// The package's name.
    pub(crate) name: String,
    /// Whether only tests use it.
    pub(crate) dev: bool,
    /// Features that the manifest asks for.
    pub(crate) features: Vec<String>,
}

/// What `cargo metadata` says of this platform: our packages and all that they are built of.
pub(crate) fn metadata() -> &'static Value {
    static METADATA: OnceLock<Value> = OnceLock::new();
    METADATA.get_or_init(|| {
        let rustc = Command::new("rustc").arg("-vV").current_dir(tree::root()).output().expect("rustc is on PATH");
        let about = String::from_utf8_lossy(&rustc.stdout).into_owned();
        let host = about.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", host])
            .current_dir(tree::root())
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
    })
}

/// The packages of the metadata.
pub(crate) fn packages() -> impl Iterator<Item = &'static Value> {
    metadata()["packages"].as_array().into_iter().flatten()
}

/// What the manifest of one of our packages names.
pub(crate) fn dependencies(package: &str) -> Vec<Dependency> {
    let found = packages().find(|found| found["name"] == package && found["source"].is_null());
    let found = found.unwrap_or_else(|| panic!("{package} is a member of the workspace"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = found["dependencies"].as_array().into_iter().flatten();
    all.map(|one| Dependency {
        name: text(&one["name"]),
        dev: one["kind"] == "dev",
        features: one["features"].as_array().into_iter().flatten().map(text).collect(),
    })
    .collect()
}

#[test]
fn the_stack_that_was_decided_on_is_used() {
    let mut rule = Rule::new("the stack is a direct dependency of the server and is used by code that is not a test");
    let direct = dependencies("keytrail");
    let sources = source::of_product();
    for name in STACK {
        if !direct.iter().any(|one| one.name == *name && !one.dev) {
            rule.broken_in("Cargo.toml", format_args!("{name} is not a dependency"));
        }
        let word = name.replace('-', "_");
        if !sources.iter().any(|source| !source.lines_with(&word).is_empty()) {
            rule.broken_in("src", format_args!("nothing uses {word}"));
        }
    }
    rule.hold();
}

/// What code calls a package: a few call their library otherwise than themselves.
fn word_of(package: &str) -> String {
    let found = packages().find(|found| found["name"] == package);
    let targets = found.and_then(|found| found["targets"].as_array()).into_iter().flatten();
    let library = targets.filter(|target| target["kind"][0] == "lib").find_map(|target| target["name"].as_str());
    library.unwrap_or(package).replace('-', "_")
}

#[test]
fn every_dependency_is_used() {
    let mut rule = Rule::new("a crate that nothing uses is not a dependency");
    let sources = source::all();
    let members = [
        ("keytrail", "src/", ""),
        ("keytrail-domain", "domain/", "domain/"),
        ("keytrail-projections", "projections/", "projections/"),
        ("keytrail-test-support", "tests/support/", "tests/support/"),
    ];
    for (package, folder, manifest) in members {
        for one in dependencies(package) {
            let word = word_of(&one.name);
            // Tests and benches of the server lie in the root.
            let places: &[&str] =
                if one.dev && folder == "src/" { &["src/", "tests/", "benches/", "examples/"] } else { &[folder] };
            let used =
                sources.iter().filter(|source| source.is_below(places)).any(|source| has_word_in(&source.text, &word));
            if !used {
                rule.broken_in(&format!("{manifest}Cargo.toml"), format_args!("nothing uses {}", one.name));
            }
        }
    }
    rule.hold();
}

fn has_word_in(text: &str, word: &str) -> bool {
    text.lines().any(|line| source::has_word(line, word))
}

/// Packages with defects that were published, each with the first version that has none of
/// those, and the last of them. Whatever of these the lock
/// file names is at least that, whoever brings it in.
const LEAST: &[(&str, [u64; 3], &str)] = &[
    ("age", [0, 11, 1], "RUSTSEC-2024-0433"),
    ("bytes", [1, 11, 1], "RUSTSEC-2026-0007"),
    ("crossbeam-channel", [0, 5, 15], "RUSTSEC-2025-0024"),
    ("git2", [0, 16, 0], "RUSTSEC-2023-0002"),
    ("gix-features", [0, 41, 0], "RUSTSEC-2025-0021"),
    ("gix-fs", [0, 11, 0], "RUSTSEC-2024-0349"),
    ("gix-index", [0, 33, 0], "RUSTSEC-2024-0349"),
    ("gix-path", [0, 10, 13], "RUSTSEC-2024-0371"),
    ("gix-ref", [0, 44, 0], "RUSTSEC-2024-0353"),
    ("gix-transport", [0, 42, 0], "RUSTSEC-2024-0335"),
    ("gix-worktree", [0, 34, 0], "RUSTSEC-2024-0349"),
    ("idna", [1, 0, 0], "RUSTSEC-2024-0421"),
    ("libgit2-sys", [0, 16, 2], "RUSTSEC-2024-0013"),
    ("libsqlite3-sys", [0, 25, 1], "RUSTSEC-2022-0090"),
    ("regex", [1, 5, 5], "RUSTSEC-2022-0013"),
    ("ring", [0, 17, 12], "RUSTSEC-2025-0009"),
    ("russh", [0, 60, 3], "RUSTSEC-2026-0154"),
    ("rustls", [0, 23, 18], "RUSTSEC-2024-0399"),
    ("slab", [0, 4, 11], "RUSTSEC-2025-0047"),
    ("sqlx", [0, 8, 1], "RUSTSEC-2024-0363"),
    ("sqlx-core", [0, 8, 1], "RUSTSEC-2024-0363"),
    ("tar", [0, 4, 45], "RUSTSEC-2026-0067"),
    ("tokio", [1, 44, 2], "RUSTSEC-2025-0023"),
    ("tracing-subscriber", [0, 3, 20], "RUSTSEC-2025-0055"),
];

/// The packages of the lock file: name and version.
fn locked(lock: &str) -> Vec<(&str, [u64; 3])> {
    let mut found = Vec::new();
    for package in lock.split("[[package]]").skip(1) {
        let of = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
            line.map(|text| text.trim_matches('"')).expect("a package has a name and a version")
        };
        let mut numbers = of("version").split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
        found.push((of("name"), std::array::from_fn(|_| numbers.next().unwrap_or(0))));
    }
    found
}

#[test]
fn no_dependency_has_a_defect_that_was_published() {
    let mut rule = Rule::new("no dependency is older than the version that mended a published defect");
    let lock = tree::read("Cargo.lock");
    let all = locked(&lock);
    assert!(all.iter().any(|(name, _)| *name == "git2"), "the lock file names no package that is known");
    for (name, version) in all {
        for (_, least, defect) in LEAST.iter().filter(|(known, least, _)| *known == name && version < *least) {
            rule.broken_in("Cargo.lock", format_args!("{name} is {version:?}, and {least:?} mended {defect}"));
        }
    }
    rule.hold();
}
