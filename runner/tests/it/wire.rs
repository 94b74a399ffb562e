//! The traffic is that of the automap benchmark, command by command and byte by byte.

use redyno_contract::plan::{Fetch, Plan, Prefill};
use redyno_contract::schedule::Rate;
use redyno_test_redis::{Certificates, Folder, RedisServer};

use crate::monitor::{Monitor, Seen, words_of};
use crate::plans;
use crate::process::Run;

/// Two tasks of the benchmark as MONITOR showed them: the first of all, and the third, which is
/// the first that calls the script by its name. Item payload 0.1 KB.
const TRACE: &str = include_str!("benchmark-trace.txt");

/// The building's id in the trace.
const TRACE_ID: &str = "11512";

fn one_worker(prefill: Prefill, flats: u32) -> Plan {
    let mut plan = plans::small();
    plan.formation[0].workers = 1;
    plan.formation[0].rate = Rate::per_second(5);
    let graph = plans::graph(&mut plan);
    graph.prefill = prefill;
    graph.max_flats = flats;
    graph.item_payload_bytes = 100;
    plan
}

/// All commands that the run's one worker sends, the script's own among them, in tasks.
async fn tasks_of(plan: &Plan) -> Vec<Vec<Vec<String>>> {
    let server = RedisServer::start(&[]).await.unwrap();
    let run = Run::new(plan, &server);
    run.pass_preflight().await;
    seen(&run, Monitor::start(&server).await).await
}

/// The same, with TLS.
async fn encrypted_tasks_of(plan: &Plan) -> Vec<Vec<Vec<String>>> {
    let certificates = Certificates::make().unwrap();
    let folder = Folder::new().unwrap();
    let socket = folder.path().join("redis.sock");
    let arguments = ["--unixsocket", socket.to_str().unwrap()];
    let server = RedisServer::start_tls(&certificates, &arguments)
        .await
        .unwrap();
    let run = Run::encrypted(plan, &server, &certificates);
    run.pass_preflight().await;
    seen(&run, Monitor::start_at(&socket).await).await
}

async fn seen(run: &Run, mut monitor: Monitor) -> Vec<Vec<Vec<String>>> {
    let mut dyno = run.dyno("web", 0);
    dyno.started().await;
    let mut worker: Option<String> = None;
    let mut tasks = Vec::new();
    let mut task = Vec::new();
    while tasks.len() < 5 {
        let Seen { client, words } = monitor.next().await;
        if worker.is_none() && words[0] == "get" {
            worker = Some(client.clone());
        }
        if worker.as_ref() != Some(&client) && !(client == "lua" && words[0] == "HGETALL") {
            continue;
        }
        let last = words[0] == "ping";
        task.push(words);
        if last {
            tasks.push(std::mem::take(&mut task));
        }
    }
    dyno.end().await.check();
    tasks
}

/// Replaces the building's id, the ids of flats and mails, and the numbers of drawings.
fn shape(task: &[Vec<String>], id: &str) -> Vec<Vec<String>> {
    let is_id = |run: &str| run.len() == 12 && run.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_decimal = |run: &str| run.contains('.') || (run.starts_with('-') && run.len() > 1);
    task.iter()
        .filter(|words| words[0] != "HGETALL")
        .map(|words| {
            words
                .iter()
                .map(|word| {
                    let mut shape = String::new();
                    let mut run = String::new();
                    for character in word.replace(id, "<building>").chars().chain(['\n']) {
                        if character.is_ascii_alphanumeric() || "-.".contains(character) {
                            run.push(character);
                            continue;
                        }
                        if is_id(&run) {
                            shape.push_str("<id>");
                        } else if is_decimal(&run) {
                            shape.push_str("<number>");
                        } else {
                            shape.push_str(&run);
                        }
                        run.clear();
                        shape.push(character);
                    }
                    // A drawing's number may happen to be whole.
                    if words[0] == "rpush" {
                        shape = whole_numbers(&shape);
                    }
                    shape
                })
                .collect()
        })
        .collect()
}

fn whole_numbers(shape: &str) -> String {
    shape
        .split(['[', ']', ','])
        .map(|part| {
            if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
                "<number>"
            } else {
                part
            }
        })
        .collect::<Vec<_>>()
        .join("|")
}

#[tokio::test]
async fn tasks_on_the_wire_are_those_of_the_benchmark() {
    let plan = one_worker(Prefill::Empty, 100);
    let tasks = tasks_of(&plan).await;
    let id = format!("{}:web.1:0", &plan.run.uid[..8]);
    let mut recorded = TRACE
        .split("\n\n")
        .map(|task| task.lines().map(words_of).collect::<Vec<_>>());
    let (first, third) = (recorded.next().unwrap(), recorded.next().unwrap());
    assert_eq!(shape(&tasks[0], &id), shape(&first, TRACE_ID));
    assert_eq!(shape(&tasks[2], &id), shape(&third, TRACE_ID));

    // What the shape does not show: the mail goes to a flat that was there before the task.
    for (number, task) in tasks.iter().enumerate() {
        let find = |name: &str| {
            task.iter()
                .find(|words| words[0] == name)
                .unwrap_or_else(|| panic!("no {name}"))
        };
        let mail = &find("rpush")[1];
        let flats: Vec<&String> = find("hset")[2..].iter().step_by(2).collect();
        assert_eq!(flats.len(), number + 1);
        let chosen = flats
            .iter()
            .position(|flat| mail.contains(&format!(":flats:{flat}:mail")))
            .unwrap();
        assert!(chosen < number.max(1), "flat {chosen} of task {number}");
    }
}

#[tokio::test]
async fn a_full_building_is_saved_whole_and_in_order() {
    let plan = one_worker(Prefill::Full, 100);
    let tasks = tasks_of(&plan).await;
    for task in &tasks {
        let names: Vec<&str> = task.iter().map(|words| words[0].as_str()).collect();
        assert_eq!(
            names,
            [
                "get", "evalsha", "HGETALL", "multi", "set", "rpush", "hset", "exec", "ping"
            ]
        );
        let hset = &task[6];
        assert_eq!(hset.len(), 2 + 200);
        for (position, flat) in hset[2..].chunks(2).enumerate() {
            let begin = format!(r#"{{"i":{position},"json":{{"id":"{}","#, flat[0]);
            assert!(flat[1].starts_with(&begin), "{}", flat[1]);
        }
        assert_eq!(task[4], tasks[0][4]);
        assert_eq!(*hset, tasks[0][6]);
    }
    // 100 flats and 5 KB are about 32 KB out per task; here the mail is 0.1 KB.
    let bytes: usize = tasks[0].iter().flatten().map(String::len).sum();
    assert!((24_000..30_000).contains(&bytes), "{bytes}");
}

#[tokio::test]
async fn with_tls_and_without_the_same_is_sent() {
    let mut plan = one_worker(Prefill::Full, 100);
    plans::graph(&mut plan).fetch = Fetch::Hgetall;
    let (clear, encrypted) = tokio::join!(tasks_of(&plan), encrypted_tasks_of(&plan));
    for (clear, encrypted) in clear.iter().zip(&encrypted) {
        let names: Vec<&str> = clear.iter().map(|words| words[0].as_str()).collect();
        assert_eq!(
            names,
            [
                "get", "hgetall", "multi", "set", "rpush", "hset", "exec", "ping"
            ]
        );
        // Words of several kilobytes: told apart by their command.
        for (clear, encrypted) in clear.iter().zip(encrypted) {
            assert!(clear == encrypted, "{} differs", clear[0]);
        }
        assert_eq!(clear.len(), encrypted.len());
    }
    assert_eq!(clear.len(), encrypted.len());
}
