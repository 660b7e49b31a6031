//! What `keytrail serve --demo` does beside serving: a place of its own, repositories that are written on the spot, and
//! everything that a small company would have set up, asked for over the API. It refuses a folder that holds anything.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{CliError, client::Client, demo_keys::keep_keys, output};
use crate::{
    app::App,
    clock::Clock,
    config::{self, Config},
    demo::{self, DELETED, GONE, REPOSITORIES, REWRITTEN, STORY},
    ids,
    store::FolderLock,
};

/// The project whose newest issue has a commit that belongs to the story, too.
const LINKED_FROM: &str = "OPS";
/// Who left the company.
const FORGOTTEN: &str = "Sam Whitaker";

/// Nothing of the set-up takes so long; after it the demo says what is missing.
const PATIENCE: Duration = Duration::from_secs(300);

/// Where the demo is.
pub(super) struct Stage {
    /// The folder of the repositories.
    repositories: PathBuf,
    /// What goes at the end, when nobody named the folder.
    temporary: Option<PathBuf>,
    data: PathBuf,
    /// The command that serves the same folder again.
    go_on: String,
    /// The highest folder on the way to the data that was not there before.
    made: Option<PathBuf>,
    /// The root key that was not there before, and the highest folder on the way to it.
    made_key: Option<(PathBuf, PathBuf)>,
}

/// A token of the demo, which is told this once.
struct Shown {
    name: &'static str,
    role: &'static str,
    token: String,
}

impl Stage {
    /// Makes the place, and turns the configuration to it: whatever store a file names, the demo does not touch it.
    pub(super) fn prepare(config: &mut Config, named: Option<&Path>) -> Result<Self, CliError> {
        let system = |source| CliError::System { what: "make the folder of the demo", source };
        let (data, temporary) = match named {
            Some(folder) => {
                refuse_used(folder)?;
                (std::path::absolute(folder).map_err(system)?, None)
            }
            None => {
                let folder = config::temporary_folder().join(format!("keytrail-demo-{}", ids::new_id().simple()));
                config.secrets.root_key_file = Some(folder.join("root.key"));
                (folder.join("data"), Some(folder))
            }
        };
        let repositories = temporary.as_deref().unwrap_or(&data).join("repositories");
        let made = highest_missing(&data);
        let key = config.secrets.root_key_file.as_deref().map(std::path::absolute).transpose().map_err(system)?;
        let made_key = key.and_then(|key| Some((key.clone(), highest_missing(&key)?)));
        for folder in temporary.iter().chain([&data, &repositories]) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(system)?;
        }
        let repositories = fs::canonicalize(repositories).map_err(system)?;
        config.store.folder.clone_from(&data);
        config.store.database_url = None;
        config.git.roots = vec![repositories.clone()];
        // Whatever a file allows to be reached: nothing of the demo is elsewhere.
        (config.git.allow_private, config.git.hosts, config.git.networks) = (false, Vec::new(), Vec::new());
        let go_on = config.reach.start_with.clone();
        Ok(Self { repositories, temporary, data, go_on, made, made_key })
    }

    /// Removes what was made where somebody named a folder: the demo is not whole. The folder was empty, so that all in it is
    /// the demo's, unless another process came to use it meanwhile.
    pub(super) async fn withdraw(&self) {
        if self.temporary.is_some() {
            return;
        }
        // What the server did beside answering may hold the folder for a moment longer.
        let ours = removed(&self.data, || {
            if !self.data.exists() {
                return Ok(());
            }
            let _ours = FolderLock::take(&self.data).map_err(io::Error::other)?;
            empty(&self.data)
        });
        ours.await;
        if let Some(highest) = &self.made {
            remove_empty(&self.data, highest);
        }
        if let Some((key, highest)) = &self.made_key {
            // Not there, if it came to nothing so early.
            let _ = fs::remove_file(key);
            remove_empty(key.parent().unwrap_or(key), highest);
        }
    }

    /// Removes what was made in a place of its own.
    pub(super) async fn clear(&self) {
        if let Some(folder) = &self.temporary {
            output::print(&format!("removing {}: thousands of small files", folder.display()));
            removed(folder, || fs::remove_dir_all(folder)).await;
        }
    }

    /// Writes the repositories and sets everything up. `client` has the rights of this machine.
    pub(super) async fn play(&self, client: &Client, url: &str, app: &App) -> Result<(), CliError> {
        let (root, now) = (self.repositories.clone(), Clock::System.now().seconds());
        off_the_runtime(move || demo::write(&root, now)).await?;
        let tokens = issue_tokens(client).await?;
        // From here on it is she who does it.
        let maria = client.with_token(tokens[0].token.clone());
        let integrations = self.connect(&maria).await?;
        let first = Waiting::new(&maria);
        first.indexed(REPOSITORIES.len()).await?;
        change_settings(&maria, &integrations, &self.repositories).await?;
        decide(&maria).await?;
        keep_keys(&maria, app).await?;

        // The first time to look is over; now things happen that only a second look sees.
        let before = first.last_runs().await?;
        let root = self.repositories.clone();
        let deleted = off_the_runtime(move || demo::rewrite_and_delete(&root, now)).await?;
        for path in [REWRITTEN, DELETED, GONE] {
            look(&maria, &before, path).await?;
        }
        first.new_runs(&before, &[REWRITTEN, DELETED]).await?;
        first.trouble(GONE).await?;
        let before = first.last_runs().await?;
        let root = self.repositories.clone();
        off_the_runtime(move || demo::restore(&root, &deleted)).await?;
        look(&maria, &before, DELETED).await?;
        first.new_runs(&before, &[DELETED]).await?;
        self.tour(url, &tokens);
        Ok(())
    }

    /// Connects the company's repositories: a tracked folder, single ones, one of a git server.
    async fn connect(&self, maria: &Client) -> Result<Vec<(String, String)>, CliError> {
        let path = |path: &str| json!({ "kind": "path", "path": self.repositories.join(path) });
        let connections = [
            ("Shop team", json!({ "kind": "folder", "path": self.repositories.join("shop"), "depth": 1 })),
            ("pay-gw", path("pay/gateway.git")),
            ("Ledger", path("pay/ledger.git")),
            ("Infrastructure", path("ops/infrastructure.git")),
            ("Mobile app", path("app/mobile.git")),
            ("Old website", path("old/website.git")),
            ("Intranet wiki", path(GONE)),
            ("ERP connector", json!({ "kind": "git", "url": "https://git.erp.invalid/connector.git" })),
        ];
        let mut added = Vec::new();
        for (name, connection) in connections {
            let body = json!({ "name": name, "connection": connection });
            let answer: Value = maria.post("/api/v1/integrations", &body).await?;
            added.push((name.to_owned(), answer["id"].as_str().unwrap_or_default().to_owned()));
        }
        Ok(added)
    }

    fn tour(&self, url: &str, tokens: &[Shown]) {
        let program = output::quoted(&config::this_program().to_string_lossy());
        let keytrail = format!("{program} --data {}", output::quoted(&self.data.to_string_lossy()));
        let mut lines = vec![
            String::new(),
            "The demo is ready: a small shop with nine repositories, 18 months of them.".to_owned(),
            String::new(),
            format!("  address   {url}       (the API: {url}/docs/)"),
        ];
        lines.extend(
            tokens.iter().map(|shown| format!("  token     {}   {} ({})", shown.token, shown.name, shown.role)),
        );
        lines.extend([
            format!("  data      {}", self.data.display()),
            format!("  roots     {}       (what lies below may be added over the API)", self.repositories.display()),
            String::new(),
            "Six things to try, in another terminal:".to_owned(),
            format!("  {keytrail} issue show {STORY}"),
            format!("  {keytrail} repository list"),
            format!("  {keytrail} events --last 30"),
            format!("  {keytrail} host-key list"),
            format!("  {keytrail} views verify"),
            format!(
                "  curl -H 'Authorization: Bearer {}' '{url}/api/v1/issues/{STORY}/commits?limit=3'",
                tokens[1].token
            ),
            String::new(),
            "Apps and pull requests: `./scripts/run --fake-github`, in the source, starts a GitHub to try.".into(),
        ]);
        if self.temporary.is_some() {
            lines.push("Ctrl-C stops it, and removes its folder.".to_owned());
        } else {
            lines.push(format!("Ctrl-C stops it; the folder stays, and `{}` goes on with it.", self.go_on));
        }
        lines.iter().for_each(|line| output::print(line));
    }
}

/// Tries it until nothing comes back: stopped so early, a repository may still be being written.
async fn removed(folder: &Path, remove: impl Fn() -> io::Result<()>) {
    let mut gone = 0;
    for _ in 0..20 {
        match remove() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => gone = 0,
            _ => gone += 1,
        }
        if gone == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    eprintln!("keytrail: the folder of the demo, {}, could not be removed; do it by hand", folder.display());
}

/// Removes all that is in a folder.
fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes a folder and those above it up to this one, as long as nothing is in them.
fn remove_empty(folder: &Path, highest: &Path) {
    for folder in folder.ancestors().take_while(|folder| folder.starts_with(highest)) {
        if fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

/// The highest part of a path that is not there.
fn highest_missing(path: &Path) -> Option<PathBuf> {
    path.ancestors().take_while(|part| !part.exists()).last().map(Path::to_owned)
}

/// A folder with anything in it is somebody's.
fn refuse_used(folder: &Path) -> Result<(), CliError> {
    let used = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(CliError::Input(format!("{} cannot be looked into: {error}", folder.display()))),
    };
    if used {
        let detail = format!(
            "the demo does not touch the folder {}, which is not empty: name one that is, or leave --data out for a \
             temporary one. To serve what is there, leave --demo out",
            folder.display()
        );
        return Err(CliError::Input(detail));
    }
    Ok(())
}

async fn off_the_runtime<T: Send + 'static, E: std::fmt::Display + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, CliError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| CliError::Failed(error.to_string()))?;
    done.map_err(|error| CliError::Failed(error.to_string()))
}

async fn issue_tokens(client: &Client) -> Result<Vec<Shown>, CliError> {
    let mut tokens = Vec::new();
    for (name, role, days) in [
        ("Maria Jensen", "admin", 90),
        ("Jira sync", "viewer", 30),
        ("Auditors", "auditor", 14),
        ("Sam's old laptop", "viewer", 7),
    ] {
        let body = json!({ "name": name, "role": role, "expires_in_days": days });
        let issued: Value = client.post("/api/v1/tokens", &body).await?;
        let token = issued["token"].as_str().unwrap_or_default().to_owned();
        if name.starts_with("Sam") {
            client.delete(&format!("/api/v1/tokens/{}", issued["id"].as_str().unwrap_or_default())).await?;
            continue;
        }
        tokens.push(Shown { name, role, token });
    }
    Ok(tokens)
}

/// Some history of settings: a better name, refs that are looked at too, a deeper folder, a pause.
async fn change_settings(maria: &Client, integrations: &[(String, String)], root: &Path) -> Result<(), CliError> {
    let at = |name: &str| {
        let id = integrations.iter().find(|(known, _)| known == name).map_or("", |(_, id)| id);
        format!("/api/v1/integrations/{id}")
    };
    let _: Value = maria.put(&format!("{}/name", at("pay-gw")), &json!({ "name": "Payment gateway" })).await?;
    let notes = json!({ "kind": "path", "path": root.join("pay/ledger.git"), "refs": { "notes": true } });
    let _: Value = maria.put(&format!("{}/connection", at("Ledger")), &json!({ "connection": notes })).await?;
    let deeper = json!({ "kind": "folder", "path": root.join("shop"), "depth": 2 });
    let _: Value = maria.put(&format!("{}/connection", at("Shop team")), &json!({ "connection": deeper })).await?;
    for name in ["Infrastructure", "Old website"] {
        let _: Value = maria.post(&format!("{}/pause", at(name)), &json!({})).await?;
    }
    let _: Value = maria.post(&format!("{}/resume", at("Infrastructure")), &json!({})).await?;
    Ok(())
}

/// What only a person can know: a commit that belongs to the story although it names another issue, which
/// projects there are, somebody who asked to be forgotten.
async fn decide(maria: &Client) -> Result<(), CliError> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let newest = |project: &str| [("project", project.to_owned())];
    let issues: Vec<Value> = maria.list("/api/v1/search", &newest(LINKED_FROM), 1).await?;
    let key = issues.first().map(|issue| text(&issue["key"])).unwrap_or_default();
    let commits: Vec<Value> = maria.list(&format!("/api/v1/issues/{key}/commits"), &[], 1).await?;
    for commit in &commits {
        let (repository, sha) = (text(&commit["repository"]["id"]), text(&commit["sha"]));
        let _: Value = maria.post(&format!("/api/v1/issues/{STORY}/commits/{repository}/{sha}"), &json!({})).await?;
    }

    let rules: Value = maria.get("/api/v1/project-rules", &[]).await?;
    let known: BTreeSet<_> = REPOSITORIES.iter().flat_map(|spec| spec.projects).collect();
    let rules = json!({ "known": known, "denied": rules["denied"] });
    let _: Value = maria.put("/api/v1/project-rules", &rules).await?;

    let people: Vec<Value> = maria.list("/api/v1/people", &[("fragment", FORGOTTEN.to_owned())], 1).await?;
    for person in &people {
        let _: Value = maria.post(&format!("/api/v1/people/{}/forget", text(&person["id"])), &json!({})).await?;
    }
    Ok(())
}

/// The last run of each repository, by where it lies.
type LastRuns = Vec<(String, Value)>;

fn of<'a>(all: &'a LastRuns, path: &str) -> &'a Value {
    all.iter().find(|(location, _)| location.ends_with(path)).map_or(&Value::Null, |(_, row)| row)
}

async fn look(maria: &Client, all: &LastRuns, path: &str) -> Result<(), CliError> {
    let id = of(all, path)["id"].as_str().unwrap_or_default();
    let _: Value = maria.post(&format!("/api/v1/repositories/{id}/fetch"), &json!({})).await?;
    Ok(())
}

/// Waits for what the server does by and by.
struct Waiting<'a> {
    client: &'a Client,
    began: Instant,
}

impl<'a> Waiting<'a> {
    fn new(client: &'a Client) -> Self {
        Self { client, began: Instant::now() }
    }

    async fn last_runs(&self) -> Result<LastRuns, CliError> {
        let all: Vec<Value> = self.client.list("/api/v1/repositories", &[], usize::MAX).await?;
        let located = |row: Value| (row["location"].as_str().unwrap_or_default().to_owned(), row);
        Ok(all.into_iter().map(located).collect())
    }

    async fn until(&self, what: &str, so: impl Fn(&LastRuns) -> bool) -> Result<(), CliError> {
        while !so(&self.last_runs().await?) {
            if self.began.elapsed() > PATIENCE {
                return Err(CliError::Failed(format!("the demo is not whole: it waited in vain {what}")));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// The repositories of this machine are indexed.
    async fn indexed(&self, wanted: usize) -> Result<(), CliError> {
        let indexed = |all: &LastRuns| all.iter().filter(|(_, row)| row["state"] == "indexed").count() >= wanted;
        self.until("for the first index of its repositories", indexed).await
    }

    /// Each of these has a run that is newer than `before`, and it is over.
    async fn new_runs(&self, before: &LastRuns, paths: &[&str]) -> Result<(), CliError> {
        let newer = |all: &LastRuns, path: &str| {
            let row = of(all, path);
            row["last_run"] != of(before, path)["last_run"] && row["state"] == "indexed"
        };
        self.until("for a second look", |all| paths.iter().all(|path| newer(all, path))).await
    }

    async fn trouble(&self, path: &str) -> Result<(), CliError> {
        self.until("for the repository that was taken away", |all| !of(all, path)["trouble"].is_null()).await
    }
}
