//! A server for one case, and what a case asks of it.

use std::{
    future::Future,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::dev::ServerHandle;
use keytrail::{
    app::App,
    boot::{self, BootError},
    config::{self, Config, Git},
    http::{self, Access, HttpSettings, LocalToken},
    store::{Area, Db, StoreError},
    views::Status,
};
use keytrail_projections::value::Cells;
use keytrail_test_support::postgres::database;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

mod answers;
mod clock;
mod left;
mod undone;

pub(crate) use self::answers::{Answer, answer, looked_at};
use self::clock::CaseClock;

/// No case takes longer than this, however slow the machine: one that does hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a case on each engine: `sqlite::name` and `postgres::name`.
macro_rules! on_both_engines {
    (access $access:ident; $($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { $crate::server::on_sqlite_letting_in(super::$access, super::$name); })+
        }
        mod postgres {
            $(#[test] fn $name() { $crate::server::on_postgres_letting_in(super::$access, super::$name); })+
        }
    };
    (known $settings:ident; $($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { $crate::server::on_sqlite_known($crate::server::$settings, super::$name); })+
        }
        mod postgres {
            $(#[test] fn $name() { $crate::server::on_postgres_known($crate::server::$settings, super::$name); })+
        }
    };
    (key_folder; $($name:ident),+ $(,)?) => {
        mod sqlite_with_keys {
            $(#[test] fn $name() { $crate::server::on_sqlite_besides($crate::server::with_key_folder, super::$name); })+
        }
        mod postgres_with_keys {
            $(#[test] fn $name() { $crate::server::on_postgres_besides($crate::server::with_key_folder, super::$name); })+
        }
    };
    ($settings:ident; $($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { $crate::server::on_sqlite_with($crate::server::$settings, super::$name); })+
        }
        mod postgres {
            $(#[test] fn $name() { $crate::server::on_postgres_with($crate::server::$settings, super::$name); })+
        }
    };
    ($($name:ident),+ $(,)?) => {
        $crate::server::on_both_engines!(as_usual; $($name),+);
    };
}
pub(crate) use on_both_engines;

/// A running server.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) app: Arc<App>,
    pub(crate) address: SocketAddr,
    /// The only folder below which repositories may be added.
    pub(crate) root: PathBuf,
    /// A folder beside it.
    pub(crate) elsewhere: PathBuf,
    pub(crate) local_token: String,
    config: Arc<Config>,
    clock: CaseClock,
    client: reqwest::Client,
    /// What runs now: a case may have started it anew.
    running: Arc<Mutex<Option<Running>>>,
}

/// What a start of the server makes.
#[derive(Clone)]
struct Running {
    app: Arc<App>,
    address: SocketAddr,
    local_token: String,
    handle: ServerHandle,
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

pub(crate) fn on_sqlite<F: Future<Output = ()>>(case: impl FnOnce(Server) -> F) {
    on_sqlite_with(as_usual, case);
}

pub(crate) fn on_sqlite_with<F: Future<Output = ()>>(settings: fn(&mut Git), case: impl FnOnce(Server) -> F) {
    runtime().block_on(serve(None, settings, openly, false, nothing_besides, case));
}

/// With these settings of access. They are given a folder, in which they may leave keys.
pub(crate) fn on_sqlite_letting_in<F: Future<Output = ()>>(
    access: fn(&mut config::Access, &Path),
    case: impl FnOnce(Server) -> F,
) {
    runtime().block_on(serve(None, as_usual, access, false, nothing_besides, case));
}

pub(crate) fn on_postgres_letting_in<F: Future<Output = ()>>(
    access: fn(&mut config::Access, &Path),
    case: impl FnOnce(Server) -> F,
) {
    runtime().block_on(async {
        let database = database().await;
        serve(Some(database.url()), as_usual, access, false, nothing_besides, case).await;
    });
}

pub(crate) fn on_postgres_with<F: Future<Output = ()>>(settings: fn(&mut Git), case: impl FnOnce(Server) -> F) {
    runtime().block_on(async {
        let database = database().await;
        serve(Some(database.url()), settings, openly, false, nothing_besides, case).await;
    });
}

/// The server knows at which address it is reached.
pub(crate) fn on_sqlite_known<F: Future<Output = ()>>(settings: fn(&mut Git), case: impl FnOnce(Server) -> F) {
    runtime().block_on(serve(None, settings, openly, true, nothing_besides, case));
}

pub(crate) fn on_postgres_known<F: Future<Output = ()>>(settings: fn(&mut Git), case: impl FnOnce(Server) -> F) {
    runtime().block_on(async {
        let database = database().await;
        serve(Some(database.url()), settings, openly, true, nothing_besides, case).await;
    });
}

/// With these settings besides, of all there are. The server reaches this machine.
pub(crate) fn on_sqlite_besides<F: Future<Output = ()>>(
    besides: fn(&mut Config, &Path),
    case: impl FnOnce(Server) -> F,
) {
    runtime().block_on(serve(None, reaching_this_machine, openly, true, besides, case));
}

pub(crate) fn on_postgres_besides<F: Future<Output = ()>>(
    besides: fn(&mut Config, &Path),
    case: impl FnOnce(Server) -> F,
) {
    runtime().block_on(async {
        let database = database().await;
        serve(Some(database.url()), reaching_this_machine, openly, true, besides, case).await;
    });
}

const fn nothing_besides(_: &mut Config, _: &Path) {}

/// The server looks for keys of SSH in the folder `keys`, which a case fills.
pub(crate) fn with_key_folder(config: &mut Config, elsewhere: &Path) {
    let folder = elsewhere.join("keys");
    std::fs::create_dir(&folder).expect("a folder");
    config.ssh_keys.folder = Some(folder);
    // It is told with what is there.
    config.store.node = Some("node-1".to_owned());
}

/// Only `https://`, and no address but those of the internet.
pub(crate) const fn as_usual(_: &mut Git) {}

/// A case asks as often as it likes.
const fn openly(access: &mut config::Access, _: &Path) {
    access.requests_per_minute = 0;
    access.address_requests_per_minute = 0;
    access.address_failures_per_minute = 0;
}

/// Git servers on this machine may be reached, over `http://` too.
pub(crate) fn reaching_this_machine(git: &mut Git) {
    git.hosts = vec!["127.0.0.1".to_owned()];
    git.allow_http = true;
    git.allow_git_protocol = true;
    git.free_bytes = 0;
}

/// The same, where silence is not waited for.
pub(crate) fn reaching_this_machine_impatiently(git: &mut Git) {
    reaching_this_machine(git);
    git.silence_seconds = 3;
}

/// The same, where lists without end are not waited for.
pub(crate) fn reaching_this_machine_to_list_for_a_moment(git: &mut Git) {
    reaching_this_machine(git);
    git.listing_seconds = 3;
}

async fn serve<F: Future<Output = ()>>(
    database_url: Option<String>,
    settings: fn(&mut Git),
    access: fn(&mut config::Access, &Path),
    knows_its_address: bool,
    besides: fn(&mut Config, &Path),
    case: impl FnOnce(Server) -> F,
) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().canonicalize().expect("it is there");
    let (root, elsewhere) = (path.join("root"), path.join("elsewhere"));
    for made in [&root, &elsewhere] {
        std::fs::create_dir(made).expect("a folder");
    }
    let mut config = Config::default();
    config.store.folder = path.join("data");
    config.secrets.root_key_file = Some(path.join("root.key"));
    config.git.roots = vec![root.clone()];
    settings(&mut config.git);
    // Written when it is known.
    config.server.public_url = knows_its_address.then(String::new);
    access(&mut config.access, &elsewhere);
    besides(&mut config, &elsewhere);
    let clock = CaseClock::of(database_url.as_deref()).await;
    if let Some(url) = database_url {
        keytrail::secrets::RootKey::random().write_new(&path.join("root.key")).expect("a root key");
        config.store.database_url = Some(url.into());
        config.store.connections = 8;
    }
    let running = Running::start(&config, &clock).await;
    let Running { app, address, local_token, .. } = running.clone();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let (config, running) = (Arc::new(config), Arc::new(Mutex::new(Some(running))));
    let server = Server { app, address, root, elsewhere, local_token, config, clock, client, running };
    server.views_are_live().await;
    let left = server.left();
    assert!(tokio::time::timeout(PATIENCE, case(server)).await.is_ok(), "it hangs");
    let server = left.as_it_runs();
    server.look_behind().await;
    server.stop().await;
}

impl Running {
    async fn start(config: &Config, clock: &CaseClock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut config = config.clone();
        if let Some(own) = &mut config.server.public_url {
            *own = format!("http://{address}");
        }
        let config = &config;
        let app = soon_free(config, clock).await;
        let (local_token, local) = LocalToken::random();
        let access = Access::open(&config.access).expect("the settings can be used");
        let settings = HttpSettings { workers: 1, local_token: Some(local), metrics: None, access };
        let serving = http::serve(app.clone(), settings, listener).expect("it serves");
        let handle = serving.handle();
        tokio::spawn(serving);
        Self { app, address, local_token, handle }
    }
}

/// One that was stopped lets go of the folder a moment later.
async fn soon_free(config: &Config, clock: &CaseClock) -> Arc<App> {
    for _ in 0..500 {
        match boot::start(config, clock.of_server()).await {
            Err(BootError::Store(StoreError::Unavailable(_))) => tokio::time::sleep(Duration::from_millis(20)).await,
            started => return started.expect("it starts"),
        }
    }
    panic!("the folder stays in use");
}

impl Server {
    async fn stop(&self) {
        let running = self.running.lock().expect("nobody panics while holding it").clone().expect("it runs");
        running.handle.stop(false).await;
        running.app.stop().await;
    }

    /// Waits until all views can be read.
    async fn views_are_live(&self) {
        soon("all views are live", || async {
            self.app.views.states().iter().all(|(.., state)| state.status == Status::Live)
        })
        .await;
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(*self.app.db, Db::Sqlite(_))
    }

    /// Moves the clock.
    pub(crate) fn pass_days(&self, days: i64) {
        self.pass_micros(days * 24 * 3600 * 1_000_000);
    }

    pub(crate) fn pass_seconds(&self, seconds: i64) {
        self.pass_micros(seconds * 1_000_000);
    }

    /// Microseconds pass.
    pub(crate) fn pass_micros(&self, micros: i64) {
        self.clock.pass_micros(micros);
    }

    /// The clock of the server goes wrong: that of its database does not.
    pub(crate) fn own_clock_is_moved_by_days(&self, days: i64) {
        self.clock.pass_micros_at_server(days * 24 * 3600 * 1_000_000);
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    /// With the token of an administrator of this machine, who may add any path.
    pub(crate) fn local(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.local_token)
    }

    /// A new token with this role.
    pub(crate) async fn token(&self, role: &str) -> String {
        let body = json!({ "name": format!("a {role}"), "role": role, "expires_in_days": 30 });
        let issued = answer(self.local(Method::POST, "/api/v1/tokens").json(&body)).await.with(StatusCode::CREATED);
        issued.body["token"].as_str().expect("a token").to_owned()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.local(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        answer(self.local(Method::POST, path).json(&body)).await
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.root.with_file_name("data")
    }

    /// The fields of all secrets that belong to integrations.
    pub(crate) async fn sealed(&self) -> Vec<String> {
        let sql = "SELECT field FROM secrets WHERE owner_kind = 'integration' ORDER BY field";
        let rows = self.app.db.read(Area::Log, sql, &[]).await.expect("the secrets");
        rows.iter().map(|row| Cells::of(row).text().expect("a text").to_owned()).collect()
    }

    /// Connects to a place of any kind.
    pub(crate) async fn connect(&self, name: &str, connection: Value) -> Answer {
        self.post("/api/v1/integrations", json!({ "name": name, "connection": connection })).await
    }

    /// Adds a repository.
    pub(crate) async fn add(&self, name: &str, path: &Path) -> Answer {
        let body = json!({ "name": name, "connection": { "kind": "path", "path": path } });
        self.post("/api/v1/integrations", body).await
    }

    /// Sends bytes as they are, and takes the answer as it comes.
    pub(crate) async fn raw(&self, request: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(self.address).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.expect("it takes bytes");
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
        read.expect("it closes").expect("it answers");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// Waits until something is so.
pub(crate) async fn soon<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    for _ in 0..2_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come true that {what}");
}
