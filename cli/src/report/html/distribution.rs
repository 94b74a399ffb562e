//! Response against service time over all percentiles. Both axes are logarithmic, the percentiles'
//! as the tail sees them: 90, 99 and 99.9 % are as far apart as 0 and 90.

use maud::{Markup, html};
use redyno_contract::Histogram;
use redyno_contract::figures;
use redyno_contract::histogram::Bucket;
use redyno_contract::judgement::{Distribution, Quantile};
use redyno_contract::plan::{Latency, LatencyLimit, Limit, Plan, Step};

use super::plot::{self, Point, left, percent, time, x, y};
use super::scale::Scale;
use crate::report::{Curve, PlannedRun};

/// Points closer than this to the last one are left out, since nobody would see them.
const RESOLUTION: f64 = 0.003;

/// The chart of one type of dyno, or of all together; the heading alone if there is none.
pub(super) fn figure(
    position: usize,
    title: &str,
    dyno_type: Option<&str>,
    run: &PlannedRun<'_>,
) -> Markup {
    let curve = |latency: Latency| {
        run.curves
            .iter()
            .find(|curve| curve.latency == latency && curve.dyno_type.as_deref() == dyno_type)
            .filter(|curve| curve.histogram.count() > 0)
    };
    if let (Some(response), Some(service)) = (curve(Latency::Response), curve(Latency::Service)) {
        let id = format!("distribution-{position}");
        chart(&id, title, response, service, &limits(run.plan, dyno_type))
    } else {
        html! { h2 { (title) } }
    }
}

/// A limit on the response time of whole tasks, with its name.
type NamedLimit<'a> = (&'a str, &'a LatencyLimit);

fn limits<'a>(plan: &'a Plan, dyno_type: Option<&str>) -> Vec<NamedLimit<'a>> {
    plan.thresholds
        .iter()
        .filter(|threshold| {
            // A limit of one type says nothing about all types together, unless there is no other
            // type.
            threshold.dyno_type.is_none()
                || threshold.dyno_type.as_deref() == dyno_type
                || plan.formation.len() == 1
        })
        .filter_map(|threshold| match &threshold.limit {
            Limit::Latency(limit) if limit.of == Latency::Response && limit.step == Step::Task => {
                Some((threshold.name.as_str(), limit))
            }
            Limit::Latency(_) | Limit::Errors { .. } | Limit::Rate { .. } => None,
        })
        .collect()
}

fn chart(
    id: &str,
    title: &str,
    response: &Curve,
    service: &Curve,
    limits: &[NamedLimit<'_>],
) -> Markup {
    let tail = Scale::tail(response.scheduled.max(service.scheduled));
    let ends = |histogram: &Histogram| {
        let least = histogram.at_rank(1);
        [least, histogram.max_microseconds()].map(milliseconds)
    };
    let times = Scale::logarithmic(
        ends(&response.histogram)
            .into_iter()
            .chain(ends(&service.histogram))
            .chain(
                limits
                    .iter()
                    // The space above it is for its name.
                    .map(|(_, limit)| milliseconds(limit.max_microseconds) * 2.0),
            ),
    );
    let upper = points(response, tail, times);
    let lower = points(service, tail, times);
    let between: Vec<Point> = upper
        .iter()
        .copied()
        .chain(lower.iter().rev().copied())
        .collect();
    let shares: Vec<(f64, String)> = tail
        .ticks()
        .into_iter()
        .map(|tick| (tail.position(tick), format!("{} %", share(tick))))
        .collect();
    let right = tail.position(0.99);
    let marks: Vec<(&str, String, f64)> = [("response", response), ("service", service)]
        .into_iter()
        .filter_map(|(class, curve)| {
            let value = quantile(curve, 0.99)?;
            Some((class, at(curve, 0.99), times.position(milliseconds(value))))
        })
        .collect();
    let end = upper.last().map_or(0.0, |(right, _)| *right);
    let unended = response
        .scheduled
        .saturating_sub(response.histogram.count());
    html! {
        figure {
            figcaption {
                h2 { (title) }
                p.key aria-hidden="true" {
                    span { (sample("curve response")) "response: end \u{2212} due, what users feel" }
                    span { (sample("curve service")) "service: end \u{2212} start, what other tools show" }
                    span { (patch("wait")) "waiting" }
                    @if !limits.is_empty() {
                        span { (patch("forbidden")) "over the limit" }
                    }
                }
            }
            div.plot.tall {
                svg viewBox="0 0 1000 1000" preserveAspectRatio="none" role="img" aria-labelledby=(id) {
                    title id=(id) { (described(response, service)) }
                    @if unended > 0 {
                        rect.unended x=(x(end)) y="0" width=(x(1.0 - end)) height="1000" {}
                    }
                    (plot::rows(times))
                    (plot::columns(tail))
                    @for (_, limit) in limits {
                        @let (right, up) = corner(limit, tail, times);
                        rect.forbidden x="0" y="0" width=(x(right)) height=(y(up)) {}
                        path.limit d=(plot::line(&[(0.0, up), (right, up), (right, 1.0)])) {}
                    }
                    path.wait d=(plot::closed(&between)) {}
                    path.curve.service d=(plot::line(&lower)) {}
                    path.curve.response d=(plot::line(&upper)) {}
                    @for (class, _, up) in &marks {
                        @let dot = plot::line(&[(right, *up), (right, *up)]);
                        path.halo d=(dot) {}
                        path class={ "dot " (class) } d=(dot) {}
                    }
                    (bands(response, service, tail))
                }
                @for (class, value, up) in &marks {
                    span class={ "value " (class) } aria-hidden="true"
                        style={ "left:" (percent(right)) ";top:" (percent(1.0 - up)) } { (value) }
                }
                @for tick in times.ticks() {
                    (left(times.position(tick), &time(tick)))
                }
                (plot::below(&shares))
                @for (name, limit) in limits {
                    @let (_, up) = corner(limit, tail, times);
                    span.mark aria-hidden="true" style={ "top:" (percent(1.0 - up)) } {
                        "limit " (name) ", "
                        (figures::milliseconds(limit.max_microseconds))
                    }
                }
                @if unended > 0 {
                    span.never aria-hidden="true" style={ "left:" (percent(end)) } { "never completed" }
                }
                span.axis aria-hidden="true" { "share of all tasks that are at most as slow" }
            }
            @if unended > 0 {
                p.after {
                    (figures::count(unended)) " of " (figures::count(response.scheduled))
                    " tasks never completed: the curve ends before them."
                }
            }
        }
    }
}

/// Where a limit's percentile and its time meet. The curve has to pass below and right of it.
fn corner(limit: &LatencyLimit, tail: Scale, times: Scale) -> Point {
    (
        tail.position(limit.percentile.fraction()),
        times.position(milliseconds(limit.max_microseconds)),
    )
}

fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1000.0
}

/// A percentile for an axis: `99.9`.
fn share(fraction: f64) -> String {
    let text = format!("{:.4}", fraction * 100.0);
    let text = text.trim_end_matches('0');
    text.trim_end_matches('.').to_owned()
}

/// The curve: every value at the share of all tasks that are at most as slow.
fn points(curve: &Curve, tail: Scale, times: Scale) -> Vec<Point> {
    let all = curve.scheduled.max(curve.histogram.count()) as f64;
    let mut points: Vec<Point> = Vec::new();
    let mut seen = 0_u64;
    let mut last = None;
    for Bucket {
        lowest: _,
        highest: value,
        count,
    } in curve.histogram.buckets()
    {
        let up = times.position(milliseconds(value));
        if points.is_empty() {
            points.push((0.0, up));
        }
        seen = seen.saturating_add(count);
        // Half a task less, so that the slowest of all has a place on the axis.
        let point = (tail.position((seen as f64 - 0.5) / all), up);
        let is_near = points.last().is_some_and(|(right, up)| {
            (point.0 - right).abs() < RESOLUTION && (point.1 - up).abs() < RESOLUTION
        });
        if is_near {
            last = Some(point);
        } else {
            points.push(point);
            last = None;
        }
    }
    points.extend(last);
    points
}

/// Invisible bands around the ticks that say their values when they are pointed at.
fn bands(response: &Curve, service: &Curve, tail: Scale) -> Markup {
    let ticks: Vec<f64> = tail
        .ticks()
        .into_iter()
        .filter(|tick| *tick > 0.0)
        .collect();
    let positions: Vec<f64> = ticks.iter().map(|tick| tail.position(*tick)).collect();
    let bound = |position: usize| match (position.checked_sub(1), positions.get(position)) {
        (Some(before), Some(after)) => f64::midpoint(positions[before], *after),
        (None, _) => 0.0,
        (Some(_), None) => 1.0,
    };
    html! {
        @for (position, tick) in ticks.iter().enumerate() {
            @let (begin, end) = (bound(position), bound(position + 1));
            rect.slot x=(x(begin)) y="0" width=(x(end - begin)) height="1000" {
                title {
                    "p" (share(*tick)) ": response " (at(response, *tick))
                    ", service " (at(service, *tick))
                }
            }
        }
    }
}

/// The time of a percentile over all tasks, as the tables have it, too.
fn at(curve: &Curve, fraction: f64) -> String {
    let Distribution {
        p50,
        p90,
        p99,
        p999,
        max,
        times: _,
        digits,
    } = curve.distribution;
    let known = [(0.5, p50), (0.9, p90), (0.99, p99), (0.999, p999)];
    let of_table = known
        .into_iter()
        .find(|(tick, _)| (tick - fraction).abs() < 1e-9);
    let quantile = of_table.map_or_else(
        || match quantile(curve, fraction) {
            // Beyond the table's last percentile, the curve lies between it and the maximum.
            Some(value) => Quantile::At(
                figures::rounded(value, digits)
                    .max(p999.shown_microseconds())
                    .min(max.shown_microseconds()),
            ),
            None => max,
        },
        |(_, quantile)| quantile,
    );
    quantile.to_string()
}

/// A percentile over all tasks, in microseconds; None if it lies among those that never completed.
fn quantile(curve: &Curve, fraction: f64) -> Option<u64> {
    let all = curve.scheduled.max(curve.histogram.count());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count"
    )]
    let rank = (all as f64 * fraction).ceil() as u64;
    (rank <= curve.histogram.count()).then(|| curve.histogram.at_rank(rank.max(1)))
}

fn described(response: &Curve, service: &Curve) -> String {
    let quantiles = |curve: &Curve| {
        [0.5, 0.9, 0.99, 0.999]
            .map(|fraction| format!("p{} {}", share(fraction), at(curve, fraction)))
            .join(", ")
    };
    format!(
        "Distribution of latencies. Response: {}. Service: {}.",
        quantiles(response),
        quantiles(service)
    )
}

/// A line of the key.
fn sample(class: &str) -> Markup {
    html! { svg viewBox="0 0 22 10" { path class=(class) d="M1 5L21 5" {} } }
}

/// An area of the key.
fn patch(class: &str) -> Markup {
    html! { svg viewBox="0 0 22 10" { rect class=(class) width="22" height="10" rx="2" {} } }
}
