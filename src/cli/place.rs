//! Where an integration connects to, as it is given on the command line: a path, a folder or a URL, and how it is
//! reached. Passwords come from files or standard input: arguments can be seen by everybody on the machine.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use keytrail_domain::remote_url::RemoteUrl;
use serde_json::{Map, Value, json};

use super::{CliError, chosen, client::Client, route::Route};
use crate::secrets::Secret;

/// The most that is read of a file with a password or certificates: more than the server takes.
const MOST_BYTES: u64 = 128 << 10;

#[derive(Debug, Args)]
pub(super) struct Place {
    /// A repository of this machine, its https:// or ssh:// address at a git server, or (with --folder) a folder of repositories
    #[arg(value_name = "PATH|URL")]
    target: PathBuf,
    /// Track the repositories below the folder as they come and go
    #[arg(long)]
    folder: bool,
    /// How many folders deep to look for them, 1 to 5 [default: 1]
    #[arg(long, value_name = "N", requires = "folder")]
    depth: Option<u8>,
    /// Read from a copy that is fetched, instead of where the repository lies
    #[arg(long)]
    mirror: bool,
    /// As whom to ask the git server [default with a password: git]
    #[arg(long, value_name = "NAME", requires = "secret")]
    user: Option<String>,
    /// A file with the password or token
    #[arg(long, value_name = "FILE", group = "secret")]
    password_file: Option<PathBuf>,
    /// Read the password or token from standard input
    #[arg(long, group = "secret")]
    password_stdin: bool,
    /// When an integration is moved: forget its user and password
    #[arg(long, conflicts_with = "secret")]
    no_password: bool,
    /// Over SSH, the key of the server that is offered first: its name or its id [default: the common keys alone]
    #[arg(long, value_name = "KEY")]
    ssh_key: Option<String>,
    /// When an integration is moved: offer the common keys alone again
    #[arg(long, conflicts_with = "ssh_key")]
    common_ssh_keys: bool,
    #[command(flatten)]
    route: Route,
    /// Look at refs/notes/* too
    #[arg(long)]
    notes: bool,
    /// Look at refs/changes/* too, where Gerrit keeps what is under review
    #[arg(long)]
    changes: bool,
    /// Look at these refs too, such as refs/pull-requests/*/from; can be given several times
    #[arg(long = "refs", value_name = "PATTERN")]
    patterns: Vec<String>,
}

impl Place {
    /// As the API takes it.
    pub(super) fn connection(&self) -> Result<Value, CliError> {
        let refs = json!({ "notes": self.notes, "changes": self.changes, "patterns": self.patterns });
        let mut connection = match self.target.to_str().filter(|_| !self.folder).filter(|text| is_url(text)) {
            Some(url) => self.remote(url)?,
            None => self.local()?,
        };
        connection.insert("refs".to_owned(), refs);
        Ok(Value::Object(connection))
    }

    /// The same, with the key that was chosen looked up at the server.
    pub(super) async fn connection_by(&self, client: &Client) -> Result<Value, CliError> {
        let mut connection = self.connection()?;
        if let Some(key) = &self.ssh_key {
            connection["ssh_key"] = chosen::SSH_KEY.id(client, key).await?.into();
        } else if self.common_ssh_keys {
            connection["ssh_key"] = Value::Null;
        }
        Ok(connection)
    }

    fn local(&self) -> Result<Map<String, Value>, CliError> {
        let for_servers =
            self.password_file.is_some() || self.password_stdin || self.no_password || self.route.is_given();
        if for_servers || self.ssh_key.is_some() || self.common_ssh_keys {
            let detail = "a password, an SSH key, --ca, --pin and --proxy are for git servers; give an https:// address with them, \
                          or leave them out";
            return Err(CliError::Input(detail.to_owned()));
        }
        let path = absolute(&self.target)?;
        let reading = if self.mirror { "mirrored" } else { "in_place" };
        let mut connection = Map::new();
        connection.insert("kind".to_owned(), if self.folder { "folder" } else { "path" }.into());
        connection.insert("path".to_owned(), utf8(&path)?.into());
        connection.insert("reading".to_owned(), reading.into());
        if self.folder {
            connection.insert("depth".to_owned(), self.depth.unwrap_or(1).into());
        }
        Ok(connection)
    }

    fn remote(&self, url: &str) -> Result<Map<String, Value>, CliError> {
        if self.mirror {
            let detail = "a repository of a git server is always read from a copy; leave --mirror out";
            return Err(CliError::Input(detail.to_owned()));
        }
        if RemoteUrl::parse(url).is_ok_and(|parsed| parsed.credential.is_some()) {
            return Err(seen_by_all("--user with --password-file or --password-stdin"));
        }
        let mut connection = Map::new();
        connection.insert("kind".to_owned(), "git".into());
        connection.insert("url".to_owned(), url.into());
        let password = match (&self.password_file, self.password_stdin) {
            (Some(file), _) => Some(password_of(file)?),
            (None, true) => Some(password_of_stdin()?),
            (None, false) => None,
        };
        if let Some(password) = password {
            let user = self.user.as_deref().unwrap_or("git");
            connection.insert("credential".to_owned(), credential(user, &password));
        } else if self.no_password {
            connection.insert("credential".to_owned(), Value::Null);
        }
        self.route.add_to(&mut connection)?;
        Ok(connection)
    }
}

/// Whether it is meant for a git server: a scheme, `user@host:path`, or one of git's helpers, which the server refuses in
/// its own words. What lies on this machine counts first.
fn is_url(text: &str) -> bool {
    let colon = text.find(':');
    let slash = text.find('/');
    let before_any_slash = colon.is_some_and(|colon| slash.is_none_or(|slash| colon < slash));
    before_any_slash && !Path::new(text).exists()
}

pub(super) fn seen_by_all(instead: &str) -> CliError {
    CliError::Input(format!(
        "the URL holds a user or a password, and everybody on this machine can see the arguments of a command; leave it \
         out of the URL, and give {instead}"
    ))
}

pub(super) fn credential(user: &str, password: &Secret<String>) -> Value {
    json!({ "user": user, "password": password.expose() })
}

pub(super) fn password_of(file: &Path) -> Result<Secret<String>, CliError> {
    password(&mut open(file)?, &file.display().to_string())
}

pub(super) fn password_of_stdin() -> Result<Secret<String>, CliError> {
    password(&mut io::stdin().lock(), "standard input")
}

/// Without the line break at its end.
fn password(from: &mut impl Read, name: &str) -> Result<Secret<String>, CliError> {
    let whole = text(from, name)?;
    let line = whole.expose().strip_suffix('\n').unwrap_or(whole.expose());
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(CliError::Input(format!("{name} is empty; put the password, token or key there")));
    }
    Ok(Secret::new(line.to_owned()))
}

pub(super) fn open(file: &Path) -> Result<File, CliError> {
    File::open(file).map_err(|error| CliError::Input(format!("{} cannot be read: {error}", file.display())))
}

pub(super) fn text(from: &mut impl Read, name: &str) -> Result<Secret<String>, CliError> {
    let mut read = Vec::new();
    let done = from.take(MOST_BYTES + 1).read_to_end(&mut read);
    let bytes = Secret::new(read);
    done.map_err(|error| CliError::Input(format!("{name} cannot be read: {error}")))?;
    if bytes.expose().len() as u64 > MOST_BYTES {
        return Err(CliError::Input(format!(
            "{name} has more than {MOST_BYTES} bytes; check that it is the right file"
        )));
    }
    let text = std::str::from_utf8(bytes.expose());
    let text = text.map_err(|_| CliError::Input(format!("{name} is not text; check that it is the right file")))?;
    Ok(Secret::new(text.to_owned()))
}

/// The path from the root on; the server has another working folder.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path).map_err(|error| CliError::Input(format!("{}: {error}", path.display())))
}

/// One repository of this machine, read in place, as the API takes it.
pub(super) fn in_place(path: &Path) -> Result<Value, CliError> {
    Ok(json!({ "kind": "path", "path": utf8(path)? }))
}

fn utf8(path: &Path) -> Result<&str, CliError> {
    path.to_str().ok_or_else(|| CliError::Input("the path is not UTF-8; rename the folder".into()))
}
