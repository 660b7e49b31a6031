//! A known_hosts file: what it says is trusted server by server, and what is not taken of it is told.

use std::collections::BTreeMap;

use keytrail_domain::{
    host_key::{Command, Endpoint, HostKeys as Aggregate, HostPublicKey, How, SSH_PORT},
    recorded::Position,
    remote_url::Scheme,
    service::Connection,
};
use keytrail_projections::{
    host_key_list::{self, HostKeyState},
    integration_list::{self, IntegrationState},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{Context, DispatchError},
    http::{
        Api,
        error::{ApiError, Code, sentence},
        words,
    },
    ssh_hosts::{self, Entry, MOST_BYTES},
};

/// Hosts that a person names, to be compared with hashed names.
const MOST_HOSTS: usize = 200;
/// Servers of one file: each is recorded by itself.
const MOST_SERVERS: usize = 500;
/// Rows that are read at once.
const PAGE: u32 = 500;
/// Why a server was left out, where others were trusted before.
const STOPPED: &str = "It could not be recorded, or it was not tried as one before it could not; those that are trusted stay so. \
                       Import the file again in a moment.";

/// A known_hosts file.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct KnownHosts {
    /// Its text; at most 64 KiB.
    known_hosts: String,
    /// Hosts that hashed names may be: `host`, `host:port` or `[host]:port`; at most 200.
    #[serde(default)]
    #[schema(max_items = 200)]
    hosts: Vec<String>,
}

/// What came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportedKnownHosts)]
pub(in crate::http) struct Imported {
    /// The servers that it vouches for.
    servers: Vec<ImportedServer>,
    /// What was not taken.
    not_taken: Vec<NotTaken>,
    /// The position of the last change; reads take it as `min_position`.
    pub(super) position: i64,
}

/// A server that the file vouches for.
#[derive(Serialize, ToSchema)]
struct ImportedServer {
    /// Which.
    id: Uuid,
    /// A name or an address.
    host: String,
    /// Where it listens.
    port: u16,
    /// The fingerprints of the keys that the file has.
    fingerprints: Vec<String>,
    /// Whether they are trusted now.
    trusted: bool,
    /// Why they are not: a code of problems.
    code: Option<&'static str>,
    /// The same in words.
    detail: Option<String>,
}

/// What was not taken of a line.
#[derive(Serialize, ToSchema)]
struct NotTaken {
    /// The number of the line, from 1.
    line: usize,
    /// The name that it begins with.
    name: String,
    /// Why, in one word.
    #[schema(schema_with = words::known_hosts_reason)]
    code: &'static str,
    /// Why, and what to do.
    detail: String,
}

pub(super) async fn carry_out(
    api: &Api,
    body: KnownHosts,
    context: impl Fn() -> Context,
) -> Result<Imported, ApiError> {
    if body.known_hosts.len() > MOST_BYTES {
        let detail = "A known_hosts file that is imported has at most 64 KiB. Give only the lines of git servers.";
        return Err(ApiError::new(Code::KnownHostsTooLarge, detail));
    }
    let tried = tried(api, &body.hosts).await?;
    let text = body.known_hosts;
    // Each hashed name is compared with each host.
    let read = tokio::task::spawn_blocking(move || ssh_hosts::read(&text, &tried));
    let entries = read.await.map_err(|error| ApiError::internal(&error))?;
    if entries.is_empty() {
        return Err(ApiError::new(Code::KnownHostsEmpty, "There is no line in it but comments."));
    }
    let mut imported =
        Imported { servers: Vec::new(), not_taken: Vec::new(), position: api.app.log.feed().head().position };
    let mut servers: BTreeMap<Endpoint, Vec<HostPublicKey>> = BTreeMap::new();
    for Entry { line, name, says } in entries {
        match says {
            Ok((server, key)) => servers.entry(server).or_default().push(key),
            Err(why) => {
                imported.not_taken.push(NotTaken { line, name, code: why.code(), detail: sentence(&why.to_string()) });
            }
        }
    }
    if servers.len() > MOST_SERVERS {
        let detail = format!(
            "A file that is imported vouches for at most {MOST_SERVERS} servers, and this one does for {}. Nothing is trusted; \
             give it in parts.",
            servers.len()
        );
        return Err(ApiError::new(Code::KnownHostsTooMany, detail));
    }
    let mut stopped = None;
    for (server, keys) in servers {
        let mut told = ImportedServer::of(&server, &keys);
        if let Some(code) = stopped {
            told.is_left_out(code, STOPPED.to_owned());
        } else {
            match trust(api, server, keys, context()).await {
                Ok(position) => imported.position = imported.position.max(position),
                Err(DispatchError::Refused { code, text }) => told.is_left_out(code, sentence(&text)),
                // What was recorded of others stays, and an error of the whole would say otherwise.
                Err(error) if imported.servers.iter().any(|before| before.trusted) => {
                    let code = ApiError::from(error).code().as_str();
                    told.is_left_out(code, STOPPED.to_owned());
                    stopped = Some(code);
                }
                Err(error) => return Err(error.into()),
            }
        }
        imported.servers.push(told);
    }
    Ok(imported)
}

impl ImportedServer {
    fn of(server: &Endpoint, keys: &[HostPublicKey]) -> Self {
        Self {
            id: server.id().0,
            host: server.host.to_string(),
            port: server.port,
            fingerprints: keys.iter().map(HostPublicKey::sha256).collect(),
            trusted: true,
            code: None,
            detail: None,
        }
    }

    fn is_left_out(&mut self, code: &'static str, detail: String) {
        (self.trusted, self.code, self.detail) = (false, Some(code), Some(detail));
    }
}

async fn trust(
    api: &Api,
    server: Endpoint,
    keys: Vec<HostPublicKey>,
    context: Context,
) -> Result<Position, DispatchError> {
    let id = server.id().0;
    let command = Command::Trust { host: server.host, port: server.port, keys, how: How::KnownHosts };
    Ok(api.app.dispatch::<Aggregate>(id, command, context, Vec::new()).await?.last)
}

/// The servers that a hashed name may be.
async fn tried(api: &Api, named: &[String]) -> Result<Vec<Endpoint>, ApiError> {
    if named.len() > MOST_HOSTS {
        return Err(ApiError::new(Code::SshHostInvalid, "At most 200 hosts are named."));
    }
    let mut tried = Vec::new();
    for (index, text) in named.iter().enumerate() {
        let server = ssh_hosts::endpoint(text.trim()).ok_or_else(|| {
            let detail = format!("The entry {} of `hosts` is no host, host:port or [host]:port.", index + 1);
            ApiError::new(Code::SshHostInvalid, detail)
        })?;
        tried.push(server);
    }
    // It is decided by them: they are read as they are now, and whole.
    let mut after = None;
    loop {
        let rows = api.read_now(host_key_list::page(None, after, PAGE)).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.met_position);
        for row in rows.iter().filter(|row| row.state != HostKeyState::Forgotten) {
            tried.extend(Endpoint::host_of(&row.host).map(|host| Endpoint { host, port: row.port }));
        }
    }
    let mut after = None;
    loop {
        let rows = api.read_now(integration_list::page(None, None, after, PAGE)).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.added_position);
        let connected = rows.iter().filter(|row| row.state != IntegrationState::Removed);
        tried.extend(connected.filter_map(|row| server_of(&row.connection)));
    }
    tried.sort();
    tried.dedup();
    Ok(tried)
}

/// Where SSH would be found of what an integration is connected to.
fn server_of(connection: &Connection) -> Option<Endpoint> {
    match connection {
        Connection::Git(remote) => {
            let port = if remote.url.scheme() == Scheme::Ssh { remote.url.port() } else { SSH_PORT };
            Some(Endpoint { host: remote.url.host().clone(), port })
        }
        Connection::GithubApp(github) => ssh_hosts::endpoint(github.host.name()),
        Connection::Path { .. } | Connection::Folder { .. } => None,
    }
}
