//! What the links of each kind of host are, and that nothing which is put into one leads elsewhere.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::git_remote::GitRemote;

const REV: &str = "0123456789012345678901234567890123456789";

fn git(url: &str) -> Connection {
    Connection::git(GitRemote::at(RemoteUrl::parse(url).expect("a URL").url))
}

fn commit(url: &str) -> Option<String> {
    WebLinks::Host.templates(&git(url), "a/b").commit_url(REV)
}

fn by(preset: Preset, url: &str) -> Templates {
    WebLinks::Preset { preset }.templates(&git(url), "a/b")
}

#[test]
fn a_host_that_is_certain_has_its_links_however_it_is_reached() {
    for (url, page) in [
        ("git@github.com:shop/api.git", "https://github.com/shop/api/commit/"),
        ("ssh://git@ssh.github.com:443/shop/api.git", "https://github.com/shop/api/commit/"),
        ("https://github.com/shop/api", "https://github.com/shop/api/commit/"),
        ("git@acme.ghe.com:shop/api.git", "https://acme.ghe.com/shop/api/commit/"),
        ("git@gitlab.com:group/sub/api.git", "https://gitlab.com/group/sub/api/-/commit/"),
        ("git@bitbucket.org:shop/api.git", "https://bitbucket.org/shop/api/commits/"),
        ("git@ssh.dev.azure.com:v3/org/shop/api", "https://dev.azure.com/org/shop/_git/api/commit/"),
        (
            "ssh://git@ssh.dev.azure.com/v3/org/My%20Project/api",
            "https://dev.azure.com/org/My%20Project/_git/api/commit/",
        ),
        ("git@ssh.dev.azure.com:v3/org/My%20Project/api", "https://dev.azure.com/org/My%20Project/_git/api/commit/"),
        ("https://dev.azure.com/org/shop/_git/api", "https://dev.azure.com/org/shop/_git/api/commit/"),
        ("ssh://git@codeberg.org/shop/api.git", "https://codeberg.org/shop/api/commit/"),
        ("https://go.googlesource.com/go", "https://go.googlesource.com/go/+/"),
        ("git://git.kernel.org/pub/scm/git/git.git", "https://git.kernel.org/pub/scm/git/git.git/commit/?id="),
    ] {
        assert_eq!(commit(url), Some(format!("{page}{REV}")), "{url}");
    }
    let url = "ssh://APKA1@git-codecommit.eu-west-1.amazonaws.com/v1/repos/api";
    let console = "https://eu-west-1.console.aws.amazon.com/codesuite/codecommit/repositories/api";
    assert_eq!(commit(url), Some(format!("{console}/commit/{REV}?region=eu-west-1")));
    for url in ["git@git.example.com:a/b.git", "https://gitlab.example.com/a/b", "https://s3.amazonaws.com/a/b"] {
        assert_eq!(commit(url), None, "{url}: a person says which it is");
    }
}

#[test]
fn a_repository_of_bitbucket_data_center_is_found_wherever_its_server_is_and_whatever_it_is_called() {
    for (url, page) in [
        ("https://git.example.com/scm/shop/api.git", "projects/shop/repos/api"),
        ("https://git.example.com/x/scm/scm/api.git", "x/projects/scm/repos/api"),
        ("https://git.example.com/scm/scm/shop/scm.git", "scm/projects/shop/repos/scm"),
        ("https://git.example.com/a/my-scm/scm/~ann/api.git", "a/my-scm/users/ann/repos/api"),
        ("ssh://git@git.example.com:7999/shop/api.git", "projects/shop/repos/api"),
        ("ssh://git@git.example.com:7999/scm/api.git", "projects/scm/repos/api"),
    ] {
        let found = by(Preset::BitbucketDataCenter, url).commit_url("R");
        assert_eq!(found, Some(format!("https://git.example.com/{page}/commits/R")), "{url}");
    }
    for url in ["https://git.example.com/scm/shop/api/more.git", "https://git.example.com/x/shop/api.git"] {
        assert_eq!(by(Preset::BitbucketDataCenter, url).commit_url("R"), None, "{url}");
    }
}

#[test]
fn a_kind_is_guessed_and_has_all_its_links() {
    let proposed = |url: &str| Preset::proposed(&RemoteUrl::parse(url).expect("a URL").url);
    for (url, preset) in [
        ("git@gitlab.example.com:a/b.git", Some(Preset::Gitlab)),
        ("ssh://git@git.example.com:7999/shop/api.git", Some(Preset::BitbucketDataCenter)),
        ("https://git.example.com/scm/shop/api.git", Some(Preset::BitbucketDataCenter)),
        ("ssh://me@review.example.com:29418/shop/api", Some(Preset::Gerrit)),
        ("https://tfs.example.com/Default/shop/_git/api", Some(Preset::AzureDevops)),
        ("git@git.example.com:a/b.git", None),
    ] {
        assert_eq!(proposed(url), preset, "{url}");
    }
    let https = "https://git.example.com:8443/shop/api.git";
    for (preset, url, links) in [
        (
            Preset::Github,
            https,
            ["/shop/api/commit/R", "/shop/api/blob/R/a/b.c", "/shop/api/tree/x/y", "/shop/api/pull/7"],
        ),
        (
            Preset::Gitlab,
            https,
            [
                "/shop/api/-/commit/R",
                "/shop/api/-/blob/R/a/b.c",
                "/shop/api/-/tree/x/y",
                "/shop/api/-/merge_requests/7",
            ],
        ),
        (
            Preset::BitbucketCloud,
            https,
            ["/shop/api/commits/R", "/shop/api/src/R/a/b.c", "/shop/api/branch/x/y", "/shop/api/pull-requests/7"],
        ),
        (
            Preset::BitbucketDataCenter,
            "https://git.example.com:8443/git/scm/~ann/api.git",
            [
                "/git/users/ann/repos/api/commits/R",
                "/git/users/ann/repos/api/browse/a/b.c?at=R",
                "/git/users/ann/repos/api/browse?at=refs/heads/x/y",
                "/git/users/ann/repos/api/pull-requests/7/overview",
            ],
        ),
        (
            Preset::AzureDevops,
            "https://git.example.com:8443/c/shop/_git/api",
            [
                "/c/shop/_git/api/commit/R",
                "/c/shop/_git/api?path=/a/b.c&version=GCR",
                "/c/shop/_git/api?version=GBx/y",
                "/c/shop/_git/api/pullrequest/7",
            ],
        ),
        (
            Preset::Gitea,
            https,
            ["/shop/api/commit/R", "/shop/api/src/commit/R/a/b.c", "/shop/api/src/branch/x/y", "/shop/api/pulls/7"],
        ),
        (
            Preset::Gerrit,
            "https://git.example.com:8443/a/shop/api",
            [
                "/plugins/gitiles/shop/api/+/R",
                "/plugins/gitiles/shop/api/+/R/a/b.c",
                "/plugins/gitiles/shop/api/+/refs/heads/x/y",
                "/c/shop/api/+/7",
            ],
        ),
        (Preset::Gitiles, https, ["/shop/api/+/R", "/shop/api/+/R/a/b.c", "/shop/api/+/refs/heads/x/y", ""]),
        (
            Preset::Cgit,
            https,
            ["/shop/api.git/commit/?id=R", "/shop/api.git/tree/a/b.c?id=R", "/shop/api.git/log/?h=x/y", ""],
        ),
        (
            Preset::Gitweb,
            https,
            [
                "/?p=shop/api.git;a=commit;h=R",
                "/?p=shop/api.git;a=blob;f=a/b.c;hb=R",
                "/?p=shop/api.git;a=shortlog;h=refs/heads/x/y",
                "",
            ],
        ),
    ] {
        let found = by(preset, url);
        let shown = [
            found.commit_url("R"),
            found.file_url("R", b"a/b.c"),
            found.ref_url("refs/heads/x/y"),
            found.pull_request_url(7),
        ];
        let wanted = links.map(|link| (!link.is_empty()).then(|| format!("https://git.example.com:8443{link}")));
        assert_eq!(shown, wanted, "{preset:?}");
    }
}

#[test]
fn a_ref_of_a_pull_request_leads_to_it_and_a_tag_nowhere() {
    let links = by(Preset::Gitlab, "git@git.example.com:shop/api.git");
    let at = |number: u64| Some(format!("https://git.example.com/shop/api/-/merge_requests/{number}"));
    assert_eq!(links.ref_url("refs/merge-requests/12/head"), at(12));
    assert_eq!(links.ref_url("refs/pull/3/merge"), at(3));
    assert_eq!(links.ref_url("refs/changes/07/1207/4"), at(1207));
    for name in ["refs/tags/v1", "refs/pull/x/head", "refs/pull/3", "refs/notes/commits", "HEAD"] {
        assert_eq!(links.ref_url(name), None, "{name}");
    }
}

#[test]
fn an_app_s_repositories_are_below_the_pages_of_its_github_and_what_is_set_changes_nothing_of_that() {
    let connection: Connection = serde_json::from_str(
        r#"{"kind":"github_app","host":{"edition":"cloud","web":"https://github.com","api":"https://api.github.com"},"organisation":"acme"}"#,
    )
    .expect("a connection");
    for set in [WebLinks::Host, WebLinks::Off] {
        let links = set.templates(&connection, "acme/tools");
        assert_eq!(links.pull_request_url(7).as_deref(), Some("https://github.com/acme/tools/pull/7"));
    }
}

#[test]
fn what_is_set_holds_before_the_host_and_off_is_none() {
    let own = Templates {
        commit: LinkTemplate::parse("https://code.example.com/c?id=${rev}#top", Variable::Rev, None).ok(),
        ..Templates::default()
    };
    let links = WebLinks::Templates(own).templates(&git("git@github.com:a/b"), "a/b");
    assert_eq!(links.commit_url("R").as_deref(), Some("https://code.example.com/c?id=R#top"));
    assert_eq!(links.ref_url("refs/heads/main"), None);
    assert_eq!(WebLinks::Off.templates(&git("git@github.com:a/b"), "a/b"), Templates::default());
}

#[test]
fn a_template_is_an_address_of_the_web_with_its_variables_behind_the_host() {
    let parse = |text: &str| LinkTemplate::parse(text, Variable::Rev, None).err();
    for text in
        ["https://h/${rev}", "http://h:8080/x?y=${rev}&z=1", "https://[::1]/c/${rev}#L1", "https://h/%7Ea/${rev}"]
    {
        assert_eq!(parse(text), None, "{text}");
    }
    for (text, why) in [
        ("javascript://h/%0aalert(1)//${rev}", BadTemplate::NotTheWeb),
        ("javascript:alert(${rev})", BadTemplate::NotTheWeb),
        ("data:text/html,${rev}", BadTemplate::NotTheWeb),
        ("ssh://h/${rev}", BadTemplate::NotTheWeb),
        ("//h/${rev}", BadTemplate::NotTheWeb),
        ("https://${rev}/x", BadTemplate::NotTheWeb),
        ("https://h${rev}", BadTemplate::NotTheWeb),
        ("https://h:${rev}/x", BadTemplate::NotTheWeb),
        ("https://user@h/${rev}", BadTemplate::NotTheWeb),
        ("https:///${rev}", BadTemplate::NotTheWeb),
        ("https://h/a b/${rev}", BadTemplate::BadCharacter),
        ("https://h/\"/${rev}", BadTemplate::BadCharacter),
        ("https://h/\n${rev}", BadTemplate::BadCharacter),
        ("https://h\\@e/${rev}", BadTemplate::BadCharacter),
        ("https://h/ä/${rev}", BadTemplate::BadCharacter),
        ("https://h/%zz/${rev}", BadTemplate::BadCharacter),
        ("https://h/%${rev}", BadTemplate::BadCharacter),
        ("https://h/${other}/${rev}", BadTemplate::UnknownVariable),
        ("https://h/$rev/${rev}", BadTemplate::UnknownVariable),
        ("https://h/x", BadTemplate::OtherVariables),
        ("https://h/${branch}", BadTemplate::OtherVariables),
        ("https://h/${branch}/${rev}", BadTemplate::OtherVariables),
    ] {
        assert_eq!(parse(text), Some(why), "{text}");
    }
    assert_eq!(parse(&format!("https://h/${{rev}}/{}", "x".repeat(1_000))), Some(BadTemplate::TooLong));
}

#[test]
fn what_would_lead_out_of_its_place_has_no_link_and_the_rest_is_encoded() {
    let links = by(Preset::Github, "https://git.example.com/shop/api");
    for path in [&b".."[..], b"a/../b", b"./a", b"a/.."] {
        assert_eq!(links.file_url("R", path), None);
    }
    let odd = links.file_url("R", b"a b/?x=1#y&%2e\xff..c\n").expect("a link");
    assert_eq!(odd, "https://git.example.com/shop/api/blob/R/a%20b/%3Fx%3D1%23y%26%252e%FF..c%0A");
    let branch = links.ref_url("refs/heads/\u{202e}é\"><script>").expect("a link");
    assert_eq!(branch, "https://git.example.com/shop/api/tree/%E2%80%AE%C3%A9%22%3E%3Cscript%3E");
}

#[test]
fn what_was_set_is_read_again_as_it_was_written() {
    for (set, written) in [
        (WebLinks::Host, r#"{"by":"host"}"#.to_owned()),
        (WebLinks::Off, r#"{"by":"off"}"#.to_owned()),
        (
            WebLinks::Preset { preset: Preset::BitbucketDataCenter },
            r#"{"by":"preset","preset":"bitbucket_data_center"}"#.to_owned(),
        ),
        (
            WebLinks::Templates(Templates {
                commit: LinkTemplate::parse("https://h/${rev}", Variable::Rev, None).ok(),
                ..Templates::default()
            }),
            r#"{"by":"templates","commit":"https://h/${rev}"}"#.to_owned(),
        ),
    ] {
        assert_eq!(serde_json::to_string(&set).expect("JSON"), written);
        assert_eq!(serde_json::from_str::<WebLinks>(&written).expect("it reads"), set);
    }
    assert!(serde_json::from_str::<WebLinks>(r#"{"by":"templates","commit":"javascript:x"}"#).is_err());
    for preset in Preset::ALL {
        assert_eq!(serde_json::to_value(preset).expect("JSON"), preset.as_str());
    }
}

proptest! {
    #[test]
    fn whatever_a_file_is_called_its_link_is_at_the_host_of_its_template(path in vec(any::<u8>(), 0..60)) {
        let links = by(Preset::AzureDevops, "https://dev.azure.com/o/p/_git/r");
        if let Some(link) = links.file_url("R", &path) {
            prop_assert!(link.starts_with("https://dev.azure.com/o/p/_git/r?path=/"));
            prop_assert!(link.ends_with("&version=GCR"));
            prop_assert_eq!(link.matches(['&', '#', '?', ' ', '"', '<']).count(), 2);
            prop_assert!(link.is_ascii());
        }
    }
}
