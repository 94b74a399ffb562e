//! One worker's tasks on the wire: fetch, save, ping.

use std::rc::Rc;

use redyno_contract::plan::{DynoName, Fetch, ObjectGraph};

use super::building::Building;
use super::flats::Flats;
use super::mail::Mails;
use super::save::{self, Frame, Save};
use super::script;
use crate::engine::FailureClass;
use crate::random::Random;
use crate::workload::exchange::{Exchange, push_command};
use crate::workload::failure::TaskFailure;

/// Flats that one HSET of the prefill writes: about 250 KB.
const PREFILL_CHUNK: u32 = 1000;

const PONG: &[u8] = b"+PONG\r\n";

/// One worker: its building, and the requests that are the same for every task.
pub(crate) struct GraphWorker {
    building: Building,
    max_flats: u32,
    fetch: Fetch,
    mails: Rc<Mails>,
    get: Vec<u8>,
    get_flats: Vec<u8>,
    /// With the text of the script, for a server that does not know it.
    send_script: Vec<u8>,
    set: Vec<u8>,
    save: Frame,
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
        worker: u32,
    ) -> Self {
        let building = Building::new(run_uid, plan_seed, dyno, worker);
        let flats_key = building.keys().flats();
        let root = building.keys().root();
        let set = request(&["set", root, &building.document()]);
        Self {
            max_flats: graph.max_flats,
            fetch: graph.fetch,
            mails,
            get: request(&["get", root]),
            get_flats: match graph.fetch {
                Fetch::Lua => script::call(&flats_key),
                Fetch::Hgetall => request(&["hgetall", &flats_key]),
            },
            send_script: script::send(&flats_key),
            save: Frame {
                begin: [request(&["multi"]), set.clone()].concat(),
                flats_key,
                end: request(&["exec"]),
            },
            ping: request(&["ping"]),
            set,
            building,
        }
    }

    /// Greets the server, so that no connection is first used by a task.
    pub(crate) async fn greet(&self, connection: &mut impl Exchange) -> Result<(), TaskFailure> {
        self.ping(connection).await
    }

    /// Writes the building with all its flats.
    pub(crate) async fn prefill(&self, connection: &mut impl Exchange) -> Result<(), TaskFailure> {
        let mut from = 0;
        while from < self.max_flats {
            let until = self.max_flats.min(from.saturating_add(PREFILL_CHUNK));
            let mut request = Vec::new();
            let mut commands = 1;
            if from == 0 {
                request.extend_from_slice(&self.set);
                commands += 1;
            }
            save::begin_hset(&mut request, &self.save.flats_key, (until - from) as usize);
            for position in from..until {
                save::push_flat(&mut request, &self.building.flat(position));
            }
            connection.perform(request, commands).await?;
            from = until;
        }
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
        let save = self.save(flats, &mut random)?;
        let replies = connection.exchange(save, save::COMMANDS).await?;
        if let Some(reason) = save::not_saved(&replies) {
            return Err(TaskFailure::unexpected(reason));
        }
        drop(replies);
        step_ended();
        self.ping(connection).await
    }

    /// GET of the building; if it is there, one more round trip for all its flats.
    async fn fetch(&self, connection: &mut impl Exchange) -> Result<Flats, TaskFailure> {
        match connection.exchange(&self.get, 1).await?.as_slice() {
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
        Flats::read(reply, self.fetch)
    }

    /// One write: the building, the new mail, and all flats, in a transaction.
    fn save(&self, flats: Flats, random: &mut Random) -> Result<Save<'_>, TaskFailure> {
        // Drawn before the push, so that a new flat never gets the mail of its own task.
        let count = u32::try_from(flats.count()).unwrap_or(u32::MAX);
        let chosen = random.below(count) as usize;
        let pushed = (count < self.max_flats).then(|| self.building.flat(count));
        let id = match (flats.id(chosen), &pushed) {
            (Some(id), _) => std::str::from_utf8(id).ok(),
            // The first flat of all has nobody but itself.
            (None, Some(first)) => Some(first.id.as_str()),
            (None, None) => None,
        }
        .ok_or_else(|| TaskFailure::unexpected("a flat whose id is not text"))?;
        let mail_key = self.building.keys().mail(id);
        let mail = self.mails.draw(random);
        Ok(Save::new(
            &self.save,
            &mail_key,
            mail,
            flats,
            pushed.as_ref(),
        ))
    }

    async fn ping(&self, connection: &mut impl Exchange) -> Result<(), TaskFailure> {
        if connection.exchange(&self.ping, 1).await?.as_slice() == PONG {
            Ok(())
        } else {
            Err(TaskFailure::unexpected("PING was not answered with PONG"))
        }
    }
}

fn request(words: &[&str]) -> Vec<u8> {
    let mut request = Vec::new();
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    push_command(&mut request, &words);
    request
}
