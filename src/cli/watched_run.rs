//! A run that is looked at until it has ended: a bar with what is left on a terminal, a line now and then elsewhere.
//! Called by the commands that ask for runs; it changes nothing.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

use super::{CliError, client::Client, output, watched_operation::left};

/// After so long a person is told what is waited for.
pub(super) const SOON: Duration = Duration::from_secs(3);
/// Where there is no bar, a line is written so often.
const NOW_AND_THEN: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
pub(super) struct Run {
    pub(super) id: String,
    /// Not there when the view does not show the run yet.
    state: Option<String>,
    counts: Option<Counts>,
    progress: Option<Progress>,
    failure: Option<Failure>,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize)]
pub(super) struct Counts {
    pub(super) commits: u64,
    pub(super) keyed: u64,
    pub(super) keys: u64,
    pub(super) refs: u64,
}

#[derive(Deserialize)]
struct Progress {
    phase: String,
    objects: u64,
    objects_total: u64,
    bytes: u64,
    commits: u64,
    recorded: u64,
    total: u64,
    eta_seconds: Option<u64>,
}

#[derive(Deserialize)]
struct Failure {
    code: String,
    text: String,
}

/// Shows how far the run is until it has ended.
pub(super) async fn watch(client: &Client, run: &str) -> Result<(String, Counts), CliError> {
    let terminal = std::io::stderr().is_terminal();
    let bar = if terminal { ProgressBar::no_length() } else { ProgressBar::hidden() };
    let mut told_at: Option<(Instant, String)> = None;
    let path = format!("/api/v1/index-runs/{run}");
    let mut wait = 100;
    let (began, mut told) = (Instant::now(), false);
    loop {
        let now: Run = client.get(&path, &[("wait_ms", wait.to_string())]).await?;
        wait = 200;
        let state = now.state.as_deref().unwrap_or("requested");
        if state == "requested" && !told && began.elapsed() >= SOON {
            output::wait("for a worker of the server to begin the run; all of them are at work");
            told = true;
        }
        match state {
            "completed" => {
                bar.finish_and_clear();
                return Ok((now.id, now.counts.unwrap_or_default()));
            }
            "failed" => {
                bar.finish_and_clear();
                let why =
                    now.failure.map_or_else(String::new, |failure| format!("{} ({})", failure.text, failure.code));
                return Err(CliError::Failed(format!("the repository could not be indexed: {why}")));
            }
            "cancelled" => {
                bar.finish_and_clear();
                return Err(CliError::Failed("the run was cancelled".into()));
            }
            _ => {
                let Some(progress) = &now.progress else { continue };
                if terminal {
                    show(&bar, progress);
                } else if began.elapsed() >= SOON {
                    let due =
                        |(at, phase): &(Instant, String)| at.elapsed() >= NOW_AND_THEN || *phase != progress.phase;
                    if told_at.as_ref().is_none_or(due) {
                        eprintln!("keytrail: {}", plainly(progress));
                        told_at = Some((Instant::now(), progress.phase.clone()));
                    }
                }
            }
        }
    }
}

/// What the bar counts, and what stands behind it. How long it takes from now on is the server's guess, which knows more
/// than this program has seen of it.
fn show(bar: &ProgressBar, progress: &Progress) {
    let (done, total, what) = match &*progress.phase {
        "fetching" => {
            let bytes = indicatif::HumanBytes(progress.bytes);
            (progress.objects, progress.objects_total, format!("objects, {bytes}"))
        }
        _ if progress.total > 0 => (progress.recorded, progress.total, "commits".to_owned()),
        _ => (progress.commits, 0, "commits".to_owned()),
    };
    bar.set_position(done);
    let template = if total > 0 {
        bar.set_length(total);
        "{msg:12} [{bar:40}] {human_pos}/{human_len} {prefix}"
    } else {
        "{msg:12} {spinner} {human_pos} {prefix}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(format!("{what}{}", left(progress.eta_seconds)));
    bar.set_message(progress.phase.clone());
    bar.tick();
}

/// As a line of a log.
fn plainly(progress: &Progress) -> String {
    let of = |done: u64, all: u64, what: &str| match all {
        0 => format!("{} {what}", output::grouped(done)),
        all => format!("{} of {} {what}", output::grouped(done), output::grouped(all)),
    };
    let said = match &*progress.phase {
        "fetching" => of(progress.objects, progress.objects_total, "objects"),
        _ if progress.total > 0 => of(progress.recorded, progress.total, "commits"),
        _ => of(progress.commits, 0, "commits"),
    };
    format!("{}, {said}", progress.phase)
}
