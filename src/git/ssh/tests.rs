//! The agent as the programs of OpenSSH see it, and as somebody does who has no business with it; and a session against a
//! real server, with what of it is on the disk meanwhile.

use std::{
    collections::HashMap,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use keytrail_domain::{id::SshKeyId, ref_selection::RefSelection, remote_url::RemoteUrl};
use keytrail_test_support::sshd::{Config, Sshd};
use rustix::process::{Pid, getpgid};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    process::Command,
};
use uuid::Uuid;

use super::{Knocking, Opening, Places, Session, Signer, SshAccess, TrustedHost, agent::Agent};
use crate::{
    git::{
        GitError,
        remote::{AddressMode, AddressPolicy, Limits, Remote, RemoteTrouble, Trust, list_remote_refs},
    },
    jobs::OpenKey,
    secrets::Secret,
    ssh_keys::{self, Fresh, SshKey, Target},
};

pub(crate) fn key(number: u8) -> SshKey {
    ssh_keys::ed25519(Secret::new(vec![number; 32]), "").expect("a key")
}

fn agent(folder: &Path) -> Agent {
    Agent::start(folder, Arc::new(OpenKey(key(1))), "git").expect("an agent")
}

/// Runs a program with this agent in a group of processes of its own, which the agent is told to answer or not.
async fn run(agent: &Agent, is_of_it: bool, words: &[&str]) -> (bool, String) {
    let child = Command::new(words[0])
        .args(&words[1..])
        .env("SSH_AUTH_SOCK", agent.socket())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("install the Debian package openssh-client");
    let own = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    agent.group().send_replace(if is_of_it { own } else { getpgid(None).ok() });
    let output = child.wait_with_output().await.expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test]
async fn ssh_add_lists_the_one_key_and_can_do_nothing_else_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let agent = agent(folder.path());
    let (done, said) = run(&agent, true, &["ssh-add", "-l"]).await;
    assert!(done && said.contains(&key(1).public().sha256()) && said.lines().count() == 1, "{said}");
    let public = folder.path().join("key.pub");
    std::fs::write(&public, key(1).public().openssh("") + "\n").expect("a file");
    let public = public.to_str().expect("UTF-8");
    for words in [["ssh-add", "-T", public], ["ssh-add", "-d", public]] {
        let (done, said) = run(&agent, true, &words).await;
        assert!(!done, "{words:?}: {said}");
    }
    let (done, said) = run(&agent, true, &["ssh-add", "-D"]).await;
    assert!(!done, "{said}");
    assert!(agent.has_refused() && !agent.has_signed(), "it signs logins only");
}

#[tokio::test]
async fn a_process_of_another_group_is_told_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let agent = agent(folder.path());
    let (done, said) = run(&agent, false, &["ssh-add", "-l"]).await;
    assert!(!done && !said.contains("SHA256:"), "{said}");
    assert!(agent.has_refused());
}

/// What it answers, as the process of the tests itself, which it takes for its own here.
async fn asked(agent: &Agent, message: &[u8]) -> Vec<u8> {
    agent.group().send_replace(getpgid(None).ok());
    let mut stream = UnixStream::connect(agent.socket()).await.expect("it listens");
    let length = u32::try_from(message.len()).expect("it is short");
    stream.write_all(&[&length.to_be_bytes()[..], message].concat()).await.expect("it reads");
    let mut answer = vec![0; stream.read_u32().await.expect("an answer") as usize];
    stream.read_exact(&mut answer).await.expect("all of it");
    answer
}

#[tokio::test]
async fn whatever_is_neither_a_list_nor_a_login_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let agent = agent(folder.path());
    const FAILURE: &[u8] = &[5];
    let string = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
    let sign = |key: &[u8], message: &[u8]| [vec![13], string(key), string(message), vec![0; 4]].concat();
    let own = key(1).public().blob().to_vec();
    let requests = [
        // Keys of the first version, added, removed, locked, of a token, an extension, an unknown one.
        vec![1],
        [vec![17], string(b"ssh-ed25519")].concat(),
        [vec![18], string(&own)].concat(),
        vec![19],
        [vec![22], string(b"word")].concat(),
        [vec![20], string(b"token"), string(b"pin")].concat(),
        [vec![27], string(b"session-bind@openssh.com")].concat(),
        vec![200],
        // A list with something behind it.
        vec![11, 0],
        sign(&own, b"a file"),
        sign(key(2).public().blob(), b"a file"),
        [vec![13], string(&own)].concat(),
        [vec![13], vec![0xff; 4]].concat(),
    ];
    for request in requests {
        assert_eq!(asked(&agent, &request).await, FAILURE, "{request:?}");
    }
    assert!(!agent.has_signed());
    let mut huge = UnixStream::connect(agent.socket()).await.expect("it listens");
    huge.write_all(&[0xff; 4]).await.expect("it reads");
    assert_eq!(huge.read(&mut [0; 16]).await.ok(), Some(0), "who says that more is coming than ever does is cut");
}

#[tokio::test]
async fn its_folder_is_ours_alone_and_goes_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let agent = agent(&folder.path().join("ssh"));
    let place = agent.folder().to_owned();
    for path in [place.as_path(), &folder.path().join("ssh")] {
        let mode = std::fs::metadata(path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{path:?}");
    }
    drop(agent);
    assert!(!place.exists());
}

#[tokio::test]
async fn where_the_path_is_too_long_for_a_socket_it_is_in_a_short_one_of_ours_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let agent = agent(&folder.path().join("a".repeat(100)));
    let place = agent.folder().to_owned();
    assert!(!place.starts_with(folder.path()), "{place:?}");
    let mode = std::fs::metadata(&place).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "{place:?}");
    let (done, said) = run(&agent, true, &["ssh-add", "-l"]).await;
    assert!(done, "{said}");
    drop(agent);
    assert!(!place.exists());
}

#[test]
fn rsa_signs_by_the_hash_that_is_asked_for_and_never_by_sha_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"])
        .arg(&file)
        .status();
    assert!(made.expect("install the Debian package openssh-client").success());
    let key = ssh_keys::read(&std::fs::read(&file).expect("a file"), None).expect("a key");
    let names = |flags| key.signed(b"message", flags).ok().map(|signature| signature[4..16].to_vec());
    assert_eq!(names(2).as_deref(), Some(&b"rsa-sha2-256"[..]));
    assert_eq!(names(4).as_deref(), Some(&b"rsa-sha2-512"[..]));
    assert_eq!(names(6).as_deref(), Some(&b"rsa-sha2-512"[..]));
    assert_eq!(names(0), None);
}

/// Keys by their ids.
struct Ring(HashMap<SshKeyId, u8>);

impl super::Keychain for Ring {
    fn open(&self, id: SshKeyId) -> Opening<'_> {
        let number = self.0.get(&id).copied();
        Box::pin(async move {
            let number = number.ok_or(GitError::Cancelled)?;
            Ok(Arc::new(OpenKey(key(number))) as Arc<dyn Signer>)
        })
    }
}

fn id(number: u8) -> SshKeyId {
    SshKeyId(Uuid::from_u128(number.into()))
}

/// The way to a server that is trusted, with these keys.
pub(crate) fn access(sshd: &Sshd, sockets: PathBuf, keys: &[u8]) -> SshAccess {
    let known = sshd.known_hosts().expect("it has keys");
    let line = |line: &str| format!("{} {}", super::HOST_ALIAS, line.split_once(' ').expect("a name and a key").1);
    let host = TrustedHost { lines: known.lines().map(line).collect(), is_alarmed: false };
    let ring = Ring(keys.iter().map(|number| (id(*number), *number)).collect());
    let ids = keys.iter().map(|number| id(*number)).collect();
    let (program, places) = (Some("/usr/bin/ssh".into()), Arc::new(Places::new(2)));
    SshAccess::new(program, sockets, (ids, None), Arc::new(ring), host, places)
}

/// A server with one repository, which lets the key 2 in, and the way there with these keys.
struct Stage {
    folder: tempfile::TempDir,
    sshd: Sshd,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let shape = keytrail_test_support::repositories::Shape::default();
        keytrail_test_support::repositories::generate(&folder.path().join("shop.git"), &shape).expect("a repository");
        let sshd = Sshd::start(Config { authorized: vec![key(2).public().openssh("")], ..Config::default() });
        Self { folder, sshd: sshd.expect("install the Debian package openssh-server") }
    }

    fn sockets(&self) -> PathBuf {
        self.folder.path().join("ssh")
    }

    fn remote(&self, name: &str, keys: &[u8]) -> Remote {
        let text = format!(
            "ssh://{}@127.0.0.1:{}{}",
            self.sshd.user(),
            self.sshd.port,
            self.folder.path().join(name).display()
        );
        let ssh = access(&self.sshd, self.sockets(), keys);
        let mode = AddressMode::Listed {
            private: false,
            hosts: Vec::new(),
            networks: vec!["127.0.0.0/8".parse().expect("a network")],
        };
        Remote {
            url: RemoteUrl::parse(&text).expect("a URL").url,
            credential: None,
            trust: Trust::WebPki,
            proxy: None,
            ssh: Some(Arc::new(ssh)),
            addresses: Arc::new(AddressPolicy { mode, allow_http: false, allow_git_scheme: false }),
            limits: Limits::default(),
        }
    }
}

/// All files below a folder, with what is in them.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type().expect("a type") {
            kind if kind.is_dir() => found.extend(files(&path)),
            kind if kind.is_file() => found.push((path.clone(), std::fs::read(&path).expect("a file"))),
            _ => {}
        }
    }
    found
}

#[tokio::test]
async fn one_key_after_the_other_is_offered_and_the_one_that_was_taken_comes_first_the_next_time() {
    let stage = Stage::new();
    let remote = stage.remote("shop.git", &[1, 2, 3]);
    let ssh = remote.ssh.clone().expect("it has keys");
    let listed = list_remote_refs(&remote, &RefSelection::default(), 100_000).await.expect("a list");
    assert!(!listed.refs.is_empty());
    let told = ssh.told().expect("keys were offered");
    assert_eq!((told.offered, told.accepted), (vec![id(1), id(2)], Some(id(2))));
    let logins = || stage.sshd.log().matches("Accepted publickey").count();
    assert_eq!(logins(), 1);
    let came = || stage.sshd.log().matches("Connection from").count();
    let before = came();
    list_remote_refs(&remote, &RefSelection::default(), 100_000).await.expect("a list");
    assert_eq!((logins(), came()), (2, before + 1), "one connection");
    assert!(files(&stage.sockets()).is_empty(), "nothing stays");
}

#[tokio::test]
async fn while_a_session_lasts_only_public_halves_are_on_the_disk() {
    let stage = Stage::new();
    let remote = stage.remote("shop.git", &[2]);
    let session = Session::begin(&remote, Duration::from_secs(30)).await.expect("a session");
    let private = key(2)
        .written(Target::OpenSsh, None, &Fresh { check: [1; 4], salt: [2; 16], iv: [3; 16] })
        .expect("it is written");
    let lines: Vec<&str> = private.expose().lines().filter(|line| !line.starts_with('-')).collect();
    let all = files(&stage.sockets());
    let names: Vec<_> = all.iter().filter_map(|(path, _)| path.file_name()?.to_str()).collect();
    assert!(names.len() == 2 && names.contains(&"key.pub") && names.contains(&"known_hosts"), "{names:?}");
    for (path, bytes) in &all {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains("PRIVATE") && !bytes.windows(32).any(|part| part == [2; 32]), "{path:?}");
        assert!(lines.iter().skip(2).all(|line| !text.contains(line)), "{path:?}");
    }
    drop(session);
    assert!(files(&stage.sockets()).is_empty());
}

#[tokio::test]
async fn what_stands_in_the_way_is_told_by_its_trouble_and_needs_no_connection_where_none_helps() {
    let stage = Stage::new();
    let trouble = async |remote: &Remote| match Session::begin(remote, Duration::from_secs(30)).await {
        Err(GitError::Remote(error)) => error.trouble,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it is let in"),
    };
    assert_eq!(trouble(&stage.remote("shop.git", &[1, 3])).await, RemoteTrouble::SshAuthFailed);
    assert_eq!(trouble(&stage.remote("absent.git", &[2])).await, RemoteTrouble::NotFound);
    let came = || stage.sshd.log().matches("Connection from").count();
    let before = came();
    assert_eq!(trouble(&stage.remote("shop.git", &[])).await, RemoteTrouble::SshNoKey);
    let with = |host: TrustedHost, program: Option<PathBuf>| {
        let remote = stage.remote("shop.git", &[2]);
        let ring = Arc::new(Ring(HashMap::from([(id(2), 2)])));
        let places = Arc::new(Places::new(2));
        let ssh = SshAccess::new(program, stage.sockets(), (vec![id(2)], Some(id(2))), ring, host, places);
        Remote { ssh: Some(Arc::new(ssh)), ..remote }
    };
    let known = || stage.remote("shop.git", &[2]).ssh.expect("it has keys").host.clone();
    let ssh = || Some(PathBuf::from("/usr/bin/ssh"));
    assert_eq!(trouble(&with(TrustedHost::default(), ssh())).await, RemoteTrouble::HostKeyUnknown);
    let alarmed = TrustedHost { is_alarmed: true, ..known() };
    assert_eq!(trouble(&with(alarmed, ssh())).await, RemoteTrouble::HostKeyChanged);
    assert_eq!(trouble(&with(known(), None)).await, RemoteTrouble::SshProgramMissing);
    assert_eq!(came(), before, "nobody came");
    let logged = stage.sshd.log().len();
    // Another key than the one that the host has.
    let other = format!("{} {}", super::HOST_ALIAS, key(9).public().openssh(""));
    let changed = with(TrustedHost { lines: vec![other], is_alarmed: false }, ssh());
    let RemoteTrouble::HostKeyDiffers(met) = trouble(&changed).await else { panic!("its key is another") };
    assert_eq!(changed.ssh.as_ref().and_then(|ssh| ssh.told()), None, "nor is one said to be offered or taken");
    assert_eq!((met.kind.as_str(), &met.trusted), ("ED25519", &vec![key(9).public().sha256()]));
    let shown = known().fingerprints();
    assert!(shown.contains(&met.sha256), "{met:?} {shown:?}");
    assert!(!stage.sshd.log()[logged..].contains("publickey"), "no key was offered to it");
}

/// Somebody decided something since the beginning.
struct Decided(Ring);

impl super::Keychain for Decided {
    fn open(&self, id: SshKeyId) -> Opening<'_> {
        self.0.open(id)
    }

    fn host(&self) -> super::Trusting<'_> {
        Box::pin(async { Ok(Some(TrustedHost::default())) })
    }
}

#[tokio::test]
async fn a_host_that_is_forgotten_meanwhile_is_not_come_to() {
    let stage = Stage::new();
    let remote = stage.remote("shop.git", &[2]);
    let known = remote.ssh.as_ref().expect("it has keys").host.clone();
    let ring = Arc::new(Decided(Ring(HashMap::from([(id(2), 2)]))));
    let (ssh, places) = (Some(PathBuf::from("/usr/bin/ssh")), Arc::new(Places::new(2)));
    let ssh = SshAccess::new(ssh, stage.sockets(), (vec![id(2)], None), ring, known, places);
    let remote = Remote { ssh: Some(Arc::new(ssh)), ..remote };
    let mut knocking = Knocking::at(&remote).await.expect("it was trusted at the beginning");
    let Err(GitError::Remote(error)) = knocking.door().await else { panic!("there is a door") };
    assert_eq!(error.trouble, RemoteTrouble::HostKeyUnknown);
    assert!(!stage.sshd.log().contains("Connection from"), "nobody came");
}

#[tokio::test]
async fn never_more_keys_than_the_bound_are_offered() {
    let stage = Stage::new();
    let keys: Vec<u8> = (10..30).collect();
    let remote = stage.remote("shop.git", &keys);
    assert!(Session::begin(&remote, Duration::from_secs(30)).await.is_err());
    let told = remote.ssh.as_ref().and_then(|ssh| ssh.told()).expect("keys were offered");
    assert_eq!((told.offered.len(), told.accepted), (super::MOST_KEYS, None));
}

#[tokio::test]
async fn a_host_that_is_full_is_waited_for() {
    let stage = Stage::new();
    let remote = stage.remote("shop.git", &[2]);
    let host = format!("127.0.0.1:{}", stage.sshd.port);
    let places = &remote.ssh.as_ref().expect("it has keys").places;
    let (mut one, mut two) = (Knocking::at(&remote).await.expect("a way"), Knocking::at(&remote).await.expect("a way"));
    let doors = (one.door().await.expect("a place"), two.door().await.expect("a place"));
    assert_eq!(places.open_at(&host), 2);
    let mut third = Knocking::at(&remote).await.expect("a way");
    let mut waiting = std::pin::pin!(third.door());
    assert!(futures::poll!(&mut waiting).is_pending());
    drop(doors);
    assert!(waiting.await.is_ok());
}
