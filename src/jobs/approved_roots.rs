//! Where the approved folders (`roots` in [git]) lead, told also while one of them is on a share that does not answer: it is
//! waited for by nobody whose repository lies elsewhere. Called whenever a repository of this machine is about to be opened,
//! which it does not do itself.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{JobError, mounts::Mounts, way::Way};
use crate::git::{Steps, transport::LocalRepository};

/// How long a root is waited for.
const ANSWERS: Duration = Duration::from_secs(2);

/// The roots that were asked for on this node.
#[derive(Debug, Default)]
pub(super) struct ApprovedRoots(Mutex<HashMap<PathBuf, Arc<Root>>>);

#[derive(Debug, Default)]
struct Root {
    /// Held by the thread that asks. One does, however long it hangs.
    asking: Arc<tokio::sync::Mutex<()>>,
    known: Mutex<Known>,
    /// Somebody waited for its first answer, and does not any more.
    is_doubted: AtomicBool,
}

/// What is known of a root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Known {
    /// It has never answered.
    #[default]
    Nothing,
    /// It was not there when it answered last, and no link leads to where it would be: nothing lies below it.
    Absent,
    /// It led here when it was found last, or would.
    At(PathBuf),
}

/// An approved folder has never answered, and nobody knows what lies below it.
#[derive(Debug, thiserror::Error)]
#[error(
    "the approved folder {} does not answer, so it cannot be told whether {} lies below it; look at its disk or share, or \
     take it out of `roots` in [git]",
    .root.display(),
    .path.display()
)]
pub(super) struct SilentRoot {
    /// The folder.
    pub(super) root: PathBuf,
    /// What may lie below it.
    path: PathBuf,
}

impl From<SilentRoot> for JobError {
    fn from(silent: SilentRoot) -> Self {
        Self::Later(silent.to_string())
    }
}

impl ApprovedRoots {
    /// The repository at this path, held to the roots if it lies below one.
    ///
    /// Where it lies below one as that is written, no other root is touched. Where that depends on a root which has never
    /// answered since the server began, it cannot be told, and is tried again later.
    pub(super) async fn repository(
        &self,
        path: PathBuf,
        roots: &Arc<[PathBuf]>,
    ) -> Result<LocalRepository, SilentRoot> {
        self.resolved_by(ANSWERS, path, roots, resolved).await
    }

    async fn resolved_by(
        &self,
        patience: Duration,
        path: PathBuf,
        roots: &Arc<[PathBuf]>,
        resolve: impl Fn(&Path) -> io::Result<PathBuf> + Clone + Send + 'static,
    ) -> Result<LocalRepository, SilentRoot> {
        let is_written = roots.iter().any(|root| path.starts_with(root));
        let (mut all, mut silent) = (roots.to_vec(), None);
        for root in roots.iter().filter(|root| !is_written || path.starts_with(root)) {
            match self.ask(root, patience, resolve.clone()).await {
                // Beside the root as it is written: what is found to lie there is below it without asking again.
                Known::At(real) if !all.contains(&real) => all.push(real),
                Known::At(_) | Known::Absent => {}
                Known::Nothing => silent = silent.or(Some(root)),
            }
        }
        if all.iter().any(|root| path.starts_with(root)) {
            return Ok(LocalRepository::BelowRoots { path, roots: all.into() });
        }
        match silent {
            None => Ok(LocalRepository::InPlace(path)),
            Some(root) => Err(SilentRoot { root: root.clone(), path }),
        }
    }

    /// Where a root leads now; where it led before, when it does not say in time.
    async fn ask(
        &self,
        root: &Path,
        patience: Duration,
        resolve: impl FnOnce(&Path) -> io::Result<PathBuf> + Send + 'static,
    ) -> Known {
        let one = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(root.to_owned()).or_default().clone()
        };
        let turn = match one.known() {
            Known::Nothing if !one.is_doubted.load(Ordering::Relaxed) => {
                tokio::time::timeout(patience, one.asking.clone().lock_owned()).await.ok()
            }
            // Somebody asks at this moment, or hangs.
            Known::Nothing | Known::Absent | Known::At(_) => one.asking.clone().try_lock_owned().ok(),
        };
        let Some(turn) = turn else { return one.known() };
        let asking = tokio::task::spawn_blocking({
            let (one, root) = (one.clone(), root.to_owned());
            move || {
                // As long as the thread hangs, and not only as long as somebody waits.
                let _turn = turn;
                let found = resolve(&root);
                let would_be = if found.as_ref().is_err_and(is_absence) { would_be(&root) } else { None };
                one.known.lock().unwrap_or_else(PoisonError::into_inner).learn(found, would_be);
            }
        });
        // Who does not answer in time is known as before.
        if tokio::time::timeout(patience, asking).await.is_err() {
            one.is_doubted.store(true, Ordering::Relaxed);
        }
        one.known()
    }
}

impl Known {
    /// Where it was stays known while it cannot be found: what lies there is held to it still. A disk that fails says nothing
    /// of where it is. Before it was ever found it counts where it would be.
    fn learn(&mut self, found: io::Result<PathBuf>, would_be: Option<PathBuf>) {
        match (found, &self) {
            (Ok(path), _) => *self = Self::At(path),
            (Err(error), Self::Nothing | Self::Absent) if is_absence(&error) => {
                *self = would_be.map_or(Self::Absent, Self::At);
            }
            (Err(_), _) => {}
        }
    }
}

/// Where a folder is, links followed. It looks at a disk, which may not answer.
fn resolved(root: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(root)
}

/// Where a folder would be that is not there: a link may lead to a share that is mounted in the next moment. Nothing where no
/// link does. It looks at a disk, too.
fn would_be(root: &Path) -> Option<PathBuf> {
    let mut way = Way::of(root);
    // All of it is one file system for who waits for all of it.
    way.go_on(&Mounts::default(), &Steps::default());
    Some(way.leads_to()).filter(|place| root.is_absolute() && place != root)
}

/// Whether somebody looked and nothing was found; a disk that fails says less.
fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    // Links in a circle lead nowhere.
    matches!(error.kind(), NotFound | NotADirectory | PermissionDenied)
        || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

impl Root {
    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{atomic::AtomicUsize, mpsc};

    use super::*;

    const MOMENT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(600);

    /// A machine where `/link` leads to `/nas/git`, and may hang.
    #[derive(Clone, Default)]
    struct Machine {
        hangs: Arc<Mutex<Option<mpsc::Receiver<()>>>>,
        asked: Arc<AtomicUsize>,
    }

    impl Machine {
        fn hang(&self) -> mpsc::Sender<()> {
            let (release, held) = mpsc::channel();
            *self.hangs.lock().expect("nobody panics") = Some(held);
            release
        }

        fn resolve(&self, root: &Path) -> io::Result<PathBuf> {
            match root.to_str() {
                Some("/link") => {
                    self.asked.fetch_add(1, Ordering::SeqCst);
                    let held = self.hangs.lock().expect("nobody panics").take();
                    if let Some(held) = held {
                        let _ = held.recv();
                    }
                    Ok("/nas/git".into())
                }
                Some("/gone") => Err(io::ErrorKind::NotFound.into()),
                _ => Ok(root.to_owned()),
            }
        }

        async fn repository(
            &self,
            roots: &ApprovedRoots,
            patience: Duration,
            path: &str,
        ) -> Result<String, SilentRoot> {
            let all: Arc<[PathBuf]> = ["/gone", "/link", "/srv/git"].map(PathBuf::from).into();
            let here = self.clone();
            let local = roots.resolved_by(patience, path.into(), &all, move |root| here.resolve(root)).await?;
            Ok(match local {
                LocalRepository::InPlace(_) => "free".to_owned(),
                LocalRepository::BelowRoots { roots, .. } => format!("{roots:?}"),
            })
        }
    }

    #[test]
    fn a_root_that_cannot_be_found_is_held_to_be_where_it_was() {
        let learned = |mut known: Known, kind: io::ErrorKind| {
            known.learn(Err(kind.into()), Some("/nas/link".into()));
            known
        };
        let there = Known::At("/nas/git".into());
        for kind in [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied, io::ErrorKind::TimedOut] {
            assert_eq!(learned(there.clone(), kind), there);
        }
        for before in [Known::Nothing, Known::Absent] {
            assert_eq!(learned(before, io::ErrorKind::NotFound), Known::At("/nas/link".into()));
        }
        let mut known = Known::Nothing;
        known.learn(Err(io::ErrorKind::NotFound.into()), None);
        assert_eq!(known, Known::Absent);
        assert_eq!(learned(Known::Nothing, io::ErrorKind::TimedOut), Known::Nothing, "a disk that fails tells nothing");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_link_to_a_share_that_is_not_mounted_leads_to_is_held_to_it_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().canonicalize().expect("it is there");
        let (link, share) = (place.join("link"), place.join("nas/git"));
        std::os::unix::fs::symlink(&share, &link).expect("a link");
        let all: Arc<[PathBuf]> = [link.clone(), place.join("gone")].into();
        let roots = ApprovedRoots::default();
        let below = roots.repository(share.join("shop.git"), &all).await.expect("the roots answer");
        let expected = [link, place.join("gone"), share.clone()].into();
        assert_eq!(below, LocalRepository::BelowRoots { path: share.join("shop.git"), roots: expected });
        let beside = place.join("nas/other.git");
        let free = roots.repository(beside.clone(), &all).await.expect("the roots answer");
        assert_eq!(free, LocalRepository::InPlace(beside));
        // Links in a circle are somebody's mistake, and no disk that fails.
        let circle = place.join("circle");
        std::os::unix::fs::symlink(&circle, &circle).expect("a link");
        let free = ApprovedRoots::default().repository(share.clone(), &[circle].into()).await;
        assert_eq!(free.expect("it is no root"), LocalRepository::InPlace(share));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_root_that_hangs_holds_nobody_whose_repository_is_below_another() {
        let (machine, roots) = (Machine::default(), ApprovedRoots::default());
        let release = machine.hang();
        let below = machine.repository(&roots, LONG, "/srv/git/shop.git").await.expect("it is below this one");
        assert_eq!(below, r#"["/gone", "/link", "/srv/git"]"#);
        assert_eq!(machine.asked.load(Ordering::SeqCst), 0, "the other one was not touched");
        // It may lie below the one that hangs, and nobody knows.
        for _ in 0..3 {
            let later = machine.repository(&roots, MOMENT, "/home/anne/shop.git").await;
            assert!(later.is_err_and(|silent| silent.root == Path::new("/link")));
        }
        // Who comes while it hangs does not wait for it any more.
        let later = machine.repository(&roots, LONG, "/home/anne/shop.git").await.map_err(JobError::from);
        assert!(matches!(&later, Err(JobError::Later(why)) if why.contains("/link")), "{later:?}");
        assert!(machine.asked.load(Ordering::SeqCst) <= 1, "no try adds a thread");
        drop(release);
        // The thread needs a moment to end.
        let known = loop {
            if let Ok(known) = machine.repository(&roots, LONG, "/home/anne/shop.git").await {
                break known;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(known, "free");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_root_that_has_answered_once_holds_nobody_when_it_hangs() {
        let (machine, roots) = (Machine::default(), ApprovedRoots::default());
        let by_link = machine.repository(&roots, LONG, "/nas/git/shop.git").await.expect("it is below the link");
        assert_eq!(by_link, r#"["/gone", "/link", "/srv/git", "/nas/git"]"#);
        let release = machine.hang();
        for _ in 0..3 {
            let free = machine.repository(&roots, MOMENT, "/home/anne/shop.git").await.expect("it is known");
            assert_eq!(free, "free");
            let held_to = machine.repository(&roots, MOMENT, "/nas/git/shop.git").await.expect("it is known");
            assert_eq!(held_to, by_link, "and what lies below it is held to it");
        }
        assert!(machine.asked.load(Ordering::SeqCst) <= 2, "no try adds a thread");
        drop(release);
        // A folder whose name begins like a root's does not lie below it.
        for beside in ["/srv/git-beside/shop.git", "/nas/git-beside/shop.git"] {
            assert_eq!(machine.repository(&roots, LONG, beside).await.expect("it is known"), "free");
        }
    }
}
