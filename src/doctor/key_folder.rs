//! The folder with keys of the server's account, where one is named: whether it can be read, whether the keys that are used
//! from it are there, on every node, and whether others may read them.

use std::{collections::BTreeSet, sync::Arc};

use keytrail_domain::grouped::counted;
use keytrail_projections::ssh_key_list::{self, SshKey};

use super::Finding;
use crate::{
    app::App,
    jobs::{self, DiskTrouble, JobError, NodeKeys},
    key_folder::{KeyFile, shown},
};

const ID: &str = "key_folder";
const NODES: &str = "key_folders_of_nodes";
/// So many keys are compared; people register a handful.
const MOST: u32 = 1_000;

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let registered = app.read(ssh_key_list::on_disk(MOST)).await?;
    let on_disk = &app.jobs.git.ssh.keys_on_disk;
    let (own, open) = match on_disk.look().await {
        Ok(listing) => {
            let open = listing.files.iter().filter(|file| file.is_open_to_others);
            let open: Vec<String> = open.map(|file| String::from(shown(&file.path))).collect();
            let usable = listing.files.iter().filter_map(KeyFile::usable);
            (Ok(usable.collect::<BTreeSet<_>>()), open)
        }
        Err(DiskTrouble::Off) if registered.is_empty() => (Err(None), Vec::new()),
        Err(trouble) => (Err(Some(trouble.to_string())), Vec::new()),
    };
    let mut findings = vec![here(own.as_ref().map_err(Option::as_deref), &registered, open)];
    let living = jobs::nodes(&app.db).await?;
    let told: Vec<_> = jobs::keys_of_nodes(&app.db).await?;
    let told = told.into_iter().filter(|one| living.contains(&one.node) && one.node != app.jobs.node());
    // What this node found a moment ago counts for itself, and not what it wrote down before.
    let fingerprints = own.unwrap_or_default();
    let this = NodeKeys { node: app.jobs.node().to_owned(), trouble: None, fingerprints };
    let mut nodes: Vec<_> = told.chain([this]).collect();
    let silent = living.iter().filter(|node| nodes.iter().all(|one| one.node != **node));
    let silent: Vec<_> =
        silent.map(|node| NodeKeys { node: node.clone(), trouble: None, fingerprints: BTreeSet::new() }).collect();
    nodes.extend(silent);
    nodes.sort_by(|one, other| one.node.cmp(&other.node));
    findings.extend(compared(&nodes, &registered));
    Ok(findings)
}

/// What is so on this node. `own` is what can be used here, or why nobody can look, or nothing where nobody wants to.
fn here(own: Result<&BTreeSet<String>, Option<&str>>, registered: &[SshKey], open: Vec<String>) -> Finding {
    let own = match own {
        Ok(own) => own,
        Err(None) => return Finding::ok(ID, "no folder with keys is named, and no key is used from one"),
        Err(Some(why)) => {
            let remedy =
                "let the server's user read the folder, or correct ssh_keys.folder, and start the server again";
            // Nobody needs it yet.
            if registered.is_empty() {
                return Finding::warn(ID, why, remedy);
            }
            return Finding::fail(ID, why, remedy).of(registered.iter().map(named).collect());
        }
    };
    let absent: Vec<_> = registered.iter().filter(|key| !own.contains(&key.public.sha256)).map(named).collect();
    if !absent.is_empty() {
        let sentence = format!("keys that are used from their files and are not in the folder: {}", absent.len());
        let remedy = "put each file back, without a passphrase, or choose other keys (`keytrail integration move`) and retire \
                      these";
        return Finding::fail(ID, sentence, remedy).of(absent);
    }
    let sentence =
        format!("{} in the folder can be used, {} registered", counted(own.len() as u64, "key"), registered.len());
    if open.is_empty() {
        return Finding::ok(ID, sentence);
    }
    let sentence = format!("{sentence}; files that others than their owner may read or change: {}", open.len());
    Finding::warn(ID, sentence, "take these rights away (`chmod 600`)").of(open)
}

/// Whether several nodes have the same keys; nothing where there is one, or nobody has any.
fn compared(nodes: &[NodeKeys], registered: &[SshKey]) -> Option<Finding> {
    let all: BTreeSet<&String> = nodes.iter().flat_map(|one| &one.fingerprints).collect();
    if nodes.len() < 2 || all.is_empty() && registered.is_empty() {
        return None;
    }
    let lacks = |node: &NodeKeys, sha256: &String| !node.fingerprints.contains(sha256);
    let why = |node: &NodeKeys| node.trouble.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    let mut used = Vec::new();
    for key in registered {
        let lacking = nodes.iter().filter(|node| lacks(node, &key.public.sha256));
        used.extend(lacking.map(|node| format!("{} lacks {}{}", node.node, named(key), why(node))));
    }
    if !used.is_empty() {
        let sentence = format!("nodes that lack a key which is used from its file: {} of them", used.len());
        let remedy =
            "put the same files into the folder of every node: a repository is read by the node that looks after it";
        return Some(Finding::fail(NODES, sentence, remedy).of(used));
    }
    let mut others = Vec::new();
    for sha256 in all {
        let lacking: Vec<_> = nodes.iter().filter(|node| lacks(node, sha256)).map(|node| &*node.node).collect();
        if !lacking.is_empty() {
            others.push(format!("{sha256} is not on {}", lacking.join(", ")));
        }
    }
    let sentence = format!("{} have the same keys in their folders", counted(nodes.len() as u64, "node"));
    if others.is_empty() {
        return Some(Finding::ok(NODES, sentence));
    }
    let sentence = format!("keys that are in the folder of one node and not of another: {}", others.len());
    let remedy = "put the same files into the folder of every node before one of these keys is registered";
    Some(Finding::warn(NODES, sentence, remedy).of(others))
}

fn named(key: &SshKey) -> String {
    format!("{} ({}, {})", key.name, key.public.sha256, key.path.as_deref().unwrap_or("a file"))
}

#[cfg(test)]
mod tests {
    use keytrail_domain::{
        display_text::DisplayText,
        id::SshKeyId,
        ssh_key::{Algorithm, PublicKey},
        timestamp::Timestamp,
    };
    use keytrail_projections::ssh_key_list::{KeyOrigin, KeyState};
    use uuid::Uuid;

    use super::*;
    use crate::doctor::State;

    fn key(sha256: &str) -> SshKey {
        SshKey {
            id: SshKeyId(Uuid::from_u128(1)),
            name: "deploy".to_owned(),
            folded_name: "deploy".to_owned(),
            state: KeyState::Active,
            origin: KeyOrigin::OnDisk,
            format: None,
            had_passphrase: false,
            public: PublicKey {
                algorithm: Algorithm::Ed25519,
                bits: 256,
                comment: DisplayText::default(),
                sha256: sha256.to_owned(),
                md5: "MD5:0".to_owned(),
                blob: "AAAA".to_owned(),
            },
            rsa_because: None,
            path: Some("/srv/keys/deploy".to_owned()),
            common: true,
            rotation_to: None,
            added_at: Timestamp::from_seconds(1),
            retired_at: None,
            added_position: 1,
            version: 1,
            position: 1,
        }
    }

    fn set(fingerprints: &[&str]) -> BTreeSet<String> {
        fingerprints.iter().map(|one| (*one).to_owned()).collect()
    }

    fn node(name: &str, fingerprints: &[&str]) -> NodeKeys {
        NodeKeys { node: name.to_owned(), trouble: None, fingerprints: set(fingerprints) }
    }

    #[test]
    fn a_folder_that_nobody_needs_is_well_and_one_that_lacks_a_key_is_not() {
        let state = |own: Result<&BTreeSet<String>, Option<&str>>, keys: &[SshKey], open: &[&str]| {
            here(own, keys, open.iter().map(|one| (*one).to_owned()).collect()).state
        };
        let (one, none) = (set(&["SHA256:a"]), set(&[]));
        assert_eq!(state(Err(None), &[], &[]), State::Ok);
        assert_eq!(state(Err(Some("it is gone")), &[], &[]), State::Warn);
        assert_eq!(state(Err(Some("it is gone")), &[key("SHA256:a")], &[]), State::Fail);
        assert_eq!(state(Ok(&one), &[key("SHA256:a")], &[]), State::Ok);
        assert_eq!(state(Ok(&one), &[key("SHA256:a")], &["/srv/keys/deploy"]), State::Warn);
        let found = here(Ok(&none), &[key("SHA256:a")], Vec::new());
        assert_eq!((found.state, found.details), (State::Fail, vec![named(&key("SHA256:a"))]));
    }

    #[test]
    fn nodes_with_other_keys_are_named_and_what_is_used_counts_more() {
        let (first, second) = (node("one", &["SHA256:a", "SHA256:b"]), node("two", &["SHA256:a"]));
        assert_eq!(compared(std::slice::from_ref(&first), &[]), None);
        assert_eq!(compared(&[node("one", &[]), node("two", &[])], &[]), None);
        let nodes = [first, second];
        let found = compared(&nodes, &[key("SHA256:a")]).expect("they are compared");
        assert_eq!((found.state, found.details), (State::Warn, vec!["SHA256:b is not on two".to_owned()]));
        let found = compared(&nodes, &[key("SHA256:b")]).expect("they are compared");
        let lacks = format!("two lacks {}", named(&key("SHA256:b")));
        assert_eq!((found.state, found.details), (State::Fail, vec![lacks]));
        let same = [node("one", &["SHA256:a"]), node("two", &["SHA256:a"])];
        assert_eq!(compared(&same, &[key("SHA256:a")]).map(|found| found.state), Some(State::Ok));
        let trouble = Some("the folder cannot be read".to_owned());
        let nodes = [node("one", &["SHA256:a"]), NodeKeys { trouble, ..node("two", &[]) }];
        let found = compared(&nodes, &[key("SHA256:a")]).expect("they are compared");
        assert!(found.details[0].contains("two lacks") && found.details[0].ends_with("(the folder cannot be read)"));
    }
}
