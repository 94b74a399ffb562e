//! The files that others read: the CustomResourceDefinition and the schema for editors.

/// The CustomResourceDefinition as YAML.
pub fn crd_yaml() -> String {
    unimplemented!()
}

/// The JSON schema of a LoadTest file, for editors.
pub fn editor_schema() -> String {
    unimplemented!()
}
