//! Commits with files in them, one after the other. Called by tests that look at what a commit holds or changed.

use std::io;

use super::Repository;

impl Repository {
    /// Adds a commit that has `file` and `folder/file` with these texts, and points the ref to it; its name.
    pub fn commit_with_files(
        &self,
        name: &str,
        message: &str,
        [top, below]: [&str; 2],
        parents: &[&str],
    ) -> io::Result<String> {
        let made = |arguments: &[&str], input: &str| -> io::Result<String> {
            Ok(String::from_utf8_lossy(&self.git_with_input(arguments, input.as_bytes())?).trim().to_owned())
        };
        let (top, below) =
            (made(&["hash-object", "-w", "--stdin"], top)?, made(&["hash-object", "-w", "--stdin"], below)?);
        let folder = made(&["mktree"], &format!("100644 blob {below}\tfile\n"))?;
        let tree = made(&["mktree"], &format!("100644 blob {top}\tfile\n040000 tree {folder}\tfolder\n"))?;
        let mut arguments = vec!["commit-tree", &tree, "-F", "-"];
        parents.iter().for_each(|parent| arguments.extend(["-p", parent]));
        let sha = made(&arguments, message)?;
        self.git(&["update-ref", name, &sha])?;
        Ok(sha)
    }
}
