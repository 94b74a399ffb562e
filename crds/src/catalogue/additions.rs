//! An administrator's sizes and plans.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use regex_lite::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::entries::{RedisPlan, Size};
use crate::quantity;
use crate::spec::SIZE_NAME;

/// An administrator's addition that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCatalogue {
    /// The text does not have the required form.
    #[error("invalid catalogue: {0}")]
    Form(String),
    /// An entry with a value out of bounds.
    #[error("invalid catalogue: {list}[{position}] ({name:?}): {message}")]
    Entry {
        /// `sizes` or `plans`.
        list: &'static str,
        /// Where in the list, from 0.
        position: usize,
        /// Its name.
        name: String,
        /// What was found and what is allowed.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Additions {
    #[serde(default)]
    sizes: Vec<AddedSize>,
    #[serde(default)]
    plans: Vec<AddedPlan>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AddedSize {
    name: String,
    cpu: Quantity,
    #[serde(default)]
    cpu_limit: Option<Quantity>,
    memory: Quantity,
    #[serde(default)]
    process_limit: Option<u32>,
    workers: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AddedPlan {
    name: String,
    cpu: Quantity,
    memory: Quantity,
    connections: u32,
}

/// The sizes and plans of an administrator's JSON.
pub(super) fn read(json: &str) -> Result<(Vec<Size>, Vec<RedisPlan>), InvalidCatalogue> {
    let form = |error: serde_json::Error| InvalidCatalogue::Form(error.to_string());
    // A list would be read as the fields of an object in their order, so only an object is
    // accepted.
    let object: serde_json::Map<String, Value> = serde_json::from_str(json).map_err(form)?;
    let Additions { sizes, plans } = serde_json::from_value(Value::Object(object)).map_err(form)?;
    let invalid = |list, position, name: &str, message| InvalidCatalogue::Entry {
        list,
        position,
        name: name.to_owned(),
        message,
    };
    let sizes = sizes.into_iter().enumerate().map(|(position, added)| {
        let name = added.name.clone();
        size(added).map_err(|message| invalid("sizes", position, &name, message))
    });
    let plans = plans.into_iter().enumerate().map(|(position, added)| {
        let name = added.name.clone();
        plan(added).map_err(|message| invalid("plans", position, &name, message))
    });
    Ok((
        sizes.collect::<Result<_, _>>()?,
        plans.collect::<Result<_, _>>()?,
    ))
}

fn size(added: AddedSize) -> Result<Size, String> {
    let AddedSize {
        name,
        cpu,
        cpu_limit,
        memory,
        process_limit,
        workers,
    } = added;
    check_name(&name)?;
    let request = millis("cpu", &cpu)?;
    let limit = match &cpu_limit {
        Some(limit) => millis("cpuLimit", limit)?,
        None => request,
    };
    if limit < request {
        return Err(format!(
            "cpuLimit {} is below cpu {}",
            cpu_limit.unwrap_or_default().0,
            cpu.0
        ));
    }
    if workers == 0 || process_limit.is_some_and(|most| workers > most) {
        return Err(format!(
            "workers is {workers}, must be 1 or more and at most processLimit"
        ));
    }
    Ok(Size {
        name,
        cpu_request_millis: request,
        cpu_limit_millis: limit,
        memory_bytes: bytes(&memory)?,
        process_limit,
        default_workers: workers,
    })
}

fn plan(added: AddedPlan) -> Result<RedisPlan, String> {
    let AddedPlan {
        name,
        cpu,
        memory,
        connections,
    } = added;
    check_name(&name)?;
    if connections == 0 {
        return Err("connections is 0, must be 1 or more".to_owned());
    }
    Ok(RedisPlan {
        name,
        memory_bytes: bytes(&memory)?,
        connections,
        cpu_millis: millis("cpu", &cpu)?,
    })
}

/// A name that a LoadTest can state.
fn check_name(name: &str) -> Result<(), String> {
    let fits =
        (1..=40).contains(&name.len()) && Regex::new(SIZE_NAME).is_ok_and(|it| it.is_match(name));
    if fits {
        Ok(())
    } else {
        Err("a name has lower-case letters, digits, dashes and dots, and at most 40 of them".into())
    }
}

fn millis(field: &str, quantity: &Quantity) -> Result<u32, String> {
    quantity::cpu_millis(quantity)
        .filter(|millis| *millis > 0)
        .ok_or_else(|| format!("{field} is {:?}, must be such as 500m or 2", quantity.0))
}

fn bytes(quantity: &Quantity) -> Result<u64, String> {
    quantity::memory_bytes(quantity)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| format!("memory is {:?}, must be such as 512Mi or 2Gi", quantity.0))
}
