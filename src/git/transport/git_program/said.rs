//! From what the git program says to an error of ours. Called when a fetch failed; what is not understood is cleaned,
//! cut, and shown without any address. git's sentences are those of its source, in English (`LC_ALL=C`).

use keytrail_domain::display_text::DisplayText;

use crate::git::{
    GitError,
    remote::RemoteTrouble,
    transport::{
        FetchError,
        fetch::{FetchRequest, FetchSource},
        room,
    },
};

/// How much of an unknown sentence is shown.
const MOST_SHOWN: usize = 200;

/// What is meant by a sentence.
enum Meaning {
    Trouble(RemoteTrouble),
    Fetch(FetchError),
}

/// Why a fetch failed, by the lines that it said.
pub(super) fn error(lines: &str, request: &FetchRequest<'_>) -> GitError {
    if lacks_memory(lines) {
        return room::over_memory(request.limits.memory_bytes).into();
    }
    match (meaning(lines), request.source) {
        (Some(Meaning::Trouble(trouble)), FetchSource::Remote(remote)) => remote.trouble(trouble),
        (Some(Meaning::Fetch(error)), _) => error.into(),
        (Some(Meaning::Trouble(_)), FetchSource::Local(source))
            if lines.contains("does not appear to be a git repository") =>
        {
            GitError::NotARepository { path: source.path().to_owned() }
        }
        (Some(Meaning::Trouble(_)) | None, _) => FetchError::Refused { said: shown(lines) }.into(),
    }
}

/// Whether the server refused the filter by an error.
pub(super) fn refuses_filter(lines: &str) -> bool {
    // From upload-pack.c: "filter 'tree' not supported", "tree filter allows max depth 0, but got 1".
    lines.contains("filter") && (lines.contains("not supported") || lines.contains("allows max depth"))
}

/// Whether the program was refused memory. What the server says of its own memory stands behind `remote:`.
fn lacks_memory(lines: &str) -> bool {
    // From wrapper.c, zlib.c and curl: "Out of memory, malloc failed", "inflateInit: out of memory", "Out of memory".
    let mut ours = lines.lines().filter(|line| !line.starts_with("remote:") && !line.contains("remote error:"));
    ours.any(|line| line.to_ascii_lowercase().contains("out of memory") || line.contains("Cannot allocate memory"))
}

fn meaning(lines: &str) -> Option<Meaning> {
    let has = |text: &str| lines.contains(text);
    let status = lines
        .split_once("The requested URL returned error: ")
        .and_then(|(_, rest)| rest.split(|character: char| !character.is_ascii_digit()).next()?.parse::<u16>().ok());
    let trouble = status.map(RemoteTrouble::of_status);
    // The order matters: what is said first causes what is said later, and the more exact sentence goes first.
    const SENTENCES: [(&str, RemoteTrouble); 28] = [
        ("Authentication failed", RemoteTrouble::Unauthorized),
        ("could not read Username", RemoteTrouble::Unauthorized),
        ("could not read Password", RemoteTrouble::Unauthorized),
        ("pinned public key", RemoteTrouble::TlsPinMismatch),
        ("certificate has expired", RemoteTrouble::TlsExpired),
        ("certificate is not yet valid", RemoteTrouble::TlsExpired),
        ("certificate expired", RemoteTrouble::TlsExpired),
        ("certificate not yet activated", RemoteTrouble::TlsExpired),
        ("certificate subject name", RemoteTrouble::TlsWrongHost),
        ("owner does not match", RemoteTrouble::TlsWrongHost),
        ("error reading ca cert file", RemoteTrouble::BadAuthority),
        ("error setting certificate", RemoteTrouble::BadAuthority),
        ("SSL certificate problem", RemoteTrouble::TlsUntrusted),
        ("certificate verification failed", RemoteTrouble::TlsUntrusted),
        ("Could not resolve proxy", RemoteTrouble::ProxyFailed),
        ("CONNECT tunnel failed", RemoteTrouble::ProxyFailed),
        ("HTTP code 407 from proxy", RemoteTrouble::ProxyFailed),
        ("Could not resolve host", RemoteTrouble::HostUnknown),
        ("Connection refused", RemoteTrouble::ConnectionRefused),
        ("Failed to connect", RemoteTrouble::ConnectionRefused),
        ("Couldn't connect to server", RemoteTrouble::ConnectionRefused),
        ("SSL_connect", RemoteTrouble::TlsFailed),
        ("SSL connect error", RemoteTrouble::TlsFailed),
        ("gnutls_handshake", RemoteTrouble::TlsFailed),
        ("valid info/refs", RemoteTrouble::NotGit),
        ("not valid: is this a git repository?", RemoteTrouble::NotGit),
        ("repository not exported", RemoteTrouble::NotFound),
        ("access denied or repository", RemoteTrouble::NotFound),
    ];
    let of_sentence = || SENTENCES.into_iter().find(|(text, _)| has(text)).map(|(_, trouble)| trouble);
    let not_found = || {
        let missing =
            lines.lines().any(|line| line.starts_with("fatal: repository '") && line.ends_with("' not found"));
        (missing || has("does not appear to be a git repository")).then_some(RemoteTrouble::NotFound)
    };
    if let Some(trouble) = trouble.or_else(of_sentence).or_else(not_found) {
        return Some(Meaning::Trouble(trouble));
    }
    if has("object format") || has("mismatched algorithms") {
        return Some(Meaning::Trouble(RemoteTrouble::Sha256Unsupported));
    }
    if has("not our ref") || has("unadvertised object") || has("want ") && has("not valid") {
        return Some(Meaning::Fetch(FetchError::RefsMoved));
    }
    if has("No space left on device") || has("Disk quota exceeded") {
        return Some(Meaning::Fetch(FetchError::DiskFull));
    }
    if has("early EOF") || has("unexpected disconnect") || has("hung up unexpectedly") || has("Empty reply") {
        return Some(Meaning::Fetch(FetchError::BrokeOff));
    }
    if has("did not send all necessary objects") {
        return Some(Meaning::Fetch(FetchError::Incomplete));
    }
    const BROKEN_TRANSFERS: [&str; 5] =
        ["RPC failed", "transfer closed", "Recv failure", "expected 'packfile'", "expected flush after"];
    const BROKEN_PACKS: [&str; 11] = [
        "pack is corrupted",
        "pack has bad object",
        "pack signature mismatch",
        "pack version",
        "unresolved delta",
        "inflate returned",
        "invalid index-pack output",
        "index-pack failed",
        "hash mismatch",
        "SHA1 COLLISION",
        // Something stands behind the pack.
        "invalid length read",
    ];
    if BROKEN_PACKS[..6].iter().any(|text| has(text)) || has("delta") && has("fatal: ") && has("bad") {
        return Some(Meaning::Fetch(FetchError::CorruptPack));
    }
    if BROKEN_TRANSFERS.iter().any(|text| has(text)) {
        return Some(Meaning::Fetch(FetchError::BrokeOff));
    }
    if BROKEN_PACKS.iter().any(|text| has(text)) {
        return Some(Meaning::Fetch(FetchError::CorruptPack));
    }
    const BROKEN_TALK: [&str; 4] = ["protocol error", "bad line length", "bad band", "unexpected response"];
    if BROKEN_TALK.iter().any(|text| has(text)) {
        let what = "its answer is no answer of git's";
        return Some(Meaning::Trouble(RemoteTrouble::Protocol { what }));
    }
    None
}

/// The first fatal sentence, without the words that could hold an address, cleaned and cut.
fn shown(lines: &str) -> DisplayText {
    let of = |start: &str| lines.lines().find_map(|line| line.strip_prefix(start));
    let sentence = of("fatal: ").or_else(|| of("error: ")).unwrap_or("the git program ended without a reason");
    // What the server itself says is never shown: it could be anything, even what we sent.
    let sentence = if sentence.contains("remote error") { "the server refused, in words of its own" } else { sentence };
    let words = sentence.split_whitespace().map(|word| if word.contains(['/', '@', '\\']) { "…" } else { word });
    let mut text = DisplayText::clean(&words.collect::<Vec<_>>().join(" ")).as_str().to_owned();
    if text.len() > MOST_SHOWN {
        text.truncate(text.floor_char_boundary(MOST_SHOWN));
        text.push('…');
    }
    DisplayText::clean(&text)
}
