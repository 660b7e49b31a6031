//! Lists the refs of a remote without fetching anything: over smart HTTP here, over `git://` and SSH by `ls_refs_stream`. Called
//! by jobs, which compare the list with the last one; it reads no object.

use keytrail_domain::{
    ref_selection::RefSelection,
    remote_url::{RemoteUrl, Scheme},
};

use super::{
    GitError, Remote, RemoteTrouble,
    advertisement::{ListedRef, LsRefs, Reading},
    client::{Answer, RemoteClient, headers},
    ls_refs_stream,
    pkt_line::{PktDecoder, push_delimiter, push_flush, push_line},
};

/// The refs of a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Those that are selected, in the bytewise order of their names, each once.
    pub refs: Vec<ListedRef>,
    /// What `HEAD` stands for, such as `refs/heads/main`; it need not be there. `None` when the server does not say.
    pub head: Option<Vec<u8>>,
    /// Where the remote is now: it may have redirected within its origin.
    pub final_url: RemoteUrl,
    /// How many bytes of answers came, headers not counted.
    pub bytes: u64,
}

pub(in crate::git) const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";
pub(in crate::git) const REQUEST: &str = "application/x-git-upload-pack-request";
pub(in crate::git) const RESULT: &str = "application/x-git-upload-pack-result";
/// Whom a server's log names.
pub(in crate::git) const AGENT: &str = "agent=git/2.0-keytrail";

/// Lists the refs that are selected, tags with what they lead to.
///
/// Protocol 2 is asked for, so that the server sends little else; older servers send all their refs, and these are
/// filtered here. More than `max_refs` selected ones are [`GitError::TooManyRefs`]; a listing that takes longer than
/// [`Limits::listing`](super::Limits::listing) in all is [`RemoteTrouble::Slow`].
pub async fn list_remote_refs(remote: &Remote, selection: &RefSelection, max_refs: usize) -> Result<Listed, GitError> {
    let bound = remote.limits.listing;
    let listed = remote.within(bound, list(remote, selection, max_refs)).await;
    listed.unwrap_or_else(|| Err(remote.trouble(RemoteTrouble::Slow { bound })))
}

async fn list(remote: &Remote, selection: &RefSelection, max_refs: usize) -> Result<Listed, GitError> {
    if matches!(remote.url.scheme(), Scheme::Git | Scheme::Ssh) {
        return ls_refs_stream::list(remote, selection, max_refs).await;
    }
    let mut client = RemoteClient::new(remote).await?;
    let mut reading = Reading::new(selection, max_refs);
    let asked = headers(&[("accept", "*/*"), ("git-protocol", "version=2"), ("pragma", "no-cache")]);
    let mut answer = client.get("/info/refs?service=git-upload-pack", asked).await?;
    if !answer.is(ADVERTISEMENT) {
        return Err(not_smart(answer).await);
    }
    read(&mut answer, &mut reading).await?;
    let mut bytes = answer.received();
    // Read to its end, so that the connection can be used again.
    drop(answer);
    if let Some(ls_refs) = reading.ls_refs {
        reading.expect_refs();
        let asked = headers(&[("accept", RESULT), ("content-type", REQUEST), ("git-protocol", "version=2")]);
        let mut answer = client.post("/git-upload-pack", asked, request(selection, ls_refs)).await?;
        if !answer.is(RESULT) {
            return Err(client.trouble(RemoteTrouble::NotGit));
        }
        answer.demand_progress();
        read(&mut answer, &mut reading).await?;
        bytes += answer.received();
    }
    finished(remote, reading, client.url()?, bytes)
}

/// What was read, in order.
pub(super) fn finished(
    remote: &Remote,
    reading: Reading<'_>,
    final_url: RemoteUrl,
    bytes: u64,
) -> Result<Listed, GitError> {
    let mut refs = reading.refs;
    refs.sort_unstable();
    if refs.windows(2).any(|pair| pair[0].name == pair[1].name) {
        return Err(remote.trouble(RemoteTrouble::Protocol { what: "it names a ref twice" }));
    }
    Ok(Listed { refs, head: reading.head, final_url, bytes })
}

async fn read(answer: &mut Answer, reading: &mut Reading<'_>) -> Result<(), GitError> {
    let mut decoder = PktDecoder::default();
    loop {
        let more = answer.fill(decoder.buffer()).await?;
        let trouble = |trouble| answer.trouble(trouble);
        let breaks = |what| trouble(RemoteTrouble::Protocol { what });
        while let Some(packet) = decoder.take().map_err(|_| breaks("a frame has no length"))? {
            reading.accept(packet, &trouble)?;
        }
        if more {
            continue;
        }
        if !decoder.is_empty() || !reading.is_done() {
            return Err(breaks("its answer ends too early"));
        }
        return Ok(());
    }
}

pub(super) fn request(selection: &RefSelection, ls_refs: LsRefs) -> Vec<u8> {
    let mut out = Vec::new();
    push_line(&mut out, "command=ls-refs");
    push_line(&mut out, AGENT);
    if ls_refs.object_format {
        push_line(&mut out, "object-format=sha1");
    }
    push_delimiter(&mut out);
    push_line(&mut out, "peel");
    push_line(&mut out, "symrefs");
    if ls_refs.unborn {
        push_line(&mut out, "unborn");
    }
    push_line(&mut out, "ref-prefix HEAD");
    for prefix in selection.prefixes() {
        push_line(&mut out, &format!("ref-prefix {prefix}"));
    }
    push_flush(&mut out);
    out
}

/// What a server is that answers with another type: one that serves the file `info/refs`, or none of git at all.
pub(in crate::git) async fn not_smart(mut answer: Answer) -> GitError {
    const LINE: usize = 41;
    let mut start = Vec::new();
    while start.len() < LINE {
        match answer.fill(&mut start).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return error,
        }
    }
    let digits = start.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let dumb = (digits == 40 || digits == 64) && start.get(digits) == Some(&b'\t');
    answer.trouble(if dumb { RemoteTrouble::DumbServer } else { RemoteTrouble::NotGit })
}
