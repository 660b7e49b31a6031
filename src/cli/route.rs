//! By which way a server elsewhere is reached: whose certificates are good, and through which proxy. Called by the commands
//! that connect to one; it connects to nothing itself.

use std::path::PathBuf;

use clap::Args;
use keytrail_domain::proxy_url::ProxyUrl;
use serde_json::{Map, Value, json};

use super::{
    CliError,
    place::{credential, open, password_of, seen_by_all, text},
};

#[derive(Debug, Args)]
pub(super) struct Route {
    /// A file with the certificate of the git server's own authority, in PEM
    #[arg(long, value_name = "FILE", conflicts_with = "pin")]
    ca: Option<PathBuf>,
    /// Trust this key of the git server and no other: sha256//…, as curl's --pinnedpubkey
    #[arg(long, value_name = "KEY")]
    pin: Option<String>,
    /// Connect through this HTTP proxy: http://host:port
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// As whom to ask the proxy
    #[arg(long, value_name = "NAME", requires = "proxy", requires = "proxy_password_file")]
    proxy_user: Option<String>,
    /// A file with the proxy's password
    #[arg(long, value_name = "FILE", requires = "proxy", requires = "proxy_user")]
    proxy_password_file: Option<PathBuf>,
}

impl Route {
    /// Whether anything is said of it.
    pub(super) const fn is_given(&self) -> bool {
        self.ca.is_some() || self.pin.is_some() || self.proxy.is_some()
    }

    /// Whether it says whose certificates are good.
    pub(super) const fn trusts(&self) -> bool {
        self.ca.is_some() || self.pin.is_some()
    }

    /// Adds it to a connection as the API takes it.
    pub(super) fn add_to(&self, connection: &mut Map<String, Value>) -> Result<(), CliError> {
        if let Some(file) = &self.ca {
            let pem = text(&mut open(file)?, &file.display().to_string())?;
            connection.insert("trust".to_owned(), json!({ "kind": "authority", "pem": pem.expose() }));
        }
        if let Some(key) = &self.pin {
            connection.insert("trust".to_owned(), json!({ "kind": "pinned", "key": key }));
        }
        if let Some(url) = &self.proxy {
            if ProxyUrl::parse(url).is_ok_and(|(_, credential)| credential.is_some()) {
                return Err(seen_by_all("--proxy-user with --proxy-password-file"));
            }
            let mut proxy = json!({ "url": url });
            if let (Some(user), Some(file)) = (&self.proxy_user, &self.proxy_password_file) {
                proxy["credential"] = credential(user, &password_of(file)?);
            }
            connection.insert("proxy".to_owned(), proxy);
        }
        Ok(())
    }
}
