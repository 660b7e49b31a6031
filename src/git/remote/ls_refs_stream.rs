//! Lists the refs of a remote over `git://` or SSH, by one connection. Called by the listing of refs; it reads no object.

use keytrail_domain::ref_selection::RefSelection;

use super::{
    GitError, Remote, RemoteTrouble,
    advertisement::Reading,
    git_stream::GitStream,
    ls_refs::{Listed, finished, request},
    pkt_line::PktDecoder,
};

pub(super) async fn list(remote: &Remote, selection: &RefSelection, max_refs: usize) -> Result<Listed, GitError> {
    let mut stream = GitStream::connect(remote, remote.limits.silence).await?;
    let mut reading = Reading::new(selection, max_refs);
    let mut bytes = 0;
    // git daemon says nothing at all of a repository that it does not serve, or says so in words.
    read(remote, &mut stream, &mut reading, &mut bytes).await.map_err(|error| match error {
        GitError::Remote(error) if matches!(error.trouble, RemoteTrouble::Protocol { .. }) && bytes < MOST_REFUSAL => {
            remote.trouble(RemoteTrouble::NotFound)
        }
        other => other,
    })?;
    if let Some(ls_refs) = reading.ls_refs {
        reading.expect_refs();
        stream.send(&request(selection, ls_refs)).await?;
        read(remote, &mut stream, &mut reading, &mut bytes).await?;
    }
    finished(remote, reading, remote.url.clone(), bytes)
}

/// An answer that is shorter than this and breaks off is a refusal.
const MOST_REFUSAL: u64 = 512;

async fn read(
    remote: &Remote,
    stream: &mut GitStream<'_>,
    reading: &mut Reading<'_>,
    bytes: &mut u64,
) -> Result<(), GitError> {
    let mut decoder = PktDecoder::default();
    let trouble = |trouble| remote.trouble(trouble);
    let breaks = |what| trouble(RemoteTrouble::Protocol { what });
    // The connection stays open: it is the frames that say when an answer is whole.
    while !reading.is_done() {
        let buffer = decoder.buffer();
        let before = buffer.len();
        if !stream.fill(buffer).await? {
            return Err(breaks("its answer ends too early"));
        }
        *bytes += (buffer.len() - before) as u64;
        if *bytes > remote.limits.answer_bytes {
            return Err(trouble(RemoteTrouble::AnswerTooLarge { bound: remote.limits.answer_bytes }));
        }
        while let Some(packet) = decoder.take().map_err(|_| breaks("a frame has no length"))? {
            reading.accept(packet, &trouble)?;
        }
    }
    Ok(())
}
