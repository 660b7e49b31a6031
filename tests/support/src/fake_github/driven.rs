//! What tests do to a GitHub: the same as its own people do by its pages.

use serde_json::json;

use super::{
    AppKeyPair, Denial, FakeGithub, Limit, RegisteredApp, Selection, Sending, Silence, TokenShape,
    world::{Suspension, World, slug},
};

/// Who does it when nobody is named.
const OWNER: &str = "octo-owner";

impl Selection {
    fn chosen(self) -> Option<std::collections::BTreeSet<u64>> {
        match self {
            Self::All => None,
            Self::Selected(chosen) => Some(chosen),
        }
    }
}

impl FakeGithub {
    /// Registers an app of an organisation, which comes to be if it is not there.
    ///
    /// # Panics
    /// When another app has the name.
    pub fn register_app(&self, organisation: &str, name: &str) -> RegisteredApp {
        let mut world = self.service.world();
        assert!(!world.is_taken(name), "{name} is taken");
        let owner = world.organisation(organisation);
        let app = world.add_app(owner, name);
        let (id, slug) = (app.id, app.slug.clone());
        let webhook_secret = app.hook.secret.clone().unwrap_or_default();
        let key = world.add_key(id);
        RegisteredApp { id, slug, key, webhook_secret }
    }

    /// Adds a key to an app; those before stay good.
    pub fn add_key(&self, app: u64) -> AppKeyPair {
        self.service.world().add_key(app)
    }

    /// Deletes the key with this fingerprint.
    pub fn delete_key(&self, app: u64, fingerprint: &str) {
        if let Some(app) = self.service.world().apps.get_mut(&app) {
            app.keys.retain(|(known, _)| known != fingerprint);
        }
    }

    /// Installs an app in an organisation; the id of its installation.
    ///
    /// # Panics
    /// When there is no such app.
    pub fn install(&self, app: u64, organisation: &str, selection: Selection) -> u64 {
        let mut world = self.service.world();
        let account = world.organisation(organisation);
        world.install(app, account, selection.chosen(), OWNER).expect("there is such an app")
    }

    /// Chooses other repositories for an installation.
    pub fn choose(&self, installation: u64, selection: Selection) {
        self.service.world().choose(installation, selection.chosen(), OWNER);
    }

    /// A member asks the organisation's owners to install an app.
    pub fn request_approval(&self, app: u64, organisation: &str, member: &str) {
        let mut world = self.service.world();
        let (account, requester) = (world.organisation(organisation), world.person(member));
        world.request(app, account, requester);
    }

    /// Somebody of the organisation suspends an installation.
    pub fn suspend_by(&self, installation: u64, login: &str) {
        let mut world = self.service.world();
        let (by, at) = (login.to_owned(), world.now());
        world.person(login);
        world.suspend(installation, false, Suspension { by, at });
    }

    /// The organisation lets it run again, as far as it was the organisation that suspended it.
    pub fn unsuspend(&self, installation: u64) {
        self.service.world().unsuspend(installation, false, OWNER);
    }

    /// The organisation takes an installation away.
    pub fn uninstall(&self, installation: u64) {
        self.service.world().uninstalled(installation, OWNER);
    }

    /// Whether an installation is there, and whether it is suspended.
    pub fn installation(&self, installation: u64) -> Option<bool> {
        self.service.world().installations.get(&installation).map(|one| one.suspension().is_some())
    }

    /// Deletes an app.
    pub fn delete_app(&self, app: u64) {
        self.service.world().delete_app(app, OWNER);
    }

    /// Calls an app something else: its addresses change, and nobody is told.
    pub fn rename_app(&self, app: u64, name: &str) {
        let mut world = self.service.world();
        let now = world.now();
        if let Some(app) = world.apps.get_mut(&app) {
            (app.name, app.slug, app.updated_at) = (name.to_owned(), slug(name), now);
        }
    }

    /// Has an app ask for other permissions and events. Installations keep theirs until an owner accepts.
    pub fn ask_for(&self, app: u64, permissions: &[(&str, &str)], events: &[&str]) {
        if let Some(app) = self.service.world().apps.get_mut(&app) {
            app.permissions = permissions.iter().map(|(name, how)| ((*name).into(), (*how).into())).collect();
            app.events = events.iter().map(|event| (*event).into()).collect();
        }
    }

    /// An owner accepts what the app asks for.
    pub fn accept_permissions(&self, installation: u64) {
        self.service.world().accept_permissions(installation, OWNER);
    }

    /// Where an app's deliveries go, as GitHub's own page sets it.
    pub fn set_hook(&self, app: u64, url: Option<&str>) {
        let mut world = self.service.world();
        if let Some(app) = world.apps.get_mut(&app) {
            app.hook.url = url.map(str::to_owned);
        }
        world.ping(app);
    }

    /// Where an app's deliveries go.
    pub fn hook_url(&self, app: u64) -> Option<String> {
        self.service.world().apps.get(&app)?.hook.url.clone()
    }

    /// With what an app's deliveries are signed.
    pub fn hook_secret(&self, app: u64) -> Option<String> {
        self.service.world().apps.get(&app)?.hook.secret.clone()
    }

    /// How deliveries are sent from here on.
    pub fn set_sending(&self, sending: Sending) {
        self.service.world().outbox.sending = sending;
    }

    /// Calls an organisation something else.
    pub fn rename_org(&self, organisation: &str, login: &str) {
        let mut world = self.service.world();
        let account = world.organisation(organisation);
        world.rename_account(account, login);
    }

    /// Adds a repository without any commit that git could fetch; its id.
    pub fn add_repository(&self, organisation: &str, name: &str) -> u64 {
        let mut world = self.service.world();
        let owner = world.organisation(organisation);
        world.add_repository(owner, name)
    }

    /// The ids of an account's repositories, oldest first.
    pub fn repositories_of(&self, login: &str) -> Vec<u64> {
        let world = self.service.world();
        let account = world.account_named(login);
        world.repositories.values().filter(|one| Some(one.owner) == account).map(|one| one.id).collect()
    }

    /// Calls a repository something else. What it was called leads there.
    pub fn rename_repository(&self, repository: u64, name: &str) {
        self.move_repository(repository, "renamed", |world, repository| {
            let before = std::mem::replace(&mut world.repositories.get_mut(&repository)?.name, name.to_owned());
            Some(json!({ "repository": { "name": { "from": before } } }))
        });
    }

    /// Gives a repository to another account. Only those who see it there are told that it was transferred.
    pub fn transfer_repository(&self, repository: u64, organisation: &str) {
        self.move_repository(repository, "transferred", |world, repository| {
            let owner = world.organisation(organisation);
            let before = world.repositories.get(&repository)?.owner;
            for one in world.installations.values().filter(|one| one.account == before) {
                world.tell_of_repositories(one.id, "removed", &[repository].into(), OWNER);
            }
            let from = world.account(before);
            world.repositories.get_mut(&repository)?.owner = owner;
            Some(json!({ "owner": { "from": { "organization": from } } }))
        });
    }

    fn move_repository(
        &self,
        repository: u64,
        word: &str,
        change: impl FnOnce(&mut World, u64) -> Option<serde_json::Value>,
    ) {
        let mut world = self.service.world();
        let before = world.repositories.get(&repository).map(|one| world.full_name(one));
        let changes = change(&mut world, repository);
        if let (Some(one), Some(before)) = (world.repositories.get_mut(&repository), before) {
            one.before.push(before);
        }
        world.tell_of_repository(repository, word, changes.unwrap_or_default());
    }

    /// Lets nobody change a repository any more, or lets them again.
    pub fn archive_repository(&self, repository: u64, archived: bool) {
        let mut world = self.service.world();
        if let Some(one) = world.repositories.get_mut(&repository) {
            one.archived = archived;
        }
        let word = if archived { "archived" } else { "unarchived" };
        world.tell_of_repository(repository, word, json!({}));
    }

    /// Says how a repository is: a fork, how many kilobytes, when it was pushed to (seconds since 1970).
    pub fn describe_repository(&self, repository: u64, fork: bool, size: u64, pushed_at: i64) {
        if let Some(one) = self.service.world().repositories.get_mut(&repository) {
            (one.fork, one.size, one.pushed_at) = (fork, size, pushed_at);
        }
    }

    /// Deletes a repository. Apps are told twice, in two ways.
    pub fn delete_repository(&self, repository: u64) {
        let mut world = self.service.world();
        world.tell_of_repository(repository, "deleted", json!({}));
        let Some(owner) = world.repositories.get(&repository).map(|one| one.owner) else { return };
        for one in world.installations.values().filter(|one| one.account == owner) {
            world.tell_of_repositories(one.id, "removed", &[repository].into(), OWNER);
        }
        world.repositories.remove(&repository);
    }

    /// Puts its clock ahead of this machine's, in seconds; or back.
    pub fn set_clock_offset(&self, seconds: i64) {
        self.service.world().offset = seconds;
    }

    /// Sets its clock to this second since 1970; it goes on from there.
    pub fn set_clock(&self, seconds: i64) {
        let mut world = self.service.world();
        world.offset += seconds - world.now();
    }

    /// How tokens of installations are made from here on.
    pub fn set_token_shape(&self, shape: TokenShape) {
        self.service.world().shape = shape;
    }

    /// Takes every token back.
    pub fn revoke_tokens(&self) {
        self.service.world().tokens.clear();
    }

    /// Limits an installation from now on, with status 403 or 429.
    pub fn limit(&self, installation: u64, limit: Limit, status: u16) {
        let mut world = self.service.world();
        let now = world.now();
        world.limits.limit(installation, limit, status, now);
    }

    /// Limits it no more.
    pub fn lift_limit(&self, installation: u64) {
        self.service.world().limits.lift(installation);
    }

    /// Lets only certain addresses into an organisation, and ours is none of them.
    pub fn set_ip_allow_list(&self, organisation: &str, on: bool) {
        let mut world = self.service.world();
        let account = world.organisation(organisation);
        if let Some(account) = world.accounts.get_mut(&account) {
            account.closed = on;
        }
    }

    /// Has it fall silent, or answer again.
    pub fn set_silence(&self, silence: Option<Silence>) {
        self.service.world().silence = silence.map(|silence| ("", silence));
    }

    /// Has it fall silent for requests whose path has this part, and for no others.
    pub fn set_silence_at(&self, part: &'static str, silence: Silence) {
        self.service.world().silence = Some((part, silence));
    }

    /// Answers the next requests, so many of them, with this status.
    pub fn fail_next(&self, status: u16, times: usize) {
        self.fail_next_at("", status, times);
    }

    /// The same for requests whose path, with its question, has this part.
    pub fn fail_next_at(&self, part: &str, status: u16, times: usize) {
        self.service.world().limits.fail(part, status, times);
    }

    /// Answers so many requests whose path, with its question, has this part, and every later one with this status, until
    /// nothing fails any more.
    pub fn fail_after(&self, part: &str, spared: usize, status: u16) {
        self.service.world().limits.fail_after(part, spared, status);
    }

    /// Refuses every request whose path, with its question, has this part, until nothing fails any more.
    pub fn deny_at(&self, part: &str, denial: Denial) {
        self.service.world().limits.deny(part, denial);
    }

    /// Nothing fails or is refused any more that was to.
    pub fn fail_no_more(&self) {
        self.service.world().limits.fail_no_more();
    }

    /// Refuses the next request whose path, with its question, has this part: too much at once, come back in so many
    /// seconds.
    pub fn limit_next_at(&self, part: &str, seconds: u16) {
        self.service.world().limits.limit_once(part, seconds);
    }
}
