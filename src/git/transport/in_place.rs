//! A repository that is read where it lies. Called by the connection; never searches upwards from the path, follows
//! no configuration but the repository's own, and writes nothing.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use crate::git::{GitError, OpenedRepository};

/// A file of git's that names another place or a ref is a line; more than this is none of git's.
const LONGEST_LINE_FILE: u64 = 64 * 1024;

/// Opens the repository exactly at `path`: a working tree, its `.git`, or a bare one.
///
/// The path, the folder of git's data and the folder shared by linked working trees must belong to the server's own
/// user (or, under sudo, to the user who called it). This is git's own rule, and holds for root, too. `safe.directory`
/// is not asked, since it stands in the user's configuration.
pub(super) fn open(path: &Path) -> Result<OpenedRepository, GitError> {
    let common_dir = common_dir(path)?;
    OpenedRepository::at(path, common_dir.clone(), default_branch(&common_dir)?)
}

/// The folder with the objects of the repository exactly at `path`, checked as for [`open`], without links.
pub(super) fn git_folder(path: &Path) -> Result<PathBuf, GitError> {
    fs::canonicalize(common_dir(path)?).map_err(|error| GitError::of_path(path, "opening the repository", error))
}

fn common_dir(path: &Path) -> Result<PathBuf, GitError> {
    let git_dir = git_dir(path)?;
    let common_dir = match read_line(&git_dir.join("commondir")) {
        Ok(line) => git_dir.join(OsStr::from_bytes(&line)),
        Err(error) if is_absent(&error) => git_dir.clone(),
        Err(error) => return Err(GitError::of_path(path, "opening the repository", error)),
    };
    if !common_dir.join("objects").is_dir() || !common_dir.join("refs").is_dir() {
        return Err(GitError::NotARepository { path: path.to_owned() });
    }
    for place in [path, &git_dir, &common_dir] {
        check_owner(place)?;
    }
    check_format(path, &common_dir)?;
    match fs::metadata(common_dir.join("shallow")) {
        Ok(file) if file.len() > 0 => return Err(GitError::Shallow { path: path.to_owned() }),
        Ok(_) => {}
        Err(error) if is_absent(&error) => {}
        Err(error) => return Err(GitError::of_path(path, "opening the repository", error)),
    }
    Ok(common_dir)
}

/// The folder with HEAD. It is looked for at this path only.
fn git_dir(path: &Path) -> Result<PathBuf, GitError> {
    let nothing = || GitError::NotARepository { path: path.to_owned() };
    // A folder that may not be entered looks empty to `is_file`; only reading it tells.
    fs::read_dir(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => nothing(),
        _ => GitError::of_path(path, "opening the repository", error),
    })?;
    let dot_git = path.join(".git");
    let git_dir = if dot_git.is_dir() {
        dot_git
    } else if dot_git.is_file() {
        let line = read_line(&dot_git).map_err(|error| GitError::of_path(path, "opening the repository", error))?;
        path.join(OsStr::from_bytes(line.strip_prefix(b"gitdir: ").ok_or_else(nothing)?))
    } else {
        path.to_owned()
    };
    match fs::symlink_metadata(git_dir.join("HEAD")) {
        Ok(_) => Ok(git_dir),
        Err(error) if is_absent(&error) => Err(nothing()),
        Err(error) => Err(GitError::of_path(path, "opening the repository", error)),
    }
}

fn check_owner(path: &Path) -> Result<(), GitError> {
    // Asked of what a link leads to: that is what will be read.
    let real = fs::canonicalize(path).map_err(|error| GitError::of_path(path, "opening the repository", error))?;
    match gix::sec::identity::is_path_owned_by_current_user(&real) {
        Ok(true) => Ok(()),
        Ok(false) => Err(GitError::Denied {
            path: path.to_owned(),
            reason: "it belongs to another user; run the server as its owner, or change the owner".to_owned(),
        }),
        Err(error) => Err(GitError::of_path(path, "asking for the owner", error)),
    }
}

/// Refuses formats whose objects or refs would be misread. libgit2 reads this one file: opening the repository with
/// it would read the user's and the machine's configuration as well.
fn check_format(path: &Path, common_dir: &Path) -> Result<(), GitError> {
    let file = common_dir.join("config");
    match fs::metadata(&file) {
        Ok(_) => {}
        Err(error) if is_absent(&error) => return Ok(()),
        Err(error) => return Err(GitError::of_path(path, "reading the repository's configuration", error)),
    }
    let unreadable = |error| GitError::transient("reading the repository's configuration", error);
    let config = git2::Config::open(&file).map_err(unreadable)?;
    let version = match config.get_i32("core.repositoryformatversion") {
        Ok(version) => version,
        Err(error) if error.code() == git2::ErrorCode::NotFound => 0,
        Err(error) => return Err(unreadable(error)),
    };
    let refused = |extension: String| Err(GitError::FormatUnsupported { path: path.to_owned(), extension });
    if !(0..=1).contains(&version) {
        return refused(format!("version {version}"));
    }
    let mut entries = config.entries(Some(r"^extensions\.")).map_err(unreadable)?;
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(unreadable)?;
        let name = String::from_utf8_lossy(entry.name_bytes()).to_ascii_lowercase();
        let value = if entry.has_value() { String::from_utf8_lossy(entry.value_bytes()) } else { "".into() };
        match (name.as_str(), value.as_ref()) {
            ("extensions.objectformat", "sha256") => {
                return Err(GitError::Sha256Unsupported { path: path.to_owned() });
            }
            ("extensions.objectformat", "sha1") | ("extensions.refstorage", "files") => {}
            // They change neither objects nor refs.
            (
                "extensions.noop"
                | "extensions.preciousobjects"
                | "extensions.partialclone"
                | "extensions.worktreeconfig"
                | "extensions.relativeworktrees"
                | "extensions.compatobjectformat",
                _,
            ) => {}
            // In version 0, what is not known is not meant; git ignores it, too.
            _ if version == 0 && name != "extensions.objectformat" && name != "extensions.refstorage" => {}
            _ => return refused(format!("{name} = {value}")),
        }
    }
    Ok(())
}

/// The branch that HEAD names, whether it has a commit yet or not; `None` when HEAD names a commit.
fn default_branch(common_dir: &Path) -> Result<Option<Vec<u8>>, GitError> {
    let head = common_dir.join("HEAD");
    let line = match read_line(&head) {
        Ok(line) => line,
        // In a linked working tree's main repository, or a link to a branch that has no commit yet.
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(GitError::of_path(&head, "reading HEAD", error)),
    };
    let name = line.strip_prefix(b"ref:").map(<[u8]>::trim_ascii);
    Ok(name.filter(|name| name.starts_with(b"refs/heads/")).map(<[u8]>::to_vec))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn read_line(path: &Path) -> io::Result<Vec<u8>> {
    use io::Read as _;
    let mut line = Vec::new();
    fs::File::open(path)?.take(LONGEST_LINE_FILE).read_to_end(&mut line)?;
    line.truncate(line.trim_ascii_end().len());
    Ok(line)
}
