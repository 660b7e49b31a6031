//! Writes a batch on PostgreSQL: one statement takes the head row, gives positions and inserts everything. When a
//! constraint refuses the batch, the offenders are found under the head row's lock and the rest goes on.

use std::collections::{HashMap, HashSet};

use keytrail_domain::{
    claim::ClaimChange,
    recorded::{Position, Sequence},
    timestamp::Timestamp,
};
use sqlx::{Acquire, Row as _, postgres::PgConnection};
use uuid::Uuid;

use super::{
    Remembered,
    append::{Append, AppendError, Committed, Head, Written},
};
use crate::store::{
    StoreError,
    postgres::{failure, run},
};

pub(super) type Request = (Append, Vec<[u8; 32]>);

/// Writes the batch; appends that offend a constraint are refused, the others go on.
pub(super) async fn write(
    connection: &mut PgConnection,
    requests: &[Request],
    epoch: i64,
    now: Timestamp,
) -> Result<Written, StoreError> {
    let all: Vec<usize> = (0..requests.len()).collect();
    if requests.iter().all(|(append, _)| append.companions.is_empty()) {
        match insert(connection, requests, &all, epoch, now).await {
            Ok(head) => return Ok(answer(requests, &all, head, HashMap::new())),
            Err(StoreError::Conflict { .. } | StoreError::Wrong(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let mut transaction = connection.begin().await.map_err(failure)?;
    // From here on nobody else appends: what is found now still holds when the rest is inserted.
    let locked = sqlx::query("UPDATE log_head SET position = position WHERE id = 0 AND epoch = $1")
        .bind(epoch)
        .execute(&mut *transaction)
        .await
        .map_err(failure)?;
    if locked.rows_affected() != 1 {
        return Err(StoreError::Fenced);
    }
    let mut refused = offenders(&mut transaction, requests).await?;
    let mut rest: Vec<usize> = all.into_iter().filter(|index| !refused.contains_key(index)).collect();
    let mut together = transaction.begin().await.map_err(failure)?;
    let head = match insert_with_companions(&mut together, requests, &rest, epoch, now).await {
        Ok(head) => {
            together.commit().await.map_err(failure)?;
            head
        }
        Err(error) if error.is_of_one_command() => {
            together.rollback().await.map_err(failure)?;
            let mut head = insert(&mut transaction, requests, &[], epoch, now).await?;
            // Nobody can tell whose statement it was: each for itself.
            for index in std::mem::take(&mut rest) {
                let mut alone = transaction.begin().await.map_err(failure)?;
                match insert_with_companions(&mut alone, requests, &[index], epoch, now).await {
                    Ok(moved) => {
                        alone.commit().await.map_err(failure)?;
                        head = moved;
                        rest.push(index);
                    }
                    Err(error) if error.is_of_one_command() => {
                        alone.rollback().await.map_err(failure)?;
                        refused.insert(index, Err(error.into()));
                    }
                    Err(error) => return Err(error),
                }
            }
            head
        }
        Err(error) => return Err(error),
    };
    transaction.commit().await.map_err(failure)?;
    Ok(answer(requests, &rest, head, refused))
}

async fn insert_with_companions(
    connection: &mut PgConnection,
    requests: &[Request],
    indexes: &[usize],
    epoch: i64,
    now: Timestamp,
) -> Result<Head, StoreError> {
    let head = insert(connection, requests, indexes, epoch, now).await?;
    for companion in indexes.iter().flat_map(|index| &requests[*index].0.companions) {
        run(connection, companion).await?;
    }
    Ok(head)
}

const INSERT: &str = r#"
WITH head AS (
  UPDATE log_head SET position = position + $1, recorded_at = GREATEST(recorded_at, $2 - 1) + $1
  WHERE id = 0 AND epoch = $3 RETURNING position, recorded_at
), appended AS (
  INSERT INTO events (global_position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload,
                      metadata, event_id, recorded_at, leaf_hash)
  SELECT head.position - $1 + e.n, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version,
         e.payload::json, e.metadata::json, e.event_id, head.recorded_at - $1 + e.n, e.leaf
  FROM head, unnest($4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
                    $12::bytea[]) WITH ORDINALITY
       AS e (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, event_id, leaf, n)
), released AS (
  DELETE FROM claims USING head, unnest($13::text[], $14::text[], $15::text[], $16::text[])
       AS r (scope, claim_key, aggregate_type, aggregate_id)
  WHERE claims.scope = r.scope AND claims.claim_key = r.claim_key
    AND claims.aggregate_type = r.aggregate_type AND claims.aggregate_id = r.aggregate_id
), taken AS (
  INSERT INTO claims (scope, claim_key, aggregate_type, aggregate_id)
  SELECT t.scope, t.claim_key, t.aggregate_type, t.aggregate_id
  FROM head, unnest($17::text[], $18::text[], $19::text[], $20::text[])
       AS t (scope, claim_key, aggregate_type, aggregate_id)
  -- What the stream holds already it need not take. Only its own events change that, and they would conflict.
  WHERE NOT EXISTS (SELECT FROM claims c WHERE c.scope = t.scope AND c.claim_key = t.claim_key
                    AND c.aggregate_type = t.aggregate_type AND c.aggregate_id = t.aggregate_id)
), remembered AS (
  INSERT INTO command_log (scope, idempotency_key, request_hash, aggregate_type, aggregate_id, sequence, first_position,
                           last_position, recorded_at)
  SELECT c.scope, c.idempotency_key, c.request_hash, c.aggregate_type, c.aggregate_id, c.sequence,
         head.position - $1 + c.first, head.position - $1 + c.last, head.recorded_at
  FROM head, unnest($21::text[], $22::text[], $23::bytea[], $24::text[], $25::text[], $26::bigint[], $27::bigint[],
                    $28::bigint[])
       AS c (scope, idempotency_key, request_hash, aggregate_type, aggregate_id, sequence, first, last)
)
SELECT position, recorded_at FROM head
"#;

/// The arrays that [`INSERT`] takes.
#[derive(Default)]
struct Columns<'a> {
    count: Position,
    types: Vec<&'a str>,
    ids: Vec<String>,
    sequences: Vec<Sequence>,
    names: Vec<&'a str>,
    versions: Vec<&'a str>,
    payloads: Vec<&'a str>,
    metadata: Vec<&'a str>,
    event_ids: Vec<String>,
    leaves: Vec<&'a [u8]>,
    released: [Vec<String>; 4],
    taken: [Vec<String>; 4],
    scopes: Vec<&'a str>,
    keys: Vec<&'a str>,
    hashes: Vec<&'a [u8]>,
    request_types: Vec<&'a str>,
    request_ids: Vec<String>,
    ends: Vec<Sequence>,
    firsts: Vec<Position>,
    lasts: Vec<Position>,
}

impl<'a> Columns<'a> {
    fn add(&mut self, append: &'a Append, leaves: &'a [[u8; 32]]) {
        let stream_id = append.stream.id.to_string();
        let first = self.count + Position::from(!append.events.is_empty());
        let mut sequence = append.after;
        for (event, leaf) in append.events.iter().zip(leaves) {
            sequence += 1;
            self.count += 1;
            self.types.push(append.stream.aggregate_type);
            self.ids.push(stream_id.clone());
            self.sequences.push(sequence);
            self.names.push(event.event_type);
            self.versions.push(event.version);
            self.payloads.push(&event.payload);
            self.metadata.push(&event.metadata);
            self.event_ids.push(event.id.to_string());
            self.leaves.push(leaf);
        }
        for change in &append.claims {
            let columns = match change {
                ClaimChange::Release(_) => &mut self.released,
                ClaimChange::Take(_) => &mut self.taken,
            };
            let claim = change.claim();
            let row = [claim.scope.as_str(), &claim.key, append.stream.aggregate_type, &stream_id];
            columns.iter_mut().zip(row).for_each(|(column, cell)| column.push(cell.to_owned()));
        }
        if let Some(request) = &append.idempotency {
            self.scopes.push(&request.scope);
            self.keys.push(&request.key);
            self.hashes.push(&request.request_hash);
            self.request_types.push(append.stream.aggregate_type);
            self.request_ids.push(stream_id);
            self.ends.push(sequence);
            self.firsts.push(first);
            self.lasts.push(self.count);
        }
    }
}

/// Inserts the appends with these indexes. The head after it.
async fn insert(
    connection: &mut PgConnection,
    requests: &[Request],
    indexes: &[usize],
    epoch: i64,
    now: Timestamp,
) -> Result<Head, StoreError> {
    let mut columns = Columns::default();
    for (append, leaves) in indexes.iter().map(|index| &requests[*index]) {
        columns.add(append, leaves);
    }
    let Columns { count, types, ids, sequences, names, versions, payloads, metadata, event_ids, leaves, .. } = columns;
    let Columns { released, taken, scopes, keys, hashes, request_types, request_ids, ends, firsts, lasts, .. } =
        columns;
    let [released_scope, released_key, released_type, released_id] = released;
    let [taken_scope, taken_key, taken_type, taken_id] = taken;
    let row = sqlx::query(INSERT)
        .bind(count)
        .bind(now.0)
        .bind(epoch)
        .bind(types)
        .bind(ids)
        .bind(sequences)
        .bind(names)
        .bind(versions)
        .bind(payloads)
        .bind(metadata)
        .bind(event_ids)
        .bind(leaves)
        .bind(released_scope)
        .bind(released_key)
        .bind(released_type)
        .bind(released_id)
        .bind(taken_scope)
        .bind(taken_key)
        .bind(taken_type)
        .bind(taken_id)
        .bind(scopes)
        .bind(keys)
        .bind(hashes)
        .bind(request_types)
        .bind(request_ids)
        .bind(ends)
        .bind(firsts)
        .bind(lasts)
        .fetch_optional(connection)
        .await
        .map_err(failure)?
        .ok_or(StoreError::Fenced)?;
    Ok(Head { position: row.try_get(0).map_err(failure)?, recorded_at: Timestamp(row.try_get(1).map_err(failure)?) })
}

/// Which appends the constraints refuse, and why. The head row is locked.
async fn offenders(
    connection: &mut PgConnection,
    requests: &[Request],
) -> Result<HashMap<usize, Result<Committed, AppendError>>, StoreError> {
    let mut refused = HashMap::new();
    let mut by_request = HashMap::new();
    let (mut scopes, mut keys) = (Vec::new(), Vec::new());
    for (index, (append, _)) in requests.iter().enumerate() {
        if let Some(request) = &append.idempotency {
            by_request.insert((request.scope.clone(), request.key.clone()), index);
            scopes.push(request.scope.clone());
            keys.push(request.key.clone());
        }
    }
    let found = sqlx::query(
        "SELECT l.scope, l.idempotency_key, l.request_hash, l.aggregate_type, l.aggregate_id, l.sequence,
                l.first_position, l.last_position
         FROM command_log l JOIN unnest($1::text[], $2::text[]) AS r (scope, idempotency_key)
           ON l.scope = r.scope AND l.idempotency_key = r.idempotency_key",
    )
    .bind(scopes)
    .bind(keys)
    .fetch_all(&mut *connection)
    .await
    .map_err(failure)?;
    for row in found {
        let key = (row.try_get(0).map_err(failure)?, row.try_get(1).map_err(failure)?);
        let hash: Vec<u8> = row.try_get(2).map_err(failure)?;
        let remembered = Remembered {
            aggregate_type: row.try_get(3).map_err(failure)?,
            aggregate_id: row.try_get(4).map_err(failure)?,
            sequence: row.try_get(5).map_err(failure)?,
            first: row.try_get(6).map_err(failure)?,
            last: row.try_get(7).map_err(failure)?,
        };
        let Some(index) = by_request.get(&key).copied() else { continue };
        let same = requests[index].0.idempotency.as_ref().is_some_and(|request| request.request_hash[..] == hash[..]);
        refused.insert(index, if same { Ok(remembered.committed()?) } else { Err(AppendError::KeyReused) });
    }

    let streams: HashMap<(&str, Uuid), usize> = requests
        .iter()
        .enumerate()
        .filter(|(_, (append, _))| !append.events.is_empty())
        .map(|(index, (append, _))| ((append.stream.aggregate_type, append.stream.id), index))
        .collect();
    let next = |index: &usize| requests[*index].0.after + 1;
    let found = sqlx::query(
        "SELECT e.aggregate_type, e.aggregate_id FROM events e
         JOIN unnest($1::text[], $2::text[], $3::bigint[]) AS r (aggregate_type, aggregate_id, sequence)
           ON e.aggregate_type = r.aggregate_type AND e.aggregate_id = r.aggregate_id AND e.sequence = r.sequence",
    )
    .bind(streams.keys().map(|(stream_type, _)| *stream_type).collect::<Vec<_>>())
    .bind(streams.keys().map(|(_, id)| id.to_string()).collect::<Vec<_>>())
    .bind(streams.values().map(next).collect::<Vec<_>>())
    .fetch_all(&mut *connection)
    .await
    .map_err(failure)?;
    for row in found {
        let stream_type: &str = row.try_get(0).map_err(failure)?;
        let id: Uuid = row.try_get::<&str, _>(1).map_err(failure)?.parse().unwrap_or_default();
        if let Some(index) = streams.get(&(stream_type, id)) {
            refused.entry(*index).or_insert_with(|| Err(AppendError::Conflict(requests[*index].0.stream)));
        }
    }

    let ids: Vec<String> =
        requests.iter().flat_map(|(append, _)| &append.events).map(|event| event.id.to_string()).collect();
    let found = sqlx::query("SELECT event_id FROM events WHERE event_id = ANY($1)")
        .bind(ids)
        .fetch_all(&mut *connection)
        .await
        .map_err(failure)?;
    let there: HashSet<String> = found.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failure)?;
    for (index, (append, _)) in requests.iter().enumerate() {
        if append.events.iter().any(|event| there.contains(&event.id.to_string())) {
            refused.entry(index).or_insert(Err(AppendError::Duplicate));
        }
    }

    let takes = || {
        requests.iter().enumerate().flat_map(|(index, (append, _))| {
            append.claims.iter().filter_map(move |change| match change {
                ClaimChange::Take(claim) => Some((index, claim)),
                ClaimChange::Release(_) => None,
            })
        })
    };
    let found = sqlx::query(
        "SELECT c.scope, c.claim_key FROM claims c
         JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS r (scope, claim_key, aggregate_type, aggregate_id)
           ON c.scope = r.scope AND c.claim_key = r.claim_key
         WHERE (c.aggregate_type, c.aggregate_id) <> (r.aggregate_type, r.aggregate_id)",
    )
    .bind(takes().map(|(_, claim)| claim.scope.as_str()).collect::<Vec<_>>())
    .bind(takes().map(|(_, claim)| claim.key.as_str()).collect::<Vec<_>>())
    .bind(takes().map(|(index, _)| requests[index].0.stream.aggregate_type).collect::<Vec<_>>())
    .bind(takes().map(|(index, _)| requests[index].0.stream.id.to_string()).collect::<Vec<_>>())
    .fetch_all(&mut *connection)
    .await
    .map_err(failure)?;
    let held: HashSet<(String, String)> =
        found.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, _>>().map_err(failure)?;
    for (index, claim) in takes() {
        if held.contains(&(claim.scope.as_str().to_owned(), claim.key.clone())) {
            refused.entry(index).or_insert_with(|| Err(AppendError::Claimed(claim.clone())));
        }
    }
    Ok(refused)
}

fn answer(
    requests: &[Request],
    written: &[usize],
    head: Head,
    mut refused: HashMap<usize, Result<Committed, AppendError>>,
) -> Written {
    let total: usize = written.iter().map(|index| requests[*index].0.events.len()).sum();
    let mut position = head.position - total as Position;
    let outcomes = requests.iter().enumerate().map(|(index, (append, _))| {
        refused.remove(&index).unwrap_or_else(|| {
            let count = append.events.len() as Position;
            let first = position + Position::from(count > 0);
            position += count;
            Ok(Committed {
                stream: append.stream,
                sequence: append.after + count,
                first,
                last: position,
                appended: count > 0,
                replayed: false,
            })
        })
    });
    Written { outcomes: outcomes.collect(), head }
}
