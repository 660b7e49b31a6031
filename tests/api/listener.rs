//! Somebody who listens to a stream (Server-Sent Events), as a browser does: called by the tests of streams.

use futures::StreamExt;
use reqwest::StatusCode;
use serde_json::Value;

/// An event that came.
#[derive(Debug)]
pub(crate) struct Came {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: Value,
}

/// A block of lines. An id without data is where to go on from, and no event.
struct Block {
    id: String,
    name: String,
    data: String,
}

/// Somebody who listens.
pub(crate) struct Listener {
    bytes: std::pin::Pin<Box<dyn futures::Stream<Item = reqwest::Result<actix_web::web::Bytes>>>>,
    rest: String,
}

impl Listener {
    pub(crate) async fn open(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        if response.status() != StatusCode::OK {
            panic!("{}", response.text().await.expect("a body"));
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert!(response.headers().contains_key("x-request-id"));
        Self { bytes: Box::pin(response.bytes_stream()), rest: String::new() }
    }

    async fn block(&mut self) -> Option<Block> {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let field = |name: &str| {
                    let value = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    value.unwrap_or_default().to_owned()
                };
                let block = Block { id: field("id"), name: field("event"), data: field("data") };
                self.rest = rest.to_owned();
                return Some(block);
            }
            let bytes = self.bytes.next().await?.ok()?;
            self.rest.push_str(std::str::from_utf8(&bytes).expect("UTF-8"));
        }
    }

    /// The next event; nothing when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Came> {
        loop {
            let Block { id, name, data } = self.block().await?;
            if !data.is_empty() {
                return Some(Came { id, name, data: serde_json::from_str(&data).expect("JSON") });
            }
        }
    }

    /// The id that comes before the first event.
    pub(crate) async fn mark(&mut self) -> String {
        loop {
            let Block { id, data, .. } = self.block().await.expect("it goes on");
            assert_eq!(data, "", "an event came before it was said where the stream is");
            if !id.is_empty() {
                return id;
            }
        }
    }

    pub(crate) async fn position(&mut self) -> (i64, String) {
        let came = self.next().await.expect("an event");
        assert_eq!(came.name, "", "{came:?}");
        (came.data["position"].as_i64().expect("a position"), came.id)
    }
}
