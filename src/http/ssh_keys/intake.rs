//! From a body to a key that was tried out, or to what is wrong with it and what mends that. Opening a key takes as much time
//! and memory as its file asks for, within bounds: few at once, and on no thread that others wait for.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keytrail_domain::ssh_key::{Intake, Origin, PublicKey, RsaReason, SshKeyName};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::facts;
use crate::{
    http::{
        Api,
        error::{ApiError, Code, sentence},
        words,
    },
    ids,
    secrets::Secret,
    ssh_keys::{self, Fresh, GIT_HOSTS, GitHost, MOST_BYTES, Problem, Remedy, SshKey, Target},
};

/// What asks for the passphrase of a key that is added, and of one that is tried.
const ADD: &str = "keytrail ssh-key add FILE --name NAME";
const TRY: &str = "keytrail integration test URL --ssh-key-file FILE";

const ONE_OF_TWO: &str = "Give the key as text in private_key, or as a file in private_key_base64: one of the two.";

/// A private key that somebody has.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct KeyToAdd {
    /// What people call it: 1 to 100 characters.
    #[schema(example = "deploy")]
    pub(super) name: String,
    /// The private key as text: OpenSSH, PEM (PKCS#1, PKCS#8, SEC1) or PuTTY's .ppk; at most 64 KiB. Either this or
    /// `private_key_base64`.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    private_key: Option<Secret<String>>,
    /// The file with the private key, byte by byte, in base64. Either this or `private_key`.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    private_key_base64: Option<Secret<String>>,
    /// What opens it, where it has a passphrase. It is used once and not kept.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, write_only)]
    passphrase: Option<Secret<String>>,
    /// Whether it is offered where no key is associated, after a chosen one; it is, when nothing is said.
    #[serde(default)]
    pub(super) common: Option<bool>,
}

/// A key that the server is to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct KeyToGenerate {
    /// What people call it: 1 to 100 characters. It is the comment of the public half, too.
    #[schema(example = "keytrail")]
    pub(super) name: String,
    /// Of which kind. When nothing is said: Ed25519, or RSA with 4096 bits where `host` takes nothing else.
    #[serde(default, rename = "type")]
    #[schema(schema_with = words::ssh_key_type)]
    kind: Option<Kind>,
    /// For which git host.
    #[serde(default)]
    #[schema(schema_with = words::git_host)]
    host: Option<String>,
    /// Whether it is offered where no key is associated, after a chosen one; it is, when nothing is said.
    #[serde(default)]
    pub(super) common: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Ed25519,
    Rsa,
}

/// A key that was tried out.
pub(super) struct Taken {
    /// What may be seen of it.
    pub(super) public: PublicKey,
    /// What is sealed: the form of OpenSSH, without a passphrase.
    pub(super) private: Secret<Vec<u8>>,
}

impl Taken {
    fn of(key: &SshKey) -> Result<Self, Problem> {
        let fresh = Fresh { check: ids::random_bytes(), salt: ids::random_bytes(), iv: ids::random_bytes() };
        let written = key.written(Target::OpenSsh, None, &fresh)?;
        let public = facts::public_key(key.public(), key.comment());
        Ok(Self { public, private: Secret::new(written.expose().as_bytes().to_vec()) })
    }
}

/// A private key as a body gives it.
pub(in crate::http) struct GivenKey {
    /// As text.
    pub(in crate::http) private_key: Option<Secret<String>>,
    /// As a file, in base64.
    pub(in crate::http) private_key_base64: Option<Secret<String>>,
    /// What opens it.
    pub(in crate::http) passphrase: Option<Secret<String>>,
}

/// The key of a body, and how it came.
pub(super) async fn added(api: &Api, body: KeyToAdd) -> Result<(Taken, Intake), ApiError> {
    let KeyToAdd { private_key, private_key_base64, passphrase, .. } = body;
    let given = GivenKey { private_key, private_key_base64, passphrase };
    opened(api, given, ADD, |key, origin| {
        let intake = Intake { origin, format: facts::format(key.format()), had_passphrase: key.encryption().is_some() };
        Ok((Taken::of(&key)?, intake))
    })
    .await
}

/// The key of a body that is to be tried at a host, and what may be seen of it. It is gone with the value.
pub(in crate::http) async fn tried(api: &Api, given: GivenKey) -> Result<(SshKey, PublicKey), ApiError> {
    opened(api, given, TRY, |key, _| {
        let public = facts::public_key(key.public(), key.comment());
        Ok((key, public))
    })
    .await
}

/// Opens the key of a body, and does what is to be done with it. `again` is the command that asks for its passphrase.
async fn opened<T: Send + 'static>(
    api: &Api,
    given: GivenKey,
    again: &str,
    done: impl FnOnce(SshKey, Origin) -> Result<T, Problem> + Send + 'static,
) -> Result<T, ApiError> {
    let (bytes, origin) = match (given.private_key, given.private_key_base64) {
        (Some(text), None) => (Secret::new(text.expose().as_bytes().to_vec()), Origin::Pasted),
        (None, Some(text)) => {
            let packed = text.expose().bytes().filter(|byte| !byte.is_ascii_whitespace());
            let packed = Zeroizing::new(packed.collect::<Vec<u8>>());
            let bytes = STANDARD.decode(&*packed);
            let no_base64 =
                |_| ApiError::new(Code::SshKeyUnknownFormat, "What is in private_key_base64 is not base64.");
            (Secret::new(bytes.map_err(no_base64)?), Origin::File)
        }
        (None, None) => return Err(ApiError::new(Code::SshKeyEmpty, ONE_OF_TWO)),
        (Some(_), Some(_)) => return Err(ApiError::new(Code::SshKeyTwice, ONE_OF_TWO)),
    };
    // Nobody waits for a turn with what is no key for its size alone.
    if bytes.expose().len() > MOST_BYTES {
        return Err(refused(&Problem::TooLarge, again));
    }
    let passphrase = given.passphrase;
    at_work(api, again, move || done(ssh_keys::read(bytes.expose(), passphrase.as_ref())?, origin)).await
}

/// A new key, and why it is of RSA if it is.
pub(super) async fn generated(
    api: &Api,
    name: &SshKeyName,
    body: &KeyToGenerate,
) -> Result<(Taken, Option<RsaReason>), ApiError> {
    let host = body.host.as_deref().map(host).transpose()?;
    let only_rsa = host.filter(|host| host.takes_only_rsa);
    let rsa_because = match (body.kind, only_rsa) {
        (Some(Kind::Ed25519), Some(host)) => {
            let detail = format!(
                "{} takes RSA only. Leave `type` out, and the key is of RSA; or leave `host` out, if it takes Ed25519 by now.",
                host.title
            );
            return Err(ApiError::new(Code::SshKeyHostNeedsRsa, detail));
        }
        (_, Some(host)) => RsaReason::ALL.iter().copied().find(|reason| reason.as_str() == host.name),
        (Some(Kind::Rsa), None) => Some(RsaReason::Asked),
        (Some(Kind::Ed25519) | None, None) => None,
    };
    let comment = name.as_str().to_owned();
    let taken = at_work(api, ADD, move || {
        let key = match rsa_because {
            Some(_) => ssh_keys::rsa_4096(&comment)?,
            None => ssh_keys::ed25519(Secret::new(ids::random_bytes::<32>().to_vec()), &comment)?,
        };
        Taken::of(&key)
    });
    Ok((taken.await?, rsa_because))
}

fn host(word: &str) -> Result<&'static GitHost, ApiError> {
    GIT_HOSTS.iter().find(|host| host.name == word).ok_or_else(|| {
        let words: Vec<_> = GIT_HOSTS.iter().map(|host| host.name).collect();
        let detail = format!("The field host takes one of {}.", words.join(", "));
        ApiError::new(Code::BodyInvalid, detail)
    })
}

/// Does it on a thread of its own, when there is a turn.
async fn at_work<T: Send + 'static>(
    api: &Api,
    again: &str,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, ApiError> {
    let turn = api
        .key_work
        .take()
        .await
        .map_err(|busy| ApiError::new(Code::Busy, sentence(&busy.to_string())).retry_after(2))?;
    let done = tokio::task::spawn_blocking(move || {
        // Until it is done, also when nobody waits for it any more.
        let _turn = turn;
        work()
    });
    match done.await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(problem)) => Err(refused(&problem, again)),
        Err(error) => Err(ApiError::internal(&error)),
    }
}

/// What is wrong with a key, and in `next` what mends it: the command `again` where it lacks its passphrase.
fn refused(problem: &Problem, again: &str) -> ApiError {
    let Remedy { says, commands } = problem.remedy("FILE");
    let says = match problem {
        Problem::PassphraseNeeded => {
            "Send the same again with its passphrase as `passphrase`; the command asks for it:"
        }
        _ => says,
    };
    let commands = match problem {
        Problem::PassphraseNeeded => vec![again.to_owned()],
        _ => commands,
    };
    let code = Code::parse(problem.code()).unwrap_or(Code::SshKeyUnknownFormat);
    ApiError::new(code, sentence(&problem.to_string())).with("next", json!({ "says": says, "commands": commands }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_that_takes_only_rsa_is_a_reason_that_is_recorded() {
        for host in GIT_HOSTS {
            let reason = RsaReason::ALL.iter().find(|reason| reason.as_str() == host.name);
            assert_eq!(reason.is_some(), host.takes_only_rsa, "{}", host.title);
            assert!(reason.is_none_or(|reason| reason.title().contains(host.title)), "{}", host.title);
        }
    }

    #[test]
    fn what_is_wrong_with_a_key_has_a_code_of_the_api_and_says_what_mends_it() {
        let problems = [
            Problem::Empty,
            Problem::TooLarge,
            Problem::Public,
            Problem::Certificate("a certificate"),
            Problem::NotAKey,
            Problem::Binary,
            Problem::FormatUnsupported("it"),
            Problem::Truncated("it"),
            Problem::Damaged("it"),
            Problem::Several(2),
            Problem::PassphraseNeeded,
            Problem::PassphraseWrong,
            Problem::CipherUnsupported("x".to_owned()),
            Problem::TooCostly { function: ssh_keys::TooCostly::Argon2, asked: "x".to_owned() },
            Problem::AlgorithmUnsupported("x".to_owned()),
            Problem::Dsa,
            Problem::Fido,
            Problem::RsaTooShort(1024),
            Problem::RsaTooLong(9000),
            Problem::HalvesDiffer,
        ];
        for problem in problems {
            let error = refused(&problem, ADD);
            assert_eq!(error.code().as_str(), problem.code());
            assert_eq!(error.code().status(), 422, "{}", problem.code());
        }
    }
}
