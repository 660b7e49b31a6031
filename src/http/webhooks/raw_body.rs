//! The body of a delivery, as it came: bounded in bytes and in time, and large ones few at a time.

use std::time::Duration;

use actix_web::{
    http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap},
    web::{Bytes, BytesMut, Payload},
};
use futures::StreamExt;

use crate::{
    app::Turn,
    http::{
        Api,
        error::{ApiError, Code},
    },
};

/// GitHub drops what is larger before it sends it.
const MOST_BYTES: usize = 25 << 20;
/// A body that is larger waits for its turn.
const SMALL: usize = 1 << 20;
/// How long a body may take to arrive. GitHub itself waits ten seconds for the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads it. The turn is to be kept as long as the bytes.
pub(super) async fn raw_body(
    api: &Api,
    headers: &HeaderMap,
    mut body: Payload,
) -> Result<(Bytes, Option<Turn>), ApiError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let known = ["application/json", "application/x-www-form-urlencoded"];
    let plain = headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    if !plain || !known.iter().any(|known| kind.eq_ignore_ascii_case(known)) {
        let detail = "A delivery is JSON or a form, and not compressed. Set the content type of the hook to JSON.";
        return Err(ApiError::new(Code::ContentTypeUnsupported, detail));
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > MOST_BYTES as u64) {
        return Err(too_large());
    }
    let read = async {
        let (mut bytes, mut turn) = (BytesMut::new(), None);
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|_| ApiError::new(Code::BodyInvalid, "The body ended early. Send it again."))?;
            if bytes.len() + chunk.len() > MOST_BYTES {
                return Err(too_large());
            }
            if turn.is_none() && bytes.len() + chunk.len() > SMALL {
                let detail = "As many large deliveries arrive at once as this node takes. Send it again in a moment.";
                let busy = |_| ApiError::new(Code::Busy, detail).retry_after(5);
                turn = Some(api.large_deliveries.take().await.map_err(busy)?);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok((bytes.freeze(), turn))
    };
    tokio::time::timeout(PATIENCE, read)
        .await
        .map_err(|_| ApiError::new(Code::BodyTooSlow, "The body did not arrive within 10 seconds. Send it again."))?
}

fn too_large() -> ApiError {
    ApiError::new(Code::BodyTooLarge, "A delivery has at most 25 MiB.").with("max_bytes", MOST_BYTES)
}
