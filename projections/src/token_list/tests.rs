//! What happens to a token, as the list shows it.

use keytrail_domain::{
    access::{Role, Scope, Scopes},
    display_text::DisplayText,
    timestamp::Timestamp,
};

use super::*;
use crate::{
    fact_histories::{Log, id},
    fake_store::{FakeStore, check_columns, check_read},
    stored::Stored,
};

fn after(events: &[Event]) -> Vec<Token> {
    let mut log = Log::default();
    for event in events {
        log.append(id(4, 1), Fact::Access(event.clone()));
    }
    FakeStore::folded(&TokenList, log.facts(), 2).read(&TOKENS, Token::read)
}

fn issued() -> Event {
    Event::TokenIssued {
        name: DisplayText::clean("laptop"),
        role: Role::Auditor,
        scopes: Scopes::of([Scope::EventsRead, Scope::IssuesRead]),
        expires_at: Timestamp::from_seconds(900),
        prefix: "kt_abc".to_owned(),
    }
}

#[test]
fn an_issued_token_is_listed() {
    let expected = Token {
        id: TokenId(id(4, 1)),
        name: "laptop".to_owned(),
        role: Role::Auditor,
        scopes: Scopes::of([Scope::EventsRead, Scope::IssuesRead]),
        prefix: "kt_abc".to_owned(),
        issued_at: Timestamp::from_seconds(1),
        expires_at: Timestamp::from_seconds(900),
        revoked_at: None,
        issued_position: 1,
        version: 1,
        position: 1,
    };
    assert_eq!(after(&[issued()]), [expected]);
}

#[test]
fn a_revoked_token_says_when() {
    let tokens = after(&[issued(), Event::TokenRevoked {}, Event::TokenRevoked {}]);
    assert_eq!((tokens[0].revoked_at, tokens[0].version), (Some(Timestamp::from_seconds(2)), 3));
}

#[test]
fn revoking_what_is_not_there_shows_nothing() {
    assert_eq!(after(&[Event::TokenRevoked {}]), []);
}

#[test]
fn reads_fit_their_table() {
    for read in [by_id(TokenId(id(4, 1))), page(None, 10), page(Some(3), 10)] {
        check_read(&read);
        check_columns(&read, &TOKENS, "");
    }
}
