//! How a key is told: all that may be seen of it, how old it is, and its public half in the forms that git hosts ask for.

use keytrail_domain::{access::Role, recorded::Sequence, ssh_key::Algorithm, timestamp::Timestamp};
use keytrail_projections::ssh_key_list::{KeyOrigin, KeyState, SshKey as Row};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    DAY,
    uses::{KeyUse, Uses},
};
use crate::{
    app::App,
    http::{auth::Caller, changed::Versioned, words},
    ssh_keys::{GIT_HOSTS, GitHost, Problem, PublicHalf},
};

/// A key of SSH, without its private half.
#[derive(Serialize, ToSchema)]
#[schema(as = SshKey)]
pub(in crate::http) struct Shown {
    /// Which.
    id: Uuid,
    /// What people call it.
    name: String,
    /// Whether it is in the pool.
    #[schema(schema_with = words::ssh_key_state)]
    state: KeyState,
    /// How it came.
    #[schema(schema_with = words::ssh_key_origin)]
    origin: KeyOrigin,
    /// Where its file was found, of a key that lies on the server's file system and is used from there; only for
    /// administrators.
    path: Option<String>,
    /// Where each half is and where it goes.
    halves: &'static str,
    /// How it was written when it came; nothing where the server made it.
    #[schema(schema_with = words::ssh_key_format)]
    format: Option<&'static str>,
    /// Whether it had a passphrase when it came. It is sealed here without it.
    had_passphrase: bool,
    /// What it is of, as SSH calls it.
    #[schema(schema_with = words::ssh_key_algorithm)]
    algorithm: &'static str,
    /// How long it is, as `ssh-keygen -l` counts.
    bits: u32,
    /// What its owner calls it, without e-mail addresses; may be empty.
    comment: String,
    /// As `ssh-keygen -l` writes it.
    #[schema(example = "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8")]
    fingerprint_sha256: String,
    /// As `ssh-keygen -l -E md5` writes it.
    fingerprint_md5: String,
    /// The public half as one line, for the git host.
    public_key: String,
    /// Why the server made it of RSA, if it did.
    #[schema(schema_with = words::rsa_reason)]
    rsa_because: Option<&'static str>,
    /// The same in words.
    rsa_reason: Option<&'static str>,
    /// Whether it is offered where no key is associated: after a chosen one the common keys are, in the order in which they came.
    common: bool,
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// How many whole days ago that was.
    age_days: i64,
    /// Whether it is in the pool for longer than `ssh_keys.old_days` of the configuration.
    is_old: bool,
    /// When a git host last took it, within an hour; nothing when none did.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// The repository whose host took it last, be it chosen, associated or common; where one key is told of, and left out where
    /// none did, and in the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_for: Option<KeyUse>,
    /// Whether no git host ever took it.
    never_used: bool,
    /// For how many integrations it was chosen. Those that were removed do not count.
    used_by: u64,
    /// Those, the first 50 of them, where one key is told of; left out where there is none, and in the list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    integrations: Vec<KeyUse>,
    /// With how many repositories it is associated: no other key is offered for them.
    associated: u64,
    /// Those, the first 50 of them, where one key is told of; left out where there is none, and in the list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    repositories: Vec<KeyUse>,
    /// How many repositories are read with it now because it is common: their host took it last. At most 1000 are counted.
    /// Where one key is told of; left out where there is none, and in the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    common_for: Option<u64>,
    /// Those, the first 50 of them, where one key is told of; left out where there is none, and in the list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    common_repositories: Vec<KeyUse>,
    /// The key that is tried in its place, or has taken it.
    rotation_to: Option<Uuid>,
    /// When it was taken away.
    #[schema(value_type = Option<String>, format = DateTime)]
    retired_at: Option<Timestamp>,
    /// Its version, which is its ETag, too.
    version: i64,
    /// The position of its last change.
    position: i64,
}

impl Shown {
    /// With what it is used for.
    pub(super) fn at(app: &App, row: Row, uses: &Uses) -> Self {
        let last_used_at = uses.last_at(row.id);
        let now = app.clock.now();
        let age = now.0.saturating_sub(row.added_at.0).max(0);
        let public = row.public;
        Self {
            id: row.id.0,
            name: row.name,
            state: row.state,
            origin: row.origin,
            path: row.path,
            halves: halves(row.state, row.origin),
            format: row.format.map(|format| format.as_str()),
            had_passphrase: row.had_passphrase,
            algorithm: public.algorithm.as_str(),
            bits: public.bits,
            public_key: line(public.algorithm.as_str(), &public.blob, public.comment.as_str()),
            comment: public.comment.into(),
            fingerprint_sha256: public.sha256,
            fingerprint_md5: public.md5,
            rsa_because: row.rsa_because.map(|reason| reason.as_str()),
            rsa_reason: row.rsa_because.map(|reason| reason.title()),
            common: row.common,
            created_at: row.added_at,
            age_days: age / DAY,
            is_old: row.state == KeyState::Active && age > app.config.ssh_keys.old_micros(),
            last_used_at,
            last_used_for: uses.last_for().cloned(),
            never_used: last_used_at.is_none(),
            used_by: uses.count(row.id),
            integrations: uses.named().to_vec(),
            associated: uses.associated(row.id),
            repositories: uses.repositories().to_vec(),
            common_for: uses.common_for(),
            common_repositories: uses.common_repositories().to_vec(),
            rotation_to: row.rotation_to.map(|key| key.0),
            retired_at: row.retired_at,
            version: row.version,
            position: row.position,
        }
    }

    /// As this caller may see it: where files of the server lie is for administrators.
    pub(super) fn seen_by(self, caller: &Caller) -> Self {
        let path = self.path.filter(|_| caller.role == Role::Admin);
        Self { path, ..self }
    }
}

impl Versioned for Shown {
    fn version(&self) -> Sequence {
        self.version
    }
}

const fn halves(state: KeyState, origin: KeyOrigin) -> &'static str {
    match (state, origin) {
        (KeyState::Retired, KeyOrigin::OnDisk) => {
            "The file with the private half stays where it is, and nothing is read with it any more. Take the public half away \
             at the git host, too, so that nobody else uses it."
        }
        (KeyState::Retired, _) => {
            "The private half is forgotten here. Take the public half away at the git host, too, so that nobody else uses it."
        }
        (KeyState::Active, KeyOrigin::Generated) => {
            "This key belongs to this server alone. The private half was made here, is sealed here and stays here; the public \
             half goes to the git host."
        }
        (KeyState::Active, KeyOrigin::OnDisk) => {
            "The private half lies in a file of the server's account and stays there: it must be on every node, and is read \
             whenever the key is used. The public half goes to the git host."
        }
        (KeyState::Active, KeyOrigin::Pasted | KeyOrigin::File) => {
            "The private half is sealed here and never comes out; the public half goes to the git host. Delete other copies of \
             the private half: a key that a server has to itself can be taken away without anybody else noticing."
        }
    }
}

fn line(algorithm: &str, blob: &str, comment: &str) -> String {
    format!("{algorithm} {blob} {comment}").trim_end().to_owned()
}

/// The public half of a key, and where it goes.
#[derive(Serialize, ToSchema)]
#[schema(as = SshKeyPublic)]
pub(in crate::http) struct PublicForms {
    /// Of which key.
    id: Uuid,
    /// As one line, as most git hosts and `authorized_keys` take it.
    openssh: String,
    /// In the form of RFC 4716, for hosts that want that.
    rfc4716: String,
    /// As `ssh-keygen -l` writes it.
    fingerprint_sha256: String,
    /// As `ssh-keygen -l -E md5` writes it.
    fingerprint_md5: String,
    /// Where each half is and where it goes.
    halves: &'static str,
    /// Where the public half goes on the usual git hosts.
    hosts: Vec<Hint>,
}

/// What to do at a git host.
#[derive(Serialize, ToSchema)]
#[schema(as = GitHostHint)]
pub(in crate::http) struct Hint {
    /// One word for the host; it can be said when a key is generated.
    #[schema(schema_with = words::git_host_word)]
    host: &'static str,
    /// As people call it.
    title: &'static str,
    /// Whether it takes this kind of key.
    takes_it: bool,
    /// Where the public half goes there.
    hint: &'static str,
}

impl PublicForms {
    /// From the row. It fails only where the row was changed from outside.
    pub(super) fn of(row: &Row) -> Result<Self, Problem> {
        let (public, comment) = (PublicHalf::from_base64(&row.public.blob)?, row.public.comment.as_str());
        let is_rsa = row.public.algorithm == Algorithm::Rsa;
        let hint = |host: &GitHost| Hint {
            host: host.name,
            title: host.title,
            takes_it: is_rsa || !host.takes_only_rsa,
            hint: host.hint,
        };
        Ok(Self {
            id: row.id.0,
            openssh: public.openssh(comment),
            rfc4716: public.rfc4716(comment),
            fingerprint_sha256: public.sha256(),
            fingerprint_md5: public.md5(),
            halves: halves(row.state, row.origin),
            hosts: GIT_HOSTS.iter().map(hint).collect(),
        })
    }
}
