//! Numbers as people read them, for everything that shows one: status, table, page, message, event.
//!
//! One number has one text, whoever shows it: how precisely it is known is decided before, by
//! rounding the number itself ([`rounded`], [`brief`]). A number that is compared with a limit is
//! never rounded across it ([`beside`]).

/// A whole number with commas between thousands: `240,000`.
pub fn count(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many of something: `1 task`, `2,000 tasks`.
pub fn counted(number: impl Into<u64>, one: &str, many: &str) -> String {
    let number = number.into();
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A latency of so many microseconds: `4.8 ms`, `0.044 ms`, `1,204 ms`. Every digit is shown.
pub fn milliseconds(microseconds: u64) -> String {
    format!("{} ms", bare_milliseconds(microseconds))
}

/// The same without its unit, for columns that name it.
pub fn bare_milliseconds(microseconds: u64) -> String {
    let (whole, rest) = (count(microseconds / 1000), microseconds % 1000);
    let decimals = format!("{rest:03}");
    match decimals.trim_end_matches('0') {
        "" => whole,
        decimals => format!("{whole}.{decimals}"),
    }
}

/// A number rounded to so many significant digits (at least 1), halves up.
pub fn rounded(number: u64, digits: u8) -> u64 {
    let step = last_digit(number, digits);
    (number / step)
        .saturating_add(u64::from(step > 1 && number % step >= step / 2))
        .saturating_mul(step)
}

/// A number rounded down to so many significant digits (at least 1).
pub fn rounded_down(number: u64, digits: u8) -> u64 {
    let step = last_digit(number, digits);
    number / step * step
}

/// What the last of so many significant digits of a number stands for: at two of 4,823 it is 100.
fn last_digit(number: u64, digits: u8) -> u64 {
    let mut step = 1_u64;
    while number / step >= 10_u64.saturating_pow(u32::from(digits.max(1))) {
        step = step.saturating_mul(10);
    }
    step
}

/// A time in microseconds that is known exactly, such as a mean or a true maximum, as precisely as
/// it is worth reading: three digits, or whole milliseconds if those are more.
pub fn brief(microseconds: u64) -> u64 {
    let step = last_digit(microseconds, 3).min(1000);
    (microseconds / step)
        .saturating_add(u64::from(step > 1 && microseconds % step >= step / 2))
        .saturating_mul(step)
}

/// Significant digits of the longest number.
const MOST_DIGITS: u8 = 20;

/// A number rounded to so many significant digits, or to as many more as it takes to stay on its
/// side of a limit.
pub fn beside(number: u64, limit: u64, digits: u8) -> u64 {
    (digits..MOST_DIGITS)
        .map(|digits| rounded(number, digits))
        .find(|rounded| (*rounded > limit) == (number > limit))
        .unwrap_or(number)
}

/// A moment in seconds with one decimal, rounded down: `28.4 s`.
pub fn seconds(milliseconds: u64) -> String {
    format!("{} s", bare_seconds(milliseconds))
}

/// The same without its unit.
pub fn bare_seconds(milliseconds: u64) -> String {
    format!(
        "{}.{}",
        count(milliseconds / 1000),
        milliseconds % 1000 / 100
    )
}

/// A span in its two largest units: `0.8 s`, `41 s`, `3 min 5 s`, `2 h 14 min`, `3 d 2 h`. Tenths
/// of a second are shown below ten seconds.
pub fn span(milliseconds: u64) -> String {
    let (seconds, tenths) = (milliseconds / 1000, milliseconds % 1000 / 100);
    if seconds < 10 && tenths > 0 {
        return format!("{seconds}.{tenths} s");
    }
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let Some(first) = units.iter().position(|(_, size)| seconds >= *size) else {
        return "0 s".to_owned();
    };
    let mut text = format!("{} {}", seconds / units[first].1, units[first].0);
    if let Some((name, size)) = units.get(first + 1) {
        let rest = seconds % units[first].1 / size;
        if rest > 0 {
            text = format!("{text} {rest} {name}");
        }
    }
    text
}

/// A rate in tasks per second, without its unit, rounded down to tenths so that less than a limit
/// never reads as the limit: `2000`, `1989.9`, `0.5`.
pub fn rate(per_second: f64) -> String {
    let tenths = tenths(per_second);
    match (tenths / 10, tenths % 10) {
        (whole, 0) => whole.to_string(),
        (whole, tenth) => format!("{whole}.{tenth}"),
    }
}

/// The same in whole tasks per second.
pub fn whole_rate(per_second: f64) -> u64 {
    tenths(per_second) / 10
}

/// Tenths of a rate, rounded down.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float saturates, and no rate is negative"
)]
fn tenths(per_second: f64) -> u64 {
    // What is whole but for the last bit of a division is whole.
    (per_second * 10.0 + 1e-6).floor() as u64
}

/// A share of so many thousandths in percent, rounded down, below one with a decimal: `41 %`,
/// `0.3 %`.
pub fn percent(per_mille: impl Into<u64>) -> String {
    let per_mille = per_mille.into();
    match per_mille {
        1..10 => format!("0.{per_mille} %"),
        _ => format!("{} %", count(per_mille / 10)),
    }
}

/// A part of a whole in percent with two decimals, rounded down, so that only all of it is
/// `100.00 %`; a dash of nothing.
pub fn share(part: u64, whole: u64) -> String {
    (u128::from(part) * 10_000)
        .checked_div(u128::from(whole))
        .map_or_else(
            || "-".to_owned(),
            |hundredths| format!("{}.{:02} %", hundredths / 100, hundredths % 100),
        )
}

/// Bytes in the largest unit that they fill, in tenths rounded down: `126 GiB`, `2.5 GiB`, `512 B`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [
        ("TiB", 1 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
    ];
    let Some((name, unit)) = UNITS.iter().find(|(_, unit)| bytes >= *unit) else {
        return format!("{bytes} B");
    };
    let tenths = u128::from(bytes) * 10 / u128::from(*unit);
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {name}"),
        (whole, _) if whole >= 100 => format!("{whole} {name}"),
        (whole, tenth) => format!("{whole}.{tenth} {name}"),
    }
}

/// CPU of so many thousandths of a core: `16 CPU`, `0.25 CPU`.
pub fn cpu(millis: u32) -> String {
    let (whole, rest) = (millis / 1000, millis % 1000);
    let decimals = format!("{rest:03}");
    match decimals.trim_end_matches('0') {
        "" => format!("{whole} CPU"),
        decimals => format!("{whole}.{decimals} CPU"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_latency_has_one_text() {
        for (microseconds, shown) in [
            (0, "0 ms"),
            (1, "0.001 ms"),
            (44, "0.044 ms"),
            (950, "0.95 ms"),
            (2_000, "2 ms"),
            (4_500, "4.5 ms"),
            (31_249, "31.249 ms"),
            (250_000, "250 ms"),
            (12_300_000, "12,300 ms"),
        ] {
            assert_eq!(milliseconds(microseconds), shown);
        }
        assert!(milliseconds(u64::MAX).ends_with(" ms"));
    }

    #[test]
    fn numbers_are_rounded_to_what_is_known_of_them() {
        for (number, digits, expected) in [
            (4_812, 2, 4_800),
            (4_812, 1, 5_000),
            (4_812, 3, 4_810),
            (4_812, 9, 4_812),
            (4_812, 0, 5_000),
            (4_850, 2, 4_900),
            (9_960, 2, 10_000),
            (87, 2, 87),
            (0, 2, 0),
            (253_000, 2, 250_000),
        ] {
            assert_eq!(rounded(number, digits), expected, "{number} {digits}");
        }
        for (microseconds, expected) in [
            (430, 430),
            (1_104, 1_100),
            (31_249, 31_200),
            (932_400, 932_000),
            (1_004_300, 1_004_000),
            (12_345_678, 12_346_000),
        ] {
            assert_eq!(brief(microseconds), expected);
        }
    }

    #[test]
    fn nothing_is_rounded_across_its_limit() {
        assert_eq!(beside(5_004, 5_000, 2), 5_004);
        assert_eq!(beside(5_060, 5_000, 2), 5_100);
        assert_eq!(beside(250_900, 250_000, 2), 251_000);
        assert_eq!(beside(4_960, 4_970, 2), 4_960);
        assert_eq!(beside(5_000, 5_000, 2), 5_000);
    }

    #[test]
    fn a_rate_below_its_limit_never_reads_as_the_limit() {
        for (per_second, shown) in [
            (1989.99, "1989.9"),
            (1990.0, "1990"),
            (477_600.0 / 240.0, "1990"),
            (2000.0, "2000"),
            (333.333, "333.3"),
            (2.5, "2.5"),
            (0.0, "0"),
            (9.98, "9.9"),
        ] {
            assert_eq!(rate(per_second), shown);
        }
        assert_eq!(whole_rate(1989.99), 1989);
        assert_eq!(whole_rate(-1.0), 0);
    }

    #[test]
    fn other_numbers_are_for_people() {
        assert_eq!(count(0_u64), "0");
        assert_eq!(count(999_u64), "999");
        assert_eq!(count(12_345_678_u64), "12,345,678");
        assert_eq!(counted(1_u64, "task", "tasks"), "1 task");
        assert_eq!(counted(0_u64, "task", "tasks"), "0 tasks");
        assert_eq!(percent(0_u32), "0 %");
        assert_eq!(percent(3_u32), "0.3 %");
        assert_eq!(percent(899_u32), "89 %");
        assert_eq!(percent(1000_u32), "100 %");
        assert_eq!(share(479_997, 480_000), "99.99 %");
        assert_eq!(share(1, 1), "100.00 %");
        assert_eq!(share(0, 0), "-");
        assert_eq!(seconds(28_449), "28.4 s");
        assert_eq!(bytes(126 << 30), "126 GiB");
        assert_eq!(bytes(2560 << 20), "2.5 GiB");
        assert_eq!(bytes(52_428_800), "50 MiB");
        assert_eq!(bytes(1000), "1000 B");
        assert_eq!(bytes(u64::MAX), "16777215 TiB");
        assert_eq!(cpu(16_000), "16 CPU");
        assert_eq!(cpu(250), "0.25 CPU");
        for (milliseconds, shown) in [
            (0, "0 s"),
            (800, "0.8 s"),
            (9_940, "9.9 s"),
            (41_000, "41 s"),
            (3_600_000, "1 h"),
            (8_040_000, "2 h 14 min"),
        ] {
            assert_eq!(span(milliseconds), shown);
        }
    }

    proptest! {
        #[test]
        fn rounding_keeps_the_order(one: u64, other: u64, digits in 1_u8..4) {
            let (low, high) = (one.min(other), one.max(other));
            prop_assert!(rounded(low, digits) <= rounded(high, digits));
            prop_assert!(rounded_down(low, digits) <= rounded_down(high, digits));
            prop_assert!(brief(low) <= brief(high));
            prop_assert!(rounded_down(low, digits) <= low);
            prop_assert_eq!(rounded(rounded(low, digits), digits), rounded(low, digits));
        }
    }
}
