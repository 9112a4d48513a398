//! Numbers on their way into a page.
//!
//! A registry is made for each page, of numbers that do not change any more: so a page is of one moment, and what is
//! not known is not on it.

use std::fmt;

use prometheus_client::encoding::{EncodeCounterValue, EncodeGaugeValue, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::counts::Counts;
use super::histogram::{Distribution, Histogram};
use super::labels::Label;

/// The labels of one sample.
pub(super) type Labels = Vec<(&'static str, String)>;

/// What is to be on a page. The help texts get their full stop, and counters their `_total`, when it is written.
#[derive(Default)]
pub(super) struct Families(pub(super) Registry);

impl Families {
    /// A number that may rise and fall.
    pub(super) fn gauge<V>(&mut self, name: &str, help: &str, value: V)
    where
        V: EncodeGaugeValue + fmt::Debug + Send + Sync + 'static,
    {
        self.0.register(name, help, ConstGauge::new(value));
    }

    /// The same, if it is known.
    pub(super) fn gauge_if<V>(&mut self, name: &str, help: &str, value: Option<V>)
    where
        V: EncodeGaugeValue + fmt::Debug + Send + Sync + 'static,
    {
        if let Some(value) = value {
            self.gauge(name, help, value);
        }
    }

    /// The same, of several.
    pub(super) fn gauges<V>(&mut self, name: &str, help: &str, values: impl Iterator<Item = (Labels, V)>)
    where
        V: EncodeGaugeValue + fmt::Debug + Send + Sync + 'static,
    {
        let each = values.map(|(labels, value)| (labels, ConstGauge::new(value)));
        self.0.register(name, help, Each(MetricType::Gauge, each.collect()));
    }

    /// A number that only rises.
    pub(super) fn counter<V>(&mut self, name: &str, help: &str, value: V)
    where
        V: EncodeCounterValue + fmt::Debug + Send + Sync + 'static,
    {
        self.0.register(name, help, ConstCounter::new(value));
    }

    /// The same, of several.
    pub(super) fn counters(&mut self, name: &str, help: &str, values: impl Iterator<Item = (Labels, u64)>) {
        let each = values.map(|(labels, value)| (labels, ConstCounter::new(value)));
        self.0.register(name, help, Each(MetricType::Counter, each.collect()));
    }

    /// What is counted by a label.
    pub(super) fn counts<L: Label>(&mut self, name: &str, help: &str, counts: &Counts<L>) {
        self.counters(name, help, by_label(counts));
    }

    /// A histogram.
    pub(super) fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.0.register(name, help, histogram.now());
    }

    /// The same, of several.
    pub(super) fn histograms<'a>(
        &mut self,
        name: &str,
        help: &str,
        each: impl Iterator<Item = (Labels, &'a Histogram)>,
    ) {
        let each = each.map(|(labels, histogram)| (labels, histogram.now()));
        self.0.register(name, help, Each(MetricType::Histogram, each.collect()));
    }
}

/// What is counted by a label, with that label.
pub(super) fn by_label<L: Label>(counts: &Counts<L>) -> impl Iterator<Item = (Labels, u64)> {
    counts.all().map(|(label, count)| (vec![(L::NAME, label.text().to_owned())], count))
}

/// The same of several things.
#[derive(Debug)]
struct Each<M>(MetricType, Vec<(Labels, M)>);

impl<M: EncodeMetric> EncodeMetric for Each<M> {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        self.1.iter().try_for_each(|(labels, metric)| metric.encode(encoder.encode_family(labels)?))
    }

    fn metric_type(&self) -> MetricType {
        self.0
    }

    fn is_empty(&self) -> bool {
        self.1.is_empty()
    }
}

impl EncodeMetric for Distribution {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        encoder.encode_histogram::<NoLabelSet>(self.sum, self.count, &self.buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
