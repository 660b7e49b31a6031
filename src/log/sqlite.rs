//! Writes a batch on the embedded engine: one transaction, a savepoint per command.

use keytrail_domain::{claim::ClaimChange, recorded::Position, timestamp::Timestamp};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::append::{Append, AppendError, Committed, Head, Written};
use crate::store::{
    Area, Sqlite, StoreError,
    sqlite::{failure, run},
};

type Request = (Append, Vec<[u8; 32]>);

/// Writes the batch. A command that offends a constraint is taken back to its savepoint; the others go on.
pub(super) async fn write(
    db: &Sqlite,
    requests: Vec<Request>,
    epoch: i64,
    now: Timestamp,
) -> Result<Written, StoreError> {
    db.write_with(Area::Log, move |connection| {
        let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failure)?;
        let (mut head, stored_epoch) = transaction
            .prepare_cached("SELECT position, recorded_at, epoch FROM log_head WHERE id = 0")
            .and_then(|mut statement| {
                statement.query_row([], |row| {
                    Ok((Head { position: row.get(0)?, recorded_at: Timestamp(row.get(1)?) }, row.get::<_, i64>(2)?))
                })
            })
            .map_err(failure)?;
        if stored_epoch != epoch {
            return Err(StoreError::Fenced);
        }
        let mut outcomes = Vec::with_capacity(requests.len());
        for (append, leaves) in &requests {
            let savepoint = transaction.savepoint().map_err(failure)?;
            let before = head;
            match one(&savepoint, append, leaves, &mut head, now) {
                Ok(committed) => {
                    savepoint.commit().map_err(failure)?;
                    outcomes.push(Ok(committed));
                }
                Err(AppendError::Store(error)) if !error.is_of_one_command() => return Err(error),
                Err(refused) => {
                    head = before;
                    // Dropping a savepoint takes it back.
                    drop(savepoint);
                    outcomes.push(replayed_or(&transaction, append, refused)?);
                }
            }
        }
        transaction
            .prepare_cached("UPDATE log_head SET position = ?1, recorded_at = ?2 WHERE id = 0")
            .and_then(|mut statement| statement.execute(params![head.position, head.recorded_at.0]))
            .map_err(failure)?;
        transaction.commit().map_err(failure)?;
        Ok(Written { head, outcomes })
    })
    .await
}

fn one(
    transaction: &Connection,
    append: &Append,
    leaves: &[[u8; 32]],
    head: &mut Head,
    now: Timestamp,
) -> Result<Committed, AppendError> {
    let refused_as = |refusal: fn(&Append) -> AppendError| {
        move |error: rusqlite::Error| match failure(error) {
            StoreError::Conflict { .. } => refusal(append),
            error => AppendError::Store(error),
        }
    };
    let stream_id = append.stream.id.to_string();
    let first = head.position + Position::from(!append.events.is_empty());
    let mut sequence = append.after;
    {
        let mut insert = transaction
            .prepare_cached(
                "INSERT INTO events (global_position, aggregate_type, aggregate_id, sequence, event_type,
                 event_version, payload, metadata, event_id, recorded_at, leaf_hash)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )
            .map_err(failure)
            .map_err(AppendError::Store)?;
        for (event, leaf) in append.events.iter().zip(leaves) {
            sequence += 1;
            head.position += 1;
            head.recorded_at = now.max(head.recorded_at.plus_micros(1));
            insert
                .execute(params![
                    head.position,
                    append.stream.aggregate_type,
                    stream_id,
                    sequence,
                    event.event_type,
                    event.version,
                    event.payload,
                    event.metadata,
                    event.id.to_string(),
                    head.recorded_at.0,
                    leaf,
                ])
                .map_err(|error| {
                    let duplicate = error.to_string().contains("events.event_id");
                    refused_as(if duplicate {
                        |_| AppendError::Duplicate
                    } else {
                        |append| AppendError::Conflict(append.stream)
                    })(error)
                })?;
        }
    }
    // Releases first: a stream may give up one thing to take another.
    for change in &append.claims {
        if let ClaimChange::Release(claim) = change {
            transaction
                .prepare_cached(
                    "DELETE FROM claims WHERE scope = ?1 AND claim_key = ?2 AND aggregate_type = ?3 AND aggregate_id = ?4",
                )
                .and_then(|mut delete| {
                    delete.execute(params![claim.scope.as_str(), claim.key, append.stream.aggregate_type, stream_id])
                })
                .map_err(|error| AppendError::Store(failure(error)))?;
        }
    }
    for change in &append.claims {
        if let ClaimChange::Take(claim) = change {
            transaction
                .prepare_cached(
                    // Taking what the stream holds already changes nothing.
                    "INSERT INTO claims (scope, claim_key, aggregate_type, aggregate_id) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (scope, claim_key) DO UPDATE SET aggregate_id = excluded.aggregate_id
                     WHERE aggregate_type = excluded.aggregate_type AND aggregate_id = excluded.aggregate_id",
                )
                .and_then(|mut insert| {
                    insert.execute(params![claim.scope.as_str(), claim.key, append.stream.aggregate_type, stream_id])
                })
                .map_err(|error| AppendError::Store(failure(error)))
                .and_then(|taken| if taken == 1 { Ok(()) } else { Err(AppendError::Claimed(claim.clone())) })?;
        }
    }
    if let Some(request) = &append.idempotency {
        transaction
            .prepare_cached(
                "INSERT INTO command_log (scope, idempotency_key, request_hash, aggregate_type, aggregate_id, sequence,
                 first_position, last_position, recorded_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    request.scope,
                    request.key,
                    request.request_hash,
                    append.stream.aggregate_type,
                    stream_id,
                    sequence,
                    first,
                    head.position,
                    head.recorded_at.0,
                ])
            })
            .map_err(refused_as(|_| AppendError::KeyReused))?;
    }
    for companion in &append.companions {
        run(transaction, companion)?;
    }
    let appended = !append.events.is_empty();
    Ok(Committed { stream: append.stream, sequence, first, last: head.position, appended, replayed: false })
}

/// The outcome of the earlier request when this one was sent before, whatever constraint it ran into now.
fn replayed_or(
    transaction: &Connection,
    append: &Append,
    refused: AppendError,
) -> Result<Result<Committed, AppendError>, StoreError> {
    let Some(request) = &append.idempotency else { return Ok(Err(refused)) };
    let earlier = transaction
        .prepare_cached(
            "SELECT request_hash, aggregate_type, aggregate_id, sequence, first_position, last_position
             FROM command_log WHERE scope = ?1 AND idempotency_key = ?2",
        )
        .and_then(|mut select| {
            select
                .query_row(params![request.scope, request.key], |row| {
                    Ok((
                        row.get::<_, [u8; 32]>(0)?,
                        super::Remembered {
                            aggregate_type: row.get(1)?,
                            aggregate_id: row.get(2)?,
                            sequence: row.get(3)?,
                            first: row.get(4)?,
                            last: row.get(5)?,
                        },
                    ))
                })
                .optional()
        })
        .map_err(failure)?;
    match earlier {
        None => Ok(Err(refused)),
        Some((hash, _)) if hash != request.request_hash => Ok(Err(AppendError::KeyReused)),
        Some((_, remembered)) => Ok(Ok(remembered.committed()?)),
    }
}
