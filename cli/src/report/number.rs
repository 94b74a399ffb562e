//! Numbers for people: never more digits than there are.

/// How much of a duration is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    /// To the microsecond: true maxima and means.
    Exact,
    /// So many significant decimal digits: quantiles of a histogram.
    Digits(u8),
}

/// With commas between thousands: 240000 is `240,000`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Microseconds as milliseconds, without the unit.
pub(crate) fn milliseconds(microseconds: u64, precision: Precision) -> String {
    let (value, decimals) = match precision {
        Precision::Exact => {
            let decimals = match microseconds {
                0..10_000 => 2,
                10_000..1_000_000 => 1,
                _ => 0,
            };
            (microseconds, decimals)
        }
        Precision::Digits(digits) => {
            let rounded = significant(microseconds, digits);
            // A millisecond has as many decimals as its digits leave behind the point; more than
            // two would only be noise to the eye.
            let decimals = (u32::from(digits) + 3)
                .saturating_sub(length(rounded))
                .min(2);
            (rounded, decimals)
        }
    };
    fixed(value, 3, decimals)
}

/// Rounds half up to so many significant digits.
fn significant(value: u64, digits: u8) -> u64 {
    let surplus = length(value).saturating_sub(u32::from(digits.max(1)));
    let unit = 10_u64.saturating_pow(surplus);
    (value / unit + u64::from(value % unit >= unit.div_ceil(2) && unit > 1)).saturating_mul(unit)
}

/// Number of decimal digits, 1 for 0.
fn length(value: u64) -> u32 {
    value.checked_ilog10().unwrap_or(0) + 1
}

/// `value` / 10^`scale` with so many decimals (at most `scale`), rounded half up.
fn fixed(value: u64, scale: u32, decimals: u32) -> String {
    let unit = 10_u64.pow(scale.saturating_sub(decimals));
    let rounded = value.saturating_add(unit / 2) / unit;
    let whole = 10_u64.pow(decimals);
    if decimals == 0 {
        count(rounded)
    } else {
        let width = decimals as usize;
        format!("{}.{:0width$}", count(rounded / whole), rounded % whole)
    }
}

/// Milliseconds as seconds with one decimal: `28.4`.
pub(crate) fn seconds(milliseconds: u64) -> String {
    fixed(milliseconds, 3, 1)
}

/// Thousandths as a percentage: 410 is `41 %`, 3 is `0.3 %`.
pub(crate) fn percent(per_mille: u32) -> String {
    if per_mille > 0 && per_mille < 10 {
        format!("0.{per_mille} %")
    } else {
        format!("{} %", count(u64::from(per_mille).saturating_add(5) / 10))
    }
}

/// A share with two decimals, rounded down, so that only all of it is `100.00 %`; a dash of nothing.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    let hundredths = u128::from(part) * 10_000 / u128::from(whole);
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

/// A rate: whole from ten on, with a decimal below.
pub(crate) fn rate(per_second: f64) -> String {
    let tenths = (per_second * 10.0).round() / 10.0;
    if tenths >= 10.0 || tenths.fract() == 0.0 {
        format!("{per_second:.0}")
    } else {
        format!("{tenths:.1}")
    }
}

/// Bytes on the wire in decimal units, three digits: `32.2 KB`.
pub(crate) fn traffic(bytes: f64) -> String {
    let (value, unit) = [(1e9, "GB"), (1e6, "MB"), (1e3, "KB")]
        .into_iter()
        .find(|(size, _)| bytes >= *size)
        .map_or((bytes, "B"), |(size, unit)| (bytes / size, unit));
    if unit == "B" || value >= 100.0 {
        format!("{value:.0} {unit}")
    } else {
        format!("{value:.1} {unit}")
    }
}

/// A span in its two largest units: `41 s`, `3 min 5 s`, `2 h 14 min`, `3 d 2 h`.
pub(crate) fn span(seconds: u64) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_have_only_the_digits_that_are_there() {
        for (microseconds, precision, expected) in [
            (0, Precision::Exact, "0.00"),
            (430, Precision::Exact, "0.43"),
            (1_104, Precision::Exact, "1.10"),
            (31_249, Precision::Exact, "31.2"),
            (1_004_300, Precision::Exact, "1,004"),
            (0, Precision::Digits(2), "0.00"),
            (7, Precision::Digits(1), "0.01"),
            (123, Precision::Digits(1), "0.1"),
            (123, Precision::Digits(2), "0.12"),
            (123, Precision::Digits(3), "0.12"),
            (4_812, Precision::Digits(1), "5"),
            (4_812, Precision::Digits(2), "4.8"),
            (4_812, Precision::Digits(3), "4.81"),
            (9_960, Precision::Digits(2), "10"),
            (31_249, Precision::Digits(1), "30"),
            (31_249, Precision::Digits(2), "31"),
            (31_249, Precision::Digits(3), "31.2"),
            (131_249, Precision::Digits(2), "130"),
            (1_049_000, Precision::Digits(2), "1,000"),
            (1_049_000, Precision::Digits(3), "1,050"),
            (u64::MAX, Precision::Exact, "18,446,744,073,709,551"),
        ] {
            assert_eq!(
                milliseconds(microseconds, precision),
                expected,
                "{microseconds} us, {precision:?}"
            );
        }
    }

    #[test]
    fn a_share_is_all_only_when_nothing_is_missing() {
        assert_eq!(share(480_000, 480_000), "100.00 %");
        assert_eq!(share(479_999, 480_000), "99.99 %");
        assert_eq!(share(0, 0), "-");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(12_345_678), "12,345,678");
        assert_eq!(percent(0), "0 %");
        assert_eq!(percent(3), "0.3 %");
        assert_eq!(percent(414), "41 %");
        assert_eq!(percent(1000), "100 %");
        assert_eq!(seconds(28_449), "28.4");
        assert_eq!(rate(2000.0), "2000");
        assert_eq!(rate(0.5), "0.5");
        assert_eq!(rate(9.98), "10");
        assert_eq!(traffic(32_200.0), "32.2 KB");
        assert_eq!(traffic(12.0), "12 B");
        assert_eq!(span(41), "41 s");
        assert_eq!(span(8_040), "2 h 14 min");
        assert_eq!(span(3_600), "1 h");
        assert_eq!(span(0), "0 s");
    }
}
