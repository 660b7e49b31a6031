//! Given, when, then.

use proptest::{collection::vec, prelude::*};
use uuid::Uuid;

use super::{Command, Error, Event, Integration, IntegrationName, MirrorsAfter};
use crate::{
    aggregate::{Aggregate as _, Refusal as _},
    git_remote::{GitRemote, ProxySetting},
    given::given,
    histories,
    id::SshKeyId,
    proxy_url::ProxyUrl,
    remote_url::RemoteUrl,
    secret_ref::SecretRef,
    service::Connection,
    web_links::{Preset, WebLinks},
};

fn name(text: &str) -> IntegrationName {
    IntegrationName::parse(text).expect("a good name")
}

fn path(path: &str) -> Connection {
    Connection::path(path)
}

fn add() -> Command {
    Command::Add { name: name("Kafka"), connection: path("/git/kafka"), web_links: None }
}

fn remove() -> Command {
    Command::Remove { mirrors: MirrorsAfter::Deleted, secrets: Default::default() }
}

fn rename(text: &str) -> Command {
    Command::Rename { name: name(text) }
}

fn change_connection(to: &str) -> Command {
    Command::ChangeConnection { connection: path(to) }
}

fn added() -> Event {
    Event::Added { name: name("Kafka"), connection: path("/git/kafka") }
}

fn renamed(to: &str) -> Event {
    Event::Renamed { name: name(to), previous: name("Kafka") }
}

fn connection_changed(to: &str) -> Event {
    Event::ConnectionChanged { connection: path(to), previous: path("/git/kafka") }
}

fn removed() -> Event {
    Event::Removed {
        name: name("Kafka"),
        connection: path("/git/kafka"),
        mirrors: MirrorsAfter::Deleted,
        secrets: Default::default(),
    }
}

fn absent() -> Vec<Event> {
    Vec::new()
}

fn active() -> Vec<Event> {
    vec![added()]
}

fn paused() -> Vec<Event> {
    vec![added(), Event::Paused {}]
}

fn gone() -> Vec<Event> {
    vec![added(), removed()]
}

#[test]
fn what_was_never_added_can_only_be_added() {
    given::<Integration>(&absent()).when(add()).then(&[added()]);
    let others = [Command::Pause, Command::Resume, Command::Reindex, Command::Reset, remove()];
    for wish in [rename("Other"), change_connection("/x")].into_iter().chain(others) {
        given::<Integration>(&absent()).when(wish).then_refused("integration_unknown");
    }
}

#[test]
fn an_id_is_added_once() {
    given::<Integration>(&active()).when(add()).then_refused("integration_exists");
    given::<Integration>(&paused()).when(add()).then_refused("integration_exists");
    given::<Integration>(&gone()).when(add()).then_refused("integration_removed");
}

#[test]
fn what_was_removed_stays_removed() {
    let others = [Command::Pause, Command::Resume, Command::Reindex, Command::Reset];
    for wish in [rename("Other"), change_connection("/x")].into_iter().chain(others) {
        given::<Integration>(&gone()).when(wish).then_refused("integration_removed");
    }
    given::<Integration>(&gone()).when(remove()).then_nothing();
}

#[test]
fn a_live_integration_is_renamed_whether_paused_or_not() {
    for history in [active(), paused()] {
        given::<Integration>(&history).when(rename("Other")).then(&[renamed("Other")]);
        given::<Integration>(&history).when(rename("Kafka")).then_nothing();
        given::<Integration>(&history).when(rename("KAFKA")).then(&[renamed("KAFKA")]);
    }
}

#[test]
fn a_live_integration_looks_somewhere_else_whether_paused_or_not() {
    for history in [active(), paused()] {
        given::<Integration>(&history).when(change_connection("/x")).then(&[connection_changed("/x")]);
        given::<Integration>(&history).when(change_connection("/git/kafka")).then_nothing();
    }
}

#[test]
fn pausing_and_resuming_say_nothing_twice() {
    given::<Integration>(&active()).when(Command::Pause).then(&[Event::Paused {}]);
    given::<Integration>(&active()).when(Command::Resume).then_nothing();
    given::<Integration>(&paused()).when(Command::Pause).then_nothing();
    given::<Integration>(&paused()).when(Command::Resume).then(&[Event::Resumed {}]);
    let resumed = [added(), Event::Paused {}, Event::Resumed {}];
    given::<Integration>(&resumed).when(Command::Pause).then(&[Event::Paused {}]);
}

#[test]
fn all_of_an_active_integration_is_indexed_again_as_often_as_somebody_asks() {
    for (wish, asked) in [(Command::Reindex, Event::ReindexRequested {}), (Command::Reset, Event::ResetRequested {})] {
        given::<Integration>(&active()).when(wish.clone()).then(std::slice::from_ref(&asked));
        given::<Integration>(&[added(), asked.clone()]).when(wish.clone()).then(std::slice::from_ref(&asked));
        given::<Integration>(&paused()).when(wish).then_refused("integration_paused");
        assert_eq!(Integration::claims(&asked), []);
        given::<Integration>(&[added(), asked]).when(rename("Other")).then(&[renamed("Other")]);
    }
}

#[test]
fn what_was_asked_of_all_repositories_is_cancelled_once_whether_paused_or_not() {
    let cancel = |asked| Command::CancelIndexing { asked };
    let cancelled = |asked| Event::IndexingCancelled { asked };
    for history in [active(), paused()] {
        given::<Integration>(&history).when(cancel(3)).then(&[cancelled(3)]);
        let before = [history, vec![cancelled(3)]].concat();
        given::<Integration>(&before).when(cancel(3)).then_nothing();
        given::<Integration>(&before).when(cancel(7)).then(&[cancelled(7)]);
    }
    let resumed = [active(), vec![cancelled(3), Event::Paused {}, Event::Resumed {}]].concat();
    given::<Integration>(&resumed).when(cancel(3)).then_nothing();
    given::<Integration>(&absent()).when(cancel(3)).then_refused("integration_unknown");
    given::<Integration>(&gone()).when(cancel(3)).then_refused("integration_removed");
    assert_eq!(Integration::claims(&cancelled(3)), []);
}

#[test]
fn removing_frees_the_last_name_and_place() {
    for history in [active(), paused()] {
        given::<Integration>(&history).when(remove()).then(&[removed()]);
        let moved = [history, vec![renamed("Other"), connection_changed("/x")]].concat();
        let gone = Event::Removed {
            name: name("Other"),
            connection: path("/x"),
            mirrors: MirrorsAfter::Deleted,
            secrets: Default::default(),
        };
        given::<Integration>(&moved).when(remove()).then(std::slice::from_ref(&gone));
        // Whoever takes its app away has to know where it was last.
        let mut state = Integration::default();
        moved.iter().chain([&gone]).for_each(|event| state.evolve(event));
        assert!(matches!(state, Integration::Removed { connection, .. } if connection == path("/x")));
    }
}

#[test]
fn what_becomes_of_copies_is_said_once_and_for_all() {
    let keep = || Command::Remove { mirrors: MirrorsAfter::Kept, secrets: Default::default() };
    let kept = Event::Removed {
        name: name("Kafka"),
        connection: path("/git/kafka"),
        mirrors: MirrorsAfter::Kept,
        secrets: Default::default(),
    };
    given::<Integration>(&active()).when(keep()).then(std::slice::from_ref(&kept));
    given::<Integration>(&[added(), kept.clone()]).when(remove()).then_nothing();
    given::<Integration>(&gone()).when(keep()).then_nothing();
    let stored = |event: &Event| serde_json::to_string(event).expect("JSON");
    assert!(stored(&kept).contains(r#""mirrors":"kept""#));
    assert!(!stored(&removed()).contains("mirrors"), "as it was written before there was a choice");
    assert_eq!(serde_json::from_str::<Event>(&stored(&removed())).expect("an event"), removed());
}

#[test]
fn a_pause_survives_a_new_name_and_a_new_place() {
    let history = [paused(), vec![renamed("Other"), connection_changed("/x")]].concat();
    given::<Integration>(&history).when(Command::Resume).then(&[Event::Resumed {}]);
}

#[test]
fn a_name_has_1_to_100_characters_after_cleaning() {
    assert!(IntegrationName::parse(" \t\0").is_err());
    assert!(IntegrationName::parse(&"ä".repeat(100)).is_ok());
    assert!(IntegrationName::parse(&"ä".repeat(101)).is_err());
    assert_eq!(name("  Two \n words ").as_str(), "Two words");
    assert_eq!(name("KAFKA Ä").folded(), name("kafka ä").folded());
}

#[test]
fn links_are_set_for_one_repository_and_said_once_and_survive_a_pause() {
    let here = Event::Added { name: name("Shop"), connection: Connection::git(remote(HERE, None)) };
    let links = || WebLinks::Preset { preset: Preset::Gitlab };
    let set = || Command::SetWebLinks { web_links: links() };
    let event = Event::WebLinksSet { web_links: links() };
    given::<Integration>(std::slice::from_ref(&here)).when(set()).then(std::slice::from_ref(&event));
    let history = [here.clone(), event.clone(), Event::Paused {}];
    given::<Integration>(&history).when(set()).then_nothing();
    let resumed = [&history[..], &[Event::Resumed {}]].concat();
    given::<Integration>(&resumed).when(set()).then_nothing();
    let usual = || Command::SetWebLinks { web_links: WebLinks::Host };
    given::<Integration>(&resumed).when(usual()).then(&[Event::WebLinksSet { web_links: WebLinks::Host }]);
    given::<Integration>(&[here]).when(usual()).then_nothing();
    assert_eq!(Integration::claims(&event), []);
    // A path has no host, and a folder no page.
    given::<Integration>(&active()).when(set()).then_refused("integration_no_web_links");
    let off = Command::SetWebLinks { web_links: WebLinks::Off };
    given::<Integration>(&active()).when(off.clone()).then(&[Event::WebLinksSet { web_links: WebLinks::Off }]);
    given::<Integration>(&absent()).when(off.clone()).then_refused("integration_unknown");
    given::<Integration>(&gone()).when(off).then_refused("integration_removed");
}

#[test]
fn links_that_come_with_a_new_one_are_set_at_once_where_they_can_be() {
    let git = || Connection::git(remote(HERE, None));
    let add = |connection, web_links| Command::Add { name: name("Shop"), connection, web_links: Some(web_links) };
    let added = |connection| Event::Added { name: name("Shop"), connection };
    let links = || WebLinks::Preset { preset: Preset::Gitlab };
    let set = Event::WebLinksSet { web_links: links() };
    given::<Integration>(&absent()).when(add(git(), links())).then(&[added(git()), set]);
    // What holds anyway is no second fact.
    given::<Integration>(&absent()).when(add(git(), WebLinks::Host)).then(&[added(git())]);
    given::<Integration>(&absent()).when(add(path("/git/shop"), links())).then_refused("integration_no_web_links");
    given::<Integration>(&active()).when(add(git(), links())).then_refused("integration_exists");
    given::<Integration>(&gone()).when(add(git(), links())).then_refused("integration_removed");
}

const HERE: &str = "https://git.example.org/shop";

fn remote(url: &str, credential: Option<u128>) -> GitRemote {
    let credential = credential.map(|id| SecretRef(Uuid::from_u128(id)));
    GitRemote { credential, ..GitRemote::at(RemoteUrl::parse(url).expect("a good URL").url) }
}

#[test]
fn a_credential_is_not_carried_to_another_server() {
    let added = [Event::Added { name: name("Shop"), connection: Connection::git(remote(HERE, Some(1))) }];
    let change = |to: GitRemote| {
        given::<Integration>(&added).when(Command::ChangeConnection { connection: Connection::git(to) })
    };
    let changed = |to: GitRemote| {
        let previous = Connection::git(remote(HERE, Some(1)));
        change(to.clone()).then(&[Event::ConnectionChanged { connection: Connection::git(to), previous }]);
    };
    changed(remote("https://git.example.org/other", Some(1)));
    for elsewhere in ["https://evil.example/shop", "http://git.example.org/shop", "https://git.example.org:444/shop"] {
        change(remote(elsewhere, Some(1))).then_refused("integration_credential_elsewhere");
        changed(remote(elsewhere, Some(2)));
        changed(remote(elsewhere, None));
    }
    let behind = |proxy: &str| {
        let (url, _) = ProxyUrl::parse(proxy).expect("a good proxy");
        let proxy = ProxySetting { url, credential: Some(SecretRef(Uuid::from_u128(9))) };
        Connection::git(GitRemote { proxy: Some(proxy), ..remote(HERE, None) })
    };
    let before = [Event::Added { name: name("Shop"), connection: behind("http://proxy:1") }];
    let to = Command::ChangeConnection { connection: behind("http://proxy:2") };
    given::<Integration>(&before).when(to).then_refused("integration_credential_elsewhere");
}

#[test]
fn a_place_that_is_reached_in_another_way_keeps_its_claim() {
    let [before, now] = [None, Some(1)].map(|credential| Connection::git(remote("https://example.org/a", credential)));
    let changed = Event::ConnectionChanged { connection: now, previous: before };
    assert_eq!(Integration::claims(&changed), []);
}

#[test]
fn every_refusal_has_its_own_code_and_sentence() {
    histories::refusals_differ(&[
        Error::AlreadyAdded,
        Error::Unknown,
        Error::Removed,
        Error::Paused,
        Error::OtherKind,
        Error::CredentialElsewhere,
        Error::NoWebLinks,
    ]);
    assert_eq!(Error::OtherKind.code(), "integration_other_kind");
}

/// Wishes over a few names and places, so that they meet. Those that leave the state as it is and may be wished again and
/// again, Reindex and Reset, have a case of their own.
pub(crate) fn any_command() -> impl Strategy<Value = Command> {
    let any_name = prop::sample::select(vec!["a", "A", "b", "B", "c"]).prop_map(name);
    let any_path = prop::sample::select(vec!["/a", "/b", "/c"]).prop_map(path);
    let any_links = prop::option::of(Just(WebLinks::Off));
    prop_oneof![
        (any_name.clone(), any_path.clone(), any_links).prop_map(|(name, connection, web_links)| Command::Add {
            name,
            connection,
            web_links
        }),
        any_name.prop_map(|name| Command::Rename { name }),
        any_path.prop_map(|connection| Command::ChangeConnection { connection }),
        Just(Command::Pause),
        Just(Command::Resume),
        Just(Command::SetWebLinks { web_links: WebLinks::Host }),
        Just(Command::SetWebLinks { web_links: WebLinks::Off }),
        (1_i64..4).prop_map(|asked| Command::CancelIndexing { asked }),
        Just(remove()),
        Just(Command::Remove { mirrors: MirrorsAfter::Kept, secrets: Default::default() }),
    ]
}

proptest! {
    #[test]
    fn any_history_of_wishes_folds(commands in vec(any_command(), 0..40)) {
        histories::fold::<Integration>(commands)?;
    }
}

#[test]
fn a_chosen_key_of_ssh_is_written_and_what_was_written_before_there_were_any_reads_as_before() {
    let before = r#"{"kind":"git","url":"https://git.example.org/shop"}"#;
    let read: Connection = serde_json::from_str(before).expect("it reads");
    assert_eq!(read.ssh_key(), None);
    assert_eq!(serde_json::to_string(&read).expect("JSON"), before, "byte for byte");
    let key = SshKeyId(Uuid::from_u128(7));
    let chosen = Connection::git(GitRemote { ssh_key: Some(key), ..remote("git@git.example.org:shop", None) });
    let written = serde_json::to_string(&chosen).expect("JSON");
    assert!(written.contains(&format!(r#""ssh_key":"{key}""#)), "{written}");
    let again: Connection = serde_json::from_str(&written).expect("it reads");
    assert_eq!((&again, again.ssh_key()), (&chosen, Some(key)));
    // Over SSH or not, it is the same place.
    assert_eq!(again.natural_key(), read.natural_key());
}
