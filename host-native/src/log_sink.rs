//! Where log lines go: a bounded queue, and one thread that writes them.
//!
//! Nobody who logs ever waits or fails: a line that finds no room is dropped, and so is one that can't
//! be written (a full disk, a closed terminal, a pipe whose reader is gone or does not read). Both are
//! counted.
//!
//! `tracing-appender` would be the library for it; it reports its own failures with `println!` and
//! `eprintln!`, which panic where standard error is what fails.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use tracing_subscriber::fmt::MakeWriter;

/// The most bytes of lines that wait. Too few lose lines of a burst, too many cost memory while
/// nobody reads them.
const QUEUE_BYTES_MAX: usize = 1 << 20;
/// How long the end of the process waits for what is still in the queue.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

/// The process's log, once there is one.
static LOG: OnceLock<Sink> = OnceLock::new();

/// The queue before standard error, started if need be.
pub(crate) fn standard_error() -> Sink {
    LOG.get_or_init(|| Sink::before(io::stderr())).clone()
}

/// How many lines of the log were dropped so far.
pub(crate) fn dropped() -> u64 {
    LOG.get().map_or(0, Sink::dropped)
}

/// Says something on standard error, whatever becomes of it: after the lines that wait where there is
/// a log, and at once where there is none. A failure has nowhere to be told.
pub(crate) fn say(line: &str) {
    let line = format!("{line}\n");
    if let Some(log) = LOG.get() {
        log.push(line.as_bytes());
        log.flush(FLUSH_PATIENCE);
    } else {
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

/// Waits a little until what was logged is written.
pub(crate) fn flush() {
    if let Some(log) = LOG.get() {
        log.flush(FLUSH_PATIENCE);
    }
}

/// A queue of lines; its copies are the same queue.
#[derive(Clone, Debug)]
pub(crate) struct Sink(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    emptied: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    writing: bool,
}

impl Sink {
    /// A queue before a writer. Without a thread for it all lines are dropped.
    fn before(to: impl Write + Send + 'static) -> Self {
        let shared = Arc::<Shared>::default();
        let writer = Arc::clone(&shared);
        let _ = thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.write_all_to(to));
        Self(shared)
    }

    fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    fn push(&self, line: &[u8]) {
        let mut queue = self.0.lock();
        let bytes = queue.bytes.saturating_add(line.len());
        if bytes > QUEUE_BYTES_MAX {
            self.0.drop_one();
            return;
        }
        queue.bytes = bytes;
        queue.lines.push_back(line.to_vec());
        self.0.filled.notify_one();
    }

    fn flush(&self, patience: Duration) {
        let waits = |queue: &mut Queue| queue.writing || !queue.lines.is_empty();
        let _ = self
            .0
            .emptied
            .wait_timeout_while(self.0.lock(), patience, waits);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    fn write_all_to(&self, mut to: impl Write) {
        loop {
            let line = self.next();
            if to.write_all(&line).and_then(|()| to.flush()).is_err() {
                self.drop_one();
            }
        }
    }

    /// The next line; waits for it.
    fn next(&self) -> Vec<u8> {
        let mut queue = self.lock();
        queue.writing = false;
        loop {
            if let Some(line) = queue.lines.pop_front() {
                queue.bytes = queue.bytes.saturating_sub(line.len());
                queue.writing = true;
                return line;
            }
            self.emptied.notify_all();
            queue = self
                .filled
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Write for Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Sink {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    const LONG: Duration = Duration::from_secs(60);

    /// A disk that is full from the second line on.
    struct FullSoon(u32);

    impl Write for FullSoon {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let room = self.0.checked_sub(1);
            self.0 = room.ok_or(io::ErrorKind::StorageFull)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A reader that takes a line when it is told to.
    struct Slow(Receiver<()>, Sender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            let _ = self.1.send(line.to_vec());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_cannot_be_written_is_dropped_and_counted() {
        let sink = Sink::before(FullSoon(1));
        for _ in 0..3 {
            sink.push(b"line\n");
        }
        sink.flush(LONG);
        assert_eq!(sink.dropped(), 2);
    }

    #[test]
    fn a_reader_that_does_not_read_holds_nobody_up_and_loses_only_what_has_no_room() {
        let (go, gone) = channel();
        let (said, heard) = channel();
        let sink = Sink::before(Slow(gone, said));
        let line = [b'x'; 1 << 10];
        for _ in 0..2_000 {
            sink.push(&line);
        }
        // A mebibyte waits, and one line may be on its way.
        let dropped = sink.dropped();
        assert!((975..=976).contains(&dropped), "{dropped}");
        drop(go);
        sink.flush(LONG);
        drop(sink);
        assert_eq!(u64::try_from(heard.try_iter().count()), Ok(2_000 - dropped));
    }
}
