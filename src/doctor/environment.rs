//! Variables of the environment that look as if they were meant for the server, and are not read.

use super::Finding;
use crate::config::{self, Config};

const ID: &str = "environment";

pub(super) fn check(_: &Config) -> Vec<Finding> {
    vec![finding(config::misspelt_variables())]
}

fn finding(misspelt: Vec<(String, String)>) -> Finding {
    if misspelt.is_empty() {
        return Finding::ok(ID, "every variable that looks like a setting is one");
    }
    let each: Vec<_> = misspelt.iter().map(|(is, meant)| format!("{is} (did you mean {meant}?)")).collect();
    let sentence = format!("these variables are not read: {}", each.join(", "));
    Finding::warn(ID, sentence, "rename or unset them: two underscores stand before the section and before the key")
}
