//! Listens to a stream of the server (Server-Sent Events), and goes on where it was when the connection is lost.

use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;

use super::{CliError, client::Client};

/// Before coming again.
const PAUSE: Duration = Duration::from_secs(2);
/// No event is longer, in bytes.
const LONGEST: usize = 4 << 20;

/// What came so far.
#[derive(Default)]
struct Reader {
    rest: Vec<u8>,
    /// Of the last event that came whole.
    id: Option<String>,
    /// Of the one that is coming.
    next_id: Option<String>,
    name: String,
    data: String,
}

/// An event that came whole.
#[derive(Debug, PartialEq, Eq)]
struct Came {
    name: String,
    data: String,
}

impl Reader {
    /// The events that end in these bytes.
    fn take(&mut self, bytes: &[u8]) -> Result<Vec<Came>, CliError> {
        self.rest.extend_from_slice(bytes);
        let mut came = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            came.extend(self.line(line.trim_end_matches(['\n', '\r'])));
        }
        if self.rest.len() + self.data.len() > LONGEST {
            return Err(CliError::Failed("the server sent an event that is too long".into()));
        }
        Ok(came)
    }

    fn line(&mut self, line: &str) -> Option<Came> {
        if line.is_empty() {
            self.id = self.next_id.take().or(self.id.take());
            let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
            return (!data.is_empty()).then_some(Came { name, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.next_id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.name),
            "data" => self.data.push_str(value),
            // Signs of life, and what a newer server may say.
            _ => {}
        }
        None
    }
}

/// Tells each event, for as long as there is a server that lets us in.
pub(super) async fn follow(
    client: &Client,
    path: &str,
    query: &[(&str, String)],
    mut tell: impl FnMut(&Value) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut id = None;
    loop {
        let mut stream = client.stream(path, query, id.as_deref()).await?.bytes_stream();
        let mut reader = Reader { id: id.take(), ..Reader::default() };
        while let Some(Ok(bytes)) = stream.next().await {
            for Came { name, data } in reader.take(&bytes)? {
                let data: Value =
                    serde_json::from_str(&data).map_err(|_| CliError::Failed("the server sent no JSON".into()))?;
                if name.is_empty() {
                    tell(&data)?;
                } else if name == "end" && data["code"] == "token_invalid" {
                    let detail = "the token was revoked or has expired".into();
                    return Err(CliError::Problem { status: 401, code: "token_invalid".into(), detail });
                }
            }
        }
        id = reader.id;
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_whole_however_they_are_cut() {
        let text =
            "retry: 2000\n\nid: 1-7\ndata: {\"a\":1}\n\nid: 1-9\n: beat\n\nevent: end\r\ndata: {}\r\n\r\ndata: half";
        for size in 1..text.len() {
            let mut reader = Reader::default();
            let chunks = text.as_bytes().chunks(size);
            let came: Vec<_> = chunks.flat_map(|bytes| reader.take(bytes).expect("it is short")).collect();
            let expected = [("", r#"{"a":1}"#), ("end", "{}")];
            assert_eq!(came, expected.map(|(name, data)| Came { name: name.into(), data: data.into() }), "{size}");
            assert_eq!(reader.id.as_deref(), Some("1-9"));
        }
    }

    #[test]
    fn what_is_cut_off_is_asked_for_again() {
        let mut reader = Reader::default();
        let came = reader.take(b"id: 1-7\ndata: {}\n\nid: 1-8\ndata: {").expect("it is short");
        assert_eq!((came.len(), reader.id.as_deref()), (1, Some("1-7")));
    }
}
