//! Health on a port of its own: answered whatever else this process does, without Ruby's lock, a
//! thread of Puma's or the database.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::gvl;

/// What is answered; as the contract has it.
const PATH: &str = "/api/health/status";
/// Connections at the same time. Others wait in the kernel for a place.
const CONNECTIONS: usize = 128;
/// Connections that wait in the kernel.
const BACKLOG: u32 = 1024;
/// Bytes of a request's head; the least that hyper takes.
const HEAD: usize = 8192;
/// A client that has no answer by then has given up.
const LONGEST: Duration = Duration::from_secs(2);
/// After an error that concerns no single connection, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// One more than the generation of the process that listens; 0 when none does.
static LISTENS: AtomicU64 = AtomicU64::new(0);

/// Answers on `address` until the process ends; done already, this does nothing. Other processes may
/// listen on the same address, and the kernel chooses among them.
///
/// To be called with Ruby's lock.
pub fn listen(address: SocketAddr) -> Result<(), String> {
    let generation = gvl::generation() + 1;
    if LISTENS.swap(generation, Ordering::AcqRel) == generation {
        return Ok(());
    }
    start(address).inspect_err(|_| LISTENS.store(0, Ordering::Release))
}

fn start(address: SocketAddr) -> Result<(), String> {
    let (told, begun) = mpsc::channel();
    let serve = move || {
        let (runtime, listener) = match open(address) {
            Ok(opened) => opened,
            Err(error) => {
                let _ = told.send(Err(format!("health cannot listen on {address}: {error}")));
                return;
            }
        };
        gvl::close_in_children(listener.as_raw_fd());
        let _ = told.send(Ok(()));
        // It never ends; should it panic, it goes on.
        while catch_unwind(AssertUnwindSafe(|| runtime.block_on(accept(&listener)))).is_err() {}
    };
    let thread = thread::Builder::new().name("rmt_rs_health".to_owned());
    thread.spawn(serve).map_err(|e| format!("no thread: {e}"))?;
    let begun = begun.recv();
    begun.unwrap_or_else(|_| Err("health cannot listen: panic".to_owned()))
}

fn open(address: SocketAddr) -> std::io::Result<(Runtime, TcpListener)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _inside = runtime.enter();
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        // A server that restarts finds connections of the old one, and workers share the port.
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?
    };
    Ok((runtime, listener))
}

async fn accept(listener: &TcpListener) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(async move {
                    let _ = timeout(LONGEST, converse(stream)).await;
                    drop(place);
                });
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// One request, one answer.
async fn converse(stream: TcpStream) {
    let service = service_fn(|request| async move { Ok::<_, Infallible>(answer(&request)) });
    let _ = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn answer(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let known = matches!(*request.method(), Method::GET | Method::HEAD)
        && request.uri().path_and_query().map(|it| it.as_str()) == Some(PATH);
    if !known {
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = StatusCode::NOT_FOUND;
        return answer;
    }
    let body = Bytes::from_static(registration::health().as_bytes());
    let mut answer = Response::new(Full::new(body));
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    let cache = HeaderValue::from_static("max-age=0, private, must-revalidate");
    answer.headers_mut().insert(CACHE_CONTROL, cache);
    answer
}
