//! What happens next when looking at a repository fails: what the server does by itself, and what a person can do. Called
//! where a repository is shown. The sentence of the trouble says what happened; this says how it ends.

use keytrail_domain::index_run::FailureCode as Code;

/// What a person can do about a connection that was only tried out: what the server does by itself, which the first sentence
/// says, it does of repositories.
pub(super) fn by_a_person(code: Code) -> &'static str {
    let next = remedy(code);
    match next.split_once(". ") {
        Some((by_itself, rest)) if by_itself.starts_with("The server ") => rest,
        _ => next,
    }
}

/// One or two sentences. Exhaustive, so that no code is without a way out.
pub(super) const fn remedy(code: Code) -> &'static str {
    match code {
        Code::NotARepository => {
            "The server looks again by itself. Put the repository back where it was, or remove the integration."
        }
        Code::Denied => {
            "The server looks again by itself. Let the server's user read the repository, or run the server as its owner."
        }
        Code::OutsideRoots => {
            "The server looks again by itself. Move what the part leads to below an approved folder, take the part away, or \
             index a full clone."
        }
        Code::Sha256Unsupported => {
            "Only repositories with SHA-1 object names can be indexed yet. Remove the integration, or convert the repository."
        }
        Code::Shallow => "The server looks again by itself. Complete the clone with `git fetch --unshallow`.",
        Code::CorruptObject => {
            "The server looks again by itself. Check the repository with `git fsck` and repair it from a good clone."
        }
        Code::MissingObject => {
            "The server looks again by itself. Check the repository with `git fsck`, and fetch what is missing from a good \
             clone. If it has grafts (`info/grafts`), its server leaves commits out: remove them."
        }
        Code::TooManyRefs => "The server looks again by itself. Delete branches and tags that nobody needs.",
        Code::GitMissing => {
            "The server goes on once it was started again with git. Install a version without known weaknesses (`keytrail doctor` lists them), or name it as `program` in [git]."
        }
        Code::GitTooOld => {
            "The server goes on once it was started again with a good git. Install a version without known weaknesses (`keytrail doctor` lists them), or name one as `program` in [git]; `program_trusted` there vouches for one that its distribution mended."
        }
        Code::MirrorNeedsGit => {
            "The server goes on once it was started again with git. Install git again, or have the index reset."
        }
        Code::MirrorUnusable => {
            "The server does not go on by itself. Reset the index of the repository: its mirror is then made anew."
        }
        Code::MirrorBusy => {
            "The server tries again by itself. Nothing to do, unless another server uses the same data folder."
        }
        Code::DiskFloor => {
            "The server tries again by itself. Make room on the disk of the data folder, or lower `free_bytes` in [git]."
        }
        Code::QuotaExceeded => {
            "What was indexed is served on. The server tries again when branches move, when less is kept of the repository, after a restart, or when somebody asks for it. Raise `quota_bytes` in [git], or leave refs out and reset the index, which makes the copy anew."
        }
        Code::CorruptPack => {
            "The server tries again by itself. When it stays, check the repository on its server with `git fsck`."
        }
        Code::PackNeedsMemory => {
            "What was indexed is served on. The server tries again when branches move, after a restart, or when somebody asks for it. Raise `memory_bytes` in [git] if the repository is meant to be like that."
        }
        Code::FetchBrokeOff => "The server tries again by itself. When it stays, look into the git server's own log.",
        Code::RefsMoved => "The server tries again by itself. Nothing to do.",
        Code::FetchRefused => {
            "The server tries again by itself. When it stays, look into the git server's own log for the reason."
        }
        Code::RepositoryForgotten => "Nothing looks at it any more. Add an integration that sees it.",
        Code::CredentialUnreadable => {
            "The server looks again by itself. Change the connection and give the credential again; if many are concerned, restore the vault's tables from a backup."
        }
        Code::InstallationHeld => {
            "The server goes on by itself once the app may read again. Look at the status of the app: who suspended it can let it run again."
        }
        Code::FolderAbsent => {
            "The server looks again by itself, and forgets no repository meanwhile. Mount the share that the folder is on, or correct the integration's path."
        }
        Code::FileSystemSilent => {
            "The server tries again by itself, and goes on when the file system answers. Look at its disk, or at the server of the share and the way to it; what was indexed is served on."
        }
        Code::HostUnknown => {
            "The server tries again by itself. Check the name in the URL, and the resolver of the server's machine."
        }
        Code::ConnectionRefused => {
            "The server tries again by itself. Check the port in the URL, and that the git server runs."
        }
        Code::Unreachable => {
            "The server tries again by itself. Check the network and the firewall of the server's machine."
        }
        Code::ConnectionLost => {
            "The server tries again by itself. When it stays, look for a proxy or firewall that ends long connections."
        }
        Code::TlsUntrusted => {
            "The server looks again by itself. Give the certificate of the git server's authority as `trust`, or pin its key."
        }
        Code::TlsExpired => {
            "The server looks again by itself. Renew the git server's certificate, or correct the clock of the server's machine."
        }
        Code::TlsWrongHost => {
            "The server looks again by itself. Change the connection to the name that the certificate was made for."
        }
        Code::TlsPinMismatch => {
            "The server looks again by itself. Find out why the key changed, and pin the new one only if that is right."
        }
        Code::TlsFailed => {
            "The server looks again by itself. Let the git server speak TLS 1.2 or 1.3, and check the certificate given as `trust`."
        }
        Code::HostKeyUnknown => {
            "The server looks again by itself. Scan the keys of the host, compare their fingerprints with those that its administrator publishes, and trust them; or import a known_hosts file."
        }
        Code::HostKeyChanged => {
            "Nothing is sent to the host until a person decides. Ask its administrator whether the key was changed, compare both fingerprints, and accept or refuse the new key."
        }
        Code::SshAuthFailed => {
            "The server looks again by itself. Give the public half of a key to the git host, as a deploy key or to an account that may read; check the user in the URL, or choose another key for the connection."
        }
        Code::SshNoKey => {
            "The server looks again by itself. Generate or add a key, or choose another one for the connection or the repository; no other key is offered in the place of a chosen or associated one that was retired."
        }
        Code::SshKeyNotOnThisNode => {
            "The server looks again by itself. Put the file with the key back into the folder `folder` in [ssh_keys], readable for the server's user and without a passphrase, on every node; or add the key to the server, or choose another one. No other key is offered in its place."
        }
        Code::SshAlgorithms => {
            "The server looks again by itself. Update the SSH server of the git host, or change the connection to the https:// address of the repository."
        }
        Code::SshProgramMissing => {
            "The server goes on once it was started again with ssh. Install OpenSSH's client, or name it as `program` in [ssh]; give the server's user a name in /etc/passwd if it has none, as ssh runs for no other; or change the connection to the https:// address of the repository."
        }
        Code::Unauthorized => {
            "The server looks again by itself. Change the connection and give a credential that the git server accepts."
        }
        Code::Forbidden => {
            "The server looks again by itself. Grant the credential's owner the right to read the repository."
        }
        Code::RemoteNotFound => {
            "The server looks again by itself. Check the path in the URL, and what the credential may see."
        }
        Code::RateLimited => {
            "The server waits as long as the git server asked, and tries again. Nothing to do; a credential often raises the limit."
        }
        Code::RemoteError => "The server tries again by itself. Look into the git server's own log.",
        Code::NotGit => {
            "The server looks again by itself. Check the URL; where people sign in on a page, give a credential."
        }
        Code::DumbServer => {
            "The server looks again by itself. Have git's smart HTTP (`git http-backend`) switched on at the git server."
        }
        Code::RemoteSilent => {
            "The server tries again by itself. Check whether the git server is overloaded, or a firewall swallows packets."
        }
        Code::RemoteSlow => {
            "The server looks again by itself. Check the way to the git server, or raise `listing_seconds` in [git]."
        }
        Code::AddressDenied => {
            "The server looks again by itself. List the host in `hosts` or its network in `networks` in [git], if it may be reached."
        }
        Code::RedirectedAway => {
            "The server looks again by itself. Change the connection to the address that the git server redirects to."
        }
        Code::UrlNotAllowed => {
            "The server looks again once it was started with the scheme switched on. Change the connection to an https:// address."
        }
        Code::Protocol => {
            "The server looks again by itself. Check what answers at the URL: it does not speak git as it should."
        }
        Code::ProxyFailed => {
            "The server tries again by itself. Check the proxy's address and credential, and what it lets through."
        }
        Code::AnswerTooLarge => "The server looks again by itself. Delete branches and tags that nobody needs.",
        Code::Internal => "The server tries again by itself. When it stays, look into the server's log for the reason.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_on_the_page_of_errors() {
        let page = include_str!("../../docs/errors.md");
        let (_, section) = page.split_once("## Codes of runs and repositories\n").expect("the page has this part");
        // Who reads an unknown word is told the known ones.
        let unknown = serde_json::from_str::<Code>("\"unknown\"").expect_err("no code").to_string();
        let mut known: Vec<&str> = unknown.split('`').skip(1).step_by(2).filter(|word| *word != "unknown").collect();
        let in_backticks = section.split_once("- The repository").expect("a list").1.split('`').skip(1).step_by(2);
        let mut told: Vec<&str> = in_backticks.collect();
        known.sort_unstable();
        told.sort_unstable();
        assert!(known.len() > 40);
        assert_eq!(told, known);
    }
}
