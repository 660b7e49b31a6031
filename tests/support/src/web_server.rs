//! A real web server before `git http-backend`: nginx and fcgiwrap in a temporary folder, over HTTP and TLS, with a
//! door for each way that a server can be. Called by tests; however the process ends, nothing of it is left behind.

mod certificates;
mod doors;
mod forward_proxy;
mod front;
mod keeper;
mod named_front;
mod pack_server;
pub(crate) mod programs;
mod relay;
mod scripted;
#[cfg(test)]
mod tests;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use self::{certificates::Certificates, keeper::Keeper};
pub use self::{
    doors::Door,
    forward_proxy::ForwardProxy,
    front::{Front, Passed},
    named_front::NamedFront,
    pack_server::PackServer,
    relay::{Fault, Refusal, Relay},
    scripted::{Ending, Scripted},
};

/// Which certificate is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A good one for `localhost` and 127.0.0.1, signed by [`WebServer::ca_pem`].
    Good,
    /// One that ended in 2020.
    Expired,
    /// One for `elsewhere.test`.
    WrongName,
}

/// A running web server; it ends with the value.
pub struct WebServer {
    ports: Ports,
    certificates: Certificates,
    /// Dropped first of all that lies in its folder.
    keeper: Keeper,
}

#[derive(Clone, Copy)]
struct Ports {
    plain: u16,
    good: u16,
    expired: u16,
    wrong_name: u16,
}

impl WebServer {
    /// The user that [`Door::Private`] knows.
    pub const USER: &str = "alice";
    /// The user's password.
    pub const PASSWORD: &str = "p@ss w0rd";

    /// Serves every bare repository below `root`; `name` is the path from there.
    ///
    /// # Panics
    /// When a program is missing (the text says which package brings it) or does not start.
    pub fn start(root: &Path) -> Self {
        let certificates = Certificates::make();
        // A port that was free may be taken before nginx has it.
        for _ in 0..5 {
            let ports = Ports::free();
            if let Some(keeper) = Keeper::start(root, ports, &certificates) {
                return Self { ports, certificates, keeper };
            }
        }
        panic!("nginx found no free ports five times over");
    }

    /// The address of a repository over HTTP.
    pub fn url(&self, name: &str) -> String {
        self.url_at(Door::Open, name)
    }

    /// The same, by another door.
    pub fn url_at(&self, door: Door, name: &str) -> String {
        format!("http://127.0.0.1:{}/{}/{name}", self.ports.plain, door.word())
    }

    /// The address of a repository over TLS.
    pub fn tls_url(&self, name: &str) -> String {
        self.tls_url_at(Shown::Good, Door::Open, name)
    }

    /// The same, by another door and with another certificate.
    pub fn tls_url_at(&self, shown: Shown, door: Door, name: &str) -> String {
        let port = match shown {
            Shown::Good => self.ports.good,
            Shown::Expired => self.ports.expired,
            Shown::WrongName => self.ports.wrong_name,
        };
        format!("https://127.0.0.1:{port}/{}/{name}", door.word())
    }

    /// Where it listens for HTTP.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.plain).into()
    }

    /// Where it listens for TLS, with the good certificate.
    pub fn tls_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.good).into()
    }

    /// The certificate of the authority that signed all of its certificates.
    pub fn ca_pem(&self) -> Arc<str> {
        self.certificates.authority.clone()
    }

    /// The certificate of an authority that signed none of them.
    pub fn other_ca_pem(&self) -> Arc<str> {
        self.certificates.other_authority.clone()
    }

    /// How often git asked for a pack, or listed refs by protocol 2, and was answered.
    pub fn git_requests(&self) -> usize {
        self.keeper.access_log().lines().filter(|line| line.contains("\"POST ")).count()
    }

    /// The SubjectPublicKeyInfo in DER of the certificate that is shown; its SHA-256 can be pinned.
    pub fn public_key_der(&self, shown: Shown) -> &[u8] {
        &self.certificates.of(shown).public_key
    }
}

impl Ports {
    fn free() -> Self {
        // All are held until all are known: no two are the same.
        let held = [(); 4].map(|()| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
        let [plain, good, expired, wrong_name] =
            held.each_ref().map(|one| one.local_addr().expect("a listener has an address").port());
        Self { plain, good, expired, wrong_name }
    }
}
