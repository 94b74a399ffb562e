//! Probes and metrics.

use redyno_contract::Event;
use redyno_test_redis::RedisServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::plans;
use crate::process::Run;

/// Status and body of a page.
async fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics
        .lines()
        .find(|line| line.starts_with(series))
        .unwrap_or_else(|| panic!("no {series} in {metrics}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn probes_tell_how_far_it_is_and_metrics_agree_with_the_report() {
    let server = RedisServer::start(&[]).await.unwrap();
    let mut plan = plans::small();
    plan.formation[0].quantity = 2;
    plan.linger_seconds = 60;
    plan.thresholds.push(plans::response("p99", 123_456));
    let run = Run::new(&plan, &server);
    run.pass_preflight().await;
    let mut dyno = run.dyno("web", 0);
    let address = dyno.address().await;
    assert_eq!(get(&address, "/readyz").await.0, 503);
    dyno.ready().await;
    assert_eq!(get(&address, "/startz").await.0, 200);
    assert_eq!(get(&address, "/readyz").await.0, 503);

    // Every series is there before anything has happened.
    let (status, metrics) = get(&address, "/metrics").await;
    assert_eq!(status, 200);
    let labels = r#"dyno="web.1",dyno_type="web",loadtest="test",namespace="local""#;
    for (name, more) in [
        ("redyno_tasks_scheduled_total", ""),
        ("redyno_tasks_delivered_total", ""),
        ("redyno_tasks_completed_total", ""),
        ("redyno_tasks_rejected_total", ""),
        ("redyno_tasks_failed_total", r#",reason="oom""#),
        ("redyno_tasks_failed_total", r#",reason="timeout""#),
        ("redyno_task_response_seconds_count", ""),
        ("redyno_task_service_seconds_count", ""),
        ("redyno_backlog_tasks", ""),
    ] {
        let series = format!("{name}{{{labels}{more}}}");
        assert!((value(&metrics, &series) - 0.0).abs() < f64::EPSILON);
    }
    assert!(metrics.contains(r#"le="0.123456""#), "{metrics}");
    assert!(metrics.contains(r#"le="0.0001""#));
    assert!(metrics.contains(r#"le="60""#));

    let mut other = run.dyno("web", 1);
    dyno.started().await;
    assert_eq!(get(&address, "/readyz").await.0, 200);
    // Both linger until they are scraped once more.
    let report = |event: &Event| matches!(event, Event::Report { .. });
    let Event::Report {
        report: final_report,
    } = dyno.until(report).await
    else {
        unreachable!()
    };
    let (_, metrics) = get(&address, "/metrics").await;
    let count = |name: &str| value(&metrics, &format!("{name}{{{labels}}}"));
    let books = final_report.books;
    assert!((count("redyno_tasks_scheduled_total") - 50.0).abs() < f64::EPSILON);
    assert!((count("redyno_tasks_completed_total") - books.completed as f64).abs() < f64::EPSILON);
    assert!(
        (count("redyno_task_response_seconds_count") - books.completed as f64).abs() < f64::EPSILON
    );
    let sum = final_report.latencies.response.sum_microseconds as f64 / 1e6;
    assert!((count("redyno_task_response_seconds_sum") - sum).abs() < 1e-6);
    other.until(report).await;
    let other_address = other.address_seen().unwrap();
    get(&other_address, "/metrics").await;
    assert_eq!(dyno.exit().await, 0);
    assert_eq!(other.exit().await, 0);
}
