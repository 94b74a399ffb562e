//! One worker's tasks on the wire: fetch, save, ping.

use std::cell::Cell;
use std::rc::Rc;

use redyno_contract::plan::{DynoName, Fetch, ObjectGraph, Prefill};

use super::building::{Building, Flat};
use super::flats::Flats;
use super::mail::Mails;
use super::script;
use crate::random::Random;
use crate::workload::exchange::{
    Buffer, Buffers, Exchange, Heard, begin_command, push_command, push_word,
};
use crate::workload::failure::TaskFailure;
use redyno_engine::FailureClass;

/// Flats that one HSET of the prefill writes: about 250 KB.
const PREFILL_CHUNK: u32 = 1000;

/// MULTI, SET, RPUSH, HSET, EXEC.
const SAVE_COMMANDS: u64 = 5;

/// What a transaction of three commands is answered with, up to the results of RPUSH and HSET.
const SAVED: &[u8] = b"+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n";

/// The first result of the transaction, with which [`SAVED`] ends.
const ANSWER_OF_SET: &[u8] = b"+OK\r\n";

const PONG: &[u8] = b"+PONG\r\n";

/// One worker: its building, and the requests that are the same for every task.
pub(crate) struct GraphWorker {
    building: Building,
    max_flats: u32,
    /// Flats that it has written and that must be there: nobody else knows the building.
    written: Cell<u32>,
    fetch: Fetch,
    prefill: Prefill,
    mails: Rc<Mails>,
    buffers: Buffers,
    flats_key: String,
    get: Vec<u8>,
    get_flats: Vec<u8>,
    /// With the text of the script, for a server that does not know it.
    send_script: Vec<u8>,
    set: Vec<u8>,
    /// MULTI and SET.
    begin_save: Vec<u8>,
    /// EXEC.
    end_save: Vec<u8>,
    ping: Vec<u8>,
}

impl GraphWorker {
    /// The worker with this number, counted from 0.
    pub(crate) fn new(
        run_uid: &str,
        plan_seed: u64,
        dyno: &DynoName,
        graph: &ObjectGraph,
        mails: Rc<Mails>,
        buffers: Buffers,
        worker: u32,
    ) -> Self {
        let building = Building::new(run_uid, plan_seed, dyno, worker);
        let flats_key = building.keys().flats();
        let root = building.keys().root();
        let set = request(&["set", root, &building.document()]);
        Self {
            max_flats: graph.max_flats,
            written: Cell::new(0),
            fetch: graph.fetch,
            prefill: graph.prefill,
            mails,
            buffers,
            get: request(&["get", root]),
            get_flats: match graph.fetch {
                Fetch::Lua => script::call(&flats_key),
                Fetch::Hgetall => request(&["hgetall", &flats_key]),
            },
            send_script: script::send(&flats_key),
            begin_save: [request(&["multi"]), set.clone()].concat(),
            end_save: request(&["exec"]),
            ping: request(&["ping"]),
            set,
            building,
            flats_key,
        }
    }

    /// Greets the server, so that no connection is first used by a task, and writes the building
    /// if it is to be there at the start; tells how many flats it has written as it goes.
    pub(crate) async fn prepare(
        &self,
        connection: &mut impl Exchange,
        wrote: impl Fn(u64),
    ) -> Result<(), TaskFailure> {
        self.ping(connection).await?;
        match self.prefill {
            Prefill::Full => self.write_building(connection, wrote).await,
            Prefill::Empty => Ok(()),
        }
    }

    /// Writes the building with all its flats.
    async fn write_building(
        &self,
        connection: &mut impl Exchange,
        wrote: impl Fn(u64),
    ) -> Result<(), TaskFailure> {
        let mut from = 0;
        while from < self.max_flats {
            let until = self.max_flats.min(from.saturating_add(PREFILL_CHUNK));
            let mut request = self.buffers.take();
            let mut commands = 1;
            if from == 0 {
                request.extend_from_slice(&self.set);
                commands += 1;
            }
            self.begin_hset(&mut request, (until - from) as usize);
            for position in from..until {
                push_flat(&mut request, &self.building.flat(position));
            }
            connection.perform(request, commands).await?;
            wrote(u64::from(until - from));
            from = until;
        }
        self.written.set(self.max_flats);
        Ok(())
    }

    /// One task. `step_ended` is called after Fetch and after Save.
    pub(crate) async fn run(
        &self,
        connection: &mut impl Exchange,
        mut random: Random,
        mut step_ended: impl FnMut(),
    ) -> Result<(), TaskFailure> {
        let flats = self.fetch(connection).await?;
        step_ended();
        let saved = self.max_flats.min(count_of(&flats).saturating_add(1));
        let save = self.save(flats, &mut random)?;
        check_saved(connection.converse(save, SAVE_COMMANDS).await?)?;
        self.written.set(self.written.get().max(saved));
        step_ended();
        self.ping(connection).await
    }

    /// GET of the building; if it is there, one more round trip for all its flats.
    async fn fetch(&self, connection: &mut impl Exchange) -> Result<Flats, TaskFailure> {
        match connection.exchange(&self.get, 1).await?.as_slice() {
            b"$-1\r\n" if self.written.get() > 0 => {
                return Err(TaskFailure::lost("the building is not there"));
            }
            b"$-1\r\n" => return Ok(Flats::default()),
            [b'$', ..] => {}
            _ => return Err(TaskFailure::unexpected("GET of the building is not text")),
        }
        let reply = match connection.exchange(&self.get_flats, 1).await {
            Err(failure) if failure.class == FailureClass::NoScript => {
                connection.exchange(&self.send_script, 1).await?
            }
            result => result?,
        };
        Flats::read(reply, self.fetch, self.written.get())
    }

    /// One write: the building, the new mail, and all flats, in a transaction.
    fn save(&self, flats: Flats, random: &mut Random) -> Result<Buffer, TaskFailure> {
        // Drawn before the push, so that a new flat never gets the mail of its own task.
        let count = count_of(&flats);
        let chosen = random.below(count) as usize;
        let pushed = (count < self.max_flats).then(|| self.building.flat(count));
        // The first flat of all has nobody but itself.
        let id = match (flats.id(chosen), &pushed) {
            (Some(id), _) => std::str::from_utf8(id).ok(),
            (None, Some(first)) => Some(first.id.as_str()),
            (None, None) => None,
        }
        .ok_or_else(|| TaskFailure::unexpected("a flat whose id is not text"))?;
        let mut request = self.buffers.take();
        request.extend_from_slice(&self.begin_save);
        begin_command(&mut request, 3);
        push_word(&mut request, b"rpush");
        push_word(&mut request, self.building.keys().mail(id).as_bytes());
        self.mails.push_one(&mut request, random);
        self.begin_hset(&mut request, flats.count() + usize::from(pushed.is_some()));
        flats.push_to(&mut request);
        if let Some(flat) = &pushed {
            push_flat(&mut request, flat);
        }
        request.extend_from_slice(&self.end_save);
        Ok(request)
    }

    async fn ping(&self, connection: &mut impl Exchange) -> Result<(), TaskFailure> {
        if connection.exchange(&self.ping, 1).await?.as_slice() == PONG {
            Ok(())
        } else {
            Err(TaskFailure::unexpected("PING was not answered with PONG"))
        }
    }

    /// HSET of so many flats, which must follow.
    fn begin_hset(&self, request: &mut Vec<u8>, flats: usize) {
        begin_command(request, 2 + 2 * flats);
        push_word(request, b"hset");
        push_word(request, self.flats_key.as_bytes());
    }
}

fn request(words: &[&str]) -> Vec<u8> {
    let mut request = Vec::new();
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    push_command(&mut request, &words);
    request
}

fn push_flat(request: &mut Vec<u8>, flat: &Flat) {
    let Flat { id, document } = flat;
    push_word(request, id.as_bytes());
    push_word(request, document.as_bytes());
}

fn count_of(flats: &Flats) -> u32 {
    u32::try_from(flats.count()).unwrap_or(u32::MAX)
}

/// Checks the replies of MULTI, SET, RPUSH, HSET and EXEC.
fn check_saved(Heard { replies, error }: Heard) -> Result<(), TaskFailure> {
    if let Some(error) = error {
        return Err(if may_still_be_open(&replies) {
            error.of_an_unknown_stream()
        } else {
            error
        });
    }
    if replies.starts_with(SAVED) {
        Ok(())
    } else if replies.ends_with(b"*-1\r\n") || replies.ends_with(b"$-1\r\n") {
        Err(TaskFailure::unexpected("EXEC did nothing"))
    } else {
        Err(TaskFailure::unexpected(
            "a transaction was not answered with one result for each of its commands",
        ))
    }
}

/// Whether MULTI was accepted and EXEC was not, so that the next task's commands might only be
/// queued. With EXECABORT the server says that it has discarded them.
fn may_still_be_open(replies: &[u8]) -> bool {
    const LINE_END: &[u8] = b"\r\n";
    let executed = replies.starts_with(&SAVED[..SAVED.len() - ANSWER_OF_SET.len()]);
    let last = replies
        .strip_suffix(LINE_END)
        .and_then(|lines| lines.rsplit(|byte| *byte == b'\n').next())
        .unwrap_or_default();
    replies.starts_with(b"+OK\r\n")
        && !executed
        && last.starts_with(b"-")
        && !last.starts_with(b"-EXECABORT")
}

#[cfg(test)]
mod tests {
    use redyno_engine::ConnectionAfter;

    use super::*;

    #[test]
    fn a_transaction_is_checked_to_its_last_command() {
        let heard = |exec: &str| {
            let mut replies = Buffers::default().take();
            replies.extend_from_slice(b"+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
            replies.extend_from_slice(exec.as_bytes());
            Heard {
                replies,
                error: None,
            }
        };
        assert_eq!(check_saved(heard("*3\r\n+OK\r\n:17\r\n:0\r\n")), Ok(()));
        for exec in ["*-1\r\n", "$-1\r\n", "*2\r\n+OK\r\n:1\r\n", "+OK\r\n"] {
            let failure = check_saved(heard(exec)).unwrap_err();
            assert_eq!(failure.class, FailureClass::Other, "{exec}");
        }
    }

    #[test]
    fn only_a_transaction_that_may_still_be_open_costs_the_connection() {
        for (replies, connection) in [
            // Refused from the first command to the last.
            (
                "-ERR quota\r\n-ERR quota\r\n-ERR quota\r\n-ERR quota\r\n-ERR quota\r\n",
                ConnectionAfter::Usable,
            ),
            // Discarded, which the server says.
            (
                "+OK\r\n-OOM no\r\n+QUEUED\r\n+QUEUED\r\n-EXECABORT discarded\r\n",
                ConnectionAfter::Usable,
            ),
            // Carried out, but for one command.
            (
                "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n:1\r\n-WRONGTYPE no\r\n",
                ConnectionAfter::Usable,
            ),
            // Nobody knows.
            (
                "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n-NOPERM exec\r\n",
                ConnectionAfter::Dropped,
            ),
            (
                "+OK\r\n-OOM no\r\n+QUEUED\r\n+QUEUED\r\n-ERR quota\r\n",
                ConnectionAfter::Dropped,
            ),
        ] {
            let mut buffer = Buffers::default().take();
            buffer.extend_from_slice(replies.as_bytes());
            let heard = Heard {
                replies: buffer,
                error: Some(TaskFailure::of_error_reply(b"OOM no")),
            };
            let failure = check_saved(heard).unwrap_err();
            assert_eq!(failure.connection, connection, "{replies:?}");
        }
    }
}
