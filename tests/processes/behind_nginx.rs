//! A relay behind nginx with TLS at a sub-path, with the configuration of docs/nginx.conf.

use crate::addresses::certificate;
use sporenet_tests::{
    relay::{Relay, free_address},
    tree, wait,
};
use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// nginx with one server, gone when dropped.
struct Nginx(Child);

impl Nginx {
    /// The documented configuration with the test's ports, names and files in the place of its own.
    fn start(folder: &Path, front: SocketAddr, back: SocketAddr, files: (&str, &str)) -> Self {
        let documented = fs::read_to_string(tree::root().join("docs/nginx.conf")).unwrap();
        let mut server = documented;
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
        let at = folder.display();
        let whole = format!(
            "daemon off;\npid {at}/pid;\nerror_log {at}/error.log;\nevents {{}}\nhttp {{\n\
             access_log off;\nclient_body_temp_path {at}/body;\nproxy_temp_path {at}/proxy;\n\
             fastcgi_temp_path {at}/f;\nuwsgi_temp_path {at}/u;\nscgi_temp_path {at}/s;\n\
             {server}}}\n"
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, whole).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&file).arg("-p").arg(folder);
        // The master and its worker end with their standard input's owner: the test kills the master.
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
        let nginx = Self(child.expect("nginx is installed (tests/setup)"));
        wait::eventually("nginx listens", PATIENCE, || {
            TcpStream::connect(front)
                .map(drop)
                .map_err(|error| error.kind())
        });
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.0.id().try_into().expect("a process id"));
        // SIGTERM: the master takes its workers with it.
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

#[test]
fn a_relay_joins_through_nginx_at_a_sub_path_by_the_printed_link() {
    let folder = TempDir::new().unwrap();
    let (cert, key) = certificate(folder.path());
    let front = free_address();
    let url = format!("wss://localhost:{}/mesh/", front.port());
    let mut founder = Relay::prepare("founder", &["--advertise", &url]);
    let _nginx = Nginx::start(folder.path(), front, founder.address, (&cert, &key));
    founder.start();
    founder.put("app", "greeting", "value", "local").unwrap();
    let links = founder.invite(&[]);
    let page = format!("https://localhost:{}/mesh/#spore=", front.port());
    assert!(links.browser.starts_with(&page), "{}", links.browser);

    let trusted = format!("--tls-ca={cert}");
    let mut second = Relay::prepare("second", &[&trusted, "--join", &links.relay]);
    second.start();
    wait::eventually("the second relay joins through nginx", PATIENCE, || {
        let value = second.value("app", "greeting");
        (value.as_deref() == Some("value"))
            .then_some(())
            .ok_or(value)
    });

    let api = format!("--api=https://localhost:{}/mesh", front.port());
    let put = founder.cli(&["put", "app", "a/../b//c", "through", &api, &trusted]);
    let _ = put.expect_success();
    let read = founder.cli(&["get", "app", "a/../b//c", &api, &trusted]);
    assert_eq!(read.expect_success().stdout.trim(), "through");
}
