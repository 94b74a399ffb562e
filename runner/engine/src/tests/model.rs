//! Load threads that stand still now and then, and a target that serves one task after the other.

use std::collections::BTreeMap;

use super::*;

/// A time in which nothing happens: from, until.
pub(super) type Pause = (Moment, Moment);

/// A run to drive.
pub(super) struct Model {
    pub(super) settings: EngineSettings,
    pub(super) threads: u32,
    /// What a task needs of the target, in nanoseconds.
    pub(super) demand: Box<dyn Fn(Task) -> u64>,
    /// How many tasks the target serves at the same time; it takes them in the order of coming.
    pub(super) servers: usize,
    /// Since when, and until when, each load thread stands still.
    pub(super) stalls: Vec<Vec<Pause>>,
    /// When the target stands still.
    pub(super) pauses: Vec<Pause>,
    /// A task that takes longer fails, in nanoseconds.
    pub(super) timeout: u64,
    /// CPU time that a thread uses after every task that has ended, in nanoseconds.
    pub(super) application: u64,
    /// Whether the threads notice that they stood still.
    pub(super) notices: bool,
}

/// What happens next to a worker's task.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Reply {
    worker: u32,
    fails: bool,
}

/// One load thread.
struct LoadThread {
    engine: Engine,
    /// Replies that wait to be read.
    replies: BTreeMap<(Moment, u64), Reply>,
    stalls: Vec<Pause>,
    /// It is at work until then.
    works_until: Moment,
    drained: bool,
}

impl LoadThread {
    /// When it gets to something that happens at a moment.
    fn gets_to(&self, moment: Moment) -> Moment {
        let mut moment = moment.max(self.works_until);
        for (from, until) in &self.stalls {
            if (*from..*until).contains(&moment) {
                moment = *until;
            }
        }
        moment
    }

    fn next(&self) -> Option<Moment> {
        if self.drained {
            return None;
        }
        let reply = self.replies.first_key_value().map(|((at, _), _)| *at);
        let event = self.engine.next_event();
        [reply, event]
            .into_iter()
            .flatten()
            .min()
            .map(|moment| self.gets_to(moment))
    }

    /// Tells the engine of the stalls that are over now.
    fn notice(&mut self, now: Moment, tells: bool) {
        while let Some((from, until)) = self.stalls.first().copied()
            && until <= now
        {
            self.stalls.remove(0);
            if tells {
                self.engine.delayed(Delay {
                    from,
                    until,
                    own_nanoseconds: until.nanoseconds_since(from),
                });
            }
        }
    }
}

/// When the target has served a task that comes now.
fn served(free: &mut [Moment], pauses: &[Pause], now: Moment, demand: u64) -> Moment {
    let server = free.iter_mut().min().expect("a server");
    let mut begin = now.max(*server);
    let mut left = demand;
    for (from, until) in pauses {
        if begin < *until {
            if begin.plus(left) <= *from {
                break;
            }
            left -= from.nanoseconds_since(begin).min(left);
            begin = *until;
        }
    }
    *server = begin.plus(left);
    *server
}

impl Model {
    /// 3 steps, one thread, one server, no fault.
    pub(super) fn new(settings: EngineSettings, demand: u64) -> Self {
        Self {
            settings,
            threads: 1,
            demand: Box::new(move |_| demand),
            servers: 1,
            stalls: Vec::new(),
            pauses: Vec::new(),
            timeout: u64::MAX,
            application: 0,
            notices: true,
        }
    }

    /// Drives it to its end.
    pub(super) fn run(&self) -> Snapshot {
        let whole = Whole::new(&self.settings);
        let count = NonZeroU32::new(self.threads).unwrap();
        let mut threads: Vec<LoadThread> = engines(&self.settings, count)
            .into_iter()
            .enumerate()
            .map(|(number, engine)| LoadThread {
                engine,
                replies: BTreeMap::new(),
                stalls: self.stalls.get(number).cloned().unwrap_or_default(),
                works_until: Moment::default(),
                drained: false,
            })
            .collect();
        let mut free = vec![Moment::default(); self.servers];
        let mut sequence = 0;
        loop {
            let (number, now) = threads
                .iter()
                .enumerate()
                .filter_map(|(number, thread)| Some((number, thread.next()?)))
                .min_by_key(|(number, at)| (*at, *number))
                .expect("something happens");
            let mut begin = |thread: &mut LoadThread, worker: u32, now: Moment| {
                let Some(task) = thread.engine.begin(worker, now) else {
                    return;
                };
                thread.engine.begin_step(worker, 0, now);
                let end = served(&mut free, &self.pauses, now, (self.demand)(task));
                let timeout = now.plus(self.timeout);
                sequence += 1;
                thread.replies.insert(
                    (end.min(timeout), sequence),
                    Reply {
                        worker,
                        fails: end > timeout,
                    },
                );
            };
            let thread = &mut threads[number];
            thread.notice(now, self.notices);
            // Every turn hands over what is due, then reads what has come.
            for worker in hand_over(&mut thread.engine, now) {
                begin(thread, worker, now);
            }
            if let Some(((at, _), Reply { worker, fails })) = thread
                .replies
                .first_key_value()
                .map(|(key, reply)| (*key, *reply))
                && at <= now
            {
                thread.replies.pop_first();
                if fails {
                    let class = FailureClass::Timeout;
                    thread
                        .engine
                        .fail(worker, class, ConnectionAfter::Dropped, now);
                    thread.engine.reconnected(worker, now);
                } else {
                    thread.engine.complete(worker, now);
                }
                begin(thread, worker, now);
                thread.works_until = now.plus(self.application);
            }
            Self::tell_each_other(&mut threads, now);
            if threads.iter().all(|thread| thread.drained) {
                let ends = threads.iter().map(|thread| thread.engine.stage());
                let (ending, at) = whole::first_end(ends).unwrap();
                let closed: Vec<_> = threads
                    .iter_mut()
                    .map(|thread| thread.engine.close(ending.clone(), at, now))
                    .collect();
                return whole.closed(closed);
            }
        }
    }

    fn tell_each_other(threads: &mut [LoadThread], now: Moment) {
        let first = whole::first_end(threads.iter().map(|thread| thread.engine.stage()));
        if let Some((ending, at)) = first
            && ending != Ending::Completed
        {
            for thread in &mut *threads {
                if thread.engine.takes_arrivals() {
                    thread.engine.end(ending.clone(), Some(at), now);
                }
            }
        }
        for thread in threads {
            thread.drained |= thread.engine.advance(now);
        }
    }

    /// The same without the load threads' own delays.
    pub(super) fn on_time(self) -> Self {
        Self {
            stalls: Vec::new(),
            ..self
        }
    }
}
