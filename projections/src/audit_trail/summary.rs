//! What an event says, in one sentence whose subject is the actor. Names no secret, since no event holds one.

use std::collections::BTreeSet;

use keytrail_domain::{
    access, access_settings, commit_link,
    fact::Fact,
    grouped::grouped,
    host_key,
    id::RepositoryId,
    index_run::{
        self, Cause,
        batch::{self, CommitBatch, CommitSet, RefBatch},
    },
    integration, person, project_rules, pull_request,
    ref_selection::RefSelection,
    repository,
    service::{Connection, Reading},
    ssh_key,
    web_links::WebLinks,
};

use super::installation_sentence;

/// The sentence, without its subject and its full stop.
pub(super) fn summary(fact: &Fact) -> String {
    match fact {
        Fact::Integration(event) => integration(event),
        Fact::Repository(event) => repository(event),
        Fact::IndexRun(event) => index_run(event),
        Fact::IndexBatch(event) => index_batch(event),
        Fact::Access(event) => access(event),
        Fact::ProjectRules(event) => project_rules(event),
        Fact::CommitLink(event) => commit_link(event),
        Fact::Person(event) => person(event),
        Fact::Installation(event) => installation_sentence::sentence(event),
        Fact::AccessSettings(event) => access_settings(event),
        Fact::PullRequest(event) => pull_request(event),
        Fact::SshKey(event) => ssh_key(event),
        Fact::HostKey(event) => host_key(event),
    }
}

fn integration(event: &integration::Event) -> String {
    match event {
        integration::Event::Added { name, connection } => {
            format!("added the integration {name}, connected to {}", place(connection))
        }
        integration::Event::Renamed { name, previous } => format!("renamed the integration {previous} to {name}"),
        integration::Event::ConnectionChanged { connection, previous } => moved(connection, previous),
        integration::Event::WebLinksSet { web_links } => links(web_links),
        integration::Event::Paused {} => "paused the integration".to_owned(),
        integration::Event::Resumed {} => "resumed the integration".to_owned(),
        integration::Event::ReindexRequested {} => {
            "asked for an index of each repository of the integration".to_owned()
        }
        integration::Event::ResetRequested {} => "asked for a reset of each repository of the integration".to_owned(),
        integration::Event::IndexingCancelled { asked } => {
            format!("cancelled what was asked of each repository of the integration by event {asked}")
        }
        integration::Event::Removed { name, connection, mirrors, secrets: _ } => {
            let kept = if mirrors.are_deleted() { "" } else { ", and kept the copies of its repositories" };
            format!("removed the integration {name}, connected to {}{kept}", place(connection))
        }
    }
}

fn links(set: &WebLinks) -> String {
    let which = match set {
        WebLinks::Host => "the links of their host".to_owned(),
        WebLinks::Preset { preset } => format!("links as {} has them", preset.as_str()),
        WebLinks::Templates(_) => "links of one's own templates".to_owned(),
        WebLinks::Off => "no links".to_owned(),
    };
    format!("gave the commits, files and refs of the integration {which}")
}

fn repository(event: &repository::Event) -> String {
    match event {
        repository::Event::Discovered { name, location, .. } => {
            format!("discovered the repository {name} at {}", place(location))
        }
        repository::Event::Refused { name, location, code: _, text, .. } => {
            format!("found the repository {name} at {} and cannot index it: {text}", place(location))
        }
        repository::Event::Moved { name, location } => {
            format!("learned that the repository is called {name} now, at {}", place(location))
        }
        repository::Event::Forgotten {} => "forgot the repository".to_owned(),
        repository::Event::Unreachable { code: _, text } => format!("could not look whether anything is new: {text}"),
        repository::Event::Reachable {} => "could look at the repository again".to_owned(),
        repository::Event::Archived {} => "learned that the repository was archived".to_owned(),
        repository::Event::Unarchived {} => "learned that the repository is archived no more".to_owned(),
    }
}

fn index_run(event: &index_run::Event) -> String {
    match event {
        index_run::Event::Requested { repository, cause: Cause::Discovered } => {
            format!("asked for the first index of repository {repository}")
        }
        index_run::Event::Requested { repository, cause: Cause::Asked } => {
            format!("asked for an index of repository {repository}")
        }
        index_run::Event::Requested { repository, cause: Cause::Moved } => {
            format!("asked for an index of what is new in repository {repository}")
        }
        index_run::Event::Requested { repository, cause: Cause::Reset } => {
            format!("reset the index of repository {repository} and asked for a new one")
        }
        index_run::Event::Started { number } => format!("started to index repository number {number}"),
        index_run::Event::Completed { counts, .. } => format!(
            "completed the index run: {} looked at, {} with issue keys, {} moved",
            counted(counts.commits, "commit"),
            grouped(counts.keyed),
            counted(counts.refs, "ref"),
        ),
        index_run::Event::Failed { code: _, text, .. } => format!("could not finish the index run: {text}"),
        index_run::Event::Cancelled { .. } => "cancelled the index run".to_owned(),
    }
}

fn index_batch(event: &batch::Event) -> String {
    match event {
        batch::Event::RefsMoved(RefBatch { refs, .. }) => {
            let gone = refs.iter().filter(|moved| moved.to.is_none()).count();
            let moved = counted((refs.len() - gone) as u64, "ref");
            format!("recorded {moved} that {} new or moved, {} gone", are(refs.len() - gone), grouped(gone as u64))
        }
        batch::Event::CommitsRecorded(CommitBatch { commits, walked, .. }) => format!(
            "recorded {} with issue keys, {} looked at so far",
            counted(commits.len() as u64, "commit"),
            grouped(*walked),
        ),
        batch::Event::CommitsSuperseded(CommitSet { commits, .. }) => {
            let counted = counted(commits.len() as u64, "commit");
            format!("recorded that no ref leads to {counted} any more")
        }
        batch::Event::CommitsRestored(CommitSet { commits, .. }) => {
            let counted = counted(commits.len() as u64, "superseded commit");
            format!("recorded that refs lead to {counted} again")
        }
    }
}

fn access(event: &access::Event) -> String {
    match event {
        access::Event::TokenIssued { name, role, scopes, expires_at, prefix: _ } => {
            let only = scopes.as_ref().map(|scopes| format!(" for {scopes} only")).unwrap_or_default();
            format!("issued the token {name} with the role {role}{only}, valid until {expires_at}")
        }
        access::Event::TokenRevoked {} => "revoked the token".to_owned(),
    }
}

fn access_settings(event: &access_settings::Event) -> String {
    match event {
        access_settings::Event::Changed { services: None } => {
            "let no service come in with a signed token any more".to_owned()
        }
        access_settings::Event::Changed { services: Some(services) } => {
            let access_settings::Services { issuer, audience, keys, .. } = services;
            let shown: Vec<_> = keys.iter().take(SHOWN).map(ToString::to_string).collect();
            let more = keys.len().saturating_sub(SHOWN);
            let rest = if more > 0 { format!(" and {} more", grouped(more as u64)) } else { String::new() };
            let signed = if shown.is_empty() { "no key".to_owned() } else { format!("{}{rest}", shown.join(", ")) };
            format!("let services come in with tokens of {issuer} for {audience}, signed with {signed}")
        }
    }
}

/// Of a list only the first few are named.
const SHOWN: usize = 10;

fn project_rules(event: &project_rules::Event) -> String {
    let project_rules::Event::Changed { known, no_longer_known, denied, no_longer_denied } = event;
    let parts = [
        ("known are", list(known)),
        ("known no more are", list(no_longer_known)),
        ("denied are", list(denied)),
        ("denied no more are", list(no_longer_denied)),
    ];
    let parts = parts.into_iter().filter_map(|(what, list)| Some(format!("{what} {}", list?)));
    format!("changed which projects count: {}", parts.collect::<Vec<_>>().join("; "))
}

/// The first few of them; none of none.
fn list<T: ToString>(all: &BTreeSet<T>) -> Option<String> {
    let shown: Vec<String> = all.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = all.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!(" and {} more", grouped(more as u64)) } else { String::new() };
    (!shown.is_empty()).then(|| format!("{}{rest}", shown.join(", ")))
}

fn commit_link(event: &commit_link::Event) -> String {
    match event {
        commit_link::Event::Linked { sha, issue, repository, commit: _ } => {
            format!("linked the commit {sha} of repository {repository} to {issue}")
        }
        commit_link::Event::Unlinked { sha, issue, repository } => {
            format!("unlinked the commit {sha} of repository {repository} from {issue}")
        }
        commit_link::Event::Restored { sha, issue, repository } => {
            format!("took back what was decided about the commit {sha} of repository {repository} and {issue}")
        }
    }
}

fn person(event: &person::Event) -> String {
    match event {
        person::Event::Forgotten {} => "forgot who a person is".to_owned(),
    }
}

fn pull_request(event: &pull_request::Event) -> String {
    use pull_request::Event::{Deleted, Recorded, Reviewed};
    match event {
        Recorded { repository, number, latest, named_no_more: _ } => {
            let named = counted(latest.keys.len() as u64, "issue");
            format!("recorded the pull request {number} of repository {repository}, which names {named}")
        }
        Reviewed { repository, number, reviews } => {
            let reviews = counted(reviews.len() as u64, "review");
            format!("recorded {reviews} of the pull request {number} of repository {repository}")
        }
        Deleted { repository, number } => {
            format!("learned that the pull request {number} of repository {repository} was deleted")
        }
    }
}

fn ssh_key(event: &ssh_key::Event) -> String {
    use ssh_key::Event::{
        Added, Associated, Dissociated, Generated, Registered, Renamed, Retired, Rotated, RotationAccepted,
        RotationBegun, RotationCancelled, RotationRefused, Shared,
    };
    let these = |repositories: &[RepositoryId]| match repositories {
        [one] => format!("repository {one}"),
        several => format!("{} repositories", grouped(several.len() as u64)),
    };
    let reserved = |common: &bool| if *common { "" } else { "; it is not common" };
    match event {
        Added { name, public, intake, common, secret: _ } => {
            let (kind, how, reserved) = (public.algorithm.title(), intake.format.title(), reserved(common));
            format!("added the SSH key {name}, {kind} with {} bits in {how}: {}{reserved}", public.bits, public.sha256)
        }
        Generated { name, public, rsa_because, common, secret: _ } => {
            let because = rsa_because.map(|reason| format!(", as {}", reason.title())).unwrap_or_default();
            let (kind, bits, sha256) = (public.algorithm.title(), public.bits, &public.sha256);
            format!("generated the SSH key {name}, {kind} with {bits} bits{because}: {sha256}{}", reserved(common))
        }
        Registered { name, public, format: _, common, path } => {
            let (kind, bits, sha256) = (public.algorithm.title(), public.bits, &public.sha256);
            let reserved = reserved(common);
            format!("registered the SSH key {name}, {kind} with {bits} bits, in the file {path}: {sha256}{reserved}")
        }
        Shared { common: true } => "made the SSH key common: it is offered where no key was chosen".to_owned(),
        Shared { common: false } => {
            "made the SSH key one that is not common: it is offered only where it was chosen".to_owned()
        }
        Associated { repositories } => {
            format!("associated the SSH key with {}: no other is offered there", these(repositories))
        }
        Dissociated { repositories } => format!("took the SSH key from {}", these(repositories)),
        RotationBegun { to } => {
            format!("asked for SSH key {to} in the place of this one, where all repositories take it")
        }
        RotationRefused { to, not_taken, others } => {
            let count = grouped(not_taken.len() as u64 + others);
            format!("left the SSH key where it is: {count} of its repositories did not take SSH key {to}")
        }
        RotationCancelled {} => "stopped trying another SSH key in the place of this one".to_owned(),
        RotationAccepted { to, .. } => format!("offers SSH key {to} from now on wherever this one was offered"),
        Rotated { to, name, sha256, .. } => {
            format!("put SSH key {to} in the place of {name} and forgot the private half of that: {sha256}")
        }
        Renamed { name, previous } => format!("renamed the SSH key {previous} to {name}"),
        Retired { name, sha256 } => {
            format!("retired the SSH key {name}, with which nothing is read any more: {sha256}")
        }
    }
}

fn host_key(event: &host_key::Event) -> String {
    use host_key::Event::{ChangeAccepted, ChangeRefused, Changed, Revoked, Seen, Trusted};
    match event {
        Seen { at, keys } => format!("met the SSH server {at}, which shows {}", host_keys(keys)),
        Trusted { at, keys, how } => format!("trusted {} of the SSH server {at}, {}", host_keys(keys), how.title()),
        Changed { at, expected, offered, .. } => {
            let (shown, trusted) = (host_keys(offered), host_keys(expected));
            format!("stopped before the SSH server {at}, which showed {shown} instead of {trusted}")
        }
        ChangeAccepted { at, keys, replaced } if replaced.is_empty() => {
            format!("accepted {} of the SSH server {at}", host_keys(keys))
        }
        ChangeAccepted { at, keys, replaced } => {
            format!("accepted {} of the SSH server {at} instead of {}", host_keys(keys), host_keys(replaced))
        }
        ChangeRefused { at, keys } => format!("refused {} of the SSH server {at}", host_keys(keys)),
        Revoked { at, keys } if keys.is_empty() => format!("forgot what the SSH server {at} showed"),
        Revoked { at, keys } => format!("forgot the SSH server {at} and trusts no more {}", host_keys(keys)),
    }
}

fn host_keys(keys: &[host_key::HostPublicKey]) -> String {
    let each: Vec<_> = keys.iter().map(|key| format!("{} {}", key.algorithm, key.sha256())).collect();
    each.join(", ")
}

/// What differs: the place, or how the same one is read.
fn moved(connection: &Connection, previous: &Connection) -> String {
    if place(connection) != place(previous) {
        return format!("connected the integration to {} instead of {}", place(connection), place(previous));
    }
    let mut differs = Vec::new();
    if let (Connection::Folder { depth, .. }, Connection::Folder { depth: before, .. }) = (connection, previous)
        && depth != before
    {
        differs.push(format!("{} deep instead of {before}", counted(u64::from(*depth), "folder")));
    }
    let (now, before) = (reading(connection), reading(previous));
    if now != before {
        differs.push(format!("read {now} instead of {before}"));
    }
    if connection.refs() != previous.refs() {
        differs.push(format!("with {} instead of {}", refs(connection.refs()), refs(previous.refs())));
    }
    if let (Connection::Git(now), Connection::Git(before)) = (connection, previous)
        && now != before
        && differs.is_empty()
    {
        differs.push("with another password, certificate or proxy".to_owned());
    }
    match differs.is_empty() {
        true => format!("connected the integration to {} as before", place(connection)),
        false => format!("connected the integration to {} in another way: {}", place(connection), differs.join(", ")),
    }
}

const fn reading(connection: &Connection) -> &'static str {
    match connection {
        Connection::Path { reading: Reading::InPlace, .. } | Connection::Folder { reading: Reading::InPlace, .. } => {
            "where it lies"
        }
        Connection::Path { reading: Reading::Mirrored, .. }
        | Connection::Folder { reading: Reading::Mirrored, .. }
        | Connection::Git(_)
        | Connection::GithubApp(_) => "from a copy",
    }
}

fn refs(selection: &RefSelection) -> String {
    let mut words = vec!["branches and tags".to_owned()];
    words.extend(selection.notes().then(|| "notes".to_owned()));
    words.extend(selection.changes().then(|| "changes".to_owned()));
    words.extend(selection.patterns().iter().map(ToString::to_string));
    words.join(" and ")
}

fn place(connection: &Connection) -> String {
    format!("{} {}", connection.kind(), connection.location())
}

const fn are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

fn counted(count: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(count), if count == 1 { "" } else { "s" })
}
