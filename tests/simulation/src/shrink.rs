//! Making a run that breaks a law simpler, as long as it breaks the same law.
//!
//! Works on the list of [`crate::choices`] alone, and so on any model: stretches of it are deleted
//! or set to zero, and single numbers lowered. Deterministic: the same run shrinks to the same one.

/// Runs that shrinking may take.
const MOST_RUNS: usize = 1_500;

/// The simplest list that was found for which `breaks` says true; `list` itself must be one.
pub fn shrink(list: Vec<u64>, mut breaks: impl FnMut(&[u64]) -> bool) -> Vec<u64> {
    let mut search = Search {
        best: list,
        runs: 0,
    };
    let mut breaks = |list: &[u64]| breaks(list);
    loop {
        let before = search.best.clone();
        search.cut_the_end(&mut breaks);
        search.zero_stretches(&mut breaks);
        search.delete_stretches(&mut breaks);
        search.lower_numbers(&mut breaks);
        if search.best == before || search.runs >= MOST_RUNS {
            return search.best;
        }
    }
}

struct Search {
    best: Vec<u64>,
    runs: usize,
}

impl Search {
    fn try_this(&mut self, list: Vec<u64>, breaks: &mut impl FnMut(&[u64]) -> bool) -> bool {
        if list == self.best || self.runs >= MOST_RUNS {
            return false;
        }
        self.runs += 1;
        let better = breaks(&list);
        if better {
            self.best = list;
        }
        better
    }

    fn cut_the_end(&mut self, breaks: &mut impl FnMut(&[u64]) -> bool) {
        while self.best.last() == Some(&0) {
            self.best.pop();
        }
        let mut length = self.best.len() / 2;
        while length > 0 {
            let shorter = self.best[..self.best.len() - length.min(self.best.len())].to_vec();
            if !self.try_this(shorter, breaks) {
                length /= 2;
            }
        }
    }

    fn zero_stretches(&mut self, breaks: &mut impl FnMut(&[u64]) -> bool) {
        let mut length = (self.best.len() / 2).max(1);
        loop {
            for start in (0..self.best.len()).step_by(length) {
                let mut list = self.best.clone();
                let end = list.len().min(start + length);
                list[start..end].fill(0);
                self.try_this(list, breaks);
            }
            if length == 1 {
                return;
            }
            length /= 2;
        }
    }

    fn delete_stretches(&mut self, breaks: &mut impl FnMut(&[u64]) -> bool) {
        for length in [8, 4, 2, 1] {
            let mut start = 0;
            while start + length <= self.best.len() {
                let mut list = self.best.clone();
                list.drain(start..start + length);
                if !self.try_this(list, breaks) {
                    start += length;
                }
            }
        }
    }

    fn lower_numbers(&mut self, breaks: &mut impl FnMut(&[u64]) -> bool) {
        for position in 0..self.best.len() {
            // By halves as far as that goes, then by ones.
            let mut down = self.best[position];
            while down > 0 && position < self.best.len() {
                let mut list = self.best.clone();
                list[position] = list[position].saturating_sub(down);
                if !self.try_this(list, breaks) {
                    down /= 2;
                }
                down = down.min(self.best[position]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_goes_and_what_does_becomes_small() {
        let list = vec![9, 4, 77, 123_456, 0, 8, 15, 3];
        let shrunk = shrink(list, |list| {
            list.iter().any(|number| *number >= 1000) && list.iter().any(|number| *number % 2 == 1)
        });
        assert_eq!(shrunk, [1, 1000]);
    }

    #[test]
    fn what_cannot_be_simpler_stays_and_it_always_ends() {
        assert_eq!(shrink(vec![0, 5], |list| list == [0, 5]), [0, 5]);
        let mut runs = 0;
        let shrunk = shrink(vec![u64::MAX; 500], |list| {
            runs += 1;
            list.iter().fold(0_u64, |sum, number| sum ^ number) % 2 == 1 || list.len() > 400
        });
        assert!(runs <= MOST_RUNS);
        assert!(!shrunk.is_empty());
    }
}
