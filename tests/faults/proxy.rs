//! A proxy in front of PostgreSQL that swallows bytes or refuses connections when a test says so.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How the proxy treats bytes and new connections.
#[derive(Clone, Copy, PartialEq)]
#[repr(u8)]
pub(crate) enum Mode {
    /// They pass.
    Open,
    /// Connections are accepted and their bytes dropped, without a reset.
    BlackHole,
    /// Every other new connection is refused with SQLSTATE 53300, too many connections.
    TooMany,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    mode: Arc<AtomicU8>,
    /// Connections that were refused.
    refused: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
}

/// How often a thread checks the mode.
const POLL: Duration = Duration::from_millis(20);
/// An `ErrorResponse` of the PostgreSQL protocol, without its type and length.
const TOO_MANY: &[u8] = b"SFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0\0";

impl Proxy {
    pub(crate) fn start(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (mode, refused, ended) = <(Arc<AtomicU8>, Arc<AtomicUsize>, Arc<AtomicBool>)>::default();
        let proxy =
            Self { port, mode: Arc::clone(&mode), refused: Arc::clone(&refused), ended: Arc::clone(&ended) };
        thread::spawn(move || {
            for (number, client) in listener.incoming().map_while(Result::ok).enumerate() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                if mode.load(Ordering::Relaxed) == Mode::TooMany as u8 && number % 2 == 0 {
                    refused.fetch_add(1, Ordering::Relaxed);
                    thread::spawn(move || drop(refuse(client)));
                    continue;
                }
                let (mode, ended, socket) = (Arc::clone(&mode), Arc::clone(&ended), socket.clone());
                thread::spawn(move || drop(pass(client, &socket, &mode, &ended)));
            }
        });
        proxy
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the accept loop.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn refuse(mut client: TcpStream) -> io::Result<()> {
    let mut start = [0; 1024];
    let _ = client.read(&mut start)?;
    let length = u32::try_from(TOO_MANY.len() + 4).expect("short").to_be_bytes();
    client.write_all(&[b"E", &length[..], TOO_MANY].concat())
}

/// Copies bytes in both directions until one end closes.
fn pass(
    client: TcpStream,
    socket: &PathBuf,
    mode: &Arc<AtomicU8>,
    ended: &Arc<AtomicBool>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    while mode.load(Ordering::Relaxed) == Mode::BlackHole as u8 && !ended.load(Ordering::Relaxed) {
        thread::sleep(POLL);
    }
    let server = UnixStream::connect(socket)?;
    client.set_read_timeout(Some(POLL))?;
    server.set_read_timeout(Some(POLL))?;
    let (from, to) = (client.try_clone()?, server.try_clone()?);
    let (other_way, other_ended) = (Arc::clone(mode), Arc::clone(ended));
    let back = thread::spawn(move || copy(server, client, &other_way, &other_ended));
    let there = copy(from, to, mode, ended);
    let _ = back.join();
    there
}

/// Copies one direction. After dropping bytes once, the connection forwards nothing any more.
fn copy(
    mut from: impl Read + Close,
    mut to: impl Write + Close,
    mode: &AtomicU8,
    ended: &AtomicBool,
) -> io::Result<()> {
    let (mut buffer, mut is_lost) = (vec![0; 64 << 10], false);
    while !ended.load(Ordering::Relaxed) {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                is_lost |= mode.load(Ordering::Relaxed) == Mode::BlackHole as u8;
                if !is_lost {
                    to.write_all(&buffer[..length])?;
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    from.close();
    to.close();
    Ok(())
}

trait Close {
    fn close(&self);
}

impl Close for TcpStream {
    fn close(&self) {
        let _ = self.shutdown(std::net::Shutdown::Both);
    }
}

impl Close for UnixStream {
    fn close(&self) {
        let _ = self.shutdown(std::net::Shutdown::Both);
    }
}
