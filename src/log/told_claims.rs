//! Whether the table of claims is what the events say. It reads the log from its end, bounded, a page at a time, and
//! changes nothing. Asked by the doctor.

use std::collections::{BTreeMap, BTreeSet};

use keytrail_domain::{
    claim::{Claim, ClaimChange},
    fact::{Fact, Unreadable},
    index_run::batch,
};
use keytrail_projections::value::{BadRow, Cells, Row, Value};

use super::{FeedError, Log};
use crate::store::{Area, StoreError};

/// Events that are read at once.
const PAGE: i64 = 500;
/// Stored claims that are compared at most: two an integration, one a run that goes on.
const MOST_CLAIMS: i64 = 200_000;

/// What came of the comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToldClaims {
    /// Events that were read.
    pub events: u64,
    /// Claims that are held, by what these events say.
    pub held: u64,
    /// Whether those are all events that can hold a claim.
    pub is_whole: bool,
    /// What is stored otherwise, a sentence each. Names of things are in it.
    pub differences: BTreeSet<String>,
}

/// A claim's scope and key, and the type and the id of the stream that holds it.
type Held = BTreeMap<(String, String), (String, String)>;

impl Log {
    /// Folds the claims of the newest events anew, up to `most` of each type of stream, and compares them with the table.
    pub async fn check_claims(&self, most: u64) -> Result<ToldClaims, FeedError> {
        // What is stored is read before and after: what changed meanwhile differs from only one of the two.
        let before = self.stored_claims().await?;
        let mut told = ToldClaims { is_whole: true, ..ToldClaims::default() };
        let mut held = Held::new();
        let mut reached = BTreeMap::new();
        for stream_type in Fact::STREAM_TYPES.iter().filter(|word| **word != batch::STREAM_TYPE) {
            let (events, oldest) = self.fold_claims(stream_type, most, &mut held).await?;
            told.events += events;
            told.is_whole &= oldest.is_none();
            reached.insert(*stream_type, oldest.unwrap_or_default());
        }
        let after = self.stored_claims().await?;
        told.held = held.len() as u64;
        // Streams that were not read, or not to their beginning, say nothing.
        let is_known =
            |holder: &(String, String)| reached.get(holder.0.as_str()).is_some_and(|oldest| holder.1 > *oldest);
        let differing = |stored: &Held| -> BTreeSet<String> {
            let missing = held.iter().filter(|(claim, holder)| is_known(holder) && stored.get(*claim) != Some(*holder));
            let missing = missing.map(|(claim, holder)| {
                format!("{} {:?} belongs to {}/{}, and the table says otherwise", claim.0, claim.1, holder.0, holder.1)
            });
            let extra = stored.iter().filter(|(claim, holder)| is_known(holder) && held.get(*claim) != Some(*holder));
            let extra = extra.map(|(claim, holder)| {
                format!("{} {:?} is given to {}/{}, which does not hold it", claim.0, claim.1, holder.0, holder.1)
            });
            missing.chain(extra).collect()
        };
        told.differences = differing(&before).intersection(&differing(&after)).cloned().collect();
        Ok(told)
    }

    /// Adds what the streams of a type hold. How many events were read, and the stream at which it stopped, if it did not
    /// come to the first.
    async fn fold_claims(
        &self,
        stream_type: &'static str,
        most: u64,
        held: &mut Held,
    ) -> Result<(u64, Option<String>), FeedError> {
        let sql = "SELECT aggregate_id, sequence, event_type, event_version, payload, global_position FROM events \
                   WHERE aggregate_type = $1 AND (aggregate_id, sequence) < ($2, $3) \
                   ORDER BY aggregate_id DESC, sequence DESC LIMIT $4";
        // After every id: those begin with a digit or a letter up to f.
        let (mut id, mut sequence, mut events) = ("g".to_owned(), 0, 0);
        let mut seen: BTreeSet<Claim> = BTreeSet::new();
        loop {
            let args = vec![Value::from(stream_type), Value::from(id.as_str()), Value::Int(sequence), Value::Int(PAGE)];
            let page = self.db.read_long(Area::Log, sql.to_owned(), args).await?;
            if page.is_empty() {
                return Ok((events, None));
            }
            for row in &page {
                let stored = Stored::of_row(row).map_err(corrupt)?;
                if stored.id != id {
                    seen.clear();
                    id = stored.id.to_owned();
                }
                (sequence, events) = (stored.sequence, events + 1);
                let position = stored.position;
                let fact = Fact::read(stream_type, stored.event_type, stored.version, stored.payload)
                    .map_err(|source: Unreadable| FeedError::Unreadable { position, source })?;
                // From the end: what was said last is how it is. Of one event, a release comes before a take.
                let changes = fact.claims();
                let takes = changes.iter().filter(|change| matches!(change, ClaimChange::Take(_)));
                let releases = changes.iter().filter(|change| matches!(change, ClaimChange::Release(_)));
                for change in takes.chain(releases) {
                    let claim = change.claim();
                    if seen.insert(claim.clone()) && matches!(change, ClaimChange::Take(_)) {
                        let key = (claim.scope.as_str().to_owned(), claim.key.clone());
                        held.insert(key, (stream_type.to_owned(), id.clone()));
                    }
                }
            }
            if events >= most {
                return Ok((events, Some(id)));
            }
        }
    }

    async fn stored_claims(&self) -> Result<Held, StoreError> {
        let sql =
            "SELECT scope, claim_key, aggregate_type, aggregate_id FROM claims ORDER BY scope, claim_key LIMIT $1";
        let rows = self.db.read_long(Area::Log, sql.to_owned(), vec![Value::Int(MOST_CLAIMS)]).await?;
        let read = |row: &Row| -> Result<_, BadRow> {
            let mut cells = Cells::of(row);
            let mut text = || cells.text().map(str::to_owned);
            Ok(((text()?, text()?), (text()?, text()?)))
        };
        rows.iter().map(read).collect::<Result<_, _>>().map_err(corrupt)
    }
}

struct Stored<'a> {
    id: &'a str,
    sequence: i64,
    event_type: &'a str,
    version: &'a str,
    payload: &'a str,
    position: i64,
}

impl<'a> Stored<'a> {
    fn of_row(row: &'a Row) -> Result<Self, BadRow> {
        let mut cells = Cells::of(row);
        Ok(Self {
            id: cells.text()?,
            sequence: cells.int()?,
            event_type: cells.text()?,
            version: cells.text()?,
            payload: cells.text()?,
            position: cells.int()?,
        })
    }
}

fn corrupt(error: BadRow) -> StoreError {
    StoreError::Corrupt(error.to_string())
}
