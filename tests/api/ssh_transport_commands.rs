//! Repositories over SSH as a person types it: a key, the host's own key, trying it out, adding it.

use keytrail_test_support::{
    server::{Home, Options},
    sshd::{Config, Sshd},
};
use serde_json::Value;

use crate::{
    command_line::{done, failed, lines, text},
    repository::{self, git},
    server::soon,
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
    let said = failed(home.run(["ssh-key", "retire", "deploy"]).await, 2);
    assert!(said.contains(&format!("because it is common: {name}")) && said.contains("--yes"), "{said}");
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
