//! A repository that is read where it lies. Called by the connection; never searches upwards from the path, follows
//! no configuration but the repository's own, and writes nothing.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::parts::{Looking, Parts, is_absent, parts};
use crate::git::{GitError, OpenedRepository, Steps};

/// A file of git's that names another place or a ref is a line; more than this is none of git's.
const LONGEST_LINE_FILE: u64 = 64 * 1024;

/// Opens the repository exactly at `path`: a working tree, its `.git`, or a bare one. With `roots`, no part of it may
/// lead out of them.
///
/// The path, the folder of git's data and the folder shared by linked working trees must belong to the server's own
/// user (or, under sudo, to the user who called it). This is git's own rule, and holds for root, too. `safe.directory`
/// is not asked, since it stands in the user's configuration.
pub(super) fn open(path: &Path, roots: Option<&[PathBuf]>, steps: &Arc<Steps>) -> Result<OpenedRepository, GitError> {
    let Parts { common_dir, .. } = examine(path, roots, Looking::Everywhere, steps)?;
    Ok(OpenedRepository::at(path, common_dir.clone(), default_branch(&common_dir)?)?.telling(steps))
}

/// Whether the repository at exactly `path`, which was found below `root`, can be opened, as far as that can be told
/// without a look at all of its objects and refs.
pub(in crate::git) fn look(path: &Path, root: &Path) -> Result<Parts, GitError> {
    examine(path, Some(&[root.to_owned()]), Looking::AtTheTop, &Steps::default())
}

/// The folder with the objects of the repository exactly at `path`, checked as for [`open`], without links.
pub(super) fn git_folder(path: &Path, roots: Option<&[PathBuf]>, steps: &Steps) -> Result<PathBuf, GitError> {
    let Parts { common_dir, .. } = examine(path, roots, Looking::Everywhere, steps)?;
    fs::canonicalize(common_dir).map_err(|error| GitError::of_path(path, "opening the repository", error))
}

fn examine(path: &Path, roots: Option<&[PathBuf]>, how: Looking, steps: &Steps) -> Result<Parts, GitError> {
    let parts = parts(path, roots, how, steps)?;
    for place in [path, &parts.git_dir, &parts.common_dir] {
        check_owner(place)?;
    }
    check_format(path, &parts.config)?;
    match fs::metadata(parts.common_dir.join("shallow")) {
        Ok(file) if file.len() > 0 => Err(GitError::Shallow { path: path.to_owned() }),
        Ok(_) => Ok(parts),
        Err(error) if is_absent(&error) => Ok(parts),
        Err(error) => Err(GitError::of_path(path, "opening the repository", error)),
    }
}

/// The value of `gitlab.fullpath` in a configuration: what GitLab calls a repository that it stores under a hash.
pub(in crate::git) fn gitlab_name(config: &[u8]) -> Option<Vec<u8>> {
    let config = without_includes(config).ok()?;
    config.raw_value("gitlab.fullpath").ok().map(Into::into)
}

pub(super) fn without_includes(config: &[u8]) -> Result<gix::config::File, String> {
    let options = gix::config::file::init::Options { lossy: true, ..Default::default() };
    let meta = gix::config::file::Metadata::from(gix::config::Source::Local);
    gix::config::File::from_bytes_no_includes(config, meta, options).map_err(|error| error.to_string())
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

/// Refuses formats whose objects or refs would be misread. Like git, which asks the same of a repository before it
/// trusts it, it follows no include: an included file may lie anywhere, and cannot change what the format is.
fn check_format(path: &Path, config: &[u8]) -> Result<(), GitError> {
    let unreadable = |reason: String| GitError::transient("reading the repository's configuration", reason);
    let config = without_includes(config).map_err(unreadable)?;
    let version = match config.raw_value("core.repositoryformatversion") {
        Ok(value) => git2::Config::parse_i32(value.to_string()).map_err(|error| unreadable(error.to_string()))?,
        Err(_) => 0,
    };
    let refused = |extension: String| Err(GitError::FormatUnsupported { path: path.to_owned(), extension });
    if !(0..=1).contains(&version) {
        return refused(format!("version {version}"));
    }
    // A name without a value is listed too: it counts as true.
    let sections = config.sections_by_name("extensions").into_iter().flatten();
    let extensions = sections.flat_map(|section| {
        let names: Vec<String> = section.value_names().collect();
        let below = section.header().subsection_name().map(|name| format!("{name}.")).unwrap_or_default();
        names
            .into_iter()
            .map(move |name| (format!("extensions.{below}{name}").to_ascii_lowercase(), section.value(&name)))
    });
    for (name, value) in extensions {
        let value = value.map(|value| value.to_string()).unwrap_or_default();
        match (name.as_str(), value.as_str()) {
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

fn read_line(path: &Path) -> io::Result<Vec<u8>> {
    use io::Read as _;
    let mut line = Vec::new();
    fs::File::open(path)?.take(LONGEST_LINE_FILE).read_to_end(&mut line)?;
    line.truncate(line.trim_ascii_end().len());
    Ok(line)
}
