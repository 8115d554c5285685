//! A port of the loopback interface that leads to the server, as long as it is open.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use callboard_store::suite::cluster::Cluster;

#[derive(Debug)]
pub(crate) struct Forwarder {
    address: SocketAddr,
    socket: PathBuf,
    opened: Option<Opened>,
}

#[derive(Debug)]
struct Opened {
    is_closing: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    thread: thread::JoinHandle<()>,
}

impl Forwarder {
    /// Closed at first. There is none to somebody else's server.
    pub(crate) fn new(cluster: &Cluster) -> Option<Self> {
        let socket = cluster.socket()?;
        // Nobody else takes a port again so soon after it was given back.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Some(Self { address, socket, opened: None })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn open(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        let is_closing = Arc::new(AtomicBool::new(false));
        let connections = Arc::new(Mutex::new(Vec::new()));
        let (closing, kept, socket) =
            (Arc::clone(&is_closing), Arc::clone(&connections), self.socket.clone());
        let thread = thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if closing.load(Ordering::Relaxed) {
                    return;
                }
                kept.lock().unwrap().push(client.try_clone().unwrap());
                forward(client, UnixStream::connect(&socket).unwrap());
            }
        });
        self.opened = Some(Opened { is_closing, connections, thread });
    }

    /// Cuts all connections, and takes no further ones.
    pub(crate) fn close(&mut self) {
        let Some(Opened { is_closing, connections, thread }) = self.opened.take() else { return };
        is_closing.store(true, Ordering::Relaxed);
        // Whoever waits for the next connection sees it there.
        drop(TcpStream::connect(self.address));
        thread.join().unwrap();
        for connection in connections.lock().unwrap().drain(..) {
            drop(connection.shutdown(Shutdown::Both));
        }
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.close();
    }
}

fn forward(client: TcpStream, server: UnixStream) {
    let (mut from_client, mut to_client) = (client.try_clone().unwrap(), client);
    let (mut from_server, mut to_server) = (server.try_clone().unwrap(), server);
    thread::spawn(move || {
        drop(io::copy(&mut from_client, &mut to_server));
        drop(to_server.shutdown(Shutdown::Both));
    });
    thread::spawn(move || {
        drop(io::copy(&mut from_server, &mut to_client));
        drop(to_client.shutdown(Shutdown::Both));
    });
}
