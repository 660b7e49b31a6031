//! A rotation of a key whose job panics again and again, or whose time is over.

use std::sync::atomic::AtomicI64;

use keytrail_domain::{
    fact::Fact,
    git_remote::GitRemote,
    id::SshKeyId,
    recorded::Position,
    remote_url::RemoteUrl,
    ssh_key::{self, Algorithm, Format, PublicKey, Rotation, SshKey, SshKeyName},
};

use super::*;
use crate::app::{OperationId, OperationState};

async fn wish(app: &App, key: SshKeyId, command: ssh_key::Command) -> i64 {
    app.dispatch::<SshKey>(key.0, command, Context::server("case", 0), Vec::new()).await.expect("it is done").last
}

async fn key(app: &App, n: u8) -> SshKeyId {
    let id = SshKeyId(ids::new_id());
    let public = PublicKey {
        algorithm: Algorithm::Ed25519,
        bits: 256,
        comment: DisplayText::clean("case"),
        sha256: format!("SHA256:{n}"),
        md5: format!("MD5:{n}"),
        blob: format!("AAAA{n}"),
    };
    let name = SshKeyName::parse(&format!("key {n}")).expect("a name");
    let path = DisplayText::clean("/keys/id");
    wish(app, id, ssh_key::Command::Register { name, public, format: Format::OpenSsh, common: false, path }).await;
    id
}

async fn rotation(stage: &Stage, key: SshKeyId) -> Option<Rotation> {
    let (state, _) = stage.app.load::<SshKey>(StreamId::new("ssh_key", key.0)).await.expect("it can be read");
    let SshKey::Active { rotation, .. } = state else { panic!("it was retired") };
    rotation
}

/// Has the job panic until nobody tries it any more.
async fn panics_each_time(stage: &Stage, key: SshKeyId) {
    let job = NewJob {
        kind: Kind::RotateSshKey,
        key: key.to_string(),
        repository: None,
        integration: None,
        caused_by: 0,
        is_urgent: false,
    };
    let (db, now) = (&stage.app.db, stage.app.clock.now());
    db.write(Area::Log, vec![job.enqueue(db, now)]).await.expect("it is enqueued");
    for _ in 1..=MOST_TRIES {
        let job = stage.again().await;
        let panicked = tokio::spawn(async { panic!("a defect") }).await.expect_err("it panicked");
        runner::end(&stage.app, &job, Err(panicked.into())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_panics_each_time_ends_and_another_may_begin() {
    let stage = Stage::set().await;
    stage.stand_still().await;
    let (old, new) = (key(&stage.app, 1).await, key(&stage.app, 2).await);
    let asked = wish(&stage.app, old, ssh_key::Command::Rotate { to: new }).await;
    panics_each_time(&stage, old).await;
    assert_eq!(rotation(&stage, old).await, None);
    assert_eq!(stage.rows("SELECT * FROM jobs").await, Vec::<Row>::new());
    let told =
        stage.app.operation(&OperationId::RotateSshKey(old, asked)).await.expect("a read").expect("it was asked");
    let (code, text) = told.problem.expect("why");
    assert_eq!((told.state, code.as_str()), (OperationState::Failed, "internal"));
    assert!(text.contains("ask for it again"), "{text}");
    wish(&stage.app, old, ssh_key::Command::Rotate { to: new }).await;
    assert_eq!(rotation(&stage, old).await, Some(Rotation { to: new, accepted: false }));
    stage.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_was_accepted_is_tried_on_however_often_it_panics() {
    let stage = Stage::set().await;
    stage.stand_still().await;
    let (old, new) = (key(&stage.app, 1).await, key(&stage.app, 2).await);
    wish(&stage.app, old, ssh_key::Command::Rotate { to: new }).await;
    wish(&stage.app, old, ssh_key::Command::AcceptRotation { to: new }).await;
    panics_each_time(&stage, old).await;
    assert_eq!(rotation(&stage, old).await, Some(Rotation { to: new, accepted: true }));
    assert_eq!(stage.rows("SELECT state FROM jobs").await, [[Value::from("waiting")]]);
    stage.app.stop().await;
}

/// Repositories of an integration for which this key was chosen, in their order.
async fn read_with(app: &App, chosen: SshKeyId, count: usize) -> Vec<RepositoryId> {
    let at = |number: usize| {
        let url = RemoteUrl::parse(&format!("ssh://git.example.org/{number}.git")).expect("a URL").url;
        Connection::Git(GitRemote { ssh_key: Some(chosen), ..GitRemote::at(url) }.into())
    };
    let integration = IntegrationId(ids::new_id());
    let name = IntegrationName::parse("shop").expect("a name");
    let command = integration::Command::Add { name, connection: at(0), web_links: None };
    let context = || Context::server("case", 0);
    app.dispatch::<Integration>(integration.0, command, context(), Vec::new()).await.expect("it is added");
    let mut found = Vec::new();
    for number in 0..count {
        let (name, location) = (DisplayText::clean("a repository"), at(number));
        let id = RepositoryId::of(integration, &location.natural_key());
        let command = repository::Command::Discover { integration, name, location };
        app.dispatch::<Discovered>(id.0, command, context(), Vec::new()).await.expect("it is said");
        found.push(id);
    }
    found.sort_unstable();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn of_more_that_did_not_answer_than_are_named_only_those_are_counted_that_the_old_key_reads() {
    const NAMED: usize = ssh_key::NotTaken::MOST;
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = Config::default();
    config.store.folder = folder.path().join("data");
    config.secrets.root_key_file = Some(folder.path().join("root.key"));
    let now = Arc::new(AtomicI64::new(1_800_000_000_000_000));
    let app = boot::start(&config, Clock::Fixed(now.clone())).await.expect("it starts");
    app.jobs.set_outdated();
    let (old, new, another) = (key(&app, 1).await, key(&app, 2).await, key(&app, 3).await);
    let all = read_with(&app, old, NAMED + 10).await;
    let elsewhere = all[NAMED + 6..].iter().copied().collect();
    wish(&app, another, ssh_key::Command::Associate { repositories: elsewhere }).await;
    let asked = wish(&app, old, ssh_key::Command::Rotate { to: new }).await;
    now.fetch_add(30 * 60 * 1_000_000, Ordering::Relaxed);
    let job = TakenJob { kind: Kind::RotateSshKey, key: old.to_string(), caused_by: asked, attempts: 1, epoch: 0 };
    let running = Running { cancel: AtomicBool::new(false), progress: Mutex::default() };
    rotate_ssh_key::rotate_ssh_key(&app, &job, &running).await.expect("it is refused");
    let events = app.log.stream(StreamId::new("ssh_key", old.0), Position::MAX).await.expect("a read");
    let told = events.iter().find_map(|event| match &event.fact {
        Fact::SshKey(ssh_key::Event::RotationRefused { not_taken, others, .. }) => Some((not_taken.len(), *others)),
        _ => None,
    });
    assert_eq!(told, Some((NAMED, 6)));
    app.stop().await;
}
