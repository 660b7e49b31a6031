//! `keytrail completions` and `keytrail man`: what shells and readers of manuals want to know of the command line, from
//! the same description that reads the arguments.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, CliError, exit_codes, output};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> Result<ExitCode, CliError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "keytrail", &mut script);
        // Nobody reads any more: that is no failure.
        let _ = io::stdout().lock().write_all(&script);
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// The folder to write them to; it is made when it is not there
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

impl Man {
    pub(super) fn run(&self) -> Result<ExitCode, CliError> {
        let system = |source| CliError::System { what: "write the manual pages", source };
        fs::create_dir_all(&self.out).map_err(system)?;
        let mut all = Cli::command().name("keytrail").disable_help_subcommand(true);
        // Names of subcommands get those of their commands before them.
        all.build();
        let mut written = 0;
        let mut waiting = vec![all];
        while let Some(command) = waiting.pop() {
            waiting.extend(command.get_subcommands().filter(|below| !below.is_hide_set()).cloned());
            fs::write(self.out.join(file_name(&command)), page(&command).map_err(system)?).map_err(system)?;
            written += 1;
        }
        output::print(&format!("{} in {}", output::count(written, "page"), self.out.display()));
        Ok(ExitCode::SUCCESS)
    }
}

fn title(command: &clap::Command) -> String {
    command.get_display_name().unwrap_or(command.get_name()).to_owned()
}

fn file_name(command: &clap::Command) -> String {
    format!("{}.1", title(command))
}

/// One page; the one of the whole program says how commands end.
fn page(command: &clap::Command) -> io::Result<Vec<u8>> {
    // The first line of the long version is the version.
    let version = env!("CARGO_PKG_VERSION");
    let man = clap_mangen::Man::new(command.clone().long_version(version))
        .source(format!("Keytrail {version}"))
        .manual("Keytrail");
    let mut text = Vec::new();
    man.render(&mut text)?;
    if title(command) == "keytrail" {
        writeln!(text, ".SH \"EXIT STATUS\"")?;
        for (code, meaning) in exit_codes::ALL {
            writeln!(text, ".TP\n{code}\n{meaning}.")?;
        }
    }
    Ok(text)
}
