//! The way that a path leads by its links, from one file system of this machine to the next, so that what hangs is known to
//! hang where it does. It touches one file system at a time; whoever wants to add a path goes it on threads.

use std::{
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use super::mounts::Mounts;
use crate::git::Steps;

/// Links that are followed, as many as by Linux.
const MOST_LINKS: usize = 40;

/// A path on whose way somebody is.
#[derive(Debug)]
pub(super) struct Way {
    /// So far, without links.
    walked: PathBuf,
    /// The parts that come then, the next one last.
    rest: Vec<OsString>,
    links: usize,
    is_over: bool,
}

impl Way {
    /// At its beginning.
    pub(super) fn of(path: &Path) -> Self {
        let mut way = Self { walked: PathBuf::from("/"), rest: Vec::new(), links: 0, is_over: false };
        way.turn_to(path);
        way
    }

    /// What is looked at next; nothing at the end.
    pub(super) fn next_part(&self) -> Option<PathBuf> {
        self.rest.last().filter(|_| !self.is_over).map(|part| self.walked.join(part))
    }

    /// Where it leads, as far as that is known.
    pub(super) fn leads_to(&self) -> PathBuf {
        let mut path = self.walked.clone();
        path.extend(self.rest.iter().rev());
        path
    }

    /// Goes on within the file system of what is next. It is over at what is no link and cannot be entered, too: whoever
    /// reads there learns why.
    pub(super) fn go_on(&mut self, mounts: &Mounts, steps: &Steps) {
        let mut place: Option<Arc<str>> = None;
        while let Some(next) = self.next_part() {
            let here = mounts.of(&next);
            if *place.get_or_insert_with(|| here.clone()) != here {
                return;
            }
            self.rest.pop();
            if next.ends_with("..") {
                // What was walked has no links.
                self.walked.pop();
                continue;
            }
            match fs::symlink_metadata(&next).map(|found| found.is_symlink()) {
                Ok(false) => self.walked = next,
                Ok(true) => match fs::read_link(&next) {
                    Ok(target) if self.links < MOST_LINKS => {
                        self.links += 1;
                        self.turn_to(&target);
                    }
                    Ok(_) | Err(_) => self.end_at(next),
                },
                Err(_) => self.end_at(next),
            }
            steps.step();
        }
    }

    fn end_at(&mut self, path: PathBuf) {
        (self.walked, self.is_over) = (path, true);
    }

    fn turn_to(&mut self, path: &Path) {
        if path.is_absolute() {
            self.walked = PathBuf::from("/");
        }
        let parts = path.components().rev().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
        self.rest.extend(parts.map(|part| part.as_os_str().to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_way_goes_through_one_file_system_at_a_time_and_ends_where_its_links_lead() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("it is there");
        let share = root.join("share");
        for made in [&share, &root.join("there/shop.git")] {
            fs::create_dir_all(made).expect("a folder");
        }
        symlink("share/git", root.join("link")).expect("a link");
        symlink("../there", share.join("git")).expect("a link");
        let mounts = Mounts::parse(format!("1 0 8:1 / /\n2 1 0:50 / {}\n", share.display()).as_bytes());
        let mut way = Way::of(&root.join("link/shop.git"));
        let mut stages = Vec::new();
        while let Some(next) = way.next_part() {
            stages.push(next);
            way.go_on(&mounts, &Steps::default());
        }
        let first = PathBuf::from("/").join(root.components().nth(1).expect("it is below /"));
        assert_eq!(stages, [first, share, root.join("there")]);
        assert_eq!(way.leads_to(), root.join("there/shop.git"));
    }

    #[test]
    fn a_way_that_leads_in_a_circle_or_nowhere_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("it is there");
        symlink("circle", root.join("circle")).expect("a link");
        for end in ["circle/shop.git", "nowhere/shop.git"] {
            let mut way = Way::of(&root.join(end));
            way.go_on(&Mounts::default(), &Steps::default());
            assert_eq!((way.next_part(), way.leads_to()), (None, root.join(end)));
        }
    }
}
