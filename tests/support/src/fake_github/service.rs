//! Takes requests in on a socket of its own and says which part of a GitHub answers: its API, git, or its pages.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    task::{Context, Poll},
    thread,
    time::Duration,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    body::{BodySize, MessageBody},
    dev::ServerHandle,
    http::{StatusCode, header},
    web::{self, Bytes, Data, PayloadConfig},
};
use serde_json::Value;

use super::{
    Silence,
    api::{Call, request_id},
    courier,
    documents::http_date,
    git,
    outbox::Outbox,
    pages::Visit,
    refusal::Refusal,
    reply::Reply,
    requests::Caller,
    world::World,
};

/// The largest push that is taken in.
const LARGEST: usize = 256 << 20;
/// Between two bytes of an answer that trickles.
const BETWEEN_BYTES: Duration = Duration::from_millis(20);

/// A service that ends with the value.
pub(super) struct Service {
    pub(super) address: SocketAddr,
    world: Arc<Mutex<World>>,
    handle: ServerHandle,
    serving: Option<thread::JoinHandle<()>>,
}

impl Service {
    pub(super) fn start(cloud: bool, git_root: PathBuf, port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let (sender, parcels) = tokio::sync::mpsc::unbounded_channel();
        let world = World::new(format!("http://{address}"), cloud, git_root, Outbox::new(sender));
        let world = Arc::new(Mutex::new(world));
        let (tell, told) = mpsc::channel();
        let shared = Arc::clone(&world);
        let serving = thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let sending = actix_web::rt::spawn(courier::run(Arc::clone(&shared), parcels));
                let data = Data::from(shared);
                let make = move || {
                    App::new()
                        .app_data(data.clone())
                        .app_data(PayloadConfig::new(LARGEST))
                        .default_service(web::to(serve))
                };
                let server = HttpServer::new(make).workers(2).disable_signals().shutdown_timeout(0).listen(listener);
                let server = server.expect("it listens").run();
                let _ = tell.send(server.handle());
                let _ = server.await;
                sending.abort();
            });
        });
        let handle = told.recv().expect("it starts");
        Self { address, world, handle, serving: Some(serving) }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It is told at once; only its end would have to be awaited.
        drop(self.handle.stop(false));
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

async fn serve(request: HttpRequest, body: Bytes, world: Data<Mutex<World>>) -> HttpResponse {
    let parts: Vec<String> = request.path().split('/').filter(|part| !part.is_empty()).map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let asks_a_page =
        !matches!(parts.as_slice(), ["api", "v3", ..] | [_, _, "info" | "git-upload-pack" | "git-receive-pack", ..])
            && !World::is_api(&parts);
    let silence = silence_of(&world, request.path()).filter(|_| !asks_a_page);
    if let Some(Silence::Ends | Silence::Waits) = silence {
        // Until it is over, or nobody waits any more.
        while silence == Some(Silence::Waits) && silence_of(&world, request.path()).is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        return HttpResponse::with_body(StatusCode::OK, Cut).map_into_boxed_body();
    }
    let mut reply = match parts.as_slice() {
        [_, repository, "info" | "git-upload-pack" | "git-receive-pack", ..] => {
            git::serve(&request, &body, &world, repository).await
        }
        ["api", "v3", path @ ..] => by_api(&request, &body, &world, path),
        path if World::is_api(path) => by_api(&request, &body, &world, path),
        path => {
            let form = form(&String::from_utf8_lossy(&body));
            let (query, method) = (form_of(&request), request.method().as_str());
            locked(&world).page(&Visit { method, path, query: &query, form: &form })
        }
    };
    let date = http_date(locked(&world).now());
    if silence == Some(Silence::Trickles) && !reply.body.is_empty() {
        let rest = Bytes::from(std::mem::take(&mut reply.body));
        let pause = Box::pin(tokio::time::sleep(BETWEEN_BYTES));
        let trickle = Trickle { path: request.path().to_owned(), rest, world, pause };
        return reply.with("date", date).into_response().set_body(trickle).map_into_boxed_body();
    }
    reply.with("date", date).into_response()
}

/// A body that comes byte by byte until that is over, and the rest of it at once.
struct Trickle {
    path: String,
    rest: Bytes,
    world: Data<Mutex<World>>,
    pause: Pin<Box<tokio::time::Sleep>>,
}

impl MessageBody for Trickle {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.rest.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        if silence_of(&self.world, &self.path) != Some(Silence::Trickles) {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.rest))));
        }
        if self.pause.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.pause = Box::pin(tokio::time::sleep(BETWEEN_BYTES));
        Poll::Ready(Some(Ok(self.rest.split_to(1))))
    }
}

/// A body that breaks off before it begins, and takes its connection along.
struct Cut;

impl MessageBody for Cut {
    type Error = std::io::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(1)
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionAborted.into())))
    }
}

fn locked(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn silence_of(world: &Mutex<World>, path: &str) -> Option<Silence> {
    locked(world).silence.filter(|(part, _)| path.contains(part)).map(|(_, silence)| silence)
}

fn by_api(request: &HttpRequest, body: &Bytes, world: &Mutex<World>, path: &[&str]) -> Reply {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let text = String::from_utf8_lossy(body).into_owned();
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let authorization = header(header::AUTHORIZATION.as_str());
    let mut world = locked(world);
    let whole = request.uri().to_string();
    let call = Call {
        method: request.method(),
        path,
        url: &format!("{}{}", world.web, request.path()),
        query: &form_of(request),
        whole: &whole,
        bearer: authorization.and_then(|given| given.split_once(' ')).map(|(_, token)| token),
        body: &json,
    };
    let caller = world.caller(authorization);
    let credential = Caller::credential(&caller);
    let answered = match (header("user-agent"), header("x-github-api-version")) {
        (None, _) => Err(Refusal::NoUserAgent),
        (_, Some(version)) if version != "2022-11-28" => Err(Refusal::Version),
        // A path that ends in a slash is another one.
        _ if request.path().ends_with('/') => Err(Refusal::NotFound),
        _ => world.answer(&call, caller),
    };
    let reply = answered.unwrap_or_else(|refusal| refusal.reply());
    let reply = tagged(reply, authorization, header("if-none-match"));
    world.log(call.method, call.whole, (credential, call.bearer), reply.status, text);
    let reply = reply.with("x-github-request-id", request_id()).with("x-github-media-type", "github.v3; format=json");
    if world.cloud {
        reply.with("server", "github.com")
    } else {
        reply.with("x-github-enterprise-version", "enterprise-server@3.19.0")
    }
}

/// With an ETag, which is another one for each token; nothing but that where it is known already.
fn tagged(reply: Reply, authorization: Option<&str>, known: Option<&str>) -> Reply {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    if reply.status != 200 {
        return reply;
    }
    let mut hasher = DefaultHasher::new();
    (authorization, &reply.body).hash(&mut hasher);
    let etag = format!("\"{:016x}\"", hasher.finish());
    let reply = if known == Some(etag.as_str()) { Reply::empty(304) } else { reply };
    reply.with("etag", etag)
}

fn form_of(request: &HttpRequest) -> BTreeMap<String, String> {
    form(request.query_string())
}

/// What a form or a question says.
fn form(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))
    };
    pairs.map(pair).collect()
}

/// Without `%XX`.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        match (byte, hex) {
            (b'%', Some(hex)) => {
                bytes.push(hex);
                rest = &after[2..];
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
