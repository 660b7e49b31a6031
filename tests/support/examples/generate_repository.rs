//! Makes a repository from a seed: `generate_repository PATH [--kafka-shape] [--commits N] [--seed N] [--awkward] …`.
//! Used by benches, by the scripts that compare with peers, and by the demo.

use std::{path::PathBuf, process::ExitCode};

use keytrail_test_support::repositories::{Shape, generate};

const USAGE: &str = "generate_repository PATH [--kafka-shape] [--commits N] [--seed N] [--heads N] [--tags N]
    [--pull-requests N] [--pull-request-commits N] [--merges-percent N] [--keyed-percent N] [--files-per-commit N]
    [--projects A,B,C] [--rising] [--awkward]";

fn main() -> ExitCode {
    let result = parse().and_then(|(path, shape)| generate(&path, &shape).map_err(|error| error.to_string()));
    match result {
        Ok(repository) => {
            println!("{}", repository.path.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn parse() -> Result<(PathBuf, Shape), String> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    // A preset is a beginning, wherever it stands; what is said besides counts more.
    let before = arguments.len();
    arguments.retain(|argument| argument != "--kafka-shape");
    let mut shape = if arguments.len() < before { Shape::kafka_shape() } else { Shape::default() };
    let mut path = None;
    let mut rest = arguments.into_iter();
    while let Some(argument) = rest.next() {
        if !argument.starts_with("--") {
            path = Some(PathBuf::from(argument));
            continue;
        }
        if argument == "--rising" {
            shape.rising = true;
            continue;
        }
        if argument == "--awkward" {
            shape.awkward = true;
            continue;
        }
        let value = rest.next().ok_or(USAGE)?;
        let number = || value.parse::<usize>().map_err(|_| format!("{argument} wants a number\n{USAGE}"));
        match argument.as_str() {
            "--commits" => shape.commits = number()?,
            "--seed" => shape.seed = number()? as u64,
            "--heads" => shape.heads = number()?,
            "--tags" => shape.tags = number()?,
            "--pull-requests" => shape.pull_requests = number()?,
            "--pull-request-commits" => shape.pull_request_commits = number()?,
            "--merges-percent" => shape.merges_percent = number()? as u64,
            "--keyed-percent" => shape.keyed_percent = number()? as u64,
            "--files-per-commit" => shape.files_per_commit = number()?,
            "--projects" => shape.projects = value.split(',').map(String::from).collect(),
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok((path.ok_or(USAGE)?, shape))
}
