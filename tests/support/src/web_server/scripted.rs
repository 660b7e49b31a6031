//! A server that gives every connection the same bytes, whatever it is asked, and remembers what it was asked. For
//! answers that no real server gives.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// What happens after the bytes were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The connection ends.
    Closes,
    /// The connection stays, and nothing more comes.
    Stays,
}

/// A running server; it ends with the value.
pub struct Scripted {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
    accepting: Option<thread::JoinHandle<()>>,
}

impl Scripted {
    /// Starts one that answers with these bytes.
    ///
    /// # Panics
    /// When no port is free.
    pub fn start(answer: &[u8], ending: Ending) -> Self {
        Self::speaking(answer, ending, false)
    }

    /// Starts one that speaks first, as over `git://`, where no blank line ends a question.
    ///
    /// # Panics
    /// When no port is free.
    pub fn unasked(answer: &[u8], ending: Ending) -> Self {
        Self::speaking(answer, ending, true)
    }

    fn speaking(answer: &[u8], ending: Ending, first: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let (ended, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (stop, heard, answer) = (ended.clone(), asked.clone(), answer.to_vec());
        let accepting = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let (stop, heard, answer) = (stop.clone(), heard.clone(), answer.clone());
                thread::spawn(move || {
                    if !first {
                        hear(&mut &stream, &heard);
                    }
                    answer_and_end(stream, &answer, ending, &stop);
                });
            }
        });
        Self { address, ended, asked, accepting: Some(accepting) }
    }

    /// Starts one that answers with a status line, a type and a body, and closes.
    ///
    /// # Panics
    /// When no port is free.
    pub fn answering(status: &str, content_type: &str, body: &[u8]) -> Self {
        let mut answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        answer.extend_from_slice(body);
        Self::start(&answer, Ending::Closes)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of a repository that is not there.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// The heads of the requests that came in, as text.
    pub fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }
}

fn hear(stream: &mut &TcpStream, asked: &Mutex<Vec<Vec<u8>>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    if !head.is_empty() {
        asked.lock().unwrap_or_else(PoisonError::into_inner).push(head);
    }
}

fn answer_and_end(mut stream: TcpStream, answer: &[u8], ending: Ending, stop: &AtomicBool) {
    let _ = stream.write_all(answer);
    while ending == Ending::Stays && !stop.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(10));
    }
    // What the other side still sends is read, so that it gets the answer and no reset.
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}
