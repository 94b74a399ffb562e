//! Numbers as people read them. Never more digits than there are, and never rounded across a limit
//! in the reader's favour.

/// A latency in milliseconds with so many significant digits, `4.8 ms`.
pub fn milliseconds(microseconds: u64, digits: u8) -> String {
    let rounded = significant(microseconds, digits);
    let step = last_digit(rounded, digits);
    // Digits after the point: from whole milliseconds down to the last significant digit.
    let decimals = match step {
        0..10 => 3,
        10..100 => 2,
        100..1000 => 1,
        _ => 0,
    };
    let unit = 10_u64.pow(3 - decimals);
    match decimals {
        0 => format!("{} ms", rounded / 1000),
        _ => format!(
            "{}.{:0width$} ms",
            rounded / 1000,
            rounded % 1000 / unit,
            width = decimals as usize
        ),
    }
}

/// A number rounded to so many significant digits, halves up.
pub fn significant(number: u64, digits: u8) -> u64 {
    let step = last_digit(number, digits);
    (number / step)
        .saturating_add(u64::from(number % step >= step.div_ceil(2) && step > 1))
        .saturating_mul(step)
}

/// What the last of so many significant digits of a number stands for: at two of 4,823 it is 100.
fn last_digit(number: u64, digits: u8) -> u64 {
    let mut step = 1_u64;
    while number / step >= 10_u64.saturating_pow(u32::from(digits.max(1))) {
        step = step.saturating_mul(10);
    }
    step
}

/// A latency that is known exactly, such as a limit: `250 ms`, `4.5 ms`.
pub fn exact_milliseconds(microseconds: u64) -> String {
    let (whole, rest) = (microseconds / 1000, microseconds % 1000);
    if rest == 0 {
        format!("{whole} ms")
    } else {
        let decimals = format!("{rest:03}");
        format!("{whole}.{} ms", decimals.trim_end_matches('0'))
    }
}

/// A moment in seconds, `28.4 s`.
pub fn seconds(milliseconds: u64) -> String {
    format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
}

/// A planned rate, without its unit: `2000`, `333.3`.
pub fn rate(tasks_per_second: f64) -> String {
    let tenths = (tasks_per_second * 10.0).round() / 10.0;
    if tenths.fract() == 0.0 {
        format!("{tenths:.0}")
    } else {
        format!("{tenths:.1}")
    }
}

/// A measured rate, rounded down to tenths, `1989.9 /s`: less than a limit never reads as the limit.
pub fn measured_rate(tasks_per_second: f64) -> String {
    // What is whole but for the last bit of a division is whole.
    let tenths = (tasks_per_second * 10.0 + 1e-6).floor() / 10.0;
    format!("{tenths:.1} /s")
}

/// A share in whole percent, rounded down: `41 %`.
pub fn percent(per_mille: u64) -> String {
    format!("{} %", per_mille / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_as_many_digits_as_there_are() {
        for (microseconds, digits, shown) in [
            (0, 2, "0.000 ms"),
            (1, 2, "0.001 ms"),
            (44, 2, "0.044 ms"),
            (949, 2, "0.95 ms"),
            (996, 2, "1.0 ms"),
            (1000, 2, "1.0 ms"),
            (4_823, 1, "5 ms"),
            (4_823, 2, "4.8 ms"),
            (4_823, 3, "4.82 ms"),
            (31_249, 3, "31.2 ms"),
            (248_000, 1, "200 ms"),
            (248_000, 2, "250 ms"),
            (12_345_678, 3, "12300 ms"),
        ] {
            assert_eq!(milliseconds(microseconds, digits), shown, "{microseconds}");
        }
        for digits in 0..=5 {
            assert!(milliseconds(u64::MAX, digits).ends_with("ms"));
        }
    }

    #[test]
    fn limits_are_exact() {
        for (microseconds, shown) in [
            (250_000, "250 ms"),
            (4_500, "4.5 ms"),
            (1, "0.001 ms"),
            (1_010, "1.01 ms"),
        ] {
            assert_eq!(exact_milliseconds(microseconds), shown);
        }
    }

    #[test]
    fn a_rate_below_its_limit_never_reads_as_the_limit() {
        assert_eq!(measured_rate(1989.99), "1989.9 /s");
        assert_eq!(measured_rate(1990.0), "1990.0 /s");
        assert_eq!(measured_rate(477_600.0 / 240.0), "1990.0 /s");
        assert_eq!(rate(2000.0), "2000");
        assert_eq!(rate(333.333), "333.3");
        assert_eq!(percent(899), "89 %");
        assert_eq!(seconds(28_449), "28.4 s");
    }
}
