//! Every event as a sentence: who did what, when, through which door, and because of what.

mod installation_sentence;
mod reads;
mod summary;
#[cfg(test)]
mod tests;

use keytrail_domain::{fact::Fact, recorded::Recorded};

pub use self::reads::{AuditEntry, AuditFilter, EventType, Order, page};
use crate::{
    rows::{Keys, Rows},
    view::{History, Kind, Table, View},
};

/// The view.
#[derive(Debug)]
pub struct AuditTrail;

const ENTRIES: Table = Table {
    name: "audit_trail",
    columns: &[
        ("position", Kind::Int),
        ("recorded_at", Kind::Int),
        ("accepted_at", Kind::Int),
        ("actor_kind", Kind::Text),
        ("actor_name", Kind::Text),
        ("actor_id", Kind::MaybeBytes),
        ("source", Kind::Text),
        ("stream_type", Kind::Text),
        ("stream_id", Kind::Bytes),
        ("stream_sequence", Kind::Int),
        ("event_type", Kind::Text),
        ("summary", Kind::Text),
        ("causation", Kind::MaybeText),
        ("request_id", Kind::MaybeBytes),
        ("trace", Kind::MaybeText),
    ],
    key: 1,
    history: History::None,
    indexes: &[&["stream_id", "position"], &["event_type", "position"], &["actor_name", "position"]],
};

impl View for AuditTrail {
    fn name(&self) -> &'static str {
        "audit_trail"
    }

    fn version(&self) -> u32 {
        3
    }

    fn tables(&self) -> &'static [Table] {
        &[ENTRIES]
    }

    fn keys(&self, _fact: &Recorded<Fact>, _keys: &mut Keys) {}

    fn fold(&self, rows: &mut Rows, fact: &Recorded<Fact>) {
        rows.put_once(&ENTRIES, AuditEntry::of(fact).row());
    }
}
