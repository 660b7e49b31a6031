//! The command line. It is a client of the API and can do what the API can: a command asks the server that is named, or
//! the one of its data folder; some start one for themselves on the loopback address for as long as it takes.

mod chosen;
mod client;
mod commit;
mod config;
mod connection_test;
mod consent;
mod delivery;
mod demo;
mod demo_keys;
mod doctor;
#[cfg(test)]
mod done_at_once;
mod elsewhere;
mod error;
mod events;
mod exit_codes;
mod explain;
mod follow;
mod form;
mod github_connection;
mod going;
mod health;
mod hidden_projects;
mod host_key;
mod host_key_told;
mod how_far;
mod in_commands;
mod index;
mod installation;
mod installation_told;
mod integration;
mod issue;
mod manual;
mod migrate;
mod new_ssh_key;
mod operation;
mod output;
mod passphrase;
mod person;
mod place;
mod project;
#[cfg(test)]
mod reference;
mod repository;
mod route;
mod run;
mod search;
mod serve;
mod ssh_key;
mod ssh_key_files;
mod ssh_key_pool;
mod ssh_key_told;
mod standing;
mod support_archive;
mod table;
mod token;
mod vault;
mod version;
mod views;
mod waiting;
mod watched_operation;
mod watched_run;
mod web_links;
#[cfg(test)]
mod words;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};

pub use self::error::CliError;
use crate::config::{Config, Overrides, Reach};

/// Ties git to Jira: which commits and branches belong to which issue, and how that came to be.
#[derive(Debug, Parser)]
#[command(
    name = "keytrail",
    version,
    long_version = version::with_build_facts(),
    max_term_width = 100,
    after_help = exit_codes::help()
)]
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
    #[arg(long, global = true, value_name = "FILE", help_heading = "With every command")]
    config: Option<PathBuf>,
    /// The data folder [default: ~/.local/share/keytrail]
    #[arg(long, global = true, value_name = "FOLDER", help_heading = "With every command")]
    data: Option<PathBuf>,
    /// A PostgreSQL database instead of the embedded store
    #[arg(long, global = true, value_name = "URL", hide_env_values = true, help_heading = "With every command")]
    database_url: Option<String>,
    /// The file with the root key [default: root.key beside the configuration]
    #[arg(long, global = true, value_name = "FILE", help_heading = "With every command")]
    root_key_file: Option<PathBuf>,
    /// Ask this server instead of the one of the data folder, such as https://keytrail.example.com
    #[arg(long, global = true, value_name = "URL", conflicts_with_all = ["data", "database_url"], help_heading = "A server elsewhere")]
    server: Option<String>,
    /// The file with the access token for it [default: the variable KEYTRAIL_TOKEN]
    #[arg(long, global = true, value_name = "FILE", help_heading = "A server elsewhere")]
    token_file: Option<PathBuf>,
    /// The certificate, in PEM, of the authority that vouches for it, when it is your own
    #[arg(long, global = true, value_name = "FILE", help_heading = "A server elsewhere")]
    server_ca: Option<PathBuf>,
    /// Ask it over http:// though it is another machine; everybody on the way can read the token
    #[arg(long, global = true, help_heading = "A server elsewhere")]
    allow_http: bool,
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
    /// What git services delivered by themselves
    #[command(subcommand)]
    Delivery(delivery::Delivery),
    /// GitHub Apps: how they are, taking over, suspending, other keys
    #[command(subcommand)]
    Installation(installation::Installation),
    /// Repositories
    #[command(subcommand)]
    Repository(repository::Repository),
    /// Index runs
    #[command(subcommand)]
    Run(run::Run),
    /// Long work of any kind
    #[command(subcommand)]
    Operation(operation::Operation),
    /// Those whom commits name as authors
    #[command(subcommand)]
    Person(person::Person),
    /// Keys of SSH: those that the server keeps, and files with one: what it is, the same in another form
    #[command(subcommand)]
    SshKey(ssh_key::SshKeyCommand),
    /// Keys by which SSH servers are known: looked at, trusted, accepted or refused when they change
    #[command(subcommand)]
    HostKey(host_key::HostKey),
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
    /// Whether the server is ready; for health checks
    Health(health::Health),
    /// Bring the store to this version's schema; `serve` does it by itself
    Migrate(migrate::Migrate),
    /// The root key
    #[command(subcommand)]
    Vault(vault::Vault),
    /// Print the description of the API (OpenAPI, JSON)
    Openapi,
    /// Print what completes this program's arguments in a shell
    Completions(manual::Completions),
    /// Write the manual pages
    Man(manual::Man),
}

/// What a command works on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// Nothing but itself.
    Nothing,
    /// The data folder of this machine; a server elsewhere cannot help.
    DataFolder,
    /// A server; where none runs it is started for as long as the command takes.
    AnyServer,
    /// A server that goes on afterwards: what the command asks for is done by and by.
    RunningServer,
}

impl Command {
    const fn needs(&self) -> Needs {
        match self {
            Self::SshKey(command) if command.asks_a_server() => Needs::AnyServer,
            Self::Openapi | Self::Config(_) | Self::SshKey(_) | Self::Completions(_) | Self::Man(_) => Needs::Nothing,
            Self::Serve(_) | Self::Migrate(_) | Self::Vault(_) => Needs::DataFolder,
            Self::Index(_)
            | Self::Issue(_)
            | Self::Search(_)
            | Self::Explain(_)
            | Self::Project(_)
            | Self::Person(_)
            | Self::Commit(_)
            | Self::Events(_)
            | Self::Views(_)
            | Self::Token(_)
            | Self::HostKey(_)
            | Self::Doctor(_) => Needs::AnyServer,
            Self::Integration(_)
            | Self::Delivery(_)
            | Self::Installation(_)
            | Self::Repository(_)
            | Self::Run(_)
            | Self::Operation(_)
            | Self::Health(_) => Needs::RunningServer,
        }
    }
}

impl Cli {
    /// Carries the command out.
    pub fn run(self) -> ExitCode {
        match self.carry_out() {
            Ok(code) => code,
            Err(error) => {
                let mut said = error.to_string();
                eprintln!("keytrail: {said}");
                let mut source = std::error::Error::source(&error);
                while let Some(cause) = source {
                    let text = cause.to_string();
                    // Some tell their cause themselves.
                    if !said.contains(&text) {
                        eprintln!("  because {text}");
                        said.push_str(&text);
                    }
                    source = cause.source();
                }
                error.exit_code()
            }
        }
    }

    fn carry_out(self) -> Result<ExitCode, CliError> {
        if let Command::Openapi = self.command {
            output::print(&crate::http::spec::json());
            return Ok(ExitCode::SUCCESS);
        }
        match &self.command {
            Command::Completions(command) => return command.run(),
            Command::Man(command) => return command.run(),
            Command::SshKey(command) if !command.asks_a_server() => return command.run_here(),
            _ => {}
        }
        let needs = self.command.needs();
        if needs == Needs::DataFolder && self.place.server.is_some() {
            let detail = "this command works on the data folder of this machine; leave --server out, and run it where the \
                          server is";
            return Err(CliError::Input(detail.into()));
        }
        let listen = match &self.command {
            Command::Serve(serve) => serve.listen(),
            _ => None,
        };
        let overrides = self.place.overrides(listen, needs);
        if let Command::Config(command) = self.command {
            return command.run(&overrides);
        }
        let config = match (Config::load(&overrides), self.command) {
            (Ok(config), command) => (config, command),
            (Err(error), Command::Doctor(doctor)) => return doctor.without_configuration(&error),
            (Err(error), _) => return Err(error.into()),
        };
        let (config, command) = config;
        let given = Given { data: self.place.data.is_some(), database: self.place.database_url.is_some() };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|source| CliError::System { what: "start its threads", source })?;
        let done = runtime.block_on(async {
            match command {
                Command::Serve(command) => command.run(config, given).await,
                Command::Index(command) => command.run(&config).await,
                Command::Issue(command) => command.run(&config).await,
                Command::Search(command) => command.run(&config).await,
                Command::Commit(command) => command.run(&config).await,
                Command::Explain(command) => command.run(&config).await,
                Command::Project(command) => command.run(&config).await,
                Command::Events(command) => command.run(&config).await,
                Command::Integration(command) => command.run(&config).await,
                Command::Delivery(command) => command.run(&config).await,
                Command::Installation(command) => command.run(&config).await,
                Command::Repository(command) => command.run(&config).await,
                Command::Run(command) => command.run(&config).await,
                Command::Operation(command) => command.run(&config).await,
                Command::Person(command) => command.run(&config).await,
                Command::SshKey(command) => command.run(&config).await,
                Command::HostKey(command) => command.run(&config).await,
                Command::Token(command) => command.run(&config).await,
                Command::Views(command) => command.run(&config).await,
                Command::Doctor(command) => command.run(&config).await,
                Command::Migrate(command) => command.run(&config).await,
                Command::Vault(command) => command.run(&config).await,
                Command::Health(command) => command.run(&config).await,
                Command::Openapi | Command::Config(_) | Command::Completions(_) | Command::Man(_) => {
                    Ok(ExitCode::SUCCESS)
                }
            }
        });
        // Work on blocking threads that nobody waits for any more must not hold the program.
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        done
    }
}

/// What was said on this very command line, and not by a file.
#[derive(Clone, Copy)]
struct Given {
    data: bool,
    database: bool,
}

impl Place {
    fn overrides(&self, listen: Option<SocketAddr>, needs: Needs) -> Overrides {
        Overrides {
            file: self.config.clone(),
            folder: self.data.clone(),
            database_url: self.database_url.clone(),
            listen,
            root_key_file: self.root_key_file.clone(),
            reach: Reach {
                server: self.server.clone(),
                token_file: self.token_file.clone(),
                authority: self.server_ca.clone(),
                allow_http: self.allow_http,
                starts: needs == Needs::AnyServer,
                start_with: self.start_with(),
            },
        }
    }

    /// The command that starts the server of this place. A URL of a database may hold a password, so it is not repeated.
    fn start_with(&self) -> String {
        let program = crate::config::this_program();
        let mut command = format!("{} serve", output::quoted(&program.to_string_lossy()));
        let mut add = |flag: &str, path: Option<&Path>| {
            if let Some(path) = path {
                command.push_str(&format!(" {flag} {}", output::quoted(&path.to_string_lossy())));
            }
        };
        add("--config", self.config.as_deref());
        add("--data", self.data.as_deref());
        add("--root-key-file", self.root_key_file.as_deref());
        if self.database_url.is_some() {
            command.push_str(" --database-url URL");
        }
        command
    }
}
