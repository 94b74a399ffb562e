//! One worker's tasks on the wire: one command each.

use std::rc::Rc;

use redyno_contract::plan::{Commands, DynoTypePlan, Expectation, Keyspace, MixedCommand, Prefill};
use redyno_contract::random::{Random, Seed};
use redyno_engine::Content;
use redyno_target::KeyspacePart;

use super::keys::Keys;
use super::request::{Template, write_key};
use super::values::Values;
use crate::workload::exchange::{Buffers, Exchange, push_command};
use crate::workload::failure::TaskFailure;
use crate::workload::work::Steps;

/// Commands of the prefill that leave in one write.
const AT_ONCE: u64 = 500;

/// A write of the prefill is sent once it is so long, in bytes, however few commands that are.
const BYTES_AT_ONCE: usize = 256 * 1024;

/// What all workers of a load thread share.
#[derive(Debug)]
pub(crate) struct Mix {
    commands: Vec<Entry>,
    weights: u32,
    keyspace: Keyspace,
    keys: Keys,
    values: Values,
    /// What is written to a key of the keyspace before the start: nothing without a prefill.
    filling: Vec<Template>,
    prefix: String,
}

/// A command of the mix.
#[derive(Debug)]
struct Entry {
    name: String,
    /// The sum of all weights up to and including its own.
    until: u32,
    template: Template,
    expect: Expectation,
}

impl Mix {
    /// The mix of a dyno with this seed; a key is this prefix and a number.
    pub(crate) fn new(seed: Seed, prefix: String, commands: &Commands) -> Self {
        let filling = match commands.prefill {
            Prefill::Full => commands.filled_patterns(),
            Prefill::Empty => Vec::new(),
        };
        let filling = filling
            .into_iter()
            .map(|pattern| {
                let words = ["SET", pattern, MixedCommand::VALUE];
                Template::new(&words.map(str::to_owned))
            })
            .collect();
        let Commands {
            keyspace,
            value_bytes,
            prefill: _,
            mix,
        } = commands;
        let mut weights = 0_u32;
        let commands = mix
            .iter()
            .map(|entry| {
                let MixedCommand {
                    name,
                    weight,
                    command,
                    expect,
                } = entry;
                weights = weights.saturating_add(*weight);
                Entry {
                    name: name.clone(),
                    until: weights,
                    template: Template::new(command),
                    expect: *expect,
                }
            })
            .collect();
        Self {
            commands,
            weights,
            keyspace: keyspace.clone(),
            keys: Keys::new(keyspace),
            values: Values::new(seed, *value_bytes),
            filling,
            prefix,
        }
    }

    /// The command that a random number chooses: its position in the mix.
    fn choose(&self, random: &mut Random) -> usize {
        let place = random.below(self.weights);
        self.commands.partition_point(|entry| entry.until <= place)
    }
}

/// One worker.
#[derive(Debug)]
pub(crate) struct CommandWorker {
    mix: Rc<Mix>,
    buffers: Buffers,
    /// Which part of the keyspace it fills.
    part: KeyspacePart,
}

impl CommandWorker {
    /// The worker with this number, counted from 0.
    pub(crate) fn new(
        mix: Rc<Mix>,
        buffers: Buffers,
        dynos: &DynoTypePlan,
        index: u32,
        worker: u32,
    ) -> Self {
        Self {
            mix,
            buffers,
            part: KeyspacePart {
                index,
                quantity: dynos.quantity,
                worker,
                workers: dynos.workers,
            },
        }
    }

    /// Greets the server, so that no connection is first used by a task, and writes a value to its
    /// part of the keys if they are to be there at the start: all workers of all dynos of the type
    /// fill them together. Tells how many it has written as it goes.
    pub(crate) async fn prepare(
        &self,
        connection: &mut impl Exchange,
        wrote: impl Fn(u64),
    ) -> Result<(), TaskFailure> {
        let mut request = self.buffers.take();
        push_command(&mut request, &[b"PING"]);
        connection.perform(request, 1).await?;
        self.write_keys(connection, wrote).await
    }

    async fn write_keys(
        &self,
        connection: &mut impl Exchange,
        wrote: impl Fn(u64),
    ) -> Result<(), TaskFailure> {
        let mut writes = self
            .part
            .numbers(self.mix.keyspace.keys)
            .flat_map(|number| self.mix.filling.iter().map(move |set| (number, set)))
            .peekable();
        let mut key = Vec::new();
        while writes.peek().is_some() {
            let mut request = self.buffers.take();
            let mut commands = 0;
            while commands < AT_ONCE
                && request.len() < BYTES_AT_ONCE
                && let Some((number, set)) = writes.next()
            {
                write_key(&self.mix.prefix, number, &mut key);
                set.write(&key, self.mix.values.at(number), &mut request);
                commands += 1;
            }
            connection.perform(request, commands).await?;
            wrote(commands);
        }
        Ok(())
    }

    /// One task, of which the command's position in the mix is the step.
    pub(crate) async fn run(
        &self,
        connection: &mut impl Exchange,
        mut random: Random,
        steps: &impl Steps,
    ) -> Result<(), TaskFailure> {
        let mix = &*self.mix;
        let chosen = mix.choose(&mut random);
        let Entry {
            name,
            until: _,
            template,
            expect,
        } = mix
            .commands
            .get(chosen)
            .ok_or_else(|| TaskFailure::unexpected("no command in the mix"))?;
        let mut key = self.buffers.take();
        if template.has_key() {
            let number = mix.keys.draw(&mut random);
            write_key(&mix.prefix, number, &mut key);
        }
        let value = if template.has_value() {
            mix.values.at(random.below(u32::MAX))
        } else {
            &[]
        };
        let mut request = self.buffers.take();
        template.write(&key, value, &mut request);
        drop(key);
        steps.begin(chosen);
        let content = connection.perform(request, 1).await?;
        steps.replied(chosen, content);
        match (expect, content) {
            (Expectation::Hit | Expectation::HitUnlessEvicted, Content::Nothing) => {
                Err(TaskFailure::lost(format!(
                    "the reply to {name} holds nothing, where a hit is expected"
                )))
            }
            (Expectation::Hit | Expectation::HitUnlessEvicted | Expectation::Any, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use redyno_contract::plan::DynoName;
    use redyno_contract::random::Purpose;
    use redyno_contract::samples;

    use super::*;

    #[test]
    fn commands_are_drawn_by_their_weights() {
        let entry = |name, weight| samples::entry(name, weight, &["PING"]);
        let mix = vec![entry("a", 9), entry("b", 1), entry("c", 90)];
        let commands = samples::commands(1, 1, Prefill::Empty, mix);
        let dyno = DynoName {
            dyno_type: "web".to_owned(),
            index: 0,
        };
        let seed = Seed::of(1, &dyno);
        let mix = Mix::new(seed, String::new(), &commands);
        let mut counts = [0_u32; 3];
        for number in 0..10_000 {
            let mut random = seed.stream(Purpose::MeasuredPayload, number);
            counts[mix.choose(&mut random)] += 1;
        }
        // 900, 100 and 9,000 expected; six standard deviations are 172, 60 and 180.
        for (count, expected, spread) in [
            (counts[0], 900, 172),
            (counts[1], 100, 60),
            (counts[2], 9000, 180),
        ] {
            assert!(count.abs_diff(expected) < spread, "{counts:?}");
        }
    }
}
