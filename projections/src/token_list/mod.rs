//! The access tokens: who may come in, until when. Never a token itself, only the beginning that people know it by.

mod reads;
#[cfg(test)]
mod tests;

use keytrail_domain::{access::Event, fact::Fact, id::TokenId, recorded::Recorded};

pub use self::reads::{Token, by_id, page};
use crate::{
    rows::{Keys, Rows},
    view::{History, Kind, Table, View},
};

/// The view.
#[derive(Debug)]
pub struct TokenList;

const TOKENS: Table = Table {
    name: "token_list",
    columns: &[
        ("token", Kind::Bytes),
        ("name", Kind::Text),
        ("role", Kind::Text),
        ("scopes", Kind::MaybeText),
        ("prefix", Kind::Text),
        ("issued_at", Kind::Int),
        ("expires_at", Kind::Int),
        ("revoked_at", Kind::MaybeInt),
        ("issued_position", Kind::Int),
        ("version", Kind::Int),
        ("position", Kind::Int),
    ],
    key: 1,
    history: History::None,
    indexes: &[&["issued_position", "token"]],
};

impl View for TokenList {
    fn name(&self) -> &'static str {
        "token_list"
    }

    fn version(&self) -> u32 {
        2
    }

    fn tables(&self) -> &'static [Table] {
        &[TOKENS]
    }

    fn keys(&self, fact: &Recorded<Fact>, keys: &mut Keys) {
        match &fact.fact {
            Fact::Access(_) => keys.want::<Token>(fact.stream.id),
            Fact::Integration(_)
            | Fact::Repository(_)
            | Fact::IndexRun(_)
            | Fact::IndexBatch(_)
            | Fact::ProjectRules(_)
            | Fact::CommitLink(_)
            | Fact::Person(_)
            | Fact::Installation(_)
            | Fact::PullRequest(_)
            | Fact::SshKey(_)
            | Fact::HostKey(_)
            | Fact::AccessSettings(_) => {}
        }
    }

    fn fold(&self, rows: &mut Rows, fact: &Recorded<Fact>) {
        match &fact.fact {
            Fact::Access(Event::TokenIssued { name, role, scopes, expires_at, prefix }) => rows.save(&Token {
                id: TokenId(fact.stream.id),
                name: name.as_str().to_owned(),
                role: *role,
                scopes: scopes.clone(),
                prefix: prefix.clone(),
                issued_at: fact.metadata.at,
                expires_at: *expires_at,
                revoked_at: None,
                issued_position: fact.position,
                version: fact.sequence,
                position: fact.position,
            }),
            Fact::Access(Event::TokenRevoked {}) => rows.change(fact.stream.id, |token: &mut Token| {
                token.revoked_at.get_or_insert(fact.metadata.at);
                token.version = fact.sequence;
                token.position = fact.position;
            }),
            Fact::Integration(_)
            | Fact::Repository(_)
            | Fact::IndexRun(_)
            | Fact::IndexBatch(_)
            | Fact::ProjectRules(_)
            | Fact::CommitLink(_)
            | Fact::Person(_)
            | Fact::Installation(_)
            | Fact::PullRequest(_)
            | Fact::SshKey(_)
            | Fact::HostKey(_)
            | Fact::AccessSettings(_) => {}
        }
    }
}
