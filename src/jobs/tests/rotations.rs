//! A rotation of a key whose job panics again and again.

use keytrail_domain::{
    id::SshKeyId,
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
