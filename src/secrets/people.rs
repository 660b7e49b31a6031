//! Names and addresses of persons. The log knows persons by id only, so that one can be forgotten.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use hashbrown::HashMap;
use keytrail_domain::{display_text::DisplayText, person::PersonId, timestamp::Timestamp};
use keytrail_projections::{
    row,
    value::{BadRow, Cells, Row, Value},
    view::Kind,
};

use super::ListedPerson;
use crate::store::{Area, Db, Statement, StoreError};

/// What is known of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// As the latest source spells it.
    pub name: DisplayText,
    /// As the latest source spells it; empty when no source has one.
    pub email: DisplayText,
}

/// The table of persons.
pub struct People {
    pub(super) db: Arc<Db>,
    /// Who was looked up lately, where this process alone writes the table. Over PostgreSQL another node may forget a
    /// person at any time, so nothing is kept.
    lately: Option<Mutex<Lately>>,
}

/// Who was looked up lately; `None` when there is nobody, or was.
#[derive(Default)]
struct Lately {
    known: HashMap<PersonId, Option<Arc<Person>>>,
    /// How often the table was changed: what was read before the last change is not kept.
    changes: u64,
}

impl Lately {
    /// Persons that are kept; at some hundred bytes each.
    const MOST: usize = 20_000;

    fn changed(&mut self, ids: impl IntoIterator<Item = PersonId>) {
        self.changes += 1;
        for id in ids {
            self.known.remove(&id);
        }
    }
}

/// A row that is there.
pub(super) struct Known {
    /// Both empty when it was forgotten.
    pub(super) person: Person,
    pub(super) forgotten_at: Option<Timestamp>,
}

impl People {
    /// Of this database.
    pub fn new(db: Arc<Db>) -> Self {
        let lately = matches!(*db, Db::Sqlite(_)).then(Mutex::default);
        Self { db, lately }
    }

    fn lately(&self) -> Option<MutexGuard<'_, Lately>> {
        self.lately.as_ref().map(|lately| lately.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// To be said when the change is on disk and before anybody hears of it.
    fn changed(&self, ids: impl IntoIterator<Item = PersonId>) {
        if let Some(mut lately) = self.lately() {
            lately.changed(ids);
        }
    }

    /// Makes these persons known, before the append whose events name them. Names are refreshed; who was forgotten
    /// stays forgotten. Of several lines for one person the last counts. Writes nothing when nothing is new.
    pub async fn remember(&self, people: impl IntoIterator<Item = (PersonId, Person)>) -> Result<(), StoreError> {
        // In the order of ids: two nodes that write the same persons wait for each other instead of locking each
        // other out. Once each: PostgreSQL refuses to change a row twice in one statement.
        let mut people: BTreeMap<PersonId, Person> = people.into_iter().collect();
        for (id, known) in self.rows(people.keys().copied()).await? {
            if known.forgotten_at.is_some() || people.get(&id) == Some(&known.person) {
                people.remove(&id);
            }
        }
        if people.is_empty() {
            return Ok(());
        }
        let ids: Vec<PersonId> = people.keys().copied().collect();
        self.db.write(Area::Log, vec![remember_statement(people)]).await?;
        self.changed(ids);
        Ok(())
    }

    /// What is known of these persons; who is forgotten or unknown is left out.
    pub async fn lookup(
        &self,
        ids: impl IntoIterator<Item = PersonId>,
    ) -> Result<HashMap<PersonId, Arc<Person>>, StoreError> {
        let (mut found, mut asked, mut changes) = (HashMap::new(), Vec::new(), 0);
        match self.lately() {
            Some(lately) => {
                changes = lately.changes;
                for id in ids {
                    match lately.known.get(&id) {
                        Some(Some(person)) => drop(found.insert(id, person.clone())),
                        Some(None) => {}
                        None => asked.push(id),
                    }
                }
            }
            None => asked.extend(ids),
        }
        if asked.is_empty() {
            return Ok(found);
        }
        let rows = self.rows(asked.iter().copied()).await?;
        let rows = rows.into_iter().filter(|(_, known)| known.forgotten_at.is_none());
        let rows: HashMap<_, _> = rows.map(|(id, known)| (id, Arc::new(known.person))).collect();
        if let Some(mut lately) = self.lately()
            && lately.changes == changes
        {
            if lately.known.len() + asked.len() > Lately::MOST {
                lately.known.clear();
            }
            lately.known.extend(asked.into_iter().map(|id| (id, rows.get(&id).cloned())));
        }
        found.extend(rows);
        Ok(found)
    }

    /// The statement that forgets a person, known or not: name and address go, and what stays keeps them from coming
    /// back. For an append with the event that says so; [`People::forgotten`] comes after it.
    pub fn forget_statement(person: PersonId, at: Timestamp) -> Statement {
        let sql = "INSERT INTO people (person_id, name, email, forgotten_at) VALUES ($1, NULL, NULL, $2) \
                   ON CONFLICT (person_id) DO UPDATE SET name = NULL, email = NULL, \
                   forgotten_at = COALESCE(people.forgotten_at, excluded.forgotten_at)";
        Statement::new(sql, row![person.0, at])
    }

    /// To be said when the statement is on disk and before anybody hears of it.
    pub fn forgotten(&self, person: PersonId) {
        self.changed([person]);
    }

    /// Whether somebody asked that this person be forgotten.
    pub async fn is_forgotten(&self, person: PersonId) -> Result<bool, StoreError> {
        Ok(self.rows([person]).await?.into_iter().any(|(_, known)| known.forgotten_at.is_some()))
    }

    /// What the table has of this person, who may have been forgotten.
    pub async fn listed(&self, person: PersonId) -> Result<Option<ListedPerson>, StoreError> {
        Ok(self.rows([person]).await?.pop().map(ListedPerson::of))
    }

    async fn rows(&self, ids: impl IntoIterator<Item = PersonId>) -> Result<Vec<(PersonId, Known)>, StoreError> {
        let mut ids: Vec<PersonId> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(MOST) {
            let (sql, args) = question(chunk);
            // A handful runs where it is asked; more would keep the asking thread busy.
            let rows = if chunk.len() > HANDFUL {
                self.db.read_long(Area::Log, sql.to_owned(), args).await?
            } else {
                self.db.read(Area::Log, sql, &args).await?
            };
            for row in &rows {
                found.push(known(row).map_err(|error| StoreError::Corrupt(error.to_string()))?);
            }
        }
        Ok(found)
    }
}

/// Whatever was looked up before: who is forgotten by the time this runs stays forgotten.
pub(super) fn remember_statement(people: BTreeMap<PersonId, Person>) -> Statement {
    let rows = people.into_iter().map(|(id, person)| row![id.0, String::from(person.name), String::from(person.email)]);
    let tail = "ON CONFLICT (person_id) DO UPDATE SET name = excluded.name, email = excluded.email \
                WHERE people.forgotten_at IS NULL";
    let head = "INSERT INTO people (person_id, name, email)".to_owned();
    Statement::insert(head, vec![Kind::Bytes, Kind::Text, Kind::Text], rows.collect(), tail.to_owned())
}

/// Few sizes, so that few texts of the query exist and both engines keep them prepared. An issue has one author or two.
const SIZES: [usize; 5] = [1, 4, 16, 128, MOST];
const MOST: usize = 1024;
/// As many as are asked for on the calling thread.
const HANDFUL: usize = 16;

fn question(ids: &[PersonId]) -> (&'static str, Row) {
    static TEXTS: [OnceLock<String>; SIZES.len()] = [const { OnceLock::new() }; SIZES.len()];
    let step = SIZES.into_iter().position(|size| ids.len() <= size).unwrap_or(SIZES.len() - 1);
    let sql = TEXTS[step].get_or_init(|| {
        let markers: Vec<_> = (1..=SIZES[step]).map(|n| format!("${n}")).collect();
        format!(
            "SELECT person_id, name, email, forgotten_at FROM people WHERE person_id IN ({}) ORDER BY person_id",
            markers.join(", ")
        )
    });
    let mut args: Row = ids.iter().map(|id| Value::from(id.0)).collect();
    // Asking twice for the same person does not find two.
    args.resize(SIZES[step], args.last().cloned().unwrap_or(Value::Null));
    (sql, args)
}

pub(super) fn known(row: &Row) -> Result<(PersonId, Known), BadRow> {
    let mut cells = Cells::of(row);
    let id = PersonId(cells.id()?);
    // They were cleaned when they came in; cleaning again changes nothing.
    let name = DisplayText::clean(cells.maybe_text()?.unwrap_or_default());
    let email = DisplayText::clean(cells.maybe_text()?.unwrap_or_default());
    Ok((id, Known { person: Person { name, email }, forgotten_at: cells.maybe_time()? }))
}
