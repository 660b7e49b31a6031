//! When each token was last used. Called with every request, so it is kept in memory and written now and then, all at
//! once: a minute of it may be lost with the process. It decides nothing.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use keytrail_domain::{id::TokenId, timestamp::Timestamp};
use keytrail_projections::{row, value::Cells, view::Kind};

use crate::store::{Area, Db, Statement, StoreError};

/// The uses that this node saw and did not write yet. Only tokens that work are here, so there are not many.
#[derive(Default)]
pub(super) struct TokenUses {
    unwritten: Mutex<HashMap<TokenId, Timestamp>>,
}

impl TokenUses {
    /// It was used.
    pub(super) fn mark(&self, token: TokenId, now: Timestamp) {
        let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        unwritten.entry(token).and_modify(|at| *at = now.max(*at)).or_insert(now);
    }

    /// Writes what was seen since the last time. What cannot be written is kept for the next time.
    pub(super) async fn write(&self, db: &Arc<Db>) -> Result<(), StoreError> {
        let seen = mem::take(&mut *self.unwritten.lock().unwrap_or_else(PoisonError::into_inner));
        if seen.is_empty() {
            return Ok(());
        }
        let rows = seen.iter().map(|(token, at)| row![*token, *at]).collect();
        let statement = Statement::insert(
            "INSERT INTO token_uses (token_id, used_at)".to_owned(),
            vec![Kind::Bytes, Kind::Int],
            rows,
            "ON CONFLICT (token_id) DO UPDATE SET used_at = excluded.used_at \
             WHERE excluded.used_at > token_uses.used_at"
                .to_owned(),
        );
        let written = db.write(Area::Log, vec![statement]).await.map(|_| ());
        if written.is_err() {
            seen.into_iter().for_each(|(token, at)| self.mark(token, at));
        }
        written
    }

    /// When the tokens with ids from `first` to `last` were used, as all nodes wrote it and this one saw it.
    pub(super) async fn between(
        &self,
        db: &Arc<Db>,
        first: TokenId,
        last: TokenId,
    ) -> Result<HashMap<TokenId, Timestamp>, StoreError> {
        let sql = "SELECT token_id, used_at FROM token_uses WHERE token_id >= $1 AND token_id <= $2";
        let read = |cells: &mut Cells<'_>| Ok((TokenId(cells.id()?), cells.time()?));
        let written = db.read_as(Area::Log, sql, &row![first, last], read).await?;
        let mut all: HashMap<_, _> = written.into_iter().collect();
        let unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        for (token, at) in unwritten.iter().filter(|(token, _)| (first.0..=last.0).contains(&token.0)) {
            all.entry(*token).and_modify(|known| *known = (*at).max(*known)).or_insert(*at);
        }
        Ok(all)
    }
}
