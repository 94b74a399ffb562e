//! What a run of a simulation chose: a list of numbers, each below a bound.
//!
//! A model draws everything about its world from [`Choices`], before the world begins to turn. A
//! seed makes up the list; the list alone makes the world, so that a run can be made simpler by
//! deleting and lowering numbers ([`crate::shrink`]), which no seed allows.
//!
//! Rules for who draws:
//! - **0 is the simplest**: no fault, one dyno, the roundest time. A list that is too short goes on
//!   with zeros, and a number that is too high is taken as the highest there is.
//! - **Draw the same number of times whatever was drawn before** within one thing: `kind`, `at`,
//!   `for`, `of`, also where the kind says that there is no fault. Then lowering the kind deletes
//!   the thing, and what comes after it stays what it was.
//! - Never draw while the world turns: a task's demand is a function of ([`Choices::seed`], task,
//!   step), for which [`Drawn`] is there. So the same world can be run again with one thing changed.

use redyno_contract::plan::DynoName;
use redyno_contract::random::{Purpose, Random, Seed};

/// One number that was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What it is, for the story.
    pub name: &'static str,
    /// It is below this.
    pub below: u64,
    /// The number.
    pub value: u64,
}

/// Where numbers come from, and what was drawn so far.
#[derive(Clone, Debug)]
pub struct Choices {
    source: Source,
    drawn: Vec<Choice>,
}

#[derive(Clone, Debug)]
enum Source {
    Seed(Random),
    List(std::vec::IntoIter<u64>),
}

impl Choices {
    /// Those that a seed makes up.
    pub fn of_seed(seed: u64) -> Self {
        Self {
            source: Source::Seed(stream(seed, 0)),
            drawn: Vec::new(),
        }
    }

    /// These, and zeros afterwards.
    pub fn of_list(list: Vec<u64>) -> Self {
        Self {
            source: Source::List(list.into_iter()),
            drawn: Vec::new(),
        }
    }

    /// What was drawn, in its order.
    pub fn drawn(&self) -> &[Choice] {
        &self.drawn
    }

    /// The list that makes the same world again.
    pub fn list(&self) -> Vec<u64> {
        self.drawn.iter().map(|choice| choice.value).collect()
    }

    /// A number below `bound`; 0 if the bound is 0.
    pub fn below(&mut self, name: &'static str, bound: u64) -> u64 {
        let value = match &mut self.source {
            Source::Seed(random) => (u128::from(random.bits()) * u128::from(bound)) >> 64,
            Source::List(list) => {
                let value = list.next().unwrap_or(0);
                u128::from(value.min(bound.saturating_sub(1)))
            }
        };
        let value = u64::try_from(value).unwrap_or_default();
        self.drawn.push(Choice {
            name,
            below: bound,
            value,
        });
        value
    }

    /// A number from `least` to `most`, of which `least` is the simplest.
    pub fn between(&mut self, name: &'static str, least: u64, most: u64) -> u64 {
        least + self.below(name, most.saturating_sub(least) + 1)
    }

    /// One of several, of which the first is the simplest.
    pub fn one_of<T: Clone>(&mut self, name: &'static str, options: &[T]) -> T {
        let position = self.below(name, options.len() as u64);
        options[usize::try_from(position).unwrap_or(0)].clone()
    }

    /// True in `of` runs of a hundred.
    pub fn percent(&mut self, name: &'static str, of: u64) -> bool {
        self.below(name, 100) >= 100 - of.min(100)
    }

    /// A size, in steps that grow with it: a number of two digits, with this many zeros at most.
    /// Lowering it makes it smaller and rounder.
    pub fn magnitude(&mut self, name: &'static str, most_zeros: u64) -> u64 {
        let value = self.below(name, 90 * (most_zeros + 1));
        let zeros = u32::try_from(value / 90).unwrap_or(0);
        (10 + value % 90) * 10_u64.pow(zeros)
    }

    /// The seed of everything that is drawn while the world turns.
    pub fn seed(&mut self, name: &'static str) -> u64 {
        self.below(name, 1 << 16)
    }
}

/// Numbers that are functions of a seed and of what they are for.
#[derive(Clone, Copy, Debug)]
pub struct Drawn(u64);

impl Drawn {
    /// Of this seed.
    pub const fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// The numbers for one thing: told apart by up to four numbers, a kind first.
    pub fn stream(self, thing: [u64; 4]) -> Random {
        let mixed = thing.into_iter().fold(self.0, |mixed, part| {
            stream(mixed ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15), part).bits()
        });
        stream(mixed, 1)
    }
}

fn stream(seed: u64, number: u64) -> Random {
    let name = DynoName {
        dyno_type: "simulation".to_owned(),
        index: 0,
    };
    Seed::of(seed, &name).stream(Purpose::Texts, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(choices: &mut Choices) -> (u64, u64, char, bool, u64) {
        (
            choices.below("a", 1000),
            choices.between("b", 5, 7),
            choices.one_of("c", &['x', 'y', 'z']),
            choices.percent("d", 50),
            choices.magnitude("e", 6),
        )
    }

    #[test]
    fn the_list_makes_the_same_choices_as_the_seed() {
        for seed in 0..100 {
            let mut choices = Choices::of_seed(seed);
            let drawn = draw(&mut choices);
            let mut again = Choices::of_list(choices.list());
            assert_eq!(draw(&mut again), drawn);
            assert_eq!(again.drawn(), choices.drawn());
        }
    }

    #[test]
    fn no_list_makes_the_simplest_choices_and_no_number_is_too_high() {
        assert_eq!(draw(&mut Choices::of_list(vec![])), (0, 5, 'x', false, 10));
        assert_eq!(
            draw(&mut Choices::of_list(vec![u64::MAX; 9])),
            (999, 7, 'z', true, 99_000_000)
        );
    }

    #[test]
    fn what_is_drawn_for_one_thing_depends_on_no_other() {
        let drawn = Drawn::of(3);
        let number = |thing| drawn.stream(thing).bits();
        assert_eq!(number([1, 2, 3, 4]), number([1, 2, 3, 4]));
        assert_ne!(number([1, 2, 3, 4]), number([1, 2, 4, 3]));
        assert_ne!(
            number([1, 2, 3, 4]),
            Drawn::of(4).stream([1, 2, 3, 4]).bits()
        );
    }
}
