//! The container image. No test builds it, as that needs images from elsewhere; what it says of the server is tried here.

use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{PROGRAM, ours, read, said};

fn lines() -> Vec<String> {
    let text = read(ours("packaging/docker/Dockerfile")).replace("\\\n", " ");
    let kept = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    kept.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The variables that the image sets.
fn environment() -> BTreeMap<String, String> {
    let lines = lines();
    let line = lines.iter().find_map(|line| line.strip_prefix("ENV ")).expect("it sets variables");
    let pairs = line.split(' ').map(|pair| pair.split_once('=').expect("a pair"));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn it_runs_as_nobody_in_particular_and_is_asked_whether_it_is_well() {
    let lines = lines();
    let last = |word: &str| lines.iter().rev().find_map(|line| line.strip_prefix(word)).map(str::to_owned);
    assert_eq!(last("USER ").as_deref(), Some("10001:10001"));
    // It has a name: ssh runs for no user without one.
    assert!(lines.iter().any(|line| line.starts_with("RUN ") && line.contains(" useradd --uid 10001 --gid 10001 ")));
    assert_eq!(last("VOLUME ").as_deref(), Some("/data"));
    assert!(last("HEALTHCHECK ").is_some_and(|check| check.ends_with(r#"CMD ["/usr/bin/keytrail", "health"]"#)));
    assert_eq!(last("ENTRYPOINT ").as_deref(), Some(r#"["/usr/bin/keytrail"]"#));
    for line in lines.iter().filter(|line| line.starts_with("FROM ")) {
        let image = line.split(' ').nth(1).expect("an image");
        assert!(!image.contains('/') && image.contains(':'), "{image}: a plain name, with its version");
    }
    assert!(environment().values().filter(|value| value.starts_with('/')).all(|path| path.starts_with("/data")));
}

#[test]
fn it_is_built_from_what_is_there_with_the_compiler_and_the_variables_that_the_build_knows() {
    let (lines, build) = (lines(), read(ours("build.rs")));
    // Whatever is copied from here and not from another stage is in the repository, and is left in what is sent.
    let left_out = read(ours(".dockerignore"));
    for line in lines.iter().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with("--from=")) {
        let words: Vec<_> = line.split(' ').collect();
        for path in &words[..words.len() - 1] {
            assert!(std::path::Path::new(&ours(path)).exists(), "{path}");
            assert!(!left_out.lines().any(|out| out.trim_start_matches('/') == *path), "{path} is not sent");
        }
    }
    // Who adds a host to what was published begins with the list that the program has in it, as of the package.
    let copies = lines.iter().filter(|line| line.starts_with("COPY ") && line.ends_with(" /usr/share/doc/keytrail/"));
    assert!(copies.flat_map(|line| line.split(' ')).any(|path| path == "data/published_host_keys.toml"));
    for name in ["KEYTRAIL_BUILT_COMMIT", "KEYTRAIL_BUILT_DATE"] {
        let set = lines.iter().any(|line| line.starts_with("RUN ") && line.contains(&format!(" {name}=")));
        assert!(set && build.contains(name), "{name}");
    }
    let wanted = env!("CARGO_PKG_RUST_VERSION");
    let compiler = lines.iter().find_map(|line| line.strip_prefix("FROM rust:")).expect("a compiler");
    assert!(compiler.starts_with(&format!("{wanted}-")), "{compiler}: Cargo.toml wants {wanted}");
    // The libraries that the program is linked with are those that it runs with.
    let debian = compiler.split_once('-').and_then(|(_, rest)| rest.split(' ').next()).expect("a Debian");
    assert!(lines.iter().any(|line| *line == format!("FROM debian:{debian}-slim")), "{debian}");
}

#[test]
fn what_the_image_sets_is_what_the_server_reads_and_only_its_volume_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("it is there");
    let data = root.join("data");
    fs::create_dir(&data).expect("a folder");
    // The rest of the container: whatever is written there is found there.
    let elsewhere = root.join("elsewhere");
    fs::create_dir(&elsewhere).expect("a folder");
    let set: BTreeMap<_, _> = environment()
        .into_iter()
        .map(|(name, value)| {
            (name, value.replace("/data", &data.to_string_lossy()).replace("0.0.0.0:8421", "0.0.0.0:0"))
        })
        .collect();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").envs(&set).current_dir(&elsewhere);
        command.env("TMPDIR", &elsewhere).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut server = run(&["serve"]).spawn().expect("it runs");
    let mut healthy = false;
    for _ in 0..600 {
        if run(&["health"]).status().expect("it runs").success() {
            healthy = true;
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let stopped = Command::new("kill").args(["-TERM", &server.id().to_string()]).status();
    let ended = server.wait();
    assert!(healthy, "the check of the image finds its server ready");
    assert!(stopped.is_ok_and(|status| status.success()) && ended.is_ok_and(|status| status.success()));
    assert!(data.join("store/log.db").exists() && data.join("keys/root.key").exists());
    assert_eq!(fs::read_dir(&elsewhere).expect("a folder").count(), 0, "nothing was written elsewhere");
    let beside = said(Command::new("ls").arg(&root));
    assert_eq!(beside, "data\nelsewhere\n");
}
