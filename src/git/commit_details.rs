//! One commit as its object says, for whoever looks at it alone: who wrote and who committed it, and its parents. Called
//! on a blocking thread; reads one object.

use gix::objs::Kind;
use keytrail_domain::{display_text::DisplayText, index_run::batch::CommitSha};

use super::{
    GitError, OpenedRepository,
    commit_object::{Signature, parse},
    message,
};

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitDetails {
    /// Who wrote it.
    pub author: Signed,
    /// Who committed it.
    pub committer: Signed,
    /// The first paragraph of its message.
    pub subject: DisplayText,
    /// Its parents in their order.
    pub parents: Vec<CommitSha>,
}

/// Who put a name under a commit, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The name. Whoever shows it asks first whether the person was forgotten.
    pub name: DisplayText,
    /// The address byte for byte, ASCII letters in lower case: the person's id is made of it. Never shown.
    pub email: Vec<u8>,
    /// When, by their own clock; seconds since 1970.
    pub at: i64,
}

impl Signed {
    fn read(line: &[u8], encoding: Option<&[u8]>) -> Self {
        let signature = Signature::parse(line);
        Self {
            name: signature.shown_name(encoding),
            email: signature.email.to_ascii_lowercase(),
            at: signature.seconds,
        }
    }
}

/// What the object of a commit says; `None` when there is no such commit.
pub fn commit_details(repository: &OpenedRepository, sha: CommitSha) -> Result<Option<CommitDetails>, GitError> {
    let mut reader = repository.reader();
    let Some((Kind::Commit, bytes)) = reader.read(sha)? else { return Ok(None) };
    let mut parents = Vec::new();
    let corrupt = |reason: &str| GitError::CorruptObject { sha, reason: reason.to_owned() };
    let commit = parse(bytes, &mut parents).map_err(corrupt)?;
    Ok(Some(CommitDetails {
        author: Signed::read(commit.author, commit.encoding),
        committer: Signed::read(commit.committer, commit.encoding),
        subject: message::subject(commit.message, commit.encoding),
        parents,
    }))
}

#[cfg(test)]
mod tests {
    use keytrail_test_support::repositories::Repository;

    use super::*;
    use crate::git::transport::LocalRepository;

    #[test]
    fn a_commit_says_who_wrote_it_and_what_it_follows() {
        let folder = tempfile::tempdir().expect("a folder");
        let repository = Repository::init(&folder.path().join("made.git"), &["--bare"]).expect("a repository");
        let first = repository.commit("refs/heads/main", "begins", &[]).expect("a commit");
        let second = repository.commit("refs/heads/main", "\ngoes\non\n\nin its body", &[&first]).expect("a commit");
        let opened = LocalRepository::InPlace(repository.path.clone()).open().expect("a repository");
        let sha = second.parse().expect("a name");
        let found = commit_details(&opened, sha).expect("readable").expect("a commit");
        assert_eq!(found.subject.as_str(), "goes on");
        assert_eq!(found.parents, [first.parse::<CommitSha>().expect("a name")]);
        let said = repository.git_line(&["log", "-1", "--format=%cn|%ce|%ct", &second]).expect("a line");
        let email = String::from_utf8_lossy(&found.committer.email).into_owned();
        assert_eq!(said, format!("{}|{email}|{}", found.committer.name.as_str(), found.committer.at));
        let tree = repository.git_line(&["rev-parse", "HEAD^{tree}"]);
        let tree =
            tree.or_else(|_| repository.git_line(&["rev-parse", &format!("{second}^{{tree}}")])).expect("a name");
        assert_eq!(commit_details(&opened, tree.parse().expect("a name")).expect("readable"), None);
        assert_eq!(commit_details(&opened, CommitSha([7; 20])).expect("readable"), None);
    }
}
