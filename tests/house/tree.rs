//! The files of the repository: what a clone holds or would hold after the next commit. What `.gitignore` names is left
//! out.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The paths of all files, relative to the root, with `/`, in order.
pub(crate) fn files() -> Vec<String> {
    let ignore = read(".gitignore");
    let ignored: Vec<&str> = ignore.lines().filter_map(|line| line.strip_prefix('/')).collect();
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder of the repository can be read") {
            let entry = entry.expect("a folder of the repository can be read");
            let name = folder.join(entry.file_name());
            let path = name.to_str().expect("paths of the repository are UTF-8").to_owned();
            let leave_out = path == ".git" || ignored.iter().any(|line| line.trim_end_matches('/') == path);
            match entry.file_type().expect("a file has a type") {
                _ if leave_out => {}
                kind if kind.is_dir() => folders.push(name),
                _ => found.push(path),
            }
        }
    }
    found.sort();
    found
}

/// The files whose path ends with one of these.
pub(crate) fn files_ending(endings: &[&str]) -> Vec<String> {
    files().into_iter().filter(|path| endings.iter().any(|ending| path.ends_with(ending))).collect()
}

/// Whether there is a file or folder at this path.
pub(crate) fn exists(path: &str) -> bool {
    root().join(path).exists()
}

/// The text of a file of the repository.
pub(crate) fn read(path: &str) -> String {
    let bytes = fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path} cannot be read: {error}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The names in a folder, without those that begin with a dot; none when there is no such folder.
pub(crate) fn names_in(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}
