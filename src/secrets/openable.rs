//! Whether the sealed secrets can be opened with the keys of this process. What they hold is cleared at once and told to
//! nobody. Asked by the doctor.

use super::{SealedRow, SecretsError, Vault};

/// What came of opening secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Openable {
    /// How many were tried.
    pub tried: u64,
    /// Whether there are more than that.
    pub more: bool,
    /// Of whom those are that do not open: the kind of owner, its id, the field.
    pub damaged: Vec<String>,
}

impl Vault {
    /// Opens up to `most` secrets, and forgets what they hold.
    pub async fn try_open(&self, most: u64) -> Result<Openable, SecretsError> {
        let (mut found, mut after) = (Openable::default(), None);
        loop {
            let page = SealedRow::page(self.db(), after).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = Some(last.secret);
            for row in &page {
                if found.tried == most {
                    found.more = true;
                    return Ok(found);
                }
                found.tried += 1;
                let opens = match self.key_of(row).await {
                    Ok(key) => row.open(&key).is_some(),
                    Err(SecretsError::DataKeyUnknown { .. }) => false,
                    Err(error) => return Err(error),
                };
                if !opens {
                    found.damaged.push(format!("{} of {}/{}", row.field, row.kind, row.owner));
                }
            }
        }
    }
}
