//! What the charts share: a drawing of 1000 by 1000 that is stretched to its place, and labels
//! beside it that are not.

use maud::{Markup, html};
use redyno_contract::figures;

use super::scale::Scale;

/// Width and height of every drawing.
const SIZE: f64 = 1000.0;

/// A point in shares of the drawing, from the lower left corner.
pub(super) type Point = (f64, f64);

/// A coordinate from the left, with no more digits than can be seen.
pub(super) fn x(share: f64) -> String {
    shortened(share * SIZE)
}

/// A coordinate from the top.
pub(super) fn y(share: f64) -> String {
    shortened((1.0 - share) * SIZE)
}

fn shortened(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A share of the place as CSS has it.
pub(super) fn percent(share: f64) -> String {
    format!("{}%", shortened(share * 100.0))
}

/// A line through points.
pub(super) fn line(points: &[Point]) -> String {
    let mut path = String::new();
    for (position, (right, up)) in points.iter().enumerate() {
        let command = if position == 0 { 'M' } else { 'L' };
        path.push(command);
        path.push_str(&x(*right));
        path.push(' ');
        path.push_str(&y(*up));
    }
    path
}

/// The same, closed.
pub(super) fn closed(points: &[Point]) -> String {
    let mut path = line(points);
    path.push('Z');
    path
}

/// Horizontal lines at the ticks.
pub(super) fn rows(scale: Scale) -> Markup {
    html! {
        @for tick in scale.ticks() {
            @let up = y(scale.position(tick));
            line.grid x1="0" x2="1000" y1=(up) y2=(up) {}
        }
    }
}

/// Vertical lines at the ticks.
pub(super) fn columns(scale: Scale) -> Markup {
    html! {
        @for tick in scale.ticks() {
            @let right = x(scale.position(tick));
            line.grid y1="0" y2="1000" x1=(right) x2=(right) {}
        }
    }
}

/// A label left of the drawing.
pub(super) fn left(share: f64, text: &str) -> Markup {
    html! { span.y aria-hidden="true" style={ "bottom:" (percent(share)) } { (text) } }
}

/// Width of a drawing on a phone and of a character of a label, in pixels.
const PHONE: f64 = 300.0;
const CHARACTER: f64 = 7.0;

/// Labels below the drawing, from left to right. Where there is no room for all of them some are
/// left out.
pub(super) fn below(labels: &[(f64, String)]) -> Markup {
    let mut end = f64::NEG_INFINITY;
    let labels = labels.iter().map(|(share, text)| {
        let half = text.chars().count() as f64 * CHARACTER / 2.0;
        let (class, begin) = match share {
            ..0.02 => ("x first", share * PHONE),
            0.98.. => ("x end", share * PHONE - 2.0 * half),
            _ => ("x", share * PHONE - half),
        };
        let wide = (begin < end).then_some("wide");
        if wide.is_none() {
            end = begin + 2.0 * half + CHARACTER;
        }
        html! {
            span class={ (class) @if let Some(wide) = wide { " " (wide) } }
                aria-hidden="true" style={ "left:" (percent(*share)) } { (text) }
        }
    });
    html! { @for label in labels { (label) } }
}

/// A time in milliseconds for an axis: `0.2 ms`, `50 ms`, `2 s`.
pub(super) fn time(milliseconds: f64) -> String {
    if milliseconds >= 1000.0 {
        format!("{} s", shortened(milliseconds / 1000.0))
    } else if milliseconds >= 1.0 {
        format!("{milliseconds:.0} ms")
    } else {
        let text = format!("{milliseconds:.3}");
        format!("{} ms", text.trim_end_matches('0'))
    }
}

/// A number for an axis.
pub(super) fn plain(value: f64) -> String {
    if value >= 10.0 || value.fract() == 0.0 {
        // Axes of counts end far below the numbers that a float cannot tell apart.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rounded number of an axis that begins at 0"
        )]
        let whole = value.round() as u64;
        figures::count(whole)
    } else {
        format!("{value:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_run_from_the_lower_left_corner() {
        assert_eq!(line(&[(0.0, 0.0), (0.5, 1.0)]), "M0 1000L500 0");
        assert_eq!(
            closed(&[(0.0, 0.0), (1.0, 0.33333), (1.0, 0.0)]),
            "M0 1000L1000 666.7L1000 1000Z"
        );
    }

    #[test]
    fn labels_are_short() {
        for (milliseconds, text) in [
            (0.02, "0.02 ms"),
            (0.5, "0.5 ms"),
            (1.0, "1 ms"),
            (500.0, "500 ms"),
            (2000.0, "2 s"),
            (1500.0, "1.5 s"),
        ] {
            assert_eq!(time(milliseconds), text);
        }
        assert_eq!(plain(0.0), "0");
        assert_eq!(plain(2.5), "2.5");
        assert_eq!(plain(20_000.0), "20,000");
    }
}
