//! Writes `docs/cli.md` from the description that reads the arguments, and compares it: whoever changes a command runs
//! this test with `KEYTRAIL_WRITE_CLI=1`.

use std::fmt::Write;

use clap::{Arg, ArgAction, Command, CommandFactory, Parser};

use super::{Cli, Needs, done_at_once, exit_codes, words::leaves};

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

/// clap would give the value to both, and says nothing of it.
#[test]
fn no_argument_of_a_command_is_called_like_one_of_all_commands() {
    let all = Cli::command();
    let of_all: Vec<_> = all.get_arguments().filter(|one| one.is_global_set()).map(Arg::get_id).collect();
    assert!(!of_all.is_empty());
    for (words, command) in leaves() {
        let same: Vec<_> = command.get_arguments().map(Arg::get_id).filter(|id| of_all.contains(id)).collect();
        assert!(same.is_empty(), "{words}: {same:?}");
    }
}

/// How it could be typed: with a value for whatever has to be said.
fn typed(words: &str, command: &Command) -> Cli {
    const VALUES: [&str; 3] = ["0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "1", "https://git.example/shop.git"];
    let of_groups: Vec<_> = command
        .get_groups()
        .filter(|group| group.is_required_set())
        .filter_map(|group| group.get_args().next())
        .collect();
    let said = |argument: &&Arg, with_positionals: bool| {
        argument.is_required_set()
            || of_groups.contains(&argument.get_id())
            || (with_positionals && argument.is_positional())
    };
    let line = |value: &str, with_positionals: bool| {
        let mut line: Vec<String> = vec!["keytrail".to_owned()];
        line.extend(words.split(' ').map(str::to_owned));
        for argument in command.get_arguments().filter(|argument| said(argument, with_positionals)) {
            line.extend(argument.get_long().map(|long| format!("--{long}")));
            if !argument.get_action().takes_values() {
                continue;
            }
            let choice = argument.get_possible_values().first().map(|choice| choice.get_name().to_owned());
            line.push(choice.unwrap_or_else(|| value.to_owned()));
        }
        line
    };
    let ways = VALUES.iter().flat_map(|value| [(*value, false), (*value, true)]);
    let mut read = ways.filter_map(|(value, with_positionals)| Cli::try_parse_from(line(value, with_positionals)).ok());
    read.next().unwrap_or_else(|| panic!("say in VALUES what `keytrail {words}` takes"))
}

/// The commands that need this: whole groups where all of a group do.
fn that_need(needs: Needs) -> Vec<String> {
    let all: Vec<_> =
        leaves().into_iter().map(|(words, command)| (typed(&words, &command).command.needs(), words)).collect();
    let group = |words: &str| words.split(' ').next().unwrap_or_default().to_owned();
    let mut found: Vec<String> = Vec::new();
    for (need, words) in &all {
        let is_whole = all.iter().filter(|(_, other)| group(other) == group(words)).all(|(need, _)| *need == needs);
        let name = if is_whole { group(words) } else { words.clone() };
        if *need == needs && !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// `a`, `b` and `c`
fn listed(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => names.concat(),
    }
}

#[test]
fn the_decision_about_the_command_line_knows_who_starts_a_server() {
    let decision = include_str!("../../docs/decisions/0008-the-command-line-is-a-client.md");
    for name in that_need(Needs::AnyServer) {
        let group = name.split(' ').next().unwrap_or_default();
        assert!(decision.contains(&format!("`{group}`")), "{group} starts one, too");
    }
}

fn page() -> String {
    let mut text = "# The command line\n\nMade from the program itself; `keytrail man --out FOLDER` writes the same as manual \
                    pages.\n\n## How a command finds its server\n\n\
                    `--server URL` names one elsewhere; its access token comes from `--token-file FILE` or the variable \
                    `KEYTRAIL_TOKEN`, never from an argument. Otherwise the server of the data folder is asked. "
        .to_owned();
    let [any, running, folder, nothing] = [Needs::AnyServer, Needs::RunningServer, Needs::DataFolder, Needs::Nothing]
        .map(|needs| listed(&that_need(needs)));
    let _ = write!(
        text,
        "When none runs, {any} start one for as long as they take; {running} say how to start it. {folder} work on the data \
         folder itself; {nothing} need neither."
    );
    text += "\n\n## How it prints\n\nFor eyes, cut to the width of a terminal: ids are as short as tells them apart, and their beginnings are taken for them, \
                    as is a name that only one has; columns for which there is no room are left out. Nothing is cut elsewhere. Times \
                    are UTC. `--json` prints all rows, \
                    one JSON object a line. Bars are drawn on a terminal only, and `NO_COLOR` turns colours off.\n\n\
                    ## What it asks about\n\nWhat takes something away from anybody, be it what was found, a link, a name, a \
                    token, asks on a terminal, and needs `--yes` elsewhere; `--dry-run` says what would go. Everything else is \
                    done at once:\n\n| command | because |\n|---|---|\n";
    for (command, reason) in done_at_once::BECAUSE {
        let _ = writeln!(text, "| `{command}` | {reason} |");
    }
    text += "\n## How it ends\n\n| code | meaning |\n|---|---|\n";
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
