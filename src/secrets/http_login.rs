//! A user and a password for HTTP as they are sealed together: `{"user": …, "password": …}` in one secret. Written by the
//! routes that take them in, read by the jobs that use them; neither of the two is ever shown.

use serde::Deserialize;

use super::Secret;

/// A user and a password or token. Neither can be printed or written out by accident.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpLogin {
    /// May be a token, and may be empty.
    pub user: Secret<String>,
    /// Or a token. May be empty when the user is one.
    pub password: Secret<String>,
}

/// What was sealed is no login: another version wrote it, or a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what is sealed as a credential is not one; give the credential of the integration again")]
pub struct NoLogin;

impl HttpLogin {
    /// The field of an integration under which the login of its git server is sealed.
    pub const FIELD: &str = "credential";
    /// The field of an integration under which the login of its proxy is sealed.
    pub const PROXY_FIELD: &str = "proxy_credential";

    /// As it is sealed.
    pub fn write(&self) -> Secret<Vec<u8>> {
        let (user, password) = (self.user.expose(), self.password.expose());
        // At most six bytes for each, so that no buffer grows and leaves a copy behind.
        let mut text = Vec::with_capacity(32 + 6 * (user.len() + password.len()));
        text.extend(br#"{"user":"#);
        write_text(&mut text, user);
        text.extend(br#","password":"#);
        write_text(&mut text, password);
        text.push(b'}');
        Secret::new(text)
    }

    /// From what was sealed.
    pub fn read(sealed: &Secret<Vec<u8>>) -> Result<Self, NoLogin> {
        serde_json::from_slice(sealed.expose()).map_err(|_| NoLogin)
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    // Text can always be written into memory.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_reads_back_as_it_was_written() {
        for (user, password) in [("alice", "p@ss \"w0rd\"\\"), ("", "kt\u{1}\u{7f}ü"), ("token", "")] {
            let login = HttpLogin { user: user.to_owned().into(), password: password.to_owned().into() };
            let sealed = login.write();
            let read = HttpLogin::read(&sealed).unwrap_or_else(|error| panic!("{user}: {error}"));
            assert_eq!((read.user.expose().as_str(), read.password.expose().as_str()), (user, password));
        }
    }

    #[test]
    fn what_is_no_login_is_refused_without_its_text() {
        for text in ["", "geheim", "{}", r#"{"user":"geheim"}"#, r#"{"user":"a","password":"geheim","more":1}"#] {
            let refused = HttpLogin::read(&Secret::new(text.as_bytes().to_vec())).err().expect("it is none");
            assert!(!refused.to_string().contains("geheim"));
        }
    }
}
