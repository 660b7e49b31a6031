//! `keytrail integration connect`: an integration with an organisation of a GitHub, the link for a browser, and waiting
//! until the app is installed. What a person does in the browser goes on when nobody waits.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::{CliError, client::Client, output, route::Route};

/// The bound of the name of an app at GitHub, in characters.
const LONGEST_NAME: usize = 34;
/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Edition {
    /// github.com, with Enterprise Cloud
    Cloud,
    /// Enterprise Cloud with data residency, NAME.ghe.com
    DataResidency,
    /// A GitHub Enterprise Server of your own
    EnterpriseServer,
}

impl Edition {
    /// As the API has it.
    const fn word(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::DataResidency => "data_residency",
            Self::EnterpriseServer => "enterprise_server",
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct GithubConnection {
    /// What people call the integration here
    name: String,
    /// The organisation, as in its address; one of our apps is installed in it
    #[arg(long, value_name = "NAME")]
    organisation: String,
    /// NAME.ghe.com, or the address of your own GitHub Enterprise Server [default: github.com]
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// What the host has to be; without it the host is recognised by its name
    #[arg(long, value_enum)]
    edition: Option<Edition>,
    /// What the app is to be called at GitHub, at most 34 characters [default: one that is probably free]
    #[arg(long, value_name = "NAME")]
    app_name: Option<String>,
    /// Look only at the repositories that this JMESPath expression keeps, such as 'repositories[?!archived]'
    #[arg(long, value_name = "EXPRESSION")]
    filter: Option<String>,
    #[command(flatten)]
    route: Route,
    /// Make no link: the app is there already, and is taken over next, with `keytrail installation adopt`
    #[arg(long, conflicts_with_all = ["app_name", "no_wait"])]
    no_link: bool,
    /// Only print the link, and wait for nobody
    #[arg(long)]
    no_wait: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl GithubConnection {
    pub(super) async fn connect(self, client: &Client) -> Result<(), CliError> {
        if self.app_name.as_ref().is_some_and(|name| !(1..=LONGEST_NAME).contains(&name.trim().chars().count())) {
            let detail = format!("--app-name has 1 to {LONGEST_NAME} characters; GitHub takes no longer names of apps");
            return Err(CliError::Input(detail));
        }
        let (id, is_new) = self.integration(client).await?;
        let at = format!("/api/v1/integrations/{id}");
        if self.no_link {
            return self.without_link(client, &at).await;
        }
        let body = self.app_name.as_ref().map_or_else(|| json!({}), |name| json!({ "app_name": name }));
        let connecting: Value = match client.post(&format!("{at}/installation/connect"), &body).await {
            Ok(connecting) => connecting,
            Err(error) => {
                // What was refused leaves nothing half-made.
                if is_new {
                    client.delete_for::<Value>(&at).await?;
                }
                return Err(error);
            }
        };
        if self.json {
            output::json(&connecting)?;
        } else {
            told(&connecting);
        }
        if self.no_wait {
            return Ok(());
        }
        let installation = wait(client, &format!("{at}/installation")).await?;
        if self.json {
            return output::json(&installation);
        }
        output::print(text(&installation, "text"));
        output::print(&format!("How far they are: keytrail integration show {}", output::quoted(&self.name)));
        Ok(())
    }

    async fn without_link(&self, client: &Client, at: &str) -> Result<(), CliError> {
        if self.json {
            return output::json(&client.get::<Value>(at, &[]).await?);
        }
        let name = output::quoted(&self.name);
        output::print(&format!("{name} waits for its app. One that is there already is taken over with:"));
        output::print(&format!("  keytrail installation adopt {name} --app-id ID --key-file FILE"));
        Ok(())
    }

    /// The one with this name that is connected to the organisation and has no app yet, from the last time; or a new one,
    /// and whether it is.
    async fn integration(&self, client: &Client) -> Result<(String, bool), CliError> {
        let mut connection = Map::new();
        connection.insert("kind".to_owned(), "github_app".into());
        connection.insert("organisation".to_owned(), self.organisation.as_str().into());
        if let Some(host) = &self.host {
            connection.insert("host".to_owned(), host.as_str().into());
        }
        if let Some(edition) = self.edition {
            connection.insert("edition".to_owned(), edition.word().into());
        }
        if let Some(filter) = &self.filter {
            connection.insert("filter".to_owned(), filter.as_str().into());
        }
        self.route.add_to(&mut connection)?;
        let body = json!({ "name": self.name, "connection": connection });
        let taken = match client.post::<Value>("/api/v1/integrations", &body).await {
            Ok(added) => return Ok((text(&added, "id").to_owned(), true)),
            Err(CliError::Problem { status, code, detail }) => (status, code, detail),
            Err(error) => return Err(error),
        };
        let again = taken.1 == "integration_name_taken" || taken.1 == "connection_taken";
        let all: Vec<Value> =
            if again { client.list("/api/v1/integrations", &[], usize::MAX).await? } else { Vec::new() };
        let host = self.host.as_deref().unwrap_or("github.com").to_lowercase();
        let host = host.split_once("://").map_or(host.as_str(), |(_, host)| host).trim_end_matches('/');
        let place = format!("//{host}/{}", self.organisation.to_lowercase());
        let is_there = |row: &&Value| {
            let location = text(row, "location").to_lowercase();
            row["state"] != "removed" && row["kind"] == "github_app" && location.ends_with(&place)
        };
        let same = |row: &&Value| is_there(row) && text(row, "name").eq_ignore_ascii_case(&self.name);
        let (status, code, mut detail) = taken;
        let found = all.iter().find(same);
        if let (Some(found), Some(filter)) = (found, &self.filter)
            && found["connection"]["filter"] != filter.as_str()
        {
            let name = output::quoted(&self.name);
            return Err(CliError::Input(format!(
                "{name} is there already, with another filter; change that with `keytrail installation set-filter {name} \
                 {}`, and leave --filter out here",
                output::quoted(filter)
            )));
        }
        if let (None, "connection_taken", Some(holder)) = (found, code.as_str(), all.iter().find(is_there)) {
            let name = output::quoted(text(holder, "name"));
            detail = format!("{detail} It is {name}: `keytrail installation show {name}`");
        }
        found.map(|row| (text(row, "id").to_owned(), false)).ok_or(CliError::Problem { status, code, detail })
    }
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

fn told(connecting: &Value) {
    output::print("Open this link in a browser, or have an owner of the organisation open it. It works once:");
    output::print("");
    output::print(&format!("  {}", text(connecting, "url")));
    output::print("");
    let until = output::time(text(connecting, "expires_at")).unwrap_or_default();
    output::print(&format!("It is good until {until} UTC."));
    output::print("");
    output::print("Settings:");
    output::print(&format!("   Name of the app at GitHub: {} (can be changed there)", text(connecting, "app_name")));
    for setting in connecting["settings"].as_array().into_iter().flatten() {
        let locked = if setting["locked"] == true { " (locked)" } else { "" };
        output::print(&format!("   {}: {}{locked}", text(setting, "title"), text(setting, "value")));
        output::print(&format!("      {}", text(setting, "text")));
    }
    output::print("");
    output::print("What it takes at GitHub, and from whom:");
    let steps = connecting["steps"].as_array().into_iter().flatten();
    for (number, step) in steps.enumerate() {
        output::print(&format!("{}. {}. {}", number + 1, text(step, "title"), text(step, "text")));
        output::print(&format!("   Who: {} {}", text(step, "role"), text(step, "link")));
    }
    output::print("");
    output::print(text(connecting, "warning"));
}

/// Waits until the app is active, and says how it is whenever that changes.
async fn wait(client: &Client, at: &str) -> Result<Value, CliError> {
    let mut last = String::new();
    loop {
        let installation: Value = client.get(at, &[]).await?;
        let status = text(&installation, "status").to_owned();
        match status.as_str() {
            "active" => return Ok(installation),
            "removed" | "app_deleted" | "suspended" => {
                return Err(CliError::Failed(text(&installation, "text").trim_end_matches('.').to_owned()));
            }
            _ => {}
        }
        if status != last {
            let (text, action) = (text(&installation, "text"), text(&installation, "action"));
            let page = installation["page_url"].as_str().map(|page| format!(" {page}")).unwrap_or_default();
            output::wait(&format!("({status}). {text} {action}{page} Ctrl+C ends the waiting and nothing else"));
            last = status;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
