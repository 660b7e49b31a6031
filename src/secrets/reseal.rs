//! A new data key, and every secret sealed again under it.

use keytrail_domain::{secret_ref::SecretRef, timestamp::Timestamp};
use keytrail_projections::value::Cells;

use super::{SealedRow, SecretsError, Vault};
use crate::store::{Area, StoreError};

/// How far it is, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resealing {
    /// Secrets there were at the beginning.
    pub total: u64,
    /// Secrets looked at so far.
    pub looked_at: u64,
    /// Of those, sealed again.
    pub resealed: u64,
    /// Of those, left as they are because they do not open.
    pub unreadable: Vec<SecretRef>,
}

impl Vault {
    /// Makes a new data key, which everything is sealed under from now on, and seals what there is again.
    /// `progress` is told after every page. When it is interrupted, [`Vault::reseal`] goes on.
    pub async fn rotate_data_key(
        &self,
        now: Timestamp,
        progress: impl FnMut(&Resealing) + Send,
    ) -> Result<Resealing, SecretsError> {
        self.add_key(now).await?;
        self.reseal(progress).await
    }

    /// Seals every secret again that is not under the newest data key. Doing it again is harmless; after a rotation
    /// with several nodes it finds what the others sealed meanwhile.
    pub async fn reseal(&self, mut progress: impl FnMut(&Resealing) + Send) -> Result<Resealing, SecretsError> {
        let newest = self.reload().await?.newest();
        let mut state = Resealing { total: self.count().await?, ..Resealing::default() };
        let mut after = None;
        loop {
            let page = SealedRow::page(self.db(), after).await?;
            let Some(last) = page.last() else { return Ok(state) };
            after = Some(last.secret);
            let mut statements = Vec::new();
            for row in page.iter().filter(|row| row.key != newest.id) {
                let old = match self.key_of(row).await {
                    Err(SecretsError::DataKeyUnknown { .. }) => None,
                    found => Some(found?),
                };
                match old.and_then(|old| row.reseal(&old, &newest)) {
                    Some(statement) => statements.push(statement),
                    None => state.unreadable.push(row.secret),
                }
            }
            state.looked_at += page.len() as u64;
            state.resealed += statements.len() as u64;
            if !statements.is_empty() {
                self.db().write(Area::Log, statements).await?;
            }
            progress(&state);
        }
    }

    async fn count(&self) -> Result<u64, SecretsError> {
        let rows = self.db().read_long(Area::Log, "SELECT COUNT(*) FROM secrets".to_owned(), Vec::new()).await?;
        let row = rows.first().ok_or_else(|| StoreError::Corrupt("a count has no row".into()))?;
        Ok(Cells::of(row).int()?.unsigned_abs())
    }
}
