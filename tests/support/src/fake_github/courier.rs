//! Sends deliveries as GitHub does: signed over the raw body, answered within its time, never tried again by itself, and
//! written down in the app's log.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use aws_lc_rs::hmac;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    keys::random,
    outbox::Parcel,
    world::{Delivery, World},
};

/// Those that come so close together may change places.
const MOMENT: Duration = Duration::from_millis(50);

/// Runs until nobody can send any more.
pub(super) async fn run(world: Arc<Mutex<World>>, mut parcels: UnboundedReceiver<Parcel>) {
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    let http = http.expect("a client can be made");
    while let Some(parcel) = parcels.recv().await {
        let mut batch = vec![parcel];
        if batch[0].sending.shuffled {
            while let Ok(Some(next)) = tokio::time::timeout(MOMENT, parcels.recv()).await {
                batch.push(next);
            }
            // By letters that have nothing to do with the order.
            batch.sort_by_cached_key(|_| random(8));
        }
        for parcel in batch {
            tokio::time::sleep(parcel.sending.delay).await;
            for _ in 0..parcel.sending.copies.max(1) {
                deliver(&world, &http, &parcel).await;
            }
            locked(&world).outbox.under_way.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

fn locked(world: &Mutex<World>) -> std::sync::MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn deliver(world: &Mutex<World>, http: &reqwest::Client, parcel: &Parcel) {
    let (body, headers, usual) = packed(&locked(world), parcel);
    let patience = parcel.sending.patience.unwrap_or(usual);
    let begun = Instant::now();
    let sent = if parcel.sending.on {
        let mut request = http.post(&parcel.to.url).timeout(patience);
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        Some(request.body(body).send().await)
    } else {
        None
    };
    let (status, status_code, response_headers, response) = match sent {
        None => ("failed to connect to host".to_owned(), 502, json!({}), None),
        Some(Err(error)) if error.is_timeout() => ("timed out".to_owned(), 504, json!({}), None),
        Some(Err(error)) if is_of_certificate(&error) => {
            ("Peer certificate cannot be authenticated with given CA certificates".to_owned(), 502, json!({}), None)
        }
        Some(Err(_)) => ("failed to connect to host".to_owned(), 502, json!({}), None),
        Some(Ok(answer)) => {
            let status = answer.status();
            let word =
                if status.is_success() { "OK" } else { status.canonical_reason().unwrap_or("Invalid HTTP Response") };
            let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), json!(text(value))));
            let headers: serde_json::Map<_, _> = headers.collect();
            (word.to_owned(), status.as_u16(), Value::Object(headers), answer.text().await.ok())
        }
    };
    let mut world = locked(world);
    let (id, delivered_at) = (world.id(), world.now());
    let Some(app) = world.apps.get_mut(&parcel.app) else { return };
    let request_headers = headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    app.hook.deliveries.push(Delivery {
        id,
        guid: parcel.guid.clone(),
        delivered_at,
        redelivery: parcel.redelivery,
        duration: (begun.elapsed().as_secs_f64() * 100.0).round() / 100.0,
        status,
        status_code,
        event: parcel.event.clone(),
        payload: parcel.payload.clone(),
        url: parcel.to.url.clone(),
        request_headers: Value::Object(request_headers),
        response_headers,
        response,
    });
}

/// Whether somebody was there, and showed a certificate that is not trusted.
fn is_of_certificate(error: &reqwest::Error) -> bool {
    let mut below: Option<&dyn std::error::Error> = Some(error);
    while let Some(one) = below {
        if one.to_string().contains("certificate") {
            return true;
        }
        below = one.source();
    }
    false
}

type Packed = (Vec<u8>, Vec<(&'static str, String)>, Duration);

/// What is in it, what is written on it, how long it may take.
fn packed(world: &World, parcel: &Parcel) -> Packed {
    let (text, to) = (parcel.payload.to_string(), &parcel.to);
    let body = if to.form { format!("payload={}", encoded(&text)) } else { text };
    let kind = if to.form { "application/x-www-form-urlencoded" } else { "application/json" };
    let mut headers = vec![
        ("Accept", "*/*".to_owned()),
        ("Content-Type", kind.to_owned()),
        ("User-Agent", format!("GitHub-Hookshot/{}", random(7).to_ascii_lowercase())),
        ("X-GitHub-Delivery", parcel.guid.clone()),
        ("X-GitHub-Event", parcel.event.clone()),
        ("X-GitHub-Hook-ID", to.hook.to_string()),
        ("X-GitHub-Hook-Installation-Target-ID", parcel.app.to_string()),
        ("X-GitHub-Hook-Installation-Target-Type", "integration".to_owned()),
    ];
    if let Some(secret) = &to.secret {
        let sign = |word: &str, algorithm| format!("{word}={}", signature(secret, body.as_bytes(), algorithm));
        headers.push(("X-Hub-Signature", sign("sha1", hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY)));
        headers.push(("X-Hub-Signature-256", sign("sha256", hmac::HMAC_SHA256)));
    }
    if !world.cloud {
        let host = world.web.split_once("://").map_or("", |(_, host)| host);
        headers.push(("X-GitHub-Enterprise-Version", "3.19.0".to_owned()));
        headers.push(("X-GitHub-Enterprise-Host", host.to_owned()));
    }
    (body.into_bytes(), headers, Duration::from_secs(if world.cloud { 10 } else { 30 }))
}

/// What stands in the header behind its word, in hexadecimal.
pub(super) fn signature(secret: &str, body: &[u8], algorithm: hmac::Algorithm) -> String {
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), body);
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As forms are written.
pub(super) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => all.push(char::from(byte)),
            _ => all.push_str(&format!("%{byte:02X}")),
        }
        all
    })
}
