//! How far a key of SSH is with taking the place of another: an operation that is nothing but events in the stream of the old
//! key, and a job. Called by `operations`.

use keytrail_domain::{
    fact::Fact,
    id::SshKeyId,
    index_run::FailureCode,
    metadata::{Actor, Metadata},
    recorded::{Position, Recorded, StreamId},
    ssh_key::{Event, NotTaken},
};
use uuid::Uuid;

use super::{App, Operation, OperationId, OperationProgress, OperationState, OperationTrouble, operation::word};
use crate::{jobs::Kind, log::FeedError, store::StoreError};

/// So many repositories are named; the others are counted.
const TOLD: usize = 20;
const GIVEN_UP: &str = "the server made an error again and again while it tried the new key; its log has more, and nothing was \
                        changed: ask for it again";

impl From<FeedError> for OperationTrouble {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Store(error) => Self::Store(error),
            other => Self::Store(StoreError::Corrupt(other.to_string())),
        }
    }
}

impl App {
    /// How it stands; `None` when nobody asked for it.
    pub(super) async fn operation_of_rotation(
        &self,
        key: SshKeyId,
        asked: Position,
    ) -> Result<Option<Operation>, OperationTrouble> {
        let events = self.log.stream(StreamId::new("ssh_key", key.0), Position::MAX).await?;
        let mut events = events.iter().skip_while(|event| event.position < asked);
        let Some(begun) = events.next().filter(|event| event.position == asked && is_begun(event)) else {
            return Ok(None);
        };
        let id = OperationId::RotateSshKey(key, asked);
        let mut is_decided = false;
        let end = events.find_map(|event| match &event.fact {
            Fact::SshKey(Event::RotationAccepted { .. }) => {
                is_decided = true;
                None
            }
            Fact::SshKey(end) if end.ends_a_rotation() => Some((&event.metadata, end)),
            _ => None,
        });
        let mut found = Operation {
            asked_at: Some(begun.metadata.at),
            ended_at: end.map(|(metadata, _)| metadata.at),
            is_decided,
            ..Operation::new(id, OperationState::Waiting)
        };
        match end {
            Some((_, Event::Rotated { .. })) => found.state = OperationState::Succeeded,
            Some((_, Event::RotationRefused { not_taken, others, .. })) => {
                found.state = OperationState::Failed;
                found.problem = Some(("ssh_key_not_taken".to_owned(), why(not_taken, *others)));
            }
            // The server stops one only where it cannot go on.
            Some((Metadata { actor: Actor::Server { .. }, .. }, Event::RotationCancelled {})) => {
                found.state = OperationState::Failed;
                found.problem = Some((word(FailureCode::Internal).unwrap_or_default(), GIVEN_UP.to_owned()));
            }
            Some(_) => found.state = OperationState::Cancelled,
            None => self.under_way(&mut found, key).await?,
        }
        Ok(Some(found))
    }

    async fn under_way(&self, found: &mut Operation, key: SshKeyId) -> Result<(), StoreError> {
        let Some(job) = self.jobs.standing(Kind::RotateSshKey, &key.to_string()).await? else { return Ok(()) };
        found.problem = job.last_error.map(|text| (String::new(), text));
        if job.is_running && found.is_decided {
            found.state = OperationState::Running;
            let (phase, unit) = ("switching".to_owned(), "repositories");
            found.progress = Some(OperationProgress { phase, done: 0, total: 0, unit, eta_seconds: None });
        } else if job.is_running {
            found.state = OperationState::Running;
            let text = self.jobs.progress(Kind::RotateSshKey, &key.to_string()).await?;
            // What a worker of another version wrote may have another shape: then nothing is known.
            let now = text.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
            found.progress = now.map(|now| OperationProgress {
                phase: "trying".to_owned(),
                done: now["done"].as_u64().unwrap_or_default(),
                total: now["total"].as_u64().unwrap_or_default(),
                unit: "repositories",
                eta_seconds: None,
            });
        }
        Ok(())
    }

    /// Those that have not ended.
    pub(super) async fn rotations_under_way(&self, most: u32) -> Result<Vec<Operation>, OperationTrouble> {
        let mut found = Vec::new();
        for job in self.jobs.standings(Kind::RotateSshKey, Uuid::max(), most).await? {
            let Ok(key) = job.key.parse() else { continue };
            found.extend(self.operation_of_rotation(key, job.caused_by).await?);
        }
        found.retain(|operation| !operation.state.has_ended());
        Ok(found)
    }
}

fn is_begun(event: &Recorded<Fact>) -> bool {
    matches!(event.fact, Fact::SshKey(Event::RotationBegun { .. }))
}

/// Each repository with why, and what to do.
fn why(not_taken: &[NotTaken], others: u64) -> String {
    if not_taken.is_empty() {
        return "the new key was retired or is being replaced; nothing was changed: ask again with another one"
            .to_owned();
    }
    let mut told: Vec<_> = not_taken
        .iter()
        .take(TOLD)
        .map(|one| format!("{} ({}: {})", one.name, word(one.code).unwrap_or_default(), one.text))
        .collect();
    let others = others + not_taken.len().saturating_sub(TOLD) as u64;
    told.extend((others > 0).then(|| format!("{others} more")));
    format!(
        "the new key does not read {}; nothing was changed: give its public half to the git host wherever that of the old one \
         is, and mend what else is said here; then ask for it again",
        told.join(", ")
    )
}
