//! Every form of a URL, every refusal, and what is never shown.

use proptest::prelude::*;

use super::{AllowedSchemes, BadUrl, RemoteUrl, Scheme, SchemeRefused};
use crate::proxy_url::ProxyUrl;

fn canonical(text: &str) -> String {
    RemoteUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).url.to_string()
}

fn refusal(text: &str) -> BadUrl {
    RemoteUrl::parse(text).map(|parsed| parsed.url).expect_err(text)
}

#[test]
fn every_form_that_git_clone_takes_over_a_network_has_one_canonical_text() {
    for (given, text) in [
        ("https://github.com/apache/kafka.git", "https://github.com/apache/kafka.git"),
        ("HTTPS://GitHub.COM:443/apache/kafka", "https://github.com/apache/kafka"),
        ("https://host:8443/a/b/", "https://host:8443/a/b/"),
        ("http://host:80/a", "http://host/a"),
        ("https://host:80/a", "https://host:80/a"),
        ("git://host:9418/a", "git://host/a"),
        ("ssh://git@host:22/a/b.git", "ssh://git@host/a/b.git"),
        ("git+ssh://git@host:7999/a/b", "ssh://git@host:7999/a/b"),
        ("ssh+git://host/a", "ssh://host/a"),
        ("git@host:a/b.git", "git@host:a/b.git"),
        ("Host.Example:a/b.git", "host.example:a/b.git"),
        ("git@host:/srv/a.git", "ssh://git@host/srv/a.git"),
        ("git@[2001:DB8::1]:a", "git@[2001:db8::1]:a"),
        ("https://192.0.2.7/a", "https://192.0.2.7/a"),
        ("https://[2001:DB8:0::1]:8443/a", "https://[2001:db8::1]:8443/a"),
        ("https://dev.azure.com/org/My%20Project/_git/x", "https://dev.azure.com/org/My%20Project/_git/x"),
        ("https://host/größe", "https://host/gr%C3%B6%C3%9Fe"),
        ("git@host:größe", "git@host:größe"),
        ("git@ssh.dev.azure.com:v3/org/shop/api", "git@ssh.dev.azure.com:v3/org/shop/api"),
        ("git@SSH.dev.azure.com:v3/org/My%20Project/api", "ssh://git@ssh.dev.azure.com/v3/org/My%20Project/api"),
        ("org@vs-ssh.visualstudio.com:v3/org/A%20B/api", "ssh://org@vs-ssh.visualstudio.com/v3/org/A%20B/api"),
        ("https://my_host/~user/a", "https://my_host/~user/a"),
    ] {
        assert_eq!(canonical(given), text);
        assert_eq!(canonical(text), text, "the canonical text is its own");
    }
}

#[test]
fn what_could_be_an_option_a_command_or_a_local_path_is_refused_each_with_its_own_word() {
    use BadUrl::*;
    let long = format!("https://host/{}", "a".repeat(2048));
    for (text, reason) in [
        ("", Empty),
        (long.as_str(), TooLong),
        ("https://host/a b", ControlCharacter),
        ("https://host/a\nb", ControlCharacter),
        ("https://host/a\x7f", ControlCharacter),
        ("https://host/a%0ab", ControlCharacter),
        ("https://host/a%0D", ControlCharacter),
        ("https://host/%00", ControlCharacter),
        ("https://u%0a:p@host/a", ControlCharacter),
        ("--upload-pack=touch", LeadingDash),
        ("-oProxyCommand=x:y", LeadingDash),
        ("ssh://-oProxyCommand=x/a", LeadingDash),
        ("ssh://-x@host/a", LeadingDash),
        ("https://-host/a", LeadingDash),
        ("https://host/-a", LeadingDash),
        ("https://host/%2da", LeadingDash),
        ("host:-a", LeadingDash),
        ("host://a", UnknownScheme),
        ("ext::sh -c x", RemoteHelper),
        ("ext::sh", RemoteHelper),
        ("fd::7", RemoteHelper),
        ("ext::https://host/a", RemoteHelper),
        ("git-remote-x::host", RemoteHelper),
        ("ftp://host/a", UnknownScheme),
        ("javascript://host/a", UnknownScheme),
        ("file:///srv/a.git", LocalPath),
        ("/srv/a.git", LocalPath),
        ("//server/share/a.git", LocalPath),
        ("\\\\server\\share", LocalPath),
        ("C:/a", LocalPath),
        ("C:\\a", LocalPath),
        ("~/a", LocalPath),
        ("../a", RelativePath),
        ("a/b", RelativePath),
        ("./a:b", RelativePath),
        ("kafka", RelativePath),
        ("https://host/a'b", UnsafeCharacter),
        ("https://host/a%27b", UnsafeCharacter),
        ("https://host/a\"b", UnsafeCharacter),
        ("https://host/`id`", UnsafeCharacter),
        ("https://host/$HOME", UnsafeCharacter),
        ("host:a$(id)", UnsafeCharacter),
        ("https://host/a\\b", UnsafeCharacter),
        ("https://host\\@other/a", UnsafeCharacter),
        ("https://host/a/../b", DotSegment),
        ("https://host/a/%2e%2E/b", DotSegment),
        ("https://host/./a", DotSegment),
        ("https://host/a%zz", BadPercent),
        ("https://host/a%2", BadPercent),
        ("https://host/a%ff", BadPercent),
        ("host:a%20b", PercentInScpPath),
        ("host:a%zz", PercentInScpPath),
        ("git@ssh.dev.azure.com:v3/a%zz", BadPercent),
        ("git@ssh.dev.azure.com:v3/%2e%2e/b", DotSegment),
        ("git@ssh.dev.azure.com:%2da", LeadingDash),
        ("https://host/a?b", QueryOrFragment),
        ("https://host/a#b", QueryOrFragment),
        ("https://host?@other/a", QueryOrFragment),
        ("https://host", NoPath),
        ("https://host/", NoPath),
        ("host:", NoPath),
        ("https:///a", BadHost),
        ("https://a..b/c", BadHost),
        ("https://a b/c", ControlCharacter),
        ("https://host./a", BadHost),
        ("https://[::1/a", BadHost),
        ("https://[::1]x/a", BadHost),
        ("https://a!b/c", BadHost),
        ("https://bücher.example/a", HostNotAscii),
        ("https://host%2fother/a", PercentInHost),
        ("https://2130706433/a", OddAddress),
        ("https://0x7f000001/a", OddAddress),
        ("https://0X7F.1/a", OddAddress),
        ("https://0177.0.0.1/a", OddAddress),
        ("https://127.1/a", OddAddress),
        ("https://127.0.0.1./a", OddAddress),
        ("https://1.2.3.256/a", OddAddress),
        ("https://[fe80::1%25eth0]/a", ZoneId),
        ("https://host:0/a", BadPort),
        ("https://host:/a", BadPort),
        ("https://host:65536/a", BadPort),
        ("https://host:+1/a", BadPort),
        ("https://a@b@host/c", BadUser),
        ("https://@host/c", BadUser),
        ("git://user@host/c", BadUser),
        ("ssh://us%20er@host/c", BadUser),
        ("user:password@host/c", BadUser),
    ] {
        assert_eq!(refusal(text), reason, "{text:?}");
    }
}

#[test]
fn a_user_and_a_password_are_taken_out_and_shown_nowhere() {
    let parsed = RemoteUrl::parse("https://alice:s3cr%40t@host/a").expect("a URL");
    let shown = format!("{parsed:?} {} {}", parsed.url, serde_json::to_string(&parsed.url).expect("a text"));
    assert!(!shown.contains("s3cr") && !shown.contains("alice"), "{shown}");
    let credential = parsed.credential.expect("a credential");
    assert_eq!((credential.user.as_str(), credential.password.as_str()), ("alice", "s3cr@t"));

    let token = RemoteUrl::parse("https://ghp_token@host/a").expect("a URL");
    assert_eq!(token.url.to_string(), "https://host/a");
    assert_eq!(token.credential.expect("a credential").user, "ghp_token");

    let ssh = RemoteUrl::parse("ssh://git:pass@host/a").expect("a URL");
    assert_eq!((ssh.url.user(), ssh.url.to_string().as_str()), (Some("git"), "ssh://git@host/a"));
    assert_eq!(ssh.credential.expect("a credential").password, "pass");
    assert_eq!(RemoteUrl::parse("git@host:a").expect("a URL").credential, None);
}

#[test]
fn a_stored_url_is_checked_again_and_may_hold_no_credential() {
    let url: RemoteUrl = serde_json::from_str(r#""https://host/a.git""#).expect("a URL");
    assert_eq!(serde_json::to_string(&url).expect("a text"), r#""https://host/a.git""#);
    let refused = serde_json::from_str::<RemoteUrl>(r#""https://u:topsecret@host/a""#).expect_err("a credential");
    assert!(!refused.to_string().contains("topsecret"), "{refused}");
    assert!(serde_json::from_str::<RemoteUrl>(r#""ext::sh""#).is_err());
}

#[test]
fn all_ways_to_write_one_place_have_one_natural_key() {
    let same = [
        "https://GitHub.com/apache/kafka.git",
        "https://user:token@github.com:443/apache/kafka",
        "http://github.com/apache/kafka/",
        "ssh://git@github.com/apache/kafka.git/",
        "git@github.com:apache/kafka.git",
        "git://github.com/apache/kafka",
    ];
    for text in same {
        let key = RemoteUrl::parse(text).expect(text).url.natural_key();
        assert_eq!(key, "github.com/apache/kafka", "{text}");
    }
    let key = |text: &str| RemoteUrl::parse(text).expect(text).url.natural_key();
    assert_ne!(key("https://host/a"), key("https://host:8443/a"));
    assert_ne!(key("https://host/a"), key("https://host/A"));
    assert_eq!(key("git@host:größe"), key("https://host/größe"));
}

#[test]
fn a_name_is_what_people_say() {
    for (text, name) in [
        ("https://github.com/apache/kafka.git", "apache/kafka"),
        ("https://gitlab.com/group/sub/tool", "sub/tool"),
        ("https://dev.azure.com/org/My%20Project/_git/tool", "My Project/tool"),
        ("git@host:tool.git", "tool"),
        ("https://host/tool/", "tool"),
    ] {
        assert_eq!(RemoteUrl::parse(text).expect(text).url.name(), name);
    }
}

#[test]
fn only_schemes_that_are_switched_on_may_be_used() {
    let refused =
        |text: &str, http, git| RemoteUrl::parse(text).expect(text).url.allowed(AllowedSchemes { http, git }).err();
    assert_eq!(refused("https://host/a", false, false), None);
    assert_eq!(refused("http://host/a", true, false), None);
    assert_eq!(refused("http://host/a", false, true), Some(SchemeRefused::Http));
    assert_eq!(refused("git://host/a", false, true), None);
    assert_eq!(refused("git://host/a", true, false), Some(SchemeRefused::Git));
    for text in ["git@host:a", "ssh://git@host:2222/a"] {
        assert_eq!(refused(text, false, false), None, "{text}");
    }
    assert_eq!(RemoteUrl::parse("git@host:a").expect("a URL").url.scheme(), Scheme::Ssh);
}

#[test]
fn a_proxy_is_a_host_and_a_port_and_its_password_is_kept_apart() {
    let (url, credential) = ProxyUrl::parse("http://user:pa%3Ass@Proxy.local:3128/").expect("a proxy");
    assert_eq!(url.to_string(), "http://proxy.local:3128");
    assert_eq!(credential.expect("a credential").password, "pa:ss");
    assert_eq!(ProxyUrl::parse("http://proxy").expect("a proxy").0.port(), 80);
    assert_eq!(ProxyUrl::parse("https://proxy:1").expect_err("TLS"), BadUrl::UnknownScheme);
    assert!(ProxyUrl::parse("http://proxy:1/path").is_err());
    assert!(serde_json::from_str::<ProxyUrl>(r#""http://u:p@proxy:1""#).is_err());
}

proptest! {
    #[test]
    fn whatever_is_accepted_reads_back_as_itself_and_shows_nothing_before_its_at(
        scheme in prop_oneof![Just("https://"), Just("ssh://"), Just("git://"), Just("")],
        before in prop_oneof![Just(""), Just("hidden@"), Just("u:hidden@"), Just("hidden:@")],
        rest in "[a-c0-2xX.%:/@\\[\\]~_ é-]{1,24}",
    ) {
        if let Ok(parsed) = RemoteUrl::parse(&format!("{scheme}{before}{rest}")) {
            let text = parsed.url.to_string();
            let again = RemoteUrl::parse(&text).expect("the canonical text is a URL");
            prop_assert_eq!(&again.url, &parsed.url);
            prop_assert!(again.credential.is_none());
            prop_assert!(parsed.url.scheme() == Scheme::Ssh || !text.contains("hidden"), "{}", text);
            prop_assert!(!parsed.url.natural_key().contains("hidden"));
            prop_assert!(text.bytes().all(|byte| byte > 0x20 && byte != 0x7f));
        }
    }
}
