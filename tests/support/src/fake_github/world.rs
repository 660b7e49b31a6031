//! What a GitHub holds: accounts, repositories, apps, where they are installed, their tokens. Changed by tests, by pages
//! and by calls, always under one lock.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
};

use serde_json::{Value, json};

use super::{Silence, keys::random, limits::Limits, outbox::Outbox, pulls::Pull, requests::Asked};

/// How a token of an installation is made.
#[derive(Clone, Copy, Debug)]
pub struct TokenShape {
    /// How long it is good, in seconds.
    pub seconds: i64,
    /// How long its text is: 40 as ever, more as since 2026.
    pub characters: usize,
}

pub(super) struct World {
    /// Where the pages are: `http://127.0.0.1:PORT`.
    pub(super) web: String,
    /// Whether it looks like github.com, and not like a server of one's own.
    pub(super) cloud: bool,
    /// Where, as a part of the path, and how.
    pub(super) silence: Option<(&'static str, Silence)>,
    pub(super) git_root: PathBuf,
    /// Seconds that its clock is ahead.
    pub(super) offset: i64,
    next: u64,
    pub(super) accounts: BTreeMap<u64, Account>,
    pub(super) apps: BTreeMap<u64, App>,
    pub(super) installations: BTreeMap<u64, Installation>,
    pub(super) repositories: BTreeMap<u64, Repository>,
    /// By repository and number.
    pub(super) pulls: BTreeMap<(u64, u64), Pull>,
    /// (app, account) → who asked, when.
    pub(super) requests: BTreeMap<(u64, u64), InstallationRequest>,
    pub(super) tokens: HashMap<String, Token>,
    pub(super) codes: HashMap<String, Code>,
    pub(super) shape: TokenShape,
    pub(super) limits: Limits,
    pub(super) asked: Vec<Asked>,
    pub(super) outbox: Outbox,
}

pub(super) struct Account {
    pub(super) id: u64,
    pub(super) login: String,
    pub(super) organisation: bool,
    /// Only certain addresses may come in, and nobody's is one.
    pub(super) closed: bool,
}

pub(super) struct App {
    pub(super) id: u64,
    pub(super) owner: u64,
    pub(super) name: String,
    pub(super) slug: String,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) description: String,
    pub(super) external_url: String,
    pub(super) redirect_url: Option<String>,
    pub(super) setup_url: Option<String>,
    pub(super) setup_on_update: bool,
    /// The public halves that are good, with their fingerprints.
    pub(super) keys: Vec<(String, Vec<u8>)>,
    pub(super) permissions: BTreeMap<String, String>,
    pub(super) events: Vec<String>,
    pub(super) hook: Hook,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

pub(super) struct Hook {
    pub(super) id: u64,
    pub(super) url: Option<String>,
    pub(super) secret: Option<String>,
    pub(super) content_type: String,
    pub(super) insecure_ssl: String,
    pub(super) deliveries: Vec<Delivery>,
}

/// One line of an app's log of deliveries.
#[derive(Clone)]
pub(super) struct Delivery {
    pub(super) id: u64,
    pub(super) guid: String,
    pub(super) delivered_at: i64,
    pub(super) redelivery: bool,
    /// Seconds.
    pub(super) duration: f64,
    pub(super) status: String,
    pub(super) status_code: u16,
    pub(super) event: String,
    pub(super) payload: Value,
    pub(super) url: String,
    pub(super) request_headers: Value,
    pub(super) response_headers: Value,
    pub(super) response: Option<String>,
}

pub(super) struct Installation {
    pub(super) id: u64,
    pub(super) app: u64,
    pub(super) account: u64,
    /// `None`: all of them.
    pub(super) selected: Option<BTreeSet<u64>>,
    pub(super) permissions: BTreeMap<String, String>,
    pub(super) events: Vec<String>,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
    /// The organisation stopped it.
    pub(super) suspended_there: Option<Suspension>,
    /// The app stopped it.
    pub(super) suspended_by_app: Option<Suspension>,
}

#[derive(Clone)]
pub(super) struct Suspension {
    pub(super) by: String,
    pub(super) at: i64,
}

pub(super) struct InstallationRequest {
    pub(super) id: u64,
    pub(super) requester: u64,
    pub(super) at: i64,
}

pub(super) struct Repository {
    pub(super) id: u64,
    pub(super) owner: u64,
    pub(super) name: String,
    /// `owner/name` that led here before.
    pub(super) before: Vec<String>,
    pub(super) private: bool,
    pub(super) fork: bool,
    pub(super) archived: bool,
    pub(super) default_branch: String,
    /// Kilobytes.
    pub(super) size: u64,
    pub(super) created_at: i64,
    pub(super) pushed_at: i64,
}

pub(super) struct Token {
    pub(super) installation: u64,
    pub(super) expires_at: i64,
    pub(super) repositories: Option<BTreeSet<u64>>,
    pub(super) permissions: BTreeMap<String, String>,
}

pub(super) struct Code {
    pub(super) app: u64,
    pub(super) pem: String,
    pub(super) expires_at: i64,
}

impl World {
    pub(super) fn new(web: String, cloud: bool, git_root: PathBuf, outbox: Outbox) -> Self {
        Self {
            web,
            cloud,
            silence: None,
            git_root,
            offset: 0,
            next: 1_000,
            accounts: BTreeMap::new(),
            apps: BTreeMap::new(),
            installations: BTreeMap::new(),
            repositories: BTreeMap::new(),
            pulls: BTreeMap::new(),
            requests: BTreeMap::new(),
            tokens: HashMap::new(),
            codes: HashMap::new(),
            shape: TokenShape { seconds: 3_600, characters: 40 },
            limits: Limits::default(),
            asked: Vec::new(),
            outbox,
        }
    }

    pub(super) const fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Seconds since 1970 by its clock.
    #[expect(clippy::disallowed_methods, reason = "a GitHub has a clock of its own")]
    pub(super) fn now(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
        i64::try_from(since.as_secs()).expect("this century") + self.offset
    }

    /// The account of this name; one that is not there becomes an organisation.
    pub(super) fn organisation(&mut self, login: &str) -> u64 {
        self.account_named(login).unwrap_or_else(|| self.add_account(login, true))
    }

    pub(super) fn person(&mut self, login: &str) -> u64 {
        self.account_named(login).unwrap_or_else(|| self.add_account(login, false))
    }

    fn add_account(&mut self, login: &str, organisation: bool) -> u64 {
        let id = self.id();
        self.accounts.insert(id, Account { id, login: login.to_owned(), organisation, closed: false });
        id
    }

    pub(super) fn account_named(&self, login: &str) -> Option<u64> {
        self.accounts.values().find(|account| account.login.eq_ignore_ascii_case(login)).map(|account| account.id)
    }

    pub(super) fn login(&self, account: u64) -> &str {
        self.accounts.get(&account).map_or("ghost", |account| account.login.as_str())
    }

    pub(super) fn app_by_slug(&self, slug: &str) -> Option<u64> {
        self.apps.values().find(|app| app.slug == slug).map(|app| app.id)
    }

    /// Whether another app has this name: it is taken on the whole host.
    pub(super) fn is_taken(&self, name: &str) -> bool {
        let slug = slug(name);
        self.apps.values().any(|app| app.slug == slug) || self.account_named(name).is_some()
    }

    pub(super) fn add_app(&mut self, owner: u64, name: &str) -> &mut App {
        let (id, hook, now) = (self.id(), self.id(), self.now());
        let app = App {
            id,
            owner,
            name: name.to_owned(),
            slug: slug(name),
            client_id: format!("Iv23li{}", random(14)),
            client_secret: random(40).to_ascii_lowercase(),
            description: String::new(),
            external_url: "https://keytrail.example".to_owned(),
            redirect_url: None,
            setup_url: None,
            setup_on_update: false,
            keys: Vec::new(),
            permissions: [("contents", "write"), ("metadata", "read"), ("pull_requests", "write")]
                .map(|(name, how)| (name.to_owned(), how.to_owned()))
                .into(),
            events: ["create", "delete", "pull_request", "pull_request_review", "push", "repository"]
                .map(str::to_owned)
                .into(),
            hook: Hook {
                id: hook,
                url: None,
                secret: Some(random(40)),
                content_type: "json".to_owned(),
                insecure_ssl: "0".to_owned(),
                deliveries: Vec::new(),
            },
            created_at: now,
            updated_at: now,
        };
        self.apps.entry(id).or_insert(app)
    }

    /// The page of an app.
    pub(super) fn app_url(&self, app: &App) -> String {
        let folder = if self.cloud { "apps" } else { "github-apps" };
        format!("{}/{folder}/{}", self.web, app.slug)
    }

    pub(super) fn installation_of(&self, app: u64, account: u64) -> Option<&Installation> {
        self.installations.values().find(|one| one.app == app && one.account == account)
    }

    /// What an installation sees, oldest first.
    pub(super) fn sees(&self, installation: &Installation) -> Vec<&Repository> {
        let all = self.repositories.values().filter(|repository| repository.owner == installation.account);
        match &installation.selected {
            None => all.collect(),
            Some(chosen) => all.filter(|repository| chosen.contains(&repository.id)).collect(),
        }
    }

    pub(super) fn full_name(&self, repository: &Repository) -> String {
        format!("{}/{}", self.login(repository.owner), repository.name)
    }

    /// The repository of this name; `Err` with the one that it leads to when it was called so before.
    pub(super) fn repository_named(&self, full_name: &str) -> Option<Result<&Repository, &Repository>> {
        let now = self.repositories.values().find(|one| self.full_name(one).eq_ignore_ascii_case(full_name));
        let before = || {
            let called = |one: &&Repository| one.before.iter().any(|name| name.eq_ignore_ascii_case(full_name));
            self.repositories.values().find(called)
        };
        now.map(Ok).or_else(|| before().map(Err))
    }

    pub(super) fn folder_of(&self, repository: u64) -> PathBuf {
        self.git_root.join(format!("{repository}.git"))
    }

    /// A new token, as long as tokens are now.
    pub(super) fn mint(&mut self, app: u64, token: Token) -> String {
        let length = self.shape.characters;
        let text = if length <= 40 {
            format!("ghs_{}", random(length.saturating_sub(4)))
        } else {
            // As since 2026: the app's id, then a signed token with its two dots.
            let head = format!("ghs_{app}_-{}.", random(20));
            let rest = length.saturating_sub(head.len() + 1);
            format!("{head}{}.{}", random(rest / 2), random(rest - rest / 2))
        };
        self.tokens.insert(text.clone(), token);
        text
    }

    /// What a token or an installation is allowed, as it is written in answers.
    pub(super) fn permissions(given: &BTreeMap<String, String>) -> Value {
        json!(given)
    }
}

impl Installation {
    /// The one that counts: what the organisation did cannot be undone by the app, nor the other way round.
    pub(super) fn suspension(&self) -> Option<&Suspension> {
        self.suspended_there.as_ref().or(self.suspended_by_app.as_ref())
    }
}

/// What stands in addresses for a name.
pub(super) fn slug(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' })
        .collect();
    plain.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}
