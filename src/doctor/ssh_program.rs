//! Which ssh program there is, and what cannot be read without one. It asks the program for its version, nothing else.

use std::{io, path::Path, sync::Arc};

use keytrail_domain::{remote_url::Scheme, service::Connection};
use keytrail_projections::integration_list::{self, IntegrationState};

use super::{Finding, counted};
use crate::{app::App, git::ssh::SshVersion, jobs::JobError};

const ID: &str = "ssh_program";
const PAGE: u32 = 500;

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let program = app.jobs.git.ssh.program.as_deref();
    let version = match program {
        Some(program) => Some((program, SshVersion::of(program).await)),
        None => None,
    };
    let (mut used, mut after) = (0, None);
    loop {
        let page = app.read(integration_list::page(None, Some("git"), after, PAGE)).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.added_position);
        let over_ssh = |connection: &Connection| match connection {
            Connection::Git(remote) => remote.url.scheme() == Scheme::Ssh,
            Connection::Path { .. } | Connection::Folder { .. } | Connection::GithubApp(_) => false,
        };
        let live = page.iter().filter(|row| row.state != IntegrationState::Removed);
        used += live.filter(|row| over_ssh(&row.connection)).count() as u64;
    }
    Ok(vec![finding(version, used)])
}

/// `used` is how many integrations are read over SSH.
fn finding(program: Option<(&Path, io::Result<SshVersion>)>, used: u64) -> Finding {
    let (why, remedy) = match program {
        None if used == 0 => {
            return Finding::ok(ID, "there is no ssh program, and no repository is read over SSH");
        }
        None => (
            "there is no ssh program".to_owned(),
            "install OpenSSH's client (the package openssh-client), or name it as ssh.program, and restart the server",
        ),
        Some((path, Ok(version))) if version >= SshVersion::OLDEST => {
            let path = path.display();
            return Finding::ok(ID, format!("{path} is OpenSSH {version}; repositories are read over SSH by it"));
        }
        Some((path, Ok(version))) => (
            format!(
                "{} is OpenSSH {version}, which is too old: what it is told is known from {} on",
                path.display(),
                SshVersion::OLDEST
            ),
            "install a newer OpenSSH, or name one as ssh.program and restart the server",
        ),
        Some((path, Err(error))) => (
            format!("{} was found at the start and cannot be used: {error}", path.display()),
            "install OpenSSH's client again, or name it as ssh.program; give the server's user a name in /etc/passwd if it has \
             none; then restart the server",
        ),
    };
    let costs = "there is no second way, as the server speaks no SSH itself";
    if used == 0 {
        return Finding::warn(ID, format!("{why}; no repository could be read over SSH, and {costs}"), remedy);
    }
    let used = counted(used, "integration");
    Finding::fail(ID, format!("{why}; nothing new is read of {used} over SSH, and {costs}"), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    fn found(version: io::Result<SshVersion>, used: u64) -> Finding {
        finding(Some((Path::new("/usr/bin/ssh"), version)), used)
    }

    #[test]
    fn a_good_program_is_told_with_its_version() {
        let good = found(Ok(SshVersion(9, 2)), 3);
        assert_eq!((good.state, good.remedy.is_none()), (State::Ok, true));
        assert!(good.sentence.contains("/usr/bin/ssh is OpenSSH 9.2"), "{}", good.sentence);
    }

    #[test]
    fn what_is_missing_or_too_old_fails_where_something_is_read_by_it() {
        let other = || Err(io::Error::other("no version"));
        for (program, none_uses, one_uses) in [
            (None, State::Ok, State::Fail),
            (Some(Ok(SshVersion(6, 6))), State::Warn, State::Fail),
            (Some(other()), State::Warn, State::Fail),
        ] {
            let (unused, program) = match program {
                None => (finding(None, 0), finding(None, 1)),
                Some(Ok(version)) => (found(Ok(version), 0), found(Ok(version), 1)),
                Some(Err(_)) => (found(other(), 0), found(other(), 1)),
            };
            assert_eq!((unused.state, program.state), (none_uses, one_uses), "{}", program.sentence);
            assert!(program.sentence.contains("1 integration") && program.sentence.contains("no second way"));
            assert!(program.remedy.is_some());
        }
    }
}
