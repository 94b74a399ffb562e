//! Every limit, and how far the numbers can be trusted.

use maud::{Markup, html};
use redyno_contract::Judgement;
use redyno_contract::limit::Holding;

use super::table;
use crate::report::limits::{LimitRow, TrustItem, result, rows, trust};

pub(super) fn card(judgement: &Judgement) -> Markup {
    html! {
        section.card {
            div.scroll tabindex="0" role="region" aria-label="Limits" {
                table {
                    caption { h2 { "Limits" } }
                    thead {
                        tr {
                            th scope="col" { "name" }
                            th scope="col" { "limit" }
                            th scope="col" { "observed" }
                            th scope="col" { "over / allowed" }
                            th scope="col" { "result" }
                        }
                    }
                    tbody {
                        @for row in rows(judgement) { (limit(&row)) }
                    }
                }
            }
            (strip(judgement))
        }
    }
}

fn limit(row: &LimitRow) -> Markup {
    let LimitRow {
        name,
        limit,
        observed,
        used,
        remark,
        holding,
    } = row;
    html! {
        tr {
            th scope="row" { (name) }
            td { (limit) }
            td { b { (observed) } }
            td {
                @if let Some((used, allowed)) = *used {
                    (bar(used, allowed, *holding))
                }
                span.soft { (remark) }
            }
            td { (table::toned(&result(*holding))) }
        }
    }
}

/// How much of each limit was used up.
fn bar(used: u64, allowed: u64, holding: Holding) -> Markup {
    let percent = match (used, allowed) {
        (0, _) => 0,
        (_, 0) => 100,
        (used, allowed) => (u128::from(used) * 100 / u128::from(allowed)).clamp(2, 100),
    };
    let tone = (holding == Holding::Breached).then_some("bad");
    html! {
        span.used aria-hidden="true" {
            i class=[tone] style={ "width:" (percent) "%" } {}
        }
    }
}

/// The same items as in a terminal; one that is not as it should be is marked.
fn strip(judgement: &Judgement) -> Markup {
    html! {
        div.trust {
            h3 { "Trust" }
            dl {
                @for item in trust(judgement) { (trusted(item)) }
            }
        }
    }
}

fn trusted(item: TrustItem) -> Markup {
    let TrustItem {
        name,
        observed,
        needed,
        holding,
    } = item;
    let tone = match holding {
        Some(Holding::Held) | None => None,
        Some(Holding::Breached) => Some("bad"),
        Some(Holding::Unknown) => Some("doubt"),
    };
    html! {
        div {
            dt { (name) }
            dd class=[tone] {
                (observed)
                @if let Some((needed, unit)) = needed {
                    small {
                        (needed.replace(">=", "\u{2265}").replace("<=", "\u{2264}"))
                        " " (unit)
                    }
                }
            }
        }
    }
}
