//! Tries out, before anything is added, whether a repository of a git server can be read: step by step, each with its outcome.

use actix_web::{HttpResponse, post, web::Data};
use keytrail_domain::{
    git_remote::GitRemote,
    id::SshKeyId,
    index_run::FailureCode,
    remote_url::{RemoteUrl, Scheme},
    service::Connection,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Api,
    auth::Admin,
    error::{ApiError, Code, sentence},
    input::Input,
    place,
    recommendation::Recommendation,
    remedies::by_a_person,
    ssh_keys::{self, GivenKey},
    words,
};
use crate::{
    jobs::{self, JobError, KeysToTry, TestStep, Tested},
    secrets::Secret,
    views::ViewError,
};

/// What is to be tried out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TriedConnection {
    /// Its address, in any form that an integration takes, without a user's password.
    #[schema(value_type = String, example = "git@git.example.com:shop/api.git")]
    url: Secret<String>,
    /// Over SSH, the one key of the pool to try, by its id: no other is offered. Without any key the common keys are.
    #[serde(default)]
    ssh_key: Option<Uuid>,
    /// Over SSH, a private key to try, and no other, as text, in any form that a key is added in. It is used for this alone,
    /// and not kept. Either this, `private_key_base64` or `ssh_key`.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    private_key: Option<Secret<String>>,
    /// The same as a file, byte by byte, in base64.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    private_key_base64: Option<Secret<String>>,
    /// What opens the private key, where it has a passphrase. It is used once and not kept.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, write_only)]
    passphrase: Option<Secret<String>>,
}

/// What came of trying it out.
#[derive(Serialize, ToSchema)]
pub(super) struct ConnectionTest {
    /// The address in its canonical form.
    url: String,
    /// Whether all of it is well.
    ok: bool,
    /// Each step, in its order.
    steps: Vec<TestedStep>,
    /// Keys of the pool that were offered, in their order, each in a connection of its own.
    offered: Vec<Uuid>,
    /// The one that the host took.
    accepted: Option<Uuid>,
    /// The private key that was given to be tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_given: Option<GivenKeyTried>,
    /// Branches, tags and pull requests that the repository has.
    refs: u64,
    /// The integration of its own that the service at this host has here, and what plain git lacks beside it.
    recommendation: Option<Recommendation>,
}

/// A private key that was given to be tried; nothing of it is kept.
#[derive(Serialize, ToSchema)]
pub(super) struct GivenKeyTried {
    /// As `ssh-keygen -l` writes it.
    #[schema(example = "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8")]
    fingerprint_sha256: String,
    /// Whether the host came to ask for it.
    offered: bool,
    /// Whether the host took it.
    accepted: bool,
}

/// A step.
#[derive(Serialize, ToSchema)]
pub(super) struct TestedStep {
    /// Which.
    #[schema(schema_with = words::connection_step)]
    step: &'static str,
    /// What came of it.
    #[schema(schema_with = words::connection_step_state)]
    state: &'static str,
    /// Why it failed, for machines; a closed list.
    #[schema(value_type = Option<String>)]
    code: Option<FailureCode>,
    /// The same for people.
    text: Option<String>,
    /// What a person can do.
    next: Option<&'static str>,
}

/// The outcomes of a step.
pub(super) const STATES: [&str; 3] = ["ok", "failed", "not_reached"];

/// Tries out whether a repository can be read: resolve, connect, host key (or certificate), authentication, repository.
/// Nothing is kept but the alarm where the host shows another key than the trusted one; nothing of a private key that is given
/// to be tried either. At most about a minute.
#[utoipa::path(tag = "integrations", operation_id = "TestConnection", security(("bearer" = ["admin"])),
    request_body = TriedConnection, responses((status = 200, description = "What came of it.", body = ConnectionTest)))]
#[post("/api/v1/connections/test")]
pub(super) async fn test_connection(
    _: Admin,
    api: Data<Api>,
    body: Input<TriedConnection>,
) -> Result<HttpResponse, ApiError> {
    let TriedConnection { url, ssh_key, private_key, private_key_base64, passphrase } = body.value;
    let url = place::reachable(&api, &url)?;
    let is_given = private_key.is_some() || private_key_base64.is_some() || passphrase.is_some();
    if (ssh_key.is_some() || is_given) && url.scheme() != Scheme::Ssh {
        let detail = "A key is offered over SSH only. Leave it out, or give the ssh:// address.";
        return Err(ApiError::new(Code::CredentialInvalid, detail));
    }
    let (keys, given) = match ssh_key.map(SshKeyId) {
        Some(_) if is_given => {
            let detail = "Give a key of the pool as `ssh_key`, or a private key: one of the two.";
            return Err(ApiError::new(Code::SshKeyTwice, detail));
        }
        Some(key) => {
            place::in_pool(&api, key).await?;
            (KeysToTry::OfPool(key), None)
        }
        None if is_given => {
            let given = GivenKey { private_key, private_key_base64, passphrase };
            let (key, public) = ssh_keys::tried(&api, given).await?;
            (KeysToTry::Given(Box::new(key)), Some(public.sha256))
        }
        None => (KeysToTry::Common, None),
    };
    // A few at a time: each of them waits for a host.
    let _turn = api.app.jobs.connection_tests.take().await.map_err(ViewError::from)?;
    let tested = jobs::test_connection(&api.app, &url, keys).await.map_err(untried)?;
    Ok(HttpResponse::Ok().json(ConnectionTest::of(&url, tested, given)))
}

/// Why nothing was tried out.
fn untried(error: JobError) -> ApiError {
    match error {
        JobError::NoPlace(text) => ApiError::new(Code::Busy, sentence(&text)).retry_after(2),
        JobError::Later(text) | JobError::NotBefore(_, text) | JobError::Failed(_, text) => {
            tracing::warn!(text, "a connection could not be tried out");
            ApiError::new(Code::Busy, "The connection could not be tried out now. Try again.").retry_after(1)
        }
        JobError::Panicked(_) | JobError::Left => {
            ApiError::new(Code::Busy, "The server stopped trying it out before it was done. Try again.").retry_after(1)
        }
    }
}

impl ConnectionTest {
    /// `given` is the fingerprint of the key that was given, which is none of the pool.
    fn of(url: &RemoteUrl, tested: Tested, given: Option<String>) -> Self {
        let Tested { failed, is_proved, mut offered, mut accepted, refs } = tested;
        let key_given = given.map(|fingerprint_sha256| {
            let (offered, accepted) = (std::mem::take(&mut offered), accepted.take());
            GivenKeyTried { fingerprint_sha256, offered: !offered.is_empty(), accepted: accepted.is_some() }
        });
        let at = failed.as_ref().map(|(step, ..)| *step);
        let step = |step: TestStep| {
            let state = match at {
                Some(at) if at == step => STATES[1],
                Some(at) if at < step => STATES[2],
                Some(_) if step == TestStep::HostKey && !is_proved => STATES[2],
                Some(_) | None => STATES[0],
            };
            let why = failed.as_ref().filter(|(at, ..)| *at == step);
            TestedStep {
                step: step.as_str(),
                state,
                code: why.map(|(_, code, _)| *code),
                text: why.map(|(.., text)| sentence(text)),
                next: why.map(|(_, code, _)| by_a_person(*code)),
            }
        };
        Self {
            url: url.to_string(),
            ok: failed.is_none(),
            steps: TestStep::ALL.map(step).into(),
            offered: offered.into_iter().map(|key| key.0).collect(),
            accepted: accepted.map(|key| key.0),
            key_given,
            refs,
            recommendation: Recommendation::of(&Connection::git(GitRemote::at(url.clone()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{git::GitError, http::commits, jobs::DiffTrouble};

    #[test]
    fn who_finds_no_connection_free_is_told_to_which_host_of_how_many_and_what_to_do() {
        let busy = DiffTrouble::from(GitError::HostBusy { host: "git.example.org:22".to_owned(), most: 4 });
        for error in [untried(JobError::NoPlace(busy.to_string())), commits::problem(busy)] {
            assert_eq!((error.code(), error.code().status()), (Code::Busy, 503));
            let told = error.detail();
            assert!(told.starts_with("No connection over SSH to git.example.org:22 is free, of 4 that"), "{told}");
            assert!(told.contains("try again") && told.contains("raise ssh.connections_per_host"), "{told}");
        }
    }
}
