//! The keys of SSH in the pool: what may be seen of each, where its file lies if it is not sealed, and the repositories that
//! it is associated with. Retired ones stay readable, since their history does. Never a private half, nor where it is sealed.

mod associations;
mod reads;
#[cfg(test)]
mod tests;

use keytrail_domain::{
    fact::Fact,
    id::{RepositoryId, SshKeyId},
    recorded::Recorded,
    ssh_key::{Event, Origin, PublicKey, SshKeyName},
};

use self::associations::ASSOCIATIONS;
pub use self::{
    associations::{Association, association_counts, associations},
    reads::{KeyCounts, KeyOrigin, KeyState, SshKey, by_fingerprint, by_id, by_name, counts, on_disk, page, tried_for},
};
use crate::{
    row,
    rows::{Keys, Rows},
    view::{History, Kind, Table, View},
};

/// The view.
#[derive(Debug)]
pub struct SshKeyList;

// Keys are few: nothing is looked up by an index but the order of the list.
const KEYS: Table = Table {
    name: "ssh_key_list",
    columns: &[
        ("ssh_key", Kind::Bytes),
        ("name", Kind::Text),
        ("folded_name", Kind::Text),
        ("state", Kind::Text),
        ("origin", Kind::Text),
        ("format", Kind::MaybeText),
        ("had_passphrase", Kind::Int),
        ("algorithm", Kind::Text),
        ("bits", Kind::Int),
        ("key_comment", Kind::Text),
        ("sha256", Kind::Text),
        ("md5", Kind::Text),
        ("public_blob", Kind::Text),
        ("rsa_because", Kind::MaybeText),
        ("file_path", Kind::MaybeText),
        ("common", Kind::Int),
        ("rotation_to", Kind::MaybeBytes),
        ("added_at", Kind::Int),
        ("retired_at", Kind::MaybeInt),
        ("added_position", Kind::Int),
        ("version", Kind::Int),
        ("position", Kind::Int),
    ],
    key: 1,
    history: History::None,
    indexes: &[&["added_position", "ssh_key"]],
};

impl View for SshKeyList {
    fn name(&self) -> &'static str {
        "ssh_key_list"
    }

    fn version(&self) -> u32 {
        2
    }

    fn tables(&self) -> &'static [Table] {
        &[KEYS, ASSOCIATIONS]
    }

    fn keys(&self, fact: &Recorded<Fact>, keys: &mut Keys) {
        match &fact.fact {
            Fact::SshKey(event) => {
                keys.want::<SshKey>(fact.stream.id);
                if let Event::Associated { repositories }
                | Event::Dissociated { repositories }
                | Event::Rotated { repositories, .. } = event
                {
                    repositories.iter().for_each(|repository| keys.want::<Association>(*repository));
                }
            }
            Fact::Integration(_)
            | Fact::Repository(_)
            | Fact::IndexRun(_)
            | Fact::IndexBatch(_)
            | Fact::Access(_)
            | Fact::ProjectRules(_)
            | Fact::CommitLink(_)
            | Fact::Person(_)
            | Fact::Installation(_)
            | Fact::PullRequest(_)
            | Fact::HostKey(_)
            | Fact::AccessSettings(_) => {}
        }
    }

    fn fold(&self, rows: &mut Rows, fact: &Recorded<Fact>) {
        match &fact.fact {
            Fact::SshKey(event) => fold(rows, fact, event),
            Fact::Integration(_)
            | Fact::Repository(_)
            | Fact::IndexRun(_)
            | Fact::IndexBatch(_)
            | Fact::Access(_)
            | Fact::ProjectRules(_)
            | Fact::CommitLink(_)
            | Fact::Person(_)
            | Fact::Installation(_)
            | Fact::PullRequest(_)
            | Fact::HostKey(_)
            | Fact::AccessSettings(_) => {}
        }
    }
}

fn fold(rows: &mut Rows, fact: &Recorded<Fact>, event: &Event) {
    match event {
        Event::Added { name, public, intake, common, secret: _ } => {
            let origin = match intake.origin {
                Origin::Pasted => KeyOrigin::Pasted,
                Origin::File => KeyOrigin::File,
            };
            let (format, had_passphrase) = (Some(intake.format), intake.had_passphrase);
            rows.save(&SshKey { format, had_passphrase, ..key(fact, name, public, origin, *common) });
        }
        Event::Generated { name, public, rsa_because, common, secret: _ } => {
            let rsa_because = *rsa_because;
            rows.save(&SshKey { rsa_because, ..key(fact, name, public, KeyOrigin::Generated, *common) });
        }
        Event::Registered { name, public, format, common, path } => {
            let (format, path) = (Some(*format), Some(path.as_str().to_owned()));
            rows.save(&SshKey { format, path, ..key(fact, name, public, KeyOrigin::OnDisk, *common) });
        }
        Event::Associated { repositories } => {
            let key = SshKeyId(fact.stream.id);
            for repository in repositories {
                rows.save(&Association { repository: *repository, key, position: fact.position });
            }
            change(rows, fact, |_| ());
        }
        Event::Dissociated { repositories } => {
            dissociate(rows, fact, repositories);
            change(rows, fact, |_| ());
        }
        Event::RotationBegun { to } => change(rows, fact, |key| key.rotation_to = Some(*to)),
        Event::RotationAccepted { .. } => change(rows, fact, |_| ()),
        Event::RotationRefused { .. } | Event::RotationCancelled {} => {
            change(rows, fact, |key| key.rotation_to = None);
        }
        Event::Rotated { repositories, .. } => {
            // Those that the other key did not get have none now: they are gone.
            dissociate(rows, fact, repositories);
            change(rows, fact, |key| {
                key.state = KeyState::Retired;
                key.retired_at.get_or_insert(fact.metadata.at);
            });
        }
        Event::Shared { common } => change(rows, fact, |key| key.common = *common),
        Event::Renamed { name, previous: _ } => change(rows, fact, |key| {
            key.name = name.as_str().to_owned();
            key.folded_name = name.folded();
        }),
        Event::Retired { .. } => change(rows, fact, |key| {
            key.state = KeyState::Retired;
            key.retired_at.get_or_insert(fact.metadata.at);
        }),
    }
}

/// Takes the key from those that have it, and no other by now.
fn dissociate(rows: &mut Rows, fact: &Recorded<Fact>, repositories: &[RepositoryId]) {
    for repository in repositories {
        let is_ours = |one: Association| one.key.0 == fact.stream.id;
        if rows.find::<Association>(*repository).is_some_and(is_ours) {
            rows.end(&ASSOCIATIONS, &row![*repository]);
        }
    }
}

fn change(rows: &mut Rows, fact: &Recorded<Fact>, change: impl FnOnce(&mut SshKey)) {
    rows.change(fact.stream.id, |key: &mut SshKey| {
        key.version = fact.sequence;
        key.position = fact.position;
        change(key);
    });
}

fn key(fact: &Recorded<Fact>, name: &SshKeyName, public: &PublicKey, origin: KeyOrigin, common: bool) -> SshKey {
    SshKey {
        id: SshKeyId(fact.stream.id),
        name: name.as_str().to_owned(),
        folded_name: name.folded(),
        state: KeyState::Active,
        origin,
        format: None,
        had_passphrase: false,
        public: public.clone(),
        rsa_because: None,
        path: None,
        common,
        rotation_to: None,
        added_at: fact.metadata.at,
        retired_at: None,
        added_position: fact.position,
        version: fact.sequence,
        position: fact.position,
    }
}
