//! A real nginx before a relay.

use crate::wait;
use std::{
    fs,
    net::TcpStream,
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
