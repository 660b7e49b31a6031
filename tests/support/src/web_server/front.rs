//! An nginx before two servers, which takes what begins with one path to the first and everything else to the second,
//! and writes down how each request of the first was answered. Started by tests that put a judge between two programs.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    time::{Duration, Instant},
};

use super::programs::program;
use crate::process_group::ProcessGroup;

/// What still runs at the end is of the shell's group.
const SCRIPT: &str = "\
    trap '' TERM; \
    (trap - TERM; exec \"$0\" -p \"$1\" -e \"$1/error.log\" -c \"$1/nginx.conf\") & \
    cat; kill -TERM 0; wait; rm -rf \"$1\"";

/// A running one; it ends with the value.
pub struct Front {
    address: SocketAddr,
    folder: PathBuf,
    _group: ProcessGroup,
}

/// One request that went to the first server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// The path as it came, with what follows a question mark.
    pub path: String,
    /// What was answered.
    pub status: u16,
    /// The header that was to be watched, where the answer had it.
    pub told: Option<String>,
}

impl fmt::Display for Passed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.told.as_deref().unwrap_or_default();
        write!(out, "{} {}: {} {told}", self.method, self.path, self.status)
    }
}

impl Front {
    /// Takes what is below `beginning`, which ends in a slash, to `first`, which does not see that beginning; all else to
    /// `other`. Both are `127.0.0.1:PORT`. Of the answers of the first, the header `watched` is written down: in small
    /// letters, with `_` for `-`.
    ///
    /// # Panics
    /// When nginx is missing or does not start.
    pub fn start(beginning: &str, first: SocketAddr, other: SocketAddr, watched: &str) -> Self {
        let nginx = program("nginx", "nginx-light");
        // A port that was free may be taken before nginx has it.
        for _ in 0..5 {
            let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let address = held.local_addr().expect("a listener has an address");
            drop(held);
            let folder = tempfile::Builder::new().prefix("keytrail-front-").tempdir().expect("a folder").keep();
            let text = configuration(&folder.display().to_string(), address, beginning, first, other, watched);
            std::fs::write(folder.join("nginx.conf"), text).expect("we may write our folder");
            let group = ProcessGroup::start(SCRIPT, [&nginx, &folder], &[]).expect("a shell starts");
            let front = Self { address, folder, _group: group };
            if front.comes_up() {
                return front;
            }
        }
        panic!("nginx found no free port five times over");
    }

    fn comes_up(&self) -> bool {
        let began = Instant::now();
        // nginx writes it when it listens; that somebody listens says not who.
        while !self.folder.join("pid").exists() {
            let said = std::fs::read_to_string(self.folder.join("error.log")).unwrap_or_default();
            if said.contains("Address already in use") {
                return false;
            }
            assert!(!said.contains("[emerg]") && began.elapsed() < Duration::from_secs(30), "no web server: {said}");
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// Where it is: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the first server was asked, in the order in which it had answered.
    pub fn passed(&self) -> Vec<Passed> {
        let log = std::fs::read_to_string(self.folder.join("passed.log")).expect("nginx writes it");
        let line = |line: &str| {
            let mut words = line.splitn(4, ' ');
            let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
            let status = words.next()?.parse().ok()?;
            let told = words.next().filter(|told| !matches!(*told, "" | "-")).map(str::to_owned);
            Some(Passed { method, path, status, told })
        };
        log.lines().map(|one| line(one).expect("as it was told to write")).collect()
    }
}

fn configuration(
    folder: &str,
    address: SocketAddr,
    beginning: &str,
    first: SocketAddr,
    other: SocketAddr,
    watched: &str,
) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
        .concat();
    let kept = "proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $http_host;";
    format!(
        "daemon off; master_process off; pid {folder}/pid;
        events {{ worker_connections 256; }}
        http {{
        log_format passed escape=none '$request_method $request_uri $status $upstream_http_{watched}';
        access_log off; client_max_body_size 0; {temporary}
        server {{
        listen {address};
        location {beginning} {{ {kept} proxy_pass http://{first}/; access_log {folder}/passed.log passed; }}
        location / {{ {kept} proxy_pass http://{other}; proxy_read_timeout 300; }}
        }} }}\n"
    )
}
