//! The command bus: load, decide, append; again when somebody else was faster.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use keytrail_domain::{
    aggregate::{Aggregate, Refusal, StoredEvent},
    claim::Claim,
    fact::{self, Unreadable},
    recorded::{Sequence, StreamId},
    stamped::Stamped,
};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{App, Context};
use crate::{
    ids,
    log::{Append, AppendError, Committed, Lane, NewEvent, streams::Streams},
    store::{Db, Statement, StoreError},
};

/// How often a command is decided again after somebody else was faster.
const TRIES: u32 = 5;

/// Why a command led to nothing.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// The domain refuses it.
    #[error("{text}")]
    Refused {
        /// The stable code.
        code: &'static str,
        /// In the user's words.
        text: String,
    },
    /// What the wisher saw is not what is there.
    #[error("it was changed meanwhile: it is at version {actual}, and version {expected} was asked for")]
    Stale {
        /// What the wisher saw.
        expected: Sequence,
        /// What is there.
        actual: Sequence,
    },
    /// Something may exist only once, and does already.
    #[error("another one holds {} {:?}", .0.scope.as_str(), .0.key)]
    Claimed(Claim),
    /// The idempotency key was used for another request.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// Too many commands wait, or too many change the same thing.
    #[error("the server is busy: more commands wait than it can take")]
    Busy,
    /// A newer version wrote to the stream: what this one makes of it may be wrong.
    #[error("nothing is decided on a stream that a newer version wrote to: {0}")]
    Outdated(Unreadable),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Commands of this node on one aggregate wait for each other instead of colliding.
pub(super) struct Gates(Vec<Mutex<()>>);

impl Default for Gates {
    fn default() -> Self {
        Self((0..256).map(|_| Mutex::default()).collect())
    }
}

impl Gates {
    fn of(&self, stream: StreamId) -> &Mutex<()> {
        let mut hasher = DefaultHasher::new();
        stream.hash(&mut hasher);
        &self.0[hasher.finish() as usize % self.0.len()]
    }
}

impl App {
    /// Carries a command out. `companions` become durable with its events, if there are any.
    pub async fn dispatch<A>(
        &self,
        id: Uuid,
        command: <A as Aggregate>::Command,
        context: Context,
        companions: Vec<Statement>,
    ) -> Result<Committed, DispatchError>
    where
        A: Aggregate + cqrs_es::Aggregate,
    {
        let refused = match self.try_dispatch::<A>(id, command, &context, companions).await {
            Ok(committed) => return Ok(committed),
            Err(refused) => refused,
        };
        // A request that was carried out before gets the same answer, also when it would be refused now.
        match &context.idempotency {
            Some(request) => match self.log.remembered(request).await? {
                Some(Ok(committed)) => Ok(committed),
                Some(Err(_)) => Err(DispatchError::KeyReused),
                None => Err(refused),
            },
            None => Err(refused),
        }
    }

    async fn try_dispatch<A>(
        &self,
        id: Uuid,
        command: <A as Aggregate>::Command,
        context: &Context,
        companions: Vec<Statement>,
    ) -> Result<Committed, DispatchError>
    where
        A: Aggregate + cqrs_es::Aggregate,
    {
        let stream = StreamId::new(<A as Aggregate>::TYPE, id);
        let _gate = self.gates.of(stream).lock().await;
        for _ in 0..TRIES {
            let (state, after) = self.load::<A>(stream).await?;
            if let Some(expected) = context.if_match
                && expected != after
            {
                return Err(DispatchError::Stale { expected, actual: after });
            }
            let at = self.clock.now();
            let events = state
                .decide(Stamped { command: command.clone(), at })
                .map_err(|error| DispatchError::Refused { code: error.code(), text: error.to_string() })?;
            if events.is_empty() && context.idempotency.is_none() {
                let head = self.log.feed().head().position;
                let nothing =
                    Committed { stream, sequence: after, first: head, last: head, appended: false, replayed: false };
                return Ok(nothing);
            }
            let metadata = serde_json::to_string(&context.metadata(at)).map_err(unwritable)?;
            let claims = events.iter().flat_map(<A as Aggregate>::claims).collect();
            let companions = if events.is_empty() { Vec::new() } else { companions.clone() };
            let events = events
                .iter()
                .map(|event| {
                    Ok(NewEvent {
                        id: ids::new_event_id(),
                        event_type: event.name(),
                        version: event.version(),
                        payload: serde_json::to_string(event).map_err(unwritable)?,
                        metadata: metadata.clone(),
                    })
                })
                .collect::<Result<_, StoreError>>()?;
            let append = Append { stream, after, events, claims, idempotency: context.idempotency.clone(), companions };
            return match self.log.appender().append(Lane::Interactive, append).await {
                Ok(committed) => Ok(committed),
                // Another node was faster: decide again on what it left.
                Err(AppendError::Conflict(_)) => continue,
                Err(AppendError::Claimed(claim)) => Err(DispatchError::Claimed(claim)),
                Err(AppendError::KeyReused) => Err(DispatchError::KeyReused),
                Err(AppendError::Busy) => Err(DispatchError::Busy),
                Err(AppendError::Duplicate) => {
                    Err(StoreError::Wrong("an event id that was just made is taken".into()).into())
                }
                Err(AppendError::Store(error)) => Err(error.into()),
            };
        }
        Err(DispatchError::Busy)
    }

    /// The state of an aggregate, and the sequence it stands at.
    pub async fn load<A>(&self, stream: StreamId) -> Result<(A, Sequence), DispatchError>
    where
        A: Aggregate + cqrs_es::Aggregate,
    {
        self.states.load(stream).await
    }

    /// The same for who has no server at hand.
    pub fn states(&self) -> States {
        self.states.clone()
    }
}

/// Reads the states of aggregates.
#[derive(Clone)]
pub struct States(Arc<Streams>);

impl States {
    pub(super) fn of(db: &Arc<Db>) -> Self {
        Self(Arc::new(Streams::of(db)))
    }

    /// The state of an aggregate, and the sequence it stands at.
    pub async fn load<A>(&self, stream: StreamId) -> Result<(A, Sequence), DispatchError>
    where
        A: Aggregate + cqrs_es::Aggregate,
    {
        let stored = self.0.load::<A>(&stream.id.to_string()).await?;
        let mut state = A::default();
        let mut sequence = 0;
        for event in stored {
            let payload = event.payload.to_string();
            let event_read = fact::read::<<A as Aggregate>::Event>(&event.event_type, &event.event_version, &payload)
                .map_err(|unreadable| match unreadable {
                future @ Unreadable::Future { .. } => DispatchError::Outdated(future),
                malformed @ Unreadable::Malformed { .. } => {
                    StoreError::Corrupt(format!("{stream}: {malformed}")).into()
                }
            })?;
            state.evolve(&event_read);
            sequence = Sequence::try_from(event.sequence).unwrap_or(Sequence::MAX);
        }
        Ok((state, sequence))
    }
}

fn unwritable(error: serde_json::Error) -> StoreError {
    StoreError::Wrong(format!("an event cannot be written as JSON: {error}"))
}
