//! SSH servers that show another key than the one that is trusted, the program that looks at host keys, and the file with
//! what was published of them.

use std::sync::Arc;

use keytrail_projections::host_key_list::{self, HostKeyState, SshServer};

use super::{Finding, blocking, counted};
use crate::{
    app::App,
    config,
    jobs::JobError,
    ssh_hosts::{Published, Scanner},
};

const ID: &str = "host_keys";
const PAGE: u32 = 1_000;

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let (mut trusted, mut met, mut changed, mut after) = (0_u64, false, Vec::new(), None);
    loop {
        let page = app.read(host_key_list::page(None, after, PAGE)).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.met_position);
        met = true;
        for server in page {
            match server.state {
                HostKeyState::Trusted => trusted += 1,
                HostKeyState::Changed => changed.push(told(&server)),
                HostKeyState::Seen | HostKeyState::Forgotten => {}
            }
        }
    }
    let sentence = format!("{} trusted", counted(trusted, "SSH server"));
    let mut findings = vec![if changed.is_empty() {
        Finding::ok(ID, sentence)
    } else {
        let sentence = format!("{sentence}; showing another key, and nothing is read from them: {}", changed.len());
        let remedy = "ask the owner of each whether its key was changed, compare each fingerprint, and accept or refuse it: \
                      `keytrail host-key show`, `accept`, `refuse`";
        Finding::fail(ID, sentence, remedy).of(changed)
    }];
    let path = app.config.ssh_keys.published_host_keys.clone();
    let (program, published) =
        blocking(move || Ok((Scanner::find(&config::program_folders()).is_ok(), Published::read(path.as_deref()))))
            .await?;
    // Who meets no SSH server needs no such program.
    if met && !program {
        let sentence = "there is no program ssh-keyscan: nobody can look at the keys of an SSH server here";
        findings.push(Finding::warn(ID, sentence, "install the package openssh-client"));
    }
    if let Err(problem) = published {
        findings.push(Finding::warn(
            ID,
            problem.to_string(),
            "mend the file, or leave the setting out; docs/ssh.md has its form",
        ));
    }
    Ok(findings)
}

fn told(server: &SshServer) -> String {
    let each = |keys: &[keytrail_domain::host_key::HostPublicKey]| {
        let all: Vec<_> = keys.iter().map(|key| format!("{} {}", key.algorithm, key.sha256())).collect();
        all.join(", ")
    };
    let (shown, trusted) = (each(server.keys.offered()), each(server.keys.trusted()));
    format!("{}:{} shows {shown} instead of {trusted}", server.host, server.port)
}
