use proptest::prelude::*;

use super::*;
use crate::plan::DynoName;

fn dynos(rate: Rate, quantity: u32, window_seconds: u32) -> Vec<Schedule> {
    (0..quantity)
        .map(|index| Schedule::new(rate, index, quantity, window_seconds))
        .collect()
}

#[test]
fn scheduled_is_exactly_rate_times_seconds_times_dynos() {
    for rate in [0, 1, 7, 333, 999, 1000, 1500, 2500, 3000, 5000] {
        for quantity in [1, 2, 3, 7, 10, 100] {
            for seconds in [1, 4, 30, 240, 86_400] {
                for schedule in dynos(Rate::per_second(rate), quantity, seconds) {
                    assert_eq!(
                        schedule.count(),
                        u64::from(rate) * u64::from(seconds),
                        "{schedule:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn due_times_are_exact_and_staggered() {
    // Three a second: thirds of a second rounded down to nanoseconds, never accumulated.
    let schedule = Schedule::new(Rate::per_second(3), 0, 1, 2);
    let due: Vec<_> = (0..7).map(|number| schedule.due(number)).collect();
    assert_eq!(
        due,
        [
            Some(0),
            Some(333_333_333),
            Some(666_666_666),
            Some(1_000_000_000),
            Some(1_333_333_333),
            Some(1_666_666_666),
            None
        ]
    );
    // The second of two dynos at 1/s is half a second behind the first.
    let second = Schedule::new(Rate::per_second(1), 1, 2, 3);
    assert_eq!(second.due(0), Some(500_000_000));
    assert_eq!(second.due(2), Some(2_500_000_000));
    assert_eq!(second.window_nanoseconds(), 3_000_000_000);
}

#[test]
fn parts_of_rates_are_exact() {
    assert_eq!(Rate::per_second(1500).percent(10), Rate::per_second(150));
    assert_eq!(
        Rate::per_second(333).percent(10).percent(1000),
        Rate::per_second(333)
    );
    // 0.7 a second over 5 s: at 0, 1.43, 2.86 and 4.29 s.
    let schedule = Schedule::new(Rate::per_second(7).percent(10), 0, 1, 5);
    assert_eq!(schedule.count(), 4);
    assert_eq!(schedule.due(1), Some(1_428_571_428));
    assert_eq!(Schedule::new(Rate::per_second(0), 0, 1, 5).due(0), None);
    assert_eq!(Rate::per_second(0).percent(50), Rate::per_second(0));
    assert!((Rate::per_second(333).percent(10).tasks_per_second() - 33.3).abs() < 1e-9);
}

#[test]
fn the_largest_numbers_do_not_overflow() {
    for index in [0, u32::MAX] {
        let rate = Rate::per_second(u32::MAX).percent(u32::MAX);
        let schedule = Schedule::new(rate, index, u32::MAX, u32::MAX);
        let count = schedule.count();
        assert!(schedule.due(count - 1).unwrap() < schedule.window_nanoseconds());
        assert_eq!(schedule.due(count), None);
        assert_eq!(schedule.due_until(u64::MAX), count);
    }
}

#[test]
fn rates_are_read_strictly() {
    let read = |text: &str| serde_json::from_str::<Rate>(text);
    assert_eq!(
        read(r#"{"tasks":7,"seconds":1}"#).unwrap(),
        Rate::per_second(7)
    );
    for wrong in [
        r#"{"tasks":7,"seconds":0}"#,
        r#"{"tasks":-1,"seconds":1}"#,
        r#"{"tasks":0.5,"seconds":1}"#,
        r#"{"tasks":7}"#,
        r#"{"tasks":7,"seconds":1,"unit":"s"}"#,
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn the_count_is_the_number_of_tasks_due_in_the_window(
        tasks in 0_u32..200,
        percent in 1_u32..=100,
        quantity in 1_u32..20,
        seconds in 0_u32..10,
    ) {
        for schedule in dynos(Rate::per_second(tasks).percent(percent), quantity, seconds) {
            // Against the definition: (n N + i) / (N rate) < length, by cross-multiplication.
            let (rate, index) = (u128::from(tasks) * u128::from(percent), u128::from(schedule.index));
            let (quantity, length) = (u128::from(quantity), u128::from(seconds));
            let due = |n: u128| (n * quantity + index) * 100 < length * quantity * rate;
            let counted = (0_u128..10_000).filter(|n| rate > 0 && due(*n)).count() as u64;
            prop_assert_eq!(schedule.count(), counted);
            prop_assert_eq!(schedule.due(counted), None);
        }
    }

    #[test]
    fn due_times_never_decrease_and_stay_in_the_window(
        tasks in 1_u32..5000,
        percent in 1_u32..=100,
        quantity in 1_u32..=100,
        index in 0_u32..100,
        seconds in 1_u32..600,
        at in any::<prop::sample::Index>(),
    ) {
        let schedule = Schedule::new(Rate::per_second(tasks).percent(percent), index % quantity, quantity, seconds);
        let count = schedule.count();
        prop_assume!(count > 1);
        let number = at.index(usize::try_from(count - 1).unwrap()) as u64;
        let (this, next) = (schedule.due(number).unwrap(), schedule.due(number + 1).unwrap());
        prop_assert!(this <= next && next < schedule.window_nanoseconds());
        // And looking from the time to the number says the same.
        prop_assert!(schedule.due_until(this) > number);
        prop_assert!(this == next || schedule.due_until(next - 1) <= number + 1);
        prop_assert_eq!(schedule.due_until(schedule.window_nanoseconds()), count);
    }

    #[test]
    fn all_dynos_together_are_one_even_stream(
        tasks in 1_u32..100,
        quantity in 1_u32..20,
        seconds in 1_u32..4,
    ) {
        let mut all: Vec<u64> = dynos(Rate::per_second(tasks), quantity, seconds)
            .iter()
            .flat_map(|schedule| (0..schedule.count()).map(|number| schedule.due(number).unwrap()))
            .collect();
        all.sort_unstable();
        // Exactly what one dyno of the whole rate would do.
        let one = Schedule::new(Rate::per_second(tasks * quantity), 0, 1, seconds);
        let even: Vec<u64> = (0..one.count()).map(|number| one.due(number).unwrap()).collect();
        prop_assert_eq!(all, even);
    }
}

fn poisson(seed: u64, rate: u32, quantity: u32, seconds: u32) -> Vec<Schedule> {
    (0..quantity)
        .map(|index| {
            let name = DynoName {
                dyno_type: "web".to_owned(),
                index,
            };
            Schedule::new(Rate::per_second(rate), index, quantity, seconds).spaced(
                Spacing::Poisson {
                    seed: Seed::of(seed, &name),
                    window: Window::Measured,
                },
            )
        })
        .collect()
}

#[test]
fn poisson_gaps_are_exponential() {
    let schedule = poisson(1, 1000, 1, 100)[0];
    let due: Vec<u64> = schedule.due_times().collect();
    let gaps: Vec<f64> = due
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) as f64 / 1e6)
        .collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    // Mean 1 ms and variance 1 ms^2; with 100,000 gaps 2 % are six standard deviations and more.
    assert!((mean - 1.0).abs() < 0.02, "{mean}");
    assert!((variance - 1.0).abs() < 0.05, "{variance}");
    // P(gap > x) = exp(-x).
    for at in [0.1, 0.5, 1.0, 2.0, 4.0] {
        let share = gaps.iter().filter(|gap| **gap > at).count() as f64 / gaps.len() as f64;
        assert!((share - (-at).exp()).abs() < 0.01, "{at}: {share}");
    }
    // What arrives in 10 ms is Poisson distributed with mean 10: its variance is 10, too.
    let mut counts = vec![0_f64; 10_000];
    for due in &due {
        counts[usize::try_from(due / 10_000_000).unwrap()] += 1.0;
    }
    let spread = counts
        .iter()
        .map(|count| (count - 10.0).powi(2))
        .sum::<f64>()
        / 10_000.0;
    assert!((9.0..11.0).contains(&spread), "{spread}");
}

#[test]
fn poisson_dynos_differ_and_repeat() {
    let all = |seed| -> Vec<Vec<u64>> {
        poisson(seed, 50, 2, 10)
            .into_iter()
            .map(|schedule| schedule.due_times().collect())
            .collect()
    };
    assert_eq!(all(1), all(1));
    assert_ne!(all(1), all(2));
    assert_ne!(all(1)[0], all(1)[1]);
}

proptest! {
    #[test]
    fn random_times_keep_the_count_the_order_and_the_window(
        seed: u64, rate in 1_u32..1500, quantity in 1_u32..3, seconds in 1_u32..4,
    ) {
        for schedule in poisson(seed, rate, quantity, seconds) {
            let due: Vec<u64> = schedule.due_times().collect();
            prop_assert_eq!(due.len() as u64, u64::from(rate) * u64::from(seconds));
            prop_assert!(due.is_sorted());
            prop_assert!(due.last().is_none_or(|last| *last < schedule.window_nanoseconds()));
            for number in [0, 1, due.len() / 2, due.len() - 1] {
                prop_assert_eq!(schedule.due(number as u64), due.get(number).copied());
            }
            let middle = schedule.window_nanoseconds() / 2;
            let until = due.iter().filter(|due| **due <= middle).count() as u64;
            prop_assert_eq!(schedule.due_until(middle), until);
        }
    }
}
