//! `keytrail serve`

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::Args;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
};

use super::{CliError, Given, client::Client, demo::Stage, output};
use crate::{
    boot::{self, BootError, Endpoint},
    clock::Clock,
    config::{Config, Log},
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
    /// Make a small company to look at, in a temporary folder or in an empty one that --data names
    #[arg(long)]
    demo: bool,
}

impl Serve {
    pub(super) const fn listen(&self) -> Option<SocketAddr> {
        self.listen
    }

    pub(super) async fn run(self, mut config: Config, given: Given) -> Result<ExitCode, CliError> {
        if !self.demo {
            telemetry::start_log(&config.log);
            let listener = self.bind(config.server.listen)?;
            self.serve(&config, listener, None).await?;
            return Ok(ExitCode::SUCCESS);
        }
        if given.database {
            let detail = "the demo has a store of its own; leave --database-url out";
            return Err(CliError::Input(detail.into()));
        }
        telemetry::start_log(&Log { level: "error".into(), ..config.log });
        // Before anything is made: what cannot be served leaves nothing behind.
        let listener = self.bind(config.server.listen)?;
        let named = given.data.then(|| config.store.folder.clone());
        let stage = Arc::new(Stage::prepare(&mut config, named.as_deref())?);
        let served = self.serve(&config, listener, Some(&stage)).await;
        if !matches!(served, Ok(SetUp::Whole)) {
            stage.withdraw().await;
        }
        stage.clear().await;
        served.map(|_| ExitCode::SUCCESS)
    }

    /// The address to listen on. Nobody chose the usual one for the demo: when it is taken, any will do.
    fn bind(&self, address: SocketAddr) -> Result<TcpListener, BootError> {
        let listen = |source| BootError::Listen { address, source };
        match TcpListener::bind(address) {
            Err(error) if self.demo && self.listen.is_none() && error.kind() == io::ErrorKind::AddrInUse => {
                TcpListener::bind((address.ip(), 0)).map_err(listen)
            }
            bound => bound.map_err(listen),
        }
    }

    /// `listener` is bound before anything is opened: a second server on the same address ends there.
    async fn serve(
        self,
        config: &Config,
        listener: TcpListener,
        stage: Option<&Arc<Stage>>,
    ) -> Result<SetUp, CliError> {
        let metrics = telemetry::start_metrics();
        // From here on a signal is kept until somebody waits for it: also one that comes while the server starts ends it well.
        let signals = Signals::listen()?;
        let address = listener.local_addr().unwrap_or(config.server.listen);
        let listen = |source| BootError::Listen { address, source };
        let access = Access::open(&config.access)?;
        let app = boot::start(config, Clock::System).await?;
        http::record_access(&app, &access).await;
        let (token, local) = LocalToken::random();
        let settings = HttpSettings { workers: config.server.workers, local_token: Some(local), metrics, access };
        let server = http::serve(app.clone(), settings, listener).map_err(listen)?;
        let handle = server.handle();
        let serving = tokio::spawn(server);
        let folder = config.store.folder.clone();
        // Who comes in over the data folder is on this machine.
        let nearby = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
            IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, address.port())),
            _ => address,
        };
        let endpoint = Endpoint { url: format!("http://{nearby}"), token, pid: std::process::id() };
        endpoint
            .publish(&folder)
            .map_err(|source| CliError::System { what: "write server.json into its data folder", source })?;
        tracing::info!(%address, engine = app.db.engine(), data = %folder.display(), "keytrail serves");
        output::print(&format!("keytrail serves on {}", endpoint.url));
        let playing = stage.map(|stage| {
            let (stage, app) = (stage.clone(), app.clone());
            let (url, token) = (endpoint.url.clone(), endpoint.token.clone());
            tokio::spawn(async move {
                let client = Client::of(&url, token)?;
                stage.play(&client, &url, &app).await
            })
        });

        let set_up = signals.wait(playing).await;
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
        set_up
    }
}

/// How far what is set up beside a server has come when the server stops.
enum SetUp {
    /// All of it is there, or nothing was to be.
    Whole,
    /// Somebody stopped the server before it was.
    Begun,
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

    /// Until there is one, or until what is set up meanwhile fails.
    async fn wait(mut self, mut playing: Option<JoinHandle<Result<(), CliError>>>) -> Result<SetUp, CliError> {
        loop {
            let set_up = async {
                match &mut playing {
                    Some(playing) => playing.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                played = set_up => {
                    playing = None;
                    played.map_err(|error| CliError::Failed(error.to_string()))??;
                }
            }
        }
        Ok(match playing {
            Some(playing) => {
                playing.abort();
                SetUp::Begun
            }
            None => SetUp::Whole,
        })
    }
}
