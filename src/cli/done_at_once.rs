//! Which commands that change something do so without asking, and why: a table of `docs/cli.md`, held against all commands.
//! A command that takes something away from anybody takes `--yes` and `--dry-run` instead, and has no line here.

use super::words::leaves;

/// The command, and why nobody is asked.
pub(super) const BECAUSE: &[(&str, &str)] = &[
    ("integration add", "`integration remove` takes it back, and `ssh-key retire` a key that came with it"),
    ("integration connect", "nothing happens before somebody opens the link; asking again makes it useless"),
    ("integration rename", "it can be called as before"),
    ("integration set-web-links", "they can be set as before"),
    ("integration pause", "what was found stays; `integration resume` takes it back"),
    ("integration resume", "`integration pause` takes it back"),
    ("installation adopt", "the app stays as it is; `integration remove` gives it back"),
    ("installation suspend", "what was found stays; `installation resume` takes it back"),
    ("installation resume", "`installation suspend` takes it back"),
    ("installation rotate-key", "GitHub has to take the new key first, and goes on taking the old one"),
    ("installation rotate-webhook-secret", "the old one is taken for another hour"),
    ("installation set-route", "nothing that was found goes; it can be set as before"),
    ("installation confirm-repositories", "`installation set-filter` leaves out what is not wanted"),
    ("installation repair", "it does again what is wished already"),
    ("delivery replay", "what follows from a delivery is said once"),
    ("repository fetch", "it only adds what is new"),
    ("repository index", "it only adds what is new"),
    ("run retry", "it only adds what is new"),
    ("run cancel", "what was recorded stays; `run retry` goes on with it"),
    ("operation cancel", "what was recorded stays; it can be asked for again"),
    ("index", "it only adds what is new; `integration remove` takes the rest back"),
    ("issue link", "`issue unlink` takes it away again"),
    ("project undeny", "nothing recorded goes; `project deny` takes it back"),
    ("ssh-key add", "`ssh-key retire` takes it back"),
    ("ssh-key generate", "`ssh-key retire` takes it back"),
    ("ssh-key register", "the file stays as it is; `ssh-key retire` takes it back"),
    ("ssh-key rename", "it can be called as before"),
    ("ssh-key share", "`ssh-key reserve` takes it back"),
    ("ssh-key reserve", "`ssh-key share` takes it back"),
    ("ssh-key rotate", "nothing changes unless every repository takes the new key; its name says which one goes"),
    ("ssh-key associate", "`ssh-key dissociate` takes it back"),
    ("ssh-key dissociate", "`ssh-key associate` takes it back"),
    ("host-key scan", "nothing is trusted by it; that a known server shows another key is recorded once"),
    ("host-key import", "`host-key forget` takes it back"),
    ("host-key refuse", "what is trusted stays"),
    ("token issue", "`token revoke` takes it back"),
    ("views rebuild", "what is shown stays until the new build is whole"),
    (
        "vault rotate-root-key",
        "every key that seals secrets is under the new root key, in one step, before the old one is needed no more",
    ),
];

/// Commands that change nothing of a server or its data: they read, or are of files and of the program itself.
const CHANGE_NOTHING: &[&str] = &[
    "serve",
    "search",
    "explain",
    "events",
    "doctor",
    "health",
    "openapi",
    "completions",
    "man",
    "installation preview-filter",
    "integration test",
    "views verify",
    "issue commits",
    "issue branches",
    "issue pull-requests",
    "commit refs",
    "commit files",
    "commit diff",
    "run log",
    "project rules",
    "ssh-key files",
];

/// Commands that are of files with keys.
const OF_KEY_FILES: &[&str] = &["ssh-key inspect", "ssh-key convert", "ssh-key make-file", "ssh-key guide"];

fn changes_nothing(words: &str) -> bool {
    let reads = [" list", " show"].iter().any(|end| words.ends_with(end));
    let is_of_files = words.starts_with("config ") || OF_KEY_FILES.contains(&words);
    reads || is_of_files || CHANGE_NOTHING.contains(&words)
}

#[test]
fn every_command_that_changes_something_asks_or_says_why_it_does_not() {
    let all = leaves();
    for (words, command) in &all {
        let takes = |name: &str| command.get_arguments().any(|argument| argument.get_long() == Some(name));
        let ways = [changes_nothing(words), takes("dry-run"), BECAUSE.iter().any(|(known, _)| known == words)];
        let count = ways.iter().filter(|holds| **holds).count();
        assert_eq!(
            count, 1,
            "`keytrail {words}` reads, or asks (--yes, --dry-run), or has a line in BECAUSE: {ways:?}"
        );
    }
    let known = BECAUSE.iter().map(|(words, _)| words).chain(CHANGE_NOTHING);
    for words in known {
        assert!(all.iter().any(|(one, _)| one == words), "there is no `keytrail {words}`");
    }
}
