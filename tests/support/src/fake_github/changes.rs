//! What happens at a GitHub, and whom it tells: the same whether a test, a page or a call did it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    keys::AppKeyPair,
    outbox::guid,
    world::{Installation, InstallationRequest, Repository, Suspension, World},
};

impl World {
    /// Adds a key to an app.
    pub(super) fn add_key(&mut self, app: u64) -> AppKeyPair {
        let pair = AppKeyPair::new();
        if let Some(app) = self.apps.get_mut(&app) {
            app.keys.push((pair.fingerprint.clone(), pair.verifying.clone()));
        }
        pair
    }

    /// Says to an app that it has a webhook.
    pub(super) fn ping(&self, app: u64) {
        let Some(app) = self.apps.get(&app) else { return };
        let payload = json!({
            "zen": "Design for failure.", "hook_id": app.hook.id,
            "hook": {
                "type": "App", "id": app.hook.id, "name": "web", "active": true, "events": app.events,
                "config": { "content_type": app.hook.content_type, "url": app.hook.url, "insecure_ssl": "0" },
                "app_id": app.id,
            },
        });
        self.tell(app.id, &guid(), "ping", payload);
    }

    /// Installs an app; the installation that is there stays.
    pub(super) fn install(&mut self, app: u64, account: u64, selected: Option<BTreeSet<u64>>, by: &str) -> Option<u64> {
        if let Some(known) = self.installation_of(app, account) {
            return Some(known.id);
        }
        let (id, now) = (self.id(), self.now());
        let of = self.apps.get(&app)?;
        let (permissions, events) = (of.permissions.clone(), of.events.clone());
        let (suspended_there, suspended_by_app) = (None, None);
        let requester = self.requests.remove(&(app, account)).map(|request| request.requester);
        self.installations.insert(
            id,
            Installation {
                id,
                app,
                account,
                selected,
                permissions,
                events,
                created_at: now,
                updated_at: now,
                suspended_there,
                suspended_by_app,
            },
        );
        let extra = json!({ "requester": requester.map(|who| self.account(who)) });
        self.tell_of_installation(id, "created", by, extra);
        Some(id)
    }

    /// A member asks that an owner install it.
    pub(super) fn request(&mut self, app: u64, account: u64, requester: u64) {
        let (id, at) = (self.id(), self.now());
        self.requests.insert((app, account), InstallationRequest { id, requester, at });
    }

    fn tell_of_installation(&self, id: u64, action: &str, by: &str, extra: Value) {
        let Some(one) = self.installations.get(&id) else { return };
        let repositories: Vec<Value> = self.sees(one).iter().map(|seen| self.short_repository(seen)).collect();
        let mut payload = json!({
            "action": action, "installation": self.installation_document(one), "repositories": repositories,
            "sender": self.person_document(by),
        });
        if let (Some(payload), Value::Object(extra)) = (payload.as_object_mut(), extra) {
            payload.extend(extra);
        }
        self.tell(one.app, &guid(), "installation", payload);
    }

    /// Takes an installation away, with its tokens.
    pub(super) fn uninstalled(&mut self, id: u64, by: &str) {
        self.tell_of_installation(id, "deleted", by, json!({}));
        self.installations.remove(&id);
        self.tokens.retain(|_, token| token.installation != id);
    }

    /// Deletes an app: it is uninstalled everywhere, and its log goes with it.
    pub(super) fn delete_app(&mut self, app: u64, by: &str) {
        let all: Vec<u64> = self.installations.values().filter(|one| one.app == app).map(|one| one.id).collect();
        for id in all {
            self.uninstalled(id, by);
        }
        self.requests.retain(|(of, _), _| *of != app);
        self.apps.remove(&app);
    }

    pub(super) fn suspend(&mut self, id: u64, by_app: bool, suspension: Suspension) {
        let Some(one) = self.installations.get_mut(&id) else { return };
        let place = if by_app { &mut one.suspended_by_app } else { &mut one.suspended_there };
        if place.is_some() {
            return;
        }
        let by = suspension.by.clone();
        one.updated_at = suspension.at;
        *place = Some(suspension);
        if one.suspended_there.is_some() != one.suspended_by_app.is_some() {
            self.tell_of_installation(id, "suspend", &by, json!({}));
        }
    }

    pub(super) fn unsuspend(&mut self, id: u64, by_app: bool, by: &str) {
        let now = self.now();
        let Some(one) = self.installations.get_mut(&id) else { return };
        let place = if by_app { &mut one.suspended_by_app } else { &mut one.suspended_there };
        if place.take().is_some() && one.suspension().is_none() {
            one.updated_at = now;
            self.tell_of_installation(id, "unsuspend", by, json!({}));
        }
    }

    /// Chooses other repositories; `None` is all of them.
    pub(super) fn choose(&mut self, id: u64, selected: Option<BTreeSet<u64>>, by: &str) {
        let Some(one) = self.installations.get(&id) else { return };
        let before: BTreeSet<u64> = self.sees(one).iter().map(|seen| seen.id).collect();
        let now = self.now();
        if let Some(one) = self.installations.get_mut(&id) {
            one.selected = selected;
            one.updated_at = now;
        }
        let after: BTreeSet<u64> = self.sees(&self.installations[&id]).iter().map(|seen| seen.id).collect();
        for (action, changed) in [("added", &after - &before), ("removed", &before - &after)] {
            self.tell_of_repositories(id, action, &changed, by);
        }
    }

    /// Says that an installation sees more or less than before.
    pub(super) fn tell_of_repositories(&self, id: u64, action: &str, changed: &BTreeSet<u64>, by: &str) {
        let Some(one) = self.installations.get(&id).filter(|_| !changed.is_empty()) else { return };
        let short = changed.iter().filter_map(|id| Some(self.short_repository(self.repositories.get(id)?)));
        let short: Vec<Value> = short.collect();
        let (added, removed) = if action == "added" { (short, Vec::new()) } else { (Vec::new(), short) };
        let payload = json!({
            "action": action, "installation": self.installation_document(one),
            "repository_selection": if one.selected.is_some() { "selected" } else { "all" },
            "repositories_added": added, "repositories_removed": removed, "requester": null,
            "sender": self.person_document(by),
        });
        self.tell(one.app, &guid(), "installation_repositories", payload);
    }

    /// An owner accepts what the app asks for by now.
    pub(super) fn accept_permissions(&mut self, id: u64, by: &str) {
        let Some(app) = self.installations.get(&id).and_then(|one| self.apps.get(&one.app)) else { return };
        let (permissions, events) = (app.permissions.clone(), app.events.clone());
        if let Some(one) = self.installations.get_mut(&id) {
            (one.permissions, one.events) = (permissions, events);
        }
        self.tell_of_installation(id, "new_permissions_accepted", by, json!({}));
    }

    pub(super) fn rename_account(&mut self, account: u64, login: &str) {
        let Some(known) = self.accounts.get_mut(&account) else { return };
        let before = std::mem::replace(&mut known.login, login.to_owned());
        let all = self.repositories.values_mut().filter(|repository| repository.owner == account);
        all.for_each(|repository| repository.before.push(format!("{before}/{}", repository.name)));
        for one in self.installations.values().filter(|one| one.account == account) {
            let payload = json!({
                "action": "renamed", "account": self.account(account), "target_type": "Organization",
                "changes": { "login": { "from": before } }, "sender": self.person_document("octo-owner"),
                "installation": { "id": one.id, "node_id": format!("I_{}", one.id) },
            });
            self.tell(one.app, &guid(), "installation_target", payload);
        }
    }

    /// A new repository of an account. Installations that see all see it.
    pub(super) fn add_repository(&mut self, owner: u64, name: &str) -> u64 {
        let (id, now) = (self.id(), self.now());
        self.repositories.insert(
            id,
            Repository {
                id,
                owner,
                name: name.to_owned(),
                before: Vec::new(),
                private: true,
                fork: false,
                archived: false,
                default_branch: "main".to_owned(),
                size: 108,
                created_at: now,
                pushed_at: now,
            },
        );
        self.tell_of_repository(id, "created", json!({}));
        let seeing = self.installations.values().filter(|one| one.account == owner && one.selected.is_none());
        for one in seeing {
            self.tell_of_repositories(one.id, "added", &[id].into(), "octo-owner");
        }
        id
    }

    /// Tells whoever sees a repository what became of it.
    pub(super) fn tell_of_repository(&self, id: u64, action: &str, changes: Value) {
        let Some(one) = self.repositories.get(&id) else { return };
        let mut payload = json!({
            "action": action, "repository": self.repository_document(one), "organization": self.account(one.owner),
            "sender": self.person_document("octo-owner"),
        });
        if changes != json!({}) {
            payload["changes"] = changes;
        }
        self.tell_of(id, "repository", &payload);
    }
}
