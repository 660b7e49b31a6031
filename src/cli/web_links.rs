//! Where a browser finds what the repository of an integration has: `keytrail integration set-web-links`, and the same for one
//! that is added.

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

#[derive(Debug, Args)]
pub(super) struct LinksOfNew {
    /// No links to pages, also where the host's name tells for certain what it is
    #[arg(long, conflicts_with_all = ["links_of", "commit_link", "file_link", "branch_link", "pull_request_link"])]
    no_links: bool,
    /// Links to pages as a kind of host has them, such as gitlab, gitea or cgit
    #[arg(long, value_name = "KIND",
        conflicts_with_all = ["commit_link", "file_link", "branch_link", "pull_request_link"])]
    links_of: Option<String>,
    /// The address of a commit, with ${rev}: 'https://git.example.com/shop/commit/${rev}'
    #[arg(long, value_name = "TEMPLATE")]
    commit_link: Option<String>,
    /// The address of a file, with ${path} and ${rev}
    #[arg(long, value_name = "TEMPLATE")]
    file_link: Option<String>,
    /// The address of a branch, with ${branch}
    #[arg(long, value_name = "TEMPLATE")]
    branch_link: Option<String>,
    /// The address of a pull request, with ${number}
    #[arg(long, value_name = "TEMPLATE")]
    pull_request_link: Option<String>,
}

impl LinksOfNew {
    /// As the API takes them; nothing where none are given.
    pub(super) fn body(&self) -> Option<Value> {
        let Self { no_links, links_of, commit_link, file_link, branch_link, pull_request_link } = self;
        if *no_links {
            return Some(json!({ "by": "off" }));
        }
        if let Some(preset) = links_of {
            return Some(json!({ "by": "preset", "preset": preset }));
        }
        [commit_link, file_link, branch_link, pull_request_link].into_iter().any(Option::is_some).then(|| {
            json!({
                "by": "templates", "commit": commit_link, "file": file_link, "branch": branch_link,
                "pull_request": pull_request_link,
            })
        })
    }
}
