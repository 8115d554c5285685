//! A server that lets nobody in over the network without encryption.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use super::{Cluster, FORGETFUL, Place, passed_over, programs};

/// Its certificate is for the address and for no name.
const HOST: &str = "127.0.0.1";

/// Users of the database `certified` need a certificate.
const RULES: &str = "local all all trust\n\
                     hostssl certified all 127.0.0.1/32 cert\n\
                     hostssl all all 127.0.0.1/32 trust\n";

/// Makes two authorities, of which the server and a user have a certificate of the first.
const CERTIFICATES: &str = r#"
    exec >>log 2>&1
    set -e
    umask 077
    new_key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    printf '[req]\ndistinguished_name=dn\nx509_extensions=ca\n[dn]\n[ca]\nbasicConstraints=critical,CA:TRUE\n' >conf
    for name in authority stranger; do
        openssl req -config conf -x509 $new_key -days 2 -subj "/CN=$name" -keyout $name.key -out $name.pem
    done
    issue() {
        openssl req -config conf -new $new_key -subj "/CN=$2" -keyout $1.key -out $1.csr
        echo "$3" >$1.conf
        openssl x509 -req -in $1.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 \
            -extfile $1.conf -out $1.pem
    }
    issue server server subjectAltName=IP:127.0.0.1
    issue client callboard basicConstraints=CA:FALSE
"#;

/// The server, and what its clients need.
#[derive(Debug)]
pub struct Encrypted {
    cluster: Cluster,
    port: u16,
}

impl Encrypted {
    /// A server for the caller alone. Without its programs, says so and answers nothing, unless one is required.
    ///
    /// # Panics
    ///
    /// If a server is required and there is none, or if it does not start.
    pub fn new(is_required: bool) -> Option<Self> {
        let programs = programs();
        if programs.is_none() {
            passed_over(is_required);
        }
        programs.map(|programs| Self::start(&programs).unwrap())
    }

    fn start(programs: &Path) -> io::Result<Self> {
        let place = Place::new()?;
        let directory = place.directory.clone();
        fs::write(directory.join("rules"), RULES)?;
        if !place.shell(CERTIFICATES).status()?.success() {
            return Err(io::Error::other(fs::read_to_string(directory.join("log"))?));
        }
        // Nobody else takes a port again so soon after it was given back.
        let port = TcpListener::bind((HOST, 0))?.local_addr()?.port();
        let file = |setting: &str, name: &str| format!("{setting}={}", directory.join(name).display());
        let settings = [
            format!("listen_addresses={HOST}"),
            "ssl=on".to_owned(),
            file("ssl_cert_file", "server.pem"),
            file("ssl_key_file", "server.key"),
            file("ssl_ca_file", "authority.pem"),
            file("hba_file", "rules"),
        ];
        let settings: Vec<_> = settings.iter().map(String::as_str).chain([FORGETFUL]).collect();
        Ok(Self { cluster: Cluster::start_in(&place, programs, port, &settings)?, port })
    }

    /// The address that the certificate is for. It is also that of the name `localhost`.
    pub fn host(&self) -> &'static str {
        HOST
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The file of a certificate or a key: `authority.pem`, and `client.pem` with `client.key`, which it issued; and
    /// `stranger.pem`, another authority.
    ///
    /// # Panics
    ///
    /// Never: the server has a directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.cluster.options.get_socket().unwrap().join(name)
    }
}
