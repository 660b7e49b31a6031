//! Which repositories of an organisation are wanted: a JMESPath expression (jmespath.org) over GitHub's own documents,
//! `{"repositories": [...]}`. Called by routes, at intake and for a preview, and by the job that looks for repositories.
//!
//! The work is bounded: an expression that multiplies what it is given is refused before it runs, and it has a thread of
//! its own with room for the deepest that fits in its length.

use std::{collections::HashSet, thread};

use jmespath::{Variable, ast::Ast};
use keytrail_domain::github::GithubConnection;
use serde_json::{Value, json};

/// An expression may answer its documents so many times over.
const MOST_TIMES: u64 = 16;
/// Room for the deepest expression that fits in the longest one.
const STACK_BYTES: usize = 64 << 20;

/// A filter that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryFilter(String);

/// Why a filter is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFilter {
    /// Too long, or nothing at all.
    #[error("a filter has 1 to {} characters", GithubConnection::LONGEST_FILTER)]
    Length,
    /// It is no JMESPath.
    #[error("the filter cannot be read from character {place} on: {reason}")]
    Unreadable {
        /// Where, from 1 on.
        place: usize,
        /// Why, in the words of the grammar.
        reason: String,
    },
    /// It would make many documents of one.
    #[error("the filter repeats its documents too often; say each thing once")]
    Multiplies,
    /// The reader of filters failed.
    #[error("the filter cannot be read")]
    Failed,
}

/// Why a filter answers no repositories.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterTrouble {
    /// It cannot be read.
    #[error(transparent)]
    Bad(#[from] BadFilter),
    /// It does not work on the documents.
    #[error("the filter does not work on GitHub's documents, at character {place}: {reason}")]
    Fails {
        /// Where, from 1 on.
        place: usize,
        /// Why.
        reason: String,
    },
    /// What it answers is something else.
    #[error(
        "the filter answers {found}, not a list of repositories; it has to end in whole repositories, such as \
         repositories[?!archived]"
    )]
    Shape {
        /// What it answers.
        found: &'static str,
    },
}

impl RepositoryFilter {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, BadFilter> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > GithubConnection::LONGEST_FILTER {
            return Err(BadFilter::Length);
        }
        let read = with_room(|| compiled(text).map(|_| ()));
        read.unwrap_or(Err(BadFilter::Failed)).map(|()| Self(text.to_owned()))
    }

    /// The expression.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ids of the repositories that it keeps of these documents. Takes its time: not for a thread that others wait for.
    pub fn kept(&self, documents: &[Value]) -> Result<HashSet<u64>, FilterTrouble> {
        with_room(|| kept(&self.0, documents)).unwrap_or(Err(FilterTrouble::Bad(BadFilter::Failed)))
    }
}

/// `None` when it panicked, or there is no thread for it.
fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("filter".to_owned()).stack_size(STACK_BYTES).spawn_scoped(scope, work);
        thread.ok()?.join().ok()
    })
}

fn compiled(text: &str) -> Result<jmespath::Expression<'static>, BadFilter> {
    let read = jmespath::compile(text).map_err(|error| BadFilter::Unreadable {
        place: error.offset.saturating_add(1),
        reason: error.reason.to_string(),
    })?;
    if times(read.as_ast()) > MOST_TIMES { Err(BadFilter::Multiplies) } else { Ok(read) }
}

fn kept(text: &str, documents: &[Value]) -> Result<HashSet<u64>, FilterTrouble> {
    let known: HashSet<u64> = documents.iter().filter_map(id).collect();
    let given = Variable::try_from(json!({ "repositories": documents }));
    let fails = |error: jmespath::JmespathError| FilterTrouble::Fails {
        place: error.offset.saturating_add(1),
        reason: error.reason.to_string(),
    };
    let answer = compiled(text)?.search(given.map_err(fails)?).map_err(fails)?;
    let shape = |found| Err(FilterTrouble::Shape { found });
    let Some(all) = answer.as_array() else {
        return shape(match answer.get_type().to_string().as_str() {
            "null" => "nothing",
            "object" => "a single object",
            "string" => "a text",
            "number" => "a number",
            "boolean" => "yes or no",
            _ => "something else",
        });
    };
    let mut kept = HashSet::new();
    for one in all {
        let id = one.get_field("id").as_number().filter(|id| *id >= 0.0).map(|id| id as u64);
        match id.filter(|id| known.contains(id)) {
            Some(id) => kept.insert(id),
            None => return shape("a list of something else"),
        };
    }
    Ok(kept)
}

fn id(document: &Value) -> Option<u64> {
    document.get("id")?.as_u64()
}

/// How many times over, at most, it answers what it is given.
fn times(ast: &Ast) -> u64 {
    let product = |one: &Ast, other: &Ast| times(one).saturating_mul(times(other));
    let sum = |one: u64, other: u64| one.saturating_add(other);
    match ast {
        Ast::Identity { .. }
        | Ast::Field { .. }
        | Ast::Index { .. }
        | Ast::Literal { .. }
        | Ast::Slice { .. }
        | Ast::Comparison { .. }
        | Ast::Not { .. } => 1,
        Ast::Expref { ast, .. } | Ast::Flatten { node: ast, .. } | Ast::ObjectValues { node: ast, .. } => times(ast),
        // What is asked of it costs as often as it stands there, and is part of no answer.
        Ast::Condition { predicate, then, .. } => times(predicate).max(times(then)),
        Ast::And { lhs, rhs, .. } | Ast::Or { lhs, rhs, .. } => times(lhs).max(times(rhs)),
        Ast::Projection { lhs, rhs, .. } | Ast::Subexpr { lhs, rhs, .. } => product(lhs, rhs),
        Ast::MultiList { elements, .. } => elements.iter().map(times).fold(0, sum).max(1),
        Ast::MultiHash { elements, .. } => elements.iter().map(|pair| times(&pair.value)).fold(0, sum).max(1),
        // `map` and its like do one argument for each part of another.
        Ast::Function { args, .. } => args.iter().map(times).fold(1, u64::saturating_mul),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents() -> Vec<Value> {
        vec![
            json!({ "id": 1, "name": "shop", "archived": false, "fork": false, "size": 10, "topics": ["jira"] }),
            json!({ "id": 2, "name": "old", "archived": true, "fork": false, "size": 20, "topics": [] }),
            json!({ "id": 3, "name": "copy", "archived": false, "fork": true, "size": 9_000, "topics": ["jira", "x"] }),
        ]
    }

    fn kept_by(text: &str) -> Result<Vec<u64>, FilterTrouble> {
        let mut kept: Vec<u64> = RepositoryFilter::parse(text)?.kept(&documents())?.into_iter().collect();
        kept.sort_unstable();
        Ok(kept)
    }

    #[test]
    fn it_keeps_what_it_answers() {
        for (text, wanted) in [
            ("repositories", vec![1, 2, 3]),
            ("repositories[?!archived]", vec![1, 3]),
            ("repositories[] | [?!archived && !fork]", vec![1]),
            ("repositories[?size < `1000`]", vec![1, 2]),
            ("repositories[?contains(topics, 'jira')]", vec![1, 3]),
            ("sort_by(repositories, &size)[:2]", vec![1, 2]),
            ("repositories[?name == 'nobody']", vec![]),
        ] {
            assert_eq!(kept_by(text), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_no_list_of_repositories_is_said_to_be_none() {
        for text in
            ["repos", "repositories[0]", "length(repositories)", "repositories[].name", "{a: repositories}", "@"]
        {
            assert!(matches!(kept_by(text), Err(FilterTrouble::Shape { .. })), "{text}: {:?}", kept_by(text));
        }
        assert!(matches!(kept_by("sum(repositories)"), Err(FilterTrouble::Fails { .. })));
        assert!(matches!(kept_by("repositories[].{id: `77`}"), Err(FilterTrouble::Shape { .. })));
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        let bad = RepositoryFilter::parse("repositories[?archived");
        assert!(matches!(bad, Err(BadFilter::Unreadable { place, .. }) if place > 1), "{bad:?}");
        for length in ["", "   ", &"a".repeat(2_001)] {
            assert_eq!(RepositoryFilter::parse(length), Err(BadFilter::Length));
        }
    }

    #[test]
    fn what_would_take_for_ever_is_refused_and_the_deepest_is_read() {
        let doubling = format!("repositories{}", " | [@, @][]".repeat(100));
        assert_eq!(RepositoryFilter::parse(&doubling), Err(BadFilter::Multiplies));
        let mapping = "map(&[@,@,@,@,@], map(&[@,@,@,@,@], repositories))";
        assert_eq!(RepositoryFilter::parse(mapping), Err(BadFilter::Multiplies));
        let deep = format!("{}repositories{}", "(".repeat(990), ")".repeat(990));
        assert_eq!(kept_by(&deep), Ok(vec![1, 2, 3]));
        let not = format!("repositories[?{}archived]", "!".repeat(1_901));
        assert_eq!(kept_by(&not), Ok(vec![1, 3]));
    }
}
