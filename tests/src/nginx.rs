//! A real nginx before a relay.

use crate::{tree, wait};
use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// How long it may take to listen.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// A running nginx; it ends with this value.
#[derive(Debug)]
pub struct Nginx {
    process: Child,
    folder: TempDir,
}

impl Nginx {
    /// Starts it with these lines inside its `http` block; they listen on 127.0.0.1:`port`.
    ///
    /// # Panics
    /// When it is not installed (`tests/setup` does that) or refuses the configuration.
    #[must_use]
    pub fn start(http: &str, port: u16) -> Self {
        let folder = TempDir::with_prefix("sporenet-nginx-").expect("a temporary folder");
        let place = folder.path().display();
        // Everything that it writes lies in the folder; one process, no rights of root.
        let whole = format!(
            "daemon off; master_process off; pid {place}/pid; error_log {place}/error.log;\n\
             events {{ worker_connections 256; }}\n\
             http {{ access_log off; client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; \
             fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;\n{http}\n}}\n"
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, whole).expect("a configuration can be written");
        let mut process = Command::new("nginx")
            .arg("-e")
            .arg(folder.path().join("error.log"))
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed: tests/setup does that");
        let log = folder.path().join("error.log");
        wait::until("nginx listens", START_PATIENCE, || {
            let ended = process.try_wait().ok().flatten();
            assert!(
                ended.is_none(),
                "{}",
                fs::read_to_string(&log).unwrap_or_default()
            );
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { process, folder }
    }

    /// Starts it with the server of docs/nginx.conf, at `front` before the relay at `back`, with a
    /// certificate and its key.
    ///
    /// # Panics
    /// As [`Nginx::start`].
    #[must_use]
    pub fn documented(front: SocketAddr, back: SocketAddr, files: (&str, &str)) -> Self {
        let server = fs::read_to_string(tree::root().join("docs/nginx.conf"));
        let mut server = server.expect("the documented configuration");
        for (from, to) in [
            ("listen 443 ssl", format!("listen {front} ssl")),
            (
                "server_name relay.example.org",
                "server_name localhost".to_owned(),
            ),
            ("/etc/ssl/relay.example.org.pem", files.0.to_owned()),
            ("/etc/ssl/relay.example.org.key", files.1.to_owned()),
            ("http://127.0.0.1:7600/", format!("http://{back}/")),
        ] {
            assert!(server.contains(from), "{from}");
            server = server.replace(from, &to);
        }
        Self::start(&server, front.port())
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A certificate for `localhost` that vouches for itself, and its key.
///
/// # Panics
/// When openssl is not installed (`tests/setup` does that).
#[must_use]
pub fn certificate(folder: &Path) -> (String, String) {
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args(["-days", "2", "-subj", "/CN=localhost"])
        .args([
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=CA:FALSE",
        ])
        .arg("-out")
        .arg(&cert)
        .arg("-keyout")
        .arg(&key)
        .output()
        .expect("openssl is installed: tests/setup does that");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    (cert.display().to_string(), key.display().to_string())
}
