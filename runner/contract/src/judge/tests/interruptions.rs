//! Rows 1, 2, 3 and 7: runs that were not carried out to their end.

use super::{Case, Expected, Spoil, check, evicted, expect, fail, lost};
use crate::limit::LimitCount;
use crate::outcome::Fate;
use crate::report::{Ending, Report};
use crate::samples;
use crate::verdict::{Bottleneck, Reason, Verdict};

#[test]
fn row_1_no_common_start() {
    let errored = |reason, says, spoil: &dyn Fn(&mut Case)| {
        expect(says, Verdict::Errored, reason, None, says, |case| {
            case.no_start();
            spoil(case);
        });
    };
    errored(
        Reason::StartTimeout,
        "web.1 gave up waiting for the common start: 1 of 2 dynos were ready. Put right what",
        &|_| {},
    );
    // What the target refused explains why the others were not ready.
    errored(
        Reason::TargetRefused,
        "web.2 could not get ready: OOM command not allowed. Put right what the message names",
        &|case| {
            case.end(
                1,
                Ending::TargetRefused {
                    detail: "OOM command not allowed".to_owned(),
                },
            );
        },
    );
    errored(Reason::TargetRefused, "web.2 exited with 77", &|case| {
        case.miss(1, Fate::Exited { code: 77 });
    });
    errored(
        Reason::Cancelled,
        "The run was cancelled. Create",
        &|case| {
            case.facts.cancelled = true;
            case.lose(0, evicted());
        },
    );
    errored(Reason::ChildLost, "Job run-web was gone", &|case| {
        case.facts.child_lost = Some("Job run-web".to_owned());
    });
    errored(Reason::TargetLost, "taken away: evicted", &|case| {
        case.facts.managed_redis_taken = Some("evicted".to_owned());
    });
    errored(
        Reason::TargetLost,
        "the managed Redis ended: exit code 1".trim_start_matches("the "),
        &|case| {
            case.facts.managed_redis_ended = Some("exit code 1".to_owned());
        },
    );
    errored(
        Reason::Evicted,
        "web.2 was evicted: the node had too little memory",
        &|case| {
            case.lose(0, Fate::OutOfMemory);
            case.lose(1, evicted());
        },
    );
    errored(
        Reason::DynoOutOfMemory,
        "web.2 was killed for using more than its 126 GiB of memory",
        &|case| {
            case.lose(0, lost());
            case.lose(1, Fate::OutOfMemory);
        },
    );
    errored(
        Reason::DynoLost,
        "web.2 was lost: its pod was deleted",
        &|case| {
            case.lose(1, lost());
        },
    );
    errored(
        Reason::DuplicateDyno,
        "web.2 had been claimed by another pod, 1b2c",
        &|case| {
            case.end(
                1,
                Ending::DuplicateDyno {
                    holder: "1b2c".to_owned(),
                },
            );
        },
    );
    errored(Reason::DuplicateDyno, "Two pods ran web.2", &|case| {
        case.facts.duplicate = Some(case.dynos[1].dyno.clone());
    });
    errored(
        Reason::InternalInconsistency,
        "web.2 came upon a mistake of its own: no worker",
        &|case| {
            case.end(
                1,
                Ending::Internal {
                    detail: "no worker".to_owned(),
                },
            );
        },
    );
    errored(Reason::DeadlineExceeded, "web.2 was not over by", &|case| {
        case.miss(1, Fate::DeadlineExceeded);
    });
    errored(
        Reason::ContainerNotStarted,
        "web.2 exited with 128 without its final report",
        &|case| case.miss(1, Fate::Exited { code: 128 }),
    );
    errored(
        Reason::StartTimeout,
        "No pod of web.1 was ever seen",
        &|case| {
            case.dynos.clear();
        },
    );
    errored(
        Reason::StartTimeout,
        "The dynos were not all ready",
        &|case| {
            case.end(0, Ending::Stopped);
            case.end(1, Ending::Stopped);
        },
    );
}

#[test]
fn exit_code_0_without_a_report_is_no_missing_start() {
    let mut plan = samples::plan();
    plan.duration_seconds = 4;
    plan.formation[0].quantity = 1;
    let mut case = Case::of(plan);
    case.miss(0, Fate::Exited { code: 0 });
    check(
        &case,
        &Expected {
            name: "the only report was wiped",
            verdict: Verdict::Inconclusive,
            reason: Reason::ReportMissing,
            bottleneck: Some(Bottleneck::Unknown),
            says: "The final report of web.1 is missing: the termination message is empty, \
                   though it exited with 0. Run the test again",
        },
    );
}

#[test]
fn row_2_the_target_was_taken_away() {
    expect(
        "with its node",
        Verdict::Errored,
        Reason::TargetLost,
        Bottleneck::Unknown,
        "The managed Redis was taken away: its node was lost. Look at the target's log",
        |case| {
            case.facts.managed_redis_taken = Some("its node was lost".to_owned());
            case.end(
                0,
                Ending::TargetLost {
                    detail: String::new(),
                },
            );
        },
    );
}

#[test]
fn row_3_the_target_gave_way() {
    expect(
        "by a dyno's word",
        Verdict::Failed,
        Reason::TargetLost,
        Bottleneck::Unknown,
        "web.2 lost the target after 8.4 s: its run_id changed. Look",
        |case| {
            case.end(
                1,
                Ending::TargetLost {
                    detail: "its run_id changed.\n".to_owned(),
                },
            );
        },
    );
    expect(
        "by its pod",
        Verdict::Failed,
        Reason::TargetLost,
        Bottleneck::RedisMemory,
        "The managed Redis ended: OOMKilled. Try a target with more memory",
        |case| {
            case.facts.managed_redis_ended = Some("OOMKilled".to_owned());
            case.end(0, Ending::Terminated);
            case.report(0).target.as_mut().unwrap().memory_at_end_bytes = Some(100 << 30);
        },
    );
    expect(
        "with a busy thread",
        Verdict::Failed,
        Reason::TargetLost,
        Bottleneck::RedisCpu,
        "The managed Redis ended",
        |case| {
            case.facts.managed_redis_ended = Some("exit code 1".to_owned());
            case.end(0, Ending::Terminated);
            case.report(0)
                .target
                .as_mut()
                .unwrap()
                .main_thread_per_mille = Some(990);
        },
    );
}

#[test]
fn row_7_not_carried_out() {
    let errored = |reason, says, spoil: &dyn Fn(&mut Case)| {
        expect(
            says,
            Verdict::Errored,
            reason,
            Bottleneck::Unknown,
            says,
            |case| {
                spoil(case);
            },
        );
    };
    errored(
        Reason::Cancelled,
        "The run was cancelled after 8.4 s. Create the LoadTest anew",
        &|case| {
            case.facts.cancelled = true;
            for dyno in 0..2 {
                case.end(dyno, Ending::Terminated);
                case.dynos[dyno].fate = Fate::Exited { code: 143 };
            }
        },
    );
    errored(Reason::ChildLost, "Job run-web was gone", &|case| {
        case.facts.child_lost = Some("Job run-web".to_owned());
        case.lose(0, lost());
    });
    errored(
        Reason::TargetLost,
        "web.1 exited with 69 without",
        &|case| {
            case.miss(0, Fate::Exited { code: 69 });
        },
    );
    errored(
        Reason::Evicted,
        "web.2 was evicted: the node had",
        &|case| {
            case.end(0, Ending::Terminated);
            case.dynos[0].fate = Fate::Exited { code: 143 };
            case.end(1, Ending::Terminated);
            case.dynos[1].fate = evicted();
        },
    );
    errored(
        Reason::DynoOutOfMemory,
        "web.1 was killed for using",
        &|case| {
            case.lose(0, Fate::OutOfMemory);
            case.end(1, Ending::Terminated);
            case.dynos[1].fate = lost();
        },
    );
    errored(
        Reason::DynoLost,
        "web.2 was lost: its pod was deleted",
        &|case| {
            // The other was told to end because of it.
            case.end(0, Ending::Terminated);
            case.dynos[0].fate = Fate::Exited { code: 143 };
            case.lose(1, lost());
        },
    );
    errored(
        Reason::DynoLost,
        "web.1 was told to end before its",
        &|case| {
            case.end(0, Ending::Terminated);
            case.dynos[0].fate = Fate::Exited { code: 143 };
        },
    );
    errored(Reason::DynoLost, "web.1 exited with 137 without", &|case| {
        case.lose(0, Fate::Exited { code: 137 });
    });
    errored(
        Reason::DynoLost,
        "The pod of web.1 was gone before",
        &|case| {
            case.lose(0, Fate::NeverSeen);
        },
    );
    errored(Reason::DuplicateDyno, "Two pods ran web.2", &|case| {
        case.facts.duplicate = Some(case.dynos[1].dyno.clone());
    });
    errored(Reason::DuplicateDyno, "web.1 exited with 76", &|case| {
        case.miss(0, Fate::Exited { code: 76 });
    });
    errored(Reason::DeadlineExceeded, "web.1 was not over by", &|case| {
        case.lose(0, Fate::DeadlineExceeded);
    });
    errored(
        Reason::DeadlineExceeded,
        "web.1 was still running",
        &|case| {
            case.lose(0, Fate::Running);
        },
    );
    errored(Reason::StartTimeout, "web.1 exited with 75", &|case| {
        case.miss(0, Fate::Exited { code: 75 });
    });
    errored(
        Reason::InternalInconsistency,
        "web.1 exited with 70",
        &|case| {
            case.miss(0, Fate::Exited { code: 70 });
        },
    );
    errored(
        Reason::ReportMissing,
        "No pod of web.2 was ever seen, and no report of it. Run the test again",
        &|case| {
            case.dynos.remove(1);
        },
    );
    errored(
        Reason::ReportMissing,
        "No pod of web.2 was ever seen",
        &|case| {
            // Told of twice is told of not at all.
            let twice = case.dynos[1].clone();
            case.dynos.push(twice);
        },
    );
    errored(
        Reason::InternalInconsistency,
        "web.1 was stopped although no dyno had failed",
        &|case| case.end(0, Ending::Stopped),
    );
}

#[test]
fn row_7_books() {
    let contradicts = |says, spoil: &dyn Fn(&mut Report)| {
        expect(
            says,
            Verdict::Errored,
            Reason::InternalInconsistency,
            Bottleneck::Unknown,
            says,
            |case| spoil(case.report(1)),
        );
    };
    contradicts(
        "The report of web.2 contradicts itself: its books do not balance. This is a defect",
        &|report| report.books.rejected = 1,
    );
    contradicts("its books do not balance", &|report| {
        report.books.in_time = report.books.completed + 1;
    });
    contradicts("its books of the warm-up do not balance", &|report| {
        report.warmup.abandoned = 1;
    });
    contradicts("it scheduled 4,001 tasks, the plan has 4,000", &|report| {
        report.books.scheduled += 1;
        report.books.undispatched += 1;
        report.over[0].total += 1;
    });
    contradicts("it ran to its end without a start", &|report| {
        report.start = None;
    });
    contradicts("its counts of a latency limit do not agree", &|report| {
        report.over[0].total = 3999;
    });
    contradicts("its counts of a latency limit do not agree", &|report| {
        report.over[0] = LimitCount {
            over: 40,
            excused: 0,
            unknown: 3961,
            total: 4000,
        };
    });
}

#[test]
fn what_came_after_every_dyno_had_ended_did_not_befall_the_run() {
    for spoil in [
        (|case: &mut Case| case.facts.cancelled = true) as Spoil,
        |case| case.facts.child_lost = Some("Job run-web".to_owned()),
        |case| case.facts.managed_redis_taken = Some("drained".to_owned()),
        |case| case.facts.managed_redis_ended = Some("exit code 0".to_owned()),
        |case| case.dynos[0].fate = evicted(),
        |case| case.dynos[0].fate = lost(),
        |case| case.dynos[0].fate = Fate::Running,
        |case| case.dynos[0].fate = Fate::NeverSeen,
        |case| case.dynos[0].fate = Fate::OutOfMemory,
        |case| case.dynos[0].fate = Fate::Exited { code: 143 },
    ] {
        let mut case = Case::held();
        spoil(&mut case);
        assert_eq!(case.judge().verdict, Verdict::Passed, "{:?}", case.facts);
    }
}

#[test]
fn texts_from_elsewhere_stay_on_one_line_and_bounded() {
    let mut case = Case::held();
    case.lose(
        1,
        Fate::Lost {
            detail: format!("a\nb\t{}", "ä".repeat(5000)),
        },
    );
    let message = case.judge().message;
    assert!(message.starts_with("web.2 was lost: a b ä"), "{message}");
    assert!(message.chars().count() < 500);
    assert!(!message.chars().any(char::is_control));
}

/// Whoever found out, and whatever broke besides: what was measured is not what was asked for.
#[test]
fn a_target_that_changed_in_mid_run_carries_no_verdict() {
    let changed = |dyno: usize, case: &mut Case| {
        case.end(
            dyno,
            Ending::TargetChanged {
                detail: "no phase".to_owned(),
            },
        );
    };
    let inconclusive = |name, spoil: &dyn Fn(&mut Case)| {
        expect(
            name,
            Verdict::Inconclusive,
            Reason::TargetChanged,
            Bottleneck::Unknown,
            "not the one that was prepared for this run, web.2 saw: no phase, after 8.4 s. Run",
            |case| {
                changed(1, case);
                spoil(case);
            },
        );
    };
    inconclusive("the other ran to its end", &|_| {});
    inconclusive("the other was stopped", &|case| {
        case.end(0, Ending::Stopped);
    });
    inconclusive("the other's tasks failed", &|case| {
        fail(case, 0, 17);
        case.end(
            0,
            Ending::ErrorLimit {
                threshold: "errors".to_owned(),
                cause: "lost 17".to_owned(),
            },
        );
    });
    expect(
        "before there was a start",
        Verdict::Errored,
        Reason::TargetChanged,
        None,
        "web.2 saw: no phase",
        |case| {
            case.no_start();
            changed(1, case);
        },
    );
    expect(
        "who is gone is lost",
        Verdict::Failed,
        Reason::TargetLost,
        Bottleneck::Unknown,
        "web.1 lost the target after 8.4 s",
        |case| {
            changed(1, case);
            case.end(
                0,
                Ending::TargetLost {
                    detail: "its run_id changed".to_owned(),
                },
            );
        },
    );
}
