//! From what `ssh` says and how it ends to a trouble of ours, in our own words. Called when an attempt brought no answer of
//! git's. Its sentences are those of OpenSSH, in English (`LC_ALL=C`).
//!
//! Before a login is signed, the host has proved that it has a trusted key only when it says something; what `ssh` itself
//! says then counts. After it, the words are the host's own, and only how the program ended counts.

use crate::git::remote::RemoteTrouble;

/// What `ssh` ends with when it is its own failure, and not that of the command.
const ITS_OWN: i32 = 255;
/// What a shell ends with that does not know a command.
const NO_COMMAND: i32 = 127;

/// Why nobody was let in, by the lines of `ssh`; nothing where they do not say it.
pub(super) fn login_trouble(lines: &str) -> Option<RemoteTrouble> {
    let has = |text: &str| lines.lines().any(|line| line.trim_end().contains(text));
    // The order matters: what is said first causes what is said later.
    const SENTENCES: [(&str, RemoteTrouble); 23] = [
        // Of a process whose user has no name, which it refuses before anything else.
        ("No user exists for uid", RemoteTrouble::SshProgramMissing),
        // Who the host is was decided before the connection: without any trusted key there is none.
        ("Host key verification failed", RemoteTrouble::HostKeyChanged),
        ("REMOTE HOST IDENTIFICATION HAS CHANGED", RemoteTrouble::HostKeyChanged),
        ("Unable to negotiate with", RemoteTrouble::SshAlgorithms),
        ("no matching host key type found", RemoteTrouble::SshAlgorithms),
        ("no matching key exchange method found", RemoteTrouble::SshAlgorithms),
        ("no matching cipher found", RemoteTrouble::SshAlgorithms),
        ("no mutual signature", RemoteTrouble::SshAlgorithms),
        ("Protocol major versions differ", RemoteTrouble::SshAlgorithms),
        ("Connection refused", RemoteTrouble::ConnectionRefused),
        ("during banner exchange", RemoteTrouble::Silent),
        ("Connection timed out", RemoteTrouble::Unreachable),
        ("Operation timed out", RemoteTrouble::Unreachable),
        ("No route to host", RemoteTrouble::Unreachable),
        ("Network is unreachable", RemoteTrouble::Unreachable),
        (": Permission denied (", RemoteTrouble::SshAuthFailed),
        ("Too many authentication failures", RemoteTrouble::SshAuthFailed),
        ("not responding", RemoteTrouble::Silent),
        ("invalid format banner", RemoteTrouble::NotGit),
        ("kex_exchange_identification", RemoteTrouble::ConnectionLost),
        ("Connection closed by", RemoteTrouble::ConnectionLost),
        ("Connection reset by", RemoteTrouble::ConnectionLost),
        ("Broken pipe", RemoteTrouble::ConnectionLost),
    ];
    SENTENCES.into_iter().find(|(text, _)| has(text)).map(|(_, trouble)| trouble)
}

/// The key of the host that `ssh` met instead of a trusted one, as its kind and its fingerprint. It says so before anything
/// of the host's own is shown.
pub(super) fn other_key(lines: &str) -> Option<(String, String)> {
    const BEFORE: &str = "The fingerprint for the ";
    const AFTER: &str = " key sent by the remote host is";
    let (_, rest) = lines.split_once(BEFORE)?;
    let (kind, rest) = rest.split_once(AFTER)?;
    let sha256 = rest.split_ascii_whitespace().next()?.trim_end_matches('.');
    let digest = sha256.strip_prefix("SHA256:")?;
    let is_digest = digest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte));
    let is_kind = kind.len() <= 32 && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (digest.len() == 43 && is_digest && is_kind).then(|| (kind.to_owned(), sha256.to_owned()))
}

/// Why an attempt ended without a word of git's. `code` is how the program ended, where it did by itself.
pub(super) fn trouble(lines: &str, has_signed: bool, code: Option<i32>) -> RemoteTrouble {
    match (has_signed, code) {
        (false, _) => login_trouble(lines).unwrap_or(RemoteTrouble::ConnectionLost),
        (true, Some(NO_COMMAND)) => RemoteTrouble::NotGit,
        (true, Some(ITS_OWN) | None) => refused_after_all(lines).unwrap_or(RemoteTrouble::ConnectionLost),
        // The command at the other end said no: it is not there, or this key may not see it.
        (true, Some(_)) => RemoteTrouble::NotFound,
    }
}

/// A key that is known may still not come from here, or not now. It is the last that `ssh` says.
pub(super) fn refused_after_all(lines: &str) -> Option<RemoteTrouble> {
    let last = lines.lines().rev().find(|line| !line.trim().is_empty())?.trim_end();
    let is_refusal = last.contains(": Permission denied (") && last.ends_with(").");
    is_refusal.then_some(RemoteTrouble::SshAuthFailed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_openssh_says_is_a_trouble_of_ours() {
        for (lines, expected) in [
            ("git@127.0.0.1: Permission denied (publickey).\r\n", RemoteTrouble::SshAuthFailed),
            (
                "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.\n",
                RemoteTrouble::HostKeyChanged,
            ),
            (
                "Connection timed out during banner exchange\nConnection to 127.0.0.1 port 22 timed out",
                RemoteTrouble::Silent,
            ),
            ("ssh: connect to host 127.0.0.1 port 1: Connection refused\r\n", RemoteTrouble::ConnectionRefused),
            ("ssh: connect to host 192.0.2.1 port 22: Connection timed out\r\n", RemoteTrouble::Unreachable),
            (
                "Unable to negotiate with 127.0.0.1 port 22: no matching host key type found. Their offer: ssh-rsa",
                RemoteTrouble::SshAlgorithms,
            ),
            ("kex_exchange_identification: read: Connection reset by peer\r\n", RemoteTrouble::ConnectionLost),
            ("No user exists for uid 10001\r\n", RemoteTrouble::SshProgramMissing),
            ("", RemoteTrouble::ConnectionLost),
        ] {
            assert_eq!(trouble(lines, false, Some(ITS_OWN)), expected, "{lines}");
        }
    }

    #[test]
    fn the_key_that_was_met_is_read_from_what_openssh_says() {
        let digest = "Rn2tkC4v9Yw8CN/lJPMF3sh3wOtAYRVGhFtBO0c8egE";
        let said = |kind: &str, sha256: &str| {
            format!(
                "x\r\nThe fingerprint for the {kind} key sent by the remote host is\r\n{sha256}.\r\nPlease contact\n"
            )
        };
        let sha256 = format!("SHA256:{digest}");
        assert_eq!(other_key(&said("ED25519", &sha256)), Some(("ED25519".to_owned(), sha256.clone())));
        for lines in [
            String::new(),
            "Host key verification failed.\n".to_owned(),
            said("ED25519", "SHA256:short"),
            said("ED25519", &format!("MD5:{digest}")),
            said("ED25519", &format!("SHA256:{}", digest.replace('/', "<"))),
            said("a kind", &sha256),
            said(&"K".repeat(33), &sha256),
        ] {
            assert_eq!(other_key(&lines), None, "{lines}");
        }
    }

    #[test]
    fn after_a_login_the_words_are_the_hosts_own_and_only_the_end_counts() {
        let forged = "Host key verification failed.\nREMOTE HOST IDENTIFICATION HAS CHANGED\n";
        for (code, expected) in [
            (Some(128), RemoteTrouble::NotFound),
            (Some(1), RemoteTrouble::NotFound),
            (Some(NO_COMMAND), RemoteTrouble::NotGit),
            (Some(ITS_OWN), RemoteTrouble::ConnectionLost),
            (None, RemoteTrouble::ConnectionLost),
        ] {
            assert_eq!(trouble(forged, true, code), expected, "{code:?}");
        }
        let refused = "git@127.0.0.1: Permission denied (publickey).\r\n";
        assert_eq!(trouble(refused, true, Some(ITS_OWN)), RemoteTrouble::SshAuthFailed);
    }
}
