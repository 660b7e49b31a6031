//! A user and a password as the API takes them. They are sealed at once, and never shown.

use keytrail_domain::remote_url::EmbeddedCredential;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::{
    http::error::{ApiError, Code},
    secrets::{HttpLogin, Secret},
};

/// A user and a password or token. Given once, and never shown again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Credential {
    /// At most 4096 bytes, without colons. For a token most services take any name here; some take the token itself, and
    /// an empty password.
    #[schema(value_type = String, example = "git")]
    user: Secret<String>,
    /// At most 4096 bytes. A password or a token.
    #[schema(value_type = String, format = Password, write_only)]
    password: Secret<String>,
}

/// What is said of a credential: nothing, that there is to be none, or which.
#[derive(Default)]
pub(in crate::http) enum Given {
    /// The one that is there stays, if it may.
    #[default]
    Unsaid,
    /// There is to be none.
    None,
    /// This one.
    One(Credential),
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::None, Self::One))
    }
}

/// What is to become of a credential.
pub(super) enum Wish {
    /// The one that is there stays, if it may.
    Keep,
    /// There is to be none.
    Drop,
    /// This one is to be sealed.
    Seal(HttpLogin),
}

impl Given {
    /// Together with what stood in the URL, which counts as given.
    pub(super) fn checked(&self, embedded: Option<EmbeddedCredential>) -> Result<Wish, ApiError> {
        let login = match (self, embedded) {
            (Self::Unsaid, None) => return Ok(Wish::Keep),
            (Self::None, None) => return Ok(Wish::Drop),
            (Self::Unsaid, Some(EmbeddedCredential { user, password })) => {
                HttpLogin { user: user.into(), password: password.into() }
            }
            (Self::One(given), None) => {
                HttpLogin { user: given.user.expose().clone().into(), password: given.password.expose().clone().into() }
            }
            (Self::None | Self::One(_), Some(EmbeddedCredential { user, password })) => {
                // Only to be cleared.
                let _ = (Secret::new(user), Secret::new(password));
                let detail = "The URL holds a user or a password, and `credential` is given, too. Give one of them; \
                              best without any in the URL.";
                return Err(ApiError::new(Code::CredentialTwice, detail));
            }
        };
        check(&login)?;
        Ok(Wish::Seal(login))
    }
}

fn check(login: &HttpLogin) -> Result<(), ApiError> {
    const MOST_BYTES: usize = 4096;
    let (user, password) = (login.user.expose(), login.password.expose());
    let refused = |detail: &'static str| Err(ApiError::new(Code::CredentialInvalid, detail));
    if user.is_empty() && password.is_empty() {
        return refused("A credential has a user or a password. Leave it out, or give null, where there is none.");
    }
    if user.len() > MOST_BYTES || password.len() > MOST_BYTES {
        return refused("A user and a password have at most 4096 bytes each.");
    }
    if user.contains(':') {
        return refused("A user cannot hold a colon over HTTP. Check whether user and password were written together.");
    }
    if user.chars().chain(password.chars()).any(char::is_control) {
        return refused("A user and a password hold no control characters. Check for a line break at the end.");
    }
    Ok(())
}
