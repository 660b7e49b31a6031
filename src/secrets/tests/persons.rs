//! Persons are known by id, refreshed, and forgotten for good.

pub(crate) mod suite {
    use std::sync::Arc;

    use keytrail_domain::{display_text::DisplayText, person::PersonId};

    use super::super::{NOW, read, write};
    use crate::{
        secrets::{People, PeopleKey, Person, Secret, people},
        store::Db,
    };

    fn id(email: &str) -> PersonId {
        PeopleKey::new(Secret::new([3; 32])).person_id(email.as_bytes())
    }

    fn line(name: &str, email: &str) -> (PersonId, Person) {
        (id(email), Person { name: DisplayText::clean(name), email: DisplayText::clean(email) })
    }

    async fn name(people: &People, email: &str) -> Option<String> {
        people.lookup([id(email)]).await.expect("reads").remove(&id(email)).map(|person| person.name.to_string())
    }

    pub(crate) async fn names_are_refreshed(db: &Arc<Db>) {
        let people = People::new(db.clone());
        people.remember([line("Ann", "a@b.c"), line("Bob", "b@b.c"), line("Ann B", "A@b.c")]).await.expect("writes");
        assert_eq!(name(&people, "a@b.c").await.as_deref(), Some("Ann B"), "the last line of a person counts");
        people.remember([line("Ann C", "a@b.c")]).await.expect("writes");
        assert_eq!(name(&people, "a@b.c").await.as_deref(), Some("Ann C"));
        assert_eq!(name(&people, "b@b.c").await.as_deref(), Some("Bob"));
        assert_eq!(name(&people, "nobody@b.c").await, None);
        people.remember([]).await.expect("nothing to do");
    }

    pub(crate) async fn who_is_forgotten_stays_forgotten(db: &Arc<Db>) {
        let people = People::new(db.clone());
        people.remember([line("Ann", "a@b.c")]).await.expect("writes");
        assert_eq!(name(&people, "a@b.c").await.as_deref(), Some("Ann"), "and is kept for the next reader");
        people.forget(id("a@b.c"), NOW).await.expect("forgets");
        people.forget(id("never@seen.c"), NOW).await.expect("forgets whom it never knew");
        people.forget(id("a@b.c"), NOW.plus_micros(5)).await.expect("again");
        people
            .remember([line("Ann", "a@b.c"), line("New", "never@seen.c"), line("Bob", "b@b.c")])
            .await
            .expect("writes");
        assert_eq!(name(&people, "a@b.c").await, None);
        assert_eq!(name(&people, "never@seen.c").await, None);
        assert_eq!(name(&people, "b@b.c").await.as_deref(), Some("Bob"));
        let rows = read(
            db,
            "SELECT forgotten_at FROM people WHERE forgotten_at IS NOT NULL AND name IS NULL AND email IS NULL",
        )
        .await;
        assert_eq!(rows, vec![vec![NOW.into()], vec![NOW.into()]], "the first time counts");
    }

    pub(crate) async fn a_forgetting_that_comes_between_wins(db: &Arc<Db>) {
        let people = People::new(db.clone());
        people.remember([line("Before", "a@b.c")]).await.expect("writes");
        // What `remember` writes once it has looked.
        let late = people::remember_statement([line("After", "a@b.c"), line("Bob", "b@b.c")].into());
        people.forget(id("a@b.c"), NOW).await.expect("forgets");
        write(db, late).await;
        assert_eq!(name(&people, "a@b.c").await, None);
        assert_eq!(name(&people, "b@b.c").await.as_deref(), Some("Bob"));
        assert!(!format!("{:?}", read(db, "SELECT name, email FROM people").await).contains("After"));
    }

    pub(crate) async fn many_are_looked_up_at_once(db: &Arc<Db>) {
        let people = People::new(db.clone());
        let lines: Vec<_> = (0..2500).map(|n| line(&format!("P{n}"), &format!("{n}@b.c"))).collect();
        people.remember(lines.clone()).await.expect("writes");
        people.remember(lines.clone()).await.expect("and again");
        for count in [0, 1, 2, 16, 17, 128, 129, 1024, 1025, 2500] {
            let found = people.lookup(lines.iter().take(count).map(|(id, _)| *id)).await.expect("reads");
            assert_eq!(found, lines.iter().take(count).map(|(id, person)| (*id, Arc::new(person.clone()))).collect());
        }
    }
}

super::on_a_store!(
    names_are_refreshed,
    who_is_forgotten_stays_forgotten,
    a_forgetting_that_comes_between_wins,
    many_are_looked_up_at_once,
);

#[test]
fn an_id_depends_on_the_key_and_not_on_case() {
    use crate::secrets::{PeopleKey, Secret};
    let (one, two) = (PeopleKey::new(Secret::new([1; 32])), PeopleKey::new(Secret::new([2; 32])));
    assert_eq!(one.person_id(b" Ann@Example.COM\n"), one.person_id(b"ann@example.com"));
    assert_ne!(one.person_id(b"ann@example.com"), one.person_id(b"bob@example.com"));
    assert_ne!(one.person_id(b"ann@example.com"), two.person_id(b"ann@example.com"));
    assert_eq!(one.person_id(b"caf\xe9").0.get_version_num(), 8);
}
