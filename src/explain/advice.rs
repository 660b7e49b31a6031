//! What a person can do about what is in the way, with the real key, commit and repository in it. Pure: called once the steps
//! are known. It never advises what would be refused: who may not be linked is first let count.

use keytrail_projections::Rule;

use super::{Question, finding::Finding, gathered::Gathered};

/// What can be done about it, if anything.
pub(super) fn advice(finding: Finding, question: &Question, gathered: &Gathered) -> Option<String> {
    let text = match finding {
        Finding::NoKey(_) if gathered.issue.is_none() => {
            "Ask for the issue by its key, such as SHOP-1; docs/issue-keys.md says what a key is.".to_owned()
        }
        Finding::NotNamed | Finding::NamedByBranch | Finding::BeyondBounds | Finding::NoKey(_) => {
            linking(finding, gathered)?
        }
        // Taken back, still nothing would link them.
        Finding::UnlinkedByHand if !gathered.is_named() => linking(Finding::NotNamed, gathered)?,
        _ => finding.next()?.to_owned(),
    };
    Some(filled(&text, question, gathered))
}

/// To link them by hand, once the rules allow it.
fn linking(finding: Finding, gathered: &Gathered) -> Option<String> {
    match gathered.rule.and_then(left_out_by).and_then(Finding::next) {
        Some(first) => Some(format!("{first} Then ask again.")),
        None => finding.next().map(str::to_owned),
    }
}

/// The finding that the rules lead to where they leave an issue out.
const fn left_out_by(rule: Rule) -> Option<Finding> {
    match rule {
        Rule::Counts => None,
        Rule::ProjectNotKnown => Some(Finding::ProjectNotKnown),
        Rule::ProjectDenied => Some(Finding::ProjectDenied),
        Rule::IssueDenied => Some(Finding::IssueDenied),
    }
}

/// The real names. Where something is not known the word for it stays, which only what needs none of it has.
fn filled(text: &str, question: &Question, gathered: &Gathered) -> String {
    let (key, project) = match &gathered.issue {
        Some(issue) => (issue.to_string(), issue.project.to_string()),
        None => ("KEY".to_owned(), "PROJECT".to_owned()),
    };
    let sha = gathered.commit.or(question.commit.whole()).map_or_else(|| "SHA".to_owned(), |sha| sha.to_string());
    let repository = gathered.repository.as_ref().map_or_else(|| "ID".to_owned(), |found| found.id.to_string());
    // Where another repository may have the commit, too, the command has to name this one.
    let is_named = question.repository.is_some() || !gathered.also_in.is_empty();
    let within = if is_named { format!(" --repository {repository}") } else { String::new() };
    text.replace("{key}", &key)
        .replace("{project}", &project)
        .replace("{sha}", &sha)
        .replace("{repository}", &repository)
        .replace("{in}", &within)
}

#[cfg(test)]
mod tests {
    use keytrail_domain::{access::Role, index_run::batch::CommitSha, issue_key::WhyNot};

    use super::*;

    fn question() -> Question {
        Question { commit: CommitSha([7; 20]).into(), issue: "SHOP-1".into(), repository: None, role: Role::Viewer }
    }

    #[test]
    fn no_advice_has_a_brace_or_links_what_the_rules_leave_out() {
        let of_keys = WhyNot::ALL.map(Finding::NoKey);
        for rule in [Rule::Counts, Rule::ProjectNotKnown, Rule::ProjectDenied, Rule::IssueDenied] {
            let gathered = Gathered { issue: "SHOP-1".parse().ok(), rule: Some(rule), ..Gathered::default() };
            for finding in Finding::ALL.iter().chain(&of_keys) {
                let Some(said) = advice(*finding, &question(), &gathered) else { continue };
                assert!(!said.contains(['{', '}']), "{said}");
                let links = said.contains("issue link");
                assert!(!links || rule == Rule::Counts, "{}: {said}", finding.as_str());
                assert!(!links || said.contains(&format!("link SHOP-1 {}", "07".repeat(20))), "{said}");
            }
        }
    }
}
