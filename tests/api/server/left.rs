//! A server that is started anew within a case.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use keytrail::config::Config;

use super::{Running, Server, clock::CaseClock};

/// What stays of a server while none runs.
pub(super) struct Left {
    root: PathBuf,
    elsewhere: PathBuf,
    config: Arc<Config>,
    clock: CaseClock,
    client: reqwest::Client,
    running: Arc<Mutex<Option<Running>>>,
}

impl Left {
    pub(super) fn as_it_runs(&self) -> Server {
        let running = self.running.lock().expect("nobody panics while holding it").clone().expect("it runs");
        let Running { app, address, local_token, .. } = running;
        Server {
            app,
            address,
            local_token,
            root: self.root.clone(),
            elsewhere: self.elsewhere.clone(),
            config: Arc::clone(&self.config),
            clock: self.clock.clone(),
            client: self.client.clone(),
            running: Arc::clone(&self.running),
        }
    }
}

impl Server {
    /// Stops it and starts it anew over the same store. Nobody else may hold it: the embedded store lets go of its folder
    /// with the last who does.
    pub(crate) async fn restarted(self) -> Self {
        let left = self.left();
        self.stop().await;
        drop(self);
        drop(left.running.lock().expect("nobody panics while holding it").take());
        let running = Running::start(&left.config, &left.clock).await;
        *left.running.lock().expect("nobody panics while holding it") = Some(running);
        let server = left.as_it_runs();
        server.views_are_live().await;
        server
    }

    /// What is left of it when it stops.
    pub(super) fn left(&self) -> Left {
        let Self { root, elsewhere, config, clock, client, running, .. } = self.clone();
        Left { root, elsewhere, config, clock, client, running }
    }
}
