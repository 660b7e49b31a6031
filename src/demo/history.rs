//! The history of one repository of the demo: topics with commits, merges, tags, requests, branches that are left open.
//! Called for each repository; what it writes follows from the description and the moment alone.

use std::{collections::BTreeMap, path::Path};

use keytrail_domain::index_run::batch::CommitSha;

use super::{
    chance::Chance,
    company::{BODIES, CHORES, CIRCUMSTANCES, DEEDS, LOOKALIKES, OF_THE_STORY, PEOPLE, STORY, Spec, Style},
};
use crate::git::composed::{BlobName, ComposeError, Composed, Files, NewCommit, Signed};

/// How far back histories go: 18 months.
const LENGTH: i64 = 548 * 86_400;
/// The last commit is so old.
const LATEST: i64 = 2 * 3_600;

/// The branch on which the story goes on.
pub(super) fn story_branch() -> String {
    format!("refs/heads/feature/{STORY}-guest-checkout")
}

/// Writes it.
pub(super) fn write(root: &Path, spec: &Spec, now: i64) -> Result<(), ComposeError> {
    let mut writer = Writer::new(Composed::create(&root.join(spec.path))?, spec, now - LENGTH)?;
    let per_commit = (LENGTH - LATEST - 86_400) / spec.commits as i64;
    while writer.made < spec.commits {
        let done = writer.made;
        writer.clock = (now - LENGTH) + done as i64 * per_commit;
        match writer.chance.below(100) {
            0..45 => writer.topic()?,
            45..72 => writer.keyed()?,
            72..94 => writer.unkeyed(CHORES)?,
            _ => writer.unkeyed(LOOKALIKES)?,
        }
        if writer.made / 25 > done / 25 {
            writer.release(writer.made / 25)?;
        }
    }
    writer.clock = now - LATEST - 80_000;
    if OF_THE_STORY.contains(&spec.path) {
        writer.story()?;
    }
    writer.repository.point("refs/heads/main", writer.main)
}

/// One change of one file: which, after which of its lines, and what is written there.
#[derive(Clone)]
struct Edit {
    file: usize,
    line: usize,
    text: String,
}

/// Writes commit after commit.
pub(super) struct Writer<'a> {
    repository: Composed,
    spec: &'a Spec,
    chance: Chance,
    clock: i64,
    made: usize,
    requests: usize,
    main: Option<CommitSha>,
    texts: Vec<Vec<String>>,
    blobs: BTreeMap<String, BlobName>,
}

impl<'a> Writer<'a> {
    fn new(repository: Composed, spec: &'a Spec, clock: i64) -> Result<Self, ComposeError> {
        let chance = Chance::of(spec.path);
        let texts = spec.files.iter().map(|file| vec![format!("# {file}"), String::new()]).collect();
        let mut writer =
            Self { repository, spec, chance, clock, made: 0, requests: 0, main: None, texts, blobs: BTreeMap::new() };
        for file in 0..spec.files.len() {
            writer.store(file)?;
        }
        let who = writer.somebody();
        let first = writer.commit(who, "Begin", &[])?;
        writer.main = Some(first);
        Ok(writer)
    }

    fn somebody(&mut self) -> usize {
        *self.chance.one(self.spec.people)
    }

    fn store(&mut self, file: usize) -> Result<(), ComposeError> {
        let text = self.texts[file].join("\n") + "\n";
        self.blobs.insert(self.spec.files[file].to_owned(), self.repository.blob(text.as_bytes())?);
        Ok(())
    }

    fn edit(&mut self, subject: &str) -> Edit {
        let file = self.chance.below(self.spec.files.len());
        let line = self.chance.below(1_000);
        let mark = if self.spec.files[file].ends_with(".md") { "-" } else { "//" };
        let number = self.chance.below(90) + 10;
        Edit { file, line, text: format!("{mark} {} = {number};", subject.to_lowercase()) }
    }

    fn apply(&mut self, edit: &Edit) -> Result<(), ComposeError> {
        let lines = &mut self.texts[edit.file];
        let at = 1 + edit.line % lines.len();
        // Now and then a line is written anew, so that a change removes something, too.
        if at + 1 < lines.len() && edit.line.is_multiple_of(3) {
            lines.remove(at);
        }
        lines.insert(at.min(lines.len()), edit.text.clone());
        self.store(edit.file)
    }

    fn signed(&self, who: usize) -> Signed<'static> {
        let (name, email) = PEOPLE[who];
        Signed { name, email, seconds: self.clock }
    }

    fn commit(&mut self, who: usize, message: &str, parents: &[CommitSha]) -> Result<CommitSha, ComposeError> {
        self.clock += 60 + self.chance.below(1_800) as i64;
        let commit = NewCommit { by: self.signed(who), message, parents, files: Files::These(&self.blobs) };
        self.made += 1;
        self.repository.commit(&commit)
    }

    /// Commits on `parent` with a change of its own.
    fn change(&mut self, who: usize, message: &str, parent: CommitSha) -> Result<(CommitSha, Edit), ComposeError> {
        let edit = self.edit(message.lines().next().unwrap_or_default());
        self.apply(&edit)?;
        Ok((self.commit(who, message, &[parent])?, edit))
    }

    /// An issue that was open about then.
    fn key(&mut self) -> String {
        let project = *self.chance.one(self.spec.projects);
        let newest = 4 + self.made * 120 / self.spec.commits;
        let number = 1 + newest.saturating_sub(self.chance.below(12)).min(126);
        format!("{project}-{number}")
    }

    fn what(&mut self) -> (String, &'static str) {
        let (deed, area) = (*self.chance.one(DEEDS), *self.chance.one(self.spec.areas));
        let circumstance = *self.chance.one(CIRCUMSTANCES);
        (format!("{deed} the {area}{circumstance}"), area)
    }

    fn message(&mut self, key: &str) -> String {
        let (what, area) = self.what();
        let mut message = match self.spec.style {
            Style::Before => format!("{key} {what}"),
            Style::Colon => format!("{key}: {what}"),
            Style::Brackets => format!("[{key}] {what}"),
            Style::Behind => format!("{what} ({key})"),
            Style::Conventional => {
                let scope = area.split(' ').next().unwrap_or(area);
                return format!("fix({scope}): {}\n\nRefs: {key}", what.to_lowercase());
            }
        };
        if self.chance.percent(30) {
            message = format!("{message}\n\n{}", self.chance.one(BODIES));
            if self.chance.percent(40) {
                let other = self.key();
                message = format!("{message}\nSee also {other}.");
            }
        }
        message
    }

    fn on_main(&mut self, message: &str) -> Result<(), ComposeError> {
        let who = self.somebody();
        if let Some(main) = self.main {
            self.main = Some(self.change(who, message, main)?.0);
        }
        Ok(())
    }

    fn keyed(&mut self) -> Result<(), ComposeError> {
        let key = self.key();
        let message = self.message(&key);
        self.on_main(&message)
    }

    fn unkeyed(&mut self, subjects: &[&str]) -> Result<(), ComposeError> {
        let message = *self.chance.one(subjects);
        self.on_main(message)
    }

    /// A branch with some commits on one issue, and a request to merge it. Most are merged; some stay open.
    fn topic(&mut self) -> Result<(), ComposeError> {
        let Some(base) = self.main else { return Ok(()) };
        let (key, who) = (self.key(), self.somebody());
        let before = (self.texts.clone(), self.blobs.clone());
        let (mut tip, mut edits) = (base, Vec::new());
        for _ in 0..1 + self.chance.below(3) {
            let message = self.message(&key);
            let (commit, edit) = self.change(who, &message, tip)?;
            tip = commit;
            edits.push(edit);
        }
        self.requests += 1;
        let number = self.requests;
        self.repository.point(&format!("refs/pull/{number}/head"), Some(tip))?;
        (self.texts, self.blobs) = before;
        let branch = format!("feature/{key}-{}", self.chance.one(self.spec.areas).replace(' ', "-").to_lowercase());
        if self.chance.percent(15) {
            return self.repository.point(&format!("refs/heads/{branch}"), Some(tip));
        }
        if self.chance.percent(40) {
            self.unkeyed(CHORES)?;
        }
        for edit in &edits {
            self.apply(edit)?;
        }
        let merger = self.somebody();
        let main = self.main.unwrap_or(base);
        self.main = Some(self.commit(merger, &format!("Merge pull request #{number} from {branch}"), &[main, tip])?);
        Ok(())
    }

    fn release(&mut self, number: usize) -> Result<(), ComposeError> {
        let Some(main) = self.main else { return Ok(()) };
        let name = format!("v{}.{}.0", 1 + number / 5, number % 5);
        if self.chance.percent(70) {
            let by = self.signed(9);
            return self.repository.tag(&name, main, by, &format!("Release {name}"));
        }
        self.repository.point(&format!("refs/tags/{name}"), Some(main))
    }

    /// What the tour shows: a branch of three commits on an issue that other repositories work on, too.
    fn story(&mut self) -> Result<(), ComposeError> {
        let Some(mut tip) = self.main else { return Ok(()) };
        let who = self.somebody();
        let before = (self.texts.clone(), self.blobs.clone());
        for what in
            ["Let guests check out without an account", "Ask for the address once only", "Test the guest checkout"]
        {
            tip = self.change(who, &format!("{STORY} {what}"), tip)?.0;
        }
        self.repository.point(&story_branch(), Some(tip))?;
        self.requests += 1;
        let number = self.requests;
        self.repository.point(&format!("refs/pull/{number}/head"), Some(tip))?;
        (self.texts, self.blobs) = before;
        self.on_main(&format!("{STORY} Announce the guest checkout\n\nThe branch follows next week."))
    }
}
