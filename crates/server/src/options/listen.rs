//! The listen address.

use std::fmt;

use crate::error::ServerError;

const DEFAULT_PORT: u16 = 7007;

/// Unlike Backstage, which listens everywhere: as long as the API asks nobody who they are, other machines can reach
/// it only if somebody says so.
const DEFAULT_HOST: &str = "127.0.0.1";

/// Where to listen: a host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    host: String,
    port: u16,
}

impl Default for ListenAddress {
    fn default() -> Self {
        Self::new(None, None)
    }
}

impl ListenAddress {
    /// An address; what is absent is the default: port 7007 of the machine itself.
    pub fn new(host: Option<&str>, port: Option<u16>) -> Self {
        let host = host.filter(|host| !host.is_empty()).unwrap_or(DEFAULT_HOST);
        Self { host: host.to_owned(), port: port.unwrap_or(DEFAULT_PORT) }
    }

    /// Parses `<port>`, `:<port>` or `<host>:<port>`. A host with colons stands in brackets.
    pub fn parse(text: &str) -> Result<Self, ServerError> {
        let unparsable = || ServerError::ListenAddress(text.to_owned());
        let (host, port) = text.rsplit_once(':').map_or((None, text), |(host, port)| (Some(host), port));
        let port = port.parse().map_err(|_| unparsable())?;
        let host = match host.map(|host| (host.strip_prefix('[').and_then(|h| h.strip_suffix(']')), host)) {
            Some((Some(inner), _)) => Some(inner),
            Some((None, host)) if host.contains([':', '[', ']']) => return Err(unparsable()),
            Some((None, host)) => Some(host),
            None => None,
        };
        Ok(Self::new(host, Some(port)))
    }

    /// The host name or IP address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 0 lets the system choose.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (&self.host, self.port);
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_all_forms() {
        let rows = [
            ("7008", "127.0.0.1:7008"),
            (":7008", "127.0.0.1:7008"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("catalog.example.com:0", "catalog.example.com:0"),
            ("[::]:7007", "[::]:7007"),
        ];
        for (text, expected) in rows {
            assert_eq!(ListenAddress::parse(text).unwrap().to_string(), expected, "{text}");
        }
        assert_eq!(ListenAddress::default().to_string(), "127.0.0.1:7007");
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "x", "host:", "host:x", "a:b:1", "::1:7007", "host:70000", "[::1:7007"] {
            let message = format!("Unable to parse listen address {text}, expected <port> or <host>:<port>");
            assert_eq!(ListenAddress::parse(text).unwrap_err().to_string(), message);
        }
    }
}
