//! Access tokens let in whom they should, as long as they should.

pub(crate) mod suite {
    use std::sync::Arc;

    use keytrail_domain::{access::Role, display_text::DisplayText, id::TokenId};
    use uuid::Uuid;

    use super::super::{NOW, read, write};
    use crate::{
        secrets::{Authenticated, NewToken, Tokens},
        store::Db,
    };

    pub(crate) async fn a_token_works_until_it_expires_or_is_revoked(db: &Arc<Db>) {
        let tokens = Tokens::new(db.clone());
        let (id, name, end) = (TokenId(Uuid::from_u128(1)), DisplayText::clean("ci"), NOW.plus_micros(100));
        let (new, never) = (NewToken::random(), NewToken::random());
        let token = new.token.expose();
        assert_eq!(tokens.authenticate(token, NOW).await.expect("reads"), None, "not issued yet");
        write(db, new.issue_statement(id, &name, Role::Auditor, None, end)).await;
        let who = Some(Authenticated { id, name, role: Role::Auditor, scopes: None, expires_at: end });
        assert_eq!(tokens.authenticate(token, NOW).await.expect("reads"), who);
        assert_eq!(tokens.authenticate(token, end.plus_micros(-1)).await.expect("reads"), who);
        assert_eq!(tokens.authenticate(token, end).await.expect("reads"), None, "expired");
        assert_eq!(tokens.authenticate(never.token.expose(), NOW).await.expect("reads"), None, "never issued");
        write(db, Tokens::revoke_statement(id, NOW)).await;
        write(db, Tokens::revoke_statement(id, NOW.plus_micros(5))).await;
        assert_eq!(tokens.authenticate(token, NOW).await.expect("reads"), None, "revoked");
        assert_eq!(
            read(db, "SELECT revoked_at FROM access_tokens").await,
            vec![vec![NOW.into()]],
            "the first time counts"
        );
        let stored = format!("{:?}", read(db, "SELECT * FROM access_tokens").await);
        assert!(!stored.contains(token.as_str()), "the token itself is nowhere");
    }

    pub(crate) async fn what_is_no_token_is_not_looked_up(db: &Arc<Db>) {
        let new = NewToken::random();
        let tokens = Tokens::new(db.clone());
        let token = new.token.expose();
        // Not even the table is needed.
        write(db, crate::store::Statement::new("DROP TABLE access_tokens", vec![])).await;
        for at in 0..token.len() {
            let mut typo = token.clone().into_bytes();
            typo[at] = if typo[at] == b'a' { b'b' } else { b'a' };
            let typo = String::from_utf8(typo).expect("ASCII");
            assert_eq!(tokens.authenticate(&typo, NOW).await.expect("no look"), None, "{at}");
        }
        for other in
            ["", "kt_", "_", "kt__", "Bearer", "kt_é_é", &token[1..], &token[..token.len() - 1], &format!("{token} ")]
        {
            assert_eq!(tokens.authenticate(other, NOW).await.expect("no look"), None, "{other}");
        }
        assert!(tokens.authenticate(token, NOW).await.is_err(), "a well-formed one is looked up");
    }
}

super::on_a_store!(a_token_works_until_it_expires_or_is_revoked, what_is_no_token_is_not_looked_up);

#[test]
fn a_token_has_its_shape() {
    use crate::secrets::NewToken;
    let (one, two) = (NewToken::random(), NewToken::random());
    let token = one.token.expose();
    assert_ne!(token, two.token.expose());
    assert_eq!(token.len(), 3 + 43 + 1 + 6);
    assert!(token.starts_with(&one.prefix) && one.prefix.starts_with("kt_") && one.prefix.len() == 8);
    assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
}
