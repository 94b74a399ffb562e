use super::*;

#[test]
fn sizes_that_the_automap_benchmark_and_its_readers_know() {
    let catalogue = Catalogue::built_in();
    let size = catalogue.size("performance-2xl").unwrap();
    // 135291469824 was read off a live Performance-2XL.
    assert_eq!(size.memory_bytes, 135_291_469_824);
    assert_eq!(
        (size.cpu_request_millis, size.cpu_limit_millis),
        (16_000, 16_000)
    );
    assert_eq!(size.default_workers, 63);
    let shared = catalogue.size("basic").unwrap();
    assert_eq!(shared.memory_bytes, 536_870_912);
    assert_eq!(catalogue.size_names().len(), 21 + 17);
    assert_eq!(catalogue.size("Performance-2XL"), None);
}

/// heroku-buildpack-nodejs, profile/WEB_CONCURRENCY.sh; its tests pin 1, 2, 5 and 28.
#[test]
fn default_workers_are_the_buildpacks() {
    for size in Catalogue::built_in().sizes() {
        let megabytes = (size.memory_bytes >> 20).min(129_024);
        let each = if megabytes > 16_384 { 2048 } else { 512 };
        assert_eq!(
            u64::from(size.default_workers),
            (megabytes / each).max(1),
            "{}",
            size.name
        );
    }
}

#[test]
fn fir_sizes_have_nine_tenths_of_the_cores_in_their_name() {
    for size in Catalogue::built_in().sizes() {
        let Some(rest) = size.name.strip_prefix("dyno-") else {
            continue;
        };
        let cores: u32 = rest.split('c').next().unwrap().parse().unwrap();
        assert_eq!(size.cpu_limit_millis, cores * 900, "{}", size.name);
    }
}

#[test]
fn names_are_unique_and_can_be_written_in_a_load_test() {
    let catalogue = Catalogue::built_in();
    let pattern = regex_lite::Regex::new(crate::spec::SIZE_NAME).unwrap();
    for names in [catalogue.size_names(), catalogue.plan_names()] {
        let unique: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
        assert!(
            names
                .iter()
                .all(|name| pattern.is_match(name) && name.len() <= 40)
        );
    }
}

#[test]
fn plans() {
    let catalogue = Catalogue::built_in();
    let plan = catalogue.plan("premium-14").unwrap();
    assert_eq!(
        (plan.memory_bytes, plan.connections, plan.cpu_millis),
        (100 << 30, 65_000, 32_000)
    );
    assert_eq!(catalogue.plan("premium-6"), None);
    assert_eq!(catalogue.plan_names().len(), 22);
}

#[test]
fn additions_join_and_replace() {
    let catalogue = Catalogue::with_additions(
        r#"{"sizes": [{"name": "small", "cpu": "500m", "cpuLimit": 1, "memory": "512Mi",
                       "processLimit": 256, "workers": 2},
                      {"name": "eco", "cpu": "1", "memory": "1Gi", "workers": 4}],
            "plans": [{"name": "tiny", "cpu": "1", "memory": "100Mi", "connections": 50}]}"#,
    )
    .unwrap();
    let small = catalogue.size("small").unwrap();
    assert_eq!(
        (small.cpu_request_millis, small.cpu_limit_millis),
        (500, 1000)
    );
    let eco = catalogue.size("eco").unwrap();
    assert_eq!((eco.cpu_limit_millis, eco.default_workers), (1000, 4));
    assert_eq!(catalogue.plan("tiny").unwrap().connections, 50);
    assert_eq!(
        Catalogue::with_additions("{}").unwrap(),
        Catalogue::built_in()
    );
}

#[test]
fn additions_that_cannot_be_used_are_named() {
    for (json, expected) in [
        ("[]", "invalid catalogue: invalid type: sequence"),
        (r#"{"size": []}"#, "unknown field `size`"),
        (
            r#"{"sizes": [{"name": "Big", "cpu": "1", "memory": "1Gi", "workers": 1}]}"#,
            r#"sizes[0] ("Big"): a name has lower-case letters"#,
        ),
        (
            r#"{"sizes": [{"name": "a", "cpu": "lots", "memory": "1Gi", "workers": 1}]}"#,
            r#"cpu is "lots", must be such as 500m or 2"#,
        ),
        (
            r#"{"sizes": [{"name": "a", "cpu": "2", "cpuLimit": "1", "memory": "1Gi", "workers": 1}]}"#,
            "cpuLimit 1 is below cpu 2",
        ),
        (
            r#"{"sizes": [{"name": "a", "cpu": "2", "memory": "1Gi", "workers": 3, "processLimit": 2}]}"#,
            "workers is 3",
        ),
        (
            r#"{"plans": [{"name": "a", "cpu": "1", "memory": "1 GB", "connections": 1}]}"#,
            r#"plans[0] ("a"): memory is "1 GB", must be such as 512Mi or 2Gi"#,
        ),
        (
            r#"{"plans": [{"name": "a", "cpu": "1", "memory": "1Gi", "connections": 0}]}"#,
            "connections is 0",
        ),
    ] {
        let error = Catalogue::with_additions(json)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{json}: {error}");
    }
}
