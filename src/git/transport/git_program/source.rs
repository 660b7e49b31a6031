//! Tells a call of the git program where the remote repository is, whom to trust and as whom to ask. Called before a
//! fetch and a listing; names are looked up and addresses checked here, and git gets them pinned.

use std::{fs, io, net::SocketAddr, os::unix::ffi::OsStrExt as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keytrail_domain::remote_url::{Host, Scheme};

use super::{GitProgram, fetch::FetchWatch, invocation::Invocation, running, said};
use crate::git::{
    GitError,
    mirror::Filter,
    remote::{HttpCredential, Proxy, Reach, Remote, RemoteError, RemoteTrouble, Trust, client::USER_AGENT},
    ssh::{Door, url_for_git},
    transport::{
        FetchError, LocalRepository,
        fetch::{FetchRequest, FetchSource},
    },
};

/// A call that knows its remote, which is called `origin`.
pub(super) struct Reached {
    pub(super) invocation: Invocation,
}

/// `door` is the attempt over SSH that this is.
pub(super) async fn reach(
    invocation: Invocation,
    request: &FetchRequest<'_>,
    door: Option<&Door>,
) -> Result<Reached, GitError> {
    let invocation = match request.source {
        FetchSource::Local(source) => local(invocation, source, request).await?,
        FetchSource::Remote(remote) if remote.url.scheme() == Scheme::Ssh => ssh(invocation, remote, door)?,
        FetchSource::Remote(remote) => {
            let reach = remote.reach().await?;
            match remote.url.scheme() {
                Scheme::Http | Scheme::Https => http(invocation, remote, &reach, request)?,
                Scheme::Git => git(invocation, remote, &reach),
                // Said above.
                Scheme::Ssh => return Err(remote.trouble(RemoteTrouble::SshNoKey)),
            }
        }
    };
    Ok(Reached { invocation })
}

fn http(
    mut invocation: Invocation,
    remote: &Remote,
    reach: &Reach,
    request: &FetchRequest<'_>,
) -> Result<Invocation, GitError> {
    let origin = remote.url.origin();
    invocation = invocation
        .allow(remote.url.scheme().word())
        .config("remote.origin.url", remote.url.to_string())
        .config("http.userAgent", USER_AGENT);
    // A word about this origin goes to this origin only, and stays in the environment of the program.
    if let Some(credential) = &remote.credential {
        let header = format!("Authorization: {}", credential.authorization().as_str());
        invocation = invocation.config(format!("http.{origin}/.extraHeader"), header);
    }
    invocation = match (reach, &remote.proxy) {
        (Reach::Proxy(addresses), Some(Proxy { url, credential })) => {
            // git takes a proxy's credential only in its URL; this one is in the environment, too.
            let credential = credential.as_ref().map(HttpCredential::in_url).unwrap_or_default();
            let proxy = format!("http://{}{}:{}", credential.as_str(), url.host(), url.port());
            resolved(invocation.config("http.proxy", proxy), url.host(), addresses)
        }
        (Reach::Direct(addresses) | Reach::Proxy(addresses), _) => resolved(invocation, remote.url.host(), addresses),
    };
    trust(invocation, remote, request)
}

/// Pins the addresses: no name is looked up a second time.
fn resolved(invocation: Invocation, host: &Host, addresses: &[SocketAddr]) -> Invocation {
    let (None, Some(first)) = (host.address(), addresses.first()) else { return invocation };
    let addresses: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    invocation.config("http.curloptResolve", format!("{host}:{}:{}", first.port(), addresses.join(",")))
}

/// Whether the program refuses a server for having another key than the pinned one. A few TLS libraries that curl can
/// be built with cannot compare keys, and git does not say so: with those nothing at all would be checked. So it is
/// asked to list from this server with a pin that no key has, without any credential.
pub(super) async fn compares_keys(program: &GitProgram, request: &FetchRequest<'_>) -> Result<(), GitError> {
    let FetchSource::Remote(remote) = request.source else { return Ok(()) };
    if !matches!(remote.trust, Trust::Pinned { .. }) || remote.url.scheme() != Scheme::Https {
        return Ok(());
    }
    let nobody = Remote { trust: Trust::Pinned { spki_sha256: [0; 32] }, credential: None, ..remote.clone() };
    let listing = Invocation::new(["ls-remote", "--end-of-options", "origin", "HEAD"]).on(request.mirror.path());
    let listing = listing.within(request.limits.memory_bytes);
    let listing = http(listing, &nobody, &remote.reach().await?, request)?;
    let mut watch = FetchWatch::new(request, Filter::Everything);
    match running::run(&program.path, &listing, &mut watch).await {
        Ok(ending) if !ending.success => match said::error(&watch.said(), request) {
            GitError::Remote(RemoteError { trouble: RemoteTrouble::TlsPinMismatch, .. }) => Ok(()),
            other => Err(other),
        },
        Ok(_) => Err(FetchError::CannotPin.into()),
        Err(unended) => Err(unended.into()),
    }
}

fn trust(invocation: Invocation, remote: &Remote, request: &FetchRequest<'_>) -> Result<Invocation, GitError> {
    match &remote.trust {
        Trust::WebPki => Ok(invocation.config("http.sslVerify", "true")),
        Trust::Authority { pem } => {
            let mirror = request.mirror.path();
            let writing = |error: io::Error| GitError::of_path(mirror, "writing the authority's certificate", error);
            let (file, none) = (mirror.join("authority.pem"), mirror.join("no-authorities"));
            fs::write(&file, pem.as_bytes()).map_err(writing)?;
            // Without an empty folder the machine's own would be trusted beside it.
            fs::create_dir_all(&none).map_err(writing)?;
            Ok(invocation
                .config("http.sslVerify", "true")
                .config("http.sslCAInfo", file.to_string_lossy())
                .config("http.sslCAPath", none.to_string_lossy()))
        }
        // Exactly this key, whoever signed it and whatever the name: the check of the chain and the name is off, that
        // of the key is not. That the program does compare keys is tried out first ([`compares_keys`]).
        Trust::Pinned { spki_sha256 } => Ok(invocation
            .config("http.sslVerify", "false")
            .config("http.pinnedPubkey", format!("sha256//{}", STANDARD.encode(spki_sha256)))),
    }
}

/// git looks names up itself, so it gets the address; which host is meant is said to the server as ever.
fn git(invocation: Invocation, remote: &Remote, reach: &Reach) -> Invocation {
    let (Reach::Direct(addresses) | Reach::Proxy(addresses)) = reach;
    let host = remote.url.host();
    let port = remote.url.port();
    let place = match addresses.first() {
        Some(address) => address.to_string(),
        None => format!("{host}:{port}"),
    };
    invocation
        .allow("git")
        .config("remote.origin.url", format!("git://{place}{}", remote.url.path()))
        .environment("GIT_OVERRIDE_VIRTUAL_HOST", format!("{host}:{port}"))
}

/// git starts the program that speaks SSH, by a line of ours that names the address, the agent and the host's keys.
fn ssh(invocation: Invocation, remote: &Remote, door: Option<&Door>) -> Result<Invocation, GitError> {
    let door = door.ok_or_else(|| remote.trouble(RemoteTrouble::SshNoKey))?;
    Ok(invocation
        .allow("ssh")
        .config("remote.origin.url", url_for_git(&remote.url))
        .config("core.sshCommand", door.in_shell()?)
        .config("ssh.variant", "ssh")
        .attended(door.group())
        .keeping(door.place()))
}

async fn local(
    invocation: Invocation,
    source: &LocalRepository,
    request: &FetchRequest<'_>,
) -> Result<Invocation, GitError> {
    // Whose it is, and whether its format is one that can be read, is asked as for one that is read in place.
    let (asked, steps) = (source.clone(), request.progress.steps().clone());
    let folder = tokio::task::spawn_blocking(move || asked.git_folder(&steps))
        .await
        .map_err(|error| GitError::transient("looking at the source", error))??;
    let mirror = request.mirror.path();
    let writing = |error: io::Error| GitError::of_path(mirror, "writing the configuration of a local source", error);
    let unfit = |byte: &u8| byte.is_ascii_control() || matches!(byte, b'"' | b'\\');
    let text = folder.to_str().filter(|text| !text.as_bytes().iter().any(unfit));
    let Some(text) = text else {
        let reason = "its path has characters that git's configuration cannot hold; rename the folder".to_owned();
        return Err(GitError::Denied { path: source.path().to_owned(), reason });
    };
    // The program at the other end is git as well, and reads neither arguments nor the rest of the environment.
    let file = mirror.join("local-source.config");
    let config =
        format!("[safe]\n\tdirectory = \"{text}\"\n[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n");
    fs::write(&file, config).map_err(writing)?;
    debug_assert!(folder.as_os_str().as_bytes().starts_with(b"/"), "found by canonicalize");
    Ok(invocation.allow("file").config("remote.origin.url", text).environment("GIT_CONFIG_GLOBAL", file))
}
