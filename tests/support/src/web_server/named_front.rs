//! An nginx before one server, which shows a certificate for names of the internet, and a proxy that leads whoever asks for
//! such a name there. Started by tests of what is told apart by its name; nothing is looked up, and nothing leaves this
//! machine.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{certificates::named, programs::program};
use crate::process_group::ProcessGroup;

/// What still runs at the end is of the shell's group.
const SCRIPT: &str = "\
    trap '' TERM; \
    (trap - TERM; exec \"$0\" -p \"$1\" -e \"$1/error.log\" -c \"$1/nginx.conf\") & \
    cat; kill -TERM 0; wait; rm -rf \"$1\"";

/// A running one with its proxy; both end with the value.
pub struct NamedFront {
    proxy: SocketAddr,
    authority: Arc<str>,
    ended: Arc<AtomicBool>,
    accepting: Option<thread::JoinHandle<()>>,
    _group: ProcessGroup,
}

impl NamedFront {
    /// Stands before `upstream`, which speaks HTTP, under these names.
    ///
    /// # Panics
    /// When nginx is missing or does not start.
    pub fn start(names: &[&str], upstream: SocketAddr) -> Self {
        let nginx = program("nginx", "nginx-light");
        let (authority, certificate) = named(names);
        // A port that was free may be taken before nginx has it.
        for _ in 0..5 {
            let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let front = held.local_addr().expect("a listener has an address");
            drop(held);
            let folder = tempfile::Builder::new().prefix("keytrail-named-").tempdir().expect("a folder").keep();
            let write =
                |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("we may write our folder");
            write("cert.pem", &certificate.pem);
            write("key.pem", &certificate.key);
            write("nginx.conf", &configuration(&folder.display().to_string(), front, upstream));
            let group = ProcessGroup::start(SCRIPT, [&nginx, &folder], &[]).expect("a shell starts");
            let began = Instant::now();
            // nginx writes it when it listens; that somebody listens says not who.
            while !folder.join("pid").exists() && began.elapsed() < Duration::from_secs(6) {
                thread::sleep(Duration::from_millis(10));
            }
            if folder.join("pid").exists() {
                return Self::with_proxy(front, authority, group);
            }
        }
        panic!("nginx did not start five times over");
    }

    fn with_proxy(front: SocketAddr, authority: Arc<str>, group: ProcessGroup) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let proxy = listener.local_addr().expect("a listener has an address");
        let ended = Arc::new(AtomicBool::new(false));
        let stop = ended.clone();
        let accepting = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                thread::spawn(move || tunnel(stream, front));
            }
        });
        Self { proxy, authority, ended, accepting: Some(accepting), _group: group }
    }

    /// The proxy that leads there.
    pub fn proxy_url(&self) -> String {
        format!("http://{}", self.proxy)
    }

    /// The certificate of the authority that signed the names.
    pub fn ca_pem(&self) -> Arc<str> {
        self.authority.clone()
    }
}

impl Drop for NamedFront {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes who accepts.
        drop(TcpStream::connect(self.proxy));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// Whatever name is asked for (RFC 9110, section 9.3.6), this is where it leads.
fn tunnel(mut client: TcpStream, to: SocketAddr) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match client.read(&mut byte) {
            Ok(1) if head.len() < 8_192 => head.push(byte[0]),
            _ => return,
        }
    }
    if !head.starts_with(b"CONNECT ") {
        let _ = client.write_all(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    let Ok(mut server) = TcpStream::connect(to) else { return };
    if client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").is_err() {
        return;
    }
    let (Ok(mut from_client), Ok(mut to_server)) = (client.try_clone(), server.try_clone()) else { return };
    let there = thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    let _ = there.join();
}

fn configuration(folder: &str, address: SocketAddr, upstream: SocketAddr) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
        .concat();
    format!(
        "daemon off; master_process off; pid {folder}/pid;
        events {{ worker_connections 256; }}
        http {{
        access_log off; client_max_body_size 0; {temporary}
        server {{
        listen {address} ssl; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
        location / {{ proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $http_host;
        proxy_pass http://{upstream}; }}
        }} }}\n"
    )
}
