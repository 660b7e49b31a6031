//! What is sealed opens where it was sealed for, and nowhere else.

pub(crate) mod suite {
    use std::sync::Arc;

    use keytrail_projections::row;

    use super::super::{NOW, clear, code, owner, read, run, vault, write};
    use crate::{secrets::Vault, store::Db};

    pub(crate) async fn a_sealed_row_opens_again(db: &Arc<Db>) {
        let vault = vault(db, 1).await.expect("opens");
        let (name, row) = vault.seal(owner(1), "token", &clear("geheim"), NOW);
        assert_eq!(code(vault.open(name, owner(1), "token").await), "secret_missing");
        write(db, row.into_statement()).await;
        assert_eq!(
            vault.open(name, owner(1), "token").await.map(|it| it.expose().clone()).ok(),
            Some(b"geheim".to_vec())
        );
        let stored = format!("{:?}", read(db, "SELECT sealed FROM secrets").await);
        assert!(!stored.contains(&format!("{:?}", b"geheim").replace(['[', ']'], "")), "the row holds the clear bytes");
        write(db, Vault::forget(name)).await;
        assert_eq!(code(vault.open(name, owner(1), "token").await), "secret_missing");
    }

    pub(crate) async fn a_moved_row_does_not_open(db: &Arc<Db>) {
        let vault = vault(db, 1).await.expect("opens");
        let (name, row) = vault.seal(owner(1), "token", &clear("one"), NOW);
        let (other, other_row) = vault.seal(owner(1), "token", &clear("two"), NOW);
        write(db, row.into_statement()).await;
        write(db, other_row.into_statement()).await;
        assert_eq!(code(vault.open(name, owner(2), "token").await), "secret_damaged", "asked for by another owner");
        assert_eq!(code(vault.open(name, owner(1), "pem").await), "secret_damaged", "asked for as another field");
        run(db, "UPDATE secrets SET owner_id = $2 WHERE secret_ref = $1", row![name.0, owner(2).id]).await;
        assert_eq!(code(vault.open(name, owner(2), "token").await), "secret_damaged", "moved to another owner");
        run(db, "UPDATE secrets SET owner_id = $2, field = 'pem' WHERE secret_ref = $1", row![name.0, owner(1).id])
            .await;
        assert_eq!(code(vault.open(name, owner(1), "pem").await), "secret_damaged", "moved to another field");
        run(db, "UPDATE secrets SET field = 'token', owner_kind = 'installation' WHERE secret_ref = $1", row![name.0])
            .await;
        let kind = crate::secrets::Owner::new("installation", owner(1).id);
        assert_eq!(code(vault.open(name, kind, "token").await), "secret_damaged", "moved to another kind");
        run(
            db,
            "UPDATE secrets SET owner_kind = 'integration', sealed = (SELECT sealed FROM secrets WHERE secret_ref = $2) WHERE secret_ref = $1",
            row![name.0, other.0],
        )
        .await;
        assert_eq!(code(vault.open(name, owner(1), "token").await), "secret_damaged", "moved to another name");
        assert_eq!(code(vault.open(other, owner(1), "token").await), "it worked");
    }

    pub(crate) async fn a_changed_byte_does_not_open(db: &Arc<Db>) {
        let vault = vault(db, 1).await.expect("opens");
        let (name, row) = vault.seal(owner(1), "token", &clear("geheim"), NOW);
        write(db, row.into_statement()).await;
        let rows = read(db, "SELECT sealed FROM secrets").await;
        let sealed = keytrail_projections::value::Cells::of(&rows[0]).bytes().expect("bytes").to_vec();
        for at in [0, 1, 24, 25, 30, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            run(db, "UPDATE secrets SET sealed = $1", row![changed.as_slice()]).await;
            assert_eq!(code(vault.open(name, owner(1), "token").await), "secret_damaged", "byte {at}");
        }
        for length in [0, 1, 24, 25, 40, sealed.len() - 1] {
            run(db, "UPDATE secrets SET sealed = $1", row![&sealed[..length]]).await;
            assert_eq!(code(vault.open(name, owner(1), "token").await), "secret_damaged", "cut to {length}");
        }
        run(db, "UPDATE secrets SET sealed = $1", row![sealed.as_slice()]).await;
        assert_eq!(code(vault.open(name, owner(1), "token").await), "it worked");
    }

    pub(crate) async fn all_secrets_of_an_owner_go_and_no_others(db: &Arc<Db>) {
        let vault = vault(db, 1).await.expect("opens");
        for (n, field) in [(1, "token"), (1, "pem"), (2, "token")] {
            write(db, vault.seal(owner(n), field, &clear("x"), NOW).1.into_statement()).await;
        }
        write(db, Vault::forget_all_of(owner(1))).await;
        assert_eq!(read(db, "SELECT owner_id FROM secrets").await, vec![row![owner(2).id]]);
    }
}

super::on_a_store!(
    a_sealed_row_opens_again,
    a_moved_row_does_not_open,
    a_changed_byte_does_not_open,
    all_secrets_of_an_owner_go_and_no_others,
);

mod cipher {
    use crate::secrets::{
        Secret,
        seal::{associated, open, seal},
    };

    #[test]
    fn parts_that_read_the_same_together_are_told_apart() {
        assert_ne!(associated(&[b"ab", b"c"]), associated(&[b"a", b"bc"]));
        assert_ne!(associated(&[b"ab", b""]), associated(&[b"ab"]));
    }

    #[test]
    fn the_same_bytes_never_seal_the_same() {
        let key = Secret::new([7; 32]);
        let (one, two) = (seal(&key, b"", b"clear"), seal(&key, b"", b"clear"));
        assert_ne!(one, two);
        assert!(open(&key, b"", &one).is_some_and(|clear| clear.expose() == b"clear"));
        assert!(open(&Secret::new([8; 32]), b"", &one).is_none());
        assert!(open(&key, b"", &seal(&key, b"", b"")).is_some_and(|clear| clear.expose().is_empty()));
    }
}
