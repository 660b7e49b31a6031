//! A real forward proxy, tinyproxy, which makes tunnels to any port of this machine. Called by tests; however the
//! process ends, nothing of it is left behind.

use std::{
    net::{Ipv4Addr, TcpListener},
    time::{Duration, Instant},
};

use super::programs::program;
use crate::process_group::ProcessGroup;

/// What still runs at the end is of the shell's group.
const SCRIPT: &str = "\
    trap '' TERM; \
    (trap - TERM; exec \"$0\" -d -c \"$1/proxy.conf\") & \
    cat; kill -TERM 0; wait; rm -rf \"$1\"";

/// A running proxy; it ends with the value.
pub struct ForwardProxy {
    port: u16,
    _group: ProcessGroup,
}

impl ForwardProxy {
    /// The user that it lets through.
    pub const USER: &str = "porter";
    /// The user's password.
    pub const PASSWORD: &str = "open-sesame";

    /// Starts one that lets only its user through.
    ///
    /// # Panics
    /// When the program is missing (the text says which package brings it) or does not start.
    pub fn start() -> Self {
        let program = program("tinyproxy", "tinyproxy-bin");
        // A port that was free may be taken before the proxy has it.
        for _ in 0..5 {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let port = free.local_addr().expect("a listener has an address").port();
            drop(free);
            let folder = tempfile::Builder::new().prefix("keytrail-proxy-").tempdir().expect("a temporary folder");
            let folder = folder.keep();
            let settings = format!(
                "Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nLogLevel Warning\nLogFile \"{at}/log\"\n\
                 PidFile \"{at}/pid\"\nBasicAuth {} {}\n",
                Self::USER,
                Self::PASSWORD,
                at = folder.display(),
            );
            std::fs::write(folder.join("proxy.conf"), settings).expect("we may write our folder");
            let group = ProcessGroup::start(SCRIPT, [&program, &folder], &[]).expect("a shell starts");
            let proxy = Self { port, _group: group };
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(6) {
                // It writes it when it listens; that somebody listens says not who.
                if folder.join("pid").exists() {
                    return proxy;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        panic!("tinyproxy did not start five times over");
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
