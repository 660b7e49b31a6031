//! Commands on a server elsewhere, and what is said when there is none: by the real program, from outside.

use std::collections::BTreeSet;

use keytrail_test_support::{
    server::{Home, Options},
    web_server::WebServer,
};

use crate::{
    command_line::{done, failed, lines, text},
    commit_links, repository,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_keytrail");

/// The program in another home than the server's, as on another machine.
pub(crate) struct Elsewhere {
    home: Home,
}

impl Elsewhere {
    pub(crate) fn new() -> Self {
        Self { home: Home::new(PROGRAM, Options::default()) }
    }

    /// Where it can write.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.home.folder()
    }

    pub(crate) async fn run(&self, arguments: &[&str], token: Option<&str>) -> (Option<i32>, String, String) {
        let mut command = tokio::process::Command::new(PROGRAM);
        command
            .args(arguments)
            .env("HOME", self.home.folder())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME");
        command.env_remove("KEYTRAIL_TOKEN").envs(token.map(|token| ("KEYTRAIL_TOKEN", token)));
        let output = command.stdin(std::process::Stdio::null()).output().await.expect("the program runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
}

pub(crate) fn url_of(server: &keytrail_test_support::server::Server) -> String {
    let endpoint = std::fs::read_to_string(server.home().data().join("server.json")).expect("a file");
    lines(&endpoint)[0]["url"].as_str().expect("an address").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_elsewhere_is_asked_with_a_token_from_a_file_or_the_environment() {
    let server = Home::new(PROGRAM, Options::default()).start().await;
    let url = url_of(&server);
    let token = done(server.home().run(["token", "issue", "--name", "far", "--role", "viewer", "--quiet"]).await);
    let (away, token) = (Elsewhere::new(), token.trim());
    let file = away.home.folder().join("token");
    std::fs::write(&file, format!("{token}\n")).expect("a file");

    let list = ["integration", "list", "--json", "--server", &url];
    done(away.run(&list, Some(token)).await);
    done(away.run(&[&list[..], &["--token-file", text(&file)]].concat(), None).await);
    assert_eq!(done(away.run(&["health", "--server", &url], None).await), "ready\n");
    // Its rights are the token's.
    let said = failed(away.run(&["token", "list", "--server", &url], Some(token)).await, 4);
    assert!(said.contains("role_insufficient"), "{said}");
    let said = failed(away.run(&list, None).await, 2);
    assert!(said.contains("--token-file") && said.contains("KEYTRAIL_TOKEN"), "{said}");
    let wrong = "kt_geheim_geheim_geheim";
    let said = failed(away.run(&list, Some(wrong)).await, 4);
    assert!(said.contains("token_invalid") && !said.contains("geheim"), "{said}");

    // What is about this machine cannot be done there, and says so.
    for command in [&["index", "."][..], &["serve"], &["migrate"], &["vault", "rotate-root-key"]] {
        let said = failed(away.run(&[command, &["--server", &url]].concat(), Some(token)).await, 2);
        assert!(said.contains("this machine"), "{said}");
    }
    // Nothing is started or made here for it.
    assert!(!away.home.folder().join(".local").exists());
    let (_, ended) = server.terminate().await;
    assert!(ended.success());
    let said = failed(away.run(&list, Some(token)).await, 5);
    assert!(said.contains("did not answer"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_examines_the_server_that_is_named_and_not_this_machine() {
    let server = Home::new(PROGRAM, Options::default()).start().await;
    let url = url_of(&server);
    let token = done(server.home().run(["token", "issue", "--name", "far", "--role", "admin", "--quiet"]).await);
    let (away, token) = (Elsewhere::new(), token.trim());
    // One runs here, too: it is not the one that is asked.
    let near = away.home.start().await;
    let (_, printed, said) = away.run(&["doctor", "--json", "--server", &url], Some(token)).await;
    let found = lines(&printed);
    let of = |id: &str| found.iter().find(|one| one["id"] == id).unwrap_or_else(|| panic!("no {id}: {printed}{said}"));
    let sentence = of("data_folder")["sentence"].as_str().expect("a sentence");
    assert!(sentence.starts_with(text(&server.home().data())), "{sentence}");
    assert!(!printed.contains(text(away.home.folder())), "{printed}");
    near.terminate().await;
    server.terminate().await;
    let said = failed(away.run(&["doctor", "--server", &url], Some(token)).await, 5);
    assert!(said.contains("did not answer"), "{said}");
    let said = failed(away.run(&["doctor", "--server", &url], None).await, 2);
    assert!(said.contains("--token-file"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nobody_vouches_for_gets_no_token_and_one_that_is_no_keytrail_is_told_as_such() {
    let away = Elsewhere::new();
    let web = WebServer::start(away.home.folder());
    let url = web.tls_url("");
    let ca = away.home.folder().join("ca.pem");
    std::fs::write(&ca, &*web.ca_pem()).expect("a file");
    let list = ["integration", "list", "--server", &url];
    let said = failed(away.run(&list, Some("kt_geheim")).await, 5);
    assert!(said.contains("did not answer") && said.contains("because") && !said.contains("geheim"), "{said}");
    let said = failed(away.run(&[&list[..], &["--server-ca", text(&ca)]].concat(), Some("kt_geheim")).await, 5);
    assert!(said.contains("is no Keytrail server") && !said.contains("geheim"), "{said}");
    std::fs::write(&ca, "no certificate").expect("a file");
    let said = failed(away.run(&[&list[..], &["--server-ca", text(&ca)]].concat(), Some("kt_geheim")).await, 2);
    assert!(said.contains("no certificate in PEM"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_set_something_in_motion_say_how_the_server_is_started() {
    let home = Home::new(PROGRAM, Options::default());
    let wanted = format!("keytrail serve --data {} --root-key-file {}", text(&home.data()), text(&home.root_key()));
    let nobody = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    for command in [
        &["integration", "list"][..],
        &["repository", "list"],
        &["run", "list"],
        &["run", "cancel", nobody],
        &["operation", "list"],
        &["health"],
        &["index", ".", "--no-wait"],
    ] {
        let said = failed(home.run(command.iter().copied()).await, 5);
        assert!(said.contains(&wanted) && said.contains("--server URL"), "{said}");
    }
    // A path that a shell would take apart is quoted.
    let data = home.folder().join("with blank's");
    let far = Elsewhere::new();
    let said = failed(far.run(&["run", "list", "--data", text(&data)], None).await, 5);
    assert!(said.contains(r"with blank'\''s'"), "{said}");
    // Those whose work is done when they end need none.
    done(home.run(["token", "list"]).await);
    done(home.run(["issue", "commits", "SHOP-1"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_that_read_a_data_folder_need_no_server_and_leave_none() {
    let home = Home::new(PROGRAM, Options::default());
    let path = home.folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    let sha = commit_links::name(&path, "HEAD");
    // What each must say.
    let commands: [(&[&str], &str); 7] = [
        (&["index", text(&path)], "1 new commit read"),
        (&["issue", "show", "SHOP-1"], "SHOP-1: 1 commit"),
        (&["commit", "show", &sha], "names SHOP-1 in its subject"),
        (&["events"], "completed the index run"),
        (&["views", "rebuild", "token_list"], "succeeded"),
        (&["token", "issue", "--name", "laptop"], "kt_"),
        (&["doctor"], " ok, "),
    ];
    for (command, wanted) in commands {
        let (code, printed, complained) = home.run(command.iter().copied()).await;
        // A machine that is not well is told so by the doctor; that is no failure to look.
        assert!(code == Some(0) || command[0] == "doctor", "{command:?}: {printed}{complained}");
        assert!(printed.contains(wanted), "{command:?}: {printed}{complained}");
        assert!(!home.data().join("server.json").exists(), "{command:?} left a server");
    }
    failed(home.run(["run", "list"]).await, 5);
    failed(home.run(["views", "verify", "--no-wait"]).await, 5);
}

/// The commands that can say what they would do, as the page about the command line has them.
fn with_dry_run() -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut command = String::new();
    for line in include_str!("../../docs/cli.md").lines() {
        if let Some((_, words)) = line.split_once("# keytrail ") {
            words.clone_into(&mut command);
        } else if line.starts_with("- `--dry-run`") {
            found.insert(command.clone());
        }
    }
    found.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_removes_says_what_would_go_and_goes_only_when_it_is_asked_for() {
    let server = Home::new(PROGRAM, Options::default()).start().await;
    let home = server.home();
    let path = home.folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins", "SHOP-2 goes on"]);
    done(home.run(["index", text(&path)]).await);
    let first = |printed: String| lines(&printed)[0]["id"].as_str().expect("an id").to_owned();
    let integration = first(done(home.run(["integration", "list", "--json"]).await));
    let repository = first(done(home.run(["repository", "list", "--json"]).await));
    let issued = lines(&done(home.run(["token", "issue", "--name", "laptop", "--json"]).await)).remove(0);
    let token = issued["id"].as_str().expect("an id").to_owned();
    let events = async || done(home.run(["events", "--last", "0", "--json"]).await).lines().count();

    let made = lines(&done(home.run(["ssh-key", "generate", "deploy", "--json"]).await)).remove(0);
    let key = made["id"].as_str().expect("an id").to_owned();

    let known = home.folder().join("known_hosts");
    let host_key = made["public_key"].as_str().expect("a public half");
    std::fs::write(&known, format!("git.example.com {host_key}\n")).expect("a file");
    done(home.run(["host-key", "import", text(&known)]).await);

    let other = home.folder().join("other");
    repository::with_commits(&other, &["OTHER-1 begins"]);
    let sha = commit_links::name(&path, "HEAD");
    done(home.run(["issue", "link", "SHOP-3", &sha]).await);
    let before = events().await;
    let commands: [(&[&str], &[&str]); 13] = [
        (&["issue", "unlink", "SHOP-2", &sha], &["SHOP-2", &sha, "shop", "issue restore"]),
        (&["issue", "restore", "SHOP-3", &sha], &["SHOP-3", &sha, "shop", "issue link"]),
        (&["project", "allow", "pay"], &["only PAY counts", "2 issues of SHOP", "project disallow PAY"]),
        (&["project", "deny", "shop"], &["2 issues of SHOP", "2 links", "project undeny SHOP"]),
        (&["project", "deny", "SHOP-404", "utf"], &["SHOP-404", "UTF is left out already"]),
        (&["integration", "remove", &integration], &["shop", "1 repository", "2 commits"]),
        (&["repository", "reset", &repository], &["shop", "2 commits"]),
        (&["integration", "reset", &integration], &["shop", "1 repository", "2 commits"]),
        (&["integration", "move", &integration, text(&other)], &["shop", "1 repository", "2 commits"]),
        (&["token", "revoke", &token], &["laptop", "viewer", "active"]),
        (&["person", "forget", "Ada"], &["Ada", "2 commits"]),
        (&["ssh-key", "retire", &key], &["deploy", "ssh-ed25519", "private half"]),
        (&["host-key", "forget", "git.example.com"], &["git.example.com", "trusted any more"]),
    ];
    // Whatever asks before it does something is walked over here.
    let mut asking: Vec<_> = commands.iter().map(|(command, _)| command[..2].join(" ")).collect();
    // It asks nobody: what it would do throws nothing away.
    asking.push("integration reindex".to_owned());
    asking.push("migrate".to_owned());
    // Below, with projects that are known.
    asking.push("project disallow".to_owned());
    // It looks for the app first, and here is none; the walk through GitHub Apps has one.
    asking.push("installation confirm-gone".to_owned());
    let said = failed(home.run(["installation", "confirm-gone", &integration, "--dry-run"]).await, 3);
    assert!(said.contains("has no app"), "{said}");
    asking.push("installation set-filter".to_owned());
    // They look at a server first; the tests of host keys have one.
    asking.push("host-key accept".to_owned());
    asking.push("host-key trust".to_owned());
    let said = failed(home.run(["installation", "set-filter", &integration, "repositories", "--dry-run"]).await, 2);
    assert!(said.contains("through an app"), "{said}");
    asking.sort();
    asking.dedup();
    assert_eq!(asking, with_dry_run());
    let walk = async |command: &[&str], words: &[&str]| {
        let would = done(home.run(command.iter().copied().chain(["--dry-run"])).await);
        assert!(words.iter().all(|word| would.contains(word)) && would.contains("nothing was done"), "{would}");
        let said = failed(home.run(command.iter().copied()).await, 2);
        assert!(said.contains("--yes") && words.iter().all(|word| said.contains(word)), "{said}");
        failed(home.run(command.iter().copied().chain(["--yes", "--dry-run"])).await, 2);
    };
    for (command, words) in commands {
        walk(command, words).await;
    }
    assert_eq!(events().await, before, "nothing happened");
    // Of known projects one is taken away; the last of them lets every project count again, and hides nothing.
    done(home.run(["project", "allow", "shop", "pay", "--yes"]).await);
    walk(&["project", "disallow", "shop", "old"], &["2 issues of SHOP", "project allow SHOP", "OLD is not among"])
        .await;
    assert!(done(home.run(["project", "disallow", "shop", "pay"]).await).starts_with("known:  every project"));
    done(home.run(["issue", "restore", "SHOP-3", &sha, "--yes"]).await);
    // What is not there to be taken away is nothing to ask about.
    failed(home.run(["issue", "unlink", "SHOP-1", &sha, "--dry-run"]).await, 3);
    // In another way, but to the same place: nothing goes, and nobody is asked.
    let moved = done(home.run(["integration", "move", &integration, text(&path), "--notes", "--json"]).await);
    assert_eq!(lines(&moved)[0]["connection"]["refs"]["notes"], true);

    let run = lines(&done(home.run(["repository", "reset", &repository, "--yes", "--json"]).await)).remove(0);
    assert_eq!(run["state"], "completed", "it was waited for");
    let run = lines(&done(home.run(["repository", "index", &repository, "--no-wait", "--json"]).await)).remove(0);
    assert!(run["id"].is_string());
    let asked = lines(&done(home.run(["index", text(&path), "--no-wait", "--json"]).await)).remove(0);
    assert_eq!(asked["repository"].as_str(), Some(&*repository));
    done(home.run(["token", "revoke", &token, "--yes"]).await);
    done(home.run(["integration", "remove", &integration, "-y"]).await);
    assert!(events().await > before + 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_tells_shells_and_readers_of_manuals_what_it_can_do() {
    let home = Home::new(PROGRAM, Options::default());
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = done(Elsewhere::new().run(&["completions", shell], None).await);
        assert!(script.contains("keytrail") && script.contains("operation") && script.contains("dry-run"), "{shell}");
    }
    let out = home.folder().join("man");
    done(home.run(["man", "--out", text(&out)]).await);
    let page = std::fs::read_to_string(out.join("keytrail.1")).expect("a page");
    assert!(page.contains("EXIT STATUS") && page.contains(".TH keytrail 1"), "{page}");
    let page = std::fs::read_to_string(out.join("keytrail-integration-remove.1")).expect("a page");
    assert!(page.contains("dry\\-run"), "{page}");
    let version = done(Elsewhere::new().run(&["--version"], None).await);
    assert!(version.starts_with("keytrail ") && version.lines().count() == 7, "{version}");
    for fact in ["commit ", "date ", "SQLite   3.", "libgit2  1.", "target ", "rustc    1."] {
        assert!(version.lines().any(|line| line.starts_with(fact)), "{fact} in {version}");
    }
    assert_eq!(done(Elsewhere::new().run(&["-V"], None).await).lines().count(), 1);
}
