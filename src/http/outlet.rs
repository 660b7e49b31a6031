//! A stream of events of a server (Server-Sent Events, WHATWG HTML 9.2) on its way to one caller. Called by the routes that
//! stream. What waits for a slow caller is bounded: whoever does not take it in time is sent away, and resumes.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder, http::header::CACHE_CONTROL, web::Bytes};
use futures::Stream;
use serde::Serialize;
use tokio::{sync::mpsc, time::Instant};

use super::{
    Api,
    auth::Caller,
    error::{ApiError, Code},
    stream_places::StreamPlace,
};

/// After how long a quiet stream gives a sign of life.
const BEAT: Duration = Duration::from_secs(15);
/// Events that may wait for one caller.
const WAITING: usize = 64;
/// How long one may take to be taken.
const PATIENCE: Duration = Duration::from_secs(4);
/// What a caller is told to wait before it comes again, in milliseconds.
const COME_AGAIN: u32 = 2_000;

/// Marks a request that is only for the head of the answer: a stream that nobody reads would hold its connection for ever.
pub(super) struct HeadOnly;

/// The answer to a request that is only for the head of a stream. It takes no place.
pub(super) fn head_only(request: &HttpRequest) -> Option<HttpResponse> {
    request.extensions().contains::<HeadOnly>().then(|| head().finish())
}

fn head() -> HttpResponseBuilder {
    let mut head = HttpResponse::Ok();
    // Some proxies collect an answer before they hand it on, unless they are told not to.
    head.content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"));
    head
}

/// Why a stream ends, told as its last event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// What was watched is over.
    Done,
    /// The token was revoked or has expired.
    Unwelcome,
    /// The server stops.
    Stopping,
    /// The log or a view could not be read.
    Trouble,
}

impl End {
    const fn code(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unwelcome => Code::TokenInvalid.as_str(),
            Self::Stopping => "stopping",
            Self::Trouble => Code::StoreUnavailable.as_str(),
        }
    }
}

/// The caller is gone, or too slow.
#[derive(Debug)]
pub(super) struct Gone;

/// How long is waited for what.
#[derive(Clone, Copy)]
struct Pace {
    beat: Duration,
    patience: Duration,
}

/// Where events go in.
pub(super) struct Outlet {
    sender: mpsc::Sender<Bytes>,
    last: Instant,
    pace: Pace,
    _place: StreamPlace,
}

/// Where they come out.
struct Inlet(mpsc::Receiver<Bytes>);

impl Stream for Inlet {
    type Item = Result<Bytes, actix_web::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(Ok))
    }
}

impl Outlet {
    /// A stream to this caller, when there is a place for it.
    pub(super) fn open(api: &Api, caller: &Caller) -> Result<(Self, HttpResponse), ApiError> {
        let place = api.access.streams.take(&caller.actor)?;
        let (outlet, inlet) = Self::pair(place, Pace { beat: BEAT, patience: PATIENCE });
        let response = head().streaming(inlet);
        Ok((outlet, response))
    }

    fn pair(place: StreamPlace, pace: Pace) -> (Self, Inlet) {
        let (sender, receiver) = mpsc::channel(WAITING);
        // There is room for the first one.
        let _ = sender.try_send(Bytes::from(format!("retry: {COME_AGAIN}\n\n")));
        (Self { sender, last: Instant::now(), pace, _place: place }, Inlet(receiver))
    }

    async fn put(&mut self, text: String) -> Result<(), Gone> {
        self.last = Instant::now();
        self.sender.send_timeout(Bytes::from(text), self.pace.patience).await.map_err(|_| Gone)
    }

    /// One event. JSON has no line breaks, so its data is one line.
    pub(super) async fn send(&mut self, id: Option<&str>, data: &impl Serialize) -> Result<(), Gone> {
        let data = serde_json::to_string(data).map_err(|_| Gone)?;
        let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        self.put(format!("{id}data: {data}\n\n")).await
    }

    /// Where whoever comes again goes on from, before there is an event.
    pub(super) async fn mark(&mut self, id: &str) -> Result<(), Gone> {
        self.put(format!("id: {id}\n\n")).await
    }

    /// A sign of life, when there was none for a while. With an id, who comes again need not look at what was passed over.
    pub(super) async fn beat(&mut self, id: Option<&str>) -> Result<(), Gone> {
        if self.sender.is_closed() {
            return Err(Gone);
        }
        if self.last.elapsed() < self.pace.beat {
            return Ok(());
        }
        let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        self.put(format!("{id}: beat\n\n")).await
    }

    /// Says why it ends, if there is room for it.
    pub(super) fn end(self, why: End) {
        let _ = self.sender.try_send(Bytes::from(format!("event: end\ndata: {{\"code\":\"{}\"}}\n\n", why.code())));
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use keytrail_domain::metadata::Actor;

    use super::{super::stream_places::StreamPlaces, *};

    fn opened(places: &StreamPlaces, beat: Duration) -> (Outlet, Inlet) {
        let pace = Pace { beat, patience: Duration::from_millis(20) };
        Outlet::pair(places.take(&Actor::Local).expect("a place"), pace)
    }

    #[tokio::test]
    async fn an_event_is_an_id_and_a_line_of_json() {
        let places = StreamPlaces::new(1);
        let (mut outlet, inlet) = opened(&places, BEAT);
        outlet.send(Some("1-7"), &serde_json::json!({ "text": "two\nlines" })).await.expect("room");
        outlet.beat(Some("1-8")).await.expect("nothing is sent");
        outlet.pace.beat = Duration::ZERO;
        outlet.beat(Some("1-9")).await.expect("room");
        outlet.end(End::Unwelcome);
        drop(places.take(&Actor::Local).expect("its place is free"));
        let all: Vec<_> =
            inlet.map(|bytes| String::from_utf8_lossy(&bytes.expect("bytes")).into_owned()).collect().await;
        assert_eq!(
            all.concat(),
            "retry: 2000\n\nid: 1-7\ndata: {\"text\":\"two\\nlines\"}\n\nid: 1-9\n: beat\n\nevent: end\ndata: \
             {\"code\":\"token_invalid\"}\n\n"
        );
    }

    #[tokio::test]
    async fn who_takes_nothing_is_sent_away_and_its_place_is_free() {
        let places = StreamPlaces::new(1);
        let (mut outlet, inlet) = opened(&places, BEAT);
        let mut taken = 0;
        while outlet.send(None, &taken).await.is_ok() {
            taken += 1;
        }
        assert_eq!(taken, WAITING - 1);
        drop(outlet);
        drop(places.take(&Actor::Local).expect("its place is free"));
        drop(inlet);
        let (mut outlet, inlet) = opened(&places, BEAT);
        drop(inlet);
        assert!(outlet.send(None, &0).await.is_err());
    }
}
