//! Who takes a run over reads the ends of its stream, however long that is.

use keytrail_domain::{
    display_text::DisplayText,
    index_run::batch::{CommitBatch, CommitSet, RefBatch, RefMove},
};
use uuid::Uuid;

use super::*;
use crate::{boot, clock::Clock, config::Config};

const REPOSITORY: RepositoryId = RepositoryId(Uuid::from_u128(8));

fn refs(count: u8) -> Event {
    let moved = |number: u8| RefMove {
        name: DisplayText::clean(&format!("refs/heads/{number}")),
        from: None,
        to: Some(CommitSha([number; 20])),
        keys: Vec::new(),
    };
    Event::RefsMoved(RefBatch {
        repository: REPOSITORY,
        number: 1,
        extractor: 1,
        refs: (0..count).map(moved).collect(),
    })
}

fn batch(generation: u32) -> Event {
    Event::CommitsRecorded(CommitBatch {
        repository: REPOSITORY,
        number: 1,
        extractor: 1,
        cursor: Cursor { generation, sha: CommitSha([7; 20]) },
        walked: u64::from(generation),
        default_branch: Some("refs/heads/main".into()),
        commits: Vec::new(),
    })
}

fn set(sha: u8) -> CommitSet {
    CommitSet { repository: REPOSITORY, number: 1, commits: vec![CommitSha([sha; 20])] }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_long_stream_only_the_refs_and_what_follows_the_last_batch_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = Config::default();
    config.store.folder = folder.path().join("data");
    config.secrets.root_key_file = Some(folder.path().join("root.key"));
    let app = boot::start(&config, Clock::System).await.expect("it starts");
    let recorder = |run| Recorder::new(&app, IndexRunId(Uuid::from_u128(run)), REPOSITORY, 1, 0, None);
    for (run, batches, read) in [(1, 0, 5), (2, 1, 6), (3, 300, 6)] {
        let mut first = recorder(run);
        assert!(first.recorded().await.expect("an empty stream").commits.is_none());
        for event in [refs(3), refs(2)].into_iter().chain((1..=batches).map(batch)) {
            first.record(event).await.expect("it is recorded");
        }
        first.record(Event::CommitsSuperseded(set(1))).await.expect("it is recorded");
        first.record(Event::CommitsRestored(set(2))).await.expect("it is recorded");
        let mut second = recorder(run);
        let recorded = second.recorded().await.expect("a stream");
        let reached = recorded.commits.map(|reached| (reached.cursor.generation, reached.default_branch));
        assert_eq!(reached, (batches > 0).then(|| (batches, Some("refs/heads/main".into()))));
        assert_eq!((recorded.refs, recorded.restored), (5, vec![CommitSha([2; 20])]));
        assert_eq!((second.last, second.sequence), (first.last, first.sequence), "it goes on there");
        assert!(recorded.events_read <= read, "{} events of {batches} batches", recorded.events_read);
    }
    app.stop().await;
}
