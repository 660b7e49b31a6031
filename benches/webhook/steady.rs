//! Requests at a steady rate, whatever becomes of those before: from a process of its own on a core of its own, which is
//! this program again. How long each took is reckoned from when it was to be sent, so that nothing hides in a queue.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use keytrail::{git::services::github::webhook::signature, ids};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
};

use crate::flags::Flags;

/// What is sent.
pub(crate) enum Load<'a> {
    /// A push, with another id each time.
    Deliveries { body: &'a Path, secret: &'a str },
    /// A read with this token.
    Reads { token: &'a str },
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) sent: u64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) most: f64,
}

/// One that runs.
pub(crate) struct Steady(Child);

impl Steady {
    /// Begins to send so many a second to `url`, for so long unless it is ended before.
    pub(crate) fn begin(url: &str, rate: u32, seconds: u32, load: &Load<'_>) -> Self {
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).arg(std::env::current_exe().expect("this program is there"));
        command.args(["--steady", url, "--rate", &rate.to_string(), "--seconds", &seconds.to_string()]);
        match load {
            Load::Deliveries { body, secret } => command.arg("--body").arg(body).args(["--secret", secret]),
            Load::Reads { token } => command.args(["--token", token]),
        };
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        Self(command.spawn().expect("taskset is there"))
    }

    /// Ends it now.
    pub(crate) async fn end(mut self) -> Outcome {
        drop(self.0.stdin.take());
        self.outcome().await
    }

    /// Waits for its end.
    pub(crate) async fn outcome(mut self) -> Outcome {
        let mut said = String::new();
        let mut pipe = self.0.stdout.take().expect("it is piped");
        pipe.read_to_string(&mut said).await.expect("it says what came of it");
        let told: Value = serde_json::from_str(&said).expect("JSON");
        let number = |name: &str| told[name].as_f64().expect("a number");
        assert_eq!(told["failed"], 0, "{said}");
        Outcome {
            sent: told["sent"].as_u64().expect("a number"),
            p50: number("p50"),
            p99: number("p99"),
            most: number("most"),
        }
    }
}

/// What the process does that sends; nothing where this is the other one.
pub(crate) async fn run(flags: &Flags) -> bool {
    let Some(url) = flags.get("steady") else { return false };
    let (rate, seconds): (u32, u32) = (flags.or("rate", 100), flags.or("seconds", 5));
    let body = flags.get("body").map(PathBuf::from).map(|path| std::fs::read(path).expect("a file"));
    let signed = body.as_ref().map(|body| signature(flags.get("secret").expect("a secret").as_bytes(), body));
    let client = Client::builder().no_proxy().build().expect("a client");
    let request = || match (&body, &signed) {
        (Some(body), Some(signed)) => client
            .post(url)
            .header("Content-Type", "application/json")
            .header("X-GitHub-Event", "push")
            .header("X-GitHub-Delivery", ids::new_id().to_string())
            .header("X-Hub-Signature-256", signed)
            .body(body.clone()),
        _ => client.get(url).bearer_auth(flags.get("token").expect("a token")),
    };
    // On a thread that nobody waits for: the runtime would wait at its end for a reader of its own.
    let (end, mut ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = end.send(());
    });
    let (began, mut running) = (Instant::now(), tokio::task::JoinSet::new());
    for number in 0..rate * seconds {
        let due = began + Duration::from_secs(1) * number / rate;
        tokio::select! {
            () = tokio::time::sleep_until(due.into()) => {}
            _ = &mut ended => break,
        }
        let request = request();
        running.spawn(async move {
            let good = match request.send().await {
                Ok(answer) => answer.status().is_success() && answer.bytes().await.is_ok(),
                Err(_) => false,
            };
            (due.elapsed(), good)
        });
    }
    let all = running.join_all().await;
    let mut took: Vec<f64> = all.iter().map(|(took, _)| took.as_secs_f64() * 1_000.0).collect();
    took.sort_by(f64::total_cmp);
    let failed = all.iter().filter(|(_, good)| !good).count();
    let at = |share: f64| took.get(((took.len() as f64 * share) as usize).min(took.len().saturating_sub(1)));
    println!(
        "{}",
        json!({ "sent": took.len(), "failed": failed, "p50": at(0.5), "p99": at(0.99), "most": took.last() })
    );
    true
}
