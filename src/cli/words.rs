//! The words of the command line are those of the API: walks over both, in tests. What differs stands here with a reason.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory};
use serde_json::Value;

use super::Cli;

/// Operations whose command is called otherwise than they are; nothing where there is none.
const OTHERWISE: &[(&str, Option<&str>, &str)] = &[
    ("LinkCommit", Some("issue link"), "the issue comes first, as a person has it at hand"),
    ("UnlinkCommit", Some("issue unlink"), "as LinkCommit"),
    ("RestoreCommitLink", Some("issue restore"), "as LinkCommit"),
    ("ListIssuePullRequests", Some("issue pull-requests"), "two words of what is listed, as in its path"),
    ("ExplainCommit", Some("explain"), "it is asked so often that it needs no group"),
    ("SearchIssues", Some("search"), "as ExplainCommit"),
    (
        "SetProjectRules",
        Some("project deny"),
        "a person changes one entry, and the others stay; `allow` and the like, too",
    ),
    ("ConnectGithubApp", Some("integration connect"), "AddIntegration comes with it, and waiting"),
    ("AdoptGithubApp", Some("installation adopt"), "beside what else is done with an app"),
    ("RotatePemKey", Some("installation rotate-key"), "as AdoptGithubApp"),
    ("PreviewFilter", Some("installation preview-filter"), "as AdoptGithubApp"),
    ("ConfirmRepositories", Some("installation confirm-repositories"), "as AdoptGithubApp"),
    ("ConfirmGone", Some("installation confirm-gone"), "as AdoptGithubApp"),
    ("RotateWebhookSecret", Some("installation rotate-webhook-secret"), "as AdoptGithubApp"),
    ("TestConnection", Some("integration test"), "it is of a place that is no integration yet"),
    ("ChangeConnection", Some("integration move"), "`integration` says of what; the connection is its place"),
    ("SetWebLinks", Some("integration set-web-links"), "`integration` says of what"),
    ("ListIntegrationRepositories", None, "`repository list` has them all"),
    ("RequestIndex", Some("repository index"), "it is asked of a repository"),
    ("ResetIndex", Some("repository reset"), "as RequestIndex"),
    ("ListIndexRuns", Some("run list"), "there are no other runs"),
    ("GetIndexRun", Some("run show"), "as ListIndexRuns"),
    ("CancelIndex", Some("run cancel"), "as ListIndexRuns"),
    ("RetryIndex", Some("run retry"), "as ListIndexRuns"),
    ("ListIndexRunEvents", Some("run log"), "what a run did, line by line, is its log to people"),
    ("WatchIndexRun", None, "commands that ask for a run show how far it is"),
    ("WatchOperation", None, "commands that ask for long work show how far it is"),
    ("ListPeople", Some("person list"), "the plural of person"),
    ("GetPerson", None, "`person list` finds one by a part of the name"),
    ("GetToken", None, "`token list` has all that is known of each"),
    ("ListEvents", Some("events"), "there is nothing else to do with events"),
    ("FollowEvents", Some("events"), "`events --follow`"),
    ("ListStreamEvents", Some("events"), "`events --stream`"),
    ("GetDoctor", Some("doctor"), "there is nothing else to ask a doctor"),
    ("GetSupport", Some("doctor"), "`doctor --bundle`"),
    ("GetReadiness", Some("health"), "for the health checks of containers, which say it so"),
    ("GetLiveness", None, "a command that finds no server says so"),
    ("GetMetrics", None, "for programs that collect them"),
    ("GetSshKeyPublic", Some("ssh-key show"), "a person wants both"),
    ("ImportKnownHosts", Some("host-key import"), "beside what else is done with host keys"),
    ("AcceptHostKeyChange", Some("host-key accept"), "as ImportKnownHosts"),
    ("RefuseHostKeyChange", Some("host-key refuse"), "as ImportKnownHosts"),
    ("ReceiveGithubWebhook", None, "GitHub calls it, and nobody else can sign it"),
];

/// Commands that are no operation of the API.
const ALONE: &[(&str, &str)] = &[
    ("serve", "starts the server"),
    ("index", "AddIntegration and RequestIndex in one, and waits"),
    ("installation set-filter", "ChangeConnection for the filter alone"),
    ("installation set-route", "ChangeConnection for certificates and proxy alone"),
    ("project allow", "SetProjectRules for one entry"),
    ("project disallow", "SetProjectRules for one entry"),
    ("project undeny", "SetProjectRules for one entry"),
    ("config show", "before there is a server"),
    ("config check", "before there is a server"),
    ("config default", "before there is a server"),
    ("ssh-key inspect", "of a file of this machine; nothing is sent anywhere"),
    ("ssh-key convert", "of a file of this machine; nothing is sent anywhere"),
    ("ssh-key make-file", "of a file of this machine; nothing is sent anywhere"),
    ("ssh-key guide", "of the program itself"),
    ("ssh-key reserve", "ShareSshKey, the other way"),
    ("migrate", "before there is a server"),
    ("vault rotate-root-key", "while no server runs"),
    ("openapi", "the server has it at /openapi.json"),
    ("completions", "of the program itself"),
    ("man", "of the program itself"),
];

/// Commands without `--json`.
const WITHOUT_JSON: &[(&str, &str)] = &[
    ("serve", "it goes on; its log can be JSON: log.format"),
    ("openapi", "it prints nothing but JSON"),
    ("completions", "what it prints is for a shell"),
    ("man", "what it writes is for man"),
];

/// Every command that does something, by its words.
pub(super) fn leaves() -> Vec<(String, Command)> {
    fn look(words: &str, command: &Command, found: &mut Vec<(String, Command)>) {
        let below: Vec<_> = command.get_subcommands().filter(|below| below.get_name() != "help").collect();
        if below.is_empty() {
            found.push((words.to_owned(), command.clone()));
        }
        for below in below {
            look(format!("{words} {}", below.get_name()).trim_start(), below, found);
        }
    }
    let mut found = Vec::new();
    look("", &Cli::command(), &mut found);
    found
}

fn operations() -> Vec<String> {
    let spec: Value = serde_json::from_str(&crate::http::spec::json()).expect("a description");
    let items = spec["paths"].as_object().expect("paths").values();
    let all = items.flat_map(|item| item.as_object().expect("operations").values());
    all.map(|operation| operation["operationId"].as_str().expect("a name").to_owned()).collect()
}

/// The command of an operation by the rule: `RenameIntegration` is `integration rename`, `ListIntegrations` is `integration
/// list`, `GetIntegration` is `integration show`, `ListIssueCommits` is `issue commits`, `TrustHostKeys` is `host-key trust`.
fn by_rule(operation: &str, known: &BTreeSet<String>) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    for letter in operation.chars() {
        if letter.is_ascii_uppercase() {
            words.push(String::new());
        }
        words.last_mut()?.push(letter.to_ascii_lowercase());
    }
    let (verb, rest) = words.split_first()?;
    let (part, whole) = rest.split_last()?;
    let (noun, part) = (rest.join("-"), format!("{} {part}", whole.join("-")));
    let one = singular(&noun);
    let command = match verb.as_str() {
        "list" => vec![format!("{noun} list"), format!("{one} list"), part],
        "get" => vec![format!("{noun} show"), format!("{one} show"), part],
        verb => vec![format!("{noun} {verb}"), format!("{noun}s {verb}"), format!("{one} {verb}")],
    };
    command.into_iter().find(|command| known.contains(command))
}

fn singular(noun: &str) -> String {
    match noun.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => noun.strip_suffix('s').unwrap_or(noun).to_owned(),
    }
}

#[test]
fn the_commands_are_called_like_the_operations() {
    let known: BTreeSet<_> = leaves().into_iter().map(|(words, _)| words).collect();
    let operations = operations();
    let mut reached = BTreeSet::new();
    for operation in &operations {
        let otherwise = OTHERWISE.iter().find(|(name, ..)| name == operation);
        match (by_rule(operation, &known), otherwise) {
            (Some(command), None) => drop(reached.insert(command)),
            (None, Some((_, Some(command), _))) => {
                assert!(known.contains(*command), "{operation}: there is no `keytrail {command}`");
                reached.insert((*command).to_owned());
            }
            (None, Some((_, None, _))) => {}
            (Some(command), Some(_)) => panic!("{operation} is `keytrail {command}`: it needs no line in OTHERWISE"),
            (None, None) => panic!("{operation} has no command; give it one, or a line in OTHERWISE that says why"),
        }
    }
    for (operation, ..) in OTHERWISE {
        assert!(operations.iter().any(|known| known == operation), "there is no operation {operation}");
    }
    for command in &known {
        let alone = ALONE.iter().any(|(words, _)| words == command);
        assert!(
            reached.contains(command) != alone,
            "`keytrail {command}`: an operation, or a line in ALONE, and not both"
        );
    }
    for (command, _) in ALONE {
        assert!(known.contains(*command), "there is no `keytrail {command}`");
    }
}

#[test]
fn every_command_takes_json_or_says_why_not() {
    for (words, command) in leaves() {
        let takes = command.get_arguments().any(|argument| argument.get_long() == Some("json"));
        let excused = WITHOUT_JSON.iter().any(|(known, _)| *known == words);
        assert!(takes != excused, "`keytrail {words}`: --json, or a line in WITHOUT_JSON, and not both");
    }
    let all = leaves();
    for (known, _) in WITHOUT_JSON {
        assert!(all.iter().any(|(words, _)| words == known), "there is no `keytrail {known}`");
    }
}
