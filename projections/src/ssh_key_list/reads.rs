//! What can be asked of the list of keys.

use keytrail_domain::{
    display_text::DisplayText,
    id::SshKeyId,
    recorded::{Position, Sequence},
    ssh_key::{Format, PublicKey, RsaReason},
    timestamp::Timestamp,
};

use super::{KEYS, SshKeyList};
use crate::{
    row,
    stored::Stored,
    value::{BadRow, Cells, Row, Value},
    view::{Read, Table},
    word::words,
};

words! {
    /// Where a key is in its life.
    KeyState {
        /// It is in the pool.
        Active = "active",
        /// It is gone for good, its private half with it.
        Retired = "retired",
    }
}

words! {
    /// How a key came into the pool.
    KeyOrigin {
        /// Somebody gave it as text.
        Pasted = "pasted",
        /// Somebody gave it as a file.
        File = "file",
        /// The server made it.
        Generated = "generated",
        /// It lies in the folder of the server's account.
        OnDisk = "on_disk",
    }
}

/// A key, as far as it may be seen.
#[derive(Clone, Debug, PartialEq)]
pub struct SshKey {
    /// Which.
    pub id: SshKeyId,
    /// What people call it.
    pub name: String,
    /// Its name as it is compared.
    pub folded_name: String,
    /// Where it is in its life.
    pub state: KeyState,
    /// How it came.
    pub origin: KeyOrigin,
    /// How it was written when it came; nothing where the server made it.
    pub format: Option<Format>,
    /// Whether it had a passphrase when it came.
    pub had_passphrase: bool,
    /// The half that everybody may see.
    pub public: PublicKey,
    /// Why the server made it of RSA, if it did.
    pub rsa_because: Option<RsaReason>,
    /// Where its file was found, if its private half is not sealed.
    pub path: Option<String>,
    /// Whether it is offered where no key is associated, after a chosen one.
    pub common: bool,
    /// The key that took its place, or is about to.
    pub rotation_to: Option<SshKeyId>,
    /// When it came.
    pub added_at: Timestamp,
    /// When it was taken away.
    pub retired_at: Option<Timestamp>,
    /// The position at which it came: the order of the list.
    pub added_position: Position,
    /// The sequence of the last event of its stream: its ETag.
    pub version: Sequence,
    /// The position of that event.
    pub position: Position,
}

impl Stored for SshKey {
    const TABLE: &'static Table = &KEYS;

    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        Ok(Self {
            id: SshKeyId(cells.id()?),
            name: cells.text()?.to_owned(),
            folded_name: cells.text()?.to_owned(),
            state: cells.word()?,
            origin: cells.word()?,
            format: cells.maybe_word()?,
            had_passphrase: cells.bool()?,
            public: PublicKey {
                algorithm: cells.word()?,
                bits: cells.small()?,
                // It was clean when it was written, so it stays as it is.
                comment: DisplayText::clean(cells.text()?),
                sha256: cells.text()?.to_owned(),
                md5: cells.text()?.to_owned(),
                blob: cells.text()?.to_owned(),
            },
            rsa_because: cells.maybe_word()?,
            path: cells.maybe_text()?.map(str::to_owned),
            common: cells.bool()?,
            rotation_to: cells.maybe_id()?.map(SshKeyId),
            added_at: cells.time()?,
            retired_at: cells.maybe_time()?,
            added_position: cells.int()?,
            version: cells.int()?,
            position: cells.int()?,
        })
    }

    fn row(&self) -> Row {
        row![
            self.id,
            self.name.as_str(),
            self.folded_name.as_str(),
            self.state,
            self.origin,
            self.format.as_ref().map(Value::word),
            self.had_passphrase,
            Value::word(&self.public.algorithm),
            self.public.bits,
            &self.public.comment,
            self.public.sha256.as_str(),
            self.public.md5.as_str(),
            self.public.blob.as_str(),
            self.rsa_because.as_ref().map(Value::word),
            self.path.as_deref(),
            self.common,
            self.rotation_to,
            self.added_at,
            self.retired_at,
            self.added_position,
            self.version,
            self.position,
        ]
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT ssh_key, name, folded_name, state, origin, format, had_passphrase, algorithm, bits, key_comment, sha256, ",
            "md5, public_blob, rsa_because, file_path, common, rotation_to, added_at, retired_at, added_position, version, position ",
            "FROM ssh_key_list@ ",
            $rest
        )
    };
}

fn read(sql: &'static str, args: Row) -> Read<SshKey> {
    Read { view: &SshKeyList, sql, args, row: SshKey::read }
}

/// The key with this id, retired or not. At most one row.
pub fn by_id(id: SshKeyId) -> Read<SshKey> {
    read(select!("WHERE ssh_key = $1"), row![id])
}

/// The key of the pool with this name, whatever the case of its letters. At most one row.
pub fn by_name(name: &str) -> Read<SshKey> {
    read(
        select!("WHERE folded_name = $1 AND state <> 'retired' ORDER BY added_position DESC LIMIT 1"),
        row![name.to_lowercase()],
    )
}

/// The key of the pool with this SHA-256 fingerprint. At most one row.
pub fn by_fingerprint(sha256: &str) -> Read<SshKey> {
    read(select!("WHERE sha256 = $1 AND state <> 'retired' ORDER BY added_position DESC LIMIT 1"), row![sha256])
}

/// The keys of the pool whose files lie on the disks of the nodes, in the order in which they came.
pub fn on_disk(limit: u32) -> Read<SshKey> {
    read(select!("WHERE origin = 'on_disk' AND state <> 'retired' ORDER BY added_position LIMIT $1"), row![limit])
}

/// The key of the pool in whose place this one is tried. At most one row.
pub fn tried_for(key: SshKeyId) -> Read<SshKey> {
    read(select!("WHERE rotation_to = $1 AND state <> 'retired' ORDER BY added_position LIMIT 1"), row![key])
}

/// Keys in the order in which they came, from after `after` (an `added_position`) on; with `state`, only those; with
/// `added_before`, only those that came before that moment.
pub fn page(
    state: Option<KeyState>,
    added_before: Option<Timestamp>,
    after: Option<Position>,
    limit: u32,
) -> Read<SshKey> {
    read(
        select!(
            "WHERE added_position > $1 \
             AND (CAST($2 AS TEXT) IS NULL OR state = CAST($2 AS TEXT)) \
             AND (CAST($3 AS BIGINT) IS NULL OR added_at < CAST($3 AS BIGINT)) \
             ORDER BY added_position LIMIT $4"
        ),
        row![after.unwrap_or(0), state, added_before, limit],
    )
}

/// How many keys are in the pool, and how old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyCounts {
    /// All of them.
    pub all: u64,
    /// Those that lie on the disks of the nodes.
    pub on_disk: u64,
    /// Those that came before the moment that was asked for.
    pub old: u64,
    /// When the oldest came.
    pub oldest: Option<Timestamp>,
}

/// How many keys are in the pool, and how many of them came before this moment. One row.
pub fn counts(added_before: Timestamp) -> Read<KeyCounts> {
    Read {
        view: &SshKeyList,
        sql: "SELECT COUNT(*), COUNT(CASE WHEN origin = 'on_disk' THEN 1 END), \
              CAST(COALESCE(SUM(CASE WHEN added_at < $1 THEN 1 ELSE 0 END), 0) AS BIGINT), MIN(added_at) \
              FROM ssh_key_list@ WHERE state <> 'retired'",
        args: row![added_before],
        row: |cells| {
            Ok(KeyCounts {
                all: cells.count()?,
                on_disk: cells.count()?,
                old: cells.count()?,
                oldest: cells.maybe_time()?,
            })
        },
    }
}
