//! The keys by which a server of SSH is known: which are trusted for a host and a port, and what it showed instead. One
//! stream is one host and port. A key that differs from a trusted one stops everything until a person decides.

mod command;
mod endpoint;
mod error;
mod event;
mod public_key;
#[cfg(test)]
pub(crate) mod tests;

use serde::{Deserialize, Serialize};

pub use self::{
    command::Command,
    endpoint::{Endpoint, SSH_PORT},
    error::Error,
    event::Event,
    public_key::{BadHostKey, HostPublicKey, How},
};
pub use crate::id::HostKeyId;
use crate::{aggregate::Aggregate, event_sourced, remote_url::Host, stamped::Stamped};

/// Keys of one server that are kept: of more, no server has a use.
pub const MOST_KEYS: usize = 16;

/// What is known of the keys of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostKeys {
    /// Which server; nothing while nothing is known of it.
    at: Option<Endpoint>,
    /// Any of them proves it.
    trusted: Vec<HostPublicKey>,
    /// What it showed while nothing was trusted.
    seen: Vec<HostPublicKey>,
    /// What it showed instead of a trusted one, until somebody decides.
    offered: Vec<HostPublicKey>,
    /// What somebody decided against.
    refused: Vec<HostPublicKey>,
    /// Whether somebody must decide.
    alarm: bool,
    /// Whether a trusted one was shown beside what is in question, each time.
    proved: bool,
}

impl HostKeys {
    /// Any of them proves the server.
    pub fn trusted(&self) -> &[HostPublicKey] {
        &self.trusted
    }

    /// What it showed while nothing was trusted.
    pub fn seen(&self) -> &[HostPublicKey] {
        &self.seen
    }

    /// What it showed instead of a trusted one, and nobody decided on yet.
    pub fn offered(&self) -> &[HostPublicKey] {
        &self.offered
    }

    /// What somebody decided against; it raises no alarm again.
    pub fn refused(&self) -> &[HostPublicKey] {
        &self.refused
    }

    /// Whether it showed another key than a trusted one: nothing is read from it until a person decides.
    pub const fn is_alarmed(&self) -> bool {
        self.alarm
    }

    /// What is wrong with these keys. A key of a kind that is not trusted yet is none beside one that is: servers get new
    /// kinds. Nor is one that was refused, as that was decided.
    fn suspects(&self, keys: &[HostPublicKey]) -> Vec<HostPublicKey> {
        let proved = self.proves(keys);
        let suspect = |key: &&HostPublicKey| {
            let same_kind = self.trusted.iter().any(|trusted| trusted.algorithm == key.algorithm);
            !self.trusted.contains(key) && !self.refused.contains(key) && (same_kind || !proved)
        };
        keys.iter().filter(suspect).cloned().collect()
    }

    fn proves(&self, keys: &[HostPublicKey]) -> bool {
        keys.iter().any(|key| self.trusted.contains(key))
    }

    fn report(&self, at: Endpoint, keys: Vec<HostPublicKey>) -> Vec<Event> {
        let mut keys = once_each(keys);
        keys.truncate(MOST_KEYS);
        if self.trusted.is_empty() {
            let news = keys.iter().any(|key| !self.seen.contains(key));
            return if news { vec![Event::Seen { at, keys }] } else { Vec::new() };
        }
        let offered = self.suspects(&keys);
        // Once without a trusted one, it stays so until somebody decides.
        let proved = self.proves(&keys) && (!self.alarm || self.proved);
        let says_more = offered.iter().any(|key| !self.offered.contains(key));
        if offered.is_empty() || (!says_more && proved == self.proved) {
            return Vec::new();
        }
        vec![Event::Changed { at, expected: self.trusted.clone(), offered, proved }]
    }

    fn trust(&self, at: Endpoint, keys: Vec<HostPublicKey>, how: How) -> Result<Vec<Event>, Error> {
        if self.alarm {
            return Err(Error::Alarmed);
        }
        let keys = once_each(keys);
        if keys.iter().any(|key| self.refused.contains(key)) {
            return Err(Error::Refused);
        }
        // Two of a kind are one that is being replaced by another, where one of them is the known one.
        let fits = |key: &HostPublicKey| {
            let mut same = self.trusted.iter().filter(|trusted| trusted.algorithm == key.algorithm).peekable();
            same.peek().is_none() || same.any(|trusted| keys.contains(trusted))
        };
        if !keys.iter().all(fits) {
            return Err(Error::Differs);
        }
        let news: Vec<_> = keys.iter().filter(|key| !self.trusted.contains(key)).cloned().collect();
        if news.is_empty() {
            return Ok(Vec::new());
        }
        if self.trusted.len() + news.len() > MOST_KEYS {
            return Err(Error::TooMany);
        }
        Ok(vec![Event::Trusted { at, keys: news, how }])
    }

    fn accept(&self, fingerprints: &[String]) -> Result<Vec<Event>, Error> {
        let at = self.at.clone().ok_or(Error::Unknown)?;
        if !self.alarm {
            return Err(Error::NoChange);
        }
        let shown: Vec<String> = self.offered.iter().map(HostPublicKey::sha256).collect();
        if !shown.iter().all(|one| fingerprints.contains(one)) || !fingerprints.iter().all(|one| shown.contains(one)) {
            return Err(Error::OtherFingerprints);
        }
        // A server that shows nothing of what was trusted was rebuilt: who has its old disk passes by none of the old keys.
        let replaces =
            |old: &&HostPublicKey| !self.proved || self.offered.iter().any(|new| new.algorithm == old.algorithm);
        let replaced: Vec<_> = self.trusted.iter().filter(replaces).cloned().collect();
        if self.trusted.len() - replaced.len() + self.offered.len() > MOST_KEYS {
            return Err(Error::TooMany);
        }
        Ok(vec![Event::ChangeAccepted { at, keys: self.offered.clone(), replaced }])
    }

    fn refuse(&self) -> Result<Vec<Event>, Error> {
        let at = self.at.clone().ok_or(Error::Unknown)?;
        if !self.alarm {
            return Err(Error::NoChange);
        }
        Ok(vec![Event::ChangeRefused { at, keys: self.offered.clone() }])
    }
}

/// Each once, in the order in which they came.
fn once_each(keys: Vec<HostPublicKey>) -> Vec<HostPublicKey> {
    let mut once = Vec::with_capacity(keys.len());
    for key in keys {
        if !once.contains(&key) {
            once.push(key);
        }
    }
    once
}

/// The new ones, and of the old ones what there is room for; of one kind only the new ones.
fn with_news(old: &[HostPublicKey], new: &[HostPublicKey]) -> Vec<HostPublicKey> {
    let kept = old.iter().filter(|old| !new.iter().any(|new| new.algorithm == old.algorithm));
    new.iter().chain(kept).take(MOST_KEYS).cloned().collect()
}

impl Aggregate for HostKeys {
    const TYPE: &'static str = "host_key";
    type Command = Command;
    type Event = Event;
    type Error = Error;

    fn decide(&self, stamped: Stamped<Command>) -> Result<Vec<Event>, Error> {
        let at = |host: Host, port: u16| Endpoint { host, port };
        match stamped.command {
            Command::Trust { host, port, keys, how } => self.trust(at(host, port), keys, how),
            Command::ReportOffered { host, port, keys } => Ok(self.report(at(host, port), keys)),
            Command::AcceptChanged { fingerprints } => self.accept(&fingerprints),
            Command::RefuseChanged => self.refuse(),
            Command::Forget => {
                let at = self.at.clone().ok_or(Error::Unknown)?;
                Ok(vec![Event::Revoked { at, keys: self.trusted.clone() }])
            }
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.at = Some(event.at().clone());
        match event {
            Event::Seen { keys, .. } => self.seen = with_news(&self.seen, keys),
            Event::Trusted { keys, .. } => {
                self.seen.clear();
                self.refused.retain(|key| !keys.contains(key));
                self.trusted = once_each(self.trusted.iter().chain(keys).cloned().collect());
            }
            Event::Changed { offered, proved, .. } => {
                self.alarm = true;
                self.proved = *proved;
                self.offered.clone_from(offered);
            }
            Event::ChangeAccepted { keys, replaced, .. } => {
                (self.alarm, self.proved) = (false, false);
                self.offered.clear();
                self.refused.retain(|key| !keys.contains(key));
                let kept = self.trusted.iter().filter(|key| !replaced.contains(key));
                self.trusted = once_each(kept.chain(keys).cloned().collect());
            }
            Event::ChangeRefused { keys, .. } => {
                (self.alarm, self.proved) = (false, false);
                self.offered.clear();
                let all = once_each(keys.iter().chain(&self.refused).cloned().collect());
                self.refused = all.into_iter().take(MOST_KEYS).collect();
            }
            Event::Revoked { .. } => *self = Self::default(),
        }
    }
}

event_sourced!(HostKeys);
