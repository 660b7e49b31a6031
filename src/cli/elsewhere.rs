//! A server that is named with `--server`: its address is looked at before a token goes there. Called by the client; the
//! token comes from a file or the environment, never from an argument, and is printed nowhere.

use std::{fs, net::IpAddr, time::Duration};

use reqwest::{Certificate, Url};

use super::{CliError, place};
use crate::{
    config::{self, Reach},
    secrets::Secret,
};

/// A server that does not take a connection for so long is away.
const CONNECTING: Duration = Duration::from_secs(10);

/// The address without a slash at its end, when a token may be sent there.
pub(super) fn address(server: &str, reach: &Reach) -> Result<String, CliError> {
    let wrong =
        |what: &str| Err(CliError::Input(format!("--server {what}; it looks like https://keytrail.example.com")));
    let Ok(url) = Url::parse(server) else { return wrong("is no address") };
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("holds a user or a password, which everybody on this machine can see; leave them out");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("has something after a ? or a #; leave it out");
    }
    match url.scheme() {
        "https" => {}
        "http" if is_this_machine(&url) || reach.allow_http => {}
        "http" => {
            let detail = "over http:// everybody on the way can read the token; use https://, or add --allow-http where \
                          the way is your own";
            return Err(CliError::Input(detail.into()));
        }
        _ => return wrong("begins neither with https:// nor with http://"),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The token of `--token-file`, or of the environment.
pub(super) fn token(reach: &Reach) -> Result<Secret<String>, CliError> {
    let token = match &reach.token_file {
        Some(file) => Some(place::password_of(file)?),
        None => config::token().map(Secret::new),
    };
    let Some(token) = token else {
        let detail = "a server elsewhere needs an access token: put it into a file and give --token-file FILE, or set \
                      KEYTRAIL_TOKEN; its administrator makes one with `keytrail token issue`";
        return Err(CliError::Input(detail.into()));
    };
    if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(CliError::Input("what was given as the token is none: it is one word, kt_…".into()));
    }
    Ok(token)
}

/// What speaks HTTP to it: over TLS that is checked, without following anybody elsewhere.
pub(super) fn http(reach: &Reach) -> Result<reqwest::Client, CliError> {
    // Proxies of the environment are not used: a token must not go where nobody on this command line said.
    let mut builder =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).connect_timeout(CONNECTING);
    if let Some(file) = &reach.authority {
        let unreadable = |what: String| CliError::Input(format!("{}: {what}", file.display()));
        let pem = fs::read(file).map_err(|error| unreadable(format!("it cannot be read: {error}")))?;
        let found = Certificate::from_pem_bundle(&pem).unwrap_or_default();
        if found.is_empty() {
            return Err(unreadable("there is no certificate in PEM in it".into()));
        }
        builder = found.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
    }
    builder.build().map_err(|source| CliError::NoAnswer { url: "(none)".into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_in_the_clear_to_this_machine_only_unless_a_person_says_so() {
        let (usual, allowed) = (Reach::default(), Reach { allow_http: true, ..Reach::default() });
        for good in
            ["http://127.0.0.1:8421", "http://[::1]:8421/", "http://localhost", "https://kt.example.com/keytrail/"]
        {
            let address = address(good, &usual).unwrap_or_else(|error| panic!("{good}: {error}"));
            assert!(!address.ends_with('/'), "{address}");
        }
        for bad in ["http://kt.example.com", "http://127.0.0.1.example.com", "http://10.0.0.1:8421"] {
            assert!(address(bad, &usual).is_err_and(|error| error.to_string().contains("--allow-http")), "{bad}");
            assert!(address(bad, &allowed).is_ok(), "{bad}");
        }
        for bad in ["", "kt.example.com", "ftp://x", "https://u:p@x", "https://u@x", "https://x/?a", "file:///etc"] {
            let error = address(bad, &allowed).expect_err(bad).to_string();
            assert!(!error.contains("u:p"), "{error}");
        }
    }
}
