//! The webhook of an app, by API: where it goes, what was sent, sending it again.

use serde_json::{Value, json};

use super::{
    api::{Answered, Call},
    documents::time,
    outbox::{Parcel, Sending, To},
    refusal::Refusal,
    reply::Reply,
    world::{Delivery, Hook, World},
};

impl World {
    pub(super) fn hook(&mut self, app: u64, rest: &[&str], call: &Call<'_>) -> Answered {
        let now = self.now();
        let app = self.apps.get_mut(&app).ok_or(Refusal::NoSuchApp)?;
        match (call.method.as_str(), rest) {
            ("GET", ["config"]) => Ok(Reply::json(200, &config(&app.hook))),
            ("PATCH", ["config"]) => {
                let given = |name: &str| call.body[name].as_str().map(str::to_owned);
                if let Some(kind) = given("content_type") {
                    if kind != "json" && kind != "form" {
                        return Err(Refusal::Unprocessable("Validation Failed"));
                    }
                    app.hook.content_type = kind;
                }
                app.hook.url = given("url").or(app.hook.url.take());
                app.hook.secret = given("secret").or(app.hook.secret.take());
                let insecure = &call.body["insecure_ssl"];
                if !insecure.is_null() {
                    app.hook.insecure_ssl = insecure.as_str().map_or_else(|| insecure.to_string(), str::to_owned);
                }
                app.updated_at = now;
                Ok(Reply::json(200, &config(&app.hook)))
            }
            ("GET", ["deliveries"]) => listed(&app.hook.deliveries, call),
            ("GET", ["deliveries", id]) => Ok(Reply::json(200, &whole(find(&app.hook, id)?))),
            ("POST", ["deliveries", id, "attempts"]) => {
                let to = To::of(&app.hook).ok_or(Refusal::Unprocessable("The hook has no address."))?;
                let Delivery { guid, event, payload, .. } = find(&app.hook, id)?.clone();
                let (app, sending) =
                    (app.id, Sending { copies: 1, delay: std::time::Duration::ZERO, ..self.outbox.sending });
                self.outbox.send(Parcel { app, to, guid, event, payload, redelivery: true, sending });
                Ok(Reply::json(202, &json!({})))
            }
            _ => Err(Refusal::NotFound),
        }
    }
}

fn config(hook: &Hook) -> Value {
    let mut document = json!({ "content_type": hook.content_type, "insecure_ssl": hook.insecure_ssl });
    if let Some(url) = &hook.url {
        document["url"] = url.clone().into();
    }
    if hook.secret.is_some() {
        document["secret"] = "********".into();
    }
    document
}

fn find<'a>(hook: &'a Hook, id: &str) -> Result<&'a Delivery, Refusal> {
    hook.deliveries.iter().find(|one| id.parse() == Ok(one.id)).ok_or(Refusal::NotFound)
}

/// The newest first, by cursor: the id of the last one on the page before.
fn listed(all: &[Delivery], call: &Call<'_>) -> Answered {
    let size = call.query.get("per_page").and_then(|text| text.parse().ok()).unwrap_or(30_usize).clamp(1, 100);
    let before = match call.query.get("cursor") {
        None => u64::MAX,
        Some(cursor) => match cursor.strip_prefix("v1_").and_then(|id| id.parse().ok()) {
            Some(id) => id,
            None => return Err(Refusal::Unprocessable("Invalid cursor")),
        },
    };
    let wanted = |one: &&Delivery| match call.query.get("status").map(String::as_str) {
        Some("success") => one.status == "OK",
        Some("failure") => one.status != "OK",
        _ => true,
    };
    let mut rest = all.iter().rev().filter(|one| one.id < before).filter(wanted);
    let page: Vec<&Delivery> = rest.by_ref().take(size).collect();
    let documents: Vec<Value> = page.iter().map(|one| item(one)).collect();
    let reply = Reply::json(200, &json!(documents));
    Ok(match (page.last(), rest.next()) {
        (Some(last), Some(_)) => {
            let status = call.query.get("status").map(|status| format!("&status={status}")).unwrap_or_default();
            let next = format!("<{}?per_page={size}&cursor=v1_{}{status}>; rel=\"next\"", call.url, last.id);
            reply.with("link", next)
        }
        _ => reply,
    })
}

fn item(one: &Delivery) -> Value {
    json!({
        "id": one.id, "guid": one.guid, "delivered_at": time(one.delivered_at), "redelivery": one.redelivery,
        "duration": one.duration, "status": one.status, "status_code": one.status_code, "event": one.event,
        "action": one.payload["action"], "installation_id": one.payload["installation"]["id"],
        "repository_id": one.payload["repository"]["id"], "throttled_at": null,
    })
}

fn whole(one: &Delivery) -> Value {
    let mut document = item(one);
    document["url"] = one.url.clone().into();
    document["request"] = json!({ "headers": one.request_headers, "payload": one.payload });
    document["response"] = json!({ "headers": one.response_headers, "payload": one.response });
    document
}
