//! What is kept of a commit with keys between reading and emitting it: a few bytes in an arena with a bound. Written
//! by the workers, read once by the emitting phase; a commit that finds no room is examined again.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use keytrail_domain::{
    display_text::DisplayText,
    index_run::batch::{Commit, CommitSha, Places},
    issue_key::IssueKey,
    person::PersonId,
};

use super::{Person, arena::Arena};
use crate::git::{
    commit_object::{CommitObject, Signature},
    message::{self, Scanned},
};

/// Places are below this; what is above names the reader.
const PLACES: usize = 1 << super::discover::WORKER_SHIFT;
/// Projects that are held once and named by number. Anything can look like a project, so there may be any number.
const MOST_PROJECTS: usize = 4_096;

/// How many bytes all readers together may still write.
#[derive(Default)]
pub(super) struct Room(AtomicUsize);

impl Room {
    pub(super) fn of(bytes: usize) -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(bytes)))
    }

    /// Takes all that is left, and says so, when it is too little.
    fn take(&self, bytes: usize) -> bool {
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(bytes)));
        before.is_ok_and(|left| left >= bytes)
    }

    fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

/// Records of one reader.
#[derive(Default)]
pub(super) struct Records {
    arena: Arena,
    room: Arc<Room>,
    /// The record that was written last.
    written: Vec<u8>,
    people: Vec<Person>,
    projects: Vec<Arc<str>>,
    numbers: Numbers,
}

/// What records name by number.
#[derive(Default)]
struct Numbers {
    /// By name and address as they stand in the commit.
    people: HashMap<Box<[u8]>, u32>,
    projects: HashMap<Arc<str>, u32>,
}

impl Records {
    /// Keeps records as long as there is room.
    pub(super) fn within(room: Arc<Room>) -> Self {
        Self { room, ..Self::default() }
    }

    /// Keeps a record of the commit; `None` when there is no room.
    pub(super) fn add(
        &mut self,
        commit: &CommitObject<'_>,
        scanned: &Scanned,
        identify: &(dyn Fn(&[u8]) -> PersonId + Sync),
    ) -> Option<u32> {
        if self.room.is_spent() {
            return None;
        }
        self.write(commit, scanned, identify);
        if !self.room.take(self.written.len()) {
            return None;
        }
        self.arena.add(&self.written, PLACES)
    }

    /// Writes a record, to be read with [`Self::read_written`].
    pub(super) fn write(
        &mut self,
        commit: &CommitObject<'_>,
        scanned: &Scanned,
        identify: &(dyn Fn(&[u8]) -> PersonId + Sync),
    ) {
        let (author, committer) = (Signature::parse(commit.author), Signature::parse(commit.committer));
        let person = self.person(&author, commit.encoding, identify);
        self.written.clear();
        let out = &mut self.written;
        out.push(u8::from(scanned.bounded));
        // Mostly the same moment, or nearly.
        write_number(out, folded(committer.seconds));
        write_number(out, folded(author.seconds.wrapping_sub(committer.seconds)));
        write_number(out, person.into());
        write_bytes(out, scanned.subject.as_str().as_bytes());
        write_number(out, scanned.keys.len() as u64);
        for (key, places) in &scanned.keys {
            out.push(places.0);
            write_number(out, key.number);
            let known = self.numbers.projects.get(&key.project).copied();
            let number = known.or_else(|| {
                let number = u32::try_from(self.projects.len()).ok().filter(|_| self.projects.len() < MOST_PROJECTS)?;
                // A string of its own: the key's may be shared with much more.
                let project: Arc<str> = (&*key.project).into();
                self.numbers.projects.insert(project.clone(), number);
                self.projects.push(project);
                Some(number)
            });
            match number {
                Some(number) => write_number(out, u64::from(number) + 1),
                None => {
                    write_number(out, 0);
                    write_bytes(out, key.project.as_bytes());
                }
            }
        }
    }

    /// Nothing is added any more: what only writing needs goes.
    pub(super) fn seal(&mut self) {
        (self.numbers, self.written) = Default::default();
    }

    /// Forgets what records name by number, and so every record.
    pub(super) fn clear(&mut self) {
        (self.arena, self.numbers) = Default::default();
        self.people.clear();
        self.projects.clear();
    }

    fn person(
        &mut self,
        author: &Signature<'_>,
        encoding: Option<&[u8]>,
        identify: &(dyn Fn(&[u8]) -> PersonId + Sync),
    ) -> u32 {
        // The encoding belongs to the name: the same bytes may be two names.
        let key = [author.name, author.email, encoding.unwrap_or_default()].join(&b'\n');
        if let Some(number) = self.numbers.people.get(&key[..]) {
            return *number;
        }
        let email = author.email.to_ascii_lowercase();
        let person = Person {
            id: identify(&email),
            name: DisplayText::clean(&message::decode(bounded(author.name), encoding)),
            email: DisplayText::clean_bytes(&email),
        };
        // Taken even when there is none left; nobody is added once it is spent.
        let size = key.len() + person.name.as_str().len() + person.email.as_str().len() + 128;
        self.room.take(size);
        let number = self.people.len() as u32;
        self.people.push(person);
        self.numbers.people.insert(key.into(), number);
        number
    }

    /// Reads a record back, once. `sha` and `introduced_by` are not in it.
    pub(super) fn read(&mut self, at: u32, sha: CommitSha, introduced_by: Arc<str>) -> (Commit, &Person, bool) {
        let (commit, person, bounded) = self.decode(self.arena.get(at), sha, introduced_by);
        self.arena.release(at);
        (commit, &self.people[person], bounded)
    }

    /// Reads what [`Self::write`] wrote.
    pub(super) fn read_written(&self, sha: CommitSha, introduced_by: Arc<str>) -> (Commit, &Person, bool) {
        let (commit, person, bounded) = self.decode(&self.written, sha, introduced_by);
        (commit, &self.people[person], bounded)
    }

    fn decode(&self, mut rest: &[u8], sha: CommitSha, introduced_by: Arc<str>) -> (Commit, usize, bool) {
        let bounded = read_byte(&mut rest) == 1;
        let committed_at = unfolded(read_number(&mut rest));
        let authored_at = committed_at.wrapping_add(unfolded(read_number(&mut rest)));
        let person = read_number(&mut rest) as usize;
        let subject = DisplayText::clean_bytes(read_bytes(&mut rest));
        let count = read_number(&mut rest);
        let keys = (0..count)
            .map(|_| {
                let places = Places(read_byte(&mut rest));
                let number = read_number(&mut rest);
                let project = match read_number(&mut rest) {
                    0 => String::from_utf8_lossy(read_bytes(&mut rest)).into(),
                    at => self.projects[at as usize - 1].clone(),
                };
                (IssueKey { project, number }, places)
            })
            .collect();
        let author = self.people[person].id;
        (Commit { sha, author, authored_at, committed_at, subject, introduced_by, keys }, person, bounded)
    }
}

/// A name that is longer than this is cut before it is decoded.
fn bounded(name: &[u8]) -> &[u8] {
    &name[..name.len().min(4 * 1024)]
}

/// Small numbers for those near zero on either side.
fn folded(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

fn unfolded(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn read_number(rest: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = read_byte(rest);
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}

fn read_byte(rest: &mut &[u8]) -> u8 {
    let (byte, tail) = rest.split_first().expect("`write` wrote this record whole, in this order");
    *rest = tail;
    *byte
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_number(out, bytes.len() as u64);
    out.extend(bytes);
}

fn read_bytes<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let length = read_number(rest) as usize;
    let (bytes, tail) = rest.split_at(length);
    *rest = tail;
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_back_as_they_were() {
        for number in [0, 1, -1, 63, -64, 64, 1 << 31, i64::MAX, i64::MIN, i64::MIN + 1] {
            let mut out = Vec::new();
            write_number(&mut out, folded(number));
            let mut rest = &out[..];
            assert_eq!((unfolded(read_number(&mut rest)), rest), (number, &[][..]));
        }
    }

    #[test]
    fn commits_are_read_back_as_they_were_also_with_more_projects_than_are_numbered() {
        let mut records = Records::within(Room::of(usize::MAX));
        let subject = |n: usize| format!("P{n}X-{} and ALL-7", n + 1);
        let author = |n: usize| format!("Ann {} <ann{}@example.org> {} +0000", n % 7, n % 7, 1_000 * n);
        let at: Vec<u32> = (0..MOST_PROJECTS + 10)
            .map(|n| {
                let (author, message) = (author(n), subject(n));
                let committer = format!("Bob <bob@example.org> {} +0000", i64::MAX - n as i64);
                let commit = CommitObject {
                    author: author.as_bytes(),
                    committer: committer.as_bytes(),
                    encoding: None,
                    message: message.as_bytes(),
                };
                let scanned = message::scan(commit.message, None);
                records.add(&commit, &scanned, &|email| PersonId::of_keyed_hash(&[email[3]; 32])).expect("room")
            })
            .collect();
        records.seal();
        for (n, at) in at.into_iter().enumerate().rev() {
            let (commit, person, bounded) = records.read(at, CommitSha([7; 20]), "refs/heads/main".into());
            assert_eq!((commit.subject.as_str(), bounded), (&*subject(n), false));
            assert_eq!((commit.authored_at, commit.committed_at), (1_000 * n as i64, i64::MAX - n as i64));
            assert_eq!((person.name.as_str(), person.id), (&*format!("Ann {}", n % 7), commit.author));
            let keys: Vec<_> = commit.keys.iter().map(|(key, _)| (key.project.to_string(), key.number)).collect();
            assert_eq!(keys, [(format!("P{n}X"), n as u64 + 1), ("ALL".to_owned(), 7)]);
        }
    }
}
