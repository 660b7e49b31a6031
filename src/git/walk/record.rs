//! What is kept of a commit with keys between reading and emitting it: a few bytes in an arena with a bound. Written
//! by the workers, read by the emitting phase; a commit that finds no room is examined again.

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

use super::Person;
use crate::git::{
    commit_object::{CommitObject, Signature},
    message::Scanned,
};

/// Offsets are below this; what is above names the reader.
const OFFSETS: usize = 1 << super::discover::WORKER_SHIFT;

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
}

/// Records of one reader.
#[derive(Default)]
pub(super) struct Records {
    bytes: Vec<u8>,
    room: Arc<Room>,
    people: Vec<Person>,
    /// By name and address as they stand in the commit.
    numbers: HashMap<Box<[u8]>, u32>,
}

impl Records {
    /// Writes as long as there is room.
    pub(super) fn within(room: Arc<Room>) -> Self {
        Self { room, ..Self::default() }
    }

    /// Writes a record; `None` when there is no room.
    pub(super) fn add(
        &mut self,
        commit: &CommitObject<'_>,
        scanned: &Scanned,
        identify: &(dyn Fn(&[u8]) -> PersonId + Sync),
    ) -> Option<u32> {
        let keys: usize = scanned.keys.iter().map(|(key, _)| key.project.len() + 11).sum();
        let size = 25 + scanned.subject.as_str().len() + keys;
        if self.bytes.len() + size >= OFFSETS || !self.room.take(size) {
            return None;
        }
        let at = self.bytes.len() as u32;
        let (author, committer) = (Signature::parse(commit.author), Signature::parse(commit.committer));
        let person = self.person(&author, commit.encoding, identify);
        let out = &mut self.bytes;
        out.push(u8::from(scanned.bounded));
        out.extend(author.seconds.to_le_bytes());
        out.extend(committer.seconds.to_le_bytes());
        out.extend(person.to_le_bytes());
        write_bytes(out, scanned.subject.as_str().as_bytes());
        out.extend((scanned.keys.len() as u16).to_le_bytes());
        for (key, places) in &scanned.keys {
            out.push(places.0);
            out.extend(key.number.to_le_bytes());
            write_bytes(out, key.project.as_bytes());
        }
        Some(at)
    }

    /// Forgets everything but the room.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.people.clear();
        self.numbers.clear();
    }

    fn person(
        &mut self,
        author: &Signature<'_>,
        encoding: Option<&[u8]>,
        identify: &(dyn Fn(&[u8]) -> PersonId + Sync),
    ) -> u32 {
        // The encoding belongs to the name: the same bytes may be two names.
        let key = [author.name, author.email, encoding.unwrap_or_default()].join(&b'\n');
        if let Some(number) = self.numbers.get(&key[..]) {
            return *number;
        }
        let email = author.email.to_ascii_lowercase();
        let person =
            Person { id: identify(&email), name: author.shown_name(encoding), email: DisplayText::clean_bytes(&email) };
        // Taken even when there is none left: the record that names the person has its room.
        let size = key.len() + person.name.as_str().len() + person.email.as_str().len() + 128;
        self.room.take(size);
        let number = self.people.len() as u32;
        self.people.push(person);
        self.numbers.insert(key.into(), number);
        number
    }

    /// Reads a record back. `sha` and `introduced_by` are not in it.
    pub(super) fn read(
        &self,
        at: u32,
        sha: CommitSha,
        introduced_by: Arc<str>,
        projects: &mut Projects,
    ) -> (Commit, &Person, bool) {
        let mut rest = &self.bytes[at as usize..];
        let [bounded] = take(&mut rest);
        let authored_at = i64::from_le_bytes(take(&mut rest));
        let committed_at = i64::from_le_bytes(take(&mut rest));
        let person = &self.people[u32::from_le_bytes(take(&mut rest)) as usize];
        let subject = DisplayText::clean_bytes(read_bytes(&mut rest));
        let count = u16::from_le_bytes(take(&mut rest));
        let keys = (0..count)
            .map(|_| {
                let [places] = take(&mut rest);
                let number = u64::from_le_bytes(take(&mut rest));
                (IssueKey { project: projects.shared(read_bytes(&mut rest)), number }, Places(places))
            })
            .collect();
        let commit = Commit { sha, author: person.id, authored_at, committed_at, subject, introduced_by, keys };
        (commit, person, bounded == 1)
    }
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    // Subjects have at most 512 bytes, projects 255.
    out.extend((bytes.len() as u16).to_le_bytes());
    out.extend(bytes);
}

fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (head, tail) = rest.split_first_chunk().expect("`add` wrote this record whole, in this order");
    *rest = tail;
    *head
}

fn read_bytes<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let length = usize::from(u16::from_le_bytes(take(rest)));
    let (bytes, tail) = rest.split_at(length);
    *rest = tail;
    bytes
}

/// Project keys, each held once. Bounded, since anything can look like a project.
#[derive(Default)]
pub(super) struct Projects(HashMap<Box<[u8]>, Arc<str>>);

impl Projects {
    fn shared(&mut self, project: &[u8]) -> Arc<str> {
        const MAX: usize = 4_096;
        if let Some(shared) = self.0.get(project) {
            return shared.clone();
        }
        let shared: Arc<str> = String::from_utf8_lossy(project).into();
        if self.0.len() < MAX {
            self.0.insert(project.into(), shared.clone());
        }
        shared
    }
}
