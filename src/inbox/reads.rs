//! What can be asked of the inbox.

use keytrail_domain::{id::IntegrationId, timestamp::Timestamp};
use keytrail_projections::value::{BadRow, Cells, Row, Value};
use uuid::Uuid;

use super::{Inbox, Origin, State, Taken, corrupt, packed::unpacked};
use crate::store::{Area, Statement, StoreError};

/// A delivery as it is told, without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its place in the order of arrival.
    pub receipt: Uuid,
    /// Its id at its service.
    pub delivery: Uuid,
    /// What its service calls it.
    pub event: String,
    /// What of that happened.
    pub action: Option<String>,
    /// How it came.
    pub origin: Origin,
    /// How long the body is, in bytes.
    pub body_bytes: i64,
    /// When it came.
    pub received_at: Timestamp,
    /// What became of it.
    pub state: State,
    /// That in words; of one that waits, why it could not be worked off the last time.
    pub outcome: Option<String>,
    /// When it was worked off.
    pub ended_at: Option<Timestamp>,
    /// How often it was tried.
    pub tries: i64,
}

/// What came with a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBody {
    /// JSON; secrets are left out.
    pub headers: String,
    /// As it came.
    pub body: Vec<u8>,
}

/// Which deliveries are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Of which integration.
    pub integration: IntegrationId,
    /// Only those of which this became.
    pub state: Option<State>,
    /// Only those that their service calls so.
    pub event: Option<String>,
}

const fn columns() -> &'static str {
    "receipt, delivery, event, action, origin, body_bytes, received_at, state, outcome, ended_at, tries"
}

fn stored(row: &Row) -> Result<Stored, BadRow> {
    let mut cells = Cells::of(row);
    Ok(Stored {
        receipt: cells.id()?,
        delivery: cells.id()?,
        event: cells.text()?.to_owned(),
        action: cells.maybe_text()?.map(str::to_owned),
        origin: Origin::parse(cells.text()?).ok_or(BadRow)?,
        body_bytes: cells.int()?,
        received_at: cells.time()?,
        state: State::parse(cells.text()?).ok_or(BadRow)?,
        outcome: cells.maybe_text()?.map(str::to_owned),
        ended_at: cells.maybe_time()?,
        tries: cells.int()?,
    })
}

impl Inbox {
    /// A page, the latest first, of those that came before `after`.
    pub async fn page(&self, filter: &Filter, after: Option<Uuid>, most: u32) -> Result<Vec<Stored>, StoreError> {
        let sql = format!(
            "SELECT {} FROM webhook_inbox WHERE integration = $1 AND receipt < $2 \
             AND (CAST($3 AS TEXT) IS NULL OR state = CAST($3 AS TEXT)) \
             AND (CAST($4 AS TEXT) IS NULL OR event = CAST($4 AS TEXT)) ORDER BY receipt DESC LIMIT $5",
            columns()
        );
        let args = vec![
            Value::from(filter.integration),
            Value::from(after.unwrap_or(Uuid::max())),
            Value::from(filter.state.map(State::as_str)),
            Value::from(filter.event.as_deref()),
            Value::from(most),
        ];
        let rows = self.db.read_long(Area::Log, sql, args).await?;
        rows.iter().map(stored).collect::<Result<_, _>>().map_err(corrupt)
    }

    /// One delivery.
    pub async fn one(&self, integration: IntegrationId, delivery: Uuid) -> Result<Option<Stored>, StoreError> {
        let sql = format!("SELECT {} FROM webhook_inbox WHERE integration = $1 AND delivery = $2", columns());
        let args = [Value::from(integration), Value::from(delivery)];
        let rows = self.db.read(Area::Log, &sql, &args).await?;
        rows.first().map(stored).transpose().map_err(corrupt)
    }

    /// What came with it.
    pub async fn what_came(
        &self,
        integration: IntegrationId,
        delivery: Uuid,
    ) -> Result<Option<StoredBody>, StoreError> {
        let sql = "SELECT headers, body FROM webhook_inbox WHERE integration = $1 AND delivery = $2";
        let args = vec![Value::from(integration), Value::from(delivery)];
        let rows = self.db.read_long(Area::Log, sql.to_owned(), args).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let mut cells = Cells::of(row);
        let headers = cells.text().map_err(corrupt)?.to_owned();
        let body = unpacked(cells.bytes().map_err(corrupt)?).ok_or(BadRow).map_err(corrupt)?;
        Ok(Some(StoredBody { headers, body }))
    }

    /// Whether its service has sent something else to the same integration since this came, called otherwise.
    pub async fn went_on(&self, taken: &Taken) -> Result<bool, StoreError> {
        let sql = "SELECT receipt FROM webhook_inbox WHERE integration = $1 AND receipt > $2 AND origin = $3 \
                   AND event <> $4 LIMIT 1";
        let args = [
            Value::from(taken.integration),
            Value::from(taken.receipt),
            Value::from(Origin::Sent.as_str()),
            Value::from(taken.event.as_str()),
        ];
        Ok(!self.db.read(Area::Log, sql, &args).await?.is_empty())
    }

    /// How many wait to be worked off, counted no further than `most`.
    pub async fn waiting(&self, most: u32) -> Result<i64, StoreError> {
        let sql =
            "SELECT COUNT(*) FROM (SELECT receipt FROM webhook_inbox WHERE state = 'waiting' LIMIT $1) AS waiting";
        let rows = self.db.read(Area::Log, sql, &[Value::from(most)]).await?;
        let Some(row) = rows.first() else { return Ok(0) };
        Cells::of(row).int().map_err(corrupt)
    }

    /// Up to when the list of deliveries that an integration's service keeps was compared with what came.
    pub async fn listed_to(&self, integration: IntegrationId) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT listed_to FROM webhook_listings WHERE integration = $1";
        let rows = self.db.read(Area::Log, sql, &[Value::from(integration)]).await?;
        rows.first().map(|row| Cells::of(row).time()).transpose().map_err(corrupt)
    }

    /// Remembers that it was compared up to this time.
    pub async fn set_listed_to(&self, integration: IntegrationId, to: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO webhook_listings (integration, listed_to) VALUES ($1, $2) \
                   ON CONFLICT (integration) DO UPDATE SET listed_to = excluded.listed_to";
        let args = vec![Value::from(integration), Value::from(to)];
        self.db.write(Area::Log, vec![Statement::new(sql, args)]).await.map(|_| ())
    }
}
