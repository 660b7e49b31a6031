//! What a server is asked: these objects, with all behind them that is not behind those. One question and one answer:
//! it says all that it has at once, so nothing is negotiated.

use std::{cmp::Reverse, collections::BTreeSet, sync::Arc};

use keytrail_domain::index_run::batch::CommitSha;

use super::{advertisement::Dialect, pack_sink::Shared};
use crate::git::{
    GitError, Mirror,
    commit_object::{self, Signature},
    remote::{
        ls_refs::AGENT,
        pkt_line::{push_delimiter, push_flush, push_line},
    },
};

/// The most tips that a server is told of; a tip stands for all that is behind it, and the newest stand for most.
const MOST_HAVES: usize = 1024;

/// A question.
pub(super) struct Question<'a> {
    pub(super) wants: &'a [CommitSha],
    pub(super) haves: Vec<CommitSha>,
}

impl Question<'_> {
    /// As `gitprotocol-v2` (command `fetch`) and `gitprotocol-pack` have it. Deltas against objects that are not in
    /// the pack are not asked for: a pack stands alone.
    pub(super) fn text(&self, dialect: Dialect) -> Vec<u8> {
        let mut out = Vec::with_capacity(50 * (self.wants.len() + self.haves.len()) + 200);
        match dialect {
            Dialect::Two => {
                push_line(&mut out, "command=fetch");
                push_line(&mut out, AGENT);
                push_delimiter(&mut out);
                push_line(&mut out, "ofs-delta");
                for want in self.wants {
                    push_line(&mut out, &format!("want {want}"));
                }
            }
            Dialect::Old => {
                let first = format!(" ofs-delta side-band-64k {AGENT}");
                let mut capabilities = first.as_str();
                for want in self.wants {
                    push_line(&mut out, &format!("want {want}{capabilities}"));
                    capabilities = "";
                }
                push_flush(&mut out);
            }
        }
        for have in &self.haves {
            push_line(&mut out, &format!("have {have}"));
        }
        push_line(&mut out, "done");
        if dialect == Dialect::Two {
            push_flush(&mut out);
        }
        out
    }
}

/// The tips of the mirror that a server is told of: the newest by the committer's clock. Each that is read is a step.
pub(super) async fn haves(
    mirror: &Mirror,
    kept: &BTreeSet<CommitSha>,
    shared: &Arc<Shared>,
) -> Result<Vec<CommitSha>, GitError> {
    if kept.len() <= MOST_HAVES {
        return Ok(kept.iter().copied().collect());
    }
    let (mirror, kept, shared) = (mirror.clone(), kept.clone(), shared.clone());
    let choose = move || {
        let opened = mirror.open()?;
        let mut reader = opened.reader();
        let mut dated = Vec::with_capacity(kept.len());
        for sha in kept {
            shared.check_stop()?;
            shared.steps().step();
            // Tags are told by none: what they lead to is told by branches, or comes again.
            if let Some((gix::objs::Kind::Commit, bytes)) = reader.read(sha)?
                && let Ok(commit) = commit_object::parse(bytes, &mut Vec::new())
            {
                dated.push((Reverse(Signature::parse(commit.committer).seconds), sha));
            }
        }
        dated.sort_unstable();
        dated.truncate(MOST_HAVES);
        Ok(dated.into_iter().map(|(_, sha)| sha).collect())
    };
    tokio::task::spawn_blocking(choose).await.map_err(|error| GitError::transient("reading the mirror", error))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_stops_it_waits_for_no_choice_among_many_tips() {
        let folder = tempfile::tempdir().expect("a folder");
        let mirror = Mirror::open_or_make(&folder.path().join("mirror")).expect("a mirror");
        // None of them is there, and each is looked for.
        let kept: BTreeSet<CommitSha> = (0..=MOST_HAVES as u16)
            .map(|number| {
                let [high, low] = number.to_be_bytes();
                let mut name = [7; 20];
                (name[0], name[1]) = (high, low);
                CommitSha(name)
            })
            .collect();
        let shared = Arc::new(Shared::alone(&mirror));
        assert!(haves(&mirror, &kept, &shared).await.expect("the mirror is read").is_empty());
        assert_eq!(shared.steps().count(), kept.len() as u64);
        shared.stop();
        assert!(matches!(haves(&mirror, &kept, &shared).await, Err(GitError::Cancelled)));
        assert_eq!(shared.steps().count(), kept.len() as u64, "nothing more is read");
    }

    #[test]
    fn a_question_is_written_as_the_protocol_has_it() {
        let (want, have) = (CommitSha([1; 20]), CommitSha([2; 20]));
        let question = Question { wants: &[want], haves: vec![have] };
        let (want, have) = ("01".repeat(20), "02".repeat(20));
        assert_eq!(
            String::from_utf8_lossy(&question.text(Dialect::Two)),
            format!(
                "0012command=fetch\n001bagent=git/2.0-keytrail\n0001000eofs-delta\n0032want {want}\n\
                 0032have {have}\n0009done\n0000"
            )
        );
        assert_eq!(
            String::from_utf8_lossy(&question.text(Dialect::Old)),
            format!("0061want {want} ofs-delta side-band-64k agent=git/2.0-keytrail\n00000032have {have}\n0009done\n")
        );
    }
}
