//! A question over HTTP, by the one client that is checked. Called on behalf of the in-process transport, and by the
//! git program's when it failed, to learn why.

use super::{
    Incoming,
    advertisement::{Advertisement, Dialect},
    git_stream::broken_off,
    question::Question,
};
use crate::git::{
    GitError,
    remote::{
        Limits, Remote, RemoteTrouble,
        client::{Answer, RemoteClient, headers},
        ls_refs::{ADVERTISEMENT, REQUEST, RESULT, not_smart},
    },
    transport::fetch::FetchRequest,
};

/// The answer on its way.
pub(super) struct HttpAnswer(Answer);

impl Incoming for HttpAnswer {
    async fn fill(&mut self, buffer: &mut Vec<u8>) -> Result<bool, GitError> {
        broken_off(self.0.fill(buffer).await)
    }
}

/// A server that speaks git, and what it speaks.
pub(super) struct Greeted {
    client: RemoteClient,
    dialect: Dialect,
}

/// Asks the server what it speaks. It may take as long as a listing, which is what an old server answers with.
pub(super) async fn greet(remote: &Remote, request: &FetchRequest<'_>) -> Result<Greeted, GitError> {
    let bound = remote.limits.listing;
    let greeted = tokio::time::timeout(bound, ask_first(remote, request)).await;
    greeted.unwrap_or_else(|_| Err(remote.trouble(RemoteTrouble::Slow { bound })))
}

/// The first words of a server, on their way.
struct Begun {
    client: RemoteClient,
    answer: Answer,
    advertisement: Advertisement,
}

async fn begin(remote: &Remote, request: &FetchRequest<'_>) -> Result<Begun, GitError> {
    // How much may come is the quota's business.
    let limits = Limits { silence: request.limits.silence, answer_bytes: u64::MAX, ..remote.limits };
    let mut client = RemoteClient::new(&Remote { limits, ..remote.clone() }).await?;
    let asked = headers(&[("accept", "*/*"), ("git-protocol", "version=2"), ("pragma", "no-cache")]);
    let answer = client.get("/info/refs?service=git-upload-pack", asked).await?;
    if !answer.is(ADVERTISEMENT) {
        return Err(not_smart(answer).await);
    }
    Ok(Begun { client, answer, advertisement: Advertisement::default() })
}

async fn ask_first(remote: &Remote, request: &FetchRequest<'_>) -> Result<Greeted, GitError> {
    let Begun { client, mut answer, mut advertisement } = begin(remote, request).await?;
    let breaks = || remote.trouble(RemoteTrouble::Protocol { what: "its first words are not git's" });
    loop {
        if !answer.fill(advertisement.buffer()).await? {
            return Err(breaks());
        }
        let whole = advertisement.read().map_err(|_| breaks())?;
        // An old server goes on with all its refs, which were listed before.
        let old = advertisement.dialect() == Some(Dialect::Old);
        if let Some(dialect) = whole.or(old.then_some(Dialect::Old)) {
            return Ok(Greeted { client, dialect });
        }
    }
}

/// Whether an old server says behind its refs that it is a shallow clone. Its refs are read to their end for that, so it is
/// asked only when history was lacking; the listing before the fetch was told as well, unless it became one since.
pub(super) async fn is_shallow(remote: &Remote, request: &FetchRequest<'_>) -> bool {
    let read = async {
        let Begun { mut answer, mut advertisement, .. } = begin(remote, request).await?;
        while advertisement.read().is_ok_and(|whole| whole.is_none()) && answer.fill(advertisement.buffer()).await? {}
        Ok::<_, GitError>(advertisement.is_shallow())
    };
    let told = tokio::time::timeout(remote.limits.listing, read).await;
    matches!(told, Ok(Ok(true)))
}

impl Greeted {
    /// Whether it speaks the protocol before versions.
    pub(super) fn is_old(&self) -> bool {
        self.dialect == Dialect::Old
    }

    /// Asks; what comes next is the answer.
    pub(super) async fn ask(&self, question: &Question<'_>) -> Result<HttpAnswer, GitError> {
        let mut asked = headers(&[("accept", RESULT), ("content-type", REQUEST)]);
        if self.dialect == Dialect::Two {
            asked.extend(headers(&[("git-protocol", "version=2")]));
        }
        let answer = self.client.post("/git-upload-pack", asked, question.text(self.dialect)).await?;
        if !answer.is(RESULT) {
            return Err(self.client.trouble(RemoteTrouble::NotGit));
        }
        Ok(HttpAnswer(answer))
    }
}

/// Why the server cannot be fetched from, as our own client sees it; `None` when it sees nothing wrong.
pub(in crate::git::transport) async fn diagnose(remote: &Remote, request: &FetchRequest<'_>) -> Option<GitError> {
    greet(remote, request).await.err()
}
