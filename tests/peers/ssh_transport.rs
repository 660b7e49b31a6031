//! Listing and fetching over SSH from a real OpenSSH server that does what servers do on bad days, and from what is none; by
//! the git program and without it.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use keytrail::{
    git::{
        GitError, MAX_REFS, Mirror,
        remote::{AddressMode, AddressPolicy, Limits, Listed, Remote, RemoteTrouble, Trust, list_remote_refs},
        ssh::{HOST_ALIAS, Keychain, MOST_KEYS, Opening, Places, Signer, SshAccess, TrustedHost},
        transport::{FetchError, FetchLimits, FetchProgress, FetchRequest, FetchSource, GitProgram, WantedRef, fetch},
    },
    jobs::OpenKey,
    secrets::Secret,
    ssh_keys::{self, SshKey},
};
use keytrail_domain::{id::SshKeyId, index_run::FailureCode, ref_selection::RefSelection, remote_url::RemoteUrl};
use keytrail_test_support::{
    repositories::{Repository, Shape, generate},
    sshd::{Config, HostKeyKind, Sshd},
    web_server::{Ending, Scripted},
};

/// Bytes of an answer: more than a list of refs has, less than all objects.
const PART: usize = 20_000;

pub(crate) fn key(number: u8) -> SshKey {
    ssh_keys::ed25519(Secret::new(vec![number; 32]), "").expect("a key")
}

/// Keys by their ids; those of programs are read from their files.
struct Ring(HashMap<SshKeyId, Arc<OpenKey>>);

impl Keychain for Ring {
    fn open(&self, id: SshKeyId) -> Opening<'_> {
        let key = self.0.get(&id).cloned();
        Box::pin(async move { key.map(|key| key as Arc<dyn Signer>).ok_or(GitError::Cancelled) })
    }
}

fn id(number: usize) -> SshKeyId {
    SshKeyId(uuid::Uuid::from_u128(number as u128 + 1))
}

/// A repository, and where copies of it are made.
pub(crate) struct Stage {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) repository: Repository,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let shape = Shape { commits: 800, files_per_commit: 1, ..Shape::default() };
        let repository = generate(&folder.path().join("shop.git"), &shape).expect("git works");
        Self { folder, repository }
    }

    /// A server that runs this for whoever has one of the keys; what was asked for without a command.
    fn sshd(&self, keys: &[&SshKey], command: Option<&str>, lines: &[&str], host_keys: &[HostKeyKind]) -> Sshd {
        let script = self.folder.path().join("forced");
        let forced = command.map(|command| {
            std::fs::write(&script, command).expect("a file");
            format!("command=\"sh {}\" ", script.display())
        });
        let line = |key: &&SshKey| format!("{}{}", forced.as_deref().unwrap_or_default(), key.public().openssh(""));
        let config = Config {
            host_keys: host_keys.to_vec(),
            authorized: keys.iter().map(line).collect(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        };
        Sshd::start(config).expect("install the Debian package openssh-server")
    }

    fn remote(&self, sshd: &Sshd, name: &str, keys: Vec<SshKey>) -> Remote {
        let path = self.folder.path().join(name);
        let url = format!("ssh://{}@127.0.0.1:{}{}", sshd.user(), sshd.port, path.display());
        self.remote_at(&url, keys, trusted(sshd))
    }

    /// The way to a URL with these keys, whose host is who these lines of known_hosts say.
    pub(crate) fn remote_at(&self, url: &str, keys: Vec<SshKey>, lines: Vec<String>) -> Remote {
        let ids = (0..keys.len()).map(id).collect();
        let ring = keys.into_iter().enumerate().map(|(number, key)| (id(number), Arc::new(OpenKey(key)))).collect();
        let host = TrustedHost { lines, is_alarmed: false };
        let places = Arc::new(Places::new(4));
        let sockets = self.folder.path().join("ssh");
        let program = Some("/usr/bin/ssh".into());
        let ssh = SshAccess::new(program, sockets, (ids, None), Arc::new(Ring(ring)), host, places);
        let network = "127.0.0.0/8".parse().expect("a network");
        let mode = AddressMode::Listed { private: false, hosts: Vec::new(), networks: vec![network] };
        Remote {
            url: RemoteUrl::parse(url).expect("a URL").url,
            credential: None,
            trust: Trust::WebPki,
            proxy: None,
            ssh: Some(Arc::new(ssh)),
            addresses: Arc::new(AddressPolicy { mode, allow_http: false, allow_git_scheme: false }),
            limits: Limits { connect: Duration::from_secs(2), silence: Duration::from_secs(20), ..Limits::default() },
        }
    }
}

/// Who a server is, as one knows whom it was shown by another way.
pub(crate) fn trusted(sshd: &Sshd) -> Vec<String> {
    let known = sshd.known_hosts().expect("it has keys");
    known.lines().filter_map(|line| Some(format!("{HOST_ALIAS} {}", line.split_once(' ')?.1))).collect()
}

pub(crate) async fn list(remote: &Remote) -> Result<Listed, GitError> {
    list_remote_refs(remote, &RefSelection::default(), MAX_REFS).await
}

pub(crate) async fn trouble(remote: &Remote) -> RemoteTrouble {
    match list(remote).await {
        Err(GitError::Remote(error)) => error.trouble,
        other => panic!("{other:?}"),
    }
}

/// The git program that is good, and none.
pub(crate) async fn programs() -> [Option<GitProgram>; 2] {
    let folders: [PathBuf; 2] = ["/usr/local/bin/git", "/usr/bin/git"].map(Into::into);
    let program = GitProgram::find(&folders).await.filter(GitProgram::is_good);
    [Some(program.expect("these tests need a good git")), None]
}

/// Fetches all that was listed into a new copy.
pub(crate) async fn fetched(
    remote: &Remote,
    listed: &Listed,
    program: Option<&GitProgram>,
    to: &Path,
) -> Result<Mirror, GitError> {
    let mirror = Mirror::open_or_make(to).expect("a mirror");
    let wanted: Vec<_> =
        listed.refs.iter().map(|item| WantedRef { name: item.name.clone(), target: item.target }).collect();
    let request = FetchRequest {
        mirror: &mirror,
        source: FetchSource::Remote(remote),
        wanted: &wanted,
        program,
        limits: FetchLimits { free_bytes: 0, silence: remote.limits.silence, ..FetchLimits::default() },
        beside: 0,
        progress: &FetchProgress::default(),
        cancel: &AtomicBool::new(false),
    };
    fetch(&request).await.map(|_| mirror)
}

/// Lists and fetches by the git program and without it, each time into a new copy, which then lacks nothing.
pub(crate) async fn is_fetched_whole(stage: &Stage, remote: impl Fn() -> Remote, what: &str) {
    for (number, program) in programs().await.iter().enumerate() {
        let remote = remote();
        let listed = list(&remote).await.unwrap_or_else(|error| panic!("{number} {what}: {error}"));
        assert!(!listed.refs.is_empty(), "{number} {what}");
        let copy = tempfile::tempdir_in(stage.folder.path()).expect("a folder");
        let mirror = fetched(&remote, &listed, program.as_ref(), &copy.path().join("copy.git")).await;
        let mirror = mirror.unwrap_or_else(|error| panic!("{number} {what}: {error}"));
        let lacking = mirror.lacking(listed.refs.iter().map(|item| item.leads_to())).expect("a mirror");
        assert!(lacking.is_empty(), "{number} {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_in_the_middle_of_a_pack_leaves_a_fetch_that_broke_off() {
    let stage = Stage::new();
    // `head` would keep back what is shorter than its buffer.
    let command = format!("sh -c \"$SSH_ORIGINAL_COMMAND\" | dd bs=1 count={PART} status=none; kill -KILL $$\n");
    let sshd = stage.sshd(&[&key(1)], Some(&command), &[], &[HostKeyKind::Ed25519]);
    for (number, program) in programs().await.iter().enumerate() {
        let remote = stage.remote(&sshd, "shop.git", vec![key(1)]);
        let listed = list(&remote).await.expect("the list is shorter than that");
        let copy = stage.folder.path().join(format!("{number}.git"));
        let error = fetched(&remote, &listed, program.as_ref(), &copy).await.expect_err("it breaks off");
        let is_so = matches!(
            &error,
            GitError::Fetch(FetchError::BrokeOff | FetchError::CorruptPack)
                | GitError::Remote(keytrail::git::remote::RemoteError { trouble: RemoteTrouble::ConnectionLost, .. })
        );
        assert!(is_so && error.is_transient(), "{number}: {error:?}");
        let packs = std::fs::read_dir(copy.join("objects/pack")).map_or(0, Iterator::count);
        assert_eq!(packs, 0, "nothing of it is kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fetched_over_ssh_is_what_the_repository_has() {
    let stage = Stage::new();
    stage.repository.git(&["config", "uploadpack.allowFilter", "true"]).expect("git works");
    for lines in [&[][..], &["AcceptEnv GIT_PROTOCOL"][..]] {
        let sshd = stage.sshd(&[&key(1)], None, lines, &[HostKeyKind::Ed25519]);
        is_fetched_whole(&stage, || stage.remote(&sshd, "shop.git", vec![key(1)]), &format!("{lines:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_accepts_and_never_answers_is_silent_and_what_is_no_server_of_ssh_is_none() {
    let stage = Stage::new();
    let line = format!("{HOST_ALIAS} {}", key(9).public().openssh(""));
    let at = |server: &Scripted| {
        stage.remote_at(&format!("ssh://git@{}/shop.git", server.address()), vec![key(1)], vec![line.clone()])
    };
    let silent = Scripted::unasked(b"", Ending::Stays);
    assert_eq!(trouble(&at(&silent)).await, RemoteTrouble::Silent);
    let closes = Scripted::unasked(b"", Ending::Closes);
    assert_eq!(trouble(&at(&closes)).await, RemoteTrouble::ConnectionLost);
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a port");
    let nobody = stage.remote_at(&format!("ssh://git@{closed}/shop.git"), vec![key(1)], vec![line.clone()]);
    assert_eq!(trouble(&nobody).await, RemoteTrouble::ConnectionRefused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lets_us_in_and_then_says_nothing_is_silent_also_in_the_middle() {
    // It goes when we do.
    const WAITS: &str = "cat >/dev/null\n";
    let stage = Stage::new();
    let after = |bytes: usize| {
        let command = format!("sh -c \"$SSH_ORIGINAL_COMMAND\" | dd bs=1 count={bytes} status=none; {WAITS}");
        stage.sshd(&[&key(1)], Some(&command), &[], &[HostKeyKind::Ed25519])
    };
    let impatient = |sshd: &Sshd, seconds: u64| {
        let mut remote = stage.remote(sshd, "shop.git", vec![key(1)]);
        remote.limits.silence = Duration::from_secs(seconds);
        remote
    };
    let mute = stage.sshd(&[&key(1)], Some(WAITS), &[], &[HostKeyKind::Ed25519]);
    assert_eq!(trouble(&impatient(&mute, 5)).await, RemoteTrouble::Silent);
    assert!(mute.log().contains("Accepted publickey"), "{}", mute.log());
    let in_the_list = after(100);
    assert_eq!(trouble(&impatient(&in_the_list, 2)).await, RemoteTrouble::Silent);
    let in_the_pack = after(PART);
    for (number, program) in programs().await.iter().enumerate() {
        let listed = list(&impatient(&in_the_pack, 20)).await.expect("the list is shorter than that");
        let copy = stage.folder.path().join(format!("{number}.git"));
        match fetched(&impatient(&in_the_pack, 2), &listed, program.as_ref(), &copy).await {
            Err(GitError::Remote(error)) => assert_eq!(error.trouble, RemoteTrouble::Silent, "{number}"),
            other => panic!("{number}: {:?}", other.map(|_| "it was fetched")),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_nothing_but_sha_1_is_explained_in_our_words() {
    let stage = Stage::new();
    let sshd = stage.sshd(&[&key(1)], None, &["HostKeyAlgorithms ssh-rsa"], &[HostKeyKind::Rsa]);
    let remote = stage.remote(&sshd, "shop.git", vec![key(1)]);
    assert_eq!(trouble(&remote).await, RemoteTrouble::SshAlgorithms);
    let error = list(&remote).await.expect_err("it is refused").to_string();
    assert!(error.contains("SHA-1") && error.contains("https://") && !error.contains("negotiate"), "{error}");
    // One that is known by a key of today and wants such signatures from us refuses keys of RSA without a word.
    let (_, rsa) = every_kind(&stage).swap_remove(0);
    let wants = stage.sshd(&[&rsa()], None, &["PubkeyAcceptedAlgorithms ssh-rsa"], &[HostKeyKind::Ed25519]);
    let remote = stage.remote(&wants, "shop.git", vec![rsa()]);
    assert_eq!(trouble(&remote).await, RemoteTrouble::SshAuthFailed);
    let error = list(&remote).await.expect_err("it is refused").to_string();
    assert!(error.contains("SHA-1") && error.contains("Ed25519"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_keys_are_offered_one_a_connection_and_never_more_than_the_bound() {
    let stage = Stage::new();
    // A server that cuts whoever offers a second key in one connection.
    let last = u8::try_from(MOST_KEYS).expect("a few");
    let sshd = stage.sshd(&[&key(last)], None, &["MaxAuthTries 2"], &[HostKeyKind::Ed25519]);
    let remote = stage.remote(&sshd, "shop.git", (1..=last).map(key).collect());
    list(&remote).await.expect("the last one is taken");
    let told = remote.ssh.as_ref().and_then(|ssh| ssh.told()).expect("keys were offered");
    assert_eq!((told.offered.len(), told.accepted), (MOST_KEYS, Some(id(MOST_KEYS - 1))));
    let remote =
        stage.remote(&sshd, "shop.git", (1..=last).rev().chain([200, 201]).map(|n| key(n.wrapping_add(20))).collect());
    assert_eq!(trouble(&remote).await, RemoteTrouble::SshAuthFailed);
    let told = remote.ssh.as_ref().and_then(|ssh| ssh.told()).expect("keys were offered");
    assert_eq!((told.offered.len(), told.accepted), (MOST_KEYS, None));
}

/// A key of each kind as ssh-keygen makes it, read as often as one likes, with its name.
pub(crate) fn every_kind(stage: &Stage) -> Vec<(String, impl Fn() -> SshKey)> {
    let kinds = [("rsa", "2048"), ("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521")];
    let made = |(kind, bits): (&str, &str)| {
        let name = format!("{kind}_{bits}");
        let file = stage.folder.path().join(&name);
        let made = std::process::Command::new("ssh-keygen")
            .args(["-q", "-t", kind, "-b", bits, "-N", "", "-f"])
            .arg(&file)
            .status();
        assert!(made.expect("install the Debian package openssh-client").success());
        (name, move || ssh_keys::read(&std::fs::read(&file).expect("a file"), None).expect("a key"))
    };
    kinds.into_iter().map(made).collect()
}

/// At a server that takes no SHA-1.
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_key_lets_us_in() {
    let stage = Stage::new();
    for (name, read) in every_kind(&stage) {
        let sshd = stage.sshd(&[&read()], None, &[], &[HostKeyKind::Ecdsa]);
        let listed = list(&stage.remote(&sshd, "shop.git", vec![read()])).await;
        assert!(listed.is_ok_and(|listed| !listed.refs.is_empty()), "{name}: {}", sshd.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_repository_and_a_missing_git_are_told_apart() {
    let stage = Stage::new();
    let sshd = stage.sshd(&[&key(1)], None, &[], &[HostKeyKind::Ed25519]);
    assert_eq!(trouble(&stage.remote(&sshd, "absent.git", vec![key(1)])).await, RemoteTrouble::NotFound);
    // As a host without git says it, and as gitolite refuses.
    let without = stage.sshd(&[&key(1)], Some("exit 127\n"), &[], &[HostKeyKind::Ed25519]);
    assert_eq!(trouble(&stage.remote(&without, "shop.git", vec![key(1)])).await, RemoteTrouble::NotGit);
    let denied = "echo 'FATAL: R any shop DENIED by fallthru' >&2; exit 1\n";
    let denies = stage.sshd(&[&key(1)], Some(denied), &[], &[HostKeyKind::Ed25519]);
    let error = list(&stage.remote(&denies, "shop.git", vec![key(1)])).await.expect_err("it is refused");
    assert!(!error.to_string().contains("fallthru"), "nothing of what it says is shown: {error}");
    assert_eq!(trouble(&stage.remote(&denies, "shop.git", vec![key(1)])).await, RemoteTrouble::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_host_key_is_offered_nothing_by_either_way() {
    let stage = Stage::new();
    let mut sshd = stage.sshd(&[&key(1)], None, &[], &[HostKeyKind::Ed25519, HostKeyKind::Rsa]);
    let remotes = [(), ()].map(|()| stage.remote(&sshd, "shop.git", vec![key(1)]));
    let listed = list(&remotes[0]).await.expect("a list");
    sshd.replace_host_key(HostKeyKind::Ed25519).expect("it starts again");
    let logins = || sshd.log().matches("Accepted publickey").count();
    let before = logins();
    is_offered_nothing(&stage, &remotes, &listed).await;
    assert_eq!(logins(), before);
}

/// Neither a list nor a fetch, by the git program and without it, gets past a host that shows another key.
pub(crate) async fn is_offered_nothing(stage: &Stage, remotes: &[Remote; 2], listed: &Listed) {
    for (number, (remote, program)) in remotes.iter().zip(programs().await).enumerate() {
        assert_eq!(trouble(remote).await.failure_code(), FailureCode::HostKeyChanged);
        let copy = stage.folder.path().join(format!("{number}.git"));
        match fetched(remote, listed, program.as_ref(), &copy).await {
            Err(GitError::Remote(error)) => {
                assert!(matches!(error.trouble, RemoteTrouble::HostKeyDiffers(_)), "{number}: {error}");
            }
            other => panic!("{number}: {:?}", other.map(|_| "it was fetched")),
        }
    }
}
