//! Answers that mean the same of many operations stand once in the description, and operations refer to them. Called when
//! everything is said of each operation; an answer that says something of its own stays where it is.

use utoipa::openapi::{OpenApi, Ref, RefOr, Response};

use super::operations;

/// The statuses whose answers are shared, and what they are called.
const SHARED: [(&str, &str); 15] = [
    ("202", "NotShownYet"),
    ("400", "NotReadable"),
    ("401", "NotKnown"),
    ("403", "NotAllowed"),
    ("404", "NotThere"),
    ("408", "BodyTooSlow"),
    ("412", "ChangedSince"),
    ("413", "BodyTooLarge"),
    ("415", "BodyNotJson"),
    ("422", "NotPossible"),
    ("428", "ConditionMissing"),
    ("429", "TooManyRequests"),
    ("500", "ServerMistake"),
    ("503", "NotReady"),
    ("507", "NoSpace"),
];

/// Moves what most operations answer alike to the components.
pub(super) fn refer(spec: &mut OpenApi) {
    for (status, name) in SHARED {
        let Some(shared) = most_frequent(spec, status) else { continue };
        for (_, operation) in spec.paths.paths.values_mut().flat_map(operations) {
            let own = operation.responses.responses.get_mut(status);
            if let Some(own) = own.filter(|own| matches!(own, RefOr::T(own) if *own == shared)) {
                *own = RefOr::Ref(Ref::new(format!("#/components/responses/{name}")));
            }
        }
        spec.components.get_or_insert_default().responses.insert(name.to_owned(), RefOr::T(shared));
    }
}

fn most_frequent(spec: &mut OpenApi, status: &str) -> Option<Response> {
    let mut kinds: Vec<(Response, usize)> = Vec::new();
    for (_, operation) in spec.paths.paths.values_mut().flat_map(operations) {
        let Some(RefOr::T(response)) = operation.responses.responses.get(status) else { continue };
        match kinds.iter_mut().find(|(kind, _)| kind == response) {
            Some((_, times)) => *times += 1,
            None => kinds.push((response.clone(), 1)),
        }
    }
    kinds.into_iter().max_by_key(|(_, times)| *times).map(|(kind, _)| kind)
}
