//! Snapshots of whole pages, which the tests with a real browser open, too.

use std::collections::BTreeSet;

use redyno_contract::Verdict;
use redyno_contract::judgement::TypeResult;
use redyno_contract::plan::{DynoName, DynoTypePlan};

use super::*;
use crate::report::Curve;
use crate::report::fixtures::{
    UID, curves, failed_by_backlog, passed, plan, plan_of_commands, report_of, sizes,
    step_distributions, with_a_lost_dyno,
};

/// All that a page is made from.
struct Run {
    judgement: Judgement,
    plan: redyno_contract::Plan,
    sizes: Vec<String>,
    curves: Vec<Curve>,
}

impl Run {
    fn of(judgement: Judgement) -> Self {
        Self {
            judgement,
            plan: plan(2),
            sizes: sizes(),
            curves: Vec::new(),
        }
    }

    fn page(&self) -> String {
        let mut report = report_of(&self.judgement, &self.plan, &self.sizes);
        report.name = &self.plan.run.name;
        if let Some(run) = &mut report.run {
            run.curves = &self.curves;
        }
        page(&report)
    }
}

/// The page with one element on each line.
fn apart(page: &str) -> String {
    page.replace("><", ">\n<")
}

#[test]
fn passed_with_all_charts() {
    let mut run = Run::of(passed(2));
    run.judgement.summary.step_distributions = step_distributions();
    run.curves = curves(480_000, 480_000);
    insta::assert_snapshot!(apart(&run.page()));
}

#[test]
fn failed_early() {
    let mut run = Run::of(failed_by_backlog());
    run.curves = curves(46_800, 42_000);
    insta::assert_snapshot!(apart(&run.page()));
}

#[test]
fn errored_with_a_lost_dyno() {
    let mut judgement = with_a_lost_dyno();
    judgement.formation.clear();
    insta::assert_snapshot!(apart(&Run::of(judgement).page()));
}

#[test]
fn errored_before_any_plan_is_a_banner_alone() {
    let page = page(&TerminalReport {
        namespace: "default",
        name: "vertical-up-6",
        version: "0.1.0",
        uid: UID,
        verdict: Verdict::Errored,
        message: "spec.formation[0].size is \"huge\", must be one of eco, basic.",
        run: None,
    });
    assert!(page.contains("ERRORED"), "{page}");
    assert!(page.contains("is &quot;huge&quot;, must be"), "{page}");
    assert!(!page.contains("<table"), "{page}");
}

/// Whatever names a cluster, a Redis or a user gives, the page shows them as text.
#[test]
fn what_others_wrote_is_text() {
    const EVIL: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&lt;";
    let mut run = Run::of(failed_by_backlog());
    run.curves = curves(4_680, 4_200);
    EVIL.clone_into(&mut run.judgement.message);
    for row in &mut run.judgement.dynos {
        row.node_name = Some(EVIL.to_owned());
        row.reason = Some(EVIL.to_owned());
    }
    for threshold in &mut run.judgement.thresholds {
        EVIL.clone_into(&mut threshold.name);
        EVIL.clone_into(&mut threshold.observed);
        EVIL.clone_into(&mut threshold.limit);
    }
    if let Some(target) = &mut run.judgement.target {
        target.server = Some(EVIL.to_owned());
        target.version = Some(EVIL.to_owned());
        target.maxmemory_policy = Some(EVIL.to_owned());
    }
    EVIL.clone_into(&mut run.plan.run.name);
    EVIL.clone_into(&mut run.plan.target.title);
    EVIL.clone_into(&mut run.plan.thresholds[0].name);
    run.sizes = vec![EVIL.to_owned()];
    let page = run.page();
    assert!(
        !page.contains("<script") && !page.contains("<img"),
        "{page}"
    );
    let escaped = "&quot;'&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&amp;lt;";
    assert!(page.matches(escaped).count() > 15, "{page}");
}

/// A page that is mailed must show the same wherever it is opened.
#[test]
fn nothing_is_loaded_and_nothing_runs() {
    let mut run = Run::of(passed(2));
    run.curves = curves(480_000, 480_000);
    let page = run.page();
    for forbidden in [
        "http:", "https:", "//", "url(", "@import", "<script", "src=",
    ] {
        assert!(!page.contains(forbidden), "{forbidden} in {page}");
    }
    // No attribute such as onload.
    let handler = page.split(" on").skip(1).find(|rest| {
        rest.trim_start_matches(|letter: char| letter.is_ascii_lowercase())
            .starts_with('=')
    });
    assert_eq!(handler, None);
    assert!(page.contains("default-src 'none'"), "{page}");
}

/// An image for a screen reader: every drawing that is no decoration has a name.
#[test]
fn drawings_have_names_and_tables_have_captions() {
    let mut run = Run::of(passed(10));
    run.plan = plan(10);
    run.curves = curves(48_000, 48_000);
    let page = run.page();
    assert_eq!(
        page.matches("role=\"img\"").count(),
        page.matches("aria-labelledby=\"").count()
    );
    assert_eq!(
        page.matches("<table").count(),
        page.matches("<caption>").count()
    );
    assert!(page.matches("<table").count() >= 5, "{page}");
    for id in page.split("aria-labelledby=\"").skip(1) {
        let id = id.split('"').next().unwrap_or_default();
        assert_eq!(page.matches(&format!(" id=\"{id}\"")).count(), 1, "{id}");
    }
}

#[test]
fn types_with_different_workloads_have_charts_of_their_own() {
    let mut run = Run::of(passed(2));
    let commands = plan_of_commands().formation[0].workload.clone();
    run.plan = plan(1);
    let second = DynoTypePlan {
        dyno_type: "worker".to_owned(),
        workload: commands,
        ..run.plan.formation[0].clone()
    };
    run.plan.formation.push(second);
    run.judgement.dynos[1].dyno = DynoName {
        dyno_type: "worker".to_owned(),
        index: 0,
    };
    let first = run.judgement.formation[0].clone();
    run.judgement.formation.push(TypeResult {
        dyno_type: "worker".to_owned(),
        ..first
    });
    for latency in [
        &mut run.judgement.summary.response,
        &mut run.judgement.summary.wait,
        &mut run.judgement.summary.service,
    ] {
        *latency = None;
    }
    run.curves = ["web", "worker"]
        .into_iter()
        .flat_map(|dyno_type| {
            curves(4_800, 4_800).into_iter().map(|curve| Curve {
                dyno_type: Some(dyno_type.to_owned()),
                ..curve
            })
        })
        .collect();
    let page = run.page();
    for title in ["Latency", "Timeline"] {
        for dyno_type in ["web", "worker"] {
            let heading = format!("<h2>{title} of {dyno_type}</h2>");
            assert_eq!(page.matches(&heading).count(), 1, "{heading} in {page}");
        }
    }
    let drawings = page.split(" id=\"").skip(1);
    let names: Vec<&str> = drawings.filter_map(|rest| rest.split('"').next()).collect();
    let unique: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!((names.len(), unique.len()), (10, 10), "{names:?}");
    // The figure at the top is that of the slower type, and says so.
    assert!(page.contains("web: what users feel") || page.contains("worker: what users feel"));
}
