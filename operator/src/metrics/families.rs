//! Metrics with the values of now, made for one scrape.

use std::collections::BTreeMap;

use prometheus::proto::{Gauge, LabelPair, Metric, MetricFamily, MetricType, Quantile, Summary};

/// Metrics by name.
#[derive(Default)]
pub(super) struct Families(BTreeMap<&'static str, MetricFamily>);

impl Families {
    /// Adds a gauge's value.
    pub(super) fn gauge(
        &mut self,
        name: &'static str,
        help: &str,
        labels: &[(&str, &str)],
        value: f64,
    ) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = Metric::from_gauge(gauge);
        metric.set_label(pairs(labels));
        self.add(name, help, MetricType::GAUGE, metric);
    }

    /// Adds a distribution of which only some quantiles, the number of its values and their sum
    /// are known.
    pub(super) fn summary(
        &mut self,
        name: &'static str,
        help: &str,
        labels: &[(&str, &str)],
        quantiles: &[(f64, f64)],
        count: u64,
        sum: f64,
    ) {
        let mut summary = Summary::default();
        summary.set_sample_count(count);
        summary.set_sample_sum(sum);
        summary.set_quantile(
            quantiles
                .iter()
                .map(|(quantile, value)| {
                    let mut known = Quantile::default();
                    known.set_quantile(*quantile);
                    known.set_value(*value);
                    known
                })
                .collect(),
        );
        let mut metric = Metric::from_label(pairs(labels));
        metric.set_summary(summary);
        self.add(name, help, MetricType::SUMMARY, metric);
    }

    fn add(&mut self, name: &'static str, help: &str, kind: MetricType, metric: Metric) {
        let family = self.0.entry(name).or_insert_with(|| {
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            family.set_field_type(kind);
            family
        });
        family.mut_metric().push(metric);
    }

    pub(super) fn into_vec(self) -> Vec<MetricFamily> {
        self.0.into_values().collect()
    }
}

fn pairs(labels: &[(&str, &str)]) -> Vec<LabelPair> {
    let mut sorted = labels.to_vec();
    sorted.sort_unstable();
    sorted
        .into_iter()
        .map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name(name.to_owned());
            pair.set_value(value.to_owned());
            pair
        })
        .collect()
}
