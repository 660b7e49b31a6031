//! A relay before a real server that lets only a part of its answers through. It makes what no real server does on
//! demand: to die, to stall or to trickle in the middle. And it counts connections, and how many are open at once.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// What happens to the answers of each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// After so many bytes the connection ends.
    Dies(u64),
    /// After so many bytes nothing more comes, and the connection stays.
    Stalls(u64),
    /// After so many bytes one byte comes each 50 milliseconds.
    Trickles(u64),
    /// After so many bytes each byte has its bits turned over.
    Spoils(u64),
}

/// What becomes of a request that holds certain bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is answered with the status 503.
    Unavailable,
    /// The connection ends without an answer.
    HangsUp,
    /// It is answered with the status 503, and connections after it with nothing at all.
    UnavailableThenSilent,
}

/// A running relay; it ends with the value.
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<thread::JoinHandle<()>>,
}

struct Shared {
    upstream: SocketAddr,
    fault: Mutex<Fault>,
    refused: Mutex<Option<(Vec<u8>, Refusal)>>,
    refusals: AtomicU64,
    stalled: AtomicU64,
    ended: AtomicBool,
    answered: AtomicU64,
    came: AtomicU64,
    most_open: AtomicUsize,
    /// Both ends of each connection that goes on, by its number.
    open: Mutex<HashMap<u64, [TcpStream; 2]>>,
}

impl Relay {
    /// Starts one before `upstream`.
    ///
    /// # Panics
    /// When no port is free.
    pub fn start(upstream: SocketAddr, fault: Fault) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            upstream,
            fault: Mutex::new(fault),
            refused: Mutex::default(),
            refusals: AtomicU64::new(0),
            stalled: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            answered: AtomicU64::new(0),
            came: AtomicU64::new(0),
            most_open: AtomicUsize::new(0),
            open: Mutex::default(),
        });
        let theirs = shared.clone();
        let accepting = thread::spawn(move || {
            for stream in listener.incoming() {
                if theirs.ended.load(Ordering::SeqCst) {
                    break;
                }
                let number = theirs.came.fetch_add(1, Ordering::SeqCst);
                theirs.most_open.fetch_max(established(address.port()), Ordering::SeqCst);
                let shared = theirs.clone();
                thread::spawn(move || stream.and_then(|stream| shared.connect(number, stream)));
            }
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL of the upstream server, by way of the relay.
    pub fn url(&self, upstream: &str) -> String {
        upstream.replacen(&self.shared.upstream.to_string(), &self.address.to_string(), 1)
    }

    /// From now on this happens to the answers of new connections.
    pub fn set(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// From now on requests that hold these bytes, uncompressed, are refused like this; with `None` no more are.
    pub fn refuse(&self, holding: &str, how: Option<Refusal>) {
        let refused = how.map(|how| (holding.as_bytes().to_vec(), how));
        *self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner) = refused;
    }

    /// How many requests it refused.
    pub fn refusals(&self) -> u64 {
        self.shared.refusals.load(Ordering::SeqCst)
    }

    /// How many connections it let wait for the rest of an answer.
    pub fn stalled(&self) -> u64 {
        self.shared.stalled.load(Ordering::SeqCst)
    }

    /// How many connections came.
    pub fn came(&self) -> u64 {
        self.shared.came.load(Ordering::SeqCst)
    }

    /// How many clients had their ends open at once, at most: looked at whenever one came.
    pub fn most_open(&self) -> usize {
        self.shared.most_open.load(Ordering::SeqCst)
    }

    /// How many bytes of answers it gave on, over all connections.
    pub fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn connect(self: Arc<Self>, number: u64, client: TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(self.upstream)?;
        self.locked().insert(number, [client.try_clone()?, server.try_clone()?]);
        if self.ended.load(Ordering::SeqCst) {
            self.close();
            return Ok(());
        }
        let (from_client, to_server, shared) = (client.try_clone()?, server.try_clone()?, self.clone());
        thread::spawn(move || {
            let _ = shared.ask(&from_client, &to_server);
            let _ = to_server.shutdown(Shutdown::Write);
        });
        let ended = self.answer(server, &client);
        let _ = client.shutdown(Shutdown::Both);
        self.locked().remove(&number);
        ended
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<u64, [TcpStream; 2]>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives requests on, unless one is to be refused.
    fn ask(&self, mut client: &TcpStream, mut server: &TcpStream) -> io::Result<()> {
        let (mut buffer, mut heard) = ([0; 16 * 1024], Vec::new());
        loop {
            let read = client.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            heard.extend_from_slice(&buffer[..read]);
            let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some((bytes, how)) = refused
                && heard.windows(bytes.len()).any(|part| part == bytes)
            {
                self.refusals.fetch_add(1, Ordering::SeqCst);
                if how == Refusal::UnavailableThenSilent {
                    *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Fault::Stalls(0);
                }
                if how != Refusal::HangsUp {
                    client.write_all(b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
                }
                server.shutdown(Shutdown::Both)?;
                return client.shutdown(Shutdown::Both);
            }
            server.write_all(&buffer[..read])?;
        }
    }

    fn answer(&self, mut server: TcpStream, mut client: &TcpStream) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        let mut sent = 0_u64;
        let fault = *self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let read = server.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            let left = match fault {
                Fault::None => u64::MAX,
                Fault::Dies(after) | Fault::Stalls(after) | Fault::Trickles(after) | Fault::Spoils(after) => {
                    after.saturating_sub(sent)
                }
            };
            let (good, rest) = buffer[..read].split_at_mut((read as u64).min(left) as usize);
            self.give(&mut client, good)?;
            sent += good.len() as u64;
            if rest.is_empty() {
                continue;
            }
            match fault {
                Fault::None | Fault::Dies(_) => return Ok(()),
                Fault::Stalls(_) => {
                    self.stalled.fetch_add(1, Ordering::SeqCst);
                    while !self.ended.load(Ordering::SeqCst) {
                        thread::sleep(Duration::from_millis(10));
                    }
                    return Ok(());
                }
                Fault::Trickles(_) => {
                    for byte in rest.chunks(1) {
                        thread::sleep(Duration::from_millis(50));
                        self.give(&mut client, byte)?;
                    }
                }
                Fault::Spoils(_) => {
                    rest.iter_mut().for_each(|byte| *byte = !*byte);
                    self.give(&mut client, rest)?;
                }
            }
            sent += rest.len() as u64;
        }
    }

    fn give(&self, client: &mut &TcpStream, bytes: &[u8]) -> io::Result<()> {
        // Before: whoever has read them must find them counted.
        self.answered.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        client.write_all(bytes)
    }

    fn close(&self) {
        for stream in self.locked().values().flatten() {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Connections to a port of this machine whose client has not closed its end, as the kernel tells: those that nobody
/// accepted yet are among them, and nobody who closed is.
fn established(port: u16) -> usize {
    // The kernel writes its table piece by piece: only what it says twice was so at one moment.
    let mut before = clients_of(port);
    loop {
        let now = clients_of(port);
        if now == before {
            return now.len();
        }
        before = now;
    }
}

/// The addresses of these clients.
fn clients_of(port: u16) -> BTreeSet<String> {
    let table = fs::read_to_string("/proc/net/tcp").expect("these tests run on Linux");
    let local = format!(":{port:04X}");
    let client = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (at, client, state) = (words.next()?, words.next()?, words.next()?);
        (at.ends_with(&local) && state == "01").then(|| client.to_owned())
    };
    table.lines().filter_map(client).collect()
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.close();
        // Wakes the thread that waits for connections.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}
