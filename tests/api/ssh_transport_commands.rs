//! Repositories over SSH as a person types it: a key, the host's own key, trying it out, adding it.

use keytrail::{
    secrets::Secret,
    ssh_keys::{self, Target},
};
use keytrail_test_support::{
    server::{Home, Options},
    sshd::{Config, Sshd},
};
use serde_json::Value;

use crate::{
    command_line::{done, failed, lines, text},
    repository::{self, git},
    server::soon,
    ssh_keys::written,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_keytrail");

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_over_ssh_is_tried_out_and_added_with_a_key_that_is_called_by_its_name() {
    let env = [("KEYTRAIL__GIT__FREE_BYTES", "0"), ("KEYTRAIL__GIT__HOSTS", "[\"127.0.0.1\"]")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let server = Home::new(PROGRAM, Options { env, ..Options::default() }).start().await;
    let home = server.home();
    let made = |name: &str| {
        let (home, name) = (home.clone(), name.to_owned());
        async move { lines(&done(home.run(["ssh-key", "generate", &name, "--json"]).await)).remove(0) }
    };
    let (deploy, other) = (made("deploy").await, made("other").await);
    repository::with_commits(&home.folder().join("work"), &["SHOP-1 begins"]);
    git(home.folder(), &["clone", "-q", "--bare", "work", "shop.git"]);
    let authorized = vec![deploy["public_key"].as_str().expect("a public half").to_owned()];
    let sshd = Sshd::start(Config { authorized, ..Config::default() });
    let sshd = sshd.expect("install the Debian package openssh-server");
    let url = format!("ssh://{}@127.0.0.1:{}{}/shop.git", sshd.user(), sshd.port, home.folder().display());

    let (code, printed, complained) = home.run(["integration", "test", &url]).await;
    assert_eq!(code, Some(1), "{printed}{complained}");
    for wanted in
        ["connection        ok", "host key          failed (host_key_unknown)", "repository        not reached"]
    {
        assert!(printed.contains(wanted), "{wanted}: {printed}");
    }
    let known = home.folder().join("known_hosts");
    std::fs::write(&known, sshd.known_hosts().expect("it has keys")).expect("a file");
    done(home.run(["host-key", "import", text(&known)]).await);
    let printed = done(home.run(["integration", "test", &url]).await);
    let id = |key: &Value| key["id"].as_str().expect("an id").to_owned();
    assert!(printed.contains(&format!("1 key offered; the host took {}", id(&deploy))), "{printed}");
    let (code, printed, _) = home.run(["integration", "test", &url, "--ssh-key", "other", "--json"]).await;
    let tested = lines(&printed).remove(0);
    assert_eq!(
        (code, &tested["offered"][0], &tested["steps"][3]["code"]),
        (Some(1), &other["id"], &"ssh_auth_failed".into())
    );
    // A key that the server does not have is tried, and not kept.
    let own = ssh_keys::ed25519(Secret::new(vec![6; 32]), "ann@laptop").expect("a key");
    let file = home.folder().join("own");
    std::fs::write(&file, written(&own, Target::OpenSsh, None)).expect("a file");
    let try_out = ["integration", "test", &url, "--ssh-key-file", text(&file)];
    let (code, printed, _) = home.run(try_out).await;
    let fingerprint = own.public().sha256();
    assert!(code == Some(1) && printed.contains(&format!("{fingerprint} offered; the host did not take it")));
    let lets_in = |key: &Value| key["public_key"].as_str().expect("a public half").to_owned();
    sshd.authorize(&[lets_in(&deploy), own.public().openssh("")]).expect("a file");
    let printed = done(home.run(try_out).await);
    assert!(printed.contains(&format!("{fingerprint} offered; the host took it")), "{printed}");
    failed(home.run(try_out.into_iter().chain(["--ssh-key", "deploy"])).await, 2);
    let over_https = ["integration", "test", "https://127.0.0.1:1/shop.git", "--ssh-key-file", text(&file)];
    let said = failed(home.run(over_https).await, 2);
    assert!(said.contains("over SSH"), "{said}");
    assert_eq!(lines(&done(home.run(["ssh-key", "list", "--json"]).await)).len(), 2, "it is not kept");
    let said = failed(home.run(["integration", "test", "ssh://git:geheim@127.0.0.1/shop"]).await, 2);
    assert!(!said.contains("geheim"), "{said}");
    assert_eq!(done(home.run(["integration", "list", "--json"]).await), "", "nothing was kept");

    let add = ["integration", "add", &url, "--name", "shop", "--ssh-key", "deploy", "--json"];
    let added = lines(&done(home.run(add).await)).remove(0);
    assert_eq!(added["connection"]["ssh_key"], deploy["id"]);
    soon("it is indexed", || async {
        let listed = lines(&done(home.run(["repository", "list", "--json"]).await));
        listed.first().is_some_and(|row| row["state"] == "indexed")
    })
    .await;
    let repository = lines(&done(home.run(["repository", "list", "--json"]).await)).remove(0);
    let shown = lines(&done(home.run(["repository", "show", &id(&repository), "--json"]).await)).remove(0);
    assert_eq!((&shown["ssh"]["accepted"], &shown["ssh"]["offered"][0]), (&deploy["id"], &deploy["id"]));
    // One that is associated with it is the only one, and is not taken away from under it unasked either.
    let printed = done(home.run(["ssh-key", "associate", "other", &id(&repository)]).await);
    assert_eq!(printed, "associated; the key is the only one that is offered for 1 repository\n");
    let printed = done(home.run(["ssh-key", "show", "other"]).await);
    let name = repository["name"].as_str().expect("a name");
    assert!(printed.contains(&format!("only for     {name}\n")), "{printed}");
    let shown = lines(&done(home.run(["repository", "show", &id(&repository), "--json"]).await)).remove(0);
    assert_eq!(shown["ssh_key"], other["id"]);
    let said = failed(home.run(["ssh-key", "retire", "other"]).await, 2);
    assert!(said.contains(&format!("it is associated with {name}")) && said.contains("--yes"), "{said}");
    let dissociate = ["ssh-key", "dissociate", "other", name, "--json"];
    let free = lines(&done(home.run(dissociate).await)).remove(0);
    assert_eq!((&free["associated"], &free["state"]), (&0.into(), &"active".into()));
    // Its key is not taken away from under it unasked.
    let said = failed(home.run(["ssh-key", "retire", "deploy"]).await, 2);
    assert!(said.contains("it is chosen for shop") && said.contains("--yes"), "{said}");
    let printed = done(home.run(["ssh-key", "show", "deploy"]).await);
    assert!(printed.contains("chosen for   shop\n"), "{printed}");
    let moved = ["integration", "move", "shop", &url, "--common-ssh-keys", "--yes", "--json"];
    let moved = lines(&done(home.run(moved).await)).remove(0);
    assert_eq!(moved["connection"]["ssh_key"], Value::Null);
    let printed = done(home.run(["ssh-key", "show", "deploy"]).await);
    assert!(printed.contains("chosen for   no integration\n"), "{printed}");
    // Nor while it is read with it as a common one.
    soon("it is said who is read with it", || async {
        done(home.run(["ssh-key", "show", "deploy"]).await).contains(&format!("reads        {name}\n"))
    })
    .await;
    let printed = done(home.run(["ssh-key", "show", "deploy"]).await);
    assert!(printed.contains(&format!("used for     {name}\n")), "{printed}");
    // A look of the time when the other key was its own may end only now.
    let said = format!("because it is common: {name}");
    soon("it is not retired either", || async {
        failed(home.run(["ssh-key", "retire", "deploy"]).await, 2).contains(&said)
    })
    .await;
    let again = ["integration", "move", "shop", &url, "--ssh-key", "deploy", "--yes", "--json"];
    done(home.run(again).await);
    done(home.run(["ssh-key", "retire", "deploy", "--yes"]).await);
    let printed = done(home.run(["ssh-key", "show", &id(&deploy)]).await);
    assert!(printed.contains("chosen for   shop\n"), "{printed}");
    let local = ["integration", "add", text(home.folder()), "--name", "local", "--ssh-key", "deploy"];
    failed(home.run(local).await, 2);
    // One that nobody needs makes way for another at once.
    let next = made("next").await;
    let rotate = ["ssh-key", "rotate", "other", "--to", "next", "--json"];
    let rotated = lines(&done(home.run(rotate).await)).remove(0);
    assert_eq!((&rotated["kind"], &rotated["state"]), (&"rotate_ssh_key".into(), &"succeeded".into()));
    let was = lines(&done(home.run(["ssh-key", "show", &id(&other), "--json"]).await)).remove(0);
    assert_eq!((&was["state"], &was["rotation_to"]), (&"retired".into(), &next["id"]));
    let printed = done(home.run(["ssh-key", "show", &id(&other)]).await);
    assert!(printed.contains(&format!("made way for  {}\n", id(&next))), "{printed}");
    made("last").await;
    let printed = done(home.run(["ssh-key", "rotate", "next", "--to", "last", "--no-wait"]).await);
    assert!(printed.contains("keytrail operation show rotate_ssh_key."), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_a_file_comes_with_a_new_integration_and_is_said_to_stay_where_that_is_refused() {
    let env = [("KEYTRAIL__GIT__FREE_BYTES", "0"), ("KEYTRAIL__GIT__HOSTS", "[\"127.0.0.1\"]")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let server = Home::new(PROGRAM, Options { env, ..Options::default() }).start().await;
    let home = server.home();
    let made = |n: u8, word: Option<&str>| {
        let key = ssh_keys::ed25519(Secret::new(vec![n; 32]), "ann@laptop").expect("a key");
        let file = home.folder().join(format!("key-{n}"));
        std::fs::write(&file, written(&key, Target::OpenSsh, word)).expect("a file");
        (key, file)
    };
    let ((key, file), (_, second), (_, third)) = (made(7, Some("correct horse")), made(8, None), made(9, None));
    let word = home.folder().join("word");
    std::fs::write(&word, "correct horse\n").expect("a file");
    // Nobody runs it: the repository is there, and cannot be read for now.
    let url = |name: &str| format!("ssh://git@127.0.0.1:1/{name}.git");
    let (shop, pay, api) = (url("shop"), url("pay"), url("api"));
    let add = ["integration", "add", &shop, "--name", "shop", "--ssh-key-file", text(&file)];
    let with = |more: &[&str]| -> Vec<String> { add.iter().chain(more).map(|word| (*word).to_owned()).collect() };

    // What cannot be is said before anything is sent.
    let said = failed(home.run(with(&[])).await, 2);
    assert!(said.contains("ssh_key_passphrase_needed") && said.contains("--passphrase-file"), "{said}");
    for place in ["https://127.0.0.1:1/shop.git", "ssh://git@127.0.0.1:1/", text(home.folder())] {
        let nowhere = ["integration", "add", place, "--name", "shop", "--ssh-key-file", text(&second)];
        let said = failed(home.run(nowhere).await, 2);
        assert!(!said.contains("keeps the SSH key"), "{place}: {said}");
    }
    failed(home.run(with(&["--ssh-key", "shop"])).await, 2);
    failed(home.run(with(&["--common-ssh-keys"])).await, 2);
    let without = ["integration", "add", &shop, "--name", "shop", "--passphrase-file", text(&word)];
    let said = failed(home.run(without).await, 2);
    assert!(said.contains("--ssh-key-file"), "{said}");
    for list in ["ssh-key", "integration"] {
        assert_eq!(done(home.run([list, "list", "--json"]).await), "", "nothing was kept");
    }

    let opened = with(&["--json", "--passphrase-file", text(&word)]);
    let added = lines(&done(home.run(opened).await)).remove(0);
    let kept = lines(&done(home.run(["ssh-key", "show", "shop", "--json"]).await)).remove(0);
    assert_eq!((&added["connection"]["ssh_key"], &kept["common"]), (&kept["id"], &true.into()));
    assert_eq!(kept["fingerprint_sha256"], key.public().sha256());
    assert_eq!(kept["integrations"][0]["name"], "shop");

    // The key is there already, or its name is: nothing is added.
    let again = ["integration", "add", &pay, "--name", "pay", "--ssh-key-file", text(&file)];
    let again = again.into_iter().chain(["--passphrase-file", text(&word)]);
    let said = failed(home.run(again).await, 4);
    assert!(said.contains("ssh_key_taken") && said.contains("with --ssh-key in place"), "{said}");
    let same = ["integration", "add", &pay, "--name", "shop", "--ssh-key-file", text(&second)];
    let said = failed(home.run(same).await, 4);
    assert!(said.contains("ssh_key_name_taken") && said.contains("--ssh-key-name"), "{said}");
    // The key is kept, and the integration is refused: what is said then goes.
    let called = same.into_iter().chain(["--ssh-key-name", "the second", "--ssh-key-reserved"]);
    let said = failed(home.run(called).await, 4);
    for wanted in
        ["integration_name_taken", "keeps the SSH key 'the second' now", "--ssh-key 'the second'", "ssh-key retire"]
    {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    let left = lines(&done(home.run(["ssh-key", "show", "the second", "--json"]).await)).remove(0);
    assert_eq!((&left["used_by"], &left["common"]), (&0.into(), &false.into()));
    let as_said = ["integration", "add", &pay, "--name", "pay", "--ssh-key", "the second", "--json"];
    let added = lines(&done(home.run(as_said).await)).remove(0);
    assert_eq!(added["connection"]["ssh_key"], left["id"]);

    // From standard input, too.
    let piped = ["integration", "add", &api, "--name", "api", "--ssh-key-file", "-", "--json"];
    let file = std::fs::File::open(&third).expect("a file");
    let output = home.command(piped).stdin(file).output().await.expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let added = lines(&String::from_utf8_lossy(&output.stdout)).remove(0);
    let kept = lines(&done(home.run(["ssh-key", "show", "api", "--json"]).await)).remove(0);
    assert_eq!(added["connection"]["ssh_key"], kept["id"]);

    // And with a change in place.
    let ((other, file), (_, last)) = (made(10, Some("correct horse")), made(11, None));
    let moved = ["integration", "move", "pay", &pay, "--yes", "--json", "--ssh-key-file", text(&file)];
    let moved = moved.into_iter().chain(["--passphrase-file", text(&word)]);
    let moved = lines(&done(home.run(moved).await)).remove(0);
    let kept = lines(&done(home.run(["ssh-key", "show", "pay", "--json"]).await)).remove(0);
    assert_eq!(kept["fingerprint_sha256"], other.public().sha256());
    assert_eq!(moved["connection"]["ssh_key"], kept["id"]);
    let over_https = "https://127.0.0.1:1/pay.git";
    let nowhere = ["integration", "move", "pay", over_https, "--yes", "--ssh-key-file", text(&last)];
    let said = failed(home.run(nowhere).await, 2);
    assert!(!said.contains("keeps the SSH key"), "{said}");
    let taken = ["integration", "move", "pay", &shop, "--yes", "--ssh-key-file", text(&last), "--ssh-key-name", "last"];
    let said = failed(home.run(taken).await, 4);
    assert!(said.contains("connection_taken") && said.contains("keeps the SSH key last now"), "{said}");
    let left = lines(&done(home.run(["ssh-key", "show", "last", "--json"]).await)).remove(0);
    assert_eq!(left["used_by"], 0);
}
