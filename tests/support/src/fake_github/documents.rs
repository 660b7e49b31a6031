//! GitHub's documents, complete as its API description demands them. Deliveries carry the same ones.

use serde_json::{Map, Value, json};

use super::world::{Account, App, Installation, Repository, World};

/// Below the address of an account.
const ACCOUNT_LINKS: [(&str, &str); 9] = [
    ("followers_url", "/followers"),
    ("following_url", "/following{/other_user}"),
    ("gists_url", "/gists{/gist_id}"),
    ("starred_url", "/starred{/owner}{/repo}"),
    ("subscriptions_url", "/subscriptions"),
    ("organizations_url", "/orgs"),
    ("repos_url", "/repos"),
    ("events_url", "/events{/privacy}"),
    ("received_events_url", "/received_events"),
];

/// Below the address of an organisation.
const ORGANISATION_LINKS: [(&str, &str); 6] = [
    ("repos_url", "/repos"),
    ("events_url", "/events"),
    ("hooks_url", "/hooks"),
    ("issues_url", "/issues"),
    ("members_url", "/members{/member}"),
    ("public_members_url", "/public_members{/member}"),
];

/// When every organisation came to be.
const FOUNDED: i64 = 1_507_651_200;

/// Below the address of a repository.
const REPOSITORY_LINKS: [(&str, &str); 36] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
];

/// `2026-11-21T06:00:00Z`.
pub(super) fn time(seconds: i64) -> String {
    let time = chrono::DateTime::from_timestamp(seconds, 0).expect("a time");
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// `Sat, 21 Nov 2026 06:00:00 GMT`.
pub(super) fn http_date(seconds: i64) -> String {
    chrono::DateTime::from_timestamp(seconds, 0).expect("a time").format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

impl World {
    /// Where the API begins.
    pub(super) fn api(&self) -> String {
        if self.cloud { self.web.clone() } else { format!("{}/api/v3", self.web) }
    }

    pub(super) fn account(&self, id: u64) -> Value {
        match self.accounts.get(&id) {
            Some(Account { login, organisation, .. }) => self.somebody(id, login, *organisation, "Organization"),
            None => self.somebody(10_137, "ghost", false, "User"),
        }
    }

    /// An organisation as everybody may see it.
    pub(super) fn organisation_document(&self, one: &Account) -> Value {
        let url = format!("{}/orgs/{}", self.api(), one.login);
        let mut document = json!({
            "login": one.login, "id": one.id, "node_id": format!("O_{}", one.id), "url": url, "type": "Organization",
            "avatar_url": format!("{}/avatars/u/{}", self.web, one.id), "html_url": format!("{}/{}", self.web, one.login),
            "description": null, "has_organization_projects": true, "has_repository_projects": true,
            "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
            "created_at": time(FOUNDED), "updated_at": time(FOUNDED), "archived_at": null,
        });
        link(&mut document, &url, &ORGANISATION_LINKS);
        document
    }

    /// Somebody by name alone: a person, or the bot of an app.
    pub(super) fn person_document(&self, login: &str) -> Value {
        match self.account_named(login) {
            Some(id) => self.account(id),
            None => self.somebody(41_898_282, login, login.ends_with("[bot]"), "Bot"),
        }
    }

    fn somebody(&self, id: u64, login: &str, special: bool, kind: &str) -> Value {
        // The brackets of a bot.
        let there = login.replace('[', "%5B").replace(']', "%5D");
        let url = format!("{}/users/{there}", self.api());
        let mut document = json!({
            "login": login, "id": id, "node_id": format!("O_{id}"), "gravatar_id": "", "url": url,
            "avatar_url": format!("{}/avatars/u/{id}", self.web), "html_url": format!("{}/{there}", self.web),
            "type": if special { kind } else { "User" }, "site_admin": false,
        });
        link(&mut document, &url, &ACCOUNT_LINKS);
        document
    }

    pub(super) fn app_document(&self, app: &App) -> Value {
        json!({
            "id": app.id, "slug": app.slug, "client_id": app.client_id, "node_id": format!("A_{}", app.id),
            "owner": self.account(app.owner), "name": app.name, "description": app.description,
            "external_url": app.external_url, "html_url": self.app_url(app), "created_at": time(app.created_at),
            "updated_at": time(app.updated_at), "permissions": Self::permissions(&app.permissions),
            "events": app.events,
            "installations_count": self.installations.values().filter(|one| one.app == app.id).count(),
        })
    }

    pub(super) fn installation_document(&self, one: &Installation) -> Value {
        let account = self.accounts.get(&one.account);
        let organisation = account.is_some_and(|account| account.organisation);
        let (login, api) = (self.login(one.account), self.api());
        let app = self.apps.get(&one.app);
        let page = if organisation { format!("organizations/{login}/settings") } else { "settings".to_owned() };
        json!({
            "id": one.id, "account": self.account(one.account),
            "repository_selection": if one.selected.is_some() { "selected" } else { "all" },
            "access_tokens_url": format!("{api}/app/installations/{}/access_tokens", one.id),
            "repositories_url": format!("{api}/installation/repositories"),
            "html_url": format!("{}/{page}/installations/{}", self.web, one.id),
            "app_id": one.app, "app_slug": app.map_or("", |app| app.slug.as_str()),
            "client_id": app.map_or("", |app| app.client_id.as_str()),
            "target_id": one.account, "target_type": if organisation { "Organization" } else { "User" },
            "permissions": Self::permissions(&one.permissions), "events": one.events,
            "created_at": time(one.created_at), "updated_at": time(one.updated_at),
            "single_file_name": null, "has_multiple_single_files": false, "single_file_paths": [],
            "suspended_at": one.suspension().map(|halt| time(halt.at)),
            "suspended_by": one.suspension().map(|halt| self.person_document(&halt.by)),
        })
    }

    pub(super) fn repository_document(&self, one: &Repository) -> Value {
        let full_name = self.full_name(one);
        let (url, page) = (format!("{}/repos/{full_name}", self.api()), format!("{}/{full_name}", self.web));
        let host = self.web.split_once("://").map_or("", |(_, host)| host);
        let mut document = json!({
            "id": one.id, "node_id": format!("R_{}", one.id), "name": one.name, "full_name": full_name,
            "private": one.private, "owner": self.account(one.owner), "html_url": page, "url": url,
            "description": null, "fork": one.fork, "created_at": time(one.created_at),
            "updated_at": time(one.pushed_at), "pushed_at": time(one.pushed_at),
            "git_url": format!("git://{host}/{full_name}.git"), "ssh_url": format!("git@{host}:{full_name}.git"),
            "clone_url": format!("{page}.git"), "svn_url": page, "homepage": null, "size": one.size,
            "language": null, "has_issues": true, "has_projects": true, "has_downloads": true, "has_wiki": true,
            "mirror_url": null, "archived": one.archived, "license": null, "allow_forking": true, "topics": [],
            "visibility": if one.private { "private" } else { "public" }, "default_branch": one.default_branch,
        });
        link(&mut document, &url, &REPOSITORY_LINKS);
        for never in ["has_pages", "has_discussions", "disabled", "is_template", "web_commit_signoff_required"] {
            document[never] = false.into();
        }
        for none in [
            "stargazers_count",
            "watchers_count",
            "forks_count",
            "open_issues_count",
            "forks",
            "open_issues",
            "watchers",
        ] {
            document[none] = 0.into();
        }
        document
    }

    /// As deliveries about installations list repositories.
    pub(super) fn short_repository(&self, one: &Repository) -> Value {
        json!({
            "id": one.id, "node_id": format!("R_{}", one.id), "name": one.name, "full_name": self.full_name(one),
            "private": one.private,
        })
    }
}

fn link(document: &mut Value, base: &str, links: &[(&str, &str)]) {
    let links: Map<_, _> =
        links.iter().map(|(name, below)| ((*name).to_owned(), json!(format!("{base}{below}")))).collect();
    if let Some(document) = document.as_object_mut() {
        document.extend(links);
    }
}
