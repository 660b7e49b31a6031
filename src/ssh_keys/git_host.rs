//! Git hosts as people call them: whether they take more than RSA, and where the public half goes there. Shown with every
//! key by the API and the command line; nothing is decided by a host's name.

/// A git host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GitHost {
    /// One word, which stays.
    pub name: &'static str,
    /// As people call it.
    pub title: &'static str,
    /// Whether it takes no other kind of key.
    pub takes_only_rsa: bool,
    /// Where the public half goes.
    pub hint: &'static str,
}

/// The usual ones; the last is for all others.
pub const GIT_HOSTS: &[GitHost] = &[
    GitHost {
        name: "github",
        title: "GitHub",
        takes_only_rsa: false,
        hint: "In the repository: Settings, Deploy keys, Add deploy key; without write access. A deploy key is for one \
               repository. For several, add the key to an account that may read them: Settings, SSH and GPG keys.",
    },
    GitHost {
        name: "gitlab",
        title: "GitLab",
        takes_only_rsa: false,
        hint: "In the project: Settings, Repository, Deploy keys; without write permissions. Other projects can enable \
               the same key there.",
    },
    GitHost {
        name: "bitbucket_cloud",
        title: "Bitbucket Cloud",
        takes_only_rsa: false,
        hint: "In the repository: Repository settings, Access keys, Add key. Access keys only read.",
    },
    GitHost {
        name: "bitbucket_data_center",
        title: "Bitbucket Data Center",
        takes_only_rsa: false,
        hint: "In the repository, or in the project for all of its repositories: settings, Access keys, Add key; with the \
               permission to read.",
    },
    GitHost {
        name: "azure_devops",
        title: "Azure DevOps",
        takes_only_rsa: true,
        hint: "As an account that may read: User settings, SSH public keys, New key. It takes RSA only.",
    },
    GitHost {
        name: "aws_codecommit",
        title: "AWS CodeCommit",
        takes_only_rsa: true,
        hint: "In IAM, at a user that may read: Security credentials, SSH public keys for AWS CodeCommit, Upload. The id \
               of the key that is shown then is the user of the clone URL. It takes RSA only.",
    },
    GitHost {
        name: "gitea",
        title: "Gitea or Forgejo",
        takes_only_rsa: false,
        hint: "In the repository: Settings, Deploy keys, Add deploy key; without write access.",
    },
    GitHost {
        name: "gerrit",
        title: "Gerrit",
        takes_only_rsa: false,
        hint: "As an account that may read: Settings, SSH keys.",
    },
    GitHost {
        name: "other",
        title: "Any other host",
        takes_only_rsa: false,
        hint: "As one line of ~/.ssh/authorized_keys of the account whose repositories are read. A host that asks for the \
               form of RFC 4716, or SSH2, takes the one that begins with ---- BEGIN SSH2 PUBLIC KEY ----.",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_host_has_a_word_of_its_own_and_who_takes_only_rsa_says_so() {
        let words: BTreeSet<_> = GIT_HOSTS.iter().map(|host| host.name).collect();
        assert_eq!(words.len(), GIT_HOSTS.len());
        for host in GIT_HOSTS {
            assert_eq!(host.hint.contains("RSA only"), host.takes_only_rsa, "{}", host.title);
        }
    }
}
