//! How a commit and an issue stand to each other, and what `issue unlink` and `issue restore` would make of that, in words.
//! Called by those two before anything is done; it asks nobody.

use serde_json::Value;

/// What explanations say where a commit names an issue.
const NAMED: [&str; 3] = ["named_in_subject", "named_in_body", "named_in_subject_and_body"];
/// What ends a link by hand that nothing else holds.
const UNTIL_LINKED: &str = "until `keytrail issue link` links it again";

/// What a person decided last, if it still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decided {
    Linked,
    Unlinked,
    Nothing,
}

/// As the server explains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    decided: Decided,
    /// Whether the index finds the issue in the commit.
    is_named: bool,
    /// Whether the rules of projects let the issue count.
    counts: bool,
}

impl Standing {
    /// Nothing where the server could not say.
    pub(super) fn of(explained: &Value) -> Option<Self> {
        let codes: Vec<&str> = explained["steps"].as_array()?.iter().filter_map(|step| step["code"].as_str()).collect();
        let says = |code: &str| codes.contains(&code);
        let decided = [
            ("linked_by_hand", Decided::Linked),
            ("unlinked_by_hand", Decided::Unlinked),
            ("nothing_decided", Decided::Nothing),
        ];
        Some(Self {
            decided: decided.into_iter().find(|(code, _)| says(code))?.1,
            is_named: NAMED.iter().any(|code| says(code)),
            counts: says("project_counts") && says("not_denied"),
        })
    }

    /// Whether anybody decided about them.
    pub(super) fn is_decided(self) -> bool {
        self.decided != Decided::Nothing
    }

    /// What `unlink` makes of `SHOP-1 shows the commit …`. Nothing where nothing links them, be it shown or not: that is
    /// refused.
    pub(super) fn unlinked(self) -> Option<String> {
        if self.decided == Decided::Nothing && !self.is_named {
            return None;
        }
        // What is taken back is left to the index.
        let until = if self.is_named { "until `keytrail issue restore` takes that back" } else { UNTIL_LINKED };
        Some(match (self.decided, self.counts) {
            (Decided::Unlinked, true) => format!("to nobody already, {until}; nothing would change"),
            (Decided::Unlinked, false) => {
                format!(
                    "to nobody already, also once the rules of projects let it count, {until}; nothing would change"
                )
            }
            (Decided::Linked | Decided::Nothing, true) => format!("to nobody any more, {until}"),
            (Decided::Linked | Decided::Nothing, false) => {
                format!("to nobody, also once the rules of projects let it count, {until}")
            }
        })
    }

    /// The same of `restore`, and whether somebody loses something.
    pub(super) fn restored(self) -> (bool, String) {
        let hides = self.decided == Decided::Linked && !self.is_named;
        let said = match (self.decided, self.is_named, self.counts) {
            (Decided::Linked, true, true) => "as before: the commit names it, too".to_owned(),
            (Decided::Linked, false, true) => format!("to nobody any more, {UNTIL_LINKED}"),
            (Decided::Linked, false, false) => {
                format!("to nobody, also once the rules of projects let it count, {UNTIL_LINKED}")
            }
            (Decided::Unlinked, true, true) => "again: the commit names it".to_owned(),
            (Decided::Linked | Decided::Unlinked, true, false) => {
                "to nobody until the rules of projects let it count; then it does, as the commit names it".to_owned()
            }
            (Decided::Unlinked, false, true) => {
                format!("to nobody still, {UNTIL_LINKED}: the index does not find it in the commit")
            }
            (Decided::Unlinked, false, false) => {
                "to nobody still: the index does not find it in the commit, and the rules of projects leave it out"
                    .to_owned()
            }
            (Decided::Nothing, ..) => "as before".to_owned(),
        };
        (hides, said)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn standing(decided: &str, candidate: &str, rule: &str) -> Standing {
        let steps = [decided, candidate, rule, "not_denied"].map(|code| json!({ "code": code }));
        Standing::of(&json!({ "steps": steps })).expect("the decision is told")
    }

    #[test]
    fn each_way_to_stand_is_told_by_what_holds_afterwards() {
        let (restore, link) = ("issue restore", "issue link");
        let (counts, hidden) = ("project_counts", "project_not_known");
        // Decision, message, rules; after `unlink`: what ends it; after `restore`: whether it hides, and its words.
        for (decided, candidate, rule, ends, hides, restored) in [
            ("linked_by_hand", "not_asked", counts, link, true, "to nobody any more, until `keytrail issue link`"),
            ("linked_by_hand", "not_asked", hidden, link, true, "to nobody, also once the rules"),
            ("linked_by_hand", "named_in_subject", counts, restore, false, "as before: the commit names it, too"),
            ("linked_by_hand", "named_in_body", hidden, restore, false, "to nobody until the rules of projects"),
            ("unlinked_by_hand", "named_in_body", counts, restore, false, "again: the commit names it"),
            ("unlinked_by_hand", "named_in_subject", hidden, restore, false, "to nobody until the rules of projects"),
            ("unlinked_by_hand", "not_named", counts, link, false, "to nobody still, until `keytrail issue link`"),
            ("unlinked_by_hand", "message_unread", hidden, link, false, "and the rules of projects leave it out"),
            ("nothing_decided", "named_in_subject_and_body", counts, restore, false, "as before"),
            ("nothing_decided", "named_in_subject", hidden, restore, false, "as before"),
        ] {
            let stands = standing(decided, candidate, rule);
            let unlinked = stands.unlinked().expect("something links or unlinked them");
            assert!(unlinked.contains(ends), "{decided}, {candidate}, {rule}: {unlinked}");
            assert_eq!(unlinked.contains("nothing would change"), decided == "unlinked_by_hand", "{unlinked}");
            assert_eq!(unlinked.contains("once the rules"), rule == hidden, "{unlinked}");
            let (lost, said) = stands.restored();
            assert_eq!(lost, hides, "{decided}, {candidate}, {rule}: {said}");
            assert!(said.starts_with(restored) || said.ends_with(restored), "{said}");
            assert_eq!(stands.is_decided(), decided != "nothing_decided");
        }
        assert_eq!(standing("nothing_decided", "not_named", counts).unlinked(), None, "there is nothing to unlink");
        assert_eq!(Standing::of(&json!({ "steps": [{ "code": "repository_forgotten" }] })), None);
    }
}
