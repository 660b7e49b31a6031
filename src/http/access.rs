//! What the configuration says of access, made ready: how often anybody may ask, which proxies and origins are trusted,
//! which services come in. Called at the start; the edge and `auth` use it with every request.

use std::sync::Arc;

use super::{
    client_address::Proxies,
    limits::Limits,
    origins::Origins,
    services::{BadServices, Services},
    stream_places::StreamPlaces,
};
use crate::config;

/// Why the settings of access cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadAccess {
    /// One of them.
    #[error("the setting access.{key} cannot be used: {text}")]
    Setting {
        /// Which.
        key: &'static str,
        /// Why.
        text: String,
    },
    /// Those of services.
    #[error(transparent)]
    Services(#[from] BadServices),
}

/// Access, made ready.
pub struct Access {
    pub(super) limits: Limits,
    pub(super) proxies: Proxies,
    pub(super) origins: Origins,
    pub(super) services: Option<Arc<Services>>,
    /// Places for streams that are open at once.
    pub(super) streams: StreamPlaces,
}

impl Access {
    /// Reads keys and checks what was set.
    pub fn open(settings: &config::Access) -> Result<Self, BadAccess> {
        let bad = |key, takes: &'static str| {
            move |text: String| BadAccess::Setting { key, text: format!("{text:?} is not {takes}") }
        };
        Ok(Self {
            limits: Limits::new(settings),
            proxies: Proxies::new(settings).map_err(bad("trusted_proxies", "a network such as 10.0.0.0/8"))?,
            origins: Origins::new(&settings.origins)
                .map_err(bad("origins", "an origin such as https://board.example, in full and in small letters"))?,
            services: settings.jwt.as_ref().map(Services::open).transpose()?.map(Arc::new),
            streams: StreamPlaces::new(settings.streams as usize),
        })
    }
}

impl Default for Access {
    /// As the defaults of the configuration say.
    fn default() -> Self {
        Self::open(&config::Access::default()).expect("the defaults name no file, network or origin")
    }
}
