//! What takes something away is done only when a person says so: `--yes`, or an answer on the terminal; `--dry-run` says
//! what would happen. Called by the commands that remove; it never asks a script. `docs/cli.md` has the rule, and the
//! commands that are done without being asked about.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;

use super::{CliError, output};

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Consent {
    /// Do it without asking
    #[arg(long, short = 'y')]
    yes: bool,
    /// Only say what would happen
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

impl Consent {
    /// Whether it is only to be said what would happen.
    pub(super) const fn is_dry_run(self) -> bool {
        self.dry_run
    }

    /// Whether nobody needs to be asked, so that nothing needs to be looked up for the question.
    pub(super) const fn is_given_already(self) -> bool {
        self.yes
    }

    /// Whether it is to be done. `lines` say what would happen, from what the server has now; with
    /// `json`, as one object.
    pub(super) fn given(self, lines: &[String], json: bool) -> Result<bool, CliError> {
        if self.yes {
            return Ok(true);
        }
        if self.dry_run && json {
            output::json(&serde_json::json!({ "done": false, "would": lines }))?;
            return Ok(false);
        }
        if self.dry_run {
            lines.iter().for_each(|line| output::print(line));
            output::print("nothing was done: --dry-run");
            return Ok(false);
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            let detail = format!(
                "{}. It is not done without being asked for: add --yes, or --dry-run to look first",
                in_one(lines)
            );
            return Err(CliError::Input(detail));
        }
        lines.iter().for_each(|line| eprintln!("{line}"));
        eprint!("Go on? [y/N] ");
        let _ = io::stderr().flush();
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        read.map_err(|source| CliError::System { what: "read the answer", source })?;
        let yes = matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes");
        if !yes && json {
            output::json(&serde_json::json!({ "done": false }))?;
        } else if !yes {
            output::print("nothing was done");
        }
        Ok(yes)
    }
}

/// Lines as one sentence: what a colon announces follows it, and the others are set apart.
fn in_one(lines: &[String]) -> String {
    let mut said = String::new();
    for line in lines.iter().map(|line| line.trim()) {
        said.push_str(match said.chars().last() {
            None => "",
            Some(':') => " ",
            Some(_) => "; ",
        });
        said.push_str(line);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_colon_announces_follows_it() {
        let lines = ["this trusts the server by these keys:", "  ssh-ed25519 A", "  ssh-rsa B"].map(str::to_owned);
        assert_eq!(in_one(&lines), "this trusts the server by these keys: ssh-ed25519 A; ssh-rsa B");
        assert_eq!(in_one(&[]), "");
    }
}
