//! The files that others read: the CustomResourceDefinition and the schema for editors.

/// The CustomResourceDefinition as YAML.
pub fn crd_yaml() -> String {
    use kube::core::CustomResourceExt;
    serde_saphyr::to_string(&crate::LoadTest::crd()).unwrap()
}

/// The JSON schema of a LoadTest file, for editors.
pub fn editor_schema() -> String {
    unimplemented!()
}

#[cfg(test)]
mod tests {
    #[test]
    fn x() {
        std::fs::write("/tmp/crds-test.yaml", super::crd_yaml()).unwrap();
        use kube::core::CustomResourceExt;
        std::fs::write(
            "/tmp/crds-test.json",
            serde_json::to_string(&crate::LoadTest::crd()).unwrap(),
        )
        .unwrap();
    }
}
