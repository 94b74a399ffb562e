//! CPU and memory as Kubernetes writes them. Only the forms that people use: no exponents, no
//! signs, at most three decimals.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use schemars::{Schema, SchemaGenerator, json_schema};

const CPU: &str = r"^([0-9]{1,4}(\.[0-9]{1,3})?|[0-9]{1,7}m)$";
const MEMORY: &str = r"^[0-9]{1,15}(\.[0-9]{1,3})?(k|M|G|T|Ki|Mi|Gi|Ti)?$";

pub(crate) fn cpu_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-int-or-string": true, "pattern": CPU, "maxLength": 24})
}

pub(crate) fn memory_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-int-or-string": true, "pattern": MEMORY, "maxLength": 24})
}

/// Thousandths of a core.
pub(crate) fn cpu_millis(quantity: &Quantity) -> Option<u32> {
    let text = quantity.0.as_str();
    let millis = match text.strip_suffix('m') {
        Some(whole) => digits(whole)?,
        None => thousandths(text)?,
    };
    u32::try_from(millis).ok()
}

/// Bytes; a fraction of a byte counts as a whole one, as in Kubernetes.
pub(crate) fn memory_bytes(quantity: &Quantity) -> Option<u64> {
    const UNITS: [(&str, u128); 8] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
    ];
    let text = quantity.0.as_str();
    let (number, unit) = UNITS
        .iter()
        .find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, *unit)))
        .unwrap_or((text, 1));
    let bytes = u128::from(thousandths(number)?)
        .checked_mul(unit)?
        .div_ceil(1000);
    u64::try_from(bytes).ok()
}

/// `1.5` is 1500.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, decimals) = match text.split_once('.') {
        Some((whole, decimals)) if (1..=3).contains(&decimals.len()) => (whole, decimals),
        Some(_) => return None,
        None => (text, ""),
    };
    let decimals = digits(&format!("{decimals:0<3}"))?;
    digits(whole)?.checked_mul(1000)?.checked_add(decimals)
}

fn digits(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu() {
        for (text, millis) in [
            ("2", Some(2000)),
            ("0.5", Some(500)),
            ("1.25", Some(1250)),
            ("500m", Some(500)),
            ("1.2345", None),
            (".5", None),
            ("1.", None),
            ("-1", None),
            ("1e3", None),
            ("m", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(cpu_millis(&Quantity(text.to_owned())), millis, "{text}");
        }
    }

    #[test]
    fn memory() {
        for (text, bytes) in [
            ("512Mi", Some(512 << 20)),
            ("1.5Gi", Some(1536 << 20)),
            ("2G", Some(2_000_000_000)),
            ("1000k", Some(1_000_000)),
            ("0.001", Some(1)),
            ("134217728", Some(134_217_728)),
            ("512MB", None),
            ("Gi", None),
            ("1 Gi", None),
            ("999999999999999Ti", None),
        ] {
            assert_eq!(memory_bytes(&Quantity(text.to_owned())), bytes, "{text}");
        }
    }
}
