//! `keytrail ssh-key` over keys that the server keeps, as a person types it.

use keytrail::{
    secrets::Secret,
    ssh_keys::{self, Target},
};
use keytrail_test_support::server::{Home, Options};

use crate::{
    command_line::{done, failed, lines, text},
    metrics::{metrics, value},
    ssh_keys::written,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_keytrail");
const WORD: &str = "correct horse";

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_added_from_a_file_shown_renamed_and_retired() {
    let server = Home::new(PROGRAM, Options::default()).start().await;
    let home = server.home();
    let key = ssh_keys::ed25519(Secret::new(vec![9; 32]), "ann@laptop").expect("a key");
    let (file, word) = (home.folder().join("key"), home.folder().join("word"));
    std::fs::write(&file, written(&key, Target::OpenSsh, Some(WORD))).expect("a file");
    std::fs::write(&word, format!("{WORD}\n")).expect("a file");
    let add = ["ssh-key", "add", text(&file), "--name", "deploy"];
    // It is looked at here: without its passphrase nothing is sent.
    let said = failed(home.run(add).await, 2);
    assert!(said.contains("ssh_key_passphrase_needed") && said.contains("--passphrase-file"), "{said}");
    let printed = done(home.run(add.iter().copied().chain(["--passphrase-file", text(&word)])).await);
    for wanted in
        ["deploy", "openssh, with a passphrase", "ann@laptop", &key.public().sha256(), "never", "GitLab: In the"]
    {
        assert!(printed.contains(wanted), "{wanted}: {printed}");
    }
    assert!(printed.contains(&key.public().openssh("ann@laptop")), "{printed}");
    assert!(printed.contains(key.public().rfc4716("ann@laptop").trim_end()), "{printed}");
    let again = ["ssh-key", "add", text(&file), "--name", "other", "--passphrase-file", text(&word)];
    let said = failed(home.run(again).await, 4);
    assert!(said.contains("The pool has this key already"), "{said}");

    let listed = lines(&done(home.run(["ssh-key", "list", "--json"]).await));
    assert_eq!((listed.len(), listed[0]["name"].as_str()), (1, Some("deploy")));
    let table = done(home.run(["ssh-key", "list"]).await);
    assert!(table.contains("deploy") && table.contains("ssh-ed25519"), "{table}");
    assert_eq!(done(home.run(["ssh-key", "list", "--older-than", "1", "--json"]).await), "");
    let shown = lines(&done(home.run(["ssh-key", "show", "DEPLOY", "--json"]).await)).remove(0);
    assert_eq!(shown["public"]["openssh"], shown["public_key"]);
    let figures = metrics(&server).await;
    let told = ["{store=\"server\"}", "{store=\"disk\"}", "_never_used", "_old"];
    let told = told.map(|which| value(&figures, &format!("keytrail_ssh_keys{which}")));
    assert_eq!(told, [1.0, 0.0, 1.0, 0.0]);
    assert!(value(&figures, "keytrail_ssh_key_oldest_seconds") >= 0.0);

    assert_eq!(done(home.run(["ssh-key", "rename", "deploy", "build"]).await), "renamed\n");
    let said = done(home.run(["ssh-key", "reserve", "build"]).await);
    assert!(said.contains("only where it is chosen"), "{said}");
    assert!(done(home.run(["ssh-key", "show", "build"]).await).contains("common       no\n"));
    let shared = lines(&done(home.run(["ssh-key", "share", "build", "--json"]).await)).remove(0);
    assert_eq!(shared["common"], true);
    let said = failed(home.run(["ssh-key", "retire", "build"]).await, 2);
    assert!(said.contains("--yes") && said.contains("build"), "{said}");
    done(home.run(["ssh-key", "retire", "build", "--yes"]).await);
    assert_eq!(done(home.run(["ssh-key", "list", "--json"]).await), "");
    assert_eq!(lines(&done(home.run(["ssh-key", "list", "--all", "--json"]).await)).len(), 1);
    failed(home.run(["ssh-key", "show", "build"]).await, 3);
    let id = listed[0]["id"].as_str().expect("an id");
    let retired = done(home.run(["ssh-key", "show", id]).await);
    assert!(retired.contains("The private half is forgotten here"), "{retired}");
    // Who looks is told so, and saying it twice is no failure.
    let would = done(home.run(["ssh-key", "retire", id, "--dry-run"]).await);
    assert!(would.contains("is retired already") && would.contains("nothing was done"), "{would}");
    done(home.run(["ssh-key", "retire", id]).await);
    let figures = metrics(&server).await;
    for which in ["{store=\"server\"}", "_never_used"] {
        assert_eq!(value(&figures, &format!("keytrail_ssh_keys{which}")), 0.0, "a retired key counts no more");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_makes_a_key_for_a_git_host_that_takes_only_rsa_and_says_why() {
    // No server runs: one is started for as long as the command takes.
    let home = Home::new(PROGRAM, Options::default());
    let printed = done(home.run(["ssh-key", "generate", "azure", "--for", "azure_devops"]).await);
    for wanted in ["ssh-rsa, 4096 bits", "Azure DevOps takes RSA only", "belongs to this server alone"] {
        assert!(printed.contains(wanted), "{wanted}: {printed}");
    }
    assert!(!printed.contains("PRIVATE KEY"), "{printed}");
    let made = lines(&done(home.run(["ssh-key", "generate", "usual", "--json"]).await)).remove(0);
    assert_eq!((&made["algorithm"], &made["common"]), (&"ssh-ed25519".into(), &true.into()));
    let reserved = ["ssh-key", "generate", "reserved", "--reserved", "--json"];
    assert_eq!(lines(&done(home.run(reserved).await)).remove(0)["common"], false);
    let said =
        failed(home.run(["ssh-key", "generate", "aws", "--for", "aws_codecommit", "--type", "ed25519"]).await, 4);
    assert!(said.contains("takes RSA only"), "{said}");
    // What cannot be used is told here, with what mends it.
    let public = home.folder().join("key.pub");
    std::fs::write(&public, made["public_key"].as_str().expect("a text")).expect("a file");
    let said = failed(home.run(["ssh-key", "add", text(&public), "--name", "x"]).await, 2);
    assert!(said.contains("ssh_key_public") && said.contains("ssh-keygen -t ed25519"), "{said}");
    failed(home.run(["ssh-key", "add", "nowhere", "--name", "x"]).await, 3);
}
