//! Every key of the configuration in words: what `keytrail config` shows, and writes as the commented default. Tests
//! compare it with the types and with docs/operations.md.

use figment::value::{Dict, Value};

use super::Config;

/// Who may see the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Everybody.
    Plainly,
    /// Not in a support archive: it names places or machines.
    Here,
    /// Nobody: only whether it is set.
    Never,
}

/// A key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// `section.key`
    pub path: &'static str,
    /// What it is, for a comment.
    pub about: &'static str,
    /// What could stand there, where the default is nothing or depends on the machine: written as a comment.
    pub example: Option<&'static str>,
    /// Who may see the value.
    pub shown: Shown,
}

impl Key {
    /// Section and name.
    pub fn parts(&self) -> (&'static str, &'static str) {
        self.path.split_once('.').unwrap_or((self.path, ""))
    }

    const fn here(mut self) -> Self {
        self.shown = Shown::Here;
        self
    }
}

const fn key(path: &'static str, about: &'static str) -> Key {
    Key { path, about, example: None, shown: Shown::Plainly }
}

const fn place(path: &'static str, about: &'static str, example: &'static str) -> Key {
    Key { path, about, example: Some(example), shown: Shown::Here }
}

/// All of them, section by section.
pub const KEYS: &[Key] = &[
    key("server.listen", "Address and port. There is no TLS: put a reverse proxy before it. Port 0 takes a free one."),
    key("server.workers", "Threads that answer requests."),
    place(
        "server.public_url",
        "How browsers and git services reach this server, through its proxy. GitHub Apps need it.",
        "\"https://keytrail.example.com\"",
    ),
    place(
        "server.webhook_url",
        "How git services send deliveries, when that is another address.",
        "\"https://hooks.example.com\"",
    ),
    place("store.folder", "The data folder: the embedded store, and caches.", "\"/var/lib/keytrail\""),
    Key {
        path: "store.database_url",
        about: "A PostgreSQL database instead of the embedded store.",
        example: Some("\"postgres://keytrail@db/keytrail\""),
        shown: Shown::Never,
    },
    key("store.connections", "Connections to PostgreSQL, of each node."),
    place("store.node", "Which node this is among several over one database; else the host's name.", "\"node-1\""),
    place(
        "secrets.root_key_file",
        "The file with the root key, never below the data folder; else root.key beside this file. PostgreSQL needs it.",
        "\"/etc/keytrail/root.key\"",
    ),
    key("git.roots", "Folders below which repositories of this machine may be added over HTTP.").here(),
    place("git.program", "The git program; else the first good one along PATH.", "\"/usr/bin/git\""),
    key(
        "git.program_trusted",
        "Whether git.program may be used though its version has known weaknesses: a distribution mended it.",
    ),
    key("git.allow_private", "Whether addresses of private networks may be reached: all of them."),
    key("git.hosts", "Hosts that may be reached whatever their addresses are, this machine too.").here(),
    key("git.networks", "Networks that may be reached, such as \"10.20.0.0/16\".").here(),
    key("git.allow_http", "Whether http:// may be used: whoever listens on the way reads passwords."),
    key("git.allow_git_protocol", "Whether git:// may be used: it proves nothing."),
    key("git.quota_bytes", "Bytes that one repository's copy may have, with what was fetched beside it for diffs."),
    key("git.memory_bytes", "Bytes of memory to put together what a remote sent; 64 MiB or more."),
    key("git.free_bytes", "Bytes that fetches leave free on the disk."),
    key("git.diff_cache_bytes", "Bytes of files that are kept because somebody looked at a commit, on each node."),
    key(
        "git.silence_seconds",
        "Seconds without any progress after which a remote counts as silent, and so does a share.",
    ),
    key(
        "git.listing_seconds",
        "Seconds that listing a remote's refs may take in all, and again until objects of a fetch come.",
    ),
    key("git.shortest_poll_seconds", "Seconds between two looks at a busy repository."),
    key("git.longest_poll_seconds", "And at one where nothing happens."),
    key("git.upkeep_seconds", "Seconds between two looks after the copies of repositories."),
    key("git.handed_over_seconds", "Seconds that a copy stays whose repository another node looks after by now."),
    key("github.stuck_seconds", "Seconds after which installing an app that does not come on is called stuck."),
    key("github.confirm_repositories", "More repositories of an app than this start only after a person said so."),
    place("ssh.program", "The ssh program; else the first one along PATH.", "\"/usr/bin/ssh\""),
    key("ssh.connections_per_host", "Connections over SSH to one host that this node has open at once."),
    key("ssh_keys.old_days", "Days after which a key of SSH counts as old, in answers and metrics."),
    place(
        "ssh_keys.folder",
        "A folder of this server's account with private keys, which are used where they lie; off when nothing is set.",
        "\"~/.ssh\"",
    ),
    place(
        "ssh_keys.published_host_keys",
        "A file with fingerprints of host keys that those who run the hosts published, instead of the list that is shipped.",
        "\"/etc/keytrail/host-keys.toml\"",
    ),
    key("access.requests_per_minute", "Requests of one token or service within a minute; 0: no limit."),
    key("access.address_requests_per_minute", "Requests from one address, before anybody is known; 0: no limit."),
    key("access.address_failures_per_minute", "Tokens that may be refused to one address; 0: no limit."),
    key("access.streams", "Streams that may be open at once on this node."),
    key("access.trusted_proxies", "Networks of proxies whose word on the caller's address counts.").here(),
    key("access.forwarded_by", "In which header they give it: x_forwarded_for or forwarded."),
    key("access.origins", "Origins of pages whose scripts may ask, such as \"https://board.example\".").here(),
    place(
        "access.jwt",
        "Signed tokens of services; docs/access.md has all of it.",
        "{ issuer = \"https://id.example.com\", audience = \"keytrail\", jwks_file = \"/etc/keytrail/jwks.json\" }",
    ),
    key("jobs.workers", "Jobs at once on this node."),
    key("log.level", "error, warn, info, debug, trace, or a filter such as keytrail=debug."),
    key("log.format", "auto: pretty on a terminal, JSON elsewhere; or json, or pretty."),
];

/// The key at this path.
pub fn known(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// What a configuration has at each key, in the order of [`KEYS`]; nothing where nothing is set.
pub(super) fn values(config: &Config) -> Vec<(&'static Key, Option<Value>)> {
    // It was read from a file or made by us: it can be written, too.
    let all = Value::serialize(config).ok().and_then(Value::into_dict).unwrap_or_default();
    let find = |key: &Key| {
        let (section, name) = key.parts();
        let section: &Dict = all.get(section)?.as_dict()?;
        section.get(name).cloned()
    };
    KEYS.iter().map(|key| (key, find(key))).collect()
}

/// A value as TOML and JSON write it alike: lists and texts, numbers, words.
pub(super) fn written(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A file that says what the defaults are, with a comment at each key.
pub fn default_toml() -> String {
    let mut text = "# The configuration of Keytrail: every key, with what it is when nothing is said.\n\
                    # `keytrail config check` looks for mistakes in it; docs/operations.md says more.\n"
        .to_owned();
    let mut last = "";
    for (key, value) in values(&Config::default()) {
        let (section, name) = key.parts();
        if section != last {
            text += &format!("\n[{section}]\n");
            last = section;
        }
        text += &format!("# {}\n", key.about);
        text += &match (key.example, value) {
            (Some(example), _) => format!("# {name} = {example}\n"),
            (None, value) => format!("{name} = {}\n", value.as_ref().map(written).unwrap_or_default()),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use figment::{
        Figment,
        error::Kind,
        providers::{Format, Serialized, Toml},
    };

    use super::*;

    fn load(text: &str) -> Result<Config, Box<figment::Error>> {
        let defaults = Figment::from(Serialized::defaults(Config::default()));
        defaults.merge(Toml::string(text)).extract().map_err(Box::new)
    }

    /// What the types know at this place, by what they say of a key that they do not know.
    fn expected(text: &str) -> BTreeSet<&'static str> {
        match load(text).expect_err("nobody calls a key so").kind {
            Kind::UnknownField(_, known) => known.iter().copied().collect(),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn the_default_file_says_what_is_so_without_it() {
        let read = load(&default_toml()).expect("it is a configuration");
        let json = |config: &Config| serde_json::to_value(config).expect("JSON");
        assert_eq!(json(&read), json(&Config::default()));
        let plain: String = default_toml()
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|line| line.split(' ').nth(1) == Some("=")).unwrap_or(line))
            .fold(String::new(), |text, line| text + line + "\n");
        let read = load(&plain).expect("what is a comment could be said, too");
        assert_eq!(read.store.node.as_deref(), Some("node-1"));
        assert!(values(&read).iter().all(|(_, value)| value.is_some()), "every key is set");
    }

    #[test]
    fn every_key_of_the_types_is_in_words_and_no_other() {
        let told: BTreeSet<_> = KEYS.iter().map(|key| key.path.to_owned()).collect();
        assert_eq!(told.len(), KEYS.len(), "a key stands there twice");
        let mut known = BTreeSet::new();
        for section in expected("no_section_is_called_so = 1") {
            let keys = expected(&format!("[{section}]\nno_key_is_called_so = 1"));
            known.extend(keys.into_iter().map(|key| format!("{section}.{key}")));
        }
        assert_eq!(told, known, "say in KEYS (src/config/keys.rs) what each key is");
    }

    #[test]
    fn the_documents_list_the_same_keys() {
        let text = include_str!("../../docs/operations.md");
        let block = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block of TOML");
        let (mut section, mut listed) = (String::new(), BTreeSet::new());
        for line in block.lines() {
            let line = line.trim_start_matches("# ");
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
                name.clone_into(&mut section);
            } else if let Some((key, _)) = line.split_once(" = ") {
                listed.insert(format!("{section}.{key}"));
            }
        }
        let told: BTreeSet<_> = KEYS.iter().map(|key| key.path.to_owned()).collect();
        assert_eq!(listed, told, "docs/operations.md, Configuration");
    }
}
