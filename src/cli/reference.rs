//! Writes `docs/cli.md` from the description that reads the arguments, and compares it: whoever changes a command runs
//! this test with `KEYTRAIL_WRITE_CLI=1`.

use std::fmt::Write;

use clap::{Arg, ArgAction, Command, CommandFactory};

use super::{Cli, exit_codes};

#[test]
fn the_page_about_the_command_line_is_what_the_command_line_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cli.md");
    let wanted = page();
    #[expect(clippy::disallowed_methods, reason = "whoever runs the test says by it that the page may change")]
    if std::env::var_os("KEYTRAIL_WRITE_CLI").is_some() {
        std::fs::write(path, &wanted).expect("the page can be written");
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == wanted, "docs/cli.md is not what the commands are: run this test with KEYTRAIL_WRITE_CLI=1");
}

#[test]
fn every_command_and_flag_says_what_it_is() {
    fn look(command: &Command, silent: &mut Vec<String>) {
        if command.get_about().is_none() {
            silent.push(command.get_name().to_owned());
        }
        for argument in command.get_arguments().filter(|argument| argument.get_help().is_none()) {
            silent.push(format!("{} {}", command.get_name(), argument.get_id()));
        }
        command.get_subcommands().for_each(|below| look(below, silent));
    }
    let mut silent = Vec::new();
    look(&Cli::command(), &mut silent);
    assert!(silent.is_empty(), "{silent:?}");
    Cli::command().debug_assert();
}

fn page() -> String {
    let mut text = "# The command line\n\nMade from the program itself; `keytrail man --out FOLDER` writes the same as manual \
                    pages.\n\n## How a command finds its server\n\n\
                    `--server URL` names one elsewhere; its access token comes from `--token-file FILE` or the variable \
                    `KEYTRAIL_TOKEN`, never from an argument. Otherwise the server of the data folder is asked. When none runs, \
                    `index`, `issue`, `search`, `explain`, `commit`, `project`, `person`, `events`, `views`, `token` and `doctor` start \
                    one for as long as they take; the others say how to start it. `serve`, `migrate` and `vault` work on the data folder itself.\n\n\
                    ## How it prints\n\nFor eyes, cut to the width of a terminal: ids are as short as tells them apart, and their beginnings are taken for them, \
                    as is a name that only one has; columns for which there is no room are left out. Nothing is cut elsewhere. Times \
                    are UTC. `--json` prints all rows, \
                    one JSON object a line. Bars are drawn on a terminal only, and `NO_COLOR` turns colours off. What removes \
                    something asks on a terminal, and needs `--yes` elsewhere; `--dry-run` says what would go.\n\n\
                    ## How it ends\n\n| code | meaning |\n|---|---|\n"
        .to_owned();
    for (code, meaning) in exit_codes::ALL {
        let _ = writeln!(text, "| {code} | {meaning} |");
    }
    let mut all = Cli::command();
    all.build();
    text.push_str("\n## With every command\n\n");
    flags(&mut text, all.get_arguments().filter(|argument| argument.is_global_set()));
    for command in all.get_subcommands().filter(|command| command.get_name() != "help") {
        section(&mut text, command, 2);
    }
    text
}

fn section(text: &mut String, command: &Command, depth: usize) {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(text, "\n{} {name}\n\n{about}.", "#".repeat(depth));
    let below: Vec<_> = command.get_subcommands().filter(|below| below.get_name() != "help").collect();
    if below.is_empty() {
        let usage = command.clone().render_usage().to_string();
        let _ = writeln!(text, "\n    {}", usage.trim_start_matches("Usage: "));
        let own: Vec<_> = command.get_arguments().filter(|argument| !argument.is_global_set()).collect();
        if own.iter().any(|argument| argument.get_id() != "help") {
            text.push('\n');
        }
        flags(text, own.into_iter());
    }
    below.into_iter().for_each(|below| section(text, below, depth + 1));
}

fn flags<'a>(text: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    for argument in arguments.filter(|argument| !["help", "version"].contains(&argument.get_id().as_str())) {
        let value =
            argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default();
        let takes = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
        let name = match argument.get_long() {
            Some(long) if takes => format!("--{long} {value}"),
            Some(long) => format!("--{long}"),
            None => value,
        };
        let mut help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        if takes && let Some(usual) = argument.get_default_values().first() {
            let _ = write!(help, " [default: {}]", usual.to_string_lossy());
        }
        let choices: Vec<_> = argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        if takes && !choices.is_empty() {
            let _ = write!(help, " [one of: {}]", choices.join(", "));
        }
        let _ = writeln!(text, "- `{name}`: {help}");
    }
}
