//! Two views for tests: one over integrations, one over what index runs find. Together they have every kind of table.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use keytrail_domain::{
    fact::Fact,
    index_run::batch::{Event as Found, RefMove},
    integration::Event,
    recorded::Recorded,
};
use keytrail_projections::{
    row,
    rows::{Keys, Rows},
    value::{Cells, Row, Value},
    view::{History, Kind, Read, Table, View},
};

/// Integrations as they are (`place`) and as they were called (`place_name`).
pub(super) struct Places {
    pub(super) version: u32,
    /// The fold panics at this position; 0: it does not.
    pub(super) breaks_at: AtomicI64,
    /// How often it was folded over the first event.
    pub(super) beginnings: AtomicU32,
}

static PLACES: [Table; 2] = [
    Table {
        name: "place",
        columns: &[("id", Kind::Bytes), ("name", Kind::Text), ("location", Kind::Text), ("paused_at", Kind::MaybeInt)],
        key: 1,
        history: History::None,
        indexes: &[&["name", "id"]],
    },
    Table {
        name: "place_name",
        columns: &[("id", Kind::Bytes), ("name", Kind::Text)],
        key: 1,
        history: History::Many,
        indexes: &[&["name", "id", "from_position"]],
    },
];

impl Places {
    /// One for the length of the test: servers know their views for ever.
    pub(super) fn new(version: u32) -> &'static Self {
        Box::leak(Box::new(Self { version, breaks_at: AtomicI64::new(0), beginnings: AtomicU32::new(0) }))
    }

    /// How many there are, how many names there were, and the greatest position among the names.
    pub(super) fn figures(&'static self) -> Read<(i64, i64, i64)> {
        Read {
            view: self,
            sql: "SELECT (SELECT COUNT(*) FROM place@), COUNT(*), COALESCE(MAX(from_position), 0) FROM place_name@",
            args: Vec::new(),
            row: |cells| Ok((cells.int()?, cells.int()?, cells.int()?)),
        }
    }
}

fn id(fact: &Recorded<Fact>) -> Row {
    row![fact.stream.id]
}

impl View for Places {
    fn name(&self) -> &'static str {
        "places"
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn tables(&self) -> &'static [Table] {
        &PLACES
    }

    fn keys(&self, fact: &Recorded<Fact>, keys: &mut Keys) {
        if matches!(fact.fact, Fact::Integration(_)) {
            PLACES.iter().for_each(|table| keys.add(table, id(fact)));
        }
    }

    fn fold(&self, rows: &mut Rows, fact: &Recorded<Fact>) {
        self.beginnings.fetch_add(u32::from(fact.position == 1), Ordering::SeqCst);
        assert_ne!(fact.position, self.breaks_at.load(Ordering::SeqCst), "this view does not like this event");
        let Fact::Integration(event) = &fact.fact else { return };
        let [place, names] = &PLACES;
        let key = id(fact);
        let mut now = rows
            .get(place, &key)
            .map_or_else(|| vec![key[0].clone(), Value::from(""), Value::from(""), Value::Null], <[Value]>::to_vec);
        match event {
            Event::Added { name, connection } => {
                now[1] = name.as_str().into();
                now[2] = (&*connection.location()).into();
            }
            Event::Renamed { name, .. } => now[1] = name.as_str().into(),
            Event::ConnectionChanged { connection, .. } => now[2] = (&*connection.location()).into(),
            Event::Paused {} => now[3] = fact.recorded_at.into(),
            Event::Resumed {} => now[3] = Value::Null,
            Event::WebLinksSet { .. }
            | Event::ReindexRequested {}
            | Event::ResetRequested {}
            | Event::IndexingCancelled { .. } => {}
            Event::Removed { .. } => {
                rows.end(place, &key);
                rows.end(names, &key);
                return;
            }
        }
        rows.put(names, vec![key[0].clone(), now[1].clone()]);
        rows.put(place, now);
    }
}

/// Commits that runs found (`found_commit`), until a ref leaves them, and where refs are (`found_ref`).
pub(super) struct Finds;

pub(super) static FINDS: Finds = Finds;

static FOUND: [Table; 2] = [
    Table {
        name: "found_commit",
        columns: &[("number", Kind::Int), ("sha", Kind::Bytes), ("subject", Kind::Text), ("introduced_by", Kind::Text)],
        key: 2,
        history: History::Once,
        indexes: &[&["introduced_by", "number", "sha"]],
    },
    Table {
        name: "found_ref",
        columns: &[("number", Kind::Int), ("name", Kind::Text), ("sha", Kind::Bytes), ("keys", Kind::MaybeText)],
        key: 2,
        history: History::Many,
        indexes: &[],
    },
];

/// The rows that a moved ref is about: its own, and the commit that it left.
fn touched(number: i64, moved: &RefMove) -> (Row, Option<Row>) {
    (row![number, &moved.name], moved.from.map(|sha| row![number, sha]))
}

impl Finds {
    /// How many commits there are now, and how many there ever were.
    pub(super) fn commits() -> Read<(i64, i64)> {
        Read {
            view: &FINDS,
            sql: "SELECT COALESCE(SUM(CASE WHEN to_position IS NULL THEN 1 ELSE 0 END), 0), COUNT(*) FROM found_commit@",
            args: Vec::new(),
            row: |cells: &mut Cells<'_>| Ok((cells.int()?, cells.int()?)),
        }
    }
}

impl View for Finds {
    fn name(&self) -> &'static str {
        "finds"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [Table] {
        &FOUND
    }

    fn keys(&self, fact: &Recorded<Fact>, keys: &mut Keys) {
        let Fact::IndexBatch(Found::RefsMoved(batch)) = &fact.fact else { return };
        for moved in &batch.refs {
            let (own, left) = touched(batch.number, moved);
            keys.add(&FOUND[1], own);
            left.into_iter().for_each(|left| keys.add(&FOUND[0], left));
        }
    }

    fn fold(&self, rows: &mut Rows, fact: &Recorded<Fact>) {
        let [commits, refs] = &FOUND;
        match &fact.fact {
            Fact::IndexBatch(Found::CommitsRecorded(batch)) => {
                for commit in &batch.commits {
                    let by = &*commit.introduced_by;
                    rows.put_once(commits, row![batch.number, commit.sha, &commit.subject, by]);
                }
            }
            Fact::IndexBatch(Found::RefsMoved(batch)) => {
                for moved in &batch.refs {
                    let (own, left) = touched(batch.number, moved);
                    if let Some(left) = left {
                        rows.end(commits, &left);
                    }
                    let keys = moved.keys.first().map(ToString::to_string);
                    match moved.to {
                        Some(sha) => rows.put(refs, row![batch.number, &moved.name, sha, keys]),
                        None => rows.end(refs, &own),
                    }
                }
            }
            Fact::IndexBatch(Found::CommitsSuperseded(_) | Found::CommitsRestored(_))
            | Fact::Integration(_)
            | Fact::Repository(_)
            | Fact::IndexRun(_)
            | Fact::Installation(_)
            | Fact::Access(_)
            | Fact::ProjectRules(_)
            | Fact::CommitLink(_)
            | Fact::Person(_)
            | Fact::PullRequest(_)
            | Fact::SshKey(_)
            | Fact::HostKey(_)
            | Fact::AccessSettings(_) => {}
        }
    }
}
