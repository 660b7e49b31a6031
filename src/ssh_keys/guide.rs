//! How people make a key and give each half where it belongs, for each platform. Read by the command line; `docs/ssh.md`
//! has the same text, and `tests/peers/key_remedies.rs` compares it and runs every command.

/// A new key, the usual kind.
pub(super) const NEW_ED25519: &str = "ssh-keygen -t ed25519 -N '' -C keytrail -f keytrail_key";
/// A new key for hosts that take RSA only.
pub(super) const NEW_RSA: &str = "ssh-keygen -t rsa -b 4096 -N '' -C keytrail -f keytrail_rsa_key";

/// Where the person sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Linux
    Linux,
    /// macOS
    Macos,
    /// Windows: its own OpenSSH, and PuTTYgen
    Windows,
    /// The shell that Git for Windows brings
    GitBash,
}

impl Platform {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Linux, Self::Macos, Self::Windows, Self::GitBash];

    /// As the command line calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Macos => "macos",
            Self::Windows => "windows",
            Self::GitBash => "git-bash",
        }
    }

    /// As people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Linux => "Linux",
            Self::Macos => "macOS",
            Self::Windows => "Windows",
            Self::GitBash => "git bash",
        }
    }
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// In words.
    pub says: &'static str,
    /// What to type, one after the other.
    pub commands: &'static [&'static str],
}

const fn step(says: &'static str, commands: &'static [&'static str]) -> Step {
    Step { says, commands }
}

const NEW: Step = step(
    "Make a key for this server alone, without a passphrase: the server keeps it sealed, and nobody else has it.",
    &[NEW_ED25519],
);
const NEW_FOR_RSA: Step = step(
    "Only for hosts that take nothing but RSA (AWS CodeCommit, Azure DevOps): make this one instead. What follows is the \
     same with its name.",
    &[NEW_RSA],
);
const PUBLIC: Step = step(
    "The public half goes to the git host, as a deploy key or to an account that may read; it is one line. The second \
     command says its fingerprint, to compare.",
    &["cat keytrail_key.pub", "ssh-keygen -l -f keytrail_key.pub"],
);
const RFC_4716: Step = step(
    "Some hosts want it in the form of RFC 4716, which begins with ---- BEGIN SSH2 PUBLIC KEY ----.",
    &["ssh-keygen -e -f keytrail_key.pub"],
);
const PRIVATE: Step = step(
    "The private half goes to Keytrail. Look what it is before; nothing is sent anywhere.",
    &["keytrail ssh-key inspect keytrail_key"],
);
const PPK: Step = step(
    "A .ppk of PuTTY is taken as it is. For other programs, write it in the form of OpenSSH, by either of these.",
    &[
        "keytrail ssh-key convert key.ppk --to openssh --out converted_key",
        "puttygen key.ppk -O private-openssh-new -o converted_by_puttygen",
    ],
);
const EXISTING: Step = step(
    "A key that you have already is taken in any format, with its passphrase or without. Where another program wants \
     PEM, convert a copy.",
    &["keytrail ssh-key convert keytrail_key --to pem --out keytrail_key.pem"],
);
const MACOS: Step = step(
    "ssh-keygen of macOS writes the form of OpenSSH (-----BEGIN OPENSSH PRIVATE KEY-----). That is right, and taken as it \
     is: nothing needs to be converted.",
    &[],
);
const PUTTYGEN: Step = step(
    "With PuTTYgen: choose EdDSA (or RSA with 4096 bits), Generate, move the mouse, leave the passphrase empty, Save private \
     key. The .ppk is taken as it is. What stands in the box above, which begins with ssh-ed25519, is the public half.",
    &[],
);
const IN_A_CONSOLE: Step = step(
    "Or in a console, with the OpenSSH that Windows has. Press Enter twice when it asks for a passphrase.",
    &["ssh-keygen -t ed25519 -C keytrail -f keytrail_key"],
);
const SHOW_ON_WINDOWS: Step = step(
    "The public half goes to the git host, as a deploy key or to an account that may read; it is one line. The second \
     command says its fingerprint, to compare.",
    &["type keytrail_key.pub", "ssh-keygen -l -f keytrail_key.pub"],
);
const NOTEPAD: Step = step(
    "Upload the private half as a file where you can. Copying it by an editor works, too: line ends, blanks before it and \
     a mark at its beginning do no harm.",
    &[],
);

/// What to do there, in order.
pub const fn guide(platform: Platform) -> &'static [Step] {
    match platform {
        Platform::Linux => &[NEW, NEW_FOR_RSA, PUBLIC, RFC_4716, PRIVATE, EXISTING, PPK],
        Platform::Macos => &[NEW, MACOS, NEW_FOR_RSA, PUBLIC, RFC_4716, PRIVATE, EXISTING],
        Platform::Windows => &[PUTTYGEN, IN_A_CONSOLE, SHOW_ON_WINDOWS, RFC_4716, NOTEPAD, PRIVATE],
        Platform::GitBash => &[NEW, NEW_FOR_RSA, PUBLIC, RFC_4716, PRIVATE, EXISTING],
    }
}
