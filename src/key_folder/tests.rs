//! Folders as people have them: keys beside what is no key, under any name, and things that must not be waited for.

use std::{fs::Permissions, os::unix::fs::symlink, process::Command};

use super::*;
use crate::ssh_keys::{Fresh, Target};

fn key(n: u8) -> SshKey {
    ssh_keys::ed25519(Secret::new(vec![n; 32]), "ann@laptop").expect("a key")
}

fn text(n: u8, target: Target, word: Option<&str>) -> String {
    let fresh = Fresh { check: [1, 2, 3, 4], salt: [5; 16], iv: [6; 16] };
    let word = word.map(|word| Secret::new(word.to_owned()));
    key(n).written(target, word.as_ref(), &fresh).expect("it can be written").expose().clone()
}

fn plain(n: u8) -> String {
    text(n, Target::OpenSsh, None)
}

struct Stage(tempfile::TempDir);

impl Stage {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn put(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, contents).expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
        path
    }

    fn folder(&self) -> KeyFolder {
        KeyFolder::at(self.0.path().to_owned())
    }

    fn look(&self) -> Listing {
        self.folder().look().expect("a folder")
    }

    /// The names of what is listed, with the code of what is wrong.
    fn told(&self) -> Vec<(String, Option<&'static str>)> {
        self.look().files.iter().map(|file| (name(&file.path), code(file))).collect()
    }
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

fn code(file: &KeyFile) -> Option<&'static str> {
    match &file.problem {
        None => None,
        Some(Unusable::Key(problem)) => Some(problem.code()),
        Some(Unusable::File(_)) => Some("unreadable"),
    }
}

#[test]
fn keys_are_found_by_what_files_hold_and_nothing_else_is_listed() {
    let stage = Stage::new();
    stage.put("a", plain(1));
    stage.put("notes.txt", text(2, Target::Pem, None));
    stage.put("id_rsa.pub", text(3, Target::OpenSsh, Some("word")));
    stage.put("sealed.pem", text(4, Target::Pem, Some("word")));
    stage.put("cut", &plain(5)[..200]);
    let public = key(1).public().openssh("ann@laptop");
    stage.put("a.pub", &public);
    stage.put("authorized_keys", format!("# who\nrestrict {public}\n"));
    stage.put("known_hosts", format!("git.example.com,192.0.2.1 {public}\n|1|abc=|def= {public}\n"));
    stage.put("config", "Host *\n  IdentityFile ~/.ssh/a\n");
    stage.put("empty", "");
    stage.put("rubbish", [0_u8, 159, 146, 150].repeat(500));
    stage.put("large", plain(6) + &"\n".repeat(MOST_BYTES));
    fs::create_dir(stage.0.path().join("more")).expect("a folder");
    fs::write(stage.0.path().join("more/b"), plain(7)).expect("a file");
    let told = stage.told();
    let told: Vec<_> = told.iter().map(|(name, code)| (name.as_str(), *code)).collect();
    assert_eq!(
        told,
        [
            ("a", None),
            ("cut", Some("ssh_key_truncated")),
            ("id_rsa.pub", Some("ssh_key_passphrase_needed")),
            ("notes.txt", None),
            ("sealed.pem", Some("ssh_key_passphrase_needed")),
        ]
    );
    let Listing { files, more } = stage.look();
    assert!(!more);
    assert_eq!((files[0].format, files[3].format), (Some(Format::OpenSsh), Some(Format::Pkcs8)));
    assert_eq!((files[0].usable(), files[2].usable()), (Some(key(1).public().sha256()), None));
    assert_eq!(files[0].comment.as_deref(), Some("ann@laptop"));
    // What stands outside of what is encrypted is told.
    assert_eq!(files[2].public.as_ref(), Some(key(3).public()));
    assert!(files[2].encryption.is_some() && files[4].public.is_none());
}

#[test]
fn links_are_followed_to_plain_files_and_a_pipe_is_not_waited_for() {
    let (stage, elsewhere) = (Stage::new(), Stage::new());
    let target = elsewhere.put("mounted", plain(1));
    let at = |name: &str| stage.0.path().join(name);
    symlink(target, at("deploy")).expect("a link");
    symlink(elsewhere.0.path(), at("..data")).expect("a link");
    symlink("/nowhere/at/all", at("gone")).expect("a link");
    symlink("/dev/zero", at("endless")).expect("a link");
    let made = Command::new("mkfifo").arg(at("pipe")).status().expect("the program mkfifo");
    assert!(made.success());
    symlink("pipe", at("to the pipe")).expect("a link");
    assert_eq!(stage.told(), [("deploy".to_owned(), None)]);
    let sha256 = key(1).public().sha256();
    assert!(stage.folder().open(&sha256, "").is_ok());
}

#[test]
fn a_file_that_others_may_read_is_told_and_one_that_we_may_not_read_is_no_end() {
    let stage = Stage::new();
    for (name, mode) in [("group", 0o640), ("own", 0o600), ("shut", 0o000), ("world", 0o604)] {
        let path = stage.put(name, plain(mode as u8));
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
    }
    let files = stage.look().files;
    let open: Vec<_> = files.iter().filter(|file| file.is_open_to_others).map(|file| name(&file.path)).collect();
    assert_eq!(open, ["group", "world"]);
    // Rights are nothing to root.
    let shut = if rustix::process::geteuid().is_root() { None } else { Some("unreadable") };
    assert_eq!(files.iter().map(code).collect::<Vec<_>>(), [None, None, shut, None]);
}

#[test]
fn no_more_files_are_looked_at_than_such_a_folder_has() {
    let stage = Stage::new();
    for n in 0..MOST_FILES {
        stage.put(&format!("{n:03}"), "no key");
    }
    assert!(!stage.look().more);
    stage.put("zzz", plain(1));
    let Listing { files, more } = stage.look();
    assert!(files.is_empty() && more);
    let missing = stage.folder().open(&key(1).public().sha256(), "").err();
    assert!(matches!(missing, Some(Missing::Absent(_))), "{missing:?}");
    // Where it was seen last is looked at first, however many there are.
    let place = stage.0.path().join("zzz").display().to_string();
    assert!(stage.folder().open(&key(1).public().sha256(), &place).is_ok());
}

#[test]
fn a_key_is_opened_by_its_fingerprint_wherever_it_lies() {
    let stage = Stage::new();
    let place = stage.put("deploy", plain(1));
    let place = shown(&place).as_str().to_owned();
    stage.put("other", plain(2));
    let sha256 = key(1).public().sha256();
    let open = || stage.folder().open(&sha256, &place);
    let opened = open().expect("it is there");
    assert_eq!(opened.public(), key(1).public());
    // Another key in its place is not taken for it, and under another name it is found.
    stage.put("deploy", plain(3));
    assert!(matches!(open().err(), Some(Missing::Absent(_))));
    stage.put("renamed", text(1, Target::Pem, None));
    assert!(open().is_ok());
    stage.put("renamed", text(1, Target::OpenSsh, Some("word")));
    let locked = open().err().expect("nobody types the passphrase");
    assert!(matches!(&locked, Missing::Locked(path) if path.ends_with("renamed")), "{locked}");
}

#[test]
fn a_folder_that_is_not_there_says_which() {
    let stage = Stage::new();
    let gone = KeyFolder::at(stage.0.path().join("gone"));
    let unreadable = gone.look().expect_err("there is none");
    assert!(unreadable.to_string().contains("/gone cannot be read"), "{unreadable}");
    assert!(matches!(gone.open("SHA256:x", "").err(), Some(Missing::Folder(_))));
}
