//! Which git program there is, and by which way repositories are fetched. It asks the program for its version, nothing
//! else.

use std::sync::Arc;

use super::Finding;
use crate::{
    app::App,
    git::transport::{GitProgram, Verdict},
    jobs::JobError,
};

const PROGRAM: &str = "git_program";
const TRANSPORT: &str = "git_transport";

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let known = app.jobs.git.program.as_ref();
    let now = match known {
        // It may have been upgraded or taken away since the start.
        Some(known) => Some(GitProgram::at(&known.path).await),
        None => None,
    };
    Ok(findings(known, now.as_ref().map(|now| now.as_ref().ok())))
}

/// `now` is what the known program says at this moment: `None` within when it does not run any more.
fn findings(known: Option<&GitProgram>, now: Option<Option<&GitProgram>>) -> Vec<Finding> {
    let install = format!("install {}, and restart the server", Verdict::good_versions());
    let program = match (known, now.flatten()) {
        (None, _) => Finding::warn(PROGRAM, "no git program was found".to_owned(), install),
        (Some(known), None) => {
            let sentence = format!("{} was found at the start and does not run now", known.path.display());
            Finding::fail(PROGRAM, sentence, "install it again, or restart the server, which looks for another")
        }
        (Some(known), Some(now)) if known.version != now.version => {
            let sentence = format!("{}; at the start of the server it was git {}", now.sentence(), known.version);
            Finding::warn(PROGRAM, sentence, "restart the server, which then judges the new version")
        }
        (Some(known), Some(_)) if matches!(known.verdict, Verdict::Vouched { .. }) => {
            let remedy = format!(
                "make sure that the distribution mends what is found in git, or install {}",
                Verdict::good_versions()
            );
            Finding::warn(PROGRAM, known.sentence(), remedy)
        }
        (Some(known), Some(_)) if known.is_good() => Finding::ok(PROGRAM, known.sentence()),
        (Some(known), Some(_)) => Finding::warn(PROGRAM, known.sentence(), install),
    };
    let transport = match known {
        Some(known) if known.is_good() => {
            let sentence = "repositories are fetched by the git program, which leaves folders and files out where the \
                            server can do that: about a fourteenth of the bytes";
            Finding::ok(TRANSPORT, sentence.to_owned())
        }
        _ => {
            let sentence = "repositories are fetched in this process, whole: all folders and files come, which no index \
                            needs, and mirrors that git began are not continued nor put in order";
            Finding::warn(TRANSPORT, sentence.to_owned(), "see git_program")
        }
    };
    vec![program, transport]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{doctor::State, git::transport::GitVersion};

    fn program(version: GitVersion) -> GitProgram {
        GitProgram { path: "/usr/bin/git".into(), version, verdict: Verdict::of(version) }
    }

    #[test]
    fn a_program_is_told_with_its_version_and_what_to_install() {
        let good = program(GitVersion(2, 50, 1));
        let [one, way] = &findings(Some(&good), Some(Some(&good)))[..] else { panic!("two findings") };
        assert_eq!((one.state, way.state), (State::Ok, State::Ok));
        assert!(one.sentence.contains("2.50.1") && one.remedy.is_none());

        for bad in [GitVersion(2, 47, 2), GitVersion(2, 30, 0)] {
            let bad = program(bad);
            let [one, way] = &findings(Some(&bad), Some(Some(&bad)))[..] else { panic!("two findings") };
            assert_eq!((one.state, way.state), (State::Warn, State::Warn));
            assert!(one.sentence.contains(&bad.version.to_string()), "{}", one.sentence);
            assert!(one.remedy.as_ref().is_some_and(|remedy| remedy.contains("2.47.3 or a later 2.47")));
        }
    }

    #[test]
    fn a_program_that_an_administrator_vouches_for_is_used_and_warned_of() {
        let mended = program(GitVersion(2, 39, 5)).vouched();
        let [one, way] = &findings(Some(&mended), Some(Some(&program(GitVersion(2, 39, 5)))))[..] else {
            panic!("two findings")
        };
        assert_eq!((one.state, way.state), (State::Warn, State::Ok));
        assert!(one.sentence.contains("git.program_trusted"), "{}", one.sentence);
        let old = program(GitVersion(2, 30, 2)).vouched();
        assert!(!old.is_good(), "what it cannot do, no word mends");
    }

    #[test]
    fn a_program_that_changed_or_went_since_the_start_is_told() {
        let (before, now) = (program(GitVersion(2, 50, 1)), program(GitVersion(2, 47, 2)));
        assert_eq!(findings(Some(&before), Some(None))[0].state, State::Fail);
        let changed = &findings(Some(&before), Some(Some(&now)))[0];
        assert!(changed.state == State::Warn && changed.sentence.contains("2.47.2"), "{}", changed.sentence);
        assert_eq!(findings(None, None)[0].state, State::Warn);
    }
}
