//! The tour of the README over HTTP, carried out as it stands there, by curl and jq against the demo.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use keytrail_test_support::repositories::{self, Shape};

/// A demo of the real program, ended with the value.
struct Demo {
    child: Child,
    told: Vec<String>,
}

impl Demo {
    /// Waits until it has said what to try.
    fn start(home: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_keytrail"))
            .args(["serve", "--demo", "--listen", "127.0.0.1:0"])
            .env("HOME", home)
            .env("TMPDIR", home)
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut demo = Self { child, told: Vec::new() };
        for line in lines.map_while(Result::ok) {
            let is_last = line.starts_with("Ctrl-C");
            demo.told.push(line);
            if is_last {
                return demo;
            }
        }
        panic!("it ended: {:?}", demo.told);
    }

    /// What follows this word on its line.
    fn after(&self, word: &str) -> &str {
        let line = self.told.iter().find_map(|line| line.trim().strip_prefix(word)).expect("a line of the tour");
        line.split_whitespace().next().expect("something")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Its folder is in ours, which goes, too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The blocks of the section, but for the one that a reader fills in.
fn tour(readme: &str) -> String {
    let (_, section) = readme.split_once("\n## Over HTTP\n").expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut script = String::new();
    for block in section.split("\n\n").filter(|block| block.starts_with("    ") && !block.contains('…')) {
        block.lines().for_each(|line| script += &format!("{}\n", line.trim()));
    }
    script
}

#[test]
fn the_tour_of_the_readme_works_as_it_stands_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let home = folder.path().canonicalize().expect("it is there");
    let clone = home.join("clone");
    repositories::generate(&clone, &Shape { commits: 20, ..Shape::default() }).expect("git makes a repository");
    let demo = Demo::start(&home);
    let script = tour(include_str!("../../README.md"));
    assert!(script.matches("api \"$").count() >= 5 && script.contains("jq"), "{script}");
    let output = Command::new("timeout")
        .args(["120", "bash", "-euo", "pipefail", "-c", &script])
        .current_dir(&clone)
        .env("URL", demo.after("address"))
        .env("TOKEN", demo.after("token"))
        .env("REPOSITORIES", demo.after("roots"))
        .env("HOME", &home)
        .env("no_proxy", "127.0.0.1")
        .output()
        .expect("bash runs");
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {said}\n{complained}\n(curl and jq must be installed)", output.status);
    for shown in ["\"name\": \"keytrail\"", "\"state\": \"indexed\"", "\"key\": \"SHOP-128\""] {
        assert!(said.contains(shown), "no {shown} in {said}");
    }
    // What the last two lines of the tour print.
    let numbered = |line: &&str| line.split_once(' ').is_some_and(|(first, _)| first.parse::<u64>().is_ok());
    let of_the_issue = said.lines().filter(|line| {
        line.split_once(' ').is_some_and(|(sha, _)| sha.len() == 40 && sha.bytes().all(|byte| byte.is_ascii_hexdigit()))
    });
    assert_eq!((of_the_issue.count(), said.lines().filter(numbered).count()), (5, 5), "{said}");
}
