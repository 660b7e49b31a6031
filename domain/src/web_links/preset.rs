//! Kinds of hosts that show repositories in a browser: which one a URL is of, where the page of a repository is there, and
//! what its links look like.

use serde::{Deserialize, Serialize};

use super::{
    Templates,
    template::{LinkTemplate, encoded},
};
use crate::remote_url::{Host, RemoteUrl, Scheme};

/// A kind of host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// github.com, and GitHub Enterprise.
    Github,
    /// gitlab.com, and one's own.
    Gitlab,
    /// bitbucket.org.
    BitbucketCloud,
    /// Bitbucket Data Center, and Server.
    BitbucketDataCenter,
    /// Azure DevOps, and its server.
    AzureDevops,
    /// AWS CodeCommit.
    AwsCodecommit,
    /// Gitea, Forgejo and what came of them, such as codeberg.org.
    Gitea,
    /// Gerrit with gitiles.
    Gerrit,
    /// Gitiles alone, such as googlesource.com.
    Gitiles,
    /// cgit.
    Cgit,
    /// gitweb at the root of its host.
    Gitweb,
}

/// Hosts of which it is certain what they are: a name, or what a name ends with.
const HOSTS: &[(&str, Preset)] = &[
    ("github.com", Preset::Github),
    ("ssh.github.com", Preset::Github),
    (".ghe.com", Preset::Github),
    ("gitlab.com", Preset::Gitlab),
    ("altssh.gitlab.com", Preset::Gitlab),
    ("bitbucket.org", Preset::BitbucketCloud),
    ("altssh.bitbucket.org", Preset::BitbucketCloud),
    ("dev.azure.com", Preset::AzureDevops),
    ("ssh.dev.azure.com", Preset::AzureDevops),
    (".visualstudio.com", Preset::AzureDevops),
    (".amazonaws.com", Preset::AwsCodecommit),
    ("codeberg.org", Preset::Gitea),
    ("gitea.com", Preset::Gitea),
    (".googlesource.com", Preset::Gitiles),
    ("git.kernel.org", Preset::Cgit),
];

/// Words in the name of a host that let one guess.
const WORDS: &[(&str, Preset)] = &[
    ("github", Preset::Github),
    ("gitlab", Preset::Gitlab),
    ("bitbucket", Preset::BitbucketDataCenter),
    ("gitea", Preset::Gitea),
    ("forgejo", Preset::Gitea),
    ("gerrit", Preset::Gerrit),
    ("cgit", Preset::Cgit),
    ("gitweb", Preset::Gitweb),
];

/// Hosts that speak SSH beside the one that has the pages.
const PAGES_ELSEWHERE: &[(&str, &str)] =
    &[("ssh.github.com", "github.com"), ("altssh.gitlab.com", "gitlab.com"), ("altssh.bitbucket.org", "bitbucket.org")];

impl Preset {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Github,
        Self::Gitlab,
        Self::BitbucketCloud,
        Self::BitbucketDataCenter,
        Self::AzureDevops,
        Self::AwsCodecommit,
        Self::Gitea,
        Self::Gerrit,
        Self::Gitiles,
        Self::Cgit,
        Self::Gitweb,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::BitbucketCloud => "bitbucket_cloud",
            Self::BitbucketDataCenter => "bitbucket_data_center",
            Self::AzureDevops => "azure_devops",
            Self::AwsCodecommit => "aws_codecommit",
            Self::Gitea => "gitea",
            Self::Gerrit => "gerrit",
            Self::Gitiles => "gitiles",
            Self::Cgit => "cgit",
            Self::Gitweb => "gitweb",
        }
    }

    /// The kind that is certain by the host.
    pub fn certain(url: &RemoteUrl) -> Option<Self> {
        let Host::Name(name) = url.host() else { return None };
        let is_at = |one: &str| if one.starts_with('.') { name.ends_with(one) } else { name == one };
        HOSTS.iter().find(|&&(host, _)| is_at(host)).map(|(_, preset)| *preset)
    }

    /// The kind that the URL lets one guess; a person decides.
    pub fn proposed(url: &RemoteUrl) -> Option<Self> {
        let by_word = || {
            let Host::Name(name) = url.host() else { return None };
            WORDS.iter().find(|(word, _)| name.contains(word)).map(|(_, preset)| *preset)
        };
        let by_place = || match (url.scheme(), url.port()) {
            (Scheme::Ssh, 7999) => Some(Self::BitbucketDataCenter),
            (Scheme::Ssh, 29418) => Some(Self::Gerrit),
            _ if url.path().contains("/_git/") => Some(Self::AzureDevops),
            _ if url.path().contains("/scm/") => Some(Self::BitbucketDataCenter),
            _ => None,
        };
        Self::certain(url).or_else(by_word).or_else(by_place)
    }

    /// The links of the repository at this URL; none of what the host does not show, or where the URL is not one of its.
    pub fn templates(self, url: &RemoteUrl) -> Templates {
        let origin = origin(url);
        let Some(written) = plain_path(url) else { return Templates::default() };
        let path = written.strip_suffix(".git").unwrap_or(&written);
        let found = match self {
            Self::AzureDevops => azure_page(url, &origin, path).map(|page| self.at(&page)),
            Self::BitbucketDataCenter => data_center_page(&origin, path).map(|page| self.at(&page)),
            Self::AwsCodecommit => codecommit(url, path),
            Self::Gerrit => {
                let project = encoded(path.strip_prefix("a/").unwrap_or(path));
                let change = links("", "", "", &format!("{origin}/c/{project}/+/${{number}}"));
                let shown = self.at(&format!("{origin}/plugins/gitiles/{project}"));
                Some(Templates { pull_request: change.pull_request, ..shown })
            }
            Self::Gitiles => Some(self.at(&format!("{origin}/{}", encoded(path.strip_prefix("a/").unwrap_or(path))))),
            // These call a repository as its folder is called.
            Self::Cgit | Self::Gitweb => Some(self.at(&format!("{origin}/{}", encoded(&written)))),
            Self::Github | Self::Gitlab | Self::BitbucketCloud | Self::Gitea => {
                Some(self.at(&format!("{origin}/{}", encoded(path))))
            }
        };
        found.unwrap_or_default()
    }

    /// The links of the repository with this page.
    pub fn at(self, page: &str) -> Templates {
        let on = |commit: &str, file: &str, branch: &str, pull_request: &str| {
            let full = |rest: &str| if rest.is_empty() { String::new() } else { format!("{page}{rest}") };
            links(&full(commit), &full(file), &full(branch), &full(pull_request))
        };
        match self {
            Self::Github => on("/commit/${rev}", "/blob/${rev}/${path}", "/tree/${branch}", "/pull/${number}"),
            Self::Gitlab => {
                on("/-/commit/${rev}", "/-/blob/${rev}/${path}", "/-/tree/${branch}", "/-/merge_requests/${number}")
            }
            Self::BitbucketCloud => {
                on("/commits/${rev}", "/src/${rev}/${path}", "/branch/${branch}", "/pull-requests/${number}")
            }
            Self::BitbucketDataCenter => on(
                "/commits/${rev}",
                "/browse/${path}?at=${rev}",
                "/browse?at=refs/heads/${branch}",
                "/pull-requests/${number}/overview",
            ),
            Self::AzureDevops => on(
                "/commit/${rev}",
                "?path=/${path}&version=GC${rev}",
                "?version=GB${branch}",
                "/pullrequest/${number}",
            ),
            Self::AwsCodecommit => Templates::default(),
            Self::Gitea => {
                on("/commit/${rev}", "/src/commit/${rev}/${path}", "/src/branch/${branch}", "/pulls/${number}")
            }
            Self::Gerrit | Self::Gitiles => on("/+/${rev}", "/+/${rev}/${path}", "/+/refs/heads/${branch}", ""),
            Self::Cgit => on("/commit/?id=${rev}", "/tree/${path}?id=${rev}", "/log/?h=${branch}", ""),
            Self::Gitweb => {
                let (origin, project) = split_page(page);
                let at = |rest: &str| format!("{origin}/?p={project};{rest}");
                links(
                    &at("a=commit;h=${rev}"),
                    &at("a=blob;f=${path};hb=${rev}"),
                    &at("a=shortlog;h=refs/heads/${branch}"),
                    "",
                )
            }
        }
    }
}

/// Templates of what is no empty text and can be one.
fn links(commit: &str, file: &str, branch: &str, pull_request: &str) -> Templates {
    use super::template::Variable::{Branch, Number, Path, Rev};
    Templates {
        commit: LinkTemplate::parse(commit, Rev, None).ok(),
        file: LinkTemplate::parse(file, Path, Some(Rev)).ok(),
        branch: LinkTemplate::parse(branch, Branch, None).ok(),
        pull_request: LinkTemplate::parse(pull_request, Number, None).ok(),
    }
}

/// Where the pages are: of SSH and git's own protocol the port is theirs.
fn origin(url: &RemoteUrl) -> String {
    let host = url.host().to_string();
    let elsewhere = PAGES_ELSEWHERE.iter().find(|(ssh, _)| *ssh == host).map(|(_, pages)| *pages);
    match url.scheme() {
        Scheme::Https | Scheme::Http => url.origin(),
        Scheme::Ssh | Scheme::Git => format!("https://{}", elsewhere.unwrap_or(&host)),
    }
}

/// The path as a person would say it, without slashes at its ends; none that leads elsewhere or begins at a user's home.
fn plain_path(url: &RemoteUrl) -> Option<String> {
    let path = url.decoded_path().ok()?;
    let path = path.trim_matches('/');
    let is_plain = !path.is_empty() && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    is_plain.then(|| path.to_owned())
}

/// `https://host` and the rest.
fn split_page(page: &str) -> (&str, &str) {
    let behind = page.find("://").map_or(0, |at| at + 3);
    let slash = page[behind..].find('/').map_or(page.len(), |at| behind + at);
    (&page[..slash], page[slash..].trim_start_matches('/'))
}

/// `…/scm/KEY/name` over HTTP and `KEY/name` over SSH are at `…/projects/KEY/repos/name`, those of persons at `…/users/`.
fn data_center_page(origin: &str, path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    // From the end on: a project and the place of the server may be called `scm`, too.
    let (context, key, name) = match parts.as_slice() {
        [context @ .., "scm", key, name] => (context, *key, *name),
        [key, name] => (&parts[..0], *key, *name),
        _ => return None,
    };
    let context: String = context.iter().map(|part| format!("{part}/")).collect();
    let (kind, key) = key.strip_prefix('~').map_or(("projects", key), |user| ("users", user));
    Some(format!("{origin}/{}{kind}/{}/repos/{}", encoded(&context), encoded(key), encoded(name)))
}

/// Over SSH `v3/organisation/project/name`; over HTTP the URL is the page.
fn azure_page(url: &RemoteUrl, origin: &str, path: &str) -> Option<String> {
    let Some(rest) = path.strip_prefix("v3/").filter(|_| url.scheme() == Scheme::Ssh) else {
        return path.contains("_git/").then(|| format!("{origin}/{}", encoded(path)));
    };
    let parts: Vec<&str> = rest.split('/').collect();
    let [organisation, project, name] = parts[..] else { return None };
    let [organisation, project, name] = [organisation, project, name].map(encoded);
    Some(format!("https://dev.azure.com/{organisation}/{project}/_git/{name}"))
}

/// `git-codecommit.REGION.amazonaws.com/v1/repos/NAME` is shown by the console of that region.
fn codecommit(url: &RemoteUrl, path: &str) -> Option<Templates> {
    let Host::Name(host) = url.host() else { return None };
    let region = host.strip_prefix("git-codecommit.")?.strip_suffix(".amazonaws.com")?;
    let name = encoded(path.strip_prefix("v1/repos/")?);
    let page = format!("https://{region}.console.aws.amazon.com/codesuite/codecommit/repositories/{name}");
    let at = |rest: &str| format!("{page}/{rest}?region={region}");
    Some(links(
        &at("commit/${rev}"),
        &at("browse/${rev}/--/${path}"),
        &at("browse/refs/heads/${branch}"),
        &at("pull-requests/${number}/details"),
    ))
}
