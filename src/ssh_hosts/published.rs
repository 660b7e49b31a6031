//! What whoever runs a server published of its host keys: a list that is shipped, or a file of the administrator's instead,
//! with the fingerprints as they stand on a page of theirs. It is compared with what a server shows; it makes nothing trusted
//! by itself.

use std::{fs, io::Read as _, path::Path};

use keytrail_domain::{
    display_text::DisplayText,
    host_key::{Endpoint, HostPublicKey, SSH_PORT},
};
use serde::Deserialize;

use super::endpoint;

/// The most bytes that the file may have.
const MOST_BYTES: u64 = 1 << 20;

/// What is compared where the administrator names no file.
const SHIPPED: &str = include_str!("../../data/published_host_keys.toml");

/// All that the file has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    hosts: Vec<PublishedHost>,
}

/// What was published of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedHost {
    /// Which.
    pub server: Endpoint,
    /// Where it was published: a page, mostly.
    pub by: DisplayText,
    fingerprints: Vec<String>,
}

/// The file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPublished {
    /// It is not there, may not be read, or is no text.
    #[error("the file of ssh_keys.published_host_keys cannot be read: {0}")]
    Unreadable(String),
    /// It is larger than any list.
    #[error("the file of ssh_keys.published_host_keys is larger than 1 MiB")]
    TooLarge,
    /// It is not written as docs/ssh.md says.
    #[error("the file of ssh_keys.published_host_keys is not written as it must be: {0}")]
    Malformed(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    host: Vec<WrittenHost>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenHost {
    name: String,
    #[serde(default = "usual_port")]
    port: u16,
    published_by: String,
    fingerprints: Vec<String>,
}

const fn usual_port() -> u16 {
    SSH_PORT
}

impl Published {
    /// Reads the file; the list that is shipped where none is set. Blocks.
    ///
    /// # Errors
    /// When it is set and cannot be used: then nothing is compared with half of it.
    pub fn read(path: Option<&Path>) -> Result<Self, BadPublished> {
        let Some(path) = path else { return Self::parse(SHIPPED) };
        let unreadable = |error: std::io::Error| BadPublished::Unreadable(error.to_string());
        let file = fs::File::open(path).map_err(unreadable)?;
        let mut text = String::new();
        file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
        if text.len() as u64 > MOST_BYTES {
            return Err(BadPublished::TooLarge);
        }
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, BadPublished> {
        let written: Written =
            toml::from_str(text).map_err(|error| BadPublished::Malformed(error.message().to_owned()))?;
        let hosts = written.host.into_iter().map(|host| {
            let bad =
                |what: &str| BadPublished::Malformed(format!("{}: {what}", DisplayText::clean(&host.name).as_str()));
            let server = endpoint(&host.name).filter(|server| server.port == SSH_PORT && host.port > 0);
            let server = server.ok_or_else(|| bad("this is no host"))?;
            if host.fingerprints.is_empty() || !host.fingerprints.iter().all(|text| is_fingerprint(text)) {
                return Err(bad("fingerprints are written as SHA256: and 43 characters, as ssh-keygen -l shows them"));
            }
            Ok(PublishedHost {
                server: Endpoint { port: host.port, ..server },
                by: DisplayText::clean(&host.published_by),
                fingerprints: host.fingerprints,
            })
        });
        Ok(Self { hosts: hosts.collect::<Result<_, _>>()? })
    }

    /// What was published of this server.
    pub fn of(&self, server: &Endpoint) -> Option<&PublishedHost> {
        self.hosts.iter().find(|host| host.server == *server)
    }

    /// How many servers it names.
    pub fn count(&self) -> usize {
        self.hosts.len()
    }
}

impl PublishedHost {
    /// Whether this key was published.
    pub fn has(&self, key: &HostPublicKey) -> bool {
        self.fingerprints.contains(&key.sha256())
    }
}

fn is_fingerprint(text: &str) -> bool {
    let base64 = text.strip_prefix("SHA256:").unwrap_or_default();
    base64.len() == 43 && base64.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;

    fn key(n: u8) -> HostPublicKey {
        let blob = [&[0, 0, 0, 11][..], b"ssh-ed25519", &[0, 0, 0, 1, n]].concat();
        HostPublicKey { algorithm: "ssh-ed25519".to_owned(), blob }
    }

    fn file(name: &str, rest: &str) -> String {
        format!("[[host]]\nname = {name:?}\npublished_by = \"https://h/ssh\"\n{rest}\n")
    }

    #[test]
    fn what_was_published_is_found_by_host_and_port() {
        let fingerprints = format!("fingerprints = [{:?}]", key(1).sha256());
        let text = file("Git.Example.com", &fingerprints) + &file("b", &format!("port = 2222\n{fingerprints}"));
        let published = Published::parse(&text).expect("a list");
        assert_eq!(published.count(), 2);
        let of = |text: &str| published.of(&endpoint(text).expect("a server"));
        let found = of("git.example.com").expect("it was published");
        assert!(found.has(&key(1)) && !found.has(&key(2)));
        assert_eq!(found.by.as_str(), "https://h/ssh");
        assert!(of("b:2222").is_some() && of("b").is_none() && of("git.example.com:2222").is_none());
    }

    #[test]
    fn a_list_that_is_not_whole_is_no_list() {
        let good = format!("fingerprints = [{:?}]", key(1).sha256());
        for text in [
            "[[host]]".to_owned(),
            "nonsense".to_owned(),
            file("h", "fingerprints = []"),
            file("h", "fingerprints = [\"MD5:00\"]"),
            file("h", "fingerprints = [\"SHA256:short\"]"),
            file("-h", &good),
            file("h:2222", &good),
            file("h", &format!("port = 0\n{good}")),
            file("h", &format!("other = 1\n{good}")),
        ] {
            assert!(matches!(Published::parse(&text), Err(BadPublished::Malformed(_))), "{text}");
        }
        assert_eq!(Published::parse(""), Ok(Published::default()));
        assert!(matches!(Published::read(Some(Path::new("/nowhere"))), Err(BadPublished::Unreadable(_))));
    }

    #[test]
    fn the_list_that_is_shipped_is_whole_and_says_who_published_it() {
        let shipped = Published::read(None).expect("a list");
        let hosts =
            ["github.com", "ssh.github.com:443", "gitlab.com", "bitbucket.org", "ssh.dev.azure.com", "codeberg.org"];
        for host in hosts {
            let found = shipped.of(&endpoint(host).expect("a server")).expect("it was published");
            assert!(found.by.as_str().starts_with("https://"), "{host}");
        }
        assert_eq!(shipped.count(), hosts.len());
        // The key of github.com, as it stands in known_hosts files.
        let blob =
            STANDARD.decode("AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl").expect("base64");
        let key = HostPublicKey { algorithm: "ssh-ed25519".to_owned(), blob };
        for host in ["github.com", "ssh.github.com:443"] {
            assert!(shipped.of(&endpoint(host).expect("a server")).is_some_and(|host| host.has(&key)), "{host}");
        }
        for other in ["github.com:443", "ssh.github.com"] {
            assert!(shipped.of(&endpoint(other).expect("a server")).is_none(), "{other}");
        }
    }
}
