//! Every event of every stream, as one type: what feeds folds and policies.

use serde::de::DeserializeOwned;

use crate::{
    access, access_settings,
    aggregate::{Aggregate, StoredEvent},
    claim::ClaimChange,
    commit_link, host_key, index_run, installation, integration, person, project_rules, pull_request, repository,
    ssh_key,
    upcast::{UPCASTERS, upcast},
};

#[cfg(test)]
mod tests;

/// Why a stored event could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A newer build wrote it. This node must not go on as if it had not happened.
    #[error("the log holds an event from the future, {event_type} version {version}: this build is outdated")]
    Future {
        /// Its stored name.
        event_type: String,
        /// Its version.
        version: String,
    },
    /// Its payload does not have the shape that its version promises.
    #[error("an event of type {event_type} version {version} cannot be read")]
    Malformed {
        /// Its stored name.
        event_type: String,
        /// Its version.
        version: String,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
}

macro_rules! facts {
    ($($(#[$doc:meta])* $variant:ident($stream:expr, $event:ty)),* $(,)?) => {
        /// What happened, to whichever kind of thing.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Fact {
            $($(#[$doc])* $variant($event)),*
        }

        impl Fact {
            /// The stored words of all stream types.
            pub const STREAM_TYPES: &'static [&'static str] = &[$($stream),*];

            /// Every stored name and version that this build writes.
            pub fn types() -> impl Iterator<Item = (&'static str, &'static str)> {
                [$(<$event as StoredEvent>::TYPES),*].into_iter().flatten().copied()
            }

            /// The stored name.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(event) => event.name()),* }
            }

            /// The version of the payload's shape.
            pub fn version(&self) -> &'static str {
                match self { $(Self::$variant(event) => event.version()),* }
            }

            /// The payload as it is stored.
            pub fn payload(&self) -> serde_json::Result<String> {
                match self { $(Self::$variant(event) => serde_json::to_string(event)),* }
            }

            /// Reads a stored event. Upcasters run first.
            pub fn read(stream_type: &str, event_type: &str, version: &str, payload: &str) -> Result<Self, Unreadable> {
                $(if stream_type == $stream {
                    return read::<$event>(event_type, version, payload).map(Self::$variant);
                })*
                Err(Unreadable::Future { event_type: event_type.to_owned(), version: version.to_owned() })
            }
        }
    };
}

facts! {
    /// Of an integration.
    Integration(integration::Integration::TYPE, integration::Event),
    /// Of a GitHub App in one organisation.
    Installation(installation::Installation::TYPE, installation::Event),
    /// Of a repository.
    Repository(repository::Repository::TYPE, repository::Event),
    /// Of an index run.
    IndexRun(index_run::IndexRun::TYPE, index_run::Event),
    /// Of the sibling stream that holds what an index run found.
    IndexBatch(index_run::batch::STREAM_TYPE, index_run::batch::Event),
    /// Of an access token.
    Access(access::Access::TYPE, access::Event),
    /// Of the rules that say which projects count.
    ProjectRules(project_rules::ProjectRules::TYPE, project_rules::Event),
    /// Of what persons decided about a commit and issues.
    CommitLink(commit_link::CommitLink::TYPE, commit_link::Event),
    /// Of a person.
    Person(person::Person::TYPE, person::Event),
    /// Of what the configuration says of access.
    AccessSettings(access_settings::AccessSettings::TYPE, access_settings::Event),
    /// Of a pull request.
    PullRequest(pull_request::PullRequest::TYPE, pull_request::Event),
    /// Of a key of SSH.
    SshKey(ssh_key::SshKey::TYPE, ssh_key::Event),
    /// Of the host keys of a server.
    HostKey(host_key::HostKeys::TYPE, host_key::Event),
}

impl Fact {
    /// What it takes or releases of what may exist only once; the holder is its stream.
    pub fn claims(&self) -> Vec<ClaimChange> {
        match self {
            Self::Integration(event) => integration::Integration::claims(event),
            Self::Installation(event) => installation::Installation::claims(event),
            Self::Repository(event) => repository::Repository::claims(event),
            Self::IndexRun(event) => index_run::IndexRun::claims(event),
            Self::IndexBatch(_) => Vec::new(),
            Self::Access(event) => access::Access::claims(event),
            Self::ProjectRules(event) => project_rules::ProjectRules::claims(event),
            Self::CommitLink(event) => commit_link::CommitLink::claims(event),
            Self::Person(event) => person::Person::claims(event),
            Self::AccessSettings(event) => access_settings::AccessSettings::claims(event),
            Self::PullRequest(event) => pull_request::PullRequest::claims(event),
            Self::SshKey(event) => ssh_key::SshKey::claims(event),
            Self::HostKey(event) => host_key::HostKeys::claims(event),
        }
    }

    /// The stored word of a stream type, with the lifetime that `StreamId` wants; `None` when this build knows no such type.
    pub fn stream_type(word: &str) -> Option<&'static str> {
        Self::STREAM_TYPES.iter().find(|known| **known == word).copied()
    }
}

/// Reads a stored event of one kind of stream. Upcasters run first.
pub fn read<E: StoredEvent + DeserializeOwned>(
    event_type: &str,
    version: &str,
    payload: &str,
) -> Result<E, Unreadable> {
    let malformed =
        |source| Unreadable::Malformed { event_type: event_type.to_owned(), version: version.to_owned(), source };
    let (climbed, event): (_, E) = if E::TYPES.contains(&(event_type, version)) {
        (version.to_owned(), serde_json::from_str(payload).map_err(malformed)?)
    } else {
        let value = serde_json::from_str(payload).map_err(malformed)?;
        let (climbed, value) = upcast(UPCASTERS, event_type, version, value);
        if !E::TYPES.contains(&(event_type, climbed.as_str())) {
            return Err(Unreadable::Future { event_type: event_type.to_owned(), version: version.to_owned() });
        }
        (climbed, serde_json::from_value(value).map_err(malformed)?)
    };
    // The payload names its event too; a row whose two names differ says nothing that can be trusted.
    if (event.name(), event.version()) != (event_type, climbed.as_str()) {
        return Err(malformed(serde::de::Error::custom(format_args!("the payload is of {}", event.name()))));
    }
    Ok(event)
}
