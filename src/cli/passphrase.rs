//! The passphrase of a key: from a file, from standard input, or typed where nobody sees it. Never from an argument or the
//! environment, which others on the machine can read. Called by `ssh_key.rs`, `new_ssh_key.rs` and `connection_test.rs`.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
};

use clap::Args;
use rustix::termios::{self, LocalModes, OptionalActions};

use super::{CliError, place};
use crate::secrets::Secret;

#[derive(Debug, Args)]
pub(super) struct Passphrase {
    /// A file with the key's passphrase [default: it is asked for on the terminal, when the key has one]
    #[arg(long, value_name = "FILE", group = "passphrase")]
    passphrase_file: Option<PathBuf>,
    /// Read the key's passphrase from standard input
    #[arg(long, group = "passphrase")]
    passphrase_stdin: bool,
}

impl Passphrase {
    /// Whether standard input has it, and nothing else.
    pub(super) const fn is_on_stdin(&self) -> bool {
        self.passphrase_stdin
    }

    /// Whether the options name one.
    pub(super) const fn is_given(&self) -> bool {
        self.passphrase_file.is_some() || self.passphrase_stdin
    }

    /// The one that the options name.
    pub(super) fn given(&self) -> Result<Option<Secret<String>>, CliError> {
        match &self.passphrase_file {
            Some(file) => place::password_of(file).map(Some),
            None if self.passphrase_stdin => place::password_of_stdin().map(Some),
            None => Ok(None),
        }
    }
}

/// Asks on the terminal, and shows nothing of what is typed. Nothing where there is no terminal.
pub(super) fn asked(for_what: &str) -> Result<Option<Secret<String>>, CliError> {
    let system = |source: io::Error| CliError::System { what: "ask for the passphrase", source };
    let stdin = io::stdin();
    if !stdin.is_terminal() || !io::stderr().is_terminal() {
        return Ok(None);
    }
    let before = termios::tcgetattr(&stdin).map_err(|error| system(error.into()))?;
    let mut silent = before.clone();
    // Without signals: Ctrl-C would end the program with the terminal left silent.
    silent.local_modes -= LocalModes::ECHO | LocalModes::ISIG;
    // Before the question: nobody types sooner.
    termios::tcsetattr(&stdin, OptionalActions::Flush, &silent).map_err(|error| system(error.into()))?;
    eprint!("Passphrase of {for_what}: ");
    let _ = io::stderr().flush();
    let mut line = String::with_capacity(1024);
    let read = stdin.lock().read_line(&mut line);
    let restored = termios::tcsetattr(&stdin, OptionalActions::Flush, &before);
    eprintln!();
    let line = Secret::new(line);
    restored.map_err(|error| system(error.into()))?;
    read.map_err(system)?;
    let typed = line.expose().trim_end_matches(['\n', '\r']);
    if typed.contains(['\u{3}', '\u{1c}']) {
        return Err(CliError::Input("nothing was done: Ctrl-C".to_owned()));
    }
    Ok(Some(Secret::new(typed.to_owned())))
}
