//! Leaves as another implementation computed them, byte for byte.

use keytrail::log::leaf::Leaf;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    what: String,
    event_id: String,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    event_version: String,
    payload: String,
    metadata: String,
    leaf: String,
}

#[test]
fn leaves_are_what_the_vectors_say() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("../golden/leaf_vectors.json")).expect("vectors");
    assert!(vectors.len() >= 9);
    let mut seen = std::collections::HashSet::new();
    for vector in &vectors {
        let leaf = Leaf {
            event_id: &vector.event_id,
            aggregate_type: &vector.aggregate_type,
            aggregate_id: &vector.aggregate_id,
            sequence: vector.sequence,
            event_type: &vector.event_type,
            event_version: &vector.event_version,
            payload: &vector.payload,
            metadata: &vector.metadata,
        };
        let hash: String = leaf.hash().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, vector.leaf, "{}", vector.what);
        assert!(seen.insert(hash), "{}: another vector has this leaf", vector.what);
    }
}
