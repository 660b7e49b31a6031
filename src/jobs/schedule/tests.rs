//! What the schedule reads, and what a fault of one look costs the others.

use std::collections::BTreeMap;

use keytrail_domain::{
    display_text::DisplayText,
    git_remote::GitRemote,
    github::{App as GithubApp, GithubConnection, GithubHost, KeyFingerprint, Login},
    index_run::{Cause, Command as RunCommand, FailureCode, IndexRun},
    installation::{Account, Command as AppCommand, Installation, Key, Report, Seen, Selection, There},
    integration::{Command as IntegrationCommand, IntegrationName},
    ref_selection::RefSelection,
    remote_url::RemoteUrl,
    repository::{Command, Repository},
    secret_ref::SecretRef,
    service::Reading,
};
use keytrail_test_support::web_server::{Ending, Scripted};
use tempfile::TempDir;

use super::{
    slots::{OF_ONE_PLACE, QUIET},
    *,
};
use crate::{app::Context, boot, clock::Clock, config::Config, ids, jobs::mounts::Mounts};

/// A server whose workers, policies and own schedule stand still.
async fn still() -> (TempDir, Arc<App>) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = Config::default();
    config.store.folder = folder.path().join("data");
    config.secrets.root_key_file = Some(folder.path().join("root.key"));
    config.git.roots = vec![folder.path().to_owned()];
    (config.git.hosts, config.git.allow_http) = (vec!["127.0.0.1".to_owned()], true);
    let app = boot::start(&config, Clock::System).await.expect("it starts");
    app.jobs.set_outdated();
    (folder, app)
}

fn folder_at(path: &std::path::Path, refs: RefSelection) -> Connection {
    Connection::Folder { path: path.to_str().expect("UTF-8").to_owned(), depth: 1, reading: Reading::InPlace, refs }
}

async fn integration(app: &App, connection: Connection) -> IntegrationId {
    let id = IntegrationId(ids::new_id());
    let name = IntegrationName::parse(&ids::new_id().to_string()).expect("a name");
    tell(app, id, IntegrationCommand::Add { name, connection, web_links: None }).await;
    id
}

async fn tell(app: &App, id: IntegrationId, command: IntegrationCommand) {
    let context = Context::server("case", 0);
    app.dispatch::<Integration>(id.0, command, context, Vec::new()).await.expect("it is so");
}

/// Repositories below `/srv` of an integration. No job follows from one that is refused.
async fn repositories(app: &Arc<App>, integration: IntegrationId, count: usize, refused: bool) -> Vec<RepositoryId> {
    let mut ids = Vec::new();
    let numbers: Vec<usize> = (0..count).collect();
    for chunk in numbers.chunks(500) {
        let mut telling = JoinSet::new();
        for number in chunk {
            let location = Connection::path(format!("/srv/{refused}/{number}"));
            let id = RepositoryId::of(integration, &location.natural_key());
            let name = DisplayText::clean("a repository");
            let (code, text) = (FailureCode::Shallow, DisplayText::clean("it is shallow"));
            let command = match refused {
                true => Command::Refuse { integration, name, location, code, text },
                false => Command::Discover { integration, name, location },
            };
            let app = app.clone();
            telling.spawn(async move {
                let said = app.dispatch::<Repository>(id.0, command, Context::server("case", 0), Vec::new()).await;
                said.expect("it is said");
            });
            ids.push(id);
        }
        while let Some(told) = telling.join_next().await {
            told.expect("no panic");
        }
    }
    ids
}

/// Until the views hold everything.
async fn settle(app: &App) {
    let head = app.log.feed().head().position;
    for view in ["integration_list", "repository_list", "installation_status"] {
        while app.views.wait_for(view, head).await.is_err() {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_thousand_repositories_only_those_that_changed_are_read() {
    let (folder, app) = still().await;
    let id = integration(&app, folder_at(folder.path(), RefSelection::default())).await;
    repositories(&app, id, 10_000, true).await;
    settle(&app).await;
    let mut list = WatchList::beginning_at(0);
    list.keep_up(&app).await.expect("the views");
    let first = list.rows_read;
    assert!(first >= 10_001, "at the start all of them: {first}");
    for _ in 0..20 {
        list.keep_up(&app).await.expect("the views");
    }
    assert_eq!(list.rows_read, first, "nothing happened, and nothing is read");
    let new = repositories(&app, id, 3, false).await;
    settle(&app).await;
    list.keep_up(&app).await.expect("the views");
    assert_eq!(list.rows_read - first, 3, "one row for each that is new");
    assert!(new.iter().all(|id| list.repositories.contains_key(id)) && list.repositories.len() == 3);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_follows_integrations_as_they_pause_and_go_on_and_says_which_repositories_to_look_at() {
    let (folder, app) = still().await;
    let id = integration(&app, folder_at(folder.path(), RefSelection::default())).await;
    let mut seen = repositories(&app, id, 3, false).await;
    seen.sort_by_key(|id| id.0);
    let mut list = WatchList::beginning_at(0);
    let mut reconnected = Vec::new();
    let changed = folder_at(folder.path(), RefSelection::new(true, false, Vec::new()).expect("few patterns"));
    for (command, watched, changes) in [
        (None, 3, 0),
        (Some(IntegrationCommand::Pause), 0, 0),
        (Some(IntegrationCommand::Resume), 3, 3),
        (Some(IntegrationCommand::ChangeConnection { connection: changed }), 3, 3),
    ] {
        let about = format!("{command:?}");
        if let Some(command) = command {
            tell(&app, id, command).await;
        }
        settle(&app).await;
        reconnected = list.keep_up(&app).await.expect("the views");
        assert_eq!((list.repositories.len(), reconnected.len()), (watched, changes), "{about}");
    }
    reconnected.sort_by_key(|id| id.0);
    assert_eq!(reconnected, seen);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_that_is_mounted_or_taken_away_while_the_server_runs_is_seen_though_nothing_else_changed() {
    let (folder, app) = still().await;
    let id = integration(&app, folder_at(folder.path(), RefSelection::default())).await;
    settle(&app).await;
    let mut list = WatchList::beginning_at(0);
    list.keep_up(&app).await.expect("the views");
    let (before, path) = (list.places[&id].clone(), folder.path().to_str().expect("UTF-8"));
    assert_eq!(before, Mounts::read().of(folder.path()));
    assert_ne!(&*before, path);
    let mounted = format!("21 1 8:1 / / rw - ext4 /dev/sda1 rw\n40 21 0:50 / {path} rw - nfs nas:/git rw\n");
    list.follow_mounts(Mounts::parse(mounted.as_bytes()));
    assert_eq!(&*list.places[&id], path);
    let read = list.rows_read;
    list.mounts_read = Some(Instant::now() + Duration::from_secs(600));
    list.keep_up(&app).await.expect("the views");
    assert_eq!(&*list.places[&id], path, "file systems are not asked for before the next tick");
    list.mounts_read = None;
    list.keep_up(&app).await.expect("the views");
    assert_eq!((&list.places[&id], list.rows_read), (&before, read), "it is not mounted any more");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_panics_puts_off_its_own_repository_and_no_other() {
    let (folder, app) = still().await;
    let id = integration(&app, folder_at(folder.path(), RefSelection::default())).await;
    let ids = repositories(&app, id, 2, false).await;
    settle(&app).await;
    let mut schedule = Schedule::of(&app);
    schedule.list.keep_up(&app).await.expect("the views");
    let due: HashMap<_, _> = schedule.list.repositories.iter().map(|(id, watched)| (*id, watched.timer.due)).collect();
    schedule.list.repositories.get_mut(&ids[0]).expect("it is watched").timer.busy = true;
    let look = schedule.looks.spawn(async { panic!("a defect") });
    schedule.at.insert(look.id(), At::Repository(ids[0]));
    let ended = schedule.looks.join_next_with_id().await.expect("a look");
    schedule.end(ended);
    let timer = |id| &schedule.list.repositories[id].timer;
    assert!(!timer(&ids[0]).busy && timer(&ids[0]).due > due[&ids[0]], "it is looked at again, later");
    assert_eq!(timer(&ids[1]).due, due[&ids[1]]);
    assert!(schedule.at.is_empty() && schedule.list.folders.len() == 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wanted_a_look_during_a_run_that_fails_gets_it_after_the_run_once() {
    let (folder, app) = still().await;
    let id = integration(&app, folder_at(folder.path(), RefSelection::default())).await;
    let repository = repositories(&app, id, 1, false).await[0];
    let run = ids::new_id();
    let tell_run = async |command| {
        let context = Context::server("case", 0);
        app.dispatch::<IndexRun>(run, command, context, Vec::new()).await.expect("it is so");
        settle(&app).await;
    };
    tell_run(RunCommand::Request { repository, cause: Cause::Discovered }).await;
    tell_run(RunCommand::Start { number: app.log.feed().head().position }).await;
    let mut schedule = Schedule::of(&app);
    schedule.list.keep_up(&app).await.expect("the views");
    let shortest = app.jobs.git.shortest_poll;
    let looked = async |schedule: &mut Schedule| {
        schedule.begin();
        let ended = schedule.looks.join_next_with_id().await.expect("a look");
        schedule.end(ended);
        schedule.list.repositories[&repository].timer.due.saturating_duration_since(Instant::now())
    };
    schedule.want(repository);
    assert!(looked(&mut schedule).await > shortest / 2, "the run is under way");
    tell_run(RunCommand::Fail {
        code: FailureCode::InstallationHeld,
        text: DisplayText::clean("it was suspended a moment ago"),
    })
    .await;
    schedule.list.keep_up(&app).await.expect("the views");
    let watched = &schedule.list.repositories[&repository];
    assert!(watched.timer.due <= Instant::now() && !watched.wanted, "the run says nothing of how it is now");
    // There is nothing at that path: the look fails, and so would all that follow at once.
    assert!(looked(&mut schedule).await > shortest / 2);
    assert!(!schedule.list.repositories[&repository].owed);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wanted_a_look_that_found_no_place_at_its_host_gets_another_one() {
    let (folder, app) = still().await;
    let id = integration(&app, folder_at(folder.path(), RefSelection::default())).await;
    let repository = repositories(&app, id, 1, false).await[0];
    settle(&app).await;
    let mut schedule = Schedule::of(&app);
    schedule.list.keep_up(&app).await.expect("the views");
    app.jobs.looks.ask(repository, app.clock.now());
    for is_wanted in [false, true] {
        let watched = schedule.list.repositories.get_mut(&repository).expect("it is watched");
        (watched.wanted, watched.owed, watched.timer.busy) = (false, is_wanted, true);
        let full = Err(JobError::NoPlace("all connections are in use".to_owned()));
        let looked = Looked::Repository(repository, Remembered::default(), full);
        let look = schedule.looks.spawn(async move { looked });
        schedule.at.insert(look.id(), At::Repository(repository));
        let ended = schedule.looks.join_next_with_id().await.expect("a look");
        schedule.end(ended);
        let watched = &schedule.list.repositories[&repository];
        assert_eq!((watched.wanted, watched.timer.busy), (is_wanted, false));
        assert!(watched.timer.due <= Instant::now() + GIVES_WAY, "soon");
        assert!(app.jobs.look_at(repository).is_some_and(|look| look.ended.is_none()), "nothing was looked at");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_while_an_app_was_away_is_looked_at_though_nobody_saw_it_away() {
    let (_folder, app) = still().await;
    let began_at = app.log.feed().head().position;
    let octo = Login::parse("octo").expect("a name");
    let id =
        integration(&app, Connection::GithubApp(GithubConnection::of(GithubHost::cloud(), octo.clone()).into())).await;
    let repository = repositories(&app, id, 1, false).await[0];
    let run = ids::new_id();
    let (code, text) = (FailureCode::InstallationHeld, DisplayText::clean("it was suspended"));
    for command in [
        RunCommand::Request { repository, cause: Cause::Discovered },
        RunCommand::Start { number: app.log.feed().head().position },
        RunCommand::Fail { code, text },
    ] {
        app.dispatch::<IndexRun>(run, command, Context::server("case", 0), Vec::new()).await.expect("it is so");
    }
    let known = GithubApp {
        id: 17,
        slug: DisplayText::clean("keytrail-octo"),
        name: DisplayText::clean("Keytrail Octo"),
        html_url: DisplayText::clean("https://github.com/apps/keytrail-octo"),
        owner: Some(octo.clone()),
        owner_id: None,
        permissions: BTreeMap::new(),
        events: Vec::new(),
    };
    let key = Key { secret: SecretRef(ids::new_id()), fingerprint: KeyFingerprint::new("a key".to_owned()) };
    let there = There::Installed(Seen {
        installation: 1,
        account: Account { host: "github.com".to_owned(), id: 4, login: octo },
        selection: Selection::All,
        permissions: BTreeMap::new(),
        suspended: None,
    });
    for command in [
        AppCommand::Adopt { host: "github.com".to_owned(), app: known.clone(), key, webhook_secret: None },
        AppCommand::Report(Report::Read { app: known, there }),
    ] {
        app.dispatch::<Installation>(id.0, command, Context::server("case", 0), Vec::new()).await.expect("it is so");
    }
    settle(&app).await;
    let to_look_at = async |since| WatchList::beginning_at(since).keep_up(&app).await.expect("the views");
    assert_eq!(to_look_at(began_at).await, [repository]);
    assert_eq!(to_look_at(app.log.feed().head().position).await, [], "at a start each has its turn");
    app.stop().await;
}

/// A repository of a server, of an integration of its own.
async fn repository_at(app: &App, url: &str) -> RepositoryId {
    let connection = || Connection::Git(GitRemote::at(RemoteUrl::parse(url).expect("a URL").url).into());
    let integration = integration(app, connection()).await;
    let (location, name) = (connection(), DisplayText::clean("a repository"));
    let id = RepositoryId::of(integration, &location.natural_key());
    let command = Command::Discover { integration, name, location };
    app.dispatch::<Repository>(id.0, command, Context::server("case", 0), Vec::new()).await.expect("it is said");
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn many_repositories_of_a_silent_server_keep_no_look_at_another_servers_waiting() {
    let (_folder, app) = still().await;
    let (silent, well) = (Scripted::start(b"", Ending::Stays), Scripted::answering("404 Not Found", "text/html", b""));
    let mut ids = Vec::new();
    for number in 0..2 * AT_ONCE {
        ids.push(repository_at(&app, &silent.url(&format!("{number}.git"))).await);
    }
    // The last in the queue.
    let other = repository_at(&app, &well.url("other.git")).await;
    ids.push(other);
    settle(&app).await;
    let mut schedule = Schedule::of(&app);
    schedule.list.keep_up(&app).await.expect("the views");
    ids.iter().for_each(|id| schedule.want(*id));
    schedule.begin();
    assert_eq!(schedule.looks.len(), 1 + 1, "of servers that never answered one look each");
    let (look, looked) = schedule.looks.join_next_with_id().await.expect("a look").expect("no panic");
    assert!(matches!(&looked, Looked::Repository(id, ..) if *id == other), "the silent one is waited for still");
    schedule.end(Ok((look, looked)));
    schedule.begin();
    assert_eq!(schedule.looks.len(), 1, "no more of the silent one's");
    schedule.cancel.store(true, std::sync::atomic::Ordering::Relaxed);
    let ended = schedule.looks.join_next_with_id().await.expect("a look");
    schedule.end(ended);
    schedule.cancel.store(false, std::sync::atomic::Ordering::Relaxed);
    schedule.begin();
    assert_eq!(schedule.looks.len(), OF_ONE_PLACE, "others of it have their turn");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_silent_servers_and_more_leave_room_for_one_that_answers() {
    let (_folder, app) = still().await;
    let well = Scripted::answering("404 Not Found", "text/html", b"");
    let silent: Vec<_> = (0..2 * AT_ONCE).map(|_| Scripted::start(b"", Ending::Stays)).collect();
    let mut ids = Vec::new();
    for server in &silent {
        for number in 0..2 {
            ids.push(repository_at(&app, &server.url(&format!("{number}.git"))).await);
        }
    }
    let first = repository_at(&app, &well.url("first.git")).await;
    let other = repository_at(&app, &well.url("other.git")).await;
    settle(&app).await;
    let mut schedule = Schedule::of(&app);
    schedule.list.keep_up(&app).await.expect("the views");
    // Its server was heard of before the others.
    schedule.want(first);
    schedule.begin();
    let ended = schedule.looks.join_next_with_id().await.expect("a look");
    schedule.end(ended);
    ids.iter().for_each(|id| schedule.want(*id));
    schedule.begin();
    assert_eq!(schedule.looks.len(), QUIET);
    schedule.want(other);
    schedule.begin();
    assert_eq!(schedule.looks.len(), QUIET + 1);
    let (_, looked) = schedule.looks.join_next_with_id().await.expect("a look").expect("no panic");
    assert!(matches!(&looked, Looked::Repository(id, ..) if *id == other), "all the others are waited for");
    schedule.cancel.store(true, std::sync::atomic::Ordering::Relaxed);
    while schedule.looks.join_next().await.is_some() {}
    app.stop().await;
}
