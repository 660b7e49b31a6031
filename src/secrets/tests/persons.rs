//! Persons are known by id, refreshed, and forgotten for good.

pub(crate) mod suite {
    use std::sync::Arc;

    use keytrail_domain::{display_text::DisplayText, person::PersonId, timestamp::Timestamp};

    use super::super::{NOW, read, write};
    use crate::{
        secrets::{People, PeopleFilter, PeopleKey, Person, Secret, people},
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

    async fn forget(db: &Arc<Db>, people: &People, email: &str, at: Timestamp) {
        write(db, People::forget_statement(id(email), at)).await;
        people.forgotten(id(email));
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
        forget(db, &people, "a@b.c", NOW).await;
        forget(db, &people, "never@seen.c", NOW).await;
        forget(db, &people, "a@b.c", NOW.plus_micros(5)).await;
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
        forget(db, &people, "a@b.c", NOW).await;
        write(db, late).await;
        assert_eq!(name(&people, "a@b.c").await, None);
        assert_eq!(name(&people, "b@b.c").await.as_deref(), Some("Bob"));
        assert!(!format!("{:?}", read(db, "SELECT name, email FROM people").await).contains("After"));
    }

    pub(crate) async fn persons_are_found_by_a_part_of_their_name(db: &Arc<Db>) {
        let people = People::new(db.clone());
        let lines =
            [("Zoë", "zoe@b.c"), ("ann Lee", "x@b.c"), ("Bob_Lee", "Ann@b.c"), ("Bob", "b@b.c"), ("Gone", "g@b.c")];
        people.remember(lines.map(|(name, email)| line(name, email))).await.expect("writes");
        forget(db, &people, "g@b.c", NOW).await;
        let names = |fragment: Option<&str>, in_addresses| {
            let filter = PeopleFilter { fragment: fragment.map(str::to_owned), in_addresses, forgotten: false };
            let people = &people;
            async move {
                let (mut all, mut after) = (Vec::new(), None);
                loop {
                    let page = people.page(&filter, after.as_ref(), 2).await.expect("reads");
                    after = page.last().map(|row| row.cursor());
                    let names = page.iter().filter_map(|row| row.person.as_ref());
                    all.extend(names.map(|person| person.name.to_string()));
                    if page.len() < 2 {
                        return all;
                    }
                }
            }
        };
        assert_eq!(names(None, false).await, ["Bob", "Bob_Lee", "Zoë", "ann Lee"]);
        assert_eq!(names(Some("LEE"), false).await, ["Bob_Lee", "ann Lee"]);
        assert_eq!(names(Some("b_l"), false).await, ["Bob_Lee"], "a blank stands for itself only");
        assert_eq!(names(Some("%"), false).await, [] as [&str; 0]);
        assert_eq!(names(Some("oë"), false).await, ["Zoë"]);
        assert_eq!(names(Some("ANN"), false).await, ["ann Lee"], "addresses are not looked at");
        assert_eq!(names(Some("ANN"), true).await, ["Bob_Lee", "ann Lee"]);
        assert_eq!(names(Some("g@b"), true).await, [] as [&str; 0]);
        let forgotten = PeopleFilter { forgotten: true, ..PeopleFilter::default() };
        let forgotten = people.page(&forgotten, None, 5).await.expect("reads");
        assert_eq!(forgotten.len(), 1);
        assert_eq!((forgotten[0].id, &forgotten[0].person, forgotten[0].forgotten_at), (id("g@b.c"), &None, Some(NOW)));
        assert_eq!(people.listed(id("g@b.c")).await.expect("reads").as_ref(), forgotten.first());
        assert_eq!(people.listed(id("nobody@b.c")).await.expect("reads"), None);
        assert!(people.is_forgotten(id("g@b.c")).await.expect("reads"));
        assert!(!people.is_forgotten(id("b@b.c")).await.expect("reads"));
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
    persons_are_found_by_a_part_of_their_name,
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
