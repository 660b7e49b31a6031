//! What every part needs: the program, chance that can be repeated, a word on standard error about what ran and how
//! long it took, repositories to index.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use keytrail_test_support::{
    repositories::{self, Repository, Shape},
    server::{Client, Home, Options, PATIENCE},
};
use serde_json::{Value, json};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_keytrail");

/// A new home for a server on the embedded engine, or on this database.
pub(crate) fn home(database_url: Option<String>) -> Home {
    Home::new(PROGRAM, Options { database_url, ..Options::default() })
}

/// Names a part of the run; when it is dropped, it tells how long the part took.
pub(crate) struct Part {
    name: &'static str,
    began: Instant,
}

impl Part {
    pub(crate) fn begin(name: &'static str) -> Self {
        Self { name, began: Instant::now() }
    }

    /// Says something of it, also when the test passes.
    pub(crate) fn say(&self, text: &str) {
        // The captured streams show nothing of a test that passes.
        let _ = writeln!(std::io::stderr(), "crash: {}: {text}", self.name);
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let how = if std::thread::panicking() { "FAILED after" } else { "took" };
        self.say(&format!("{how} {:.1} s", self.began.elapsed().as_secs_f64()));
    }
}

/// A number from the environment, for who wants more or the same again.
#[expect(clippy::disallowed_methods, reason = "who runs the tests says how long and with which seed")]
pub(crate) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// Chance that can be repeated: SplitMix64.
#[derive(Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    /// From the environment, or new; the part says which.
    pub(crate) fn of_run(part: &Part) -> Self {
        let seed = number("KEYTRAIL_CRASH_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
        part.say(&format!("seed {seed} (KEYTRAIL_CRASH_SEED={seed} repeats it)"));
        Self(seed)
    }

    /// The same every time.
    pub(crate) const fn of_seed(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from + 1))
    }
}

/// A repository of this many commits at `path`.
pub(crate) fn repository(path: &Path, seed: u64, commits: usize, projects: &[&str]) -> Repository {
    let shape = Shape {
        seed,
        commits,
        heads: 2,
        tags: 2,
        pull_requests: commits / 50,
        projects: projects.iter().map(|project| (*project).to_owned()).collect(),
        ..Shape::default()
    };
    repositories::generate(path, &shape).expect("git makes a repository")
}

/// Copies of a small repository, so that each can be connected once.
pub(crate) fn small_repositories(folder: &Path, count: usize) -> Vec<PathBuf> {
    let first = repository(&folder.join("small-0.git"), 7, 40, &["SMALL"]).path;
    let copy = |number: usize| {
        let path = folder.join(format!("small-{number}.git"));
        copy_folder(&first, &path);
        path
    };
    std::iter::once(first.clone()).chain((1..count).map(copy)).collect()
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("it can be read") {
        let entry = entry.expect("it can be read");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_folder(&from, &to);
        } else {
            std::fs::copy(&from, &to).expect("it can be copied");
        }
    }
}

/// The body that connects a path.
pub(crate) fn connect(name: &str, path: &Path) -> Value {
    json!({ "name": name, "connection": { "kind": "path", "path": path } })
}

/// Asks again and again until `found` gives an answer; for what the server does by itself.
pub(crate) async fn until<T>(what: &str, mut found: impl AsyncFnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match found().await {
            Ok(found) => return found,
            Err(state) => {
                assert!(began.elapsed() < PATIENCE, "{what} did not happen; it stands at: {state}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Waits until no index run is under way and every view holds the whole log.
pub(crate) async fn settled(client: &Client) {
    until("everything coming to rest", async || {
        let mut open = Vec::new();
        for state in ["requested", "running"] {
            let path = format!("/api/v1/index-runs?state={state}");
            let runs = client.get(&path).await.map_err(|error| format!("{error:?}"))?;
            if runs.status != 200 {
                return Err(runs.body.to_string());
            }
            open.extend(runs.body["items"].as_array().into_iter().flatten().cloned());
        }
        if !open.is_empty() {
            return Err(format!("index runs {}", Value::from(open)));
        }
        // What was added a moment ago has no run yet: its repository is not even discovered.
        let integrations =
            client.list("/api/v1/integrations?state=active").await.map_err(|error| format!("{error:?}"))?;
        let indexed = client.list("/api/v1/repositories?state=indexed").await.map_err(|error| format!("{error:?}"))?;
        let waits = integrations.iter().find(|one| !indexed.iter().any(|found| found["integration"] == one["id"]));
        if let Some(waits) = waits {
            return Err(format!("not indexed: {waits}"));
        }
        let views = client.get("/api/v1/views").await.map_err(|error| format!("{error:?}"))?;
        let rows = views.body["items"].as_array().cloned().unwrap_or_default();
        let quiet = !rows.is_empty() && rows.iter().all(|view| view["status"] == "live" && view["lag"] == 0);
        if quiet { Ok(()) } else { Err(views.body.to_string()) }
    })
    .await;
}

/// Compares every view with one that is folded anew.
pub(crate) async fn verified(client: &Client) {
    // Another node moves a view now and then: then it is compared once more.
    let answer = until("a comparison of the views", async || {
        let answer = client
            .post("/api/v1/views/verify?wait=true", None, &json!({}))
            .await
            .map_err(|error| format!("{error:?}"))?;
        if answer.status == 200 { Ok(answer) } else { Err(format!("{} {}", answer.status, answer.body)) }
    })
    .await;
    let views = answer.body["items"].as_array().expect("a verdict for each view");
    assert!(!views.is_empty());
    assert!(answer.body["same"] == true, "a view differs from what the log says: {}", answer.body);
}
