//! What travels to GitHub and back with a person: the ticket of a link, the `state` of a registration, the `state` of an
//! installation. Each is good for one integration; the two states for one browser besides. Called by the pages.
//!
//! Nothing of it is kept: the log has digests, the browser a cookie, and the rest is reckoned again with a key of ours.

use actix_web::{HttpRequest, http::header::COOKIE};
use keytrail_domain::{hex::lower_hex, id::IntegrationId, installation::StateDigest, timestamp::Timestamp};
use sha2::{Digest as _, Sha256};

use crate::{
    ids,
    secrets::{KeyedHash, Secret, ServerSecrets},
};

/// How long a link to connect is good. A person may have to send it to somebody else.
pub(super) const TICKET_MICROS: i64 = 24 * 60 * 60 * 1_000_000;
/// How long the way back from a registration is open: GitHub's own hour, and some.
pub(super) const REGISTRATION_MICROS: i64 = 75 * 60 * 1_000_000;
/// Of 256 bits in hexadecimal. Longer than what the log of requests shows of an address.
const DIGITS: usize = 64;

const COOKIE_NAME: &str = "keytrail_github";
/// A browser comes back from installing much later, when an owner has to be found first.
const COOKIE_SECONDS: i64 = 24 * 60 * 60;

/// 256 random bits.
pub(super) fn random() -> String {
    lower_hex(&ids::random_bytes::<32>())
}

fn is_random(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What the log has of a ticket; `None` for what is none.
pub(super) fn ticket_digest(ticket: &str) -> Option<StateDigest> {
    is_random(ticket).then(|| digest(b"keytrail ticket, 1", ticket))
}

/// What the log has of the state of a registration.
pub(super) fn state_digest(state: &str) -> StateDigest {
    digest(b"keytrail state, 1", state)
}

fn digest(of: &[u8], text: &str) -> StateDigest {
    let mut hash = Sha256::new();
    hash.update(of);
    hash.update([0]);
    hash.update(text.as_bytes());
    StateDigest(lower_hex(&hash.finalize()))
}

/// A browser that began here.
pub(super) struct Session(String);

impl Session {
    /// The browser of this request, if it has been here.
    pub(super) fn of(request: &HttpRequest) -> Option<Self> {
        let mut cookies = request.headers().get_all(COOKIE).filter_map(|header| header.to_str().ok());
        cookies.find_map(|header| {
            let mut pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
            pairs
                .find(|(name, value)| *name == COOKIE_NAME && is_random(value))
                .map(|(_, value)| Self(value.to_owned()))
        })
    }

    /// The same browser, or one that has not been here.
    pub(super) fn of_or_new(request: &HttpRequest) -> Self {
        Self::of(request).unwrap_or_else(|| Self(random()))
    }

    /// The header that has the browser remember it. Scripts do not see it, and other sites' forms do not bring it.
    pub(super) fn cookie(&self, is_secure: bool) -> String {
        let secure = if is_secure { "; Secure" } else { "" };
        format!("{COOKIE_NAME}={}; Path=/github; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Lax{secure}", self.0)
    }
}

/// Makes states, and makes them again to compare.
pub(super) struct Ways(KeyedHash);

impl Ways {
    pub(super) fn new(keys: &ServerSecrets) -> Self {
        // The key itself stays where it is; this one is derived from it for this use.
        Self(KeyedHash::new(Secret::new(keys.cursors.of(b"ways through the pages of GitHub, 1"))))
    }

    /// The ticket of a link that is asked for with a key by which the same request is known again.
    pub(super) fn ticket(&self, id: IntegrationId, scope: &str, key: &str) -> String {
        lower_hex(&self.0.of(format!("ticket\n{id}\n{scope}\n{key}").as_bytes()))
    }

    /// What tells the proposed name of an app from others, for a request that is known again by its key. It is shown to
    /// everybody, so it is no part of the ticket.
    pub(super) fn name(&self, id: IntegrationId, scope: &str, key: &str) -> [u8; 2] {
        let [a, b, ..] = self.0.of(format!("name\n{id}\n{scope}\n{key}").as_bytes());
        [a, b]
    }

    /// The state of the registration that this browser opened and that ends then.
    pub(super) fn registration(&self, id: IntegrationId, session: &Session, expires_at: Timestamp) -> String {
        let mac = self.0.of(format!("registration\n{id}\n{}\n{}", session.0, expires_at.0).as_bytes());
        format!("{id}.{}", lower_hex(&mac))
    }

    /// The state of installing an app that was installed so many times before.
    pub(super) fn installing(&self, id: IntegrationId, session: &Session, app: u64, before: usize) -> String {
        let mac = self.0.of(format!("installing\n{id}\n{}\n{app}\n{before}", session.0).as_bytes());
        format!("{id}.{before}.{}", lower_hex(&mac))
    }
}

/// Which integration a state claims to be of. Whether it is, comparing says.
pub(super) fn integration_of(state: &str) -> Option<IntegrationId> {
    state.split('.').next()?.parse().ok()
}

/// How often the app was installed when this state was made, as it claims.
pub(super) fn installed_before(state: &str) -> Option<usize> {
    let mut parts = state.split('.').skip(1);
    let before = parts.next()?.parse().ok()?;
    parts.next().map(|_| before)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn ways() -> Ways {
        Ways(KeyedHash::new(Secret::new([7; 32])))
    }

    #[test]
    fn a_state_is_good_for_one_integration_one_browser_and_one_opening() {
        let (one, other) = (IntegrationId(Uuid::from_u128(1)), IntegrationId(Uuid::from_u128(2)));
        let (here, there) = (Session("a".repeat(64)), Session("b".repeat(64)));
        let at = Timestamp::from_seconds(9);
        let state = ways().registration(one, &here, at);
        assert_eq!(state, ways().registration(one, &here, at));
        assert_eq!(integration_of(&state), Some(one));
        for wrong in [
            ways().registration(other, &here, at),
            ways().registration(one, &there, at),
            ways().registration(one, &here, Timestamp::from_seconds(10)),
            ways().installing(one, &here, 9_000_000, 0),
        ] {
            assert_ne!(state, wrong);
        }
        let installing = ways().installing(one, &here, 5, 2);
        assert_eq!((integration_of(&installing), installed_before(&installing)), (Some(one), Some(2)));
        assert_eq!(installed_before(&state), None);
    }

    #[test]
    fn a_ticket_of_a_request_is_that_of_the_same_request_alone() {
        let id = IntegrationId(Uuid::from_u128(1));
        let ticket = ways().ticket(id, "ada/ConnectGithubApp", "1");
        assert_eq!(ticket, ways().ticket(id, "ada/ConnectGithubApp", "1"));
        assert!(ticket_digest(&ticket).is_some());
        let other = IntegrationId(Uuid::from_u128(2));
        for wrong in [
            ways().ticket(other, "ada/ConnectGithubApp", "1"),
            ways().ticket(id, "bob/ConnectGithubApp", "1"),
            ways().ticket(id, "ada/ConnectGithubApp", "2"),
        ] {
            assert_ne!(ticket, wrong);
        }
    }

    #[test]
    fn a_name_of_a_request_is_the_same_again_and_tells_nothing_of_its_ticket() {
        let id = IntegrationId(Uuid::from_u128(1));
        let name = ways().name(id, "ada/ConnectGithubApp", "1");
        assert_eq!(name, ways().name(id, "ada/ConnectGithubApp", "1"));
        assert_ne!(name, ways().name(id, "ada/ConnectGithubApp", "2"));
        let ticket = ways().ticket(id, "ada/ConnectGithubApp", "1");
        assert!(!ticket.starts_with(&lower_hex(&name)), "{ticket}");
    }

    #[test]
    fn a_ticket_is_no_state_and_nothing_else_is_a_ticket() {
        let ticket = random();
        assert_ne!(ticket_digest(&ticket), Some(state_digest(&ticket)));
        for bad in ["", "x", &ticket[1..], &ticket.to_uppercase().replace(|c: char| c.is_ascii_digit(), "A")] {
            assert_eq!(ticket_digest(bad), None, "{bad}");
        }
    }
}
