//! `keytrail ssh-key`: what a private key is, whether it can be used, and the same key in another form. This works on files
//! of this machine alone and asks no server; a private half is written only where it is told to. What the server keeps is
//! `ssh_key_pool.rs`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand, ValueEnum};

use super::{
    CliError, output,
    passphrase::{self, Passphrase},
    place,
    ssh_key_files::OnDisk,
    ssh_key_pool::Pool,
    ssh_key_told as told,
};
use crate::{
    config::Config,
    ids,
    secrets::Secret,
    ssh_keys::{self, Fresh, MOST_BYTES, Platform, Problem, SshKey, Target},
};

#[derive(Debug, Subcommand)]
pub(super) enum SshKeyCommand {
    /// Say what a private key is, try it out, and show its public half
    Inspect(Inspect),
    /// Write the same key in another form
    Convert(Convert),
    /// Write a new key into files of this machine: a private half, and a public half beside it
    MakeFile(MakeFile),
    /// How to make a key, and which half goes where
    Guide(Guide),
    #[command(flatten)]
    Pool(Pool),
    #[command(flatten)]
    OnDisk(OnDisk),
}

#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The file with the private key; - reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Convert {
    /// The file with the private key; - reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// In which form
    #[arg(long)]
    to: Form,
    /// Where to write it, for its owner's eyes only; nothing is overwritten [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    passphrase: Passphrase,
    /// A file with another passphrase for what is written [default: the one that the key has]
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    /// Write it without a passphrase
    #[arg(long, conflicts_with = "new_passphrase_file")]
    no_passphrase: bool,
    /// Print JSON
    #[arg(long, requires = "out")]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct MakeFile {
    /// Where to write the private half, for its owner's eyes only; the public half goes beside it, with .pub
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The kind; RSA (4096 bits) is for git hosts that take nothing else
    #[arg(long = "type", value_name = "KIND", default_value = "ed25519")]
    kind: Kind,
    /// What it is called
    #[arg(long, value_name = "TEXT", default_value = "keytrail")]
    comment: String,
    /// A file with a passphrase for it [default: none]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Guide {
    /// Where you sit [default: this machine]
    #[arg(value_name = "PLATFORM")]
    platform: Option<Seat>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    Openssh,
    Pem,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Ed25519,
    Rsa,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Seat {
    Linux,
    Macos,
    Windows,
    GitBash,
}

impl SshKeyCommand {
    /// Whether a server is asked.
    pub(super) const fn asks_a_server(&self) -> bool {
        match self {
            Self::Inspect(_) | Self::Convert(_) | Self::MakeFile(_) | Self::Guide(_) => false,
            Self::Pool(_) | Self::OnDisk(_) => true,
        }
    }

    /// What works on this machine alone; nothing of the others, which [`Self::run`] carries out.
    pub(super) fn run_here(&self) -> Result<ExitCode, CliError> {
        match self {
            Self::Inspect(command) => command.run(),
            Self::Convert(command) => command.run(),
            Self::MakeFile(command) => command.run(),
            Self::Guide(command) => command.run(),
            Self::Pool(_) | Self::OnDisk(_) => Ok(ExitCode::SUCCESS),
        }
    }

    /// Carries it out.
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        match self {
            Self::Pool(command) => command.run(config).await,
            Self::OnDisk(command) => command.run(config).await,
            here => here.run_here(),
        }
    }
}

impl Inspect {
    fn run(&self) -> Result<ExitCode, CliError> {
        let bytes = bytes_of(&self.file, &self.passphrase)?;
        let name = name_of(&self.file);
        let look = ssh_keys::look(bytes.expose());
        let opened = match &look {
            Ok(_) => opened(bytes.expose(), &self.passphrase, &name)?.map(|(key, _)| key),
            Err(problem) => Err(problem.clone()),
        };
        match opened {
            Ok(key) => told::key(&key, self.json)?,
            Err(problem) => {
                told::problem(&problem, look.ok().as_ref(), &name, self.json)?;
                return Ok(ExitCode::from(1));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Convert {
    fn run(&self) -> Result<ExitCode, CliError> {
        let bytes = bytes_of(&self.file, &self.passphrase)?;
        let name = name_of(&self.file);
        let (key, passphrase) =
            opened(bytes.expose(), &self.passphrase, &name)?.map_err(|problem| told::refusal(&problem, &name))?;
        let new = self.new_passphrase_file.as_deref().map(place::password_of).transpose()?;
        // A key that had a passphrase does not lose it unasked.
        let kept = passphrase.filter(|_| key.encryption().is_some());
        let passphrase = if self.no_passphrase { None } else { new.or(kept) };
        let target = match self.to {
            Form::Openssh => Target::OpenSsh,
            Form::Pem => Target::Pem,
        };
        let written = key.written(target, passphrase.as_ref(), &fresh());
        let written = written.map_err(|problem| told::refusal(&problem, &name))?;
        match &self.out {
            None => {
                let _ = io::stdout().lock().write_all(written.expose().as_bytes());
            }
            Some(out) => {
                write_new(out, written.expose(), 0o600)?;
                told::written(&key, out, passphrase.is_some(), self.json)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl MakeFile {
    fn run(&self) -> Result<ExitCode, CliError> {
        let passphrase = self.passphrase_file.as_deref().map(place::password_of).transpose()?;
        let beside = with_pub(&self.out);
        if let Some(there) = [&self.out, &beside].into_iter().find(|path| path.symlink_metadata().is_ok()) {
            return Err(in_the_way(there));
        }
        let key = match self.kind {
            Kind::Ed25519 => ssh_keys::ed25519(Secret::new(ids::random_bytes::<32>().to_vec()), &self.comment),
            Kind::Rsa => ssh_keys::rsa_4096(&self.comment),
        };
        let failed = |problem: Problem| CliError::Failed(problem.to_string());
        let key = key.map_err(failed)?;
        let written = key.written(Target::OpenSsh, passphrase.as_ref(), &fresh()).map_err(failed)?;
        write_new(&self.out, written.expose(), 0o600)?;
        write_new(&beside, &format!("{}\n", key.public().openssh(key.comment())), 0o644)?;
        told::written(&key, &self.out, passphrase.is_some(), self.json)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Guide {
    fn run(&self) -> Result<ExitCode, CliError> {
        let platform = match self.platform {
            Some(Seat::Linux) => Platform::Linux,
            Some(Seat::Macos) => Platform::Macos,
            Some(Seat::Windows) => Platform::Windows,
            Some(Seat::GitBash) => Platform::GitBash,
            None if cfg!(target_os = "macos") => Platform::Macos,
            None => Platform::Linux,
        };
        told::guide(platform, self.json)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The key and the passphrase that opened it; it is asked for only where the key has one and none was given.
#[expect(clippy::type_complexity, reason = "what is wrong with a key is no failure of the command")]
pub(super) fn opened(
    bytes: &[u8],
    options: &Passphrase,
    name: &str,
) -> Result<Result<(SshKey, Option<Secret<String>>), Problem>, CliError> {
    let given = options.given()?;
    let passphrase = match ssh_keys::read(bytes, given.as_ref()) {
        Err(Problem::PassphraseNeeded) if given.is_none() => passphrase::asked(name)?,
        done => return Ok(done.map(|key| (key, given))),
    };
    Ok(ssh_keys::read(bytes, passphrase.as_ref()).map(|key| (key, passphrase)))
}

/// No more than a key may have, and one byte, by which it is seen that it is too much.
pub(super) fn bytes_of(file: &Path, options: &Passphrase) -> Result<Secret<Vec<u8>>, CliError> {
    let most = MOST_BYTES + 1;
    let mut bytes = Vec::with_capacity(most);
    let read = if file.as_os_str() == "-" {
        if options.is_on_stdin() {
            let detail = "standard input cannot hold both the key and its passphrase; give one of them in a file";
            return Err(CliError::Input(detail.to_owned()));
        }
        io::stdin().lock().take(most as u64).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|file| file.take(most as u64).read_to_end(&mut bytes))
    };
    let bytes = Secret::new(bytes);
    match read {
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(CliError::Missing(format!("there is no file {}", file.display())))
        }
        Err(error) => Err(CliError::Input(format!("{} cannot be read: {error}", file.display()))),
    }
}

/// As a shell takes it.
pub(super) fn name_of(file: &Path) -> String {
    if file.as_os_str() == "-" { "FILE".to_owned() } else { output::quoted(&file.to_string_lossy()) }
}

fn with_pub(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

fn fresh() -> Fresh {
    Fresh { check: ids::random_bytes(), salt: ids::random_bytes(), iv: ids::random_bytes() }
}

fn in_the_way(path: &Path) -> CliError {
    CliError::Input(format!("{} is there already, and is not overwritten; give another name", path.display()))
}

/// Writes what was not there. What was begun and failed is taken away again.
fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), CliError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => in_the_way(path),
        _ => CliError::Input(format!("{} cannot be written: {error}", path.display())),
    })?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|source| {
        let _ = fs::remove_file(path);
        CliError::System { what: "write the key", source }
    })
}
