//! Starts nginx and fcgiwrap below a shell that ends them, and removes their folder, when this process is gone.

use std::{
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    Ports, Shown, WebServer,
    certificates::Certificates,
    doors::{Places, locations},
    programs::Programs,
};
use crate::process_group::ProcessGroup;

/// How many scripts may run at a time.
const SCRIPTS: usize = 4;

/// What still runs at the end is of the shell's group.
const SCRIPT: &str = "\
    trap '' TERM; \
    (trap - TERM; exec \"$0\" -p \"$2\" -e \"$2/error.log\" -c \"$2/nginx.conf\") & \
    for n in 0 1 2 3; do (trap - TERM; exec \"$1\" -s \"unix:$2/cgi$n\") & done; \
    cat; kill -TERM 0; wait; rm -rf \"$2\"";

/// Ends when its input does: at the latest with this process.
pub(super) struct Keeper {
    _group: ProcessGroup,
    folder: PathBuf,
}

impl Keeper {
    /// `None` when a port was taken meanwhile.
    pub(super) fn start(repositories: &Path, ports: Ports, certificates: &Certificates) -> Option<Self> {
        let programs = Programs::find();
        let folder = tempfile::Builder::new().prefix("keytrail-web-").tempdir().expect("a temporary folder").keep();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("we may write our folder");
        let places = Places { folder: &folder, repositories, backend: &programs.http_backend };
        write("nginx.conf", &configuration(&places, ports));
        write("users", &format!("{}:{{PLAIN}}{}\n", WebServer::USER, WebServer::PASSWORD));
        for (name, shown) in NAMES {
            let certificate = certificates.of(shown);
            write(&format!("{name}.pem"), &certificate.pem);
            write(&format!("{name}.key"), &certificate.key);
        }
        let group =
            ProcessGroup::start(SCRIPT, [&programs.nginx, &programs.fcgiwrap, &folder], &[]).expect("a shell starts");
        let keeper = Self { _group: group, folder: folder.clone() };
        let began = Instant::now();
        let runs = |number| UnixStream::connect(folder.join(format!("cgi{number}"))).is_ok();
        // nginx writes it when it listens everywhere; that somebody listens says not who.
        while !(folder.join("pid").exists() && (0..SCRIPTS).all(runs)) {
            let said = std::fs::read_to_string(folder.join("error.log")).unwrap_or_default();
            if said.contains("Address already in use") {
                return None;
            }
            assert!(!said.contains("[emerg]") && began.elapsed() < Duration::from_secs(30), "no web server: {said}");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(keeper)
    }

    /// A line for each request that was answered, as nginx writes it.
    pub(super) fn access_log(&self) -> String {
        std::fs::read_to_string(self.folder.join("access.log")).expect("nginx writes it")
    }
}

/// The files of the certificates, without their endings.
const NAMES: [(&str, Shown); 3] =
    [("good", Shown::Good), ("expired", Shown::Expired), ("wrong_name", Shown::WrongName)];

fn configuration(places: &Places<'_>, ports: Ports) -> String {
    let folder = places.folder.display();
    let locations = locations(places);
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
        .concat();
    let scripts: String = (0..SCRIPTS).map(|number| format!("server unix:{folder}/cgi{number};")).collect();
    let mut servers = format!("server {{ listen 127.0.0.1:{}; {locations} }}\n", ports.plain);
    for ((name, _), port) in NAMES.iter().zip([ports.good, ports.expired, ports.wrong_name]) {
        servers += &format!(
            "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/{name}.pem; \
             ssl_certificate_key {folder}/{name}.key; {locations} }}\n"
        );
    }
    // One process is enough, runs as whoever runs the tests, and has no children to lose.
    format!(
        "daemon off; master_process off; pid {folder}/pid;
        events {{ worker_connections 256; }}
        http {{
        access_log {folder}/access.log;
        client_max_body_size 0;
        default_type application/octet-stream;
        upstream scripts {{ least_conn; {scripts} }}
        {temporary}{servers} }}\n"
    )
}
