//! From which address a request comes: the peer's, or what a proxy says that the administrator trusts. Called by the edge.
//! What anybody else writes into such a header counts for nothing.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName};

use crate::{
    config::{Access, ForwardedBy},
    git::remote::address::network::Network,
};

/// More proxies than these are not believed.
const MOST_HOPS: usize = 16;

/// The proxies that are trusted.
pub(super) struct Proxies {
    networks: Vec<Network>,
    header: HeaderName,
}

impl Proxies {
    /// The text that is no network, when there is one.
    pub(super) fn new(settings: &Access) -> Result<Self, String> {
        let networks = settings.trusted_proxies.iter().map(|text| text.parse().map_err(|_| text.clone()));
        let header = match settings.forwarded_by {
            ForwardedBy::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
            ForwardedBy::Forwarded => FORWARDED,
        };
        Ok(Self { networks: networks.collect::<Result<_, _>>()?, header })
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// The caller's address. The last proxy is the peer; each names the one before it at the end of the list, so it is
    /// read from there, up to the first that is not ours.
    pub(super) fn caller(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> IpAddr {
        let mut caller = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical();
        if !self.trusts(caller) {
            return caller;
        }
        let values: Vec<_> = headers.get_all(&self.header).filter_map(|value| value.to_str().ok()).collect();
        let elements = values.iter().rev().flat_map(|value| value.rsplit(','));
        for element in elements.take(MOST_HOPS) {
            let named = if self.header == FORWARDED { forwarded_for(element) } else { address(element) };
            // A name that is no address (`unknown`, `_hidden`) ends the chain: what stands before it is anybody's word.
            let Some(named) = named else { return caller };
            caller = named;
            if !self.trusts(caller) {
                return caller;
            }
        }
        caller
    }
}

/// `for="[2001:db8::1]:4711";proto=https`
fn forwarded_for(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| address(value.trim().trim_matches('"')))?
    })
}

/// An address, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let inside = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(inside, _)| inside);
    let plain = inside.unwrap_or(text);
    let parsed = plain.parse().ok().or_else(|| plain.split_once(':')?.0.parse::<Ipv4Addr>().ok().map(IpAddr::V4));
    parsed.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn caller(by: ForwardedBy, peer: &str, sent: &[(&'static str, &'static str)]) -> String {
        let settings =
            Access { trusted_proxies: vec!["10.0.0.0/8".into(), "::1".into()], forwarded_by: by, ..Access::default() };
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let proxies = Proxies::new(&settings).expect("networks");
        proxies.caller(Some(peer.parse().expect("an address")), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_says_where_a_request_comes_from() {
        let by = ForwardedBy::XForwardedFor;
        for (peer, sent, expected) in [
            ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
            ("10.1.1.1", "198.51.100.7", "198.51.100.7"),
            ("10.1.1.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
            ("10.1.1.1", "203.0.113.9, 198.51.100.7, 10.2.2.2", "198.51.100.7"),
            ("10.1.1.1", "10.3.3.3, 10.2.2.2", "10.3.3.3"),
            ("10.1.1.1", "198.51.100.7:4711", "198.51.100.7"),
            ("10.1.1.1", "[2001:db8::7]:4711", "2001:db8::7"),
            ("10.1.1.1", "2001:db8::7", "2001:db8::7"),
            ("::1", "198.51.100.7", "198.51.100.7"),
            ("::ffff:10.1.1.1", "198.51.100.7", "198.51.100.7"),
            ("10.1.1.1", "198.51.100.7, unknown", "10.1.1.1"),
            ("10.1.1.1", "198.51.100.7, unknown, 10.2.2.2", "10.2.2.2"),
            ("10.1.1.1", "", "10.1.1.1"),
            ("10.1.1.1", "localhost", "10.1.1.1"),
        ] {
            assert_eq!(caller(by, peer, &[("x-forwarded-for", sent)]), expected, "{peer} {sent}");
        }
        assert_eq!(caller(by, "10.1.1.1", &[]), "10.1.1.1");
        let twice = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "198.51.100.7")];
        assert_eq!(caller(by, "10.1.1.1", &twice), "198.51.100.7");
    }

    #[test]
    fn the_other_header_is_not_believed() {
        let sent = [("x-forwarded-for", "198.51.100.7"), ("forwarded", "for=203.0.113.9;proto=https")];
        assert_eq!(caller(ForwardedBy::XForwardedFor, "10.1.1.1", &sent), "198.51.100.7");
        assert_eq!(caller(ForwardedBy::Forwarded, "10.1.1.1", &sent), "203.0.113.9");
        let quoted = [("forwarded", "for=192.0.2.9, proto=http;For=\"[2001:db8::7]:4711\"")];
        assert_eq!(caller(ForwardedBy::Forwarded, "10.1.1.1", &quoted), "2001:db8::7");
    }

    #[test]
    fn a_network_that_is_none_is_named() {
        let settings = Access { trusted_proxies: vec!["10.0.0.1/8".into()], ..Access::default() };
        assert_eq!(Proxies::new(&settings).err().as_deref(), Some("10.0.0.1/8"));
    }
}
