//! How commands end, for the help, the manual and `docs/cli.md`; `error.rs` chooses among them.

/// The code and what it means. Codes are never reused for another meaning.
pub(super) const ALL: &[(u8, &str)] = &[
    (0, "done"),
    (1, "the work failed, or what was examined is not well"),
    (2, "the command or the configuration is wrong, or something in it cannot be read; nothing was done"),
    (3, "there is no such thing"),
    (4, "the server refused"),
    (5, "there is no server, or it is not available"),
    (74, "the disk of the embedded store failed; the server ended, and what it had acknowledged is on disk"),
];

/// For the end of `--help`.
pub(super) fn help() -> String {
    let lines = ALL.iter().map(|(code, meaning)| format!("  {code:<3} {meaning}"));
    format!("Exit codes:\n{}", lines.collect::<Vec<_>>().join("\n"))
}
