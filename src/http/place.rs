//! The place that a caller wants to connect: a repository or a folder of the server's own disk, or a repository of a git
//! server. Called by the routes of integrations; what comes out is checked, and its credentials are sealed.

mod credential;
mod github_app;
mod local;
mod refs;
mod remote;
mod shown;
mod trust;

use keytrail_domain::{
    claim::{ClaimChange, ClaimScope},
    id::{IntegrationId, RepositoryId, SshKeyId},
    recorded::StreamId,
    remote_url::RemoteUrl,
    service::{self, Connection},
    ssh_key::SshKey,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub(super) use self::shown::ShownPlace;
use self::{github_app::GithubApp, local::Wanted, refs::Refs, remote::Remote};
use super::{
    Api,
    auth::Caller,
    error::{ApiError, Code},
};
use crate::{
    log::as_long_as,
    secrets::{HttpLogin, Owner, Secret, Vault},
    store::Statement,
};

/// What a caller wants to connect to.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Place {
    /// One repository on the server's own disk.
    Path {
        /// Absolute: a working tree, its `.git`, or a bare repository.
        #[schema(example = "/srv/git/shop.git")]
        path: String,
        /// How it is read; where it lies when nothing is said.
        #[serde(default)]
        reading: Reading,
        /// Which refs are looked at.
        #[serde(default)]
        refs: Refs,
    },
    /// The repositories below a folder of the server's own disk, as they come and go.
    Folder {
        /// Absolute. There need be no repository in it yet.
        #[schema(example = "/srv/git")]
        path: String,
        /// How many folders deep they are looked for: 1 to 5, 1 when nothing is said.
        #[serde(default = "right_below")]
        #[schema(minimum = 1, maximum = 5, default = 1)]
        depth: u8,
        /// How they are read; where they lie when nothing is said.
        #[serde(default)]
        reading: Reading,
        /// Which refs are looked at.
        #[serde(default)]
        refs: Refs,
    },
    /// One repository of a git server.
    Git(Remote),
    /// The repositories of an organisation of a GitHub, through an app that is registered for it.
    GithubApp(GithubApp),
}

/// How a repository of the server's own disk is read.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reading {
    /// Where it lies; nothing is copied and nothing written to it.
    #[default]
    InPlace,
    /// From a copy that is fetched: its owner may rewrite and repack it at any time.
    Mirrored,
}

const fn right_below() -> u8 {
    1
}

impl From<Reading> for service::Reading {
    fn from(reading: Reading) -> Self {
        match reading {
            Reading::InPlace => Self::InPlace,
            Reading::Mirrored => Self::Mirrored,
        }
    }
}

impl From<service::Reading> for Reading {
    fn from(reading: service::Reading) -> Self {
        match reading {
            service::Reading::InPlace => Self::InPlace,
            service::Reading::Mirrored => Self::Mirrored,
        }
    }
}

/// A place that was looked at.
pub(super) struct Checked {
    /// How it is connected to.
    pub(super) connection: Connection,
    /// What must become durable with the event that names it: secrets that are new, and the end of those that were
    /// named before and are not any more.
    pub(super) companions: Vec<Statement>,
}

/// Who is connecting to what.
pub(super) struct Asked<'a> {
    /// Who.
    pub(super) caller: &'a Caller,
    /// The integration, to which the secrets belong.
    pub(super) integration: Uuid,
    /// What it is connected to now, if it is.
    pub(super) before: Option<&'a Connection>,
}

/// The address of a repository of a git server, as far as it can be told without a look that it may be reached.
pub(super) fn reachable(api: &Api, url: &Secret<String>) -> Result<RemoteUrl, ApiError> {
    remote::reachable(&api.app.jobs.git.addresses, url)
}

/// Whether a key can be chosen. The statement takes the choice back where the key is retired at the same moment.
pub(super) async fn in_pool(api: &Api, key: SshKeyId) -> Result<Statement, ApiError> {
    let stream = StreamId::new("ssh_key", key.0);
    let detail = match api.app.load::<SshKey>(stream).await?.0 {
        SshKey::Active { rotation: Some(_), .. } => {
            "Another key is about to take the place of this SSH key. Wait until that has ended, or choose that one."
        }
        SshKey::Active { sha256, .. } => {
            let held = ClaimChange::take(ClaimScope::SshKey, sha256);
            return Ok(as_long_as::is_held(held.claim(), stream));
        }
        SshKey::Absent => "There is no such SSH key in the pool. `keytrail ssh-key list` names those that there are.",
        SshKey::Retired { .. } => "The SSH key was retired, and is offered to nobody. Choose another one.",
    };
    Err(ApiError::new(Code::SshKeyUnusable, detail))
}

/// Whether no key is associated with a repository that is left for another one, which would be offered the common keys. The
/// statement takes the move back where a key is associated at the same moment.
async fn has_no_key(api: &Api, repository: RepositoryId) -> Result<Statement, ApiError> {
    let association = SshKey::association(repository);
    let in_rotation = SshKey::rotated_association(repository);
    if api.app.log.holder_of_either(&association, &in_rotation).await?.is_none() {
        return Ok(as_long_as::nobody_holds(&association));
    }
    let detail = "The address is that of another repository. The SSH key that is associated with this one does not go with \
                  it, and nothing is said of keys. Name a key of the pool as `ssh_key`, or give `null` to offer the common \
                  keys.";
    Err(ApiError::new(Code::SshKeyNotSaid, detail))
}

/// The place in the words of the domain, when it can be connected to and this caller may.
pub(super) async fn checked(api: &Api, asked: Asked<'_>, place: &Place) -> Result<Checked, ApiError> {
    let Asked { caller, integration, before } = asked;
    let mut companions = Vec::new();
    let connection = match place {
        Place::Path { path, reading, refs } => Connection::Path {
            refs: refs.checked()?,
            path: local::checked(api, caller, path, Wanted::Repository).await?,
            reading: (*reading).into(),
        },
        Place::Folder { path, depth, reading, refs } => {
            if !(1..=Connection::MOST_DEPTH).contains(depth) {
                let detail = format!("`depth` is 1 to {}: how many folders deep to look.", Connection::MOST_DEPTH);
                return Err(ApiError::new(Code::DepthInvalid, detail));
            }
            Connection::Folder {
                refs: refs.checked()?,
                path: local::checked(api, caller, path, Wanted::Folder).await?,
                depth: *depth,
                reading: (*reading).into(),
            }
        }
        Place::Git(remote) => {
            let checked = remote.checked(&api.app.jobs.git.addresses)?;
            checked.says_its_keys(before)?;
            if let Some(left) = checked.leaves_in_silence(before) {
                let repository = RepositoryId::of(IntegrationId(integration), &left.natural_key());
                companions.push(has_no_key(api, repository).await?);
            }
            let (owner, now) = (Owner::new("integration", integration), api.app.clock.now());
            let seal = |field: &'static str, login: &HttpLogin| {
                let (secret, row) = api.app.vault.seal(owner, field, &login.write(), now);
                companions.push(row.into_statement());
                secret
            };
            let connection = checked.sealed(before, seal);
            let chosen = connection.ssh_key().filter(|key| before.and_then(Connection::ssh_key) != Some(*key));
            if let Some(key) = chosen {
                companions.push(in_pool(api, key).await?);
            }
            connection
        }
        Place::GithubApp(github) => {
            let (owner, now) = (Owner::new("integration", integration), api.app.clock.now());
            let seal = |login: &HttpLogin| {
                let (secret, row) = api.app.vault.seal(owner, HttpLogin::PROXY_FIELD, &login.write(), now);
                companions.push(row.into_statement());
                secret
            };
            let connection = github.checked(&api.app.jobs.git.addresses, before, seal)?;
            github_app::is_free(api, integration, before, &connection).await?;
            connection
        }
    };
    let named = connection.secrets();
    let gone = before.map(Connection::secrets).unwrap_or_default().into_iter().filter(|known| !named.contains(known));
    companions.extend(gone.map(Vault::forget));
    Ok(Checked { connection, companions })
}
