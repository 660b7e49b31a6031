//! `keytrail serve`

use std::{
    net::{SocketAddr, TcpListener},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CliError, output};
use crate::{
    boot::{self, BootError, Endpoint},
    clock::Clock,
    config::Config,
    http::{self, Access, HttpSettings, LocalToken},
    telemetry,
};

/// Everything ends within this time after a signal.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8421]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

impl Serve {
    pub(super) const fn listen(&self) -> Option<SocketAddr> {
        self.listen
    }

    pub(super) async fn run(self, config: Config) -> Result<ExitCode, CliError> {
        telemetry::start_log(&config.log);
        let metrics = telemetry::start_metrics();
        // From here on a signal is kept until somebody waits for it: also one that comes while the server starts ends it well.
        let signals = Signals::listen()?;
        let address = config.server.listen;
        let listen = |source| BootError::Listen { address, source };
        let access = Access::open(&config.access)?;
        // Before anything is opened: a second server on the same address ends here.
        let listener = TcpListener::bind(address).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let app = boot::start(&config, Clock::System).await?;
        let (token, local) = LocalToken::random();
        let settings = HttpSettings { workers: config.server.workers, local_token: Some(local), metrics, access };
        let server = http::serve(app.clone(), settings, listener).map_err(listen)?;
        let handle = server.handle();
        let serving = tokio::spawn(server);
        let folder = config.store.folder.clone();
        let endpoint = Endpoint { url: format!("http://{address}"), token, pid: std::process::id() };
        endpoint
            .publish(&folder)
            .map_err(|source| CliError::System { what: "write server.json into its data folder", source })?;
        tracing::info!(%address, engine = app.db.engine(), data = %folder.display(), "keytrail serves");
        output::print(&format!("keytrail serves on {}", endpoint.url));

        signals.wait().await;
        tracing::info!("keytrail stops");
        Endpoint::withdraw(&folder);
        let stopped = tokio::time::timeout(PATIENCE, async {
            // What is being answered is answered; what goes on by itself ends beside it.
            tokio::join!(handle.stop(true), app.stop());
            let _ = serving.await;
        });
        if stopped.await.is_err() {
            tracing::warn!("something did not end in time; what was acknowledged is on disk all the same");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The signals that ask a server to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, CliError> {
        let system = |source| CliError::System { what: "wait for signals", source };
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(system)?,
            interrupt: signal(SignalKind::interrupt()).map_err(system)?,
        })
    }

    async fn wait(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
