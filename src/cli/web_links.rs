//! `keytrail integration set-web-links`: where a browser finds what the repository of an integration has.

use clap::{ArgGroup, Args};
use serde_json::{Value, json};

use super::{CliError, client::Client, form::Form, integration::at};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).multiple(true)
    .args(["host", "off", "preset", "commit", "file", "branch", "pull_request"])))]
pub(super) struct WebLinks {
    /// Its name or its id
    integration: String,
    /// Those of the host, where its name tells for certain what it is
    #[arg(long, conflicts_with_all = ["off", "preset", "commit", "file", "branch", "pull_request"])]
    host: bool,
    /// None
    #[arg(long, conflicts_with_all = ["preset", "commit", "file", "branch", "pull_request"])]
    off: bool,
    /// Those of a kind of host, such as gitlab, gitea or cgit; `integration show` says which one the address lets one guess
    #[arg(long, value_name = "KIND", conflicts_with_all = ["commit", "file", "branch", "pull_request"])]
    preset: Option<String>,
    /// The address of a commit, with ${rev}: 'https://git.example.com/shop/commit/${rev}'
    #[arg(long, value_name = "TEMPLATE")]
    commit: Option<String>,
    /// The address of a file, with ${path} and ${rev}
    #[arg(long, value_name = "TEMPLATE")]
    file: Option<String>,
    /// The address of a branch, with ${branch}
    #[arg(long, value_name = "TEMPLATE")]
    branch: Option<String>,
    /// The address of a pull request, with ${number}
    #[arg(long, value_name = "TEMPLATE")]
    pull_request: Option<String>,
    #[command(flatten)]
    form: Form,
}

impl WebLinks {
    pub(super) async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        let Self { integration, host, off, preset, commit, file, branch, pull_request, form } = self;
        let body = match (host, off, preset) {
            (true, ..) => json!({ "by": "host" }),
            (_, true, _) => json!({ "by": "off" }),
            (.., Some(preset)) => json!({ "by": "preset", "preset": preset }),
            (.., None) => json!({
                "by": "templates", "commit": commit, "file": file, "branch": branch, "pull_request": pull_request,
            }),
        };
        let at = at(client, &integration).await?;
        form.show(&client.put::<Value>(&format!("{at}/web-links"), &body).await?)
    }
}
