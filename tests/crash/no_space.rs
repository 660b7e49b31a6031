//! A full disk: changes are refused in so many words, everything that reads goes on, and once there is space again the
//! server works without anybody's help.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use keytrail_test_support::{
    faults::Faults,
    server::{Client, Home, Options, Server},
};
use serde_json::json;
use tokio::sync::watch;

use crate::{
    index_runs::Indexed,
    load::Load,
    stage::{Chance, PROGRAM, Part, connect, repository, settled, small_repositories, until, verified},
    stored_log::StoredLog,
};

const PROJECTS: [&str; 2] = ["DEMO", "CORE"];
const TIMES_FULL: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_changes_serves_reads_and_heals_without_a_restart() {
    let part = Part::begin("no space, ordered");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let faults = Faults::below(folder.path());
    let options = Options { env: faults.env(), data: Some(folder.path().to_owned()), ..Options::default() };
    let home = Home::new(PROGRAM, options);
    fill_and_free(&part, &home, |full| faults.no_space(full)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_system_that_is_full_refuses_changes_serves_reads_and_heals_without_a_restart() {
    let part = Part::begin("no space, tmpfs");
    let Some(mount) = Mount::try_make() else {
        part.say("DID NOT RUN: a file system can be mounted by root only; the variant with ordered faults ran");
        return;
    };
    let options = Options { data: Some(mount.0.clone()), ..Options::default() };
    let home = Home::new(PROGRAM, options);
    let ballast = mount.0.join("ballast");
    fill_and_free(&part, &home, |full| if full { fill(&ballast) } else { free(&ballast) }).await;
    drop(mount);
}

async fn fill_and_free(part: &Part, home: &Home, order: impl Fn(bool)) {
    let mut chance = Chance::of_run(part);
    let big = repository(&home.folder().join("big.git"), 13, 2_000, &PROJECTS);
    let mut small = small_repositories(home.folder(), 5);
    let server = home.start().await;
    let client = server.client();
    let indexed = Indexed::connect(&client, "big", &big, &PROJECTS).await;
    settled(&client).await;
    let spare = small.pop().expect("there are five");
    refused_while_full(&client, &indexed, &spare, &order).await;
    // And under load: full and free again at random moments.
    let (_gate, node) = watch::channel(Some(client.clone()));
    let mut load = Load::start(vec![node], small, 30, &mut chance);
    for _ in 0..TIMES_FULL {
        indexed.reset(&client).await;
        tokio::time::sleep(chance.millis(50, 500)).await;
        order(true);
        tokio::time::sleep(chance.millis(100, 500)).await;
        order(false);
        load.check();
    }
    let figures = load.figures();
    let ledger = load.finish().await;
    settled(&client).await;
    verified(&client).await;
    let commits = indexed.compare(&client, &mut chance, 40).await;
    stop_and_look(server, &ledger).await;
    part.say(&format!("{} times full; {figures}; {commits} commits compared", TIMES_FULL + 1));
}

async fn refused_while_full(client: &Client, indexed: &Indexed, path: &Path, order: &impl Fn(bool)) {
    let body = connect("late", path);
    let mut number = 0;
    order(true);
    // A file system may have some pages left at first; each try takes some.
    let refused = until("a refusal for want of space", async || {
        number += 1;
        let body = connect(&format!("filler {number}"), path);
        let added = client.post("/api/v1/integrations", None, &body).await.expect("the server runs");
        if !added.is_done() {
            return Ok(added);
        }
        let removed = client.delete(&format!("/api/v1/integrations/{}", added.id())).await.expect("the server runs");
        if removed.is_done() { Err(format!("{number} integrations added")) } else { Ok(removed) }
    })
    .await;
    assert_eq!((refused.status, refused.code()), (507, "no_space"), "{}", refused.body);
    for _ in 0..3 {
        let again = client.post("/api/v1/integrations", Some("late"), &body).await.expect("the server runs");
        assert_eq!((again.status, again.code()), (507, "no_space"), "{}", again.body);
        for path in ["/api/v1/integrations", "/api/v1/issues/DEMO-1", "/api/v1/repositories", "/livez"] {
            let read = client.get(path).await.expect("the server runs");
            assert_eq!(read.status, 200, "{path}: {}", read.body);
        }
        let ready = client.get("/readyz").await.expect("the server runs");
        assert_eq!(ready.status, 503, "{}", ready.body);
        assert!(ready.body["causes"].to_string().contains("no_space"), "{}", ready.body);
    }
    indexed.compare(client, &mut Chance::of_seed(1), 10).await;
    order(false);
    let added = until("changes being taken again", async || {
        let answer = client.post("/api/v1/integrations", Some("late"), &body).await.expect("the server runs");
        match answer.status {
            200..=202 => Ok(answer),
            // One that was added while the disk was nearly full is in the way until it is removed.
            409 => {
                for row in client.list("/api/v1/integrations?state=active").await.expect("the server runs") {
                    if row["name"].as_str().is_some_and(|name| name.starts_with("filler")) {
                        let path = format!("/api/v1/integrations/{}", row["id"].as_str().unwrap_or_default());
                        client.delete(&path).await.expect("the server runs");
                    }
                }
                Err(answer.body.to_string())
            }
            507 => Err(answer.body.to_string()),
            status => panic!("{status} {}", answer.body),
        }
    })
    .await;
    let path = format!("/api/v1/integrations/{}?min_position={}", added.id(), added.position);
    let shown = until("the view having it", async || {
        let shown = client.get(&path).await.expect("the server runs");
        if shown.status == 200 { Ok(shown) } else { Err(shown.body.to_string()) }
    })
    .await;
    assert_eq!(shown.body["name"], "late");
    until("being ready again", async || {
        let ready = client.get("/readyz").await.expect("the server runs");
        if ready.status == 200 { Ok(()) } else { Err(ready.body.to_string()) }
    })
    .await;
    let removed = client.delete(&format!("/api/v1/integrations/{}", added.id())).await.expect("the server runs");
    assert!(removed.is_done(), "{}", removed.body);
    let _ = client.post("/api/v1/integrations", None, &json!({})).await.expect("the server runs");
}

async fn stop_and_look(server: Server, ledger: &[crate::load::Entry]) {
    let (home, status) = server.terminate().await;
    assert!(status.success(), "{status}");
    let log = StoredLog::of_folder(&home.data()).await;
    log.check();
    log.check_acknowledged(ledger);
}

fn fill(ballast: &Path) {
    let status = Command::new("dd")
        .args(["if=/dev/zero", "bs=4096", &format!("of={}", ballast.display())])
        .stderr(std::process::Stdio::null())
        .status();
    assert!(!status.expect("dd is part of every system").success(), "the file system did not become full");
}

fn free(ballast: &Path) {
    std::fs::remove_file(ballast).expect("the ballast is there");
}

/// A file system of its own, in memory.
struct Mount(PathBuf);

impl Mount {
    fn try_make() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=48m,mode=0700", "tmpfs"])
            .arg(&folder)
            .stderr(std::process::Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        let _ = std::fs::remove_dir(&folder);
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}
