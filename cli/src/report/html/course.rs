//! The course of the run: what happened when, on one axis of time.

use maud::{Markup, html};
use redyno_contract::Judgement;
use redyno_contract::figures;
use redyno_contract::judgement::DynoVerdict;
use redyno_contract::plan::{DynoTypePlan, Latency, Limit, Plan, Step};
use redyno_contract::timeline::Timeline;

use super::plot::{self, Point, left, plain, time, x, y};
use super::scale::Scale;
use crate::report::timeline::{Slots, courses, dynos_of};

/// A quantity over time.
struct Panel {
    name: &'static str,
    class: &'static str,
    scale: Scale,
    /// A label of the axis.
    label: fn(f64) -> String,
    /// Its value in every slot, where it is known.
    values: Vec<Option<f64>>,
    /// How a value is written.
    said: fn(f64) -> String,
    /// The value that it is compared with, and that value's name.
    reference: Option<Reference>,
}

/// A value, how it is drawn, and what it is.
type Reference = (f64, &'static str, String);

/// One card for each course that has two slots to compare.
pub(super) fn cards(plan: &Plan, judgement: &Judgement) -> Markup {
    html! {
        @for (number, (dyno_type, timeline)) in courses(judgement, plan).into_iter().enumerate() {
            (card(number, dyno_type, timeline, plan, judgement))
        }
    }
}

fn card(
    number: usize,
    dyno_type: Option<&str>,
    timeline: &Timeline,
    plan: &Plan,
    judgement: &Judgement,
) -> Markup {
    let slots = Slots::of(timeline, judgement, plan);
    if slots.count < 2 {
        return Markup::default();
    }
    let dynos = || dynos_of(judgement, dyno_type);
    let (all, told) = (
        dynos().count(),
        dynos().filter(|row| row.numbers.is_some()).count(),
    );
    let types: Vec<&DynoTypePlan> = plan
        .formation
        .iter()
        .filter(|dynos| dyno_type.is_none_or(|name| dynos.dyno_type == name))
        .collect();
    let limit = latency_limit(plan, dyno_type);
    let panels = panels(timeline, &slots, &types, limit, told);
    let axis = Axis::of(timeline, &slots, plan);
    let ends: Vec<(String, f64)> = dynos()
        .filter(|row| row.result == DynoVerdict::Failed)
        .filter_map(|row| Some((row.dyno.to_string(), row.end.as_ref()?.after_milliseconds)))
        .map(|(name, milliseconds)| (name, milliseconds as f64 / 1000.0))
        .collect();
    html! {
        section.card {
            h2 {
                "Timeline"
                @if let Some(dyno_type) = dyno_type { " of " (dyno_type) }
            }
            p.lead {
                (span(axis.slot)) " a step"
                @if axis.length < plan.duration_seconds {
                    ", " (span(axis.length)) " of " (span(plan.duration_seconds))
                }
                @if told < all {
                    ", told by " (told) " of " (all) " dynos"
                }
                @for (name, seconds) in &ends {
                    "; " span.bad { (name) " failed at " (format!("{seconds:.1}")) " s" }
                }
            }
            @for (position, panel) in panels.iter().enumerate() {
                (drawn(panel, &axis, &ends, (number, position), position + 1 == panels.len()))
            }
        }
    }
}

fn panels(
    timeline: &Timeline,
    slots: &Slots,
    types: &[&DynoTypePlan],
    latency_limit: Option<Reference>,
    told: usize,
) -> Vec<Panel> {
    let achieved = slots.achieved(timeline);
    let response = slots.known(&timeline.response_p99_microseconds, milliseconds);
    let backlog = slots.known(&timeline.peak_backlog, f64::from);
    let redis = slots.redis_core_percent(timeline);
    let planned: f64 = types
        .iter()
        .map(|dynos| f64::from(dynos.quantity) * dynos.rate.tasks_per_second())
        .sum();
    let backlog_limit = types
        .iter()
        .map(|dynos| f64::from(dynos.max_worker_backlog))
        .reduce(f64::min)
        .map(|limit| (limit, "limit", format!("limit {}", plain(limit))));
    // A limit far above the values would press them all to the ground.
    let near = known(&backlog).any(|backlog| {
        backlog_limit
            .as_ref()
            .is_some_and(|(limit, _, _)| backlog * 5.0 >= *limit)
    });
    let panels = [
        Panel {
            name: "achieved tasks/s",
            class: "achieved",
            scale: Scale::linear(known(&achieved).chain([planned])),
            label: plain,
            values: achieved,
            said: |value| format!("{} /s", figures::rate(value)),
            reference: Some((
                planned,
                "asked",
                format!("planned {}", figures::rate(planned)),
            )),
        },
        Panel {
            // Percentiles do not add up over dynos.
            name: if told > 1 {
                "response p99 of the slowest dyno"
            } else {
                "response p99"
            },
            class: "p99",
            scale: Scale::logarithmic(
                known(&response).chain(latency_limit.as_ref().map(|(value, _, _)| *value)),
            ),
            label: time,
            values: response,
            said: |value| format!("{} ms", rounded(value)),
            reference: latency_limit,
        },
        Panel {
            name: "peak backlog of a worker",
            class: "backlog",
            scale: Scale::linear(
                known(&backlog).chain(
                    backlog_limit
                        .iter()
                        .filter(|_| near)
                        .map(|(limit, _, _)| *limit),
                ),
            ),
            label: plain,
            values: backlog,
            said: plain,
            reference: backlog_limit,
        },
        Panel {
            name: "Redis' core",
            class: "redis",
            scale: Scale::Linear { high: 100.0 },
            label: |value| format!("{value:.0} %"),
            values: redis,
            said: |value| format!("{value:.0} %"),
            reference: None,
        },
    ];
    panels
        .into_iter()
        .filter(|panel| known(&panel.values).next().is_some())
        .collect()
}

/// The limit on the response time of these tasks, if there is one.
fn latency_limit(plan: &Plan, dyno_type: Option<&str>) -> Option<Reference> {
    plan.thresholds
        .iter()
        .find_map(|threshold| match &threshold.limit {
            Limit::Latency(limit)
                if limit.of == Latency::Response
                    && limit.step == Step::Task
                    && (threshold.dyno_type.is_none()
                        || threshold.dyno_type.as_deref() == dyno_type) =>
            {
                Some((
                    milliseconds(limit.max_microseconds),
                    "limit",
                    format!(
                        "limit of the whole window: p{} {}",
                        limit.percentile,
                        figures::milliseconds(limit.max_microseconds)
                    ),
                ))
            }
            Limit::Latency(_) | Limit::Errors { .. } | Limit::Rate { .. } => None,
        })
}

fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1000.0
}

fn known(values: &[Option<f64>]) -> impl Iterator<Item = f64> + '_ {
    values.iter().copied().flatten()
}

fn span(seconds: u32) -> String {
    figures::span(u64::from(seconds) * 1000)
}

/// Milliseconds with three digits at most.
fn rounded(milliseconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it was a whole number of microseconds"
    )]
    let microseconds = (milliseconds * 1000.0).round() as u64;
    figures::bare_milliseconds(figures::rounded(microseconds, 3))
}

/// Time, from the begin of the window to its end, in seconds since the start.
struct Axis {
    begin: u32,
    length: u32,
    slot: u32,
}

impl Axis {
    /// A run that ended early needs no room for the rest.
    fn of(timeline: &Timeline, slots: &Slots, plan: &Plan) -> Self {
        let slot = timeline.slot_seconds.max(1);
        let length = u32::try_from(slots.count)
            .unwrap_or(u32::MAX)
            .saturating_mul(slot)
            .min(plan.duration_seconds)
            .max(1);
        Self {
            begin: plan.warmup_seconds,
            length,
            slot,
        }
    }

    /// Where a slot begins and ends, as shares of the window.
    fn slot(&self, position: usize) -> (f64, f64) {
        let (length, slot) = (f64::from(self.length), f64::from(self.slot));
        let begin = position as f64 * slot;
        (
            (begin / length).min(1.0),
            ((begin + slot) / length).min(1.0),
        )
    }

    fn at(&self, seconds: f64) -> f64 {
        ((seconds - f64::from(self.begin)) / f64::from(self.length)).clamp(0.0, 1.0)
    }

    /// Round moments within it.
    fn ticks(&self) -> Vec<u32> {
        const STEPS: [u32; 14] = [
            1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600,
        ];
        let step = STEPS
            .into_iter()
            .find(|step| self.length / step <= 6)
            .unwrap_or(86_400);
        let end = self.begin.saturating_add(self.length);
        (self.begin.div_ceil(step)..=end / step)
            .map(|count| count * step)
            .collect()
    }
}

fn drawn(
    panel: &Panel,
    axis: &Axis,
    ends: &[(String, f64)],
    (number, position): (usize, usize),
    last: bool,
) -> Markup {
    let Panel {
        name,
        class,
        scale,
        label,
        values,
        said,
        reference,
    } = panel;
    let id = format!("course-{number}-{position}");
    let steps = steps(values, *scale, axis);
    let (lowest, highest) = known(values).fold(
        (f64::INFINITY, f64::NEG_INFINITY),
        |(least, most), value| (least.min(value), most.max(value)),
    );
    let moments: Vec<(f64, String)> = axis
        .ticks()
        .into_iter()
        .map(|tick| (axis.at(f64::from(tick)), span(tick)))
        .collect();
    let class_of_plot = if last { "plot flat last" } else { "plot flat" };
    html! {
        div.panel-title {
            b { (name) }
            span.soft {
                (said(lowest))
                @if highest > lowest { " .. " (said(highest)) }
                @if let Some((_, _, what)) = reference { ", " (what) }
            }
        }
        div class=(class_of_plot) {
            svg viewBox="0 0 1000 1000" preserveAspectRatio="none" role="img" aria-labelledby=(id) {
                title id=(id) { (name) " over time: " (said(lowest)) " to " (said(highest)) }
                line.grid x1="0" x2="1000" y1="0" y2="0" {}
                line.grid x1="0" x2="1000" y1="1000" y2="1000" {}
                @for tick in axis.ticks() {
                    @let right = x(axis.at(f64::from(tick)));
                    line.grid x1=(right) x2=(right) y1="0" y2="1000" {}
                }
                @for run in &steps {
                    @let area: Vec<Point> = std::iter::once((run[0].0, 0.0))
                        .chain(run.iter().copied())
                        .chain(run.last().map(|(right, _)| (*right, 0.0)))
                        .collect();
                    path class={ "area " (class) } d=(plot::closed(&area)) {}
                    path class={ "step " (class) } d=(plot::line(run)) {}
                }
                @if let Some((value, class, _)) = reference.as_ref().filter(|(value, _, _)| scale.holds(*value)) {
                    @let up = y(scale.position(*value));
                    line class=(class) x1="0" x2="1000" y1=(up) y2=(up) {}
                }
                @for (_, seconds) in ends {
                    @let right = x(axis.at(*seconds));
                    line.ended x1=(right) x2=(right) y1="0" y2="1000" {}
                }
                @for (position, value) in values.iter().enumerate() {
                    @let (begin, end) = axis.slot(position);
                    rect.slot x=(x(begin)) y="0" width=(x(end - begin)) height="1000" {
                        title {
                            (moment(axis, position)) ": "
                            @match value {
                                Some(value) => (said(*value)),
                                None => "not known",
                            }
                        }
                    }
                }
            }
            @let ticks = scale.ticks();
            @for tick in [ticks.first(), ticks.last()].into_iter().flatten() {
                (left(scale.position(*tick), &label(*tick)))
            }
            @if last {
                (plot::below(&moments))
            }
        }
    }
}

fn moment(axis: &Axis, position: usize) -> String {
    let begin = u64::try_from(position)
        .unwrap_or(u64::MAX)
        .saturating_mul(axis.slot.into())
        .saturating_add(axis.begin.into());
    format!("{begin} s to {} s", begin.saturating_add(axis.slot.into()))
}

/// A flat piece for every slot. Slots of which nothing is known interrupt the line.
fn steps(values: &[Option<f64>], scale: Scale, axis: &Axis) -> Vec<Vec<Point>> {
    let mut runs: Vec<Vec<Point>> = Vec::new();
    let mut parted = true;
    for (position, value) in values.iter().enumerate() {
        let Some(value) = value else {
            parted = true;
            continue;
        };
        let (begin, end) = axis.slot(position);
        let up = scale.position(*value);
        if parted {
            runs.push(Vec::new());
        }
        if let Some(run) = runs.last_mut() {
            run.extend([(begin, up), (end, up)]);
        }
        parted = false;
    }
    runs
}
