//! What an append was decided by, and must still hold when it is written: statements that come with it as companions, and
//! take it back (`Fenced`) where something else came first. Called by who decides by more than one stream.

use keytrail_domain::{
    claim::Claim,
    recorded::{Position, StreamId},
};
use keytrail_projections::row;

use crate::store::Statement;

/// As long as nothing is recorded in a stream of this type after `position`. The append itself is to one of another type.
pub fn nothing_came_after(aggregate_type: &'static str, position: Position) -> Statement {
    // The append holds the head of the log: whoever comes later sees its events.
    let sql = "UPDATE log_head SET position = position WHERE id = 0 AND NOT EXISTS \
               (SELECT 1 FROM events WHERE global_position > $1 AND aggregate_type = $2)";
    Statement::new(sql, row![position, aggregate_type]).expecting(1)
}

/// As long as this stream holds this claim.
pub fn is_held(claim: &Claim, holder: StreamId) -> Statement {
    let sql = "UPDATE claims SET scope = scope \
               WHERE scope = $1 AND claim_key = $2 AND aggregate_type = $3 AND aggregate_id = $4";
    let args = row![claim.scope.as_str(), claim.key.as_str(), holder.aggregate_type, holder.id.to_string()];
    Statement::new(sql, args).expecting(1)
}
