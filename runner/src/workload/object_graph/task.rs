//! One worker's tasks on the wire: fetch, save, ping.

use std::rc::Rc;

use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, Value};
use redyno_contract::Plan;
use redyno_contract::plan::{DynoName, ObjectGraph};
use redyno_target::Connection;

use super::building::Building;
use super::flats::{self, Flat};
use super::mail::Mails;
use super::script;
use crate::engine::FailureClass;
use crate::random::Random;
use crate::workload::failure::TaskFailure;

/// Flats that one HSET of the prefill writes: about 250 KB.
const PREFILL_CHUNK: u32 = 1000;

/// One worker: its building, and the commands that are the same for every task.
pub(crate) struct GraphWorker {
    building: Building,
    max_flats: u32,
    mails: Rc<Mails>,
    root_document: String,
    flats_key: String,
    get: Cmd,
    call_script: Cmd,
    send_script: Cmd,
    ping: Cmd,
}

impl GraphWorker {
    /// The worker with this number, counted from 0.
    pub(crate) fn new(
        plan: &Plan,
        dyno: &DynoName,
        graph: &ObjectGraph,
        mails: Rc<Mails>,
        worker: u32,
    ) -> Self {
        let building = Building::new(&plan.run.uid, plan.seed, dyno, worker);
        let flats_key = building.keys().flats();
        let mut get = redis::cmd("get");
        get.arg(building.keys().root());
        Self {
            max_flats: graph.max_flats,
            mails,
            root_document: building.document(),
            call_script: script::call(&flats_key),
            send_script: script::send(&flats_key),
            get,
            ping: redis::cmd("ping"),
            building,
            flats_key,
        }
    }

    /// Greets the server, so that no connection is first used by a task.
    pub(crate) async fn greet(&self, connection: &mut Connection) -> Result<(), TaskFailure> {
        self.ping(connection).await
    }

    /// Writes the building with all its flats.
    pub(crate) async fn prefill(&self, connection: &mut Connection) -> Result<(), TaskFailure> {
        let mut from = 0;
        while from < self.max_flats {
            let until = self.max_flats.min(from.saturating_add(PREFILL_CHUNK));
            let mut pipeline = Pipeline::with_capacity(2);
            if from == 0 {
                pipeline.add_command(self.set());
            }
            let flats: Vec<Flat> = (from..until)
                .map(|position| self.building.flat(position))
                .collect();
            pipeline.add_command(self.hset(&flats));
            let count = pipeline.len();
            for reply in connection.req_packed_commands(&pipeline, 0, count).await? {
                reply.extract_error()?;
            }
            from = until;
        }
        Ok(())
    }

    /// One task. `step_ended` is called after Fetch and after Save.
    pub(crate) async fn run(
        &self,
        connection: &mut Connection,
        mut random: Random,
        mut step_ended: impl FnMut(),
    ) -> Result<(), TaskFailure> {
        let mut flats = self.fetch(connection).await?;
        step_ended();
        // Drawn before the push, so that a new flat never gets the mail of its own task.
        let count = u32::try_from(flats.len()).unwrap_or(u32::MAX);
        let chosen = random.below(count) as usize;
        if count < self.max_flats {
            flats.push(self.building.flat(count));
        }
        let mail = self.mails.draw(&mut random);
        self.save(connection, &flats, chosen, &mail).await?;
        step_ended();
        self.ping(connection).await
    }

    /// GET of the building; if it is there, one call of the script for all its flats.
    async fn fetch(&self, connection: &mut Connection) -> Result<Vec<Flat>, TaskFailure> {
        match connection.req_packed_command(&self.get).await? {
            Value::Nil => return Ok(Vec::new()),
            Value::BulkString(_) => {}
            Value::ServerError(error) => return Err(error.into()),
            _ => return Err(TaskFailure::unexpected("GET of the building is not text")),
        }
        match flats::read(connection.req_packed_command(&self.call_script).await?) {
            Err(failure) if failure.class == FailureClass::NoScript => {
                flats::read(connection.req_packed_command(&self.send_script).await?)
            }
            result => result,
        }
    }

    /// One write: the building, the new mail, and all flats, in a transaction.
    async fn save(
        &self,
        connection: &mut Connection,
        flats: &[Flat],
        chosen: usize,
        mail: &[u8],
    ) -> Result<(), TaskFailure> {
        let flat = flats
            .get(chosen)
            .and_then(|flat| std::str::from_utf8(&flat.id).ok())
            .ok_or_else(|| TaskFailure::unexpected("a flat whose id is not text"))?;
        let mut rpush = redis::cmd("rpush");
        rpush.arg(self.building.keys().mail(flat)).arg(mail);
        let mut pipeline = Pipeline::with_capacity(5);
        pipeline
            .add_command(redis::cmd("multi"))
            .add_command(self.set())
            .add_command(rpush)
            .add_command(self.hset(flats))
            .add_command(redis::cmd("exec"));
        check_transaction(connection.req_packed_commands(&pipeline, 0, 5).await?)
    }

    async fn ping(&self, connection: &mut Connection) -> Result<(), TaskFailure> {
        match connection.req_packed_command(&self.ping).await? {
            Value::SimpleString(pong) if pong == "PONG" => Ok(()),
            Value::ServerError(error) => Err(error.into()),
            _ => Err(TaskFailure::unexpected("PING was not answered with PONG")),
        }
    }

    fn set(&self) -> Cmd {
        let mut set = redis::cmd("set");
        set.arg(self.building.keys().root())
            .arg(&self.root_document);
        set
    }

    fn hset(&self, flats: &[Flat]) -> Cmd {
        let bytes: usize = flats
            .iter()
            .map(|flat| flat.id.len() + flat.document.len())
            .sum();
        let mut hset = Cmd::with_capacity(
            2 + 2 * flats.len(),
            "hset".len() + self.flats_key.len() + bytes,
        );
        hset.arg("hset").arg(&self.flats_key);
        for Flat { id, document } in flats {
            hset.arg(id.as_slice()).arg(document.as_slice());
        }
        hset
    }
}

/// The replies of MULTI, SET, RPUSH, HSET and EXEC. The first error in their order is the cause:
/// EXEC of a transaction that could not be queued only says that it was discarded.
fn check_transaction(replies: Vec<Value>) -> Result<(), TaskFailure> {
    let mut last = Value::Nil;
    let count = replies.len();
    for reply in replies {
        last = reply.extract_error().map_err(TaskFailure::from)?;
    }
    match last {
        Value::Array(results) if count == 5 && results.len() == 3 => {
            for result in results {
                result.extract_error().map_err(TaskFailure::from)?;
            }
            Ok(())
        }
        Value::Nil => Err(TaskFailure::unexpected("EXEC did nothing")),
        _ => Err(TaskFailure::unexpected(
            "EXEC answered with another number of results than commands",
        )),
    }
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    fn replies(exec: &str) -> Vec<Value> {
        ["+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n", exec]
            .map(|reply| parse_redis_value(reply.as_bytes()).unwrap())
            .to_vec()
    }

    #[test]
    fn a_transaction_is_checked_to_its_last_command() {
        assert_eq!(
            check_transaction(replies("*3\r\n+OK\r\n:1\r\n:0\r\n")),
            Ok(())
        );
        for (exec, class) in [
            ("*-1\r\n", FailureClass::Other),
            ("*2\r\n+OK\r\n:1\r\n", FailureClass::Other),
            ("+OK\r\n", FailureClass::Other),
            (
                "*3\r\n+OK\r\n-WRONGTYPE Operation against a key\r\n:0\r\n",
                FailureClass::WrongType,
            ),
            (
                "-EXECABORT Transaction discarded because of previous errors.\r\n",
                FailureClass::Other,
            ),
        ] {
            let failure = check_transaction(replies(exec)).unwrap_err();
            assert_eq!(failure.class, class, "{exec}");
        }
    }

    #[test]
    fn the_cause_of_a_discarded_transaction_is_what_could_not_be_queued() {
        let mut replies = replies("-EXECABORT Transaction discarded\r\n");
        replies[2] = parse_redis_value(b"-OOM command not allowed\r\n").unwrap();
        let failure = check_transaction(replies).unwrap_err();
        assert_eq!(failure.class, FailureClass::OutOfMemory);
    }
}
