//! A git server over HTTP that has one branch, and gives whoever fetches the same pack, whatever it is asked for. For
//! packs that no real server sends.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// What is given.
struct Given {
    tip: String,
    pack: Vec<u8>,
}

/// A running server; it ends with the value.
pub struct PackServer {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    accepting: Option<thread::JoinHandle<()>>,
}

impl PackServer {
    /// Starts one whose branch `main` leads to `tip`.
    ///
    /// # Panics
    /// When no port is free.
    pub fn start(tip: &str, pack: Vec<u8>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let ended = Arc::new(AtomicBool::new(false));
        let (stop, given) = (ended.clone(), Arc::new(Given { tip: tip.to_owned(), pack }));
        let accepting = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let given = given.clone();
                // Who goes away in the middle wants no more.
                thread::spawn(move || serve(stream, &given));
            }
        });
        Self { address, ended, accepting: Some(accepting) }
    }

    /// The address of its repository.
    pub fn url(&self) -> String {
        format!("http://{}/made.git", self.address)
    }
}

impl Drop for PackServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// One request, one answer.
fn serve(mut stream: TcpStream, given: &Given) -> std::io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    let asks_for = |command: &str| body.windows(command.len()).any(|part| part == command.as_bytes());
    let (kind, answer) = if head.starts_with("get ") {
        ("advertisement", advertisement())
    } else if asks_for("command=ls-refs") {
        ("result", refs(&given.tip))
    } else {
        ("result", packed(&given.pack))
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-{kind}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        answer.len()
    )?;
    stream.write_all(&answer)?;
    stream.shutdown(Shutdown::Write)?;
    // What the other side still sends is read, so that it gets the answer and no reset.
    while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
    Ok(())
}

fn advertisement() -> Vec<u8> {
    let mut out = line(b"# service=git-upload-pack\n");
    out.extend(b"0000");
    for capability in ["version 2\n", "agent=made\n", "ls-refs=unborn\n", "fetch=filter\n", "object-format=sha1\n"] {
        out.extend(line(capability.as_bytes()));
    }
    out.extend(b"0000");
    out
}

fn refs(tip: &str) -> Vec<u8> {
    let mut out = line(format!("{tip} HEAD symref-target:refs/heads/main\n").as_bytes());
    out.extend(line(format!("{tip} refs/heads/main\n").as_bytes()));
    out.extend(b"0000");
    out
}

fn packed(pack: &[u8]) -> Vec<u8> {
    let mut out = line(b"packfile\n");
    for part in pack.chunks(65_000) {
        out.extend(line(&[b"\x01", part].concat()));
    }
    out.extend(b"0000");
    out
}

/// A frame: four digits of its length, and the data.
fn line(data: &[u8]) -> Vec<u8> {
    [format!("{:04x}", data.len() + 4).as_bytes(), data].concat()
}
