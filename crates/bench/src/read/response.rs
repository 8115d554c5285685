//! Reads answers off a connection that stays open, at as little cost as HTTP/1.1 allows: of the head only what tells
//! where the body ends, and the body not at all, unless it explains why there is no other.

use std::io::{self, BufRead, Read};

/// The longest line of a head.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// The most lines of a head, and of what follows the last chunk.
const LINES_MAX: usize = 256;

/// How much is kept of a body that comes with another status than 200.
const EXCERPT_BYTES_MAX: usize = 2_000;

/// Base of the sizes of chunks.
const HEXADECIMAL: u32 = 16;

/// Base of all other numbers.
const DECIMAL: u32 = 10;

/// An answer that was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Without the framing of chunks.
    pub(super) body_bytes: u64,
}

/// How the end of a body is told.
#[derive(Debug, Clone, Copy)]
enum Framing {
    Length(u64),
    Chunked,
}

#[derive(Debug)]
pub(super) struct ResponseReader<R> {
    source: R,
    line: Vec<u8>,
    excerpt: Vec<u8>,
}

impl<R: BufRead> ResponseReader<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, line: Vec::new(), excerpt: Vec::new() }
    }

    pub(super) fn source(&mut self) -> &mut R {
        &mut self.source
    }

    /// The beginning of the last body, if its status was not 200.
    pub(super) fn excerpt(&self) -> String {
        String::from_utf8_lossy(&self.excerpt).into_owned()
    }

    pub(super) fn read(&mut self) -> io::Result<Answer> {
        let status = self.status()?;
        let framing = self.framing()?;
        self.excerpt.clear();
        let kept = if status == 200 { 0 } else { EXCERPT_BYTES_MAX };
        let body_bytes = match framing {
            Framing::Length(bytes) => self.skip(bytes, kept).map(|()| bytes),
            Framing::Chunked => self.skip_chunks(kept),
        }?;
        Ok(Answer { status, body_bytes })
    }

    fn status(&mut self) -> io::Result<u16> {
        self.next_line()?;
        // Three digits in one place: `HTTP/1.1 200 OK`.
        let digits = self.line.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status = digits.and_then(|digits| u16::try_from(number(digits, DECIMAL)?).ok());
        status.ok_or_else(|| broken("the answer is not HTTP/1.1"))
    }

    /// Reads the head to its end.
    fn framing(&mut self) -> io::Result<Framing> {
        let mut length = None;
        let mut is_chunked = false;
        for _ in 0..LINES_MAX {
            self.next_line()?;
            if self.line.is_empty() {
                return match (is_chunked, length) {
                    (true, _) => Ok(Framing::Chunked),
                    (false, Some(bytes)) => Ok(Framing::Length(bytes)),
                    (false, None) => Err(broken("the answer does not tell where its body ends")),
                };
            }
            if let Some(value) = header(&self.line, b"content-length:") {
                let bytes = number(value, DECIMAL);
                length = Some(bytes.ok_or_else(|| broken("the length of a body is not a number"))?);
            } else if let Some(value) = header(&self.line, b"transfer-encoding:") {
                is_chunked = value.eq_ignore_ascii_case(b"chunked");
            }
        }
        Err(broken("the head of an answer has no end"))
    }

    fn skip_chunks(&mut self, kept: usize) -> io::Result<u64> {
        let mut body_bytes: u64 = 0;
        loop {
            self.next_line()?;
            let bytes = chunk_size(&self.line).ok_or_else(|| broken("a chunk has no size"))?;
            if bytes == 0 {
                return self.skip_trailers().map(|()| body_bytes);
            }
            body_bytes = body_bytes.saturating_add(bytes);
            self.skip(bytes, kept)?;
            self.next_line()?;
            if !self.line.is_empty() {
                return Err(broken("a chunk is longer than its size"));
            }
        }
    }

    fn skip_trailers(&mut self) -> io::Result<()> {
        for _ in 0..LINES_MAX {
            self.next_line()?;
            if self.line.is_empty() {
                return Ok(());
            }
        }
        Err(broken("the end of a body has no end"))
    }

    /// Reads on by so many bytes and keeps them until the excerpt has `kept` bytes.
    fn skip(&mut self, bytes: u64, kept: usize) -> io::Result<()> {
        let mut left = bytes;
        while left > 0 {
            let available = match self.source.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let taken = usize::try_from(left).unwrap_or(usize::MAX).min(available.len());
            if taken == 0 {
                return Err(cut_off());
            }
            let room = kept.saturating_sub(self.excerpt.len());
            self.excerpt.extend(available.iter().take(room.min(taken)));
            self.source.consume(taken);
            left -= taken as u64;
        }
        Ok(())
    }

    /// The next line, without its end, in `self.line`.
    fn next_line(&mut self) -> io::Result<()> {
        self.line.clear();
        self.source.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line)?;
        if self.line.pop_if(|last| *last == b'\n').is_none() {
            let is_long = self.line.len() as u64 == LINE_BYTES_MAX;
            return Err(if is_long { broken("a line of an answer has no end") } else { cut_off() });
        }
        self.line.pop_if(|last| *last == b'\r');
        Ok(())
    }
}

/// The value, if the line has that name, which is in lower case and ends with its colon.
fn header<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// The number before the extensions of a chunk.
fn chunk_size(line: &[u8]) -> Option<u64> {
    number(line.split(|byte| *byte == b';').next()?.trim_ascii(), HEXADECIMAL)
}

/// Digits and nothing else: the conversion of the standard library would take a sign as well.
fn number(digits: &[u8], base: u32) -> Option<u64> {
    let is_number = digits.iter().all(u8::is_ascii_hexdigit);
    if is_number { u64::from_str_radix(str::from_utf8(digits).ok()?, base).ok() } else { None }
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed before the end of an answer")
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// All answers of a connection, read through a buffer of that size.
    fn answers(bytes: &[u8], buffer: usize) -> Vec<(u16, u64)> {
        let mut reader = ResponseReader::new(BufReader::with_capacity(buffer, bytes));
        let mut answers = Vec::new();
        while !reader.source().fill_buf().unwrap().is_empty() {
            let answer = reader.read().unwrap();
            answers.push((answer.status, answer.body_bytes));
        }
        answers
    }

    fn refusal(bytes: &[u8]) -> String {
        ResponseReader::new(bytes).read().unwrap_err().to_string()
    }

    #[test]
    fn answers_follow_each_other_however_they_are_cut_up() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nVary: a\r\n\r\nhello\
            HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: Chunked\r\n\r\n5\r\nhello\r\n1a;x=\"y\"\r\n\
            abcdefghijklmnopqrstuvwxyz\r\n\
            0\r\nServer-Timing: x\r\n\r\n\
            HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n\
            HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\ncontent-length: 9\r\n\r\n0\r\n\r\n";
        for buffer in [1, 2, 7, 64, 65_536] {
            assert_eq!(answers(bytes, buffer), [(200, 5), (200, 31), (404, 0), (200, 0)], "{buffer}");
        }
    }

    #[test]
    fn keeps_the_beginning_of_a_body_that_explains_itself() {
        let long = "x".repeat(EXCERPT_BYTES_MAX * 2);
        let cases = [
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\n\r\nnay", "nay"),
            ("HTTP/1.1 500 Oh\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n2\r\npe\r\n0\r\n\r\n", "nope"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes", ""),
            (
                &format!("HTTP/1.1 400 Bad\r\ncontent-length: {}\r\n\r\n{long}", long.len()),
                &long[..EXCERPT_BYTES_MAX],
            ),
        ];
        for (bytes, expected) in cases {
            let mut reader = ResponseReader::new(BufReader::with_capacity(4, bytes.as_bytes()));
            reader.read().unwrap();
            assert_eq!(reader.excerpt(), expected);
        }
    }

    #[test]
    fn the_excerpt_is_that_of_the_last_answer() {
        let bytes =
            b"HTTP/1.1 400 Bad\r\ncontent-length: 3\r\n\r\nnayHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        let mut reader = ResponseReader::new(&bytes[..]);
        reader.read().unwrap();
        assert_eq!(reader.excerpt(), "nay");
        reader.read().unwrap();
        assert_eq!(reader.excerpt(), "");
    }

    #[test]
    fn an_answer_that_stops_early_is_cut_off() {
        let answers = [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nvary: a\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ];
        for answer in answers {
            for end in 0..answer.len() {
                let error = ResponseReader::new(&answer.as_bytes()[..end]).read().unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{:?}", &answer[..end]);
            }
        }
    }

    #[test]
    fn refuses_what_it_cannot_follow() {
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let cases = [
            ("SSH-2.0-OpenSSH\r\n".to_owned(), "the answer is not HTTP/1.1"),
            ("HTTP/1.0 200 OK\r\n".to_owned(), "the answer is not HTTP/1.1"),
            ("HTTP/1.1 2x0 OK\r\n".to_owned(), "the answer is not HTTP/1.1"),
            ("HTTP/1.1 20\r\n".to_owned(), "the answer is not HTTP/1.1"),
            ("HTTP/1.1 +20 OK\r\n".to_owned(), "the answer is not HTTP/1.1"),
            ("HTTP/1.1 200 OK\r\n\r\n".to_owned(), "the answer does not tell where its body ends"),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 1x\r\n\r\n".to_owned(),
                "the length of a body is not a number",
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n".to_owned(),
                "the length of a body is not a number",
            ),
            (
                format!("HTTP/1.1 200 OK\r\n{}", "a: b\r\n".repeat(LINES_MAX)),
                "the head of an answer has no end",
            ),
            (format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(20_000)), "a line of an answer has no end"),
            (format!("{chunked}\r\n"), "a chunk has no size"),
            (format!("{chunked}+5\r\nhello\r\n"), "a chunk has no size"),
            (format!("{chunked}11111111111111111\r\n"), "a chunk has no size"),
            (format!("{chunked}4\r\nhello\r\n"), "a chunk is longer than its size"),
            (format!("{chunked}0\r\n{}", "a: b\r\n".repeat(LINES_MAX)), "the end of a body has no end"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(refusal(bytes.as_bytes()), expected, "{:?}", bytes.get(..80).unwrap_or(&bytes));
        }
    }
}
