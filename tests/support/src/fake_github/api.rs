//! The REST API of a GitHub: which call is meant, who may make it, what it answers.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::Method;
use serde_json::{Value, json};

use super::{
    documents::time,
    keys::random,
    limits::BUDGET,
    refusal::Refusal,
    reply::Reply,
    requests::Caller,
    world::{Suspension, Token, World},
};

/// A call as it came.
pub(super) struct Call<'a> {
    pub(super) method: &'a Method,
    /// The path below the beginning of the API, taken apart.
    pub(super) path: &'a [&'a str],
    /// The address of the path, for links to other pages.
    pub(super) url: &'a str,
    pub(super) query: &'a BTreeMap<String, String>,
    /// The whole of it as it came: path and question.
    pub(super) whole: &'a str,
    /// The token that it came with.
    pub(super) bearer: Option<&'a str>,
    pub(super) body: &'a Value,
}

pub(super) type Answered = Result<Reply, Refusal>;

impl World {
    /// Whether the path is one of the API, where it is not told apart from pages by how it begins.
    pub(super) fn is_api(path: &[&str]) -> bool {
        match path.first() {
            Some(&("app" | "installation" | "app-manifests" | "repos" | "repositories" | "orgs" | "users")) => true,
            Some(&("meta" | "rate_limit")) => path.len() == 1,
            _ => false,
        }
    }

    pub(super) fn answer(&mut self, call: &Call<'_>, caller: Result<Caller, Refusal>) -> Answered {
        if let Some(failure) = self.limits.failure(call.whole) {
            return Err(failure);
        }
        if let ("POST", ["app-manifests", code, "conversions"]) = (call.method.as_str(), call.path) {
            return self.convert(code);
        }
        match (caller?, call.path.first()) {
            (_, Some(&"meta")) => Ok(self.meta()),
            (_, Some(&"orgs")) if matches!((call.method.as_str(), call.path), ("GET", [_, _])) => {
                self.organisation_shown(call.path[1])
            }
            (Caller::App(app), Some(&("app" | "orgs" | "users"))) => self.as_app(app, call),
            (Caller::App(app), Some(&"repos")) if call.path.get(3) == Some(&"installation") => self.as_app(app, call),
            (Caller::Installation(_), Some(&"app")) => Err(Refusal::NotDecoded),
            (Caller::Installation(id), _) => self.as_installation(id, call),
            (Caller::App(_), Some(&"rate_limit")) => Ok(rate_limit(0, self.now())),
            (Caller::App(_), _) => Err(Refusal::NotAllowed { wanted: "metadata=read" }),
            (Caller::Nobody, _) => Err(Refusal::NobodyKnown),
        }
    }

    fn meta(&self) -> Reply {
        let mut document = json!({ "verifiable_password_authentication": self.cloud });
        if !self.cloud {
            document["installed_version"] = "3.19.0".into();
        }
        Reply::json(200, &document)
    }

    /// To anybody. A person is no organisation.
    fn organisation_shown(&self, login: &str) -> Answered {
        let account = self.account_named(login).and_then(|id| self.accounts.get(&id));
        let account = account.filter(|account| account.organisation).ok_or(Refusal::NotFound)?;
        Ok(Reply::json(200, &self.organisation_document(account)))
    }

    fn as_app(&mut self, app: u64, call: &Call<'_>) -> Answered {
        match (call.method.as_str(), call.path) {
            ("GET", ["app"]) => {
                let app = self.apps.get(&app).ok_or(Refusal::NoSuchApp)?;
                Ok(Reply::json(200, &self.app_document(app)))
            }
            (_, ["app", "hook", rest @ ..]) => self.hook(app, rest, call),
            ("GET", ["app", "installations"]) => {
                let all = self.installations.values().filter(|one| one.app == app);
                let all: Vec<Value> = all.map(|one| self.installation_document(one)).collect();
                Ok(paged(call, &all, |page| json!(page)))
            }
            ("GET", ["app", "installation-requests"]) => {
                let all = self.requests.iter().filter(|((of, _), _)| *of == app);
                let all: Vec<Value> = all.map(|((_, account), request)| {
                    json!({
                        "id": request.id, "node_id": format!("IR_{}", request.id), "account": self.account(*account),
                        "requester": self.account(request.requester), "created_at": time(request.at),
                    })
                }).collect();
                Ok(paged(call, &all, |page| json!(page)))
            }
            (_, ["app", "installations", id, rest @ ..]) => {
                let known = id.parse().ok().filter(|id| self.installations.get(id).is_some_and(|one| one.app == app));
                let minting = rest == ["access_tokens"];
                let id = known.ok_or(if minting { Refusal::NoInstallation } else { Refusal::NotFound })?;
                self.of_installation(app, id, rest, call)
            }
            ("GET", ["orgs" | "users", login, "installation"]) => {
                let account = self.account_named(login).ok_or(Refusal::NotFound)?;
                let one = self.installation_of(app, account).ok_or(Refusal::NotFound)?;
                Ok(Reply::json(200, &self.installation_document(one)))
            }
            ("GET", ["repos", owner, name, "installation"]) => {
                let found = self.repository_named(&format!("{owner}/{name}")).ok_or(Refusal::NotFound)?;
                let repository = found.map_err(|moved| self.moved(moved.id, call.method))?;
                let one = self.installation_of(app, repository.owner).ok_or(Refusal::NotFound)?;
                Ok(Reply::json(200, &self.installation_document(one)))
            }
            _ => Err(Refusal::NotFound),
        }
    }

    fn of_installation(&mut self, app: u64, id: u64, rest: &[&str], call: &Call<'_>) -> Answered {
        match (call.method.as_str(), rest) {
            ("GET", []) => Ok(Reply::json(200, &self.installation_document(&self.installations[&id]))),
            ("DELETE", []) => {
                let bot = self.bot(app);
                self.uninstalled(id, &bot);
                Ok(Reply::empty(204))
            }
            ("PUT", ["suspended"]) => {
                let (by, at) = (self.bot(app), self.now());
                self.suspend(id, true, Suspension { by, at });
                Ok(Reply::empty(204))
            }
            ("DELETE", ["suspended"]) => {
                // What the organisation did is not the app's to undo.
                if self.installations[&id].suspended_there.is_some() {
                    return Err(Refusal::NotFound);
                }
                let by = self.bot(app);
                self.unsuspend(id, true, &by);
                Ok(Reply::empty(204))
            }
            ("POST", ["access_tokens"]) => self.minted(app, id, call.body),
            _ => Err(Refusal::NotFound),
        }
    }

    fn bot(&self, app: u64) -> String {
        self.apps.get(&app).map_or_else(|| "ghost".to_owned(), |app| format!("{}[bot]", app.slug))
    }

    fn minted(&mut self, app: u64, id: u64, body: &Value) -> Answered {
        let one = &self.installations[&id];
        if one.suspension().is_some() {
            return Err(Refusal::Suspended);
        }
        let visible: BTreeMap<String, u64> = self.sees(one).iter().map(|one| (one.name.clone(), one.id)).collect();
        let of_name = |name: &Value| visible.get(name.as_str()?).copied();
        let of_id = |id: &Value| id.as_u64().filter(|id| visible.values().any(|known| known == id));
        let asked: Option<Vec<Option<u64>>> = match (body["repositories"].as_array(), body["repository_ids"].as_array())
        {
            (None, None) => None,
            (names, ids) => {
                Some(names.into_iter().flatten().map(of_name).chain(ids.into_iter().flatten().map(of_id)).collect())
            }
        };
        let repositories = match asked {
            None => None,
            Some(asked) => {
                Some(asked.into_iter().collect::<Option<BTreeSet<u64>>>().ok_or(Refusal::RepositoryOutside)?)
            }
        };
        let mut permissions = one.permissions.clone();
        if let Some(wanted) = body["permissions"].as_object() {
            let granted = |name: &String, how: &Value| match one.permissions.get(name).map(String::as_str) {
                Some("write" | "admin") => true,
                Some(known) => how.as_str() == Some(known),
                None => false,
            };
            if !wanted.iter().all(|(name, how)| granted(name, how)) {
                return Err(Refusal::PermissionNotGranted);
            }
            let text = |how: &Value| how.as_str().unwrap_or_default().to_owned();
            permissions = wanted.iter().map(|(name, how)| (name.clone(), text(how))).collect();
        }
        let selection = if one.selected.is_some() || repositories.is_some() { "selected" } else { "all" };
        let expires_at = self.now() + self.shape.seconds;
        let listed: Option<Vec<Value>> = repositories.as_ref().map(|ids| {
            ids.iter().filter_map(|id| Some(self.repository_document(self.repositories.get(id)?))).collect()
        });
        let permitted = Self::permissions(&permissions);
        let token = self.mint(app, Token { installation: id, expires_at, repositories, permissions });
        let mut answer = json!({
            "token": token, "expires_at": time(expires_at), "permissions": permitted, "repository_selection": selection,
        });
        if let Some(listed) = listed {
            answer["repositories"] = json!(listed);
        }
        Ok(Reply::json(201, &answer))
    }

    fn convert(&mut self, code: &str) -> Answered {
        let known = self.codes.remove(code).ok_or(Refusal::NoSuchCode)?;
        if known.expires_at < self.now() {
            return Err(Refusal::NoSuchCode);
        }
        let app = self.apps.get(&known.app).ok_or(Refusal::NoSuchCode)?;
        let mut answer = self.app_document(app);
        answer["client_secret"] = app.client_secret.clone().into();
        answer["webhook_secret"] = json!(app.hook.secret);
        answer["pem"] = known.pem.into();
        Ok(Reply::json(201, &answer))
    }

    fn as_installation(&mut self, id: u64, call: &Call<'_>) -> Answered {
        let now = self.now();
        if call.path != ["installation", "token"]
            && let Some(limit) = self.limits.met(id, now)
        {
            return Err(limit);
        }
        let used = self.limits.count(id);
        let reply = match (call.method.as_str(), call.path) {
            ("GET", ["rate_limit"]) => Ok(rate_limit(used, now)),
            ("GET", ["installation", "repositories"]) => {
                let one = &self.installations[&id];
                let scope = call.bearer.and_then(|bearer| self.tokens.get(bearer)?.repositories.as_ref());
                let mut all = self.sees(one);
                all.retain(|seen| scope.is_none_or(|scope| scope.contains(&seen.id)));
                let total = all.len();
                let selection = if one.selected.is_some() { "selected" } else { "all" };
                // Only those of the page are written out: there may be thousands.
                let ids: Vec<Value> = all.iter().map(|one| one.id.into()).collect();
                Ok(paged(call, &ids, |page| {
                    let known = |id: &Value| self.repositories.get(&id.as_u64()?);
                    let page: Vec<_> = page.iter().filter_map(known).map(|one| self.repository_document(one)).collect();
                    json!({ "total_count": total, "repository_selection": selection, "repositories": page })
                }))
            }
            ("DELETE", ["installation", "token"]) => {
                self.tokens.remove(call.bearer.unwrap_or_default());
                Ok(Reply::empty(204))
            }
            (_, ["repos", owner, name, rest @ ..]) => {
                let found = self.repository_named(&format!("{owner}/{name}")).ok_or(Refusal::NotFound)?;
                let repository = found.map_err(|moved| self.moved(moved.id, call.method))?.id;
                self.of_repository(id, repository, rest, call)
            }
            (_, ["repositories", number, rest @ ..]) => {
                let repository = number.parse().map_err(|_| Refusal::NotFound)?;
                self.of_repository(id, repository, rest, call)
            }
            (_, ["app", ..]) => Err(Refusal::NotDecoded),
            _ => Err(Refusal::NotFound),
        };
        let hour = 3_600;
        Ok(reply?
            .with("x-ratelimit-limit", BUDGET.to_string())
            .with("x-ratelimit-used", used.to_string())
            .with("x-ratelimit-remaining", BUDGET.saturating_sub(used).to_string())
            .with("x-ratelimit-reset", (now - now % hour + hour).to_string())
            .with("x-ratelimit-resource", "core"))
    }

    /// Where a repository is that was called something else.
    fn moved(&self, id: u64, method: &Method) -> Refusal {
        let status = if *method == Method::GET { 301 } else { 307 };
        Refusal::Moved { url: format!("{}/repositories/{id}", self.api()), status }
    }
}

/// One page, with links to the others.
pub(super) fn paged(call: &Call<'_>, all: &[Value], body: impl Fn(&[Value]) -> Value) -> Reply {
    let number = |name: &str, usual: usize| call.query.get(name).and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (size, page) = (number("per_page", 30).clamp(1, 100), number("page", 1).max(1));
    let last = all.len().div_ceil(size).max(1);
    let from = (size * (page - 1)).min(all.len());
    let reply = Reply::json(200, &body(&all[from..(from + size).min(all.len())]));
    let link = |page: usize, rel: &str| format!("<{}?per_page={size}&page={page}>; rel=\"{rel}\"", call.url);
    let mut links = Vec::new();
    if page > 1 {
        links.push(link(page - 1, "prev"));
    }
    if page < last {
        links.extend([link(page + 1, "next"), link(last, "last")]);
    }
    if page > 1 {
        links.push(link(1, "first"));
    }
    if links.is_empty() { reply } else { reply.with("link", links.join(", ")) }
}

fn rate_limit(used: u64, now: i64) -> Reply {
    let budget = json!({
        "limit": BUDGET, "used": used, "remaining": BUDGET.saturating_sub(used), "reset": now - now % 3_600 + 3_600,
    });
    let resources = json!({ "core": budget, "search": budget, "integration_manifest": budget });
    Reply::json(200, &json!({ "resources": resources, "rate": budget }))
}

/// What GitHub writes on each request.
pub(super) fn request_id() -> String {
    format!("{}:{}:1:2:3", random(4), random(6))
}
