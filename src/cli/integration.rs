//! `keytrail integration`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    CliError, chosen,
    client::{Client, with_client},
    connection_test::ConnectionTest,
    consent::Consent,
    form::Form,
    github_connection::GithubConnection,
    going::{seen, would_move, would_remove},
    how_far::first_indexes,
    installation_told::remains,
    new_ssh_key::{Kept, KeyOfNew},
    output,
    place::Place,
    watched_operation::{self, watch},
    web_links::{LinksOfNew, WebLinks},
};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Integration {
    /// Connect a repository of this machine or of a git server, or a folder of repositories
    Add {
        #[command(flatten)]
        place: Box<Place>,
        /// What people call it
        #[arg(long)]
        name: String,
        #[command(flatten)]
        key: Box<KeyOfNew>,
        #[command(flatten)]
        links: LinksOfNew,
        #[command(flatten)]
        form: Form,
    },
    /// Connect an organisation of a GitHub through an app of its own: prints a link for a browser, and waits
    Connect(Box<GithubConnection>),
    /// Try out whether a repository of a git server can be read, step by step; nothing is kept
    Test(ConnectionTest),
    /// All integrations
    List {
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// One integration
    Show {
        /// Its name or its id
        integration: String,
        #[command(flatten)]
        form: Form,
    },
    /// Call it something else
    Rename {
        /// Its name or its id
        integration: String,
        /// The new name
        name: String,
        #[command(flatten)]
        form: Form,
    },
    /// Connect it to another place, or to the same in another way; what was found in repositories that it does not see
    /// any more is forgotten. The password stays as long as scheme, host and port do
    Move {
        /// Its name or its id
        integration: String,
        #[command(flatten)]
        place: Box<Place>,
        #[command(flatten)]
        key: Box<KeyOfNew>,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        form: Form,
    },
    /// Set where a browser finds the commits, files, branches and pull requests of its repository
    SetWebLinks(WebLinks),
    /// Stop looking for anything new; an index run that goes on comes to its end, unless you cancel it
    Pause {
        /// Its name or its id
        integration: String,
        #[command(flatten)]
        form: Form,
    },
    /// Look again
    Resume {
        /// Its name or its id
        integration: String,
        #[command(flatten)]
        form: Form,
    },
    /// Ask for an index run over what is new in each of its repositories
    Reindex {
        /// Its name or its id
        integration: String,
        #[command(flatten)]
        asking: Asking,
    },
    /// Throw away what was found in each of its repositories, and look at everything again
    Reset {
        /// Its name or its id
        integration: String,
        #[command(flatten)]
        asking: Asking,
    },
    /// Take it away; its repositories are forgotten, their folders are not touched
    Remove {
        /// Its name or its id
        integration: String,
        /// Keep the copies that the server made of its repositories; they stay until a person deletes them
        #[arg(long)]
        keep_mirrors: bool,
        /// Keep the key and the secrets of its GitHub App sealed, so that the app can be taken over with them; otherwise
        /// they are forgotten, and taking it over needs a new key
        #[arg(long)]
        keep_secrets: bool,
        #[command(flatten)]
        consent: Consent,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// How something is asked for of all its repositories.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Asking {
    #[command(flatten)]
    consent: Consent,
    /// Only ask for it, and name the operation to watch
    #[arg(long)]
    no_wait: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Integration {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        match self {
            Self::Add { place, name, key, links, form } => {
                let mut connection = place.connection_by(client).await?;
                let kept = key.choose(client, &name, &mut connection).await?;
                let mut body = json!({ "name": name, "connection": connection });
                if let Some(links) = links.body() {
                    body["web_links"] = links;
                }
                form.show(&Kept::or_left(kept, client.post::<Value>("/api/v1/integrations", &body).await)?)
            }
            Self::Connect(connection) => connection.connect(client).await,
            Self::Test(test) => test.carry_out(client).await,
            Self::List { json } => {
                let all: Vec<Value> = client.list("/api/v1/integrations", &[], usize::MAX).await?;
                if json {
                    return all.iter().try_for_each(output::json);
                }
                let columns = ["id", "name", "kind", "state", "location"];
                let rows: Vec<_> =
                    all.iter().map(|row| columns.map(|member| output::cell(&row[member])).to_vec()).collect();
                output::table(&columns, &rows);
                Ok(())
            }
            Self::Show { integration, form } => {
                let mut shown: Value = client.get(&at(client, &integration).await?, &[]).await?;
                if let Some(how_far) = first_indexes(&shown["indexing"]).filter(|_| !form.json) {
                    shown["indexing"] = how_far.into();
                }
                form.show(&shown)
            }
            Self::Rename { integration, name, form } => {
                let at = at(client, &integration).await?;
                form.show(&client.put::<Value>(&format!("{at}/name"), &json!({ "name": name })).await?)
            }
            Self::Move { integration, place, key, consent, form } => {
                let at = at(client, &integration).await?;
                let mut connection = place.connection_by(client).await?;
                let lines = would_move(client, &at, &connection).await?;
                let must_ask = consent.is_dry_run() || lines.len() > 1;
                if must_ask && !consent.given(&lines, form.json)? {
                    return Ok(());
                }
                let found: Value = client.get(&at, &[]).await?;
                let name = found["name"].as_str().unwrap_or_default();
                let kept = key.choose(client, name, &mut connection).await?;
                let body = json!({ "connection": connection });
                form.show(&Kept::or_left(kept, client.put::<Value>(&format!("{at}/connection"), &body).await)?)
            }
            Self::SetWebLinks(links) => links.carry_out(client).await,
            Self::Pause { integration, form } => {
                let at = at(client, &integration).await?;
                form.show(&client.post::<Value>(&format!("{at}/pause"), &json!({})).await?)
            }
            Self::Resume { integration, form } => {
                let at = at(client, &integration).await?;
                form.show(&client.post::<Value>(&format!("{at}/resume"), &json!({})).await?)
            }
            Self::Reindex { integration, asking } => asking.ask(client, &integration, Wish::REINDEX).await,
            Self::Reset { integration, asking } => asking.ask(client, &integration, Wish::RESET).await,
            Self::Remove { integration, keep_mirrors, keep_secrets, consent, json } => {
                let at = at(client, &integration).await?;
                if !consent.given(&would_remove(client, &at, keep_mirrors, keep_secrets).await?, json)? {
                    return Ok(());
                }
                let mirrors = if keep_mirrors { "kept" } else { "deleted" };
                let secrets = if keep_secrets { "kept" } else { "forgotten" };
                let removed: Value = client.delete_for(&format!("{at}?mirrors={mirrors}&secrets={secrets}")).await?;
                if json {
                    return output::json(&removed);
                }
                output::print("removed; its repositories and passwords are forgotten, their folders were not touched");
                if keep_mirrors {
                    output::print("their copies are kept; `keytrail doctor` says where");
                }
                if removed["kind"] == "github_app" {
                    left_at_github(&removed, keep_secrets);
                }
                Ok(())
            }
        }
    }
}

/// What stays at GitHub, who can take it away, and what is done then.
fn left_at_github(removed: &Value, keep_secrets: bool) {
    let id = removed["id"].as_str().unwrap_or_default();
    let left = remains(&removed["remainder"]);
    if left.is_empty() {
        return output::print("nothing of it is left at GitHub");
    }
    output::print(&format!("left at GitHub: {}", left.join("\n  ")));
    output::print(&format!("when it is deleted there: keytrail installation confirm-gone {id}"));
    if keep_secrets {
        output::print(&format!("its key is kept: `keytrail installation adopt` takes it over with --kept-by {id}"));
    }
}

/// What is asked for of all repositories of an integration.
struct Wish {
    word: &'static str,
    /// What would happen to the repositories, and what to the commits that name issues.
    would: fn(&str, u64, u64) -> String,
    done: &'static str,
}

impl Wish {
    const REINDEX: Self = Self {
        word: "reindex",
        would: |name, repositories, _| {
            format!("this looks for what is new in {} of {name}; nothing is thrown away", counted(repositories))
        },
        done: "indexed again",
    };
    const RESET: Self = Self {
        word: "reset",
        would: |name, repositories, keyed| {
            format!(
                "this throws away what was found in {} of {name} ({} that name issues), and reads all of them again",
                counted(repositories),
                output::count(keyed, "commit"),
            )
        },
        done: "indexed from their beginning",
    };
}

impl Asking {
    async fn ask(self, client: &Client, integration: &str, wish: Wish) -> Result<(), CliError> {
        let at = at(client, integration).await?;
        let found: Value = client.get(&at, &[]).await?;
        let (repositories, keyed) = seen(client, &at).await?;
        let name = found["name"].as_str().unwrap_or_default();
        let would = (wish.would)(name, repositories.len() as u64, keyed);
        // What throws nothing away is done without being asked about.
        let is_harmless = wish.word == Wish::REINDEX.word && !self.consent.is_dry_run();
        if !is_harmless && !self.consent.given(&[would], self.json)? {
            return Ok(());
        }
        let mut operation: Value = client.post(&format!("{at}/{}", wish.word), &json!({})).await?;
        let id = operation["id"].as_str().unwrap_or_default().to_owned();
        if !self.no_wait {
            operation = watch(client, &id).await?;
        }
        if self.json {
            output::json(&operation)?;
        } else if self.no_wait {
            output::print(&format!("asked for; how far it is: keytrail operation show {id}"));
        }
        watched_operation::succeeded(&operation)?;
        if !self.no_wait && !self.json {
            output::print(&format!("{} {}", counted(repositories.len() as u64), wish.done));
        }
        Ok(())
    }
}

/// Where an integration is that is named, or given by its id.
pub(super) async fn at(client: &Client, integration: &str) -> Result<String, CliError> {
    chosen::INTEGRATION.at(client, integration).await
}

fn counted(repositories: u64) -> String {
    output::count(repositories, "repository")
}
