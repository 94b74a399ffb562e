//! Numbers for people, in one place.

use redyno_contract::judgement::Quantile;

/// Microseconds as milliseconds with at most this many significant digits, 1 to 3: 4812 with two
/// is "4.8 ms". No more than are known are ever shown.
pub fn milliseconds(microseconds: u64, digits: u8) -> String {
    let length = microseconds.checked_ilog10().unwrap_or(0) + 1;
    let surplus = length.saturating_sub(u32::from(digits.clamp(1, 3)));
    let unit = 10_u64.pow(surplus);
    let rounded = (microseconds / unit + u64::from(microseconds % unit * 2 >= unit && unit > 1))
        .saturating_mul(unit);
    let (whole, rest) = (rounded / 1000, rounded % 1000);
    let decimals = format!("{rest:03}");
    match decimals.trim_end_matches('0') {
        "" => format!("{whole} ms"),
        decimals => format!("{whole}.{decimals} ms"),
    }
}

/// A quantile: "4.8 ms", ">= 250 ms", "31 ms (maximum)".
pub fn quantile(quantile: Quantile, digits: u8) -> String {
    match quantile {
        Quantile::At(microseconds) => milliseconds(microseconds, digits),
        Quantile::AtLeast(microseconds) => format!(">= {}", milliseconds(microseconds, digits)),
        Quantile::Maximum(microseconds) => {
            format!("{} (maximum)", milliseconds(microseconds, digits))
        }
    }
}

/// A rate: "2000/s", below ten with a decimal, "2.5/s".
pub fn rate(tasks_per_second: f64) -> String {
    if tasks_per_second == 0.0 || tasks_per_second >= 9.95 {
        format!("{tasks_per_second:.0}/s")
    } else {
        format!("{tasks_per_second:.1}/s")
    }
}

/// Bytes in the largest unit that they fill: "126 GiB", "2.5 GiB".
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
    // Tenths, rounded down: what is printed is there.
    let tenths = u128::from(bytes) * 10 / u128::from(*unit);
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {name}"),
        (whole, _) if whole >= 100 => format!("{whole} {name}"),
        (whole, tenth) => format!("{whole}.{tenth} {name}"),
    }
}

/// CPU in cores: "16 CPU", "0.25 CPU".
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
    use super::*;

    #[test]
    fn milliseconds_have_as_many_digits_as_are_known() {
        for (microseconds, digits, expected) in [
            (4800, 2, "4.8 ms"),
            (4812, 2, "4.8 ms"),
            (4812, 1, "5 ms"),
            (4812, 3, "4.81 ms"),
            (4812, 9, "4.81 ms"),
            (4812, 0, "5 ms"),
            (4850, 2, "4.9 ms"),
            (9960, 2, "10 ms"),
            (87, 2, "0.087 ms"),
            (7, 2, "0.007 ms"),
            (0, 2, "0 ms"),
            (31_249, 3, "31.2 ms"),
            (253_000, 2, "250 ms"),
            (12_345_678, 2, "12000 ms"),
        ] {
            assert_eq!(
                milliseconds(microseconds, digits),
                expected,
                "{microseconds} {digits}"
            );
        }
        assert!(milliseconds(u64::MAX, 3).ends_with(" ms"));
    }

    #[test]
    fn quantiles_say_what_they_are() {
        assert_eq!(quantile(Quantile::At(4800), 2), "4.8 ms");
        assert_eq!(quantile(Quantile::AtLeast(250_000), 2), ">= 250 ms");
        assert_eq!(quantile(Quantile::Maximum(31_000), 2), "31 ms (maximum)");
    }

    #[test]
    fn rates() {
        for (value, expected) in [
            (1999.99, "2000/s"),
            (0.0, "0/s"),
            (2.5, "2.5/s"),
            (9.96, "10/s"),
            (12.4, "12/s"),
        ] {
            assert_eq!(rate(value), expected);
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes(126 << 30), "126 GiB");
        assert_eq!(bytes(2560 << 20), "2.5 GiB");
        assert_eq!(bytes(512 << 20), "512 MiB");
        assert_eq!(bytes(1000), "1000 B");
        assert_eq!(bytes(u64::MAX), "16777215 TiB");
        assert_eq!(cpu(16_000), "16 CPU");
        assert_eq!(cpu(250), "0.25 CPU");
    }
}
