//! `keytrail ssh-key files` and `register`, as a person types them.

use std::{fs, os::unix::fs::PermissionsExt as _};

use keytrail::ssh_keys::Target;
use keytrail_test_support::server::{Home, Options};

use crate::{
    command_line::{done, failed, lines, text},
    metrics::{metrics, value},
    ssh_keys::{key, written},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_keytrail");
const WORD: &str = "correct horse";

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_account_is_listed_registered_and_retired_and_its_file_stays() {
    // The home of the account is the folder of the case.
    let env = vec![("KEYTRAIL__SSH_KEYS__FOLDER".to_owned(), "~/.ssh".to_owned())];
    let server = Home::new(PROGRAM, Options { env, ..Options::default() }).start().await;
    let home = server.home();
    let folder = home.folder().join(".ssh");
    let said = failed(home.run(["ssh-key", "files"]).await, 4);
    assert!(said.contains("/.ssh cannot be read"), "{said}");
    fs::create_dir(&folder).expect("a folder");
    let printed = done(home.run(["ssh-key", "files"]).await);
    assert!(printed.contains("no private key is in"), "{printed}");
    let (plain, sealed) = (folder.join("deploy"), folder.join("my key"));
    fs::write(&plain, written(&key(1), Target::OpenSsh, None)).expect("a file");
    fs::write(&sealed, written(&key(2), Target::OpenSsh, Some(WORD))).expect("a file");
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o600)).expect("it is ours");

    let printed = done(home.run(["ssh-key", "files"]).await);
    let add = format!("keytrail ssh-key add '{}' --name NAME", text(&sealed));
    for wanted in [text(&plain), &key(1).public().sha256(), "ssh_key_passphrase_needed", &add] {
        assert!(printed.contains(wanted), "{wanted}: {printed}");
    }
    let told = lines(&done(home.run(["ssh-key", "files", "--json"]).await)).remove(0);
    assert_eq!((&told["files"][0]["usable"], &told["files"][1]["usable"]), (&true.into(), &false.into()), "{told}");
    let said = failed(home.run(["ssh-key", "register", text(&sealed), "--name", "sealed"]).await, 2);
    assert!(said.contains(&add), "{said}");
    failed(home.run(["ssh-key", "register", "/nowhere", "--name", "nowhere"]).await, 3);

    let printed = done(home.run(["ssh-key", "register", text(&plain), "--name", "deploy", "--reserved"]).await);
    for wanted in ["on_disk", text(&plain), "stays there", &key(1).public().openssh("ann@laptop for …")] {
        assert!(printed.contains(wanted), "{wanted}: {printed}");
    }
    let again = ["ssh-key", "register", &key(1).public().sha256(), "--name", "other"].map(str::to_owned);
    let said = failed(home.run(again).await, 4);
    assert!(said.contains("The pool has this key already"), "{said}");
    let listed = lines(&done(home.run(["ssh-key", "list", "--json"]).await)).remove(0);
    assert_eq!((&listed["origin"], &listed["path"]), (&"on_disk".into(), &text(&plain).into()), "{listed}");
    assert_eq!(listed["common"], false, "{listed}");
    let figures = metrics(&server).await;
    let of = |store: &str| value(&figures, &format!("keytrail_ssh_keys{{store=\"{store}\"}}"));
    assert_eq!((of("server"), of("disk")), (0.0, 1.0));
    let would = done(home.run(["ssh-key", "retire", "deploy", "--dry-run"]).await);
    assert!(would.contains("stays on the server"), "{would}");
    done(home.run(["ssh-key", "retire", "deploy", "--yes"]).await);
    assert_eq!(fs::read_to_string(&plain).expect("it is there"), written(&key(1), Target::OpenSsh, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_looks_into_no_folder_says_what_to_set() {
    let home = Home::new(PROGRAM, Options::default());
    let printed = done(home.run(["ssh-key", "files"]).await);
    assert!(printed.contains("ssh_keys.folder"), "{printed}");
    let said = failed(home.run(["ssh-key", "register", "/nowhere", "--name", "nowhere"]).await, 3);
    assert!(said.contains("ssh_keys.folder"), "{said}");
}
