//! One commit as a walk looks at it: who wrote it, what it says, which issues it names, and the text that was scanned.
//! Called on a blocking thread for who asks about this commit alone; reads one object.

use gix::objs::Kind;
use keytrail_domain::{
    display_text::DisplayText,
    index_run::batch::{CommitSha, Places},
    issue_key::IssueKey,
    person::PersonId,
};

use super::{
    GitError, OpenedRepository, Person,
    commit_object::{Signature, parse},
    message,
};

/// How much of a message is decoded: far more than is scanned, so that what stands behind the bound can be told.
const DECODED: usize = 1024 * 1024;

/// A commit, whether it names an issue or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitText {
    /// Who wrote it.
    pub author: Person,
    /// When it was written, by the author's clock; seconds since 1970.
    pub authored_at: i64,
    /// When it was committed, by the committer's clock; seconds since 1970.
    pub committed_at: i64,
    /// The first paragraph of its message.
    pub subject: DisplayText,
    /// The issues that today's grammar finds in it, and where.
    pub keys: Vec<(IssueKey, Places)>,
    /// Whether a bound of the grammar was met: then not all of the message was scanned, or not every key taken.
    pub bounded: bool,
    /// Its message, at most 1 MiB of it. Not to be shown as it is: it was not cleaned.
    pub message: String,
}

/// Reads and scans a commit; `None` when there is no such commit. `identify` gives a person's id by the address.
pub fn commit_text(
    repository: &OpenedRepository,
    sha: CommitSha,
    identify: &(dyn Fn(&[u8]) -> PersonId + Sync),
) -> Result<Option<CommitText>, GitError> {
    let mut reader = repository.reader();
    let Some((Kind::Commit, bytes)) = reader.read(sha)? else { return Ok(None) };
    let corrupt = |reason: &str| GitError::CorruptObject { sha, reason: reason.to_owned() };
    let commit = parse(bytes, &mut Vec::new()).map_err(corrupt)?;
    let (author, committer) = (Signature::parse(commit.author), Signature::parse(commit.committer));
    let scanned = message::scan(commit.message, commit.encoding);
    let decoded = &commit.message[..commit.message.len().min(DECODED)];
    Ok(Some(CommitText {
        author: Person::of(&author, commit.encoding, identify),
        authored_at: author.seconds,
        committed_at: committer.seconds,
        subject: message::subject(commit.message, commit.encoding),
        keys: scanned.keys,
        bounded: scanned.bounded,
        message: message::decode(decoded, commit.encoding).into_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use keytrail_test_support::repositories::Repository;
    use uuid::Uuid;

    use super::*;
    use crate::git::transport::LocalRepository;

    #[test]
    fn a_commit_is_read_as_a_walk_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let repository = Repository::init(&folder.path().join("made.git"), &["--bare"]).expect("a repository");
        let message = format!("\nKEY-1 goes\non\n\nOTHER-2 {} LATE-3\n", "x".repeat(70_000));
        let named = repository.commit("refs/heads/main", &message, &[]).expect("a commit");
        let plain = repository.commit("refs/heads/main", "no key", &[&named]).expect("a commit");
        let opened = LocalRepository::InPlace(repository.path.clone()).open().expect("a repository");
        let identify = |email: &[u8]| PersonId(Uuid::new_v5(&Uuid::nil(), email));
        let read = |sha| commit_text(&opened, sha, &identify).expect("readable");
        let found = read(named.parse().expect("a name")).expect("a commit");
        let keys: Vec<_> = found.keys.iter().map(|(key, places)| (key.to_string(), *places)).collect();
        assert_eq!(keys, [("KEY-1".to_owned(), Places::SUBJECT), ("OTHER-2".to_owned(), Places::BODY)]);
        assert_eq!((found.subject.as_str(), found.bounded), ("KEY-1 goes on", true));
        assert!(found.message.ends_with("LATE-3\n"), "what stands behind the bound is there");
        let found = read(plain.parse().expect("a name")).expect("a commit");
        assert_eq!((found.subject.as_str(), found.keys.len(), found.bounded), ("no key", 0, false));
        let said = repository.git_line(&["log", "-1", "--format=%an|%at|%ct", &plain]).expect("a line");
        assert_eq!(said.trim(), format!("{}|{}|{}", found.author.name, found.authored_at, found.committed_at));
        let tree = repository.git_line(&["rev-parse", &format!("{plain}^{{tree}}")]).expect("a name");
        assert_eq!(read(tree.trim().parse().expect("a name")), None);
        assert_eq!(read(CommitSha([7; 20])), None);
    }
}
