//! The program `keytrail`.

use std::process::ExitCode;

use clap::Parser;
use keytrail::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
