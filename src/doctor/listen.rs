//! Who can reach the server: the address that it listens on, and whether it can have it.

use std::{io, net::TcpListener};

use super::Finding;
use crate::config::Config;

const LISTEN: &str = "listen";
const PORT: &str = "port";

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let address = config.server.listen;
    vec![if address.ip().is_loopback() {
        Finding::ok(LISTEN, format!("{address} is reached from this machine only"))
    } else {
        let sentence =
            format!("{address} is reached from other machines, and there is no TLS: tokens can be read on the way");
        let remedy = "listen on 127.0.0.1 and put a reverse proxy with TLS before it (server.listen); where there is one on \
                      another machine, let nobody else reach this port";
        Finding::warn(LISTEN, sentence, remedy)
    }]
}

/// Whether a server could listen there now. Only where none runs.
pub(super) fn port(config: &Config) -> Finding {
    let address = config.server.listen;
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(PORT, format!("{address} is free")),
        Err(error) => {
            let remedy = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    "stop the program that has it (`ss -ltnp` names it), or choose another: server.listen"
                }
                io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege: choose another (server.listen)",
                _ => "choose an address of this machine: server.listen",
            };
            Finding::fail(PORT, format!("a server could not listen on {address}: {error}"), remedy)
        }
    }
}
