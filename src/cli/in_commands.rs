//! What the API says to programs, in the words of the command line: routes become commands, parameters become flags. Called
//! by the client for what a server refuses; it never changes a code.

/// What the API says, and what a person at a terminal would do. Longer ones come first: some begin others.
const WORDS: &[(&str, &str)] = &[
    ("GET /api/v1/integrations/{id}/deliveries", "`keytrail delivery list`"),
    ("`GET /api/v1/integrations`", "`keytrail integration list`"),
    ("GET /api/v1/integrations", "`keytrail integration list`"),
    ("GET /api/v1/repositories", "`keytrail repository list`"),
    ("GET /api/v1/people", "`keytrail person list`"),
    ("GET /api/v1/operations", "`keytrail operation list`"),
    ("GET /api/v1/index-runs", "`keytrail run list`"),
    ("GET /api/v1/tokens", "`keytrail token list`"),
    ("GET /api/v1/views", "`keytrail views list`"),
    ("GET /api/v1/events", "`keytrail events`"),
    ("GET /api/v1/project-rules", "`keytrail project rules`"),
    ("Ask POST …/fetch of its repository,", "Ask for it with `keytrail repository fetch`,"),
    ("GET …/files", "`keytrail commit files`"),
    ("Look at the list for what is there.", "The `list` of the same command has what is there."),
    ("A query parameter is unknown or cannot be read.", "A flag or a word cannot be read."),
    ("A part of the address cannot be read.", "What was named cannot be read."),
    ("The body is not what this route takes.", "What was given is not what the server takes."),
    ("query parameter", "flag"),
];

/// The same in words for a person at a terminal.
pub(super) fn in_commands(text: &str) -> String {
    WORDS.iter().fold(text.to_owned(), |text, (api, command)| text.replace(api, command))
}

/// What happened and what more is known of it, without saying anything twice.
pub(super) fn whole(title: &str, detail: Option<&str>) -> String {
    match detail {
        None => in_commands(title),
        Some(detail) if title.is_empty() || says(detail, title) => in_commands(detail),
        Some(detail) => in_commands(&format!("{title} {detail}")),
    }
}

/// Whether all words that matter are in it, too.
fn says(detail: &str, title: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 3);
        parts.map(str::to_lowercase).collect()
    };
    let said = words(detail);
    words(title).iter().all(|word| said.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_says_is_said_in_commands() {
        let rules = whole("The rules of projects leave this issue out.", Some("Look at GET /api/v1/project-rules."));
        assert!(rules.ends_with("Look at `keytrail project rules`."), "{rules}");
        let query = whole("A query parameter is unknown or cannot be read.", Some("A project is a letter."));
        assert_eq!(query, "A flag or a word cannot be read. A project is a letter.");
    }

    #[test]
    fn a_title_that_the_detail_says_again_is_left_out() {
        let again = whole("The folder is not there.", Some("The folder /srv/git is not there; mount it."));
        assert_eq!(again, "The folder /srv/git is not there; mount it.");
        let more = whole("The integration is paused.", Some("Resume it first."));
        assert_eq!(more, "The integration is paused. Resume it first.");
        assert_eq!(whole("The disk is full.", None), "The disk is full.");
    }

    #[test]
    fn no_route_of_a_refusal_stays_in_what_a_person_reads() {
        let sources = [
            include_str!("../http/codes.rs"),
            include_str!("../http/error.rs"),
            include_str!("../http/people.rs"),
            include_str!("../http/commit_links.rs"),
            include_str!("../http/deliveries.rs"),
            include_str!("../http/conditions.rs"),
        ];
        let texts = sources.iter().flat_map(|source| source.lines()).filter(|line| {
            !line.trim_start().starts_with("//")
                && !line.contains("description =")
                && !line.trim_start().starts_with("#[")
        });
        let mut seen = 0;
        for line in texts.filter(|line| line.contains("GET /api/")) {
            assert!(!in_commands(line).contains("GET /api/"), "{line}");
            seen += 1;
        }
        assert!(seen > 0, "nothing was looked at");
    }
}
