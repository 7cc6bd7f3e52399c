//! The way to the database, with accidents on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens when a client's packet with the awaited text passes.
#[derive(Clone, Copy, PartialEq)]
pub enum Accident {
    /// The packet arrives, its answer does not: both ends find the connection closed.
    LoseAnswer,
    /// The packet does not arrive either.
    LoseRequest,
    /// Half of the packet arrives.
    CutRequest,
}

/// A proxy to `port` that has one `accident` when bytes containing `text` pass from the client, and
/// none before or after. Returns its own port and whether the accident has happened.
pub async fn accident_on(
    port: u16,
    text: &'static str,
    accident: Accident,
) -> (u16, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let happened = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&happened);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio::spawn(carry(client, server, text, accident, Arc::clone(&flag)));
        }
    });
    (own, happened)
}

async fn carry(
    client: TcpStream,
    server: TcpStream,
    text: &str,
    accident: Accident,
    happened: Arc<AtomicBool>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let lost = Arc::new(AtomicBool::new(false));
    let losing = Arc::clone(&lost);
    let answers = tokio::spawn(async move {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            if losing.load(Ordering::SeqCst)
                || to_client.write_all(&buffer[..length]).await.is_err()
            {
                break;
            }
        }
    });
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
        let packet = &buffer[..length];
        let seen = packet
            .windows(text.len())
            .any(|bytes| bytes == text.as_bytes());
        if seen && !happened.swap(true, Ordering::SeqCst) {
            // From here on no answer passes.
            lost.store(true, Ordering::SeqCst);
            match accident {
                Accident::LoseAnswer => {
                    to_server.write_all(packet).await.unwrap();
                    // There is one: the statement was carried out.
                    answers.await.unwrap();
                    return;
                }
                Accident::CutRequest => to_server.write_all(&packet[..length / 2]).await.unwrap(),
                Accident::LoseRequest => {}
            }
            answers.abort();
            return;
        }
        to_server.write_all(packet).await.unwrap();
    }
}
