//! The forecast of memory against what Redis really takes.

use redyno_contract::plan::{Flush, Workload};
use redyno_target::keys::{BuildingKeys, flat_id};
use redyno_target::{Info, preflight};
use redyno_test_redis::RedisServer;

use crate::run::{connect, plan, target};

#[tokio::test]
async fn the_forecast_is_near_what_redis_takes() {
    for payload in [100_u32, 1_000, 2_000, 5_000, 20_000] {
        let server = RedisServer::start(&[]).await.unwrap();
        let target = target(&server.url());
        let mut plan = plan(Flush::RunKeys);
        plan.formation.truncate(1);
        plan.duration_seconds = 100;
        for dynos in &mut plan.formation {
            let Workload::ObjectGraph(graph) = &mut dynos.workload else {
                unreachable!("these plans are of object graphs")
            };
            graph.item_payload_bytes = payload;
            graph.max_flats = 10;
        }
        let report = preflight::run(&plan, &target, "pod").await;
        let forecast = report.target.unwrap().expected_growth_bytes;

        let mut connection = connect(&target).await;
        let before = Info::read(&mut connection)
            .await
            .unwrap()
            .used_memory
            .unwrap();
        let mail = "x".repeat(payload as usize + 330);
        let flat = "x".repeat(270);
        // 2 dynos x 2 workers, and 2 x (2 warm-up + 1000) tasks.
        for dyno in plan.dynos() {
            for worker in 0..2 {
                let building = BuildingKeys::new(&plan.run.uid, &dyno, worker);
                let mut pipeline = redis::pipe();
                pipeline
                    .cmd("SET")
                    .arg(building.root())
                    .arg("x".repeat(400));
                for position in 0..10 {
                    let id = flat_id(plan.seed, &dyno, worker, position);
                    pipeline
                        .cmd("HSET")
                        .arg(building.flats())
                        .arg(&id)
                        .arg(&flat);
                }
                for task in 0..501 {
                    let id = flat_id(plan.seed, &dyno, worker, task % 10);
                    pipeline.cmd("RPUSH").arg(building.mail(&id)).arg(&mail);
                }
                connection.send_pipeline(&pipeline).await.unwrap();
            }
        }
        // What the connection's buffers take is no growth; another one's are empty.
        drop(connection);
        let mut connection = connect(&target).await;
        let after = Info::read(&mut connection)
            .await
            .unwrap()
            .used_memory
            .unwrap();
        let grown = after - before;
        let difference = forecast.abs_diff(grown) * 100 / grown;
        assert!(
            difference <= 15,
            "payload {payload}: forecast {forecast}, grown {grown}"
        );
    }
}
