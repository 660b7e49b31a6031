//! The command line. It is a client of the API and can do what the API can: a command finds the server of its data
//! folder, or starts one for itself on the loopback address for as long as it takes.

mod client;
mod commit;
mod config;
mod doctor;
mod error;
mod events;
mod explain;
mod follow;
mod index;
mod integration;
mod issue;
mod migrate;
mod output;
mod person;
mod place;
mod project;
mod repository;
mod run;
mod search;
mod serve;
mod support_archive;
mod token;
mod vault;
mod views;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

pub use self::error::CliError;
use crate::config::{Config, Overrides};

/// Ties git to Jira: which commits and branches belong to which issue, and how that came to be.
#[derive(Debug, Parser)]
#[command(name = "keytrail", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Which server, and what it is made of.
#[derive(Debug, Args)]
struct Place {
    /// The configuration file [default: ~/.config/keytrail/keytrail.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder [default: ~/.local/share/keytrail]
    #[arg(long, global = true, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// A PostgreSQL database instead of the embedded store
    #[arg(long, global = true, value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
    /// The file with the root key [default: root.key beside the configuration]
    #[arg(long, global = true, value_name = "FILE")]
    root_key_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server
    Serve(serve::Serve),
    /// Index a repository of this machine, and say what was found
    Index(index::Index),
    /// Ask which commits and branches belong to an issue
    #[command(subcommand)]
    Issue(issue::Issue),
    /// Issues by their keys, the words of commits, names of commits, authors
    Search(search::Search),
    /// One commit: its issues, the refs that lead to it, what it changed
    #[command(subcommand)]
    Commit(commit::Commit),
    /// Why an issue shows a commit, or does not
    Explain(explain::Explain),
    /// Which projects count, and which only look like projects
    #[command(subcommand)]
    Project(project::Project),
    /// What happened, by whom, when, why
    Events(events::Events),
    /// Connections to git services and folders
    #[command(subcommand)]
    Integration(integration::Integration),
    /// Repositories
    #[command(subcommand)]
    Repository(repository::Repository),
    /// Index runs
    #[command(subcommand)]
    Run(run::Run),
    /// Those whom commits name as authors
    #[command(subcommand)]
    Person(person::Person),
    /// Access tokens
    #[command(subcommand)]
    Token(token::Token),
    /// Views of the log: how they stand, whether they are true
    #[command(subcommand)]
    Views(views::Views),
    /// What is well with the server and what is not, and what to do
    Doctor(doctor::Doctor),
    /// The configuration: what it is and where from, what is wrong with it, what it could be
    #[command(subcommand)]
    Config(config::Config),
    /// Bring the store to this version's schema; `serve` does it by itself
    Migrate(migrate::Migrate),
    /// The root key
    #[command(subcommand)]
    Vault(vault::Vault),
    /// Print the description of the API (OpenAPI, JSON)
    Openapi,
}

impl Cli {
    /// Carries the command out.
    pub fn run(self) -> ExitCode {
        match self.carry_out() {
            Ok(code) => code,
            Err(error) => {
                eprintln!("keytrail: {error}");
                let mut source = std::error::Error::source(&error);
                while let Some(cause) = source {
                    eprintln!("  because {cause}");
                    source = cause.source();
                }
                error.exit_code()
            }
        }
    }

    fn carry_out(self) -> Result<ExitCode, CliError> {
        if let Command::Openapi = self.command {
            let text = crate::http::spec().to_pretty_json().map_err(|error| CliError::Failed(error.to_string()))?;
            output::print(&text);
            return Ok(ExitCode::SUCCESS);
        }
        let listen = match &self.command {
            Command::Serve(serve) => serve.listen(),
            _ => None,
        };
        let overrides = self.place.overrides(listen);
        if let Command::Config(command) = self.command {
            return command.run(&overrides);
        }
        let config = match (Config::load(&overrides), self.command) {
            (Ok(config), command) => (config, command),
            (Err(error), Command::Doctor(doctor)) => return doctor.without_configuration(&error),
            (Err(error), _) => return Err(error.into()),
        };
        let (config, command) = config;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|source| CliError::System { what: "start its threads", source })?;
        let done = runtime.block_on(async {
            match command {
                Command::Serve(command) => command.run(config).await,
                Command::Index(command) => command.run(&config).await,
                Command::Issue(command) => command.run(&config).await,
                Command::Search(command) => command.run(&config).await,
                Command::Commit(command) => command.run(&config).await,
                Command::Explain(command) => command.run(&config).await,
                Command::Project(command) => command.run(&config).await,
                Command::Events(command) => command.run(&config).await,
                Command::Integration(command) => command.run(&config).await,
                Command::Repository(command) => command.run(&config).await,
                Command::Run(command) => command.run(&config).await,
                Command::Person(command) => command.run(&config).await,
                Command::Token(command) => command.run(&config).await,
                Command::Views(command) => command.run(&config).await,
                Command::Doctor(command) => command.run(&config).await,
                Command::Migrate(command) => command.run(&config).await,
                Command::Vault(command) => command.run(&config).await,
                Command::Openapi | Command::Config(_) => Ok(ExitCode::SUCCESS),
            }
        });
        // Work on blocking threads that nobody waits for any more must not hold the program.
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        done
    }
}

impl Place {
    fn overrides(&self, listen: Option<SocketAddr>) -> Overrides {
        Overrides {
            file: self.config.clone(),
            folder: self.data.clone(),
            database_url: self.database_url.clone(),
            listen,
            root_key_file: self.root_key_file.clone(),
        }
    }
}
