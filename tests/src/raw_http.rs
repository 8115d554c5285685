//! HTTP/1.1 by hand: requests to the letter, also those that no client library would send, and answers with all that
//! is in them.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

/// Longer than any answer takes.
const ANSWER_LIMIT: Duration = Duration::from_secs(40);

/// A connection on which any bytes may be sent.
#[derive(Debug)]
pub struct RawConnection {
    stream: BufReader<TcpStream>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawReply {
    /// Its status.
    pub status: u16,
    /// Names, in lower case, and values of its headers, in their order.
    pub headers: Vec<(String, String)>,
    /// Its body, without the frame of chunks.
    pub body: Vec<u8>,
}

/// A request, put together without a look at whether it makes sense. The connection ends with its answer.
pub fn raw_request(method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    if let Some(body) = body {
        text.extend(["Content-Length: ", &body.len().to_string(), "\r\n\r\n", body]);
    } else {
        text.push_str("\r\n");
    }
    text.into_bytes()
}

impl RawConnection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Self {
        Self::try_open(address).expect("the daemon accepts connections")
    }

    /// Connects, if somebody is there.
    pub fn try_open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.set_write_timeout(Some(ANSWER_LIMIT))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends these bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    /// Sends these bytes from a thread of their own, so that the answer can be read meanwhile. The thread ends with
    /// whether they were all taken.
    pub fn send_beside(&self, bytes: Vec<u8>) -> JoinHandle<io::Result<()>> {
        let mut stream = self.stream.get_ref().try_clone().expect("a socket has another handle");
        std::thread::spawn(move || stream.write_all(&bytes))
    }

    /// The next answer; `None` if the peer is done.
    pub fn answer(&mut self) -> io::Result<Option<RawReply>> {
        self.read_answer(true)
    }

    /// The next answer, to a HEAD request.
    pub fn answer_to_head(&mut self) -> io::Result<Option<RawReply>> {
        self.read_answer(false)
    }

    /// Whether the peer ended the connection. Waits for it, and for nothing else.
    pub fn is_ended(&mut self) -> bool {
        match self.stream.fill_buf() {
            Ok(bytes) => bytes.is_empty(),
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    fn read_answer(&mut self, may_have_body: bool) -> io::Result<Option<RawReply>> {
        let line = self.line()?;
        if line.is_empty() {
            return Ok(None);
        }
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status: u16 = status.ok_or_else(|| invalid(&line))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid(&line))?;
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        let mut reply = RawReply { status, headers, body: Vec::new() };
        if may_have_body && !matches!(status, 100..200 | 204 | 304) {
            reply.body = self.body(&reply)?;
        }
        Ok(Some(reply))
    }

    fn body(&mut self, head: &RawReply) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if head.header("transfer-encoding").is_some() {
            loop {
                let line = self.line()?;
                let length = usize::from_str_radix(&line, 16).map_err(|_| invalid(&line))?;
                let start = body.len();
                body.resize(start + length, 0);
                self.stream.read_exact(&mut body[start..])?;
                self.line()?;
                if length == 0 {
                    return Ok(body);
                }
            }
        }
        match head.header("content-length") {
            Some(length) => {
                body.resize(length.parse().map_err(|_| invalid(length))?, 0);
                self.stream.read_exact(&mut body)?;
            }
            None => {
                self.stream.read_to_end(&mut body)?;
            }
        }
        Ok(body)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}

impl RawReply {
    /// The values of a header, joined by commas; the name in lower case.
    pub fn header_list(&self, name: &str) -> Option<String> {
        let values: Vec<_> =
            self.headers.iter().filter(|header| header.0 == name).map(|header| &*header.1).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// The first value of a header; its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| &*header.1)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {}: {text:?}", self.status))
    }
}

fn invalid(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{line:?} makes no sense here"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// What is read from a peer that sends this and closes.
    fn peer(sends: &'static str) -> RawConnection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = RawConnection::open(listener.local_addr().unwrap());
        listener.accept().unwrap().0.write_all(sends.as_bytes()).unwrap();
        connection
    }

    #[test]
    fn reads_answers_one_after_the_other() {
        let mut connection = peer(concat!(
            "HTTP/1.1 200 OK\r\nA: x\r\nTransfer-Encoding: chunked\r\na: y\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
        ));
        let first = connection.answer().unwrap().unwrap();
        assert_eq!((first.status, &*first.text(), first.header("a")), (200, "abcde", Some("x")));
        assert_eq!(first.header_list("a").as_deref(), Some("x, y"));
        assert_eq!(connection.answer().unwrap().unwrap().status, 204);
        assert_eq!(connection.answer().unwrap().unwrap().text(), "no");
        assert_eq!(connection.answer().unwrap(), None);
        assert!(connection.is_ended());
    }

    #[test]
    fn requests_are_sent_as_they_are_written() {
        assert_eq!(
            String::from_utf8(raw_request("POST", "/%ZZ", &[("A", "b")], Some("{"))).unwrap(),
            "POST /%ZZ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nA: b\r\nContent-Length: 1\r\n\r\n{"
        );
    }
}
