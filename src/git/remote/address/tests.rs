//! Which addresses each mode lets through, in every wrapping.

use std::{net::IpAddr, time::Duration};

use keytrail_domain::{
    index_run::FailureCode,
    remote_url::{Host, RemoteUrl},
};

use super::{AddressMode, AddressPolicy, network::Network};

fn allows(mode: &AddressMode, address: &str) -> bool {
    let policy = AddressPolicy { mode: mode.clone(), ..AddressPolicy::default() };
    let host = Host::parse("git.example").expect("a host");
    let address: IpAddr = address.parse().expect("an address");
    match policy.allows(&host, address) {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.failure_code(), Some(FailureCode::AddressDenied));
            false
        }
    }
}

fn private() -> AddressMode {
    AddressMode::Listed { private: true, hosts: Vec::new(), networks: Vec::new() }
}

fn networks(texts: &[&str]) -> AddressMode {
    let networks = texts.iter().map(|text| text.parse().expect("a network")).collect();
    AddressMode::Listed { private: false, hosts: Vec::new(), networks }
}

#[test]
fn public_addresses_may_be_reached_in_every_mode() {
    for mode in [AddressMode::PublicOnly, private(), networks(&[])] {
        for address in ["140.82.121.3", "9.9.9.9", "172.32.0.1", "100.128.0.1", "2606:50c0::1", "2a00:1450::1"] {
            assert!(allows(&mode, address), "{address} in {mode:?}");
        }
    }
}

#[test]
fn private_ranges_need_a_listing_or_the_switch_for_all_of_them() {
    for address in ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd12::1", "fc00::1"] {
        assert!(!allows(&AddressMode::PublicOnly, address), "{address}");
        assert!(!allows(&networks(&["203.0.113.0/24"]), address), "{address}");
        assert!(allows(&private(), address), "{address}");
        assert!(allows(&networks(&["10.0.0.0/8", "172.16.0.0/12", "192.168.1.1", "fc00::/7"]), address), "{address}");
    }
}

#[test]
fn this_machine_its_link_and_metadata_services_need_a_listing_even_in_private_networks() {
    let guarded = [
        "127.0.0.1",
        "127.8.8.8",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "198.18.0.1",
        "192.0.2.1",
        "::1",
        "fe80::1",
        "fec0::1",
        "fd00:ec2::254",
        "2001:db8::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "64:ff9b:1::1",
    ];
    for address in guarded {
        for mode in [AddressMode::PublicOnly, private(), networks(&["10.0.0.0/8"])] {
            assert!(!allows(&mode, address), "{address} in {mode:?}");
        }
        assert!(allows(&networks(&[address]), address), "{address}");
    }
}

#[test]
fn addresses_of_no_server_are_refused_even_when_listed() {
    for address in ["0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::", "ff02::1"] {
        assert!(!allows(&networks(&["0.0.0.0/0", "::/0"]), address), "{address}");
    }
}

#[test]
fn an_ipv4_address_is_recognised_in_every_wrapping() {
    for inner in ["127.0.0.1", "169.254.169.254", "10.1.2.3"] {
        let v4: std::net::Ipv4Addr = inner.parse().expect("an address");
        let [a, b, c, d] = v4.octets();
        for wrapped in [
            format!("::ffff:{inner}"),
            format!("::ffff:0:{inner}"),
            format!("::{inner}"),
            format!("64:ff9b::{inner}"),
            format!("2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1"),
        ] {
            assert!(!allows(&AddressMode::PublicOnly, &wrapped), "{wrapped}");
            assert!(allows(&networks(&[inner]), &wrapped), "{wrapped}");
        }
    }
    assert!(allows(&AddressMode::PublicOnly, "::ffff:9.9.9.9"));
}

#[test]
fn a_listed_host_may_have_any_address_and_another_may_not() {
    let listed = Host::parse("git.intern").expect("a host");
    let mode = AddressMode::Listed { private: false, hosts: vec![listed.clone()], networks: Vec::new() };
    let policy = AddressPolicy { mode, ..AddressPolicy::default() };
    let address = "127.0.0.1".parse().expect("an address");
    assert!(policy.allows(&listed, address).is_ok());
    assert!(policy.allows(&Host::parse("other.intern").expect("a host"), address).is_err());
}

#[test]
fn networks_are_read_strictly() {
    for good in ["10.0.0.0/8", "192.0.2.7/32", "0.0.0.0/0", "::/0", "fd00::/8", "2001:db8::/128"] {
        assert_eq!(good.parse::<Network>().expect("a network").to_string(), good);
    }
    for bad in ["", "10.0.0.0/33", "10.1.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "::/129", "host/8", "10.0.0/8"] {
        assert!(bad.parse::<Network>().is_err(), "{bad}");
    }
    let network: Network = "10.16.0.0/12".parse().expect("a network");
    let within = |text: &str| network.contains(text.parse().expect("an address"));
    assert!(within("10.16.0.0") && within("10.31.255.255"));
    assert!(!within("10.32.0.0") && !within("10.15.255.255") && !within("::ffff:10.16.0.1"));
}

#[tokio::test]
async fn a_name_is_looked_up_and_its_addresses_are_checked() {
    // Every machine has this name, and none of its addresses is public.
    let host = Host::parse("localhost").expect("a host");
    let within = Duration::from_secs(30);
    let denied = AddressPolicy::default().resolve(&host, 80, within).await.expect_err("loopback");
    assert_eq!(denied.failure_code(), Some(FailureCode::AddressDenied));
    let policy = AddressPolicy { mode: networks(&["127.0.0.0/8", "::1"]), ..AddressPolicy::default() };
    let found = policy.resolve(&host, 81, within).await.expect("addresses");
    assert!(!found.is_empty() && found.iter().all(|address| address.ip().is_loopback() && address.port() == 81));
    // No resolver may know it (RFC 6761).
    let unknown = Host::parse("no-such-host.invalid").expect("a host");
    let error = policy.resolve(&unknown, 80, within).await.expect_err("no addresses");
    assert_eq!(error.failure_code(), Some(FailureCode::HostUnknown));
    assert!(error.is_transient() && error.to_string().contains("no-such-host.invalid"), "{error}");
}

#[test]
fn schemes_that_are_switched_off_are_refused() {
    let allowed = |text: &str, policy: &AddressPolicy| {
        policy.allows_scheme(&RemoteUrl::parse(text).expect("a URL").url).map_err(|error| error.failure_code())
    };
    let refused = Err(Some(FailureCode::UrlNotAllowed));
    let closed = AddressPolicy::default();
    let open = AddressPolicy { allow_http: true, allow_git_scheme: true, ..AddressPolicy::default() };
    assert_eq!(allowed("https://host/a", &closed), Ok(()));
    for text in ["http://host/a", "git://host/a"] {
        assert_eq!(allowed(text, &closed), refused);
        assert_eq!(allowed(text, &open), Ok(()));
    }
    assert_eq!(allowed("git@host:a", &closed), Ok(()), "what travels is encrypted, and the host's key is checked");
}
