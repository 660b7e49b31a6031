//! Long work that is looked at until it has ended: a bar with what is left on a terminal, a line now
//! and then elsewhere. Called by the commands that ask for it; it changes nothing.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::{CliError, client::Client, how_far::how_far};

/// From one look to the next.
const PAUSE: Duration = Duration::from_millis(300);
/// Where there is no bar, a line is written so often.
const NOW_AND_THEN: Duration = Duration::from_secs(10);

/// What an operation that went wrong says of it.
pub(super) fn succeeded(operation: &Value) -> Result<(), CliError> {
    match operation["state"].as_str() {
        Some("failed" | "cancelled") => {
            let why = operation["problem"]["detail"].as_str().unwrap_or("it could not be done");
            Err(CliError::Failed(why.trim_end_matches('.').to_owned()))
        }
        _ => Ok(()),
    }
}

/// How long it takes from now on, behind what is counted; nothing where the server says nothing.
pub(super) fn left(seconds: Option<u64>) -> String {
    let told = |seconds| format!(", {} left", indicatif::HumanDuration(Duration::from_secs(seconds)));
    seconds.map(told).unwrap_or_default()
}

/// Shows how far the operation is until it has ended; as it is then.
pub(super) async fn watch(client: &Client, id: &str) -> Result<Value, CliError> {
    let terminal = std::io::stderr().is_terminal();
    let bar = if terminal { ProgressBar::no_length() } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{msg:12} [{bar:40}] {human_pos}/{human_len} {prefix}") {
        bar.set_style(style);
    }
    let path = format!("/api/v1/operations/{id}");
    let mut told_at = Instant::now();
    loop {
        let now: Value = client.get(&path, &[]).await?;
        if matches!(now["state"].as_str(), Some("succeeded" | "failed" | "cancelled")) {
            bar.finish_and_clear();
            return Ok(now);
        }
        let progress = &now["progress"];
        let number = |member: &str| progress[member].as_u64().unwrap_or_default();
        let unit = progress["unit"].as_str().unwrap_or_default();
        bar.set_length(number("total"));
        bar.set_position(number("done"));
        bar.set_message(progress["phase"].as_str().unwrap_or("waiting").to_owned());
        bar.set_prefix(format!("{unit}{}", left(progress["eta_seconds"].as_u64())));
        bar.tick();
        if !terminal && told_at.elapsed() >= NOW_AND_THEN {
            let far = how_far(number("done"), number("total"), unit, progress["eta_seconds"].as_u64());
            let why = now["problem"]["detail"].as_str().map(|why| format!("; {why}")).unwrap_or_default();
            eprintln!("keytrail: {far}{why}");
            told_at = Instant::now();
        }
        tokio::time::sleep(PAUSE).await;
    }
}
