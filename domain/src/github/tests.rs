//! What is taken for a GitHub and for one of its accounts.

use super::{BadHost, Edition, GithubConnection, GithubHost, Login};

#[test]
fn a_host_tells_which_github_it_is_and_where_its_api_is() {
    for (text, edition, web, api) in [
        ("github.com", Edition::Cloud, "https://github.com", "https://api.github.com"),
        (" https://GitHub.com/ ", Edition::Cloud, "https://github.com", "https://api.github.com"),
        ("api.github.com", Edition::Cloud, "https://github.com", "https://api.github.com"),
        ("octo.ghe.com", Edition::DataResidency, "https://octo.ghe.com", "https://api.octo.ghe.com"),
        ("https://api.octo.ghe.com", Edition::DataResidency, "https://octo.ghe.com", "https://api.octo.ghe.com"),
        (
            "git.example.com:8443",
            Edition::EnterpriseServer,
            "https://git.example.com:8443",
            "https://git.example.com:8443/api/v3",
        ),
        ("http://10.0.0.7/", Edition::EnterpriseServer, "http://10.0.0.7", "http://10.0.0.7/api/v3"),
    ] {
        let host = GithubHost::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((host.edition, host.web.as_str(), host.api.as_str()), (edition, web, api), "{text}");
    }
}

#[test]
fn a_host_that_is_none_is_refused_in_words() {
    assert_eq!(GithubHost::parse("ssh://git@github.com"), Err(BadHost::Scheme));
    assert_eq!(GithubHost::parse("https://github.com/apache"), Err(BadHost::MoreThanAHost));
    assert_eq!(GithubHost::parse("https://user:geheim@example.com"), Err(BadHost::MoreThanAHost));
    for text in ["", "https://", "-x.example.com", "a b", "https://ex%61mple.com", "127.1"] {
        assert!(matches!(GithubHost::parse(text), Err(BadHost::Url(_))), "{text}");
    }
}

#[test]
fn the_cloud_is_no_server_of_ones_own() {
    let server = |text| GithubHost::parse(text).and_then(|host| host.said_to_be(Edition::EnterpriseServer));
    for (text, is) in [("github.com", Edition::Cloud), ("octo.ghe.com", Edition::DataResidency)] {
        assert_eq!(server(text), Err(BadHost::Edition { is, said: Edition::EnterpriseServer }));
    }
    assert!(server("git.example.com").is_ok());
}

#[test]
fn the_name_of_an_account_has_its_letters() {
    for good in ["apache", "Octo-Org", "user_corp", "0x"] {
        assert!(Login::parse(good).is_ok(), "{good}");
    }
    for bad in ["", "-x", "a/b", "a b", "ä", "../x", &"a".repeat(101)] {
        assert!(Login::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn one_organisation_of_one_host_is_one_place_however_it_is_written() {
    let of = |host: &str, organisation: &str| {
        let (host, organisation) = (GithubHost::parse(host), Login::parse(organisation));
        GithubConnection::of(host.expect("a host"), organisation.expect("a name")).natural_key()
    };
    assert_eq!(of("github.com", "Apache"), of("https://www.github.com", "apache"));
    assert_ne!(of("github.com", "apache"), of("git.example.com", "apache"));
}
