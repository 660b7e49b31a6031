//! The table of persons as a list: for who looks for somebody by a part of a name, and for who wants somebody forgotten.
//! What it tells of addresses is up to the caller, who knows who asks.

use keytrail_domain::{person::PersonId, timestamp::Timestamp};
use keytrail_projections::{like, row, value::Value};

use super::{
    People, Person,
    people::{Known, known},
};
use crate::store::{Area, StoreError};

/// A row of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPerson {
    /// Which person.
    pub id: PersonId,
    /// Name and address; nothing when the person was forgotten.
    pub person: Option<Person>,
    /// When the person was forgotten.
    pub forgotten_at: Option<Timestamp>,
}

impl ListedPerson {
    pub(super) fn of((id, known): (PersonId, Known)) -> Self {
        let Known { person, forgotten_at } = known;
        Self { id, person: forgotten_at.is_none().then_some(person), forgotten_at }
    }

    /// The cursor of a page that ends with this row.
    pub fn cursor(&self) -> PeopleCursor {
        let name = self.person.as_ref().map_or_else(String::new, |person| person.name.as_str().to_owned());
        PeopleCursor { name, id: self.id }
    }
}

/// Which persons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeopleFilter {
    /// Only those whose name has this in it. The case of ASCII letters does not count; that of others does.
    pub fragment: Option<String>,
    /// Those whose address has it, too.
    pub in_addresses: bool,
    /// Those that were forgotten instead of the others; they have nothing in which a fragment could be.
    pub forgotten: bool,
}

/// Where a page ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeopleCursor {
    /// The name of the last row; empty when it was forgotten.
    pub name: String,
    /// Its person.
    pub id: PersonId,
}

impl People {
    /// Persons in the order (name, id), both bytewise, from after `after` on. Looks through the table: some 100,000
    /// persons in a tenth of a second.
    pub async fn page(
        &self,
        filter: &PeopleFilter,
        after: Option<&PeopleCursor>,
        limit: u32,
    ) -> Result<Vec<ListedPerson>, StoreError> {
        const SQL: &str = "\
            SELECT person_id, name, email, forgotten_at FROM people \
            WHERE CASE WHEN forgotten_at IS NULL THEN 0 ELSE 1 END = $1 \
            AND (CAST($2 AS TEXT) IS NULL OR LOWER(name) LIKE CAST($2 AS TEXT) ESCAPE '!' \
            OR ($3 = 1 AND LOWER(email) LIKE CAST($2 AS TEXT) ESCAPE '!')) \
            AND ($4 = 0 OR (COALESCE(name, ''), person_id) > ($5, $6)) \
            ORDER BY COALESCE(name, ''), person_id LIMIT $7";
        let pattern = filter.fragment.as_deref().map(like::containing);
        let (name, id) = after.map_or(("", Value::from([].as_slice())), |after| (&after.name, after.id.into()));
        let args = row![filter.forgotten, pattern, filter.in_addresses, after.is_some(), name, id, limit,];
        let rows = self.db.read_long(Area::Log, SQL.to_owned(), args).await?;
        let listed = rows.iter().map(|row| known(row).map(ListedPerson::of));
        listed.collect::<Result<_, _>>().map_err(|error| StoreError::Corrupt(error.to_string()))
    }
}
