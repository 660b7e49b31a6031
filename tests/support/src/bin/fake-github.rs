//! A GitHub of one's own for trying things out: `fake-github [--port N] [--cloud] [FOLDER]` prints where it is and serves
//! until it is told to stop. Its organisation `acme` has some repositories; a folder of repositories may be given
//! instead. Its first page lists what there is, with buttons for what its people can do.
//!
//! `--beside PROGRAM [--listen ADDRESS]` starts a server of Keytrail, too, and says what to open and what to type; both
//! end together, and leave nothing behind. `--once` ends as soon as that is said.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use keytrail_test_support::{
    fake_github::FakeGithub,
    trial::{Trial, furnish},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

#[derive(Default)]
struct Given {
    port: u16,
    cloud: bool,
    folder: Option<PathBuf>,
    beside: Option<PathBuf>,
    listen: Option<SocketAddr>,
    once: bool,
}

impl Given {
    fn read() -> Self {
        let mut given = Self::default();
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--port" => {
                    given.port = arguments.next().and_then(|port| port.parse().ok()).expect("--port takes a number");
                }
                "--cloud" => given.cloud = true,
                "--beside" => given.beside = Some(arguments.next().expect("--beside takes a program").into()),
                "--listen" => {
                    let address = arguments.next().and_then(|address| address.parse().ok());
                    given.listen = Some(address.expect("--listen takes an address such as 127.0.0.1:8421"));
                }
                "--once" => given.once = true,
                _ => given.folder = Some(argument.into()),
            }
        }
        given
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let given = Given::read();
    // From here on a signal is kept until somebody waits for it.
    let mut ended = signal(SignalKind::terminate()).expect("signals can be awaited");
    let mut broken = signal(SignalKind::interrupt()).expect("signals can be awaited");
    if let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, given.port)) {
        eprintln!("fake-github: port {} cannot be listened on: {error}", given.port);
        return ExitCode::FAILURE;
    }
    let github = FakeGithub::of(given.cloud, given.port);
    let made = tempfile::tempdir().expect("a temporary folder");
    match &given.folder {
        Some(folder) => add_all(&github, folder),
        None => furnish(&github, made.path()).expect("git makes repositories"),
    }
    let Some(program) = given.beside else {
        println!("a GitHub serves on {}", github.url());
        if !given.once {
            told_to_stop(&mut ended, &mut broken).await;
        }
        return ExitCode::SUCCESS;
    };
    let listen = given.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into());
    let mut trial = match Trial::start(&program, listen, github).await {
        Ok(trial) => trial,
        Err(error) => {
            eprintln!("fake-github: the server does not run: {error}");
            return ExitCode::FAILURE;
        }
    };
    say(&trial);
    if given.once {
        return ExitCode::SUCCESS;
    }
    tokio::select! {
        () = told_to_stop(&mut ended, &mut broken) => ExitCode::SUCCESS,
        () = ends_itself(&mut trial) => {
            eprintln!("fake-github: the server has ended: {}", trial.log());
            ExitCode::FAILURE
        }
    }
}

async fn told_to_stop(ended: &mut Signal, broken: &mut Signal) {
    tokio::select! {
        _ = ended.recv() => {}
        _ = broken.recv() => {}
    }
}

async fn ends_itself(trial: &mut Trial) {
    while !trial.has_ended().unwrap_or(true) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn say(trial: &Trial) {
    let github = trial.github().url();
    println!(
        "\nKeytrail     {}\nA GitHub     {github}   (for trying things out: open it, and do there what its people do)\n\n\
         In another shell, first:\n\n    {}\n\nThen connect the organisation acme; open the link that this prints:\n\n    \
         keytrail integration connect shop --organisation acme --host \"$GITHUB\"\n\nThe README goes on from there: \
         \"Connecting a GitHub\". Ctrl-C ends both, and leaves nothing behind.",
        trial.url(),
        trial.exports(),
    );
}

/// Every repository of a folder becomes one of `acme`.
fn add_all(github: &FakeGithub, folder: &Path) {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name in UTF-8").to_owned();
        let id = github.add_repository("acme", &name);
        github.serve_repository(id, &path);
    }
}
