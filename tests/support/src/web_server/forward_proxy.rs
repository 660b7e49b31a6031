//! A real forward proxy, tinyproxy, which makes tunnels to any port of this machine. Called by tests; however the
//! process ends, nothing of it is left behind.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::programs::program;

/// As the web server's: the shell waits for the end of its input and ends what it started.
const SCRIPT: &str = "\
    trap '' TERM; \
    (trap - TERM; exec \"$0\" -d -c \"$1/proxy.conf\") & \
    cat; kill -TERM 0; wait; rm -rf \"$1\"";

/// A running proxy; it ends with the value.
pub struct ForwardProxy {
    port: u16,
    keeper: Child,
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
                "Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nLogLevel Warning\nLogFile \"{}/log\"\n\
                 BasicAuth {} {}\n",
                folder.display(),
                Self::USER,
                Self::PASSWORD
            );
            std::fs::write(folder.join("proxy.conf"), settings).expect("we may write our folder");
            let keeper = Command::new("/bin/sh")
                .args(["-c", SCRIPT])
                .args([&program, &folder])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()
                .expect("a shell starts");
            let proxy = Self { port, keeper };
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(6) {
                if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
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

impl Drop for ForwardProxy {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // One that was killed has nothing more to say.
        let _ = self.keeper.wait();
    }
}
