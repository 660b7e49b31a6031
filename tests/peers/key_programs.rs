//! `ssh-keygen`, `openssl` and `puttygen` in a folder of their own, without a terminal: passphrases come from a file, from
//! standard input, or from a program that says one.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// The passphrase of every key that has one.
pub(crate) const WORD: &str = "correct horse Ärger";

/// A folder in which programs run; removed with the value.
pub(crate) struct Bench {
    folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        fs::write(bench.path("word"), WORD).expect("a file");
        fs::write(bench.path("other"), "another word").expect("a file");
        for (name, says) in [("say-word", WORD), ("say-nothing", "")] {
            let path = bench.path(name);
            fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("its own file");
        }
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&self.bytes(name)).into_owned()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::write(&path, bytes).expect("a file");
        // Programs take no key that others may read.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its own file");
    }

    pub(crate) fn copy(&self, from: &str, to: &str) {
        self.write(to, self.bytes(from));
    }

    /// A program with these words; it must end well. What it printed.
    #[track_caller]
    pub(crate) fn run(&self, line: &[&str]) -> String {
        let output = self.output(line);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line:?}: {}: {said}{complained}", output.status);
        said
    }

    #[track_caller]
    pub(crate) fn output(&self, line: &[&str]) -> Output {
        let install = "is there: install the Debian packages openssh-client, openssl and putty-tools";
        self.command(line[0], "say-word").args(&line[1..]).output().unwrap_or_else(|_| panic!("{} {install}", line[0]))
    }

    /// Lines as a person types them into a shell on a terminal, who answers each question for a passphrase with the word, or
    /// with nothing.
    #[track_caller]
    pub(crate) fn shell(&self, lines: &[String], with_word: bool) -> String {
        let speaker = if with_word { "say-word" } else { "say-nothing" };
        self.write("lines.sh", format!("type() {{ cat \"$1\"; }}\nset -e\n{}\n", lines.join("\n")));
        let mut command = self.command("script", speaker);
        command.args(["--quiet", "--return", "--command", "sh lines.sh", "/dev/null"]).stdin(Stdio::piped());
        let mut child = command.spawn().expect("`script` is there: install the Debian package `bsdutils`");
        // Kept: the end of what is typed would end the terminal. ssh-keygen asks the speaker; the others read this.
        let mut keyboard = child.stdin.take().expect("it is piped");
        let answer = if with_word { format!("{WORD}\n").repeat(4) } else { "\n".repeat(4) };
        keyboard.write_all(answer.as_bytes()).expect("the keyboard");
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{lines:?}: {}: {said}", output.status);
        said
    }

    /// Our own program.
    pub(crate) fn keytrail(&self, words: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_keytrail"), "say-nothing").args(words).output().expect("our program")
    }

    fn command(&self, program: &str, speaker: &str) -> Command {
        let ours = Path::new(env!("CARGO_BIN_EXE_keytrail")).parent().expect("a folder");
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin", ours.display()))
            .env("HOME", self.folder.path())
            .env("LC_ALL", "C.UTF-8")
            .env("SSH_ASKPASS", self.path(speaker))
            .env("SSH_ASKPASS_REQUIRE", "force")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}
