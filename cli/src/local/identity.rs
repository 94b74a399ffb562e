//! Names and uids that the API server would have given. They are made by hand because the standard
//! library's random numbers are enough for them.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use redyno_contract::plan::RunIdentity;
use redyno_crds::LoadTest;

/// Namespace of runs without a cluster.
const NAMESPACE: &str = "local";

/// Letters and digits of generated names: those of Kubernetes, which form no words.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Gives a LoadTest what the API server would: name, namespace, uid, generation, time.
pub(super) fn identify(load_test: &mut LoadTest, now: Time) -> RunIdentity {
    let metadata = &mut load_test.metadata;
    let name = metadata.name.clone().unwrap_or_else(|| {
        let prefix = metadata.generate_name.as_deref().unwrap_or("loadtest-");
        format!("{prefix}{}", random_suffix())
    });
    let uid = random_uid();
    metadata.name = Some(name.clone());
    metadata.uid = Some(uid.clone());
    metadata.generation = Some(1);
    metadata.creation_timestamp = Some(now);
    let namespace = metadata
        .namespace
        .get_or_insert_with(|| NAMESPACE.to_owned())
        .clone();
    RunIdentity {
        namespace,
        name,
        uid,
    }
}

/// A random uid of the form of RFC 9562, version 4.
pub(super) fn random_uid() -> String {
    let (high, low) = (random(), random());
    // Version 4 and variant 10 have fixed positions.
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

fn random_suffix() -> String {
    let mut number = random();
    let count = u64::try_from(ALPHABET.len()).unwrap_or(1);
    (0..5)
        .map(|_| {
            let letter = ALPHABET[usize::try_from(number % count).unwrap_or(0)];
            number /= count;
            char::from(letter)
        })
        .collect()
}

/// A random number. The standard library keys each map's hasher with one from the system's own
/// source.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_of_the_right_form_and_differ() {
        let (one, other) = (random_uid(), random_uid());
        assert_ne!(one[..8], other[..8]);
        assert_eq!(one.len(), 36);
        assert_eq!(&one[14..15], "4");
        assert!(matches!(&one[19..20], "8" | "9" | "a" | "b"), "{one}");
        assert_eq!(random_suffix().len(), 5);
    }
}
