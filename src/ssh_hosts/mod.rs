//! Host keys of SSH servers as they come from outside: looked at by connecting, read from known_hosts, compared with what
//! was published. Called by the routes of host keys and by the doctor; it trusts nothing, stores nothing and logs in
//! nowhere.

mod known_hosts;
mod published;
mod scan;

use keytrail_domain::host_key::{Endpoint, HostPublicKey, SSH_PORT};
use md5::{Digest as _, Md5};

pub use self::{
    known_hosts::{Entry, MOST_BYTES, Why, read},
    published::{BadPublished, Published, PublishedHost},
    scan::{ScanError, Scanner},
};

/// A fingerprint as older programs show it: `MD5:` and sixteen pairs of digits.
pub fn md5(key: &HostPublicKey) -> String {
    let pairs: Vec<String> = Md5::digest(&key.blob).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("MD5:{}", pairs.join(":"))
}

/// A server as people and known_hosts write it: `host`, `host:port` or `[host]:port`. Nothing where it is none.
pub fn endpoint(text: &str) -> Option<Endpoint> {
    let whole = |host: &str, port: u16| Endpoint::host_of(host).ok().map(|host| Endpoint { host, port });
    let number = |port: &str| {
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        port.parse::<u16>().ok().filter(|port| digits && *port > 0)
    };
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        return match after.strip_prefix(':') {
            Some(port) => whole(host, number(port)?),
            None if after.is_empty() => whole(host, SSH_PORT),
            None => None,
        };
    }
    // More than one colon is an IPv6 address.
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => whole(host, number(port)?),
        _ => whole(text, SSH_PORT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_read_in_each_form_that_people_write() {
        let read = |text: &str| endpoint(text).map(|server| server.to_string());
        for (text, server) in [
            ("Git.example.com", "git.example.com:22"),
            ("git.example.com:2222", "git.example.com:2222"),
            ("[git.example.com]:2222", "git.example.com:2222"),
            ("[::1]:2222", "[::1]:2222"),
            ("[::1]", "[::1]:22"),
            ("::1", "[::1]:22"),
            ("10.0.0.1", "10.0.0.1:22"),
        ] {
            assert_eq!(read(text).as_deref(), Some(server), "{text}");
        }
        for text in ["", "-h", "h:", "h:0", "h:65536", "h:+22", "[h]22", "[h", "h h", "[]:22", "*.example.com", "a:b:c"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
