//! What `ssh` is told, whatever anybody's configuration says: fixed options, none of which comes from outside but the checked
//! address, port and user. Called for each attempt.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use keytrail_domain::remote_url::{BadUrl, RemoteUrl};

use super::HOST_ALIAS;

/// As whom to come where a URL does not say.
const USUAL_USER: &str = "git";

/// Where the things of one attempt are: all of them public but the socket.
pub(super) struct Files<'a> {
    pub(super) socket: PathBuf,
    pub(super) public_half: &'a Path,
    pub(super) known_hosts: &'a Path,
}

/// As whom to come.
pub(in crate::git) fn user(url: &RemoteUrl) -> &str {
    url.user().unwrap_or(USUAL_USER)
}

/// Options without the host and the command.
///
/// - No file of configuration is read, no question asked, no password tried, nothing forwarded, no other program run.
/// - The host is who its key says, under a name that only our own list of keys has; that list is never written.
/// - The one key is in the agent; the file has its public half only, and says which one is meant.
/// - The address is the one that was checked: no name is looked up, whatever the host is called.
pub(super) fn options(address: SocketAddr, connect: Duration, files: &Files<'_>) -> io::Result<Vec<String>> {
    let (socket, public_half) = (path(&files.socket)?, path(files.public_half)?);
    let known_hosts = path(files.known_hosts)?;
    let seconds = connect.as_secs().max(1);
    let options = [
        "LogLevel=INFO".to_owned(),
        "BatchMode=yes".to_owned(),
        "RequestTTY=no".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        format!("UserKnownHostsFile={known_hosts}"),
        "GlobalKnownHostsFile=/dev/null".to_owned(),
        format!("HostKeyAlias={HOST_ALIAS}"),
        "CheckHostIP=no".to_owned(),
        "VerifyHostKeyDNS=no".to_owned(),
        "UpdateHostKeys=no".to_owned(),
        "CanonicalizeHostname=no".to_owned(),
        format!("HostName={}", address.ip()),
        format!("Port={}", address.port()),
        format!("IdentityAgent={socket}"),
        format!("IdentityFile={public_half}"),
        "IdentitiesOnly=yes".to_owned(),
        "PreferredAuthentications=publickey".to_owned(),
        "PubkeyAuthentication=yes".to_owned(),
        "PasswordAuthentication=no".to_owned(),
        "KbdInteractiveAuthentication=no".to_owned(),
        "GSSAPIAuthentication=no".to_owned(),
        "HostbasedAuthentication=no".to_owned(),
        format!("ConnectTimeout={seconds}"),
        "ConnectionAttempts=1".to_owned(),
        "ServerAliveInterval=30".to_owned(),
        "ServerAliveCountMax=3".to_owned(),
        "ForwardAgent=no".to_owned(),
        "ForwardX11=no".to_owned(),
        "ClearAllForwardings=yes".to_owned(),
        "ProxyCommand=none".to_owned(),
        "ProxyJump=none".to_owned(),
        "PermitLocalCommand=no".to_owned(),
        "ControlMaster=no".to_owned(),
        "ControlPath=none".to_owned(),
        "AddKeysToAgent=no".to_owned(),
        "SendEnv=GIT_PROTOCOL".to_owned(),
    ];
    let mut all = vec!["-F".to_owned(), "none".to_owned()];
    all.extend(options.into_iter().flat_map(|option| ["-o".to_owned(), option]));
    Ok(all)
}

/// A path as a value of an option: quoted, since blanks end it; `%`, `$` and quotes would mean something else.
fn path(path: &Path) -> io::Result<String> {
    let unfit = |character: char| character.is_control() || matches!(character, '"' | '\'' | '%' | '$' | '\\');
    match path.to_str().filter(|text| !text.contains(unfit)) {
        Some(text) => Ok(format!("\"{text}\"")),
        None => Err(io::Error::other(
            "the path of the data folder has characters that ssh takes for something else; move the data folder",
        )),
    }
}

/// What is run at the other end, with the path as git says it: a home is meant by `~` at its beginning.
///
/// # Errors
/// None for a URL that was read by our parser.
pub(super) fn command(url: &RemoteUrl) -> Result<String, BadUrl> {
    let path = url.decoded_path()?;
    let path = path.strip_prefix('/').filter(|rest| rest.starts_with('~')).unwrap_or(&path);
    // The parser lets no quote and no backslash through. A shell of some kinds takes an exclamation mark for its own.
    Ok(format!("git-upload-pack '{}'", path.replace('!', r"'\!'")))
}

/// The same for git, which hands it to a shell.
pub(super) fn in_shell(program: &Path, options: &[String]) -> io::Result<String> {
    let program = program.to_str().ok_or_else(|| io::Error::other("the path of ssh is not UTF-8"))?;
    let words = std::iter::once(program).chain(options.iter().map(String::as_str));
    Ok(words.map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect::<Vec<_>>().join(" "))
}

/// The address as git wants it in a URL of SSH.
pub(in crate::git) fn url_for_git(url: &RemoteUrl) -> String {
    let (user, host, path) = (user(url), url.host(), url.path());
    if path.starts_with('/') {
        return format!("ssh://{user}@{host}:{}{path}", url.port());
    }
    // It begins at a home, and then there is no other port than the usual one.
    format!("{user}@{host}:{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> RemoteUrl {
        RemoteUrl::parse(text).expect(text).url
    }

    #[test]
    fn every_usual_form_names_the_repository_as_git_does() {
        for (text, path, for_git) in [
            ("ssh://git@host/shop.git", "/shop.git", "ssh://git@host:22/shop.git"),
            ("ssh://git@host:2222/a/shop.git", "/a/shop.git", "ssh://git@host:2222/a/shop.git"),
            ("ssh://host/shop.git", "/shop.git", "ssh://git@host:22/shop.git"),
            ("git@host:shop.git", "shop.git", "git@host:shop.git"),
            ("host:a/shop.git", "a/shop.git", "git@host:a/shop.git"),
            ("me@host:/srv/shop.git", "/srv/shop.git", "ssh://me@host:22/srv/shop.git"),
            ("ssh://me@host/~me/shop.git", "~me/shop.git", "ssh://me@host:22/~me/shop.git"),
            ("me@host:~/shop.git", "~/shop.git", "me@host:~/shop.git"),
            (
                "ssh://git@host/v3/an%20organisation/shop",
                "/v3/an organisation/shop",
                "ssh://git@host:22/v3/an%20organisation/shop",
            ),
            ("ssh://git@[::1]:2222/shop.git", "/shop.git", "ssh://git@[::1]:2222/shop.git"),
        ] {
            let url = url(text);
            assert_eq!(command(&url), Ok(format!("git-upload-pack '{path}'")), "{text}");
            assert_eq!(url_for_git(&url), for_git, "{text}");
        }
        assert_eq!(command(&url("host:wow!.git")), Ok(r"git-upload-pack 'wow'\!'.git'".to_owned()));
    }

    /// As `ssh` itself understands it.
    #[test]
    fn the_host_is_checked_by_our_list_alone_and_nothing_turns_that_off() {
        let (public_half, known_hosts) = (Path::new("/a folder/key.pub"), Path::new("/a folder/known_hosts"));
        let files = Files { socket: "/a folder/agent".into(), public_half, known_hosts };
        let address = "192.0.2.7:2222".parse().expect("an address");
        let options = options(address, Duration::from_secs(5), &files).expect("they are fit");
        let output = std::process::Command::new("ssh").args(options).args(["-G", "git@host"]).output();
        let output = output.expect("install the Debian package openssh-client");
        let said = String::from_utf8_lossy(&output.stdout);
        let told = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        for (name, value) in [
            ("stricthostkeychecking", "true"),
            ("userknownhostsfile", "/a folder/known_hosts"),
            ("globalknownhostsfile", "/dev/null"),
            ("hostkeyalias", HOST_ALIAS),
            ("verifyhostkeydns", "false"),
            ("updatehostkeys", "false"),
            ("nohostauthenticationforlocalhost", "no"),
            ("hostname", "192.0.2.7"),
            ("port", "2222"),
            ("batchmode", "yes"),
            ("identitiesonly", "yes"),
            ("passwordauthentication", "no"),
            ("forwardagent", "no"),
            ("permitlocalcommand", "no"),
        ] {
            assert_eq!(told(name), Some(value), "{name}: {said}");
        }
        assert_eq!((told("proxycommand"), told("proxyjump"), told("knownhostscommand")), (None, None, None), "{said}");
    }

    #[test]
    fn a_shell_reads_back_what_was_written_for_it() {
        let options = ["-o".to_owned(), "UserKnownHostsFile=\"/a folder/known_hosts\"".to_owned(), "it's".to_owned()];
        let line = in_shell(Path::new("/usr/bin/printf"), &options).expect("UTF-8");
        let line = line.replace("'/usr/bin/printf'", "printf '%s\\n'");
        let output = std::process::Command::new("/bin/sh").args(["-c", &line]).output().expect("a shell");
        assert_eq!(String::from_utf8_lossy(&output.stdout), options.join("\n") + "\n");
    }

    #[test]
    fn a_folder_with_characters_of_sshs_own_is_refused() {
        for name in ["/a%h", "/a\"b", "/a$HOME", "/a\nb", "/a\\b"] {
            assert!(path(Path::new(name)).is_err(), "{name:?}");
        }
        assert_eq!(path(Path::new("/a folder")).ok().as_deref(), Some("\"/a folder\""));
    }
}
