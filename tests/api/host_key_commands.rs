//! `keytrail host-key` as a person types it, with a real SSH server, and with what was published of it.

use keytrail_test_support::{
    server::{Home, Options},
    sshd::HostKeyKind,
};

use crate::{
    command_line::{done, failed, lines, text},
    host_keys::{KNOWN, sshd},
    metrics::{metrics, value},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_keytrail");

fn reaching_this_machine(more: &[(&str, &str)]) -> Options {
    let all = [("KEYTRAIL__GIT__HOSTS", r#"["127.0.0.1"]"#)].iter().chain(more);
    Options { env: all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(), ..Options::default() }
}

/// From now on it knows the server of [`KNOWN`].
pub(crate) async fn knows_a_server(home: &Home) {
    let file = home.folder().join("known_hosts");
    std::fs::write(&file, KNOWN).expect("a file");
    done(home.run(["host-key", "import", text(&file)]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_scanned_trusted_changed_and_forgotten() {
    let mut sshd = sshd();
    let server = Home::new(PROGRAM, reaching_this_machine(&[])).start().await;
    let home = server.home();
    let at = format!("127.0.0.1:{}", sshd.port);
    let scanned = done(home.run(["host-key", "scan", &at]).await);
    let keys = lines(&done(home.run(["host-key", "scan", &at, "--json"]).await)).remove(0)["keys"].clone();
    let fingerprint = |n: usize| keys[n]["fingerprint_sha256"].as_str().expect("a fingerprint").to_owned();
    for wanted in ["unknown", "SHA256:", "MD5:", "ssh-ed25519", "Nobody vouches"] {
        assert!(scanned.contains(wanted), "{wanted}: {scanned}");
    }
    // Without a terminal nobody is asked, and --yes alone is no comparing.
    let said = failed(home.run(["host-key", "trust", &at]).await, 2);
    assert!(said.contains("--yes") && said.contains(&fingerprint(0)), "{said}");
    let said = failed(home.run(["host-key", "trust", &at, "--yes"]).await, 2);
    assert!(said.contains("--fingerprint"), "{said}");
    let other = format!("SHA256:{}", "A".repeat(43));
    let said = failed(home.run(["host-key", "trust", &at, "--yes", "--fingerprint", &other]).await, 2);
    assert!(said.contains("is not among"), "{said}");
    assert_eq!(done(home.run(["host-key", "list", "--json"]).await), "");
    // What is named is trusted, and nothing that is shown beside it.
    let would = done(home.run(["host-key", "trust", &at, "--dry-run", "--fingerprint", &fingerprint(0)]).await);
    assert!(would.contains(&fingerprint(0)) && !would.contains(&fingerprint(1)), "{would}");
    let printed = done(home.run(["host-key", "trust", &at, "--yes", "--fingerprint", &fingerprint(0)]).await);
    assert!(printed.contains("trusted, by person") && !printed.contains(&fingerprint(1)), "{printed}");
    let all = [0, 1, 2].map(|n| format!("--fingerprint={}", fingerprint(n)));
    let printed = done(home.run(["host-key", "trust", &at, "--yes", &all[0], &all[1], &all[2]]).await);
    assert!((0..3).all(|n| printed.contains(&fingerprint(n))), "{printed}");
    assert_eq!(value(&metrics(&server).await, "keytrail_ssh_servers"), 1.0);

    sshd.replace_host_key(HostKeyKind::Ed25519).expect("it starts again");
    assert!(done(home.run(["host-key", "scan", &at]).await).contains("changed"));
    let would = done(home.run(["host-key", "trust", &at, "--dry-run"]).await);
    for wanted in ["which is recorded", "host-key accept", "host-key refuse", "nothing was done"] {
        assert!(would.contains(wanted), "{wanted}: {would}");
    }
    let listed = done(home.run(["host-key", "list", "--changed"]).await);
    assert!(listed.contains(&sshd.port.to_string()) && listed.contains("changed"), "{listed}");
    assert_eq!(value(&metrics(&server).await, "keytrail_ssh_servers_changed"), 1.0);
    let (code, printed, said) = home.run(["doctor"]).await;
    assert!(code != Some(0) && printed.contains("showing another key"), "{code:?} {printed}{said}");
    let shown = lines(&done(home.run(["host-key", "show", &at, "--json"]).await)).remove(0);
    let offered = shown["offered"][0]["fingerprint_sha256"].as_str().expect("a fingerprint");
    let would = done(home.run(["host-key", "accept", &at, "--dry-run"]).await);
    assert!(would.contains(offered) && would.contains("until now") && would.contains("nothing was done"), "{would}");
    done(home.run(["host-key", "accept", &at, "--yes", "--fingerprint", offered]).await);
    assert_eq!(value(&metrics(&server).await, "keytrail_ssh_servers_changed"), 0.0);
    failed(home.run(["host-key", "accept", &at, "--dry-run"]).await, 4);

    sshd.replace_host_key(HostKeyKind::Ed25519).expect("it starts again");
    done(home.run(["host-key", "scan", &at]).await);
    assert!(done(home.run(["host-key", "refuse", &at]).await).contains("refused"));
    let said = failed(home.run(["host-key", "forget", &at]).await, 2);
    assert!(said.contains("--yes"), "{said}");
    assert_eq!(done(home.run(["host-key", "forget", &at, "--yes"]).await), "forgotten\n");
    failed(home.run(["host-key", "show", "nobody.example.com"]).await, 3);
    failed(home.run(["host-key", "scan", "-x"]).await, 2);
    let said = failed(home.run(["host-key", "scan", "a b"]).await, 2);
    assert!(said.contains("is no SSH server"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_hosts_file_is_imported_and_what_is_not_taken_is_printed() {
    // No server runs: one is started for as long as the command takes.
    let home = Home::new(PROGRAM, Options::default());
    let file = home.folder().join("known_hosts");
    std::fs::write(&file, format!("{KNOWN}*.example.com {}", KNOWN.split_once(' ').expect("a line").1))
        .expect("a file");
    let printed = done(home.run(["host-key", "import", text(&file)]).await);
    assert!(printed.contains("git.example.com:22 is trusted"), "{printed}");
    assert!(printed.contains("line 2, *.example.com: A pattern vouches"), "{printed}");
    let shown = done(home.run(["host-key", "show", "git.example.com"]).await);
    assert!(shown.contains("trusted, by known_hosts"), "{shown}");
    // Where nothing of it is trusted, a script sees that.
    std::fs::write(&file, "git.example.com ssh-dss AAAAB3NzaC1kc3MAAAAB\n").expect("a file");
    let said = failed(home.run(["host-key", "import", text(&file)]).await, 1);
    assert!(said.contains("nothing of the file is trusted"), "{said}");
    std::fs::write(&file, [0xff, 0xfe]).expect("a file");
    failed(home.run(["host-key", "import", text(&file)]).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_is_compared_at_a_look() {
    let sshd = sshd();
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("host-keys.toml");
    let env = [("KEYTRAIL__SSH_KEYS__PUBLISHED_HOST_KEYS", text(&list))];
    let server = Home::new(PROGRAM, reaching_this_machine(&env)).start().await;
    let home = server.home();
    let at = format!("127.0.0.1:{}", sshd.port);
    let look = async || lines(&done(home.run(["host-key", "scan", &at, "--json"]).await)).remove(0);
    // The file is not there: that is said, and nothing is compared.
    let scanned = look().await;
    assert!(scanned["published_problem"].as_str().is_some_and(|why| why.contains("cannot be read")), "{scanned}");
    assert!(scanned["published_by"].is_null());
    let all: Vec<_> =
        scanned["keys"].as_array().expect("keys").iter().map(|key| key["fingerprint_sha256"].clone()).collect();
    let write = |fingerprints: &[serde_json::Value]| {
        let fingerprints = serde_json::to_string(fingerprints).expect("a list");
        let text = format!(
            "[[host]]\nname = \"127.0.0.1\"\nport = {}\npublished_by = \"https://example.com/ssh\"\nfingerprints = {fingerprints}\n",
            sshd.port
        );
        std::fs::write(&list, text).expect("a file");
    };
    write(&all[..2]);
    let scanned = look().await;
    let published: Vec<_> =
        scanned["keys"].as_array().expect("keys").iter().map(|key| key["published"] == true).collect();
    assert_eq!(
        (published, scanned["published_by"].as_str()),
        (vec![true, true, false], Some("https://example.com/ssh"))
    );
    let printed = done(home.run(["host-key", "scan", &at]).await);
    assert!(printed.contains("(NOT as published)") && printed.contains("Do not trust it before"), "{printed}");
    write(&all);
    let printed = done(home.run(["host-key", "scan", &at]).await);
    assert!(printed.contains("(as published)") && printed.contains("Trust them."), "{printed}");
    let fingerprint = all[0].as_str().expect("a text");
    let printed = done(home.run(["host-key", "trust", &at, "--yes", "--fingerprint", fingerprint]).await);
    assert!(printed.contains("trusted, by published"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_the_program_says_what_to_install() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display().to_string();
    let server = Home::new(PROGRAM, reaching_this_machine(&[("PATH", &path)])).start().await;
    let said = failed(server.home().run(["host-key", "scan", "127.0.0.1"]).await, 4);
    assert!(said.contains("openssh-client"), "{said}");
}
