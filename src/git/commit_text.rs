//! One commit as its object says: who wrote and who committed it, its parents, what it says, which issues it names as a walk
//! finds them, and the text that was scanned. Called on a blocking thread for who asks about this commit alone; reads one
//! object.

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
    pub author: Signed,
    /// Who committed it.
    pub committer: Signed,
    /// Its parents in their order.
    pub parents: Vec<CommitSha>,
    /// The first paragraph of its message.
    pub subject: DisplayText,
    /// The issues that today's grammar finds in it, and where.
    pub keys: Vec<(IssueKey, Places)>,
    /// Whether a bound of the grammar was met: then not all of the message was scanned, or not every key taken.
    pub bounded: bool,
    /// Its message, at most 1 MiB of it. Not to be shown as it is: it was not cleaned.
    pub message: String,
}

/// Who put a name under a commit, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Who. Whoever shows the name asks first whether the person was forgotten.
    pub who: Person,
    /// When, by their own clock; seconds since 1970.
    pub at: i64,
}

/// Reads and scans a commit; `None` when there is no such commit. `identify` gives a person's id by the address.
pub fn commit_text(
    repository: &OpenedRepository,
    sha: CommitSha,
    identify: &(dyn Fn(&[u8]) -> PersonId + Sync),
) -> Result<Option<CommitText>, GitError> {
    let mut reader = repository.reader();
    let Some((Kind::Commit, bytes)) = reader.read(sha)? else { return Ok(None) };
    let mut parents = Vec::new();
    let corrupt = |reason: &str| GitError::CorruptObject { sha, reason: reason.to_owned() };
    let commit = parse(bytes, &mut parents).map_err(corrupt)?;
    let signed = |line| {
        let signature = Signature::parse(line);
        Signed { who: Person::of(&signature, commit.encoding, identify), at: signature.seconds }
    };
    let scanned = message::scan(commit.message, commit.encoding);
    let decoded = &commit.message[..commit.message.len().min(DECODED)];
    Ok(Some(CommitText {
        author: signed(commit.author),
        committer: signed(commit.committer),
        subject: message::subject(commit.message, commit.encoding),
        keys: scanned.keys,
        bounded: scanned.bounded,
        message: message::decode(decoded, commit.encoding).into_owned(),
        parents,
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
        assert_eq!(found.parents, [named.parse::<CommitSha>().expect("a name")]);
        let said = repository.git_line(&["log", "-1", "--format=%an|%ae|%at|%cn|%ce|%ct", &plain]).expect("a line");
        let told = [&found.author, &found.committer].map(|by| format!("{}|{}|{}", by.who.name, by.who.email, by.at));
        assert_eq!(said.trim(), told.join("|"));
        let tree = repository.git_line(&["rev-parse", &format!("{plain}^{{tree}}")]).expect("a name");
        assert_eq!(read(tree.trim().parse().expect("a name")), None);
        assert_eq!(read(CommitSha([7; 20])), None);
    }
}
