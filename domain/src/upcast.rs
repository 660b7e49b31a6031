//! Older shapes of events made current. Reading goes through here, wherever the reader stands.

use serde_json::Value;

/// Turns one stored shape into the next one.
pub struct Upcaster {
    /// The stored name of the event.
    pub event_type: &'static str,
    /// The version that it takes.
    pub from: &'static str,
    /// The version that it makes.
    pub to: &'static str,
    /// The change of the payload.
    pub change: fn(Value) -> Value,
}

/// Every upcaster, older versions first. An entry is only ever added.
pub const UPCASTERS: &[Upcaster] = &[];

/// The payload in today's shape, and that shape's version.
pub fn upcast(upcasters: &[Upcaster], event_type: &str, version: &str, payload: Value) -> (String, Value) {
    upcasters.iter().fold((version.to_owned(), payload), |(version, payload), upcaster| {
        if upcaster.event_type == event_type && upcaster.from == version {
            (upcaster.to.to_owned(), (upcaster.change)(payload))
        } else {
            (version, payload)
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn versions_are_climbed_one_by_one() {
        let steps = [
            Upcaster { event_type: "a.b", from: "1", to: "2", change: |_| json!({"two": true}) },
            Upcaster { event_type: "a.b", from: "2", to: "3", change: |v| json!({"three": v}) },
        ];
        assert_eq!(upcast(&steps, "a.b", "1", json!({})), ("3".into(), json!({"three": {"two": true}})));
        assert_eq!(upcast(&steps, "a.c", "1", json!({})), ("1".into(), json!({})));
        assert_eq!(upcast(&steps, "a.b", "3", json!(7)), ("3".into(), json!(7)));
    }
}
