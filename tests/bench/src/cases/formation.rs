//! Whether the number of dynos shows: the same load from 2, 10 and 20 of them.

use anyhow::Result;
use redyno_contract::plan::Percentile;

use super::Effort;
use crate::plans::{Load, get};
use crate::row::{Goal, Row};
use crate::run::{Cores, Which};

const CASE: &str = "formation";

const TASKS_PER_SECOND: u32 = 2000;

pub(super) async fn measure(cores: &Cores, effort: Effort) -> Result<Vec<Row>> {
    let mut medians = [const { Vec::new() }; 3];
    for _ in 0..effort.repeats {
        for (medians, dynos) in medians.iter_mut().zip([2, 10, 20]) {
            let load = Load {
                dynos,
                workers: 100 / dynos,
                tasks_per_second: TASKS_PER_SECOND / dynos,
                seconds: 5,
                drain_seconds: 5,
                workload: get(),
            };
            let response = cores.run(&load, None).await?.histogram(Which::Response)?;
            medians.push(response.percentile(Percentile::P50) as f64);
        }
    }
    let [two, ten, twenty] = medians;
    let against_two = |other: &[f64]| -> Vec<f64> {
        two.iter()
            .zip(other)
            .map(|(two, other)| other / two)
            .collect()
    };
    let (ten, twenty) = (against_two(&ten), against_two(&twenty));
    let most = Goal::AtMost(1.2);
    Ok(vec![
        Row::new(
            CASE,
            "response p50, 2 dynos, 2,000 GET/s in all",
            "us",
            Goal::Nothing,
            two,
        ),
        Row::new(CASE, "response p50, 10 dynos / 2 dynos", "", most, ten),
        Row::new(CASE, "response p50, 20 dynos / 2 dynos", "", most, twenty),
    ])
}
