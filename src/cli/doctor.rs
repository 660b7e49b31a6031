//! `keytrail doctor`

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{CliError, client::Client, output, support_archive::Archive};
use crate::{
    boot::Endpoint,
    config::{self, Config, ConfigError},
    doctor::{self, Subject},
};

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Print JSON, one finding a line
    #[arg(long)]
    json: bool,
    /// Write an archive for who helps from afar: figures and findings, without names, places and secrets
    #[arg(long, value_name = "FILE.tar.gz")]
    bundle: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Examined {
    items: Vec<Finding>,
}

/// A finding as the API tells it, or as it was made here.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Finding {
    pub(super) subject: String,
    pub(super) id: String,
    pub(super) state: String,
    pub(super) sentence: String,
    pub(super) details: Vec<String>,
    pub(super) remedy: Option<String>,
}

impl Finding {
    fn of((subject, found): (Subject, doctor::Finding)) -> Self {
        let doctor::Finding { id, state, sentence, details, remedy } = found;
        let state = match state {
            doctor::State::Ok => "ok",
            doctor::State::Warn => "warn",
            doctor::State::Fail => "fail",
        };
        let (subject, id, state) = (subject.as_str().to_owned(), id.to_owned(), state.to_owned());
        Self { subject, id, state, sentence, details, remedy }
    }
}

impl Doctor {
    /// Ends with 1 when something fails.
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        if let Some(file) = &self.bundle {
            Archive::refuse_to_replace(file)?;
        }
        let mut archive = Archive::new(config);
        let findings = if config.reach.server.is_some() {
            // Nothing of this machine says anything of one elsewhere.
            let client = Client::connect(config).await?;
            examine(&client, self.bundle.is_some().then_some(&mut archive), None).await?
        } else if let Some(client) = Client::running(config).await {
            let process = Endpoint::find(&config.store.folder).map(|endpoint| endpoint.pid);
            examine(&client, self.bundle.is_some().then_some(&mut archive), process).await?
        } else {
            self.without_server(config, &mut archive).await?
        };
        if let Some(file) = &self.bundle {
            archive.findings(&findings)?;
            archive.write(file)?;
            if !self.json {
                output::print(&format!("wrote {}: look at what is in it before you send it", file.display()));
            }
        }
        self.tell(&findings)
    }

    /// The configuration cannot be used: what can be said without.
    pub(super) fn without_configuration(self, error: &ConfigError) -> Result<ExitCode, CliError> {
        let config = Config::default();
        let mut findings = vec![Finding::of(doctor::not_configured(&error.to_string()))];
        // What is said of folders and ports would be of others than those that were meant.
        let around = doctor::examine_around(&config).into_iter().map(Finding::of);
        findings.extend(around.filter(|found| ["environment", "open_files", "memory"].contains(&found.id.as_str())));
        if let Some(file) = &self.bundle {
            let mut archive = Archive::new(&config);
            Archive::refuse_to_replace(file)?;
            archive.findings(&findings)?;
            archive.write(file)?;
        }
        self.tell(&findings)
    }

    /// No server runs: looks around first, and then inside one of its own, if it can be started. Nobody works in that one:
    /// what waits goes on waiting. Where there is no store, or one of another version, none is started: it would make one.
    async fn without_server(&self, config: &Config, archive: &mut Archive) -> Result<Vec<Finding>, CliError> {
        let around: Vec<_> = doctor::examine_around(config).into_iter().map(Finding::of).collect();
        match Client::to_look(config).await {
            Ok(client) => {
                let inside = examine(&client, self.bundle.is_some().then_some(archive), None).await;
                client.close().await;
                let port = around.into_iter().filter(|found| found.id == "port");
                let mut findings: Vec<_> = inside?.into_iter().chain(port).collect();
                let order = |found: &Finding| Subject::ALL.iter().position(|one| one.as_str() == found.subject);
                findings.sort_by_key(order);
                Ok(findings)
            }
            Err(error) => {
                let why = doctor::not_started(&error.to_string());
                Ok(around.into_iter().chain([Finding::of(why)]).collect())
            }
        }
    }

    fn tell(&self, findings: &[Finding]) -> Result<ExitCode, CliError> {
        let failed = findings.iter().any(|finding| finding.state == "fail");
        let code = if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        if self.json {
            findings.iter().try_for_each(output::json)?;
            return Ok(code);
        }
        let coloured = output::to_terminal() && !config::no_color();
        let paint = |text: String, code: &str| if coloured { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text };
        let width = findings.iter().map(|finding| finding.id.len()).max().unwrap_or(0);
        let below = " ".repeat(width + "  fail   ".len());
        let mut subject = "";
        for finding in findings {
            if finding.subject != subject {
                subject = &finding.subject;
                output::print(&paint(subject.replace('_', " "), "1"));
            }
            let colour = match finding.state.as_str() {
                "ok" => "32",
                "warn" => "33",
                _ => "31",
            };
            let state = paint(format!("{:<4}", finding.state), colour);
            output::print(&format!("  {state}  {:<width$} {}", finding.id, finding.sentence));
            finding.details.iter().for_each(|detail| output::print(&format!("{below}- {detail}")));
            if let Some(remedy) = &finding.remedy {
                output::print(&format!("{below}-> {remedy}"));
            }
        }
        let count = |state: &str| findings.iter().filter(|finding| finding.state == state).count();
        output::print(&format!("{} ok, {} to look at, {} failing", count("ok"), count("warn"), count("fail")));
        Ok(code)
    }
}

async fn examine(
    client: &Client,
    archive: Option<&mut Archive>,
    process: Option<u32>,
) -> Result<Vec<Finding>, CliError> {
    let examined: Examined = client.get("/api/v1/doctor", &[]).await?;
    if let Some(archive) = archive {
        archive.server(client, process).await;
    }
    Ok(examined.items)
}
