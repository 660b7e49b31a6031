//! How a server's keys are told: each with its fingerprints, what is known of it, and what to do next.

use keytrail_domain::{
    host_key::{HostKeys, HostPublicKey},
    recorded::Sequence,
    timestamp::Timestamp,
};
use keytrail_projections::host_key_list::{HostKeyState, SshServer as Row};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::look::Looked;
use crate::{
    http::{changed::Versioned, words},
    ssh_hosts,
};

/// A host key.
#[derive(Serialize, ToSchema)]
#[schema(as = HostKey)]
struct Key {
    /// What it is of, as SSH calls it.
    #[schema(example = "ssh-ed25519")]
    algorithm: String,
    /// As `ssh-keygen -l` writes it.
    fingerprint_sha256: String,
    /// As `ssh-keygen -l -E md5` writes it.
    fingerprint_md5: String,
    /// A line of known_hosts.
    known_hosts: String,
}

/// An SSH server and the keys by which it is known.
#[derive(Serialize, ToSchema)]
#[schema(as = SshServer)]
pub(in crate::http) struct Shown {
    /// Which.
    id: Uuid,
    /// As known_hosts calls it.
    name: String,
    /// A name in lower case, or an address.
    host: String,
    /// Where it listens.
    port: u16,
    /// What is known of it.
    #[schema(schema_with = words::host_key_state)]
    state: HostKeyState,
    /// Any of them proves it.
    trusted: Vec<Key>,
    /// Who vouched for them last.
    #[schema(schema_with = words::host_key_how)]
    trusted_how: Option<&'static str>,
    /// What it showed while nothing was trusted.
    seen: Vec<Key>,
    /// What it showed instead of a trusted key: a person must decide.
    offered: Vec<Key>,
    /// What a person decided against.
    refused: Vec<Key>,
    /// What to do next.
    next: &'static str,
    /// When it was first met.
    #[schema(value_type = String, format = DateTime)]
    met_at: Timestamp,
    /// When what is trusted last changed.
    #[schema(value_type = Option<String>, format = DateTime)]
    trusted_at: Option<Timestamp>,
    /// Since when it shows another key, while nobody decided.
    #[schema(value_type = Option<String>, format = DateTime)]
    changed_at: Option<Timestamp>,
    /// Its version, which is its ETag, too.
    version: i64,
    /// The position of its last change.
    position: i64,
}

impl Shown {
    pub(super) fn of(row: Row) -> Self {
        // The row has the host in the form of URLs, which is read again.
        let name = ssh_hosts::endpoint(&format!("{}:{}", row.host, row.port));
        let name = name.map_or_else(|| format!("{}:{}", row.host, row.port), |server| server.known_hosts_name());
        let told = |keys: &[HostPublicKey]| keys.iter().map(|key| Key::of(key, &name)).collect();
        Self {
            id: row.id.0,
            trusted: told(row.keys.trusted()),
            seen: told(row.keys.seen()),
            offered: told(row.keys.offered()),
            refused: told(row.keys.refused()),
            name,
            host: row.host,
            port: row.port,
            state: row.state,
            trusted_how: row.how.map(|how| how.as_str()),
            next: next(row.state),
            met_at: row.met_at,
            trusted_at: row.trusted_at,
            changed_at: row.changed_at,
            version: row.version,
            position: row.position,
        }
    }
}

impl Versioned for Shown {
    fn version(&self) -> Sequence {
        self.version
    }
}

impl Key {
    fn of(key: &HostPublicKey, name: &str) -> Self {
        Self {
            algorithm: key.algorithm.clone(),
            fingerprint_sha256: key.sha256(),
            fingerprint_md5: ssh_hosts::md5(key),
            known_hosts: key.known_hosts_line(name),
        }
    }
}

const fn next(state: HostKeyState) -> &'static str {
    match state {
        HostKeyState::Seen => {
            "Nobody vouches for these keys. Compare each fingerprint with what the owner of the server says, by another way \
             than this one; then trust those that are right."
        }
        HostKeyState::Trusted => "Nothing: a server that shows one of these keys is the one that is meant.",
        HostKeyState::Changed => {
            "Nothing is read from it. Ask the owner of the server whether its key was changed, and compare each \
             fingerprint. Accept the change if it was; refuse it if not, as somebody may stand between."
        }
        HostKeyState::Forgotten => "Look at it and trust its keys, if it is to be used again.",
    }
}

/// What a look at a server showed.
#[derive(Serialize, ToSchema)]
#[schema(as = ScannedSshServer)]
pub(in crate::http) struct Scanned {
    /// Under which it is known, or would be.
    id: Uuid,
    /// As known_hosts calls it.
    name: String,
    /// A name in lower case, or an address.
    host: String,
    /// Where it listens.
    port: u16,
    /// `unknown`: nobody vouches for it. `trusted`: it shows a key that is trusted. `changed`: it shows another one than the
    /// trusted, and a person must decide. `refused`: it shows only what a person decided against.
    #[schema(schema_with = words::host_key_verdict)]
    verdict: &'static str,
    /// Its keys, one of each kind.
    keys: Vec<ScannedKey>,
    /// Who published fingerprints of it; nothing where nobody did, as far as the administrator's file says.
    published_by: Option<String>,
    /// Why nothing could be compared with that file.
    published_problem: Option<String>,
    /// What to do next.
    next: &'static str,
}

/// A key that a server shows.
#[derive(Serialize, ToSchema)]
#[schema(as = ScannedHostKey)]
struct ScannedKey {
    /// What it is of, as SSH calls it.
    #[schema(example = "ssh-ed25519")]
    algorithm: String,
    /// As `ssh-keygen -l` writes it.
    fingerprint_sha256: String,
    /// As `ssh-keygen -l -E md5` writes it.
    fingerprint_md5: String,
    /// A line of known_hosts.
    known_hosts: String,
    /// Whether it is trusted.
    trusted: bool,
    /// Whether it was published; nothing where nothing was published of this server.
    published: Option<bool>,
}

impl Scanned {
    pub(super) fn of(looked: &Looked, known: &HostKeys) -> Self {
        let server = &looked.server;
        let name = server.known_hosts_name();
        let published = looked.published.as_ref();
        let keys = looked.keys.iter().map(|key| {
            let Key { algorithm, fingerprint_sha256, fingerprint_md5, known_hosts } = Key::of(key, &name);
            let trusted = known.trusted().contains(key);
            let published = published.map(|published| published.has(key));
            ScannedKey { algorithm, fingerprint_sha256, fingerprint_md5, known_hosts, trusted, published }
        });
        let keys: Vec<_> = keys.collect();
        let (verdict, next) = if known.is_alarmed() {
            ("changed", next(HostKeyState::Changed))
        } else if known.trusted().is_empty() {
            ("unknown", first_meeting(&keys))
        } else if keys.iter().any(|key| key.trusted) {
            ("trusted", next(HostKeyState::Trusted))
        } else {
            ("refused", REFUSED)
        };
        Self {
            id: server.id().0,
            name,
            host: server.host.to_string(),
            port: server.port,
            verdict,
            keys,
            published_by: published.map(|published| published.by.as_str().to_owned()),
            published_problem: looked.published_problem.clone(),
            next,
        }
    }
}

/// What to do with keys that nobody vouches for yet, as far as they were published.
fn first_meeting(keys: &[ScannedKey]) -> &'static str {
    if keys.iter().any(|key| key.published == Some(false)) {
        "A key is another one than those that were published. Do not trust it before you know why: look whether the list is \
         old, and ask the owner of the server."
    } else if keys.iter().any(|key| key.published == Some(true)) {
        "These are the keys that were published. Trust them."
    } else {
        next(HostKeyState::Seen)
    }
}

const REFUSED: &str = "It shows only keys that were refused, and nothing is read from it. If they are right after all, \
                       forget the server, and trust it anew.";
