//! Root key, data keys, the server's own keys.

pub(crate) mod suite {
    use std::sync::Arc;

    use keytrail_projections::row;

    use super::super::{NOW, clear, code, owner, read, root, run, vault, write};
    use crate::{
        secrets::{ServerSecrets, rotate_root_key},
        store::{Area, Db},
    };

    pub(crate) async fn a_wrong_root_key_is_refused(db: &Arc<Db>) {
        vault(db, 1).await.expect("the first one makes the keys");
        assert_eq!(code(vault(db, 2).await), "root_key_wrong");
        assert_eq!(code(vault(db, 1).await), "it worked");
        run(db, "UPDATE data_keys SET wrapped = $1", row![&b"not what was written"[..]]).await;
        assert_eq!(code(vault(db, 1).await), "data_key_damaged");
    }

    pub(crate) async fn a_new_root_key_opens_what_the_old_one_did(db: &Arc<Db>) {
        let before = vault(db, 1).await.expect("opens");
        let (name, row) = before.seal(owner(1), "token", &clear("geheim"), NOW);
        write(db, row.into_statement()).await;
        before.rotate_data_key(NOW, |_| {}).await.expect("rotates");
        assert_eq!(code(rotate_root_key(db, &root(9), &root(2)).await), "root_key_wrong", "neither old nor new");
        assert_eq!(rotate_root_key(db, &root(1), &root(2)).await.ok(), Some(2));
        assert_eq!(rotate_root_key(db, &root(1), &root(2)).await.ok(), Some(0), "again: nothing is left to do");
        assert_eq!(code(vault(db, 1).await), "root_key_wrong");
        let after = vault(db, 2).await.expect("opens");
        assert_eq!(code(after.open(name, owner(1), "token").await), "it worked");
        // Who still has the old root key reads on, but adds no key that the new one would not open.
        assert_eq!(code(before.open(name, owner(1), "token").await), "it worked");
        assert_eq!(code(before.rotate_data_key(NOW, |_| {}).await), "root_key_wrong");
        assert_eq!(code(vault(db, 2).await), "it worked");
    }

    pub(crate) async fn a_half_done_root_rotation_goes_on(db: &Arc<Db>) {
        let before = vault(db, 1).await.expect("opens");
        before.rotate_data_key(NOW, |_| {}).await.expect("rotates");
        let keys = crate::secrets::data_keys::WrappedKey::all(db).await.expect("reads");
        write(db, keys[0].rewrap(&root(1), &root(2)).expect("wraps")).await;
        assert_eq!(code(vault(db, 2).await), "root_key_wrong", "mixed keys start nowhere");
        assert_eq!(rotate_root_key(db, &root(1), &root(2)).await.ok(), Some(1));
        assert_eq!(code(vault(db, 2).await), "it worked");
    }

    pub(crate) async fn a_new_data_key_seals_everything_again(db: &Arc<Db>) {
        let (one, other) = (vault(db, 1).await.expect("opens"), vault(db, 1).await.expect("opens"));
        let mut names = Vec::new();
        for n in 0..600 {
            let (name, row) = one.seal(owner(n), "token", &clear(&n.to_string()), NOW);
            names.push(name);
            write(db, row.into_statement()).await;
        }
        let mut told = Vec::new();
        let end = one.rotate_data_key(NOW, |state| told.push(state.looked_at)).await.expect("rotates");
        assert_eq!((end.total, end.looked_at, end.resealed, end.unreadable.len()), (600, 600, 600, 0));
        assert_eq!(told, [256, 512, 600]);
        assert_eq!(one.reseal(|_| {}).await.expect("reseals").resealed, 0, "again: nothing is left to do");
        for (n, name) in names.iter().enumerate() {
            let opened = other.open(*name, owner(n as u128), "token").await.expect("the other node finds the new key");
            assert_eq!(opened.expose(), n.to_string().as_bytes());
        }
        let uses = other.key_uses().await.expect("opens all");
        assert_eq!(uses.iter().map(|line| (line.newest, line.secrets)).collect::<Vec<_>>(), [(true, 600), (false, 0)]);
    }

    pub(crate) async fn the_doctor_is_told_what_does_not_open(db: &Arc<Db>) {
        let vault = vault(db, 1).await.expect("opens");
        let (good, row) = vault.seal(owner(1), "token", &clear("good"), NOW);
        write(db, row.into_statement()).await;
        let (bad, row) = vault.seal(owner(2), "token", &clear("bad"), NOW);
        write(db, row.into_statement()).await;
        run(db, "UPDATE secrets SET field = 'pem' WHERE secret_ref = $1", row![bad.0]).await;
        let (lost, row) = vault.seal(owner(3), "token", &clear("lost"), NOW);
        write(db, row.into_statement()).await;
        run(db, "UPDATE secrets SET key_id = $2 WHERE secret_ref = $1", row![lost.0, owner(99).id]).await;
        assert_eq!(code(vault.open(lost, owner(3), "token").await), "data_key_unknown");
        let mut uses = vault.key_uses().await.expect("looks at all");
        uses.sort_by_key(|line| line.created_at.is_none());
        let lines: Vec<_> = uses.iter().map(|line| (line.newest, line.secrets, line.unreadable.clone())).collect();
        assert_eq!(lines, [(true, 2, vec![bad]), (false, 1, vec![lost])]);
        let end = vault.rotate_data_key(NOW, |_| {}).await.expect("goes on past what does not open");
        assert_eq!(end.resealed, 1);
        assert_eq!(end.unreadable.len(), 2);
        assert_eq!(code(vault.open(good, owner(1), "token").await), "it worked");
    }

    pub(crate) async fn nodes_that_start_together_agree(db: &Arc<Db>) {
        let start = || async {
            let vault = vault(db, 1).await.expect("opens");
            let secrets = ServerSecrets::load_or_make(&vault, NOW).await.expect("loads");
            (secrets.people.person_id(b"a@b"), secrets.requests.of(b"x"), secrets.cursors.of(b"x"))
        };
        let (one, two, three, four) = tokio::join!(start(), start(), start(), start());
        assert!(one == two && two == three && three == four);
        assert_ne!(one.1, one.2, "each purpose has a key of its own");
        assert_eq!(start().await, one, "and so has the next start");
        assert_eq!(read(db, "SELECT key_id FROM data_keys").await.len(), 1);
        assert_eq!(read(db, "SELECT secret_ref FROM secrets").await.len(), 4);
        vault(db, 1).await.expect("opens").rotate_data_key(NOW, |_| {}).await.expect("rotates");
        assert_eq!(start().await, one, "a rotation changes no id of a person");
    }

    pub(crate) async fn keys_that_change_meanwhile_are_left(db: &Arc<Db>) {
        let vault = vault(db, 1).await.expect("opens");
        let known = vault.keys();
        rotate_root_key(db, &root(1), &root(2)).await.expect("rotates");
        assert_eq!(code(known.add(db, &root(1), NOW).await), "keys_changing");
        let keys = db.read(Area::Log, "SELECT key_id FROM data_keys", &[]).await.expect("reads");
        assert_eq!(keys.len(), 1);
    }

    pub(crate) async fn a_key_that_comes_between_is_not_left_behind(db: &Arc<Db>) {
        let vault = vault(db, 1).await.expect("opens");
        let stored = crate::secrets::data_keys::WrappedKey::all(db).await.expect("reads");
        let late = crate::secrets::rekey::statements(&stored, &root(1), &root(2)).expect("wraps");
        vault.add_key(NOW).await.expect("adds");
        let refused = db.write(Area::Log, late).await;
        assert!(matches!(refused, Err(crate::store::StoreError::Fenced)), "{refused:?}");
        assert_eq!(code(super::super::vault(db, 1).await), "it worked", "nothing was changed");
    }
}

super::on_a_store!(
    a_wrong_root_key_is_refused,
    a_new_root_key_opens_what_the_old_one_did,
    a_half_done_root_rotation_goes_on,
    a_new_data_key_seals_everything_again,
    the_doctor_is_told_what_does_not_open,
    nodes_that_start_together_agree,
    keys_that_change_meanwhile_are_left,
    a_key_that_comes_between_is_not_left_behind,
);

mod root_key_file {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

    use super::super::{NOW, code, ready, root};
    use crate::secrets::{RootKey, RootKeyPlace, Secret, Vault};

    struct Folders {
        _all: tempfile::TempDir,
        config: std::path::PathBuf,
        data: std::path::PathBuf,
    }

    fn folders() -> Folders {
        let all = tempfile::tempdir().expect("a folder");
        let (config, data) = (all.path().join("config"), all.path().join("data"));
        fs::create_dir(&config).expect("a folder");
        fs::create_dir(&data).expect("a folder");
        Folders { _all: all, config, data }
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
    }

    #[test]
    fn it_is_made_once_for_its_owner_only() {
        let folders = folders();
        let path = folders.config.join("root.key");
        let checks: Vec<_> = std::thread::scope(|scope| {
            let make = || RootKey::read_or_make(&path, &folders.data).map(|key| key.check()).ok();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert!(checks[0].is_some() && checks.iter().all(|check| *check == checks[0]), "all have the same key");
        assert_eq!(fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
        let left: Vec<_> = fs::read_dir(&folders.config).expect("reads").collect();
        assert_eq!(left.len(), 1, "no draft is left: {left:?}");
    }

    #[test]
    fn what_others_can_read_is_refused_with_the_remedy() {
        let folders = folders();
        let path = folders.config.join("root.key");
        root(1).write_new(&path).expect("writes");
        for exposed in [0o640, 0o604, 0o660, 0o602] {
            mode(&path, exposed);
            let error = RootKey::read(&path, &folders.data).err().expect("refused");
            assert_eq!(error.code(), "root_key_exposed");
            assert!(error.to_string().contains(&format!("chmod 600 '{}'", path.display())), "{error}");
        }
        mode(&path, 0o400);
        assert_eq!(code(RootKey::read(&path, &folders.data)), "it worked");
    }

    #[test]
    fn the_data_folder_is_no_place_for_it() {
        let folders = folders();
        let inside = folders.data.join("root.key");
        assert_eq!(code(RootKey::read_or_make(&inside, &folders.data)), "root_key_misplaced");
        assert!(!inside.exists());
        root(1).write_new(&inside).expect("writes");
        let link = folders.config.join("root.key");
        std::os::unix::fs::symlink(&inside, &link).expect("links");
        assert_eq!(code(RootKey::read(&link, &folders.data)), "root_key_misplaced", "by a link");
        let around = folders.config.join("../data/root.key");
        assert_eq!(code(RootKey::read(&around, &folders.data)), "root_key_misplaced", "by a detour");
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        for text in ["", "hunter2", "aGVsbG8=", &"A".repeat(44)] {
            let error = RootKey::parse(&Secret::new(text.to_owned()), "a test").err().expect("refused");
            assert_eq!(error.code(), "root_key_malformed");
            assert!(text.is_empty() || !error.to_string().contains(text));
        }
        let folders = folders();
        let path = folders.config.join("root.key");
        fs::write(&path, [0xff; 4096]).expect("writes");
        mode(&path, 0o600);
        assert_eq!(code(RootKey::read(&path, &folders.data)), "root_key_malformed");
    }

    #[test]
    fn a_new_file_never_replaces_one() {
        let folders = folders();
        let (path, next) = (folders.config.join("root.key"), folders.config.join("root.key.new"));
        root(1).write_new(&path).expect("writes");
        assert!(root(2).write_new(&path).is_err());
        root(2).write_new(&next).expect("writes");
        RootKey::put_in_place(&next, &path).expect("moves");
        assert_eq!(RootKey::read(&path, &folders.data).map(|key| key.check()).ok(), Some(root(2).check()));
        assert!(!next.exists());
    }

    #[tokio::test]
    async fn it_is_not_made_anew_for_a_database_that_has_secrets() {
        let folders = folders();
        let path = folders.config.join("root.key");
        let place = RootKeyPlace::MadeWhenMissing(path.clone());
        let db = ready(&folders.data).await;
        let open = || Vault::open_at(db.clone(), &place, &folders.data, NOW);
        assert_eq!(code(open().await), "it worked");
        assert_eq!(code(open().await), "it worked");
        fs::remove_file(&path).expect("is there");
        assert_eq!(code(open().await), "root_key_missing");
        assert!(!path.exists());
    }
}
