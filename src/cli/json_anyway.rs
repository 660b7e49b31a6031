//! `--json` of the commands that print JSON whether it is said or not, so that a script may say it with every command.

use clap::Args;

/// Nobody reads it: what it asks for is done anyway.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct JsonAnyway {
    /// Print JSON, as this command does anyway
    #[arg(long = "json")]
    _json: bool,
}
