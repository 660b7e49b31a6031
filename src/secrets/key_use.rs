//! Whether every secret opens, and under which key: for the doctor.

use std::collections::BTreeMap;

use keytrail_domain::{secret_ref::SecretRef, timestamp::Timestamp};
use uuid::Uuid;

use super::{SealedRow, SecretsError, Vault};

/// What one data key seals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// The key.
    pub key: Uuid,
    /// When it was made; nothing when it is not in the database although secrets name it.
    pub created_at: Option<Timestamp>,
    /// Whether it is the one that new secrets are sealed under.
    pub newest: bool,
    /// Secrets under it.
    pub secrets: u64,
    /// Of those, the ones that do not open.
    pub unreadable: Vec<SecretRef>,
}

impl Vault {
    /// Opens every secret and looks at none: one line per data key, those without secrets too.
    pub async fn key_uses(&self) -> Result<Vec<KeyUse>, SecretsError> {
        let keys = self.reload().await?;
        let newest = keys.newest().id;
        let unused =
            |key, created_at| KeyUse { key, created_at, newest: key == newest, secrets: 0, unreadable: Vec::new() };
        let mut uses: BTreeMap<_, _> = keys.all().map(|key| (key.id, unused(key.id, Some(key.created_at)))).collect();
        let mut after = None;
        loop {
            let page = SealedRow::page(self.db(), after).await?;
            let Some(last) = page.last() else { return Ok(uses.into_values().collect()) };
            after = Some(last.secret);
            for row in &page {
                let found = match self.key_of(row).await {
                    Err(SecretsError::DataKeyUnknown { .. }) => None,
                    found => Some(found?),
                };
                let opens = found.as_ref().is_some_and(|key| row.open(key).is_some());
                let made = found.map(|key| key.created_at);
                let line = uses.entry(row.key).or_insert_with(|| unused(row.key, made));
                line.secrets += 1;
                if !opens {
                    line.unreadable.push(row.secret);
                }
            }
        }
    }
}
