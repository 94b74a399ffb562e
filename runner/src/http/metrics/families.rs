//! Families of the text format, with the labels that all of them have.

use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram as HistogramProto, LabelPair, Metric, MetricFamily,
    MetricType,
};

/// A label and its value.
pub(super) type Label<'a> = (&'a str, &'a str);

/// A series of a histogram: rising bounds with the number of samples up to each.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Buckets {
    /// Bounds and cumulative counts.
    pub(super) cumulative: Vec<(f64, u64)>,
    /// All samples.
    pub(super) count: u64,
    /// Their sum.
    pub(super) sum: f64,
}

/// Families as they are collected.
pub(super) struct Families<'a> {
    labels: &'a [(&'static str, String)],
    families: Vec<MetricFamily>,
}

impl<'a> Families<'a> {
    /// None yet; every series will have these labels.
    pub(super) const fn new(labels: &'a [(&'static str, String)]) -> Self {
        Self {
            labels,
            families: Vec::new(),
        }
    }

    /// A counter of one series.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: f64) {
        self.counters(name, help, &[(vec![], value)]);
    }

    /// A counter of several series.
    pub(super) fn counters(&mut self, name: &str, help: &str, series: &[(Vec<Label<'_>>, f64)]) {
        let metrics = series.iter().map(|(labels, value)| {
            let mut metric = self.metric(labels);
            let mut counter = Counter::default();
            counter.set_value(*value);
            metric.set_counter(counter);
            metric
        });
        let metrics = metrics.collect();
        self.add(name, help, MetricType::COUNTER, metrics);
    }

    /// A gauge of one series.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.gauges(name, help, &[(vec![], value)]);
    }

    /// A gauge of several series.
    pub(super) fn gauges(&mut self, name: &str, help: &str, series: &[(Vec<Label<'_>>, f64)]) {
        let metrics = series.iter().map(|(labels, value)| {
            let mut metric = self.metric(labels);
            let mut gauge = Gauge::default();
            gauge.set_value(*value);
            metric.set_gauge(gauge);
            metric
        });
        let metrics = metrics.collect();
        self.add(name, help, MetricType::GAUGE, metrics);
    }

    /// A histogram of one series or several.
    pub(super) fn histograms(
        &mut self,
        name: &str,
        help: &str,
        series: Vec<(Vec<Label<'_>>, Buckets)>,
    ) {
        let metrics = series.into_iter().map(|(labels, buckets)| {
            let Buckets {
                cumulative,
                count,
                sum,
            } = buckets;
            let mut histogram = HistogramProto::default();
            histogram.set_sample_count(count);
            histogram.set_sample_sum(sum);
            let buckets = cumulative.into_iter().map(|(bound, count)| {
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(bound);
                bucket.set_cumulative_count(count);
                bucket
            });
            histogram.set_bucket(buckets.collect());
            let mut metric = self.metric(&labels);
            metric.set_histogram(histogram);
            metric
        });
        let metrics = metrics.collect();
        self.add(name, help, MetricType::HISTOGRAM, metrics);
    }

    /// All of them, by name.
    pub(super) fn finish(self) -> Vec<MetricFamily> {
        let mut families = self.families;
        families.sort_by(|left, right| left.name().cmp(right.name()));
        families
    }

    fn metric(&self, labels: &[Label<'_>]) -> Metric {
        let mut all: Vec<LabelPair> = self
            .labels
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .chain(labels.iter().copied())
            .map(|(name, value)| {
                let mut pair = LabelPair::default();
                pair.set_name(name.to_owned());
                pair.set_value(value.to_owned());
                pair
            })
            .collect();
        all.sort_by(|left, right| left.name().cmp(right.name()));
        Metric::from_label(all)
    }

    fn add(&mut self, name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) {
        // The format has no family without series.
        if metrics.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(metrics);
        self.families.push(family);
    }
}

/// A count as the format has it.
pub(super) const fn number(count: u64) -> f64 {
    count as f64
}

/// Microseconds in the base unit.
pub(super) fn seconds(microseconds: u64) -> f64 {
    number(microseconds) / 1_000_000.0
}
