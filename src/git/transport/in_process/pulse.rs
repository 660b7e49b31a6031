//! Whether a thread gets on while it unpacks one object, which may be huge and is no step before its end: the system counts the
//! memory that the thread touched, and the time that it computed. One that waits for a share does neither. Asked by the fetch
//! from a folder; it never touches the thread.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

/// The pulse of a thread.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Where the system tells of the thread.
    place: OnceLock<PathBuf>,
    last: Mutex<Option<Counts>>,
}

/// Pages that were there, pages that were read, and ticks of computing.
type Counts = [u64; 3];

impl Pulse {
    /// It is that of the thread which calls this.
    pub(super) fn begin(&self) {
        // Where the system does not tell, there is none, and only steps count.
        if let Ok(thread) = fs::read_link("/proc/thread-self") {
            let _ = self.place.set(Path::new("/proc").join(thread).join("stat"));
        }
    }

    /// Whether the thread got on since this was asked last.
    pub(super) fn has_beaten(&self) -> bool {
        let Some(now) = self.place.get().and_then(|place| counts(&fs::read(place).ok()?)) else { return false };
        let before = self.last.lock().unwrap_or_else(PoisonError::into_inner).replace(now);
        before.is_some_and(|before| before != now)
    }
}

/// From the line of proc(5): `pid (name) state …`; a name may hold anything. What the kernel computes for the thread is left
/// out: it may do so while it waits.
fn counts(line: &[u8]) -> Option<Counts> {
    let line = String::from_utf8_lossy(line);
    let (_, rest) = line.rsplit_once(')')?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [minor, major, computed] = [7, 9, 11].map(|place| words.get(place).and_then(|word| word.parse().ok()));
    Some([minor?, major?, computed?])
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, mpsc},
        thread,
    };

    use super::*;

    #[test]
    fn a_thread_that_works_has_one_and_a_thread_that_waits_has_none() {
        let pulse = Arc::new(Pulse::default());
        assert!(!pulse.has_beaten(), "there is no thread yet");
        let (tell, told) = mpsc::channel::<()>();
        let (say, said) = mpsc::channel();
        let worker = thread::spawn({
            let pulse = pulse.clone();
            move || {
                pulse.begin();
                while told.recv().is_ok() {
                    say.send(std::hint::black_box(vec![1_u8; 32 << 20]).len()).expect("it is waited for");
                }
            }
        });
        tell.send(()).expect("it waits");
        said.recv().expect("it works");
        // It needs a moment to wait again.
        pulse.has_beaten();
        while pulse.has_beaten() {}
        tell.send(()).expect("it waits");
        said.recv().expect("it works");
        assert!(pulse.has_beaten(), "it touched 32 MB");
        drop(tell);
        worker.join().expect("it ends");
    }

    #[test]
    fn a_line_is_read_whatever_the_thread_is_called() {
        let line = b"77 (a ) b) R 1 2 3 4 5 6 10 0 20 0 30 40 0 0\n";
        assert_eq!(counts(line), Some([10, 20, 30]));
        assert_eq!(counts(b"77 (a) R 1 2"), None);
    }
}
