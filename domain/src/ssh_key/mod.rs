//! A private key of SSH that the server uses: what may be seen of it, and where it is in its life. The private half is
//! sealed elsewhere, or in a file of the server's account; events name it and never hold it.

mod command;
mod comment;
mod error;
mod event;
mod facts;
mod name;
mod rotation;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use self::{
    command::Command,
    comment::shown_comment,
    error::Error,
    event::Event,
    facts::{Algorithm, Format, Intake, Origin, PublicKey, RsaReason},
    name::{BadName, SshKeyName},
    rotation::{NotTaken, Rotation},
};
use crate::{
    aggregate::Aggregate,
    claim::{Claim, ClaimChange, ClaimScope},
    display_text::DisplayText,
    event_sourced,
    id::{RepositoryId, SshKeyId},
    stamped::Stamped,
};

/// Where a key is in its life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SshKey {
    /// Nothing happened yet.
    #[default]
    Absent,
    /// It is in the pool.
    Active {
        /// What people call it.
        name: SshKeyName,
        /// Its SHA-256 fingerprint: the same key is in the pool once.
        sha256: String,
        /// Where its private half lies, if it is not sealed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<DisplayText>,
        /// Whether it is offered where no key is associated, after a chosen one.
        #[serde(default = "event::yes")]
        common: bool,
        /// The repositories for which it is the only key that is offered.
        #[serde(default)]
        repositories: BTreeSet<RepositoryId>,
        /// The key that is about to take its place, while one is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rotation: Option<Rotation>,
    },
    /// It is gone for good, its private half with it.
    Retired {
        /// The repositories that are not read until somebody takes it from them.
        #[serde(default)]
        repositories: BTreeSet<RepositoryId>,
        /// The key that took its place, if one did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        successor: Option<SshKeyId>,
    },
}

impl SshKey {
    /// What the key that is associated with a repository holds: a repository has one at most.
    pub fn association(repository: RepositoryId) -> Claim {
        ClaimChange::take(ClaimScope::SshKeyOfRepository, repository.to_string()).claim().clone()
    }

    /// What a key that is replaced holds of a repository that it was associated with, until the new one has it.
    pub fn rotated_association(repository: RepositoryId) -> Claim {
        ClaimChange::take(ClaimScope::SshKeyInRotation, repository.to_string()).claim().clone()
    }

    /// The key that is offered in its place, where all repositories took one.
    pub fn successor(&self) -> Option<SshKeyId> {
        match self {
            Self::Absent => None,
            Self::Active { rotation, .. } => rotation.filter(|rotation| rotation.accepted).map(|rotation| rotation.to),
            Self::Retired { successor, .. } => *successor,
        }
    }

    /// The repositories that it is associated with.
    pub fn repositories(&self) -> Option<&BTreeSet<RepositoryId>> {
        match self {
            Self::Absent => None,
            Self::Active { repositories, .. } | Self::Retired { repositories, .. } => Some(repositories),
        }
    }

    fn rotate(&mut self, now: Option<Rotation>) {
        if let Self::Active { rotation, .. } = self {
            *rotation = now;
        }
    }

    fn active(name: &SshKeyName, public: &PublicKey, path: Option<&DisplayText>, common: bool) -> Self {
        let (name, sha256, path) = (name.clone(), public.sha256.clone(), path.cloned());
        Self::Active { name, sha256, path, common, repositories: BTreeSet::new(), rotation: None }
    }

    fn begin(&self, event: Event) -> Result<Vec<Event>, Error> {
        match self {
            Self::Absent => Ok(vec![event]),
            Self::Active { .. } => Err(Error::AlreadyAdded),
            Self::Retired { .. } => Err(Error::Retired),
        }
    }
}

impl Aggregate for SshKey {
    const TYPE: &'static str = "ssh_key";
    type Command = Command;
    type Event = Event;
    type Error = Error;

    fn decide(&self, stamped: Stamped<Command>) -> Result<Vec<Event>, Error> {
        match stamped.command {
            Command::Add { name, public, intake, common, secret } => {
                self.begin(Event::Added { name, public, intake, common, secret })
            }
            Command::Generate { name, public, rsa_because, common, secret } => {
                self.begin(Event::Generated { name, public, rsa_because, common, secret })
            }
            Command::Register { name, public, format, common, path } => {
                self.begin(Event::Registered { name, public, format, common, path })
            }
            Command::Rename { name } => match self {
                Self::Absent => Err(Error::Unknown),
                Self::Retired { .. } => Err(Error::Retired),
                Self::Active { name: now, .. } if *now == name => Ok(Vec::new()),
                Self::Active { name: now, .. } => Ok(vec![Event::Renamed { name, previous: now.clone() }]),
            },
            Command::Share { common } => match self {
                Self::Absent => Err(Error::Unknown),
                Self::Retired { .. } => Err(Error::Retired),
                Self::Active { common: now, .. } if *now == common => Ok(Vec::new()),
                Self::Active { .. } => Ok(vec![Event::Shared { common }]),
            },
            Command::Associate { repositories: wanted } => match self {
                Self::Absent => Err(Error::Unknown),
                Self::Retired { .. } => Err(Error::Retired),
                Self::Active { rotation: Some(_), .. } => Err(Error::Rotating),
                Self::Active { repositories, .. } => {
                    let new: Vec<_> = wanted.difference(repositories).copied().collect();
                    Ok(if new.is_empty() { Vec::new() } else { vec![Event::Associated { repositories: new }] })
                }
            },
            Command::Dissociate { repositories: unwanted } => {
                if let Self::Active { rotation: Some(Rotation { accepted: true, .. }), .. } = self {
                    return Err(Error::Rotating);
                }
                let repositories = self.repositories().ok_or(Error::Unknown)?;
                let gone: Vec<_> = unwanted.intersection(repositories).copied().collect();
                Ok(if gone.is_empty() { Vec::new() } else { vec![Event::Dissociated { repositories: gone }] })
            }
            Command::Retire => match self {
                Self::Absent => Err(Error::Unknown),
                Self::Retired { .. } => Ok(Vec::new()),
                Self::Active { rotation: Some(_), .. } => Err(Error::Rotating),
                Self::Active { name, sha256, .. } => {
                    Ok(vec![Event::Retired { name: name.clone(), sha256: sha256.clone() }])
                }
            },
            Command::Rotate { to } => match self {
                Self::Absent => Err(Error::Unknown),
                Self::Retired { .. } => Err(Error::Retired),
                Self::Active { rotation: Some(_), .. } => Err(Error::Rotating),
                Self::Active { rotation: None, .. } => Ok(vec![Event::RotationBegun { to }]),
            },
            // What comes of a rotation that was stopped, or was one to another key, comes too late.
            Command::RefuseRotation { to, not_taken, others } => match self {
                Self::Active { rotation, .. } if Rotation::is_tried(rotation.as_ref(), to) => {
                    Ok(vec![Event::RotationRefused { to, not_taken, others }])
                }
                _ => Ok(Vec::new()),
            },
            Command::CancelRotation => match self {
                Self::Active { rotation: Some(Rotation { accepted: true, .. }), .. } => Err(Error::Rotating),
                Self::Active { rotation: Some(_), .. } => Ok(vec![Event::RotationCancelled {}]),
                _ => Ok(Vec::new()),
            },
            Command::AcceptRotation { to } => match self {
                Self::Active { rotation, repositories, .. } if Rotation::is_tried(rotation.as_ref(), to) => {
                    let repositories = repositories.iter().copied().collect();
                    Ok(vec![Event::RotationAccepted { to, repositories }])
                }
                _ => Ok(Vec::new()),
            },
            Command::FinishRotation => match self {
                Self::Active {
                    name, sha256, repositories, rotation: Some(Rotation { to, accepted: true }), ..
                } => {
                    let repositories = repositories.iter().copied().collect();
                    let (name, sha256) = (name.clone(), sha256.clone());
                    Ok(vec![Event::Rotated { to: *to, name, sha256, repositories }])
                }
                _ => Ok(Vec::new()),
            },
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Added { name, public, common, .. } | Event::Generated { name, public, common, .. } => {
                *self = Self::active(name, public, None, *common);
            }
            Event::Registered { name, public, common, path, .. } => {
                *self = Self::active(name, public, Some(path), *common);
            }
            Event::Renamed { name, .. } => {
                if let Self::Active { name: now, .. } = self {
                    now.clone_from(name);
                }
            }
            Event::RotationBegun { to } => self.rotate(Some(Rotation { to: *to, accepted: false })),
            Event::RotationAccepted { to, .. } => self.rotate(Some(Rotation { to: *to, accepted: true })),
            Event::RotationRefused { .. } | Event::RotationCancelled {} => self.rotate(None),
            Event::Rotated { to, .. } => *self = Self::Retired { repositories: BTreeSet::new(), successor: Some(*to) },
            Event::Shared { common } => {
                if let Self::Active { common: now, .. } = self {
                    *now = *common;
                }
            }
            Event::Associated { repositories: new } => {
                if let Self::Active { repositories, .. } = self {
                    repositories.extend(new);
                }
            }
            Event::Dissociated { repositories: gone } => {
                if let Self::Active { repositories, .. } | Self::Retired { repositories, .. } = self {
                    repositories.retain(|one| !gone.contains(one));
                }
            }
            Event::Retired { .. } => {
                let repositories = self.repositories().cloned().unwrap_or_default();
                *self = Self::Retired { repositories, successor: None };
            }
        }
    }

    fn claims(event: &Event) -> Vec<ClaimChange> {
        use ClaimScope::{
            SshKey as Key, SshKeyInRotation as InRotation, SshKeyName as Name, SshKeyOfRepository as Association,
        };
        let each = |change: fn(ClaimScope, String) -> ClaimChange, scope, repositories: &[RepositoryId]| -> Vec<_> {
            repositories.iter().map(|one| change(scope, one.to_string())).collect()
        };
        match event {
            Event::Added { name, public, .. }
            | Event::Generated { name, public, .. }
            | Event::Registered { name, public, .. } => {
                vec![ClaimChange::take(Key, public.sha256.as_str()), ClaimChange::take(Name, name.folded())]
            }
            // Only the case of letters changed: the claim stays as it is.
            Event::Renamed { name, previous } if name.folded() == previous.folded() => Vec::new(),
            Event::Renamed { name, previous } => {
                vec![ClaimChange::release(Name, previous.folded()), ClaimChange::take(Name, name.folded())]
            }
            Event::Shared { .. }
            | Event::RotationBegun { .. }
            | Event::RotationRefused { .. }
            | Event::RotationCancelled {} => Vec::new(),
            Event::Associated { repositories } => each(ClaimChange::take, Association, repositories),
            Event::Dissociated { repositories } => each(ClaimChange::release, Association, repositories),
            // Whoever has the old one keeps a claim that leads to the new one, until that has its own.
            Event::RotationAccepted { repositories, .. } => {
                let mut changes = each(ClaimChange::release, Association, repositories);
                changes.extend(each(ClaimChange::take, InRotation, repositories));
                changes
            }
            Event::Rotated { name, sha256, repositories, .. } => {
                let mut changes = each(ClaimChange::release, InRotation, repositories);
                changes.push(ClaimChange::release(Key, sha256.as_str()));
                changes.push(ClaimChange::release(Name, name.folded()));
                changes
            }
            // Who it is associated with has no other key until somebody says so.
            Event::Retired { name, sha256 } => {
                vec![ClaimChange::release(Key, sha256.as_str()), ClaimChange::release(Name, name.folded())]
            }
        }
    }
}

event_sourced!(SshKey);
