//! Lines for somebody who may not read them: a bounded queue, and a thread of its own that writes.
//!
//! A pipe that is full and that nobody reads takes no more, and a write to it waits for ever. So
//! nobody who carries a load or answers a signal writes by himself.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc as standard};
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

/// Lines that may wait for being written.
const MOST_LINES: usize = 256;

/// Places in the queue that are kept for what must not be left out: there are few such lines.
const KEPT_PLACES: usize = 32;

/// Where lines go to be written. Clones write to the same place.
#[derive(Clone, Debug)]
pub struct Lines {
    queue: Sender<Word>,
    left_out: Arc<AtomicU64>,
}

impl std::fmt::Debug for Word {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Line(_) => "Line",
            Self::Written(_) => "Written",
        })
    }
}

/// The other end of [`Lines`].
#[derive(Debug)]
pub struct LineReader {
    words: Receiver<Word>,
}

impl LineReader {
    /// The next line; None once there can be no more.
    pub async fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.words.recv().await? {
                Word::Line(line) => return Some(line),
                // Who waited may have given up.
                Word::Written(tell) => {
                    tell();
                }
            }
        }
    }
}

enum Word {
    Line(Vec<u8>),
    /// Everything before it was written, or nobody reads any more.
    Written(Box<dyn FnOnce() -> bool + Send>),
}

impl Lines {
    /// Starts the thread that writes to `output`.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn to(output: impl Write + Send + 'static, name: &str) -> io::Result<Self> {
        let (lines, LineReader { words }) = Self::queue();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || write_all(output, words))?;
        Ok(lines)
    }

    /// Lines that wait until they are read at the other end.
    pub fn queue() -> (Self, LineReader) {
        let (queue, words) = channel(MOST_LINES);
        let lines = Self {
            queue,
            left_out: Arc::default(),
        };
        (lines, LineReader { words })
    }

    /// Has a line written, unless too many are waiting: then it is left out.
    pub(crate) fn offer(&self, line: Vec<u8>) {
        if self.queue.capacity() > KEPT_PLACES {
            self.put(line);
        } else {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Has a line written that must not be left out. It is if nobody has read for so long that not
    /// even the places that are kept for such lines are free.
    pub(crate) fn put(&self, line: Vec<u8>) {
        if self.queue.try_send(Word::Line(line)).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lines that were left out.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    /// Waits until everything so far is written; false if that took longer.
    pub(crate) async fn written(&self, at_most: Duration) -> bool {
        let (sender, written) = oneshot::channel();
        self.tell_when_written(move || sender.send(()).is_ok())
            && tokio::time::timeout(at_most, written)
                .await
                .is_ok_and(|written| written.is_ok())
    }

    /// The same where there is no runtime.
    pub(crate) fn written_blocking(&self, at_most: Duration) -> bool {
        let (sender, written) = standard::channel();
        self.tell_when_written(move || sender.send(()).is_ok())
            && written.recv_timeout(at_most).is_ok()
    }
}

impl Lines {
    /// False if not even the places that are kept are free.
    fn tell_when_written(&self, tell: impl FnOnce() -> bool + Send + 'static) -> bool {
        self.queue.try_send(Word::Written(Box::new(tell))).is_ok()
    }
}

/// A reader that went away is noted once and then ignored.
fn write_all(mut output: impl Write, mut words: Receiver<Word>) {
    let mut broken = false;
    while let Some(word) = words.blocking_recv() {
        match word {
            Word::Line(line) if !broken => {
                broken = output
                    .write_all(&line)
                    .and_then(|()| output.flush())
                    .is_err();
            }
            Word::Line(_) => {}
            // Who waited may have given up.
            Word::Written(tell) => {
                tell();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);
    const AT_ONCE: Duration = Duration::from_millis(20);

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_in_their_order() {
        let kept = Kept::default();
        let lines = Lines::to(kept.clone(), "test").unwrap();
        lines.offer(b"a\n".to_vec());
        lines.put(b"b\n".to_vec());
        assert!(lines.written_blocking(SOON));
        assert_eq!(*kept.0.lock().unwrap(), b"a\nb\n");
        assert_eq!(lines.left_out(), 0);
    }

    /// Somebody who takes nothing until he is told that there is enough.
    struct Stuck(standard::Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.recv() {
                Ok(()) | Err(standard::RecvError) => Ok(bytes.len()),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_a_reader_who_does_not_read() {
        let (go_on, stuck) = standard::channel();
        let lines = Lines::to(Stuck(stuck), "test").unwrap();
        for _ in 0..2 * MOST_LINES {
            lines.offer(b"progress\n".to_vec());
        }
        let left_out = lines.left_out();
        assert!(left_out >= (MOST_LINES + KEPT_PLACES - 1) as u64);
        lines.put(b"report\n".to_vec());
        assert_eq!(lines.left_out(), left_out, "a place was kept for it");
        assert!(!lines.written(AT_ONCE).await);
        assert!(!lines.written_blocking(AT_ONCE));
        drop(go_on);
        assert!(lines.written(SOON).await);
    }

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_who_went_away_is_not_waited_for() {
        let lines = Lines::to(Gone, "test").unwrap();
        lines.put(b"report\n".to_vec());
        assert!(lines.written_blocking(SOON));
    }
}
