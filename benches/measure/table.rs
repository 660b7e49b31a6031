//! What a bench prints: one line per figure, ours beside the one it is compared with.

use std::time::Duration;

/// The table; a line is printed as soon as it is known.
pub(crate) struct Table;

impl Table {
    /// Prints the head.
    pub(crate) fn new() -> Self {
        println!("| work | ours | against | ratio | must |");
        println!("|---|---|---|---|---|");
        Self
    }

    /// Prints a line.
    pub(crate) fn line(&self, work: &str, ours: &str, against: &str, ratio: &str, must: &str) {
        println!("| {work} | {ours} | {against} | {ratio} | {must} |");
    }
}

/// The middle of what was measured, and the whole span for whoever doubts it.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    eprintln!("  measured: {figures:.4?}");
    figures[figures.len() / 2]
}

/// Seconds.
pub(crate) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
