//! Looking at a server: from a body to the keys that it shows, and what was published of them. A look is a few connections
//! to a machine elsewhere: few at once.

use std::collections::BTreeSet;

use keytrail_domain::{
    host_key::{Command, Endpoint, HostKeys as Aggregate, HostPublicKey, SSH_PORT},
    index_run::FailureCode,
    recorded::Position,
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::Context,
    config,
    http::{
        Api,
        error::{ApiError, Code, sentence},
    },
    ssh_hosts::{Published, PublishedHost, ScanError, Scanner},
};

/// An SSH server.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SshServerToScan)]
pub(in crate::http) struct Server {
    /// A name or an address.
    #[schema(example = "git.example.com")]
    pub(super) host: String,
    /// Where it listens; 22 when nothing is said.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 65535)]
    pub(super) port: Option<u16>,
}

/// What a look at a server showed.
pub(super) struct Looked {
    pub(super) server: Endpoint,
    pub(super) keys: Vec<HostPublicKey>,
    /// What was published of this server.
    pub(super) published: Option<PublishedHost>,
    /// Why nothing could be compared with what was published.
    pub(super) published_problem: Option<String>,
}

/// The server of a body.
fn endpoint(server: &Server) -> Result<Endpoint, ApiError> {
    let port = server.port.unwrap_or(SSH_PORT);
    let invalid = |why: &str| ApiError::new(Code::SshHostInvalid, sentence(why));
    if port == 0 {
        return Err(invalid("a port is 1 to 65535"));
    }
    let host = Endpoint::host_of(&server.host);
    let host =
        host.map_err(|_| invalid("this is no name of a host and no address; the port stands in a field of its own"))?;
    Ok(Endpoint { host, port })
}

/// Looks at it.
pub(super) async fn at(api: &Api, server: &Server) -> Result<Looked, ApiError> {
    let server = endpoint(server)?;
    let turn = api.host_scans.take().await;
    let _turn = turn.map_err(|busy| ApiError::new(Code::Busy, sentence(&busy.to_string())).retry_after(2))?;
    let scanner = Scanner::find(&config::program_folders()).map_err(refused)?;
    let keys = scanner.scan(&server, &api.app.jobs.git.addresses).await.map_err(refused)?;
    let path = api.app.config.ssh_keys.published_host_keys.clone();
    let list = tokio::task::spawn_blocking(move || Published::read(path.as_deref())).await;
    let (published, published_problem) = match list.map_err(|error| ApiError::internal(&error))? {
        Ok(list) => (list.of(&server).cloned(), None),
        Err(problem) => (None, Some(sentence(&problem.to_string()))),
    };
    Ok(Looked { server, keys, published, published_problem })
}

/// Where the server is known, what it shows is recorded if it is another key: at which position the log stands then.
pub(super) async fn report(api: &Api, looked: &Looked, context: Context) -> Result<Option<Position>, ApiError> {
    let Endpoint { host, port } = looked.server.clone();
    let id = looked.server.id();
    let (known, _) = api.app.load::<Aggregate>(super::stream(id)).await?;
    if known.trusted().is_empty() {
        return Ok(None);
    }
    let command = Command::ReportOffered { host, port, keys: looked.keys.clone() };
    let committed = api.app.dispatch::<Aggregate>(id.0, command, context, Vec::new()).await?;
    super::is_shown(api, committed.last).await;
    Ok(Some(committed.last))
}

impl Looked {
    /// The keys with these fingerprints, where it shows each of them. Others stay out: that it shows a key does not prove that
    /// it has it, so one that is right vouches for no other.
    pub(super) fn named(&self, fingerprints: &[String]) -> Result<Vec<HostPublicKey>, ApiError> {
        let shown: BTreeSet<_> = self.keys.iter().map(HostPublicKey::sha256).collect();
        let named: BTreeSet<_> = fingerprints.iter().map(|one| one.trim().to_owned()).collect();
        if !named.is_empty() && named.is_subset(&shown) {
            return Ok(self.keys.iter().filter(|key| named.contains(&key.sha256())).cloned().collect());
        }
        let detail = "No fingerprint is named, or the server does not show each that is; nothing is trusted. Look at it again, \
                      compare each key, and name those that are right.";
        let shown: Vec<_> = shown.into_iter().collect();
        Err(ApiError::new(Code::HostKeyOtherFingerprints, detail).with("fingerprints", shown))
    }

    /// Whether each of these was published.
    pub(super) fn all_published(&self, keys: &[HostPublicKey]) -> bool {
        self.published.as_ref().is_some_and(|published| keys.iter().all(|key| published.has(key)))
    }
}

fn refused(error: ScanError) -> ApiError {
    let code = match &error {
        ScanError::NoProgram => Code::SshKeyscanMissing,
        ScanError::Address(error) if error.failure_code() == Some(FailureCode::AddressDenied) => Code::AddressDenied,
        ScanError::Address(_) => Code::SshHostUnknown,
        ScanError::Refused(_) | ScanError::Unreachable(_) | ScanError::Silent(_) => Code::SshHostUnreachable,
        ScanError::NotSsh(_) | ScanError::NoKeys(_) => Code::SshHostNotSsh,
        ScanError::Program(reason) => return ApiError::internal(reason),
    };
    ApiError::new(code, sentence(&error.to_string()))
}
