//! A managed Valkey: a plan of Redis, on the other engine.

use redyno_tests::command::eventually;
use redyno_tests::installation::{change, restore, valkey_image};
use redyno_tests::load_test::{small, with};
use redyno_tests::namespace::Namespace;
use redyno_tests::on_time::measured_alone;
use serde_json::json;

#[test]
fn a_managed_valkey_passes_and_is_called_by_its_name() {
    measured_alone(|cluster| {
        let image = valkey_image();
        let (repository, tag) = image.rsplit_once(':').expect("an image with a tag");
        change(
            cluster,
            &format!("images.valkey.repository={repository},images.valkey.tag={tag}"),
        );
        let namespace = Namespace::new("valkey");
        let load_test = with(
            small("valkey"),
            "/target",
            json!({"managed": {"plan": "mini", "scalePercent": 50, "engine": "Valkey"}}),
        );
        namespace
            .create(&load_test)
            .expect_success("creating a LoadTest");
        let pod = eventually("the Valkey's pod", 60, || {
            namespace.get("pod", "valkey-redis")
        });
        let finished = namespace.finished("valkey", 180);
        restore(cluster);
        finished
            .expect_on_time("Passed", "Passed")?
            .expect_books(50 * 4);

        let container = &pod["spec"]["containers"][0];
        assert_eq!(container["command"], json!(["valkey-server"]));
        assert_eq!(container["image"], json!(image));
        let status = finished.status();
        let target = status.target.as_ref().expect("the target was seen");
        assert_eq!(target.server.as_deref(), Some("Valkey"));
        let version = target.version.as_deref().expect("it says its version");
        // The tag of an image of the tests is the whole version, that of the chart the first of it.
        assert!(version.starts_with(tag), "{version} is not that of {image}");
        let summary = status.summary.as_ref().expect("a summary");
        assert_eq!(summary.target.as_deref(), Some("managed mini (Valkey)"));
        Ok(())
    });
}
