//! A web server of somebody else, which keeps everything that it receives.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::sync::Arc;

use parking_lot::Mutex;

/// A response: media type and body.
type Answer = (&'static str, String);
/// Makes the response to a request, of which it gets the path.
type Site = Arc<dyn Fn(&str) -> Answer + Send + Sync>;

/// A running server. It ends with the test's process.
pub(crate) struct Foreign {
    port: u16,
    received: Arc<Mutex<Vec<String>>>,
}

impl Foreign {
    /// Serves a site on a port of both loopback addresses; 0 picks a free one.
    pub(crate) fn serve(port: u16, site: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let ipv4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free");
        let port = ipv4.local_addr().unwrap().port();
        // A computer without IPv6 has only one address.
        let ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).ok();
        let (site, received): (Site, _) = (Arc::new(site), Arc::<Mutex<Vec<String>>>::default());
        for listener in [Some(ipv4), ipv6].into_iter().flatten() {
            let (site, received) = (site.clone(), received.clone());
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let (site, received) = (site.clone(), received.clone());
                    std::thread::spawn(move || answer_all(&stream, &site, &received));
                }
            });
        }
        Self { port, received }
    }

    /// Its URL under a name of this computer.
    pub(crate) fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/", self.port)
    }

    /// The requests so far, each with its head and its body.
    pub(crate) fn received(&self) -> Vec<String> {
        self.received.lock().clone()
    }
}

/// Answers every request of a connection.
fn answer_all(stream: &TcpStream, site: &Site, received: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or_default() == 0 {
                return;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or_default();
            }
            let is_last = line.trim().is_empty();
            head += &line;
            if is_last {
                break;
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        received.lock().push(head + &String::from_utf8_lossy(&body));
        let (media, answer) = site(&path);
        // It permits whatever it can: only AURA's own guard is tested.
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Length: {}\r\nAccess-Control-Allow-Origin: *\r\n\
             Access-Control-Allow-Headers: *\r\n\r\n",
            answer.len()
        );
        let mut writer = stream;
        if writer.write_all(&[head.as_bytes(), answer.as_bytes()].concat()).is_err() {
            return;
        }
    }
}
