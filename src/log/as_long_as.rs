//! What an append was decided by, and must still hold when it is written: statements that come with it as companions, and
//! take it back (`Fenced`) where something else came first. Called by who decides by more than one stream.

use keytrail_domain::{
    claim::Claim,
    recorded::{Position, Sequence, StreamId},
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

/// As long as nothing is recorded in other streams of this one's type after `position`. The append itself is to this one.
pub fn nothing_came_to_others_after(own: StreamId, position: Position) -> Statement {
    let sql = "UPDATE log_head SET position = position WHERE id = 0 AND NOT EXISTS \
               (SELECT 1 FROM events WHERE global_position > $1 AND aggregate_type = $2 AND aggregate_id <> $3)";
    Statement::new(sql, row![position, own.aggregate_type, own.id.to_string()]).expecting(1)
}

/// As long as this stream holds this claim.
pub fn is_held(claim: &Claim, holder: StreamId) -> Statement {
    let sql = "UPDATE claims SET scope = scope \
               WHERE scope = $1 AND claim_key = $2 AND aggregate_type = $3 AND aggregate_id = $4";
    let args = row![claim.scope.as_str(), claim.key.as_str(), holder.aggregate_type, holder.id.to_string()];
    Statement::new(sql, args).expecting(1)
}

/// As long as nobody holds this claim.
pub fn nobody_holds(claim: &Claim) -> Statement {
    let sql = "UPDATE log_head SET position = position WHERE id = 0 AND NOT EXISTS \
               (SELECT 1 FROM claims WHERE scope = $1 AND claim_key = $2)";
    Statement::new(sql, row![claim.scope.as_str(), claim.key.as_str()]).expecting(1)
}

/// As long as a stream did not go on from here. The append itself is to another one.
pub fn stands_at(stream: StreamId, sequence: Sequence) -> Statement {
    let sql = "UPDATE log_head SET position = position WHERE id = 0 AND NOT EXISTS \
               (SELECT 1 FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence > $3)";
    Statement::new(sql, row![stream.aggregate_type, stream.id.to_string(), sequence]).expecting(1)
}
