//! What other tools find in the same texts, and why we find something else. The texts are those of their own tests and
//! some awkward ones; docs/issue-keys.md shows the same table to people.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Letters, scan};

const VECTORS: &str = include_str!("../../../tests/fixtures/jira/issue-key-vectors.json");
const PAGE: &str = include_str!("../../../docs/issue-keys.md");

#[derive(Deserialize)]
struct Vectors {
    upstream: Vec<Upstream>,
    differential: Vec<Differential>,
}

/// A case of another tool's own tests.
#[derive(Deserialize)]
struct Upstream {
    text: String,
    keys: Vec<String>,
    source: String,
}

/// What each tool finds in an awkward text.
#[derive(Deserialize)]
struct Differential {
    text: String,
    github_for_jira: Vec<String>,
    gitlab: Vec<String>,
    dvcs_links: Vec<String>,
    dvcs_smart_commit: Vec<String>,
}

const GITHUB: &str = "github_for_jira";
const GITLAB: &str = "gitlab";
const LINKS: &str = "dvcs_links";
const SMART: &str = "dvcs_smart_commit";

const BOTH: &[Letters] = &[Letters::Upper, Letters::AnyCase];
const MESSAGES: &[Letters] = &[Letters::Upper];
const REF_NAMES: &[Letters] = &[Letters::AnyCase];

/// Where, text, which tools, what they find, what we find, why.
type Row = (&'static [Letters], &'static str, &'static [&'static str], &'static str, &'static str, &'static str);

const NUMBER: &str = "issue numbers begin at 1 and have no leading zero";
const LINK: &str = "an address that names an issue names it here too; only commands to Jira must be wary of addresses";
const EACH: &str = "every key that stands there is meant; only commands to Jira want a list of keys in one form";
const ASCII: &str = "Jira's keys are ASCII; a letter of any script beside a key makes it another word";
const UNDERSCORE: &str = "Jira Data Center allows underscores in project keys";
const LOWER: &str = "in messages a project is in upper case, or every package with a version would be an issue";
const REFS: &str = "ref names are often in lower case; which projects there are is the views' question";
const BOUND: &str = "no Jira has a longer number (18 digits) or project key (255 characters)";

const ROWS: &[Row] = &[
    (BOTH, "JRA-0", &[GITLAB, LINKS, SMART], "JRA-0", "", NUMBER),
    (BOTH, "JRA-007", &[GITLAB, LINKS, SMART], "JRA-007", "", NUMBER),
    (BOTH, "JRA-99999999…", &[GITLAB, LINKS, SMART], "JRA-99999999…", "", BOUND),
    (BOTH, "AAAAAAAAAAAA…", &[GITLAB, LINKS, SMART], "AAAAAAAAAAAA…", "", BOUND),
    (BOTH, "JRA-123abc", &[GITLAB], "JRA-123", "", "the letters go on after the number: that is another word"),
    (BOTH, "JRA-123_foo", &[SMART], "", "JRA-123", "an underscore is neither letter nor digit; branch names go on so"),
    (BOTH, "https://x.example.net/browse/JRA-123", &[SMART], "", "JRA-123", LINK),
    (BOTH, "?q=JRA-123&x", &[SMART], "", "JRA-123", LINK),
    (BOTH, "x-JRA-1", &[SMART], "", "JRA-1", "a hyphen is neither letter nor digit; branch names begin so"),
    (BOTH, "JRA-1-JRA-2", &[SMART], "JRA-1", "JRA-1 JRA-2", EACH),
    (BOTH, "JRA-1/JRA-2", &[SMART], "JRA-1", "JRA-1 JRA-2", EACH),
    (BOTH, "ABC_D-12", &[GITHUB, LINKS, SMART], "", "ABC_D-12", UNDERSCORE),
    (BOTH, "ÄBC-12", &[GITHUB], "BC-12", "", ASCII),
    (BOTH, "ÄBC-12", &[LINKS, SMART], "ÄBC-12", "", ASCII),
    (BOTH, "JRA-１２", &[LINKS, SMART], "JRA-１２", "", ASCII),
    (MESSAGES, "jra-123", &[GITHUB], "JRA-123", "", LOWER),
    (MESSAGES, "jRa-123", &[GITHUB], "JRA-123", "", LOWER),
    (MESSAGES, "b4l-123", &[GITHUB], "B4L-123", "", LOWER),
    (MESSAGES, "JRA-123 Jra-456-jra-901\n[bah-321]", &[GITHUB], "JRA-123 JRA-456 JRA-901 BAH-321", "JRA-123", LOWER),
    (MESSAGES, "thisNOT-123", &[GITHUB], "THISNOT-123", "", LOWER),
    (MESSAGES, "dependabot/npm_and_yarn/lodash-4.17.21", &[GITHUB], "LODASH-4", "", LOWER),
    (MESSAGES, "release-2024-01", &[GITHUB], "RELEASE-2024", "", LOWER),
    (MESSAGES, "v1-2", &[GITHUB], "V1-2", "", LOWER),
    (REF_NAMES, "jra-123", &[GITLAB, LINKS, SMART], "", "JRA-123", REFS),
    (REF_NAMES, "thisNOT-123", &[GITLAB, LINKS, SMART], "", "THISNOT-123", REFS),
    (REF_NAMES, "should not parse key0MES-123", &[LINKS], "", "KEY0MES-123", REFS),
    (REF_NAMES, "dependabot/npm_and_yarn/lodash-4.17.21", &[GITLAB, LINKS, SMART], "", "LODASH-4", REFS),
    (REF_NAMES, "release-2024-01", &[GITLAB, LINKS, SMART], "", "RELEASE-2024", REFS),
    (REF_NAMES, "v1-2", &[GITLAB, LINKS, SMART], "", "V1-2", REFS),
];

fn vectors() -> Vectors {
    serde_json::from_str(VECTORS).expect("the vectors have this shape")
}

/// Where, text, tool, theirs, ours.
type Difference = (&'static str, String, &'static str, String, String);

const fn place(letters: Letters) -> &'static str {
    match letters {
        Letters::Upper => "message",
        Letters::AnyCase => "ref name",
    }
}

/// Texts of hundreds of characters by their beginning.
fn short(text: &str) -> String {
    if text.len() > 100 { format!("{}…", &text[..12]) } else { text.to_owned() }
}

fn ours(text: &str, letters: Letters) -> Vec<String> {
    scan(text, letters).keys.iter().map(|(key, _)| key.to_string()).collect()
}

fn observed() -> BTreeSet<Difference> {
    let vectors = vectors();
    let mut cases: Vec<(String, &str, Vec<String>)> = Vec::new();
    for case in vectors.upstream {
        let tool = if case.source == "dvcs" { LINKS } else { GITHUB };
        cases.push((case.text, tool, case.keys));
    }
    for case in vectors.differential {
        cases.push((case.text.clone(), GITHUB, case.github_for_jira));
        cases.push((case.text.clone(), GITLAB, case.gitlab));
        cases.push((case.text.clone(), LINKS, case.dvcs_links));
        cases.push((case.text, SMART, case.dvcs_smart_commit));
    }
    let joined = |keys: &[String]| keys.iter().map(|key| short(key)).collect::<Vec<_>>().join(" ");
    let mut differences = BTreeSet::new();
    for (text, tool, theirs) in &cases {
        for letters in BOTH {
            let ours = ours(text, *letters);
            if ours != *theirs {
                differences.insert((place(*letters), short(text), *tool, joined(theirs), joined(&ours)));
            }
        }
    }
    differences
}

#[test]
fn every_difference_from_other_tools_has_its_reason_and_no_reason_is_stale() {
    let explained: BTreeSet<Difference> = ROWS
        .iter()
        .flat_map(|(places, text, tools, theirs, ours, _)| {
            let each = tools.iter().flat_map(|tool| places.iter().map(|letters| (*tool, place(*letters))));
            each.map(|(tool, place)| (place, (*text).into(), tool, (*theirs).into(), (*ours).into()))
        })
        .collect();
    let observed = observed();
    let unexplained: Vec<_> = observed.difference(&explained).collect();
    let stale: Vec<_> = explained.difference(&observed).collect();
    assert!(unexplained.is_empty() && stale.is_empty(), "unexplained {unexplained:#?} stale {stale:#?}");
}

#[test]
fn every_case_of_the_other_tools_own_tests_passes_in_messages_or_in_ref_names() {
    let cases = vectors().upstream;
    assert_eq!(cases.len(), 62);
    for case in cases {
        // The one knows upper case only, as messages do; the other makes no difference, as ref names do.
        let letters = if case.source == "dvcs" { Letters::Upper } else { Letters::AnyCase };
        assert_eq!(ours(&case.text, letters), case.keys, "{}", case.text);
    }
}

#[test]
fn the_page_shows_the_table() {
    let code = |text: &str| if text.is_empty() { "–".into() } else { format!("`{}`", text.escape_debug()) };
    let codes = |words: &mut dyn Iterator<Item = &str>| words.map(code).collect::<Vec<_>>().join(", ");
    let wanted: Vec<String> = ROWS
        .iter()
        .map(|(places, text, tools, theirs, ours, why)| {
            let place = if places.len() == 2 { "both" } else { place(places[0]) };
            let (theirs, ours) = [theirs, ours].map(|keys| codes(&mut keys.split(' '))).into();
            let tools = codes(&mut tools.iter().copied());
            format!("| {place} | {} | {tools} | {theirs} | {ours} | {why} |", code(text))
        })
        .collect();
    let shown: Vec<&str> = PAGE.lines().skip_while(|line| !line.starts_with("| where | text |")).skip(2).collect();
    let shown: Vec<&str> = shown.into_iter().take_while(|line| line.starts_with('|')).collect();
    assert_eq!(shown, wanted, "docs/issue-keys.md should show:\n{}", wanted.join("\n"));
}
