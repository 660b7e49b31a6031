//! What nobody is shown any more once the rules of projects are changed, as the server has it now, for who is asked before.
//! Called by `keytrail project`; it changes nothing.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CliError, client::Client, consent::Consent, output};

/// So many projects are named.
const NAMED: usize = 20;

/// The lists of the rules.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Rules {
    pub(super) known: BTreeSet<String>,
    pub(super) denied: BTreeSet<String>,
    #[serde(default, skip_serializing)]
    pub(super) version: i64,
}

/// What a change would do.
pub(super) struct Would {
    /// Whether anybody loses sight of anything.
    hides: bool,
    lines: Vec<String>,
}

/// Whether it is to be done. Nothing is looked up for who agreed beforehand; what hides nothing is done without being asked
/// about, unless somebody only looks.
pub(super) async fn agreed(
    consent: Consent,
    json: bool,
    would: impl Future<Output = Result<Would, CliError>>,
) -> Result<bool, CliError> {
    if consent.is_given_already() {
        return Ok(true);
    }
    let Would { hides, lines } = would.await?;
    if !hides && !consent.is_dry_run() {
        return Ok(true);
    }
    consent.given(&lines, json)
}

/// The projects that commits name.
pub(super) async fn projects(client: &Client, all: bool) -> Result<Vec<Value>, CliError> {
    client.list("/api/v1/projects", &[("all", all.to_string())], usize::MAX).await
}

/// When these are left out.
pub(super) async fn would_deny(client: &Client, rules: &Rules, entries: &[String]) -> Result<Would, CliError> {
    let shown = projects(client, false).await?;
    let line = |entry: &String| {
        if rules.denied.contains(entry) {
            return format!("{entry} is left out already; nothing would change for it");
        }
        hidden(entry, &shown, &format!("until `keytrail project undeny {entry}` takes that back"))
    };
    Ok(Would { hides: true, lines: entries.iter().map(line).collect() })
}

/// When these become known: the first of them hides all others.
pub(super) async fn would_allow(client: &Client, rules: &Rules, entries: &[String]) -> Result<Would, CliError> {
    let names = entries.join(" ");
    if !rules.known.is_empty() {
        let line = format!("{names} and the projects that are known already count; nothing is hidden");
        return Ok(Would { hides: false, lines: vec![line] });
    }
    let mut lines =
        vec![format!("only {names} counts from then on, until `keytrail project disallow {names}` takes that back")];
    let shown = projects(client, false).await?;
    let is_other = |row: &&Value| !entries.iter().any(|entry| row["project"] == entry.as_str());
    let others: Vec<&str> = shown.iter().filter(is_other).filter_map(|row| row["project"].as_str()).collect();
    let until = |other: &str| format!("until `keytrail project allow {other}` lets it count, too");
    lines.extend(others.iter().copied().take(NAMED).map(|other| hidden(other, &shown, &until(other))));
    if others.len() > NAMED {
        lines.push(format!("… {} more projects", output::grouped((others.len() - NAMED) as u64)));
    }
    Ok(Would { hides: true, lines })
}

/// When these are known no more. When none is left, every project counts.
pub(super) async fn would_disallow(client: &Client, rules: &Rules, entries: &[String]) -> Result<Would, CliError> {
    if rules.known.iter().all(|known| entries.contains(known)) {
        let line = "no project is known from then on, so every one counts; nothing is hidden".to_owned();
        return Ok(Would { hides: false, lines: vec![line] });
    }
    let shown = projects(client, false).await?;
    let line = |entry: &String| {
        if rules.known.contains(entry) {
            hidden(entry, &shown, &format!("until `keytrail project allow {entry}` takes that back"))
        } else {
            format!("{entry} is not among those that are known; nothing would change for it")
        }
    };
    let hides = entries.iter().any(|entry| rules.known.contains(entry));
    Ok(Would { hides, lines: entries.iter().map(line).collect() })
}

/// `2 issues of SHOP with 3 links to commits are shown to nobody any more, until …`
fn hidden(entry: &str, shown: &[Value], until: &str) -> String {
    match shown.iter().find(|row| row["project"] == entry) {
        None => format!("{entry} and what is linked to it are shown to nobody any more, {until}"),
        Some(row) => {
            let counted = |member: &str, noun: &str| output::count(row[member].as_u64().unwrap_or(0), noun);
            let (issues, links) = (counted("issues", "issue"), counted("links", "link"));
            format!("{issues} of {entry} with {links} to commits are shown to nobody any more, {until}")
        }
    }
}
