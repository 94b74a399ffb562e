//! A connection: two lines, one for each direction, on which bytes take their time.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::weather::{Fate, Weather};

/// Bytes that may be under way in one direction: more have to wait, as in a socket's buffer.
const MOST_UNDER_WAY: usize = 256 * 1024;

/// How a line has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Its writer closed it.
    Closed,
    /// The connection broke.
    Broken,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Line {
    weather: Weather,
    under_way: VecDeque<(Instant, Vec<u8>)>,
    bytes_under_way: usize,
    /// Nothing arrives before this.
    last: Instant,
    gone: u64,
    end: Option<(Instant, End)>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Line {
    fn new(weather: Weather) -> Self {
        Self {
            weather,
            under_way: VecDeque::new(),
            bytes_under_way: 0,
            last: Instant::now(),
            gone: 0,
            end: None,
            reader: None,
            writer: None,
        }
    }

    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()]
            .into_iter()
            .flatten()
        {
            waker.wake();
        }
    }

    /// Sends bytes on their way; whether the connection breaks of it.
    fn send(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while !rest.is_empty() {
            let most = match self.weather.fate {
                Fate::Lives => rest.len(),
                Fate::Breaks { after } | Fate::FallsSilent { after } => {
                    usize::try_from(after.saturating_sub(self.gone)).unwrap_or(usize::MAX)
                }
            };
            if most == 0 {
                return matches!(self.weather.fate, Fate::Breaks { .. });
            }
            let length = self.weather.next_piece(rest.len().min(most));
            let (piece, after) = rest.split_at(length);
            let arrives = (Instant::now() + self.weather.next_delay()).max(self.last);
            self.last = arrives;
            self.under_way.push_back((arrives, piece.to_vec()));
            self.bytes_under_way += length;
            self.gone += length as u64;
            rest = after;
        }
        false
    }

    fn end(&mut self, end: End) {
        if self.end.is_none() {
            let at = match end {
                End::Closed => (Instant::now() + self.weather.next_delay()).max(self.last),
                End::Broken => {
                    self.under_way.clear();
                    Instant::now()
                }
            };
            // Who is silent does not tell of the end, either.
            let is_silent =
                matches!(self.weather.fate, Fate::FallsSilent { after } if self.gone >= after);
            if !(is_silent && end == End::Closed) {
                self.end = Some((at, end));
            }
        }
        self.wake();
    }
}

type Shared = Arc<Mutex<Line>>;

fn lock(line: &Shared) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct LineEnd {
    incoming: Shared,
    outgoing: Shared,
    arrival: Option<Pin<Box<Sleep>>>,
}

/// Breaks a connection from outside.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    lines: [Shared; 2],
}

impl Breaker {
    /// Nothing arrives any more, and nobody is told.
    pub(super) fn hush(&self) {
        for line in &self.lines {
            let mut line = lock(line);
            line.weather.fate = Fate::FallsSilent { after: line.gone };
        }
    }

    /// Both ends learn of it at once; what was under way is lost.
    pub(super) fn break_it(&self) {
        for line in &self.lines {
            lock(line).end(End::Broken);
        }
    }
}

/// A connection: the end of who made it, and the other one.
pub(super) fn connection(there: Weather, back: Weather) -> (LineEnd, LineEnd, Breaker) {
    let there = Arc::new(Mutex::new(Line::new(there)));
    let back = Arc::new(Mutex::new(Line::new(back)));
    let end = |incoming: &Shared, outgoing: &Shared| LineEnd {
        incoming: Arc::clone(incoming),
        outgoing: Arc::clone(outgoing),
        arrival: None,
    };
    (
        end(&back, &there),
        end(&there, &back),
        Breaker {
            lines: [there, back],
        },
    )
}

impl AsyncRead for LineEnd {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let mut line = lock(&this.incoming);
            let now = Instant::now();
            let mut read = 0;
            while let Some((arrives, bytes)) = line.under_way.front_mut() {
                if *arrives > now || buffer.remaining() == 0 {
                    break;
                }
                let length = bytes.len().min(buffer.remaining());
                buffer.put_slice(&bytes[..length]);
                bytes.drain(..length);
                read += length;
                if bytes.is_empty() {
                    line.under_way.pop_front();
                }
            }
            if read > 0 {
                line.bytes_under_way -= read;
                if let Some(writer) = line.writer.take() {
                    writer.wake();
                }
                return Poll::Ready(Ok(()));
            }
            let next = match (line.under_way.front(), line.end) {
                (Some((arrives, _)), _) => *arrives,
                (None, Some((at, end))) if at <= now => {
                    return Poll::Ready(match end {
                        End::Closed => Ok(()),
                        End::Broken => Err(io::ErrorKind::ConnectionReset.into()),
                    });
                }
                (None, Some((at, _))) => at,
                (None, None) => {
                    line.reader = Some(context.waker().clone());
                    return Poll::Pending;
                }
            };
            line.reader = Some(context.waker().clone());
            drop(line);
            let mut arrival = Box::pin(sleep_until(next));
            if arrival.as_mut().poll(context).is_pending() {
                this.arrival = Some(arrival);
                return Poll::Pending;
            }
        }
    }
}

impl AsyncWrite for LineEnd {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let broken = {
            let mut line = lock(&this.outgoing);
            if line.end.is_some() {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let room = MOST_UNDER_WAY.saturating_sub(line.bytes_under_way);
            if room == 0 {
                line.writer = Some(context.waker().clone());
                return Poll::Pending;
            }
            let taken = bytes.len().min(room);
            let broken = line.send(&bytes[..taken]);
            line.wake();
            if !broken {
                return Poll::Ready(Ok(taken));
            }
            broken
        };
        // What was taken is lost, and the writer learns of it by what it does next.
        if broken {
            lock(&this.outgoing).break_after_what_has_gone();
            lock(&this.incoming).end(End::Broken);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.outgoing).end(End::Closed);
        Poll::Ready(Ok(()))
    }
}

impl Line {
    /// What is under way still arrives, then the reader learns that the connection is broken.
    fn break_after_what_has_gone(&mut self) {
        self.end = Some((self.last, End::Broken));
        self.wake();
    }
}

impl Drop for LineEnd {
    fn drop(&mut self) {
        lock(&self.outgoing).end(End::Closed);
        // Nobody reads what still comes; who writes on learns of it.
        let mut incoming = lock(&self.incoming);
        if incoming.end.is_none() {
            incoming.under_way.clear();
            incoming.end = Some((Instant::now(), End::Broken));
            incoming.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use redyno_contract::plan::DynoName;
    use redyno_contract::random::{Purpose, Random, Seed};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn random() -> Random {
        let name = DynoName {
            dyno_type: "test".to_owned(),
            index: 0,
        };
        Seed::of(1, &name).stream(Purpose::Texts, 0)
    }

    fn slow(fate: Fate) -> Weather {
        Weather {
            delay: Duration::from_millis(10),
            jitter: Duration::from_millis(20),
            pieces: Some(3),
            fate,
            ..Weather::fair(random())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_arrive_late_in_pieces_and_in_order() {
        let (mut here, mut there, _) = connection(slow(Fate::Lives), Weather::fair(random()));
        let begun = Instant::now();
        here.write_all(b"0123456789").await.unwrap();
        drop(here);
        let mut received = Vec::new();
        let mut reads = 0;
        while there.read_buf(&mut received).await.unwrap() > 0 {
            reads += 1;
        }
        assert_eq!(received, b"0123456789");
        assert!(reads > 1);
        assert!(begun.elapsed() >= Duration::from_millis(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_breaks_between_two_bytes_and_both_ends_learn_of_it() {
        let (mut here, mut there, _) =
            connection(slow(Fate::Breaks { after: 4 }), Weather::fair(random()));
        here.write_all(b"0123456789").await.unwrap();
        let mut received = Vec::new();
        let error = there.read_to_end(&mut received).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(received, b"0123");
        assert!(here.write_all(b"more").await.is_err());
        assert!(here.read_u8().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_line_says_nothing_for_ever() {
        let (mut here, mut there, breaker) = connection(
            slow(Fate::FallsSilent { after: 4 }),
            Weather::fair(random()),
        );
        here.write_all(b"0123456789").await.unwrap();
        drop(here);
        let mut received = Vec::new();
        let waiting = there.read_to_end(&mut received);
        assert!(
            tokio::time::timeout(Duration::from_hours(1), waiting)
                .await
                .is_err()
        );
        assert_eq!(received, b"0123");
        breaker.break_it();
        assert!(there.read_u8().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_writes_faster_than_is_read_waits() {
        let (mut here, mut there, _) = connection(Weather::fair(random()), Weather::fair(random()));
        let much = vec![1; 3 * MOST_UNDER_WAY];
        let writing = tokio::spawn(async move { here.write_all(&much).await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!writing.is_finished());
        let mut received = Vec::new();
        there.read_to_end(&mut received).await.unwrap();
        assert_eq!(received.len(), 3 * MOST_UNDER_WAY);
        writing.await.unwrap().unwrap();
    }
}
