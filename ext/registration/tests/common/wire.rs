//! A proxy that knows a statement from its answer, and has one fault at the statement it is told.

use std::collections::HashMap;
use std::io::{Error, Result};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// What happens to a statement. What is said of its answer holds for all of it, however many packets
/// and results it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It does not arrive, and both ends find the connection closed.
    ResetBefore,
    /// It arrives, and the connection is closed while it is carried out.
    ResetDuring,
    /// It is carried out, and its answer does not arrive: both ends find the connection closed.
    ResetAfter,
    /// A part of it arrives, in percent.
    CutRequest(usize),
    /// A part of its answer arrives, in percent.
    CutAnswer(usize),
    /// The client finds the connection closed; the statement arrives when [`Wire::deliver`] is called.
    Late,
    /// Nothing is heard of it; it arrives when [`Wire::deliver`] is called.
    SilentBefore,
    /// It is carried out; its answer arrives when [`Wire::deliver`] is called.
    SilentAfter,
    /// It arrives a bit later, and so does its answer.
    Slow,
    /// It does not arrive; this error is the answer.
    Instead(u16),
    /// It is carried out; this error is the answer.
    After(u16),
    /// There is no connection for it: it, and all that follows until the proxy is disarmed, is answered
    /// so, and those who connect anew are greeted so.
    Refused(u16),
}

/// The proxy.
pub struct Wire {
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    plan: Mutex<Plan>,
    held: Mutex<Vec<Held>>,
}

#[derive(Default)]
struct Plan {
    /// The faults, with how many statements come before each, after the one before.
    faults: Vec<(usize, Fault)>,
    /// For good, as [`Fault::Refused`] says.
    refused: Option<u16>,
    seen: usize,
    hit: Vec<String>,
}

/// A packet that waits, and who is told that it has arrived.
struct Held {
    deliver: oneshot::Sender<()>,
    delivered: oneshot::Receiver<()>,
}

impl Wire {
    /// A proxy to `port` that leaves everything alone until it is armed.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let state = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = Arc::clone(&state);
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
                        return;
                    };
                    let _ = client.set_nodelay(true);
                    let _ = server.set_nodelay(true);
                    // An end that is gone is what many faults are about.
                    let _ = Carrier::new(client, server, state).carry().await;
                });
            }
        });
        Self { port: own, shared }
    }

    /// From now on `faults` happen: the first after so many statements, the next one after so many more …
    pub fn arm(&self, faults: &[(usize, Fault)]) {
        let mut faults = faults.to_vec();
        faults.reverse();
        *self.shared.plan() = Plan {
            faults,
            ..Plan::default()
        };
    }

    /// No more faults. The statements that were hit.
    pub fn disarm(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.plan()).hit
    }

    /// Lets everything arrive that was held back, and returns when the server has dealt with it.
    pub async fn deliver(&self) {
        let held = std::mem::take(&mut *self.shared.held.lock().unwrap());
        let mut all = Vec::new();
        for Held { deliver, delivered } in held {
            let _ = deliver.send(());
            all.push(delivered);
        }
        for delivered in all {
            let _ = tokio::time::timeout(PATIENCE, delivered).await;
        }
    }
}

/// Nothing of the tests waits longer for a server.
const PATIENCE: Duration = Duration::from_secs(20);

impl Shared {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap()
    }

    /// What is to happen to this statement.
    fn fault_of(&self, statement: &str) -> Option<Fault> {
        let mut plan = self.plan();
        if let Some(number) = plan.refused {
            return Some(Fault::Instead(number));
        }
        let (before, fault) = *plan.faults.last()?;
        if plan.seen < before {
            plan.seen += 1;
            return None;
        }
        plan.faults.pop();
        plan.seen = 0;
        plan.hit.push(statement.to_owned());
        if let Fault::Refused(number) = fault {
            plan.refused = Some(number);
            return Some(Fault::Instead(number));
        }
        Some(fault)
    }
}

const QUIT: u8 = 1;
const QUERY: u8 = 3;
const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;
const CLOSE: u8 = 0x19;

const DEPRECATE_EOF: u32 = 1 << 24;
const MORE_RESULTS: u16 = 8;

/// One connection.
struct Carrier {
    client: TcpStream,
    server: TcpStream,
    shared: Arc<Shared>,
    /// Whether result sets end without a packet that only says so.
    short: bool,
    statements: HashMap<u32, String>,
}

impl Carrier {
    fn new(client: TcpStream, server: TcpStream, shared: Arc<Shared>) -> Self {
        Self {
            client,
            server,
            shared,
            short: false,
            statements: HashMap::new(),
        }
    }

    async fn carry(mut self) -> Result<()> {
        if !self.greet().await? {
            return Ok(());
        }
        loop {
            let request = packet(&mut self.client).await?;
            let kind = request[HEADER];
            if kind == QUIT || kind == CLOSE {
                self.server.write_all(&request).await?;
                continue;
            }
            let statement = self.name(&request);
            match self.shared.fault_of(&statement) {
                None => {
                    let answer = self.ask(&request, statement).await?;
                    self.client.write_all(&answer).await?;
                }
                Some(fault) => {
                    if !self.fail(fault, &request, statement).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// All until the server takes statements; false if it does not.
    async fn greet(&mut self) -> Result<bool> {
        let greeting = packet(&mut self.server).await?;
        let refused = self.shared.plan().refused;
        if let Some(number) = refused {
            self.client.write_all(&error(number, 0)).await?;
            return Ok(false);
        }
        self.client.write_all(&greeting).await?;
        let response = packet(&mut self.client).await?;
        let flags = response[HEADER..HEADER + 4].try_into().unwrap();
        self.short = u32::from_le_bytes(flags) & DEPRECATE_EOF != 0;
        self.server.write_all(&response).await?;
        loop {
            let answer = packet(&mut self.server).await?;
            self.client.write_all(&answer).await?;
            match answer[HEADER] {
                0 => return Ok(true),
                0xff => return Ok(false),
                _ => {
                    let response = packet(&mut self.client).await?;
                    self.server.write_all(&response).await?;
                }
            }
        }
    }

    fn name(&self, request: &[u8]) -> String {
        let payload = &request[HEADER + 1..];
        match request[HEADER] {
            QUERY => String::from_utf8_lossy(payload).into_owned(),
            PREPARE => format!("PREPARE {}", String::from_utf8_lossy(payload)),
            EXECUTE => {
                let id = u32::from_le_bytes(payload[..4].try_into().unwrap());
                self.statements.get(&id).cloned().unwrap_or_default()
            }
            other => format!("command {other}"),
        }
    }

    /// Hands the request to the server; its whole answer.
    async fn ask(&mut self, request: &[u8], statement: String) -> Result<Vec<u8>> {
        self.server.write_all(request).await?;
        let kind = request[HEADER];
        let first = packet(&mut self.server).await?;
        match kind {
            PREPARE if first[HEADER] == 0 => {
                let id = u32::from_le_bytes(first[HEADER + 1..HEADER + 5].try_into().unwrap());
                let count = |at: usize| {
                    let at = HEADER + at;
                    usize::from(u16::from_le_bytes(first[at..at + 2].try_into().unwrap()))
                };
                let mut left = 0;
                for definitions in [count(5), count(7)] {
                    left += definitions;
                    left += usize::from(definitions > 0 && !self.short);
                }
                let name = statement.trim_start_matches("PREPARE ").to_owned();
                self.statements.insert(id, name);
                let mut answer = first;
                for _ in 0..left {
                    answer.extend(packet(&mut self.server).await?);
                }
                Ok(answer)
            }
            QUERY | EXECUTE => self.results(first).await,
            _ => Ok(first),
        }
    }

    async fn results(&mut self, mut first: Vec<u8>) -> Result<Vec<u8>> {
        let mut answer = Vec::new();
        loop {
            let status = match first[HEADER] {
                0xff => None,
                0 => {
                    let mut at = HEADER + 1;
                    length(&first, &mut at);
                    length(&first, &mut at);
                    Some(u16::from_le_bytes(first[at..at + 2].try_into().unwrap()))
                }
                _ => self.rows(&mut first).await?,
            };
            answer.extend(first);
            if status.is_none_or(|it| it & MORE_RESULTS == 0) {
                return Ok(answer);
            }
            first = packet(&mut self.server).await?;
        }
    }

    /// Adds all of a result set to its `first` packet; the status it ends with, if it is no error.
    async fn rows(&mut self, first: &mut Vec<u8>) -> Result<Option<u16>> {
        let mut at = HEADER;
        let columns = length(first, &mut at);
        for _ in 0..columns + usize::from(!self.short) {
            first.extend(packet(&mut self.server).await?);
        }
        loop {
            let row = packet(&mut self.server).await?;
            let status = match row[HEADER] {
                0xff => Some(None),
                0xfe if self.short => {
                    let mut at = HEADER + 1;
                    length(&row, &mut at);
                    length(&row, &mut at);
                    Some(Some(u16::from_le_bytes(
                        row[at..at + 2].try_into().unwrap(),
                    )))
                }
                0xfe if row.len() < HEADER + 9 => {
                    let at = HEADER + 3;
                    Some(Some(u16::from_le_bytes(
                        row[at..at + 2].try_into().unwrap(),
                    )))
                }
                _ => None,
            };
            first.extend(row);
            if let Some(status) = status {
                return Ok(status);
            }
        }
    }

    /// Whether the connection goes on after the fault.
    async fn fail(&mut self, fault: Fault, request: &[u8], statement: String) -> Result<bool> {
        match fault {
            Fault::ResetBefore => {}
            Fault::ResetDuring => {
                self.server.write_all(request).await?;
            }
            Fault::ResetAfter => {
                self.ask(request, statement).await?;
            }
            Fault::CutRequest(percent) => {
                let part = (request.len() * percent / 100).clamp(1, request.len() - 1);
                self.server.write_all(&request[..part]).await?;
            }
            Fault::CutAnswer(percent) => {
                let answer = self.ask(request, statement).await?;
                let part = (answer.len() * percent / 100).clamp(1, answer.len() - 1);
                self.client.write_all(&answer[..part]).await?;
                // So that this part is read: with a reset it would be lost.
                self.client.shutdown().await?;
                return Ok(false);
            }
            Fault::Late => {
                let delivered = self.hold(true).await;
                let _ = self.ask(request, statement).await;
                drop(delivered);
                return Ok(false);
            }
            Fault::SilentBefore => {
                let delivered = self.hold(false).await;
                let answer = self.ask(request, statement).await;
                drop(delivered);
                self.client.write_all(&answer?).await?;
                return Ok(true);
            }
            Fault::SilentAfter => {
                let answer = self.ask(request, statement).await?;
                let _delivered = self.hold(false).await;
                self.client.write_all(&answer).await?;
                return Ok(true);
            }
            Fault::Slow => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let answer = self.ask(request, statement).await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
                self.client.write_all(&answer).await?;
                return Ok(true);
            }
            Fault::Instead(number) | Fault::Refused(number) => {
                self.client.write_all(&error(number, 1)).await?;
                return Ok(true);
            }
            Fault::After(number) => {
                self.ask(request, statement).await?;
                self.client.write_all(&error(number, 1)).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits until the test wants the packet delivered; what is returned is to be dropped when it is.
    async fn hold(&mut self, closed: bool) -> oneshot::Sender<()> {
        let (deliver, wait) = oneshot::channel();
        let (done, delivered) = oneshot::channel();
        let held = Held { deliver, delivered };
        self.shared.held.lock().unwrap().push(held);
        if closed {
            let _ = self.client.shutdown().await;
        }
        let _ = tokio::time::timeout(PATIENCE, wait).await;
        done
    }
}

/// Bytes before the payload of a packet: its length and number.
const HEADER: usize = 4;

/// The next packet, with its header.
async fn packet(from: &mut TcpStream) -> Result<Vec<u8>> {
    let mut packet = vec![0; HEADER];
    from.read_exact(&mut packet).await?;
    let length = u32::from_le_bytes([packet[0], packet[1], packet[2], 0]) as usize;
    if length == 0 || length == 0xff_ffff {
        return Err(Error::other("no packet that this proxy understands"));
    }
    packet.resize(HEADER + length, 0);
    from.read_exact(&mut packet[HEADER..]).await?;
    Ok(packet)
}

/// A number of varying length at this place, which then is the one after it.
fn length(packet: &[u8], at: &mut usize) -> usize {
    let first = packet[*at];
    let bytes = match first {
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        _ => 0,
    };
    *at += 1;
    if bytes == 0 {
        return usize::from(first);
    }
    let mut number = [0; 8];
    number[..bytes].copy_from_slice(&packet[*at..*at + bytes]);
    *at += bytes;
    usize::try_from(u64::from_le_bytes(number)).unwrap()
}

/// A server's error.
fn error(number: u16, sequence: u8) -> Vec<u8> {
    let mut payload = vec![0xff];
    payload.extend(number.to_le_bytes());
    // A greeting has no room for a state yet.
    if sequence > 0 {
        payload.extend(b"#HY000");
    }
    payload.extend(format!("made up by a proxy ({number})").bytes());
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    let mut packet = vec![length[0], length[1], length[2], sequence];
    packet.extend(payload);
    packet
}
