//! How the last deliveries of an app ended, as its GitHub tells (GitHub REST, "List deliveries for an app webhook"). Only
//! for finding out why none come in; what they hold is not asked for.

use reqwest::Method;
use serde::Deserialize;

use super::{AppAccess, GithubError};

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryEnd {
    /// Somebody at the address took it.
    Taken,
    /// Somebody at the address refused it.
    Refused,
    /// Nobody answered in time.
    Timeout,
    /// The certificate was not good.
    Tls,
    /// Nobody could be connected to.
    Unreachable,
}

#[derive(Deserialize)]
struct DeliveryAnswer {
    #[serde(default)]
    status: String,
    #[serde(default)]
    status_code: u16,
}

impl DeliveryAnswer {
    /// GitHub tells what has no status of HTTP in words that it may change; the beginnings of ideas are looked for.
    fn end(&self) -> DeliveryEnd {
        let words = self.status.to_ascii_lowercase();
        match self.status_code {
            200..=299 => DeliveryEnd::Taken,
            _ if ["certificate", "ssl", "tls", "peer"].iter().any(|word| words.contains(word)) => DeliveryEnd::Tls,
            _ if words.contains("timed out") || words.contains("timeout") => DeliveryEnd::Timeout,
            // With 502, as a proxy would answer.
            _ if words.contains("failed to connect") => DeliveryEnd::Unreachable,
            300..=599 => DeliveryEnd::Refused,
            _ => DeliveryEnd::Unreachable,
        }
    }
}

impl AppAccess {
    /// The last ones, the newest first.
    pub async fn delivery_ends(&self) -> Result<Vec<DeliveryEnd>, GithubError> {
        let answer = self.ask(Method::GET, "/app/hook/deliveries?per_page=30", None).await?;
        let answers: Vec<DeliveryAnswer> = self.github().read(&answer)?;
        Ok(answers.iter().map(DeliveryAnswer::end).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_delivery_is_told_from_its_status_and_words() {
        for (status_code, status, end) in [
            (202, "OK", DeliveryEnd::Taken),
            (401, "Unauthorized", DeliveryEnd::Refused),
            (502, "Bad Gateway", DeliveryEnd::Refused),
            (0, "timed out", DeliveryEnd::Timeout),
            (504, "Timed out", DeliveryEnd::Timeout),
            (0, "Peer certificate cannot be authenticated", DeliveryEnd::Tls),
            (502, "failed to connect", DeliveryEnd::Unreachable),
            (0, "failed to connect to host", DeliveryEnd::Unreachable),
            (0, "", DeliveryEnd::Unreachable),
        ] {
            assert_eq!(DeliveryAnswer { status: status.to_owned(), status_code }.end(), end, "{status_code} {status}");
        }
    }
}
