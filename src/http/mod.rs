//! The HTTP API: turns requests into commands and reads, and what comes of them into JSON or problems.
//!
//! Started by `serve`; it calls `app` and decides nothing itself. A route is one function, described where it stands and
//! listed once in `routes`.

mod access;
mod access_record;
mod auth;
mod changed;
mod client_address;
mod codes;
mod commit_links;
mod commit_place;
mod commits;
mod conditions;
mod connecting;
mod connection_test;
mod correlation;
mod cursor;
mod deliveries;
mod doctor;
mod edge;
mod error;
mod event_stream;
mod events;
mod explain;
mod following;
mod health;
mod held;
mod host_keys;
mod idempotency;
mod index_again;
mod index_runs;
mod input;
mod installations;
mod integrations;
mod issue_summary;
mod issues;
mod limits;
mod links;
mod list_place;
mod looking_again;
mod metrics;
mod one_commit;
mod operation_stream;
mod operations;
mod origins;
mod outlet;
mod people;
mod place;
mod project_rules;
mod projects;
mod pull_requests;
mod recommendation;
mod remedies;
mod repositories;
mod routes;
mod run_stream;
mod scopes;
mod search;
mod services;
pub mod spec;
mod ssh_keys;
mod stream_places;
mod streams;
mod tokens;
mod unrouted;
mod views;
mod watched;
mod web_links;
mod webhooks;
mod words;

use std::{io, net::TcpListener, sync::Arc, time::Duration};

use actix_web::{
    App as Routes, HttpServer,
    dev::Server,
    middleware::from_fn,
    web::{self, Data},
};
use metrics_exporter_prometheus::PrometheusHandle;

pub use self::{
    access::{Access, BadAccess},
    access_record::record_access,
    auth::LocalToken,
    error::{ApiError, Code},
    services::BadServices,
    spec::spec,
};
use self::{cursor::Cursors, unrouted::Known};
use crate::app::{App, Turns};

/// Deliveries of more than a mebibyte that are taken in at once.
const LARGE_DELIVERIES: usize = 4;
/// Keys of SSH that are opened or made at once.
const KEY_WORK: usize = 2;
/// SSH servers whose host keys are looked at at once.
const HOST_SCANS: usize = 4;

/// How the API is served.
pub struct HttpSettings {
    /// Threads that answer requests.
    pub workers: usize,
    /// The token of this machine's command line.
    pub local_token: Option<LocalToken>,
    /// The metrics of this process.
    pub metrics: Option<PrometheusHandle>,
    /// Who may come in besides, how often, and from where.
    pub access: Access,
}

/// What every route reaches.
struct Api {
    app: Arc<App>,
    local_token: Option<LocalToken>,
    metrics: Option<PrometheusHandle>,
    cursors: Cursors,
    known: Known,
    access: Access,
    /// Bodies of deliveries that are large take memory: few at once.
    large_deliveries: Turns,
    /// Opening a key of SSH may take 256 MiB, and making one some seconds: few at once.
    key_work: Turns,
    /// Looking at host keys is a few connections to a machine elsewhere: few at once.
    host_scans: Turns,
}

/// Serves the API on `listener` until the returned server is told to stop. Signals are the caller's.
pub fn serve(app: Arc<App>, settings: HttpSettings, listener: TcpListener) -> io::Result<Server> {
    serve_with(app, settings, listener, |_| {})
}

/// [`serve`] with services besides, behind the same edge: a bench compares a route with one that does nothing.
pub fn serve_with(
    app: Arc<App>,
    settings: HttpSettings,
    listener: TcpListener,
    besides: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
) -> io::Result<Server> {
    let HttpSettings { workers, local_token, metrics, access } = settings;
    let cursors = Cursors::new(&app.keys);
    let known = Known::of(&spec());
    let large_deliveries = Turns::new(LARGE_DELIVERIES, Duration::from_secs(5));
    let key_work = Turns::new(KEY_WORK, Duration::from_secs(5));
    let host_scans = Turns::new(HOST_SCANS, Duration::from_secs(5));
    let api =
        Data::new(Api { app, local_token, metrics, cursors, known, access, large_deliveries, key_work, host_scans });
    let server = HttpServer::new(move || {
        Routes::new()
            .app_data(api.clone())
            .app_data(web::PathConfig::default().error_handler(|error, _| unrouted::bad_path(&error).into()))
            .app_data(
                web::QueryConfig::default().error_handler(|error, request| unrouted::bad_query(&error, request).into()),
            )
            .configure(routes::routes)
            .configure(spec::viewer)
            .configure(connecting::pages)
            .configure(&besides)
            .default_service(web::to(unrouted::unrouted))
            .wrap(from_fn(edge::edge))
    });
    Ok(server
        .workers(workers.max(1))
        .disable_signals()
        // With the 2 seconds that a view is waited for, every request that was begun ends.
        .shutdown_timeout(8)
        .keep_alive(Duration::from_secs(60))
        .client_request_timeout(Duration::from_secs(5))
        .client_disconnect_timeout(Duration::from_secs(2))
        .listen(listener)?
        .run())
}
