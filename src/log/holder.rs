//! Who has what may exist only once. Asked when a change was refused because of it.

use std::collections::HashSet;

use keytrail_domain::claim::{Claim, ClaimScope};
use keytrail_projections::value::{Cells, Row, Value};
use uuid::Uuid;

use super::Log;
use crate::store::{Area, StoreError};

/// So many keys are asked for at once.
const MOST_KEYS: usize = 50;

impl Log {
    /// The aggregate that holds this claim now; nothing when nobody does any more.
    pub async fn holder(&self, claim: &Claim) -> Result<Option<Uuid>, StoreError> {
        let sql = "SELECT aggregate_id FROM claims WHERE scope = $1 AND claim_key = $2";
        self.id_of(sql, &[Value::from(claim.scope.as_str()), Value::from(claim.key.as_str())]).await
    }

    /// Who holds the first of two claims; otherwise who holds the second, at the same moment.
    pub async fn holder_of_either(&self, first: &Claim, second: &Claim) -> Result<Option<Uuid>, StoreError> {
        let sql = "SELECT aggregate_id FROM claims WHERE (scope = $1 AND claim_key = $2) OR (scope = $3 AND claim_key = $4) \
                   ORDER BY CASE WHEN scope = $1 THEN 0 ELSE 1 END LIMIT 1";
        let args = [first.scope.as_str(), first.key.as_str(), second.scope.as_str(), second.key.as_str()];
        self.id_of(sql, &args.map(Value::from)).await
    }

    /// Of these keys those that are held in the one scope or in the other, by whomever.
    pub async fn held_in_either(
        &self,
        scopes: [ClaimScope; 2],
        keys: &[String],
    ) -> Result<HashSet<String>, StoreError> {
        let markers: Vec<_> = (0..MOST_KEYS).map(|n| format!("${}", n + 3)).collect();
        let sql = format!(
            "SELECT claim_key FROM claims WHERE scope IN ($1, $2) AND claim_key IN ({}) ORDER BY scope, claim_key",
            markers.join(", ")
        );
        let mut held = HashSet::new();
        for some in keys.chunks(MOST_KEYS) {
            let mut args: Row = scopes.map(|scope| Value::from(scope.as_str())).to_vec();
            // A place that is left over asks for the first once more: one text, which both engines keep prepared.
            args.extend((0..MOST_KEYS).map(|n| Value::from(some.get(n).or(some.first()).map(String::as_str))));
            held.extend(self.db.read_as(Area::Log, &sql, &args, |cells| Ok(cells.text()?.to_owned())).await?);
        }
        Ok(held)
    }

    async fn id_of(&self, sql: &str, args: &[Value]) -> Result<Option<Uuid>, StoreError> {
        let rows = self.db.read(Area::Log, sql, args).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let text = Cells::of(row).text().map_err(|error| StoreError::Corrupt(error.to_string()))?;
        text.parse().map(Some).map_err(|_| StoreError::Corrupt("a claim is held by what is no id".to_owned()))
    }
}
