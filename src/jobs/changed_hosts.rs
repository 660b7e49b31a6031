//! A host showed `ssh` another key than a trusted one: the whole key is looked for by a scan, and the log says what it is,
//! once. That is an alarm, and nothing is read from the host before a person decides. Called after looks and fetches.
//!
//! What `ssh` met counts, whatever a scan is shown: whoever is in the way may answer the two differently. A scan only gives
//! the whole of a key of which `ssh` tells the fingerprint, and never clears anything.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use keytrail_domain::{
    host_key::{Command, Endpoint, HostKeyId, HostKeys, HostPublicKey},
    recorded::StreamId,
    remote_url::RemoteUrl,
    timestamp::Timestamp,
};

use crate::{
    app::{App, Context},
    git::remote::{OtherHostKey, RemoteTrouble},
    ssh_hosts::Scanner,
};

const PART: &str = "changed_hosts";
/// After a scan that was answered there is none for so long, in microseconds.
const PAUSE: i64 = 600 * 1_000_000;
/// Hosts whose scans are remembered. More than these change only when somebody plays with us.
const MOST_HOSTS: usize = 1_024;
/// Connections that a scan has at once: one for each kind of key.
const CONNECTIONS: u32 = 3;
/// Who waits for places of a host stands before all who come later.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The scans of this node: one of each host at a time, and when the last one was answered.
#[derive(Debug, Default)]
pub(super) struct HostScans(Mutex<HashMap<HostKeyId, Option<Timestamp>>>);

/// The right to scan a host, given back when it goes.
struct Turn<'a> {
    scans: &'a HostScans,
    host: HostKeyId,
    answered: Option<Timestamp>,
}

impl HostScans {
    /// Nothing while somebody scans this host, or did a moment ago.
    fn begin(&self, host: HostKeyId, now: Timestamp) -> Option<Turn<'_>> {
        let mut known = self.locked();
        known.retain(|_, answered| answered.is_none_or(|at| now.0.saturating_sub(at.0) < PAUSE));
        if known.len() >= MOST_HOSTS || known.contains_key(&host) {
            return None;
        }
        known.insert(host, None);
        Some(Turn { scans: self, host, answered: None })
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<HostKeyId, Option<Timestamp>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut known = self.scans.locked();
        match self.answered {
            Some(at) => known.insert(self.host, Some(at)),
            None => known.remove(&self.host),
        };
    }
}

/// Says what came of it where the trouble is another key than a trusted one.
pub(super) async fn report(app: &App, url: &RemoteUrl, trouble: &RemoteTrouble) {
    let server = Endpoint { host: url.host().clone(), port: url.port() };
    let met = match trouble {
        RemoteTrouble::HostKeyDiffers(met) => Some(met),
        RemoteTrouble::HostKeyChanged => None,
        _ => return,
    };
    let known = match app.load::<HostKeys>(StreamId::new("host_key", server.id().0)).await {
        Ok((known, _)) => known,
        Err(error) => {
            tracing::warn!(%server, ?error, "a host shows another key than the trusted one, and its keys cannot be read");
            return;
        }
    };
    // Somebody is asked already.
    if known.is_alarmed() {
        return;
    }
    let Some(met) = met else {
        tracing::warn!(%server, "a host shows no key that is trusted, and ssh does not tell which it shows");
        return;
    };
    if known.refused().iter().chain(known.trusted()).any(|key| key.sha256() == met.sha256) {
        return;
    }
    let Some(mut turn) = app.jobs.host_scans.begin(server.id(), app.clock.now()) else { return };
    let keys = match scanned(app, &server).await {
        Ok(keys) => keys,
        Err(error) => return unexplained(&server, met, &error),
    };
    let keys = in_question(keys, &known, met);
    if keys.is_empty() {
        turn.answered = Some(app.clock.now());
        return unexplained(&server, met, "a scan is shown other keys");
    }
    let command = Command::ReportOffered { host: server.host.clone(), port: server.port, keys };
    let context = Context::server(PART, 0);
    match app.dispatch::<HostKeys>(server.id().0, command, context, Vec::new()).await {
        Ok(_) => turn.answered = Some(app.clock.now()),
        Err(error) => unexplained(&server, met, &format!("it cannot be recorded: {error:?}")),
    }
}

/// There is no whole key to ask a person about. The repository says which one was met, and stays stopped.
fn unexplained(server: &Endpoint, met: &OtherHostKey, why: &str) {
    let OtherHostKey { kind, sha256, .. } = met;
    tracing::warn!(%server, kind, sha256, why, "a host shows another key than the trusted one, and no alarm can be raised");
}

/// The keys that the host shows now, within the connections that it may have.
async fn scanned(app: &App, server: &Endpoint) -> Result<Vec<HostPublicKey>, String> {
    let settings = &app.jobs.git;
    let scanner = Scanner::find(&settings.ssh.folders).map_err(|error| error.to_string())?;
    let name = server.to_string();
    let taking = settings.ssh.places.take_up_to(CONNECTIONS, &name);
    let places = tokio::time::timeout(LONGEST_WAIT, taking).await;
    let places =
        places.map_err(|_| "all connections that it may have are in use; the next look scans it".to_owned())?;
    let _places = places.ok_or_else(|| "the server stops".to_owned())?;
    scanner.scan(server, &settings.addresses).await.map_err(|error| error.to_string())
}

/// What a person is asked about: the key that was met, with others that changed. Nothing where the scan was not shown that
/// key. Trusted ones are left out, so that none of them speaks for it.
fn in_question(mut scanned: Vec<HostPublicKey>, known: &HostKeys, met: &OtherHostKey) -> Vec<HostPublicKey> {
    let trusted = known.trusted();
    if !scanned.iter().any(|key| key.sha256() == met.sha256) {
        return Vec::new();
    }
    let is_proved = scanned.iter().any(|key| trusted.contains(key));
    let is_same_kind = |key: &HostPublicKey| trusted.iter().any(|other| other.algorithm == key.algorithm);
    scanned.retain(|key| !trusted.contains(key) && (!is_proved || is_same_kind(key) || key.sha256() == met.sha256));
    scanned
}

#[cfg(test)]
mod tests {
    use keytrail_domain::{
        aggregate::Aggregate as _,
        host_key::{Event, How},
    };

    use super::*;

    fn key(kind: &str, number: u8) -> HostPublicKey {
        let length = u32::try_from(kind.len()).unwrap_or_default().to_be_bytes();
        HostPublicKey {
            algorithm: kind.to_owned(),
            blob: [&length[..], kind.as_bytes(), &[0, 0, 0, 1, number]].concat(),
        }
    }

    fn met(key: &HostPublicKey) -> OtherHostKey {
        OtherHostKey { kind: key.algorithm.clone(), sha256: key.sha256(), trusted: Vec::new() }
    }

    #[test]
    fn a_scan_that_is_shown_the_trusted_key_clears_nothing() {
        let (old, other) = (key("ssh-ed25519", 1), key("ssh-ed25519", 2));
        let (rsa, ecdsa) = (key("ssh-rsa", 3), key("ecdsa-sha2-nistp256", 4));
        let at = Endpoint { host: Endpoint::host_of("h").expect("a host"), port: 22 };
        let mut known = HostKeys::default();
        known.evolve(&Event::Trusted { at, keys: vec![old.clone()], how: How::Person });
        assert!(in_question(vec![old.clone()], &known, &met(&other)).is_empty(), "there is no whole key");
        let both = vec![old.clone(), other.clone(), ecdsa.clone()];
        assert_eq!(
            in_question(both, &known, &met(&other)),
            std::slice::from_ref(&other),
            "a new kind beside a known key is none"
        );
        let of_other_kind = vec![old, rsa.clone()];
        assert_eq!(
            in_question(of_other_kind, &known, &met(&rsa)),
            std::slice::from_ref(&rsa),
            "no trusted key speaks for it"
        );
        let anew = vec![other.clone(), rsa.clone()];
        assert_eq!(in_question(anew, &known, &met(&other)), [other, rsa], "a host that was set up anew");
    }

    #[test]
    fn a_host_is_scanned_by_one_at_a_time_and_rests_after_an_answer() {
        let (one, two) = (HostKeyId::of("one", 22), HostKeyId::of("two", 22));
        let (scans, now) = (HostScans::default(), Timestamp(0));
        let first = scans.begin(one, now);
        assert!(first.is_some() && scans.begin(one, now).is_none() && scans.begin(two, now).is_some());
        drop(first);
        let mut again = scans.begin(one, now).expect("nothing was answered");
        again.answered = Some(now);
        drop(again);
        assert!(scans.begin(one, Timestamp(PAUSE - 1)).is_none());
        assert!(scans.begin(one, Timestamp(PAUSE)).is_some());
        for number in 0..2 * MOST_HOSTS {
            let turn = scans.begin(HostKeyId::of(&format!("h{number}"), 22), now);
            if let Some(mut turn) = turn {
                turn.answered = Some(now);
            }
        }
        assert_eq!(scans.locked().len(), MOST_HOSTS);
    }
}
