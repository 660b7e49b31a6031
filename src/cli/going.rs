//! What would go with an integration that is removed or moved, as the server has it now, for who is asked before it does.
//! Called by `keytrail integration`; it changes nothing.

use std::path::{Path, PathBuf};

use keytrail_domain::remote_url::RemoteUrl;
use serde_json::Value;

use super::{CliError, client::Client, output};

/// So many repositories are named.
const NAMED: usize = 20;

/// The repositories that it sees, and how many of their commits name issues.
pub(super) async fn seen(client: &Client, at: &str) -> Result<(Vec<Value>, u64), CliError> {
    let mut repositories: Vec<Value> = client.list(&format!("{at}/repositories"), &[], usize::MAX).await?;
    repositories.retain(|repository| repository["state"] != "forgotten");
    let keyed = repositories.iter().filter_map(|repository| repository["keyed"].as_u64()).sum();
    Ok((repositories, keyed))
}

/// What would go with it, as the server has it now.
pub(super) async fn would_remove(
    client: &Client,
    at: &str,
    keep_mirrors: bool,
    keep_secrets: bool,
) -> Result<Vec<String>, CliError> {
    let integration: Value = client.get(at, &[]).await?;
    let (seen, keyed) = seen(client, at).await?;
    let text = |value: &Value, member: &str| value[member].as_str().unwrap_or_default().to_owned();
    let mut lines = vec![format!(
        "this removes the integration {} at {}, and forgets {} with {} that name issues",
        text(&integration, "name"),
        text(&integration, "location"),
        output::count(seen.len() as u64, "repository"),
        output::count(keyed, "commit"),
    )];
    lines.extend(names(&seen));
    if !keep_mirrors {
        lines.push("the copies that the server made of them are deleted, too; --keep-mirrors keeps them".to_owned());
    }
    if integration["kind"] == "github_app" {
        lines.extend(of_the_app(client, at, keep_secrets).await?);
    }
    Ok(lines)
}

/// What becomes of its app.
async fn of_the_app(client: &Client, at: &str, keep_secrets: bool) -> Result<Vec<String>, CliError> {
    let shown: Value = match client.get(&format!("{at}/installation"), &[]).await {
        Ok(shown) => shown,
        Err(CliError::Problem { status: 404, .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let Some(name) = shown["app"]["name"].as_str() else { return Ok(Vec::new()) };
    let owner = shown["app"]["owner"].as_str().unwrap_or("its owner");
    let mut lines = vec![format!(
        "GitHub is asked to uninstall the app {name}, for ten seconds at most; the app itself stays there until {owner} or \
         a manager of its apps deletes it"
    )];
    if !keep_secrets {
        lines.push("its key and its secrets are forgotten; --keep-secrets keeps them sealed".to_owned());
    }
    Ok(lines)
}

/// What would go when it is connected to another place: one line when nothing does.
pub(super) async fn would_move(client: &Client, at: &str, to: &Value) -> Result<Vec<String>, CliError> {
    let integration: Value = client.get(at, &[]).await?;
    let (mut seen, _) = seen(client, at).await?;
    seen.retain(|repository| !stays(repository["location"].as_str().unwrap_or_default(), to));
    let name = integration["name"].as_str().unwrap_or_default();
    if seen.is_empty() {
        return Ok(vec![format!("this connects the integration {name} in another way, and forgets no repository")]);
    }
    let keyed = seen.iter().filter_map(|repository| repository["keyed"].as_u64()).sum();
    let mut lines = vec![format!(
        "this connects the integration {name} to another place, and forgets {} with {} that name issues",
        output::count(seen.len() as u64, "repository"),
        output::count(keyed, "commit"),
    )];
    lines.extend(names(&seen));
    Ok(lines)
}

fn names(repositories: &[Value]) -> Vec<String> {
    let name = |repository: &Value| format!("  {}", repository["name"].as_str().unwrap_or_default());
    let mut lines: Vec<_> = repositories.iter().take(NAMED).map(name).collect();
    if repositories.len() > NAMED {
        lines.push(format!("  … {} more", output::grouped((repositories.len() - NAMED) as u64)));
    }
    lines
}

/// Whether the repository at this place is seen from there, too. When in doubt it is not: asking once too often harms
/// nobody.
fn stays(location: &str, to: &Value) -> bool {
    if let Some(url) = to["url"].as_str() {
        let (Ok(here), Ok(there)) = (RemoteUrl::parse(location), RemoteUrl::parse(url)) else { return location == url };
        return here.url == there.url;
    }
    let named = Path::new(to["path"].as_str().unwrap_or_default());
    // Of another machine's folders this one knows only the names.
    let place = std::fs::canonicalize(named).unwrap_or_else(|_| named.to_owned());
    let (location, place) = (without_git(Path::new(location)), without_git(&place));
    match to["depth"].as_u64() {
        None => location == place,
        Some(depth) => {
            location.strip_prefix(&place).is_ok_and(|below| (1..=depth).contains(&(below.components().count() as u64)))
        }
    }
}

/// A working tree and its `.git` are one repository.
fn without_git(path: &Path) -> PathBuf {
    if path.ends_with(".git") { path.parent().unwrap_or(path).to_owned() } else { path.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_place_sees_stays_and_everything_else_goes() {
        let folder = |path: &str, depth: u64| json!({ "kind": "folder", "path": path, "depth": depth });
        assert!(stays("/srv/git/shop", &folder("/srv/git", 1)));
        assert!(stays("/srv/git/shop/web", &folder("/srv/git", 2)));
        assert!(!stays("/srv/git/shop/web", &folder("/srv/git", 1)), "too deep");
        assert!(!stays("/srv/gitter/shop", &folder("/srv/git", 1)));
        let path = |path: &str| json!({ "kind": "path", "path": path });
        assert!(stays("/srv/git/shop", &path("/srv/git/shop/.git")) && !stays("/srv/git/shop", &path("/srv/git/api")));
        let git = |url: &str| json!({ "kind": "git", "url": url });
        assert!(stays("https://git.example/shop.git", &git("https://git.example/shop.git")));
        assert!(!stays("https://git.example/shop.git", &git("https://git.example/api.git")));
    }
}
