//! `keytrail index`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    CliError,
    client::{Client, with_client},
    output,
    place::{absolute, in_place},
    watched_run::{Run, SOON, watch},
};
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct Index {
    /// The repository: its folder, its `.git`, or a bare repository. Naming it here approves it
    path: PathBuf,
    /// Only ask for the run, and name it; a server must be running that does it
    #[arg(long)]
    no_wait: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Integration {
    id: String,
    #[serde(default)]
    position: i64,
    /// This and the state are not there when the view does not show the integration yet.
    location: Option<String>,
    state: Option<String>,
}

#[derive(Deserialize)]
struct Repository {
    id: String,
    state: String,
    location: String,
    last_run: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct Project {
    project: String,
    issues: u64,
    links: u64,
    denied: bool,
}

/// What is printed at the end.
#[derive(Serialize)]
struct Summary {
    repository: String,
    run: String,
    commits: u64,
    keyed_commits: u64,
    keys: u64,
    refs: u64,
    seconds: f64,
    commits_per_second: f64,
    projects: Vec<Project>,
}

impl Index {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        if config.reach.server.is_some() {
            let detail = "this indexes a folder of this machine, which a server elsewhere cannot see; there, `keytrail \
                          integration add` takes a path of its own machine, or an address";
            return Err(CliError::Input(detail.into()));
        }
        let path = absolute(&self.path)?;
        if self.no_wait {
            return self.ask(config, &path).await;
        }
        let started = Instant::now();
        let summary = with_client(config, async |client| index(client, &path, started).await).await?;
        if self.json {
            output::json(&summary)?;
        } else {
            print(&summary, &path);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Asks, and leaves the work to the server.
    async fn ask(&self, config: &Config, path: &Path) -> Result<ExitCode, CliError> {
        let mut config = config.clone();
        // One that ends with the command would do nothing.
        config.reach.starts = false;
        let (repository, run) = with_client(&config, async |client| request(client, path).await).await?;
        if self.json {
            output::json(&json!({ "repository": repository, "run": run }))?;
        } else {
            output::print(&format!("asked for; how far it is: keytrail run show {run}"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn index(client: &Client, path: &Path, started: Instant) -> Result<Summary, CliError> {
    let (repository, run) = request(client, path).await?;
    let (run, counts) = watch(client, &run).await?;
    let seconds = started.elapsed().as_secs_f64();
    let query = [("repository", repository.clone()), ("all", "true".to_owned())];
    let projects = client.list("/api/v1/projects", &query, 200).await?;
    Ok(Summary {
        repository,
        run,
        commits: counts.commits,
        keyed_commits: counts.keyed,
        keys: counts.keys,
        refs: counts.refs,
        seconds,
        commits_per_second: counts.commits as f64 / seconds.max(1e-9),
        projects,
    })
}

/// Adds the place as an integration unless it is one, and asks for a run unless one is under way. The repository and
/// the run.
async fn request(client: &Client, path: &Path) -> Result<(String, String), CliError> {
    let connection = in_place(path)?;
    let text = path.to_string_lossy();
    let mut added =
        client.post("/api/v1/integrations", &json!({ "name": short(path), "connection": connection })).await;
    if matches!(&added, Err(CliError::Problem { code, .. }) if code == "integration_name_taken") {
        // Another folder of the same name: the whole path tells them apart.
        let name: String = text.chars().skip(text.chars().count().saturating_sub(100)).collect();
        added = client.post("/api/v1/integrations", &json!({ "name": name, "connection": connection })).await;
    }
    let (integration, new): (Integration, bool) = match added {
        Ok(added) => (added, true),
        // It is there: look at it again.
        Err(CliError::Problem { code, .. }) if code == "connection_taken" => {
            let canonical = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            let query = [("location", canonical.to_string_lossy().into_owned()), ("kind", "path".to_owned())];
            let found: Vec<Integration> = client.list("/api/v1/integrations", &query, 1).await?;
            let gone = || CliError::Failed("the integration of this repository was removed just now; try again".into());
            (found.into_iter().next().ok_or_else(gone)?, false)
        }
        Err(error) => return Err(error),
    };
    discovered(client, &integration, new).await
}

/// Waits until the repository of the integration is there, and a run of it: as long as a worker takes to come to it.
async fn discovered(client: &Client, integration: &Integration, new: bool) -> Result<(String, String), CliError> {
    let at = format!("/api/v1/integrations/{}", integration.id);
    let path = format!("{at}/repositories");
    let query = [("min_position", integration.position.to_string())];
    let (began, mut told) = (Instant::now(), false);
    loop {
        let repositories: Vec<Repository> = client.list(&path, &query, usize::MAX).await?;
        // Those of places that it was connected to before are still listed.
        let here = |found: &Repository| {
            found.state != "forgotten" && integration.location.as_ref().is_none_or(|place| found.location == *place)
        };
        match repositories.into_iter().find(here) {
            // Discovered just now, and its first run asked for by itself.
            Some(Repository { id, last_run: Some(run), .. }) if new => return Ok((id, run)),
            Some(Repository { id, last_run, .. }) if !new => {
                if let Some(asked) = again(client, id, last_run).await? {
                    return Ok(asked);
                }
            }
            _ => {}
        }
        if began.elapsed() < SOON {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        }
        let now: Integration = client.get(&at, &[]).await?;
        if let Some(state @ ("paused" | "removed")) = now.state.as_deref() {
            let detail = format!("the integration {} is {state}, so nothing looks at its repository", now.id);
            return Err(CliError::Failed(detail));
        }
        if !told {
            output::wait("for a worker of the server to look at the repository; all of them are at work");
            told = true;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The folder's own name: what people call the repository.
fn short(path: &Path) -> String {
    let folder = if path.file_name().is_some_and(|name| name == ".git") { path.parent() } else { Some(path) };
    let name = folder.and_then(Path::file_name).map_or_else(|| "repository".into(), |name| name.to_string_lossy());
    name.strip_suffix(".git").unwrap_or(&name).chars().take(100).collect()
}

/// Asks for a run; the one that is under way will do. `None` when the view does not show that one yet.
async fn again(client: &Client, id: String, last_run: Option<String>) -> Result<Option<(String, String)>, CliError> {
    let asked: Result<Run, _> = client.post(&format!("/api/v1/repositories/{id}/index-runs"), &json!({})).await;
    match asked {
        Ok(run) => Ok(Some((id, run.id))),
        Err(CliError::Problem { code, .. }) if code == "index_run_active" => Ok(last_run.map(|run| (id, run))),
        Err(error) => Err(error),
    }
}

fn print(summary: &Summary, path: &Path) {
    output::print(&format!("{} indexed in {:.2} s", path.display(), summary.seconds));
    output::print(&format!(
        "  {} read ({} commits/s), {} of them with issue keys",
        output::count(summary.commits, "new commit"),
        output::grouped(summary.commits_per_second.round() as u64),
        output::grouped(summary.keyed_commits),
    ));
    output::print(&format!(
        "  {} found, {} looked at",
        output::count(summary.keys, "key"),
        output::count(summary.refs, "changed ref")
    ));
    let (denied, projects): (Vec<_>, Vec<_>) = summary.projects.iter().partition(|project| project.denied);
    if !projects.is_empty() {
        output::print("  top projects:");
        for project in projects.iter().take(10) {
            output::print(&format!(
                "    {:<12} {} in {}",
                project.project,
                output::count(project.issues, "issue"),
                output::count(project.links, "link")
            ));
        }
    }
    if !denied.is_empty() {
        let names: Vec<_> = denied.iter().take(8).map(|project| project.project.as_str()).collect();
        output::print(&format!("  left out, by the rules of projects: {}", names.join(", ")));
    }
}
