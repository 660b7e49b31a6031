//! Places as they are given on the command line.

use std::{ffi::OsString, process::Stdio};

use keytrail_test_support::{
    server::{Home, Options},
    web_server::WebServer,
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::{
    command_line::{done, failed, lines, text},
    repository::{self, git},
};

fn home() -> Home {
    let env = [
        ("KEYTRAIL__GIT__HOSTS", r#"["127.0.0.1"]"#),
        ("KEYTRAIL__GIT__ALLOW_HTTP", "true"),
        ("KEYTRAIL__GIT__FREE_BYTES", "0"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Home::new(env!("CARGO_BIN_EXE_keytrail"), Options { env, ..Options::default() })
}

async fn one(home: &Home, arguments: &[&str]) -> Value {
    lines(&done(home.run(arguments.iter().chain(&["--json"]).map(OsString::from)).await)).remove(0)
}

async fn refused(home: &Home, arguments: &[&str], code: i32) -> String {
    let said = failed(home.run(arguments.iter().map(OsString::from)).await, code);
    assert!(!said.contains("geheim"), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_a_folder_and_a_url_are_told_apart() {
    let home = home();
    let server = home.start().await;
    let folder = home.folder().join("all");
    repository::with_commits(&folder.join("shop"), &["SHOP-1 begins"]);
    let added = one(&home, &["integration", "add", text(&folder.join("shop")), "--name", "shop", "--mirror"]).await;
    assert_eq!((&added["kind"], &added["connection"]["reading"]), (&json!("path"), &json!("mirrored")));
    let add = ["integration", "add", text(&folder), "--name", "all", "--folder", "--depth", "3", "--notes"];
    let added = one(&home, &add).await;
    assert_eq!((&added["kind"], &added["connection"]["depth"]), (&json!("folder"), &json!(3)));
    assert_eq!(added["connection"]["refs"]["notes"], true);

    std::fs::create_dir(home.folder().join("served")).expect("a folder");
    git(&home.folder().join("served"), &["clone", "-q", "--bare", text(&folder.join("shop")), "shop.git"]);
    let web = WebServer::start(&home.folder().join("served"));
    let ca = home.folder().join("ca.pem");
    std::fs::write(&ca, &*web.ca_pem()).expect("a file");
    let url = web.tls_url("shop.git");
    let add = [
        "integration",
        "add",
        &url,
        "--name",
        "remote",
        "--ca",
        text(&ca),
        "--changes",
        "--refs",
        "refs/pull-requests/*/from",
        "--refs",
        "refs/x/*",
    ];
    let added = one(&home, &add).await;
    assert_eq!((&added["kind"], &added["connection"]["trust"]["kind"]), (&json!("git"), &json!("authority")));
    let refs = json!({ "notes": false, "changes": true, "patterns": ["refs/pull-requests/*/from", "refs/x/*"] });
    assert_eq!((&added["connection"]["refs"], &added["connection"]["credential"]), (&refs, &json!(false)));

    // A token comes by standard input, and stays until it is taken away.
    let id = added["id"].as_str().expect("an id");
    let mut command = home.command(["integration", "move", id, &url, "--ca", text(&ca), "--password-stdin", "--json"]);
    let mut running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut input = running.stdin.take().expect("it is piped");
    input.write_all(b"geheim\r\n").await.expect("it reads");
    drop(input);
    let output = running.wait_with_output().await.expect("it ends");
    let printed = String::from_utf8(output.stdout).expect("text");
    assert_eq!(lines(&printed)[0]["connection"]["credential"], true);
    assert!(!printed.contains("geheim"), "{printed}");
    let kept = one(&home, &["integration", "move", id, &url, "--ca", text(&ca)]).await;
    assert_eq!(kept["connection"]["credential"], true);
    let without = one(&home, &["integration", "move", id, &url, "--ca", text(&ca), "--no-password"]).await;
    assert_eq!(without["connection"]["credential"], false);
    let pinned = ["--pin", "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="];
    let moved = one(&home, &[&["integration", "move", id, &url][..], &pinned].concat()).await;
    assert_eq!(moved["connection"]["trust"], json!({ "kind": "pinned", "key": pinned[1] }));
    let _ = server.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_with_the_next_step() {
    let home = home();
    let server = home.start().await;
    let (empty, missing) = (home.folder().join("empty"), home.folder().join("missing"));
    std::fs::write(&empty, "\n").expect("a file");
    let url = "https://git.example/shop.git";
    let add = |more: &[&'static str]| {
        let mut all = vec!["integration", "add"];
        all.extend(more);
        all.extend(["--name", "x"]);
        all
    };
    // What would be seen in the list of processes.
    for embedded in ["https://alice:geheim@git.example/shop.git", "https://geheim@git.example/shop.git"] {
        let said = refused(&home, &add(&[embedded]), 2).await;
        assert!(said.contains("--password-file"), "{said}");
    }
    let said = refused(&home, &add(&[url, "--proxy", "http://alice:geheim@proxy.example"]), 2).await;
    assert!(said.contains("--proxy-password-file"), "{said}");
    let said = refused(
        &home,
        &[&add(&[url, "--password-file"])[..3], &["--password-file", text(&empty), "--name", "x"]].concat(),
        2,
    )
    .await;
    assert!(said.contains("is empty"), "{said}");
    let said =
        refused(&home, &[&add(&[url])[..3], &["--password-file", text(&missing), "--name", "x"]].concat(), 2).await;
    assert!(said.contains("cannot be read"), "{said}");
    refused(&home, &add(&[url, "--user", "alice"]), 2).await;
    refused(&home, &add(&[url, "--depth", "2"]), 2).await;
    refused(&home, &add(&[url, "--mirror"]), 2).await;
    refused(&home, &add(&["/srv/git/shop", "--password-stdin"]), 2).await;
    // What looks like an address is refused as one, in the server's words.
    for (address, code) in [
        ("ext::sh -c geheim", "url_invalid"),
        ("http://10.0.0.1/geheim", "address_denied"),
        ("git://git.example/geheim", "url_not_allowed"),
        ("ssh://-oProxyCommand=geheim/shop", "url_invalid"),
    ] {
        let said = refused(&home, &add(&[address]), 4).await;
        assert!(said.contains(code), "{said}");
    }
    let _ = server.terminate().await;
}
