//! Which addresses and schemes an administrator lets the server reach. It names settings, and no host.

use std::sync::Arc;

use super::Finding;
use crate::{
    app::App,
    git::remote::{AddressMode, AddressPolicy},
    jobs::JobError,
};

const ADDRESSES: &str = "git_addresses";
const SCHEMES: &str = "git_schemes";

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    Ok(findings(&app.jobs.git.addresses))
}

fn findings(policy: &AddressPolicy) -> Vec<Finding> {
    let more = match &policy.mode {
        AddressMode::PublicOnly => String::new(),
        AddressMode::Listed { private, hosts, networks } => {
            let private = if *private { ", those of private networks" } else { "" };
            let listed = |count: usize, one: &str| match count {
                0 => String::new(),
                1 => format!(", 1 {one} that is listed"),
                count => format!(", {count} {one}s that are listed"),
            };
            format!("{private}{}{}", listed(hosts.len(), "host"), listed(networks.len(), "network"))
        }
    };
    let addresses = Finding::ok(ADDRESSES, format!("the server may reach: public addresses{more}"));
    let mut open = Vec::new();
    if policy.allow_http {
        open.push("http:// (git.allow_http)");
    }
    if policy.allow_git_scheme {
        open.push("git:// (git.allow_git_protocol)");
    }
    let schemes = if open.is_empty() {
        Finding::ok(SCHEMES, "remotes are reached over https:// and ssh:// only".to_owned())
    } else {
        let sentence = format!(
            "beside https:// and ssh:// remotes may be reached over {}: whoever is on the way can read and change what is \
             fetched, and read passwords",
            open.join(" and ")
        );
        Finding::warn(SCHEMES, sentence, "turn it off once every integration has an https:// or ssh:// address")
    };
    vec![addresses, schemes]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn what_may_be_reached_is_summed_up() {
        let closed = findings(&AddressPolicy::default());
        assert!(closed.iter().all(|finding| finding.state == State::Ok && finding.remedy.is_none()));
        assert!(closed[1].sentence.contains("https:// and ssh://"), "{}", closed[1].sentence);
        let networks = vec!["10.0.0.0/8".parse().expect("a network"), "192.168.0.0/16".parse().expect("a network")];
        let open = findings(&AddressPolicy {
            mode: AddressMode::Listed { private: true, hosts: Vec::new(), networks },
            allow_git_scheme: true,
            allow_http: true,
        });
        assert!(open[0].sentence.ends_with("private networks, 2 networks that are listed"), "{}", open[0].sentence);
        assert_eq!(open[1].state, State::Warn);
        assert!(open[1].sentence.contains("http:// (git.allow_http) and git://"), "{}", open[1].sentence);
    }
}
